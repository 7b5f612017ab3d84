"""What the benchmarks in real time stand on: processes, a core for each side, signed commands, and figures.

The bot is a process of its own, and so is every peer that it is compared with. What they talk to is elsewhere, so
that no figure of theirs holds anybody else's work.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import psutil
from prometheus_client.parser import text_string_to_metric_families

from bot.simulator.slack import LocalSlack
from bot.simulator.slack.delivery import signed
from bot.simulator.slack.model import Channel, ChannelKind

SECRET = "bench-signing-secret"
TOKEN = "xoxb-bench"
API_KEY = "bench-key"
START_SECONDS = 60.0
MIB = 2**20


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies; not a number where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def cores() -> tuple[set[int], set[int]]:
    """A core for the bot, and those for everything else; the same ones where the machine has just one."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    bots, *others = sorted(os.sched_getaffinity(0))
    return {bots}, set(others) or {bots}


def pin(to: set[int], pid: int = 0) -> None:
    """Keep a process on these cores, where the system can do that."""
    if to and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, to)


@contextlib.asynccontextmanager
async def doing(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let these go on meanwhile."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True, slots=True)
class Child:
    """A process of ours: the first JSON objects that it prints, and what it costs."""

    pid: int
    printed: asyncio.Queue[dict[str, Any]]

    @property
    def rss(self) -> int:
        """Bytes that are in memory now."""
        return int(psutil.Process(self.pid).memory_info().rss)

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    @property
    def threads(self) -> int:
        return int(psutil.Process(self.pid).num_threads())


@contextlib.asynccontextmanager
async def child(
    arguments: Sequence[str], environment: Mapping[str, str] | None = None, on: set[int] | None = None
) -> AsyncIterator[Child]:
    """``python -m`` these arguments, on these cores; killed with the context: what it leaves behind is thrown away."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    pin(on or set(), process.pid)
    output = process.stdout
    assert output is not None
    printed = asyncio.Queue[dict[str, Any]](maxsize=100)

    async def read() -> None:
        async for line in output:  # to its end, so that the pipe never fills up
            with contextlib.suppress(asyncio.QueueFull):
                printed.put_nowait(json.loads(line))
        await process.wait()
        with contextlib.suppress(asyncio.QueueFull):
            printed.put_nowait({"ended": process.returncode})

    reading = asyncio.create_task(read())
    try:
        yield Child(process.pid, printed)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await reading


@contextlib.asynccontextmanager
async def serving(*arguments: str, on: set[int] | None = None) -> AsyncIterator[dict[str, Any]]:
    """A process that says where it listens by :func:`until_deserted`; yields what it said."""
    async with child(arguments, on=on) as process:
        yield await asyncio.wait_for(process.printed.get(), START_SECONDS)


async def until_deserted(said: dict[str, Any]) -> None:
    """Say where this process listens, and wait until nobody is left who could end it."""
    parent = os.getppid()
    print(json.dumps(said), flush=True)  # noqa: T201  a pipe's other end reads it
    while os.getppid() == parent:  # noqa: ASYNC110  no event tells of it
        await asyncio.sleep(1)


@dataclass(frozen=True, slots=True)
class BotProcess:
    """The bot while it runs; ``port`` is where it listens, ``session`` whose it is asked by."""

    process: Child
    port: int
    session: aiohttp.ClientSession

    async def metrics(self) -> dict[str, float]:
        """What ``/metrics`` shows: a sample's name, with its labels where it has any → its value."""
        async with self.session.get(f"http://127.0.0.1:{self.port}/metrics") as answer:
            text = await answer.text()
        return {
            sample.name
            + "".join(f",{name}={value}" for name, value in sorted(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    async def running(self, count: int, seconds: float) -> None:
        """Return once exactly so many runs are going on; ``TimeoutError`` where that takes longer."""
        async with asyncio.timeout(seconds):
            while (await self.metrics())["bot_runs_running"] != count:  # noqa: ASYNC110  it is in another process
                await asyncio.sleep(0.2)


def environment(slack_url: str, service_url: str, **settings: str) -> dict[str, str]:
    """What every process of the bot is given."""
    return {
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_API_URL": slack_url,
        "CLOUDCODING_API_URL": service_url,
        "CLOUDCODING_API_KEY": API_KEY,
        "CLOUDCODING_DEFAULT_REPO": "acme/api",
        "GITHUB_TOKEN": "ghp_bench",
        "SHUTDOWN_GRACE": "0",
        "LOG_FORMAT": "json",
        "PORT": "0",
        **settings,
    }


async def started(process: Child) -> int:
    """Wait until a process of the bot is up; returns the port on which it listens, 0 for a worker."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            said = await process.printed.get()
            if "ended" in said:
                raise RuntimeError("the bot did not start: what it said stands above")
            if said.get("event") == "bot.started":
                return int(said["port"])


@contextlib.asynccontextmanager
async def bot(
    slack_url: str,
    service_url: str,
    directory: str,
    session: aiohttp.ClientSession,
    on: set[int] | None = None,
    **settings: str,
) -> AsyncIterator[BotProcess]:
    """``bot serve`` with its database in that directory, unless the settings say where."""
    settings = {"DATABASE_URL": f"sqlite:///{directory}/bot.db", **settings}
    async with child(["bot", "serve"], environment(slack_url, service_url, **settings), on) as process:
        yield BotProcess(process, await started(process), session)


def add_channels(slack: LocalSlack, count: int) -> list[str]:
    """So many more channels, by their ids."""
    for number in range(count):
        slack.add_channel(Channel(f"C0N{number}", f"n{number}", ChannelKind.PUBLIC, ["U0ANN", "U0CODE"]))
    return [f"C0N{number}" for number in range(count)]


@dataclass(slots=True)
class Sender:
    """Sends signed slash commands."""

    session: aiohttp.ClientSession
    _number: int = field(default=0, init=False)

    async def command(
        self, port: int, text: str, channel: str, workspace: str = "T0LOCAL", user: str = "U0ANN"
    ) -> bool:
        """Whether it was acknowledged."""
        self._number += 1
        form = {
            "team_id": workspace,
            "channel_id": channel,
            "user_id": user,
            "user_name": "ann",
            "command": "/code",
            "text": text,
            "trigger_id": f"{self._number}.bench",
        }
        body = urlencode(form).encode()
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            **signed(SECRET, body, time.time()),
        }
        url = f"http://127.0.0.1:{port}/slack/events"
        async with self.session.post(url, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status == 200


@dataclass(frozen=True, slots=True)
class Beats:
    """The bot's own heartbeats so far: how many came at most so many seconds late."""

    within: dict[float, float]

    @classmethod
    async def of(cls, bot: BotProcess) -> Self:
        name = "bot_loop_lag_seconds_bucket,le="
        metrics = await bot.metrics()
        return cls({float(key.removeprefix(name)): n for key, n in metrics.items() if key.startswith(name)})

    @property
    def count(self) -> int:
        return int(self.within[float("inf")])

    @property
    def late(self) -> int:
        """How many came more than 50 ms late."""
        return self.count - int(self.within[0.05])

    def since(self, before: "Beats") -> "Beats":
        return Beats({bound: count - before.within[bound] for bound, count in self.within.items()})


@dataclass(slots=True)
class Heartbeat:
    """How long ``/healthz`` takes, from the moment at which it was due to be asked: milliseconds."""

    bot: BotProcess
    every: float = 0.025
    delays: list[float] = field(default_factory=list)

    async def run(self) -> None:
        """Ask until cancelled; an answer that is late doesn't hold up the next question."""
        loop = asyncio.get_running_loop()
        url = f"http://127.0.0.1:{self.bot.port}/healthz"
        due = loop.time()

        async def ask(due: float) -> None:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self.bot.session.get(url) as answer:
                    await answer.read()
                self.delays.append((loop.time() - due) * 1000)

        async with asyncio.TaskGroup() as asking:
            while True:
                due += self.every
                await asyncio.sleep(max(0.0, due - loop.time()))
                asking.create_task(ask(due))
