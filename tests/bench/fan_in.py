"""Many runs at once in one process: ``python -m tests.bench.fan_in [--runs 100 300 1000] [--tasks 1] [--seconds 20]``.

The bot has a core to itself; the service, which writes five lines a second to each task of each run, and the local Slack share the
others. At each number of runs it is measured, over the same seconds:

- the share of the core that the bot uses;
- how late its event loop is: by the bot's own heartbeat (``bot_loop_lag_seconds``), and by requests to ``/healthz``;
- how old the newest line is, from its being written by the service to its being stored, and to its being shown where a
  message is edited (Slack allows that too seldom for a thousand messages; what is shown then is to be new);
- what a run costs in memory: what is resident above the idle bot, divided by the runs.
"""

import argparse
import asyncio
import contextlib
import random
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiohttp

from bot.simulator.slack import LocalSlack
from bot.simulator.slack.hub import Change, Kind
from bot.simulator.slack.model import Message
from bot.store.store import Store
from tests.bench import report, stage

RATE = 5  # lines a second of each task
TASKS_IN_A_CHANNEL = 4  # and a post for each run: about what Slack lets pass at once
STARTS = 40  # commands a second
SETTLE = 3.0  # seconds between the last start and the first figure
KIB = 1024
_WRITTEN = re.compile(r"@(\d+\.\d{3}) ")


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured at one number of runs. Lags in ms; ``rss_kib`` is of one run, above the idle bot."""

    runs: int
    cpu: float
    loop_p50: float
    loop_p99: float
    loop_max: float
    heartbeats: int
    heartbeats_over_50: int
    stored_p50: float
    stored_max: float
    shown_p50: float
    shown_max: float
    edits: int
    rss_kib: float
    threads: int


def age(text: str) -> float | None:
    """How many milliseconds ago the last line in it was written."""
    written = _WRITTEN.findall(text)
    return (time.monotonic() - float(written[-1])) * 1000 if written else None


@dataclass(slots=True)
class Screen:
    """What people see: how old the newest line is in each message that is edited."""

    slack: LocalSlack
    ages: list[float] = field(default_factory=list)

    def saw(self, change: Change) -> None:
        """Look at a message that has just changed."""
        if change.kind is Kind.EDITED and isinstance(change.subject, Message):
            shown = age(self.slack.visible(change.subject))
            if shown is not None:
                self.ages.append(shown)


async def watch_store(url: str, runs: int, ages: list[float]) -> None:
    """How old the newest stored line is, of a few runs at a time, until cancelled."""
    store = await Store.open(url)
    try:
        while True:
            for task in random.sample(range(1, runs + 1), min(runs, 10)):
                stored = age(await store.output.tail(task, 500))
                if stored is not None:
                    ages.append(stored)
            await asyncio.sleep(0.5)
    finally:
        await store.close()


async def measure(
    bot: stage.BotProcess, screen: Screen, database: str, runs: int, idle: int, seconds: float
) -> Figures:
    """What so many runs, which are going on, cost for so many seconds."""
    heart, stored = stage.Heartbeat(bot), list[float]()
    screen.ages.clear()
    before, cpu, begun = await stage.Beats.of(bot), bot.process.cpu, time.monotonic()
    async with stage.doing(heart.run(), watch_store(database, runs, stored)):
        await asyncio.sleep(seconds)
    cpu, took = bot.process.cpu - cpu, time.monotonic() - begun
    beats = (await stage.Beats.of(bot)).since(before)
    return Figures(
        runs=runs,
        cpu=cpu / took,
        loop_p50=stage.quantile(heart.delays, 0.5),
        loop_p99=stage.quantile(heart.delays, 0.99),
        loop_max=stage.quantile(heart.delays, 1),
        heartbeats=beats.count,
        heartbeats_over_50=beats.late,
        stored_p50=stage.quantile(stored, 0.5),
        stored_max=stage.quantile(stored, 1),
        shown_p50=stage.quantile(screen.ages, 0.5),
        shown_max=stage.quantile(screen.ages, 1),
        edits=len(screen.ages),
        rss_kib=(bot.process.rss - idle) / runs / KIB,
        threads=bot.process.threads,
    )


async def start(
    bot: stage.BotProcess, sender: stage.Sender, channels: Sequence[str], first: int, last: int, tasks: int
) -> None:
    """Start these runs, a few a second, and wait until all of them are going on."""
    several = "".join(f"\ntask-{number}: pace {RATE}" for number in range(tasks))
    text = f"pace {RATE}" if tasks == 1 else f"parallel{several}"
    for number in range(first, last):
        if not await sender.command(bot.port, text, channels[number * tasks // TASKS_IN_A_CHANNEL]):
            raise RuntimeError(f"run {number} was not acknowledged")
        await asyncio.sleep(1 / STARTS)
    await bot.running(last, 60)
    await asyncio.sleep(SETTLE)


async def measure_all(counts: Sequence[int], tasks: int, seconds: float) -> list[Figures]:
    """All numbers of runs, in one bot that takes on more and more."""
    mine, others = stage.cores()
    stage.pin(others)
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        slack = await stack.enter_async_context(
            LocalSlack(signing_secret=stage.SECRET, bot_token=stage.TOKEN, limits=None)
        )
        screen = Screen(slack)
        slack.workspace.hub.listen(screen.saw)
        channels = stage.add_channels(slack, max(counts) * tasks // TASKS_IN_A_CHANNEL + 1)
        service = await stack.enter_async_context(stage.serving("tests.bench.service", on=others))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        bot = await stack.enter_async_context(
            stage.bot(
                slack.api_url,
                service["url"],
                directory,
                session,
                mine,
                MAX_CONCURRENT_RUNS=str(max(counts) * 2),
            )
        )
        sender = stage.Sender(session)
        await sender.command(bot.port, "warm up", channels[-1])
        await slack.wait_for(
            lambda: [m for m in slack.messages(channels[-1]) if "Done" in slack.visible(m)], 20
        )
        await asyncio.sleep(1)
        idle, going, found = bot.process.rss, 0, []
        for runs in sorted(counts):
            await start(bot, sender, channels, going, runs, tasks)
            going = runs
            database = f"sqlite+aiosqlite:///{directory}/bot.db"
            found.append(await measure(bot, screen, database, runs, idle, seconds))
        return found


def show(found: Sequence[Figures], tasks: int) -> None:
    """The table."""
    report.table(
        f"one process, runs of {tasks} x {RATE} lines/s (lags in ms)",
        [
            "runs",
            "CPU %",
            "KiB/run",
            "loop p50",
            "p99",
            "max",
            "beats",
            ">50 ms",
            "stored p50",
            "max",
            "shown p50",
            "max",
        ],
        [
            (
                one.runs,
                one.cpu * 100,
                one.rss_kib,
                one.loop_p50,
                one.loop_p99,
                one.loop_max,
                one.heartbeats,
                one.heartbeats_over_50,
                one.stored_p50,
                one.stored_max,
                one.shown_p50,
                one.shown_max,
            )
            for one in found
        ],
    )


def draw(path: Path, found: Sequence[Figures]) -> None:
    """What grows with the runs, and how."""
    runs = [one.runs for one in found]
    with report.figure(path, 3, size=(11, 3.5)) as (cpu, memory, lag):
        cpu.plot(runs, [one.cpu * 100 for one in found], "o-", color=report.PALETTE[0])
        cpu.set(title="share of one core, %", xlabel="runs", ylim=(0, 100), xlim=(0, None))
        memory.plot(runs, [one.rss_kib for one in found], "o-", color=report.PALETTE[1])
        memory.set(title="memory of a run, KiB", xlabel="runs", ylim=(0, 200), xlim=(0, None))
        for name, values, colour in (
            ("stored, worst", [one.stored_max for one in found], report.PALETTE[2]),
            ("shown, worst", [one.shown_max for one in found], report.PALETTE[4]),
            ("event loop, p99", [one.loop_p99 for one in found], report.PALETTE[3]),
        ):
            lag.plot(runs, values, "o-", color=colour, label=name)
        lag.set(title="lag, ms", xlabel="runs", xlim=(0, None), yscale="log")
        lag.legend()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, nargs="+", default=[100, 300, 1000], help="how many at once")
    parser.add_argument("--tasks", type=int, default=1, help="of each run (default: 1)")
    parser.add_argument(
        "--seconds", type=float, default=20.0, help="to measure each number for (default: 20)"
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--png", type=Path, help="draw them into this file")
    arguments = parser.parse_args()
    found = asyncio.run(measure_all(arguments.runs, arguments.tasks, arguments.seconds))
    show(found, arguments.tasks)
    if arguments.json:
        report.write_json(
            arguments.json,
            {"lines_a_second": RATE, "tasks": arguments.tasks, "runs": [asdict(one) for one in found]},
        )
    if arguments.png:
        draw(arguments.png, found)


if __name__ == "__main__":
    main()
