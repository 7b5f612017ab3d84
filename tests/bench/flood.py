"""One run that prints as fast as the bot takes it: ``python -m tests.bench.flood [--megabytes 100]``.

The bot has a core to itself. What is resident is looked at all the time, above what the idle bot has; what the database
keeps of the output at the end (with a gap in its middle: there is a cap) and how late the event loop was meanwhile are
measured too.
"""

import argparse
import asyncio
import contextlib
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import aiohttp

from bot.simulator.slack import LocalSlack
from tests.bench import report, stage

LOOK = 0.02  # seconds between two looks at the memory
PATIENCE = 300.0
CHANNEL = "C0TEAM"


@dataclass(frozen=True, slots=True)
class Figures:
    """What the flood cost: memory in MiB, lags in ms."""

    megabytes: float
    seconds: float
    idle_mib: float
    peak_mib: float
    loop_p50: float
    loop_p99: float
    loop_max: float
    heartbeats: int
    heartbeats_over_50: int

    @property
    def above_idle(self) -> float:
        """MiB."""
        return self.peak_mib - self.idle_mib


@dataclass(slots=True)
class Memory:
    """What is resident, from the first look on: pairs of seconds and bytes."""

    process: stage.Child
    seen: list[tuple[float, int]] = field(default_factory=list)

    async def watch(self) -> None:
        """Look until cancelled."""
        begun = time.monotonic()
        while True:
            self.seen.append((time.monotonic() - begun, self.process.rss))
            await asyncio.sleep(LOOK)


def ended(slack: LocalSlack, runs: int) -> bool:
    """Whether so many runs have ended well."""
    shown = [slack.visible(message) for message in slack.messages(CHANNEL) if message.bot_id]
    return len(shown) == runs and "Done" in shown[-1]


async def measure(megabytes: float) -> tuple[Figures, Memory]:
    """One flood."""
    mine, others = stage.cores()
    stage.pin(others)
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        slack = await stack.enter_async_context(
            LocalSlack(signing_secret=stage.SECRET, bot_token=stage.TOKEN, limits=None)
        )
        service = await stack.enter_async_context(stage.serving("tests.bench.service", on=others))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        bot = await stack.enter_async_context(
            stage.bot(slack.api_url, service["url"], directory, session, mine)
        )
        sender = stage.Sender(session)
        await sender.command(bot.port, "warm up", CHANNEL)
        await slack.wait_for(lambda: ended(slack, 1), 20)
        await asyncio.sleep(1)
        idle, before = bot.process.rss, await stage.Beats.of(bot)
        memory, heart = Memory(bot.process), stage.Heartbeat(bot)
        async with stage.doing(memory.watch(), heart.run()):
            begun = time.monotonic()
            await sender.command(bot.port, f"flood {megabytes}", CHANNEL)
            await slack.wait_for(lambda: ended(slack, 2), PATIENCE)
            took = time.monotonic() - begun
            await asyncio.sleep(2)  # for the log, which is uploaded at the end
        beats = (await stage.Beats.of(bot)).since(before)
        figures = Figures(
            megabytes=megabytes,
            seconds=took,
            idle_mib=idle / stage.MIB,
            peak_mib=max(bytes_ for _, bytes_ in memory.seen) / stage.MIB,
            loop_p50=stage.quantile(heart.delays, 0.5),
            loop_p99=stage.quantile(heart.delays, 0.99),
            loop_max=stage.quantile(heart.delays, 1),
            heartbeats=beats.count,
            heartbeats_over_50=beats.late,
        )
        return figures, memory


def draw(path: Path, figures: Figures, memory: Memory) -> None:
    """Memory over time."""
    with report.figure(path, size=(8, 3)) as (panel,):
        panel.plot(
            [seconds for seconds, _ in memory.seen],
            [bytes_ / stage.MIB - figures.idle_mib for _, bytes_ in memory.seen],
            color=report.PALETTE[0],
        )
        panel.set(
            title=f"{figures.megabytes:g} MB of output through one run",
            xlabel="seconds",
            ylabel="MiB above the idle bot",
            ylim=(0, None),
            xlim=(0, None),
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=100.0, help="how much (default: 100)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--png", type=Path, help="draw them into this file")
    arguments = parser.parse_args()
    figures, memory = asyncio.run(measure(arguments.megabytes))
    report.table(
        f"{arguments.megabytes:g} MB of output through one run",
        [
            "",
            "MB/s",
            "MiB idle",
            "MiB at the peak",
            "MiB above",
            "loop p50 ms",
            "p99",
            "max",
            "beats",
            ">50 ms",
        ],
        [
            (
                "bot",
                figures.megabytes / figures.seconds,
                figures.idle_mib,
                figures.peak_mib,
                figures.above_idle,
                figures.loop_p50,
                figures.loop_p99,
                figures.loop_max,
                figures.heartbeats,
                figures.heartbeats_over_50,
            )
        ],
    )
    if arguments.json:
        report.write_json(arguments.json, {**asdict(figures), "above_idle_mib": figures.above_idle})
    if arguments.png:
        draw(arguments.png, figures, memory)


if __name__ == "__main__":
    main()
