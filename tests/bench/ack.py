"""How long a slash command waits for its acknowledgement: ``python -m tests.bench.ack [--json PATH]``.

Signed commands come at a steady rate over loopback while the bot streams ten runs. Measured in one run, in turns, so
that whatever else the machine does is shared: the bot; a bare Bolt app with its default settings; and a bare aiohttp
handler that only verifies the signature, which is the floor. Each has a process of its own, as have the local Slack
and the service. A latency counts from the moment at which a command was due, so that a stall is not hidden by what
could not be sent meanwhile. It takes under a minute and ends by itself.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.cloudcoding import CloudCodingServer, Invocation, Stream
from bot.simulator.slack import LocalSlack
from bot.simulator.slack.delivery import signed

SECRET = "bench-signing-secret"
TOKEN = "xoxb-bench"
API_KEY = "bench-key"
RUNS = 10
LINES = 50  # a second, of each run
RATES = (100, 200)  # commands a second
ROUNDS = 2
SECONDS = 3.0  # of one target's turn
PATIENCE = 3.0  # Slack's own, in seconds
CHANNELS = ("C0TEAM", "C0OPEN", "C0SHARED")
BOT, BOLT, BARE = "bot", "bare Bolt", "bare aiohttp"


# The processes beside the one that measures


async def chatter(invocation: Invocation, stream: Stream) -> None:
    """A run that goes on until the bot ends it."""
    del invocation  # all are the same
    number = 0
    while True:
        number += 1
        await stream.stdout(f"line {number} of a build that takes its time\n")
        await asyncio.sleep(1 / LINES)


async def world() -> None:
    """The local Slack and the service; prints where they are."""
    service = CloudCodingServer(chatter, api_key=API_KEY)
    async with LocalSlack(signing_secret=SECRET, bot_token=TOKEN, limits=None) as slack, service:
        await until_stopped({"slack": slack.api_url, "service": service.url})


async def bare_bolt(api_url: str) -> None:
    """Bolt as its documentation begins."""
    client = AsyncWebClient(token=TOKEN, base_url=api_url)
    app = AsyncApp(client=client, signing_secret=SECRET)

    @app.command("/code")
    async def command(ack: AsyncAck) -> None:
        await ack()

    async with listening(app.server(port=0, path="/slack/events").web_app) as port:
        await until_stopped({"port": port})


async def bare_aiohttp() -> None:
    """A handler that does nothing but verify."""
    verifier = SignatureVerifier(SECRET)

    async def handle(request: web.Request) -> web.Response:
        genuine = verifier.is_valid_request(await request.read(), dict(request.headers))
        return web.Response(status=200 if genuine else 401)

    app = web.Application()
    app.router.add_post("/slack/events", handle)
    async with listening(app) as port:
        await until_stopped({"port": port})


@contextlib.asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[int]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def until_stopped(said: dict[str, Any]) -> None:
    """Say where this process listens, and wait until it is told to end, or until nobody is left who could."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    print(json.dumps(said), flush=True)  # noqa: T201  a pipe's other end reads it
    parent = os.getppid()
    while not stopped.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), 1)


# Starting them


Printed = asyncio.Queue[dict[str, Any]]


@contextlib.asynccontextmanager
async def child(arguments: list[str], environment: dict[str, str] | None = None) -> AsyncIterator[Printed]:
    """A process of ours; yields the first JSON objects that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(environment or {})},
    )
    output = process.stdout
    assert output is not None
    printed = Printed(maxsize=100)

    async def read() -> None:
        async for line in output:  # to its end, so that the pipe never fills up
            with contextlib.suppress(asyncio.QueueFull):
                printed.put_nowait(json.loads(line))
        await process.wait()

    reading = asyncio.create_task(read())
    try:
        yield printed
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        if not (await asyncio.wait({reading}, timeout=10))[0]:
            process.kill()
        await reading


@contextlib.asynccontextmanager
async def serving(kind: str, *arguments: str) -> AsyncIterator[dict[str, Any]]:
    async with child(["tests.bench.ack", "--serve", kind, *arguments]) as printed:
        yield await asyncio.wait_for(printed.get(), 10)


@contextlib.asynccontextmanager
async def bot(where: dict[str, Any], directory: str) -> AsyncIterator[int]:
    """The bot; yields its port."""
    environment = {
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_API_URL": where["slack"],
        "CLOUDCODING_API_URL": where["service"],
        "CLOUDCODING_API_KEY": API_KEY,
        "CLOUDCODING_DEFAULT_REPO": "acme/api",
        "GITHUB_TOKEN": "ghp_bench",
        "DATABASE_URL": f"sqlite:///{directory}/bot.db",
        "SHUTDOWN_GRACE": "0",
        "LOG_FORMAT": "json",
        "PORT": "0",
    }
    async with child(["bot", "serve"], environment) as printed:
        port = 0
        async with asyncio.timeout(10):
            while not port:
                port = (await printed.get()).get("port", 0)
        yield port


# Measuring


@dataclass(slots=True)
class Figures:
    """Latencies in milliseconds of one target at one rate; ``failed`` counts what was not acknowledged in time."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")

    def summary(self) -> dict[str, float]:
        return {
            "commands": len(self.latencies) + self.failed,
            "failed": self.failed,
            "p50_ms": round(self.quantile(0.5), 2),
            "p99_ms": round(self.quantile(0.99), 2),
            "max_ms": round(self.quantile(1), 2),
        }


class Sender:
    """Sends signed commands."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._number = 0

    async def command(self, port: int, text: str, channel: str = CHANNELS[0]) -> bool:
        """Whether it was acknowledged."""
        self._number += 1
        form = {
            "team_id": "T0LOCAL",
            "channel_id": channel,
            "user_id": "U0ANN",
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
        async with self._session.post(url, data=body, headers=headers) as answer:
            await answer.read()
            return answer.status == 200

    async def turn(self, port: int, text: str, rate: int, figures: Figures) -> None:
        """Commands at a steady rate for one turn."""
        loop = asyncio.get_running_loop()
        begun = loop.time() + 0.05

        async def one(due: float) -> None:
            try:
                accepted = await self.command(port, text)
            except (aiohttp.ClientError, TimeoutError):
                accepted = False
            if accepted:
                figures.latencies.append((loop.time() - due) * 1000)
            else:
                figures.failed += 1

        async with asyncio.TaskGroup() as sending:
            for number in range(int(rate * SECONDS)):
                due = begun + number / rate
                await asyncio.sleep(max(0.0, due - loop.time()))
                sending.create_task(one(due))


async def measure(text: str) -> dict[int, dict[str, Figures]]:
    """All targets at all rates, in turns."""
    figures = {rate: {name: Figures() for name in (BOT, BOLT, BARE)} for rate in RATES}
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        where = await stack.enter_async_context(serving("world"))
        bolt = await stack.enter_async_context(serving("bolt", "--api", where["slack"]))
        bare = await stack.enter_async_context(serving("aiohttp"))
        port = await stack.enter_async_context(bot(where, directory))
        timeout = aiohttp.ClientTimeout(PATIENCE)
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        sender = Sender(session)
        for number in range(RUNS):
            await sender.command(port, f"run {number}", CHANNELS[number % len(CHANNELS)])
        await until_running(session, port)
        ports = {BOT: port, BOLT: bolt["port"], BARE: bare["port"]}
        for target in ports.values():
            await sender.command(target, "help")  # what only a first request pays for
        for _ in range(ROUNDS):
            for rate in RATES:
                for name, target in ports.items():
                    await sender.turn(target, text, rate, figures[rate][name])
    return figures


async def until_running(session: aiohttp.ClientSession, port: int) -> None:
    """Wait until all runs stream, as the bot's metrics tell."""
    async with asyncio.timeout(20):
        while True:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                text = await answer.text()
            if f"\nbot_runs_running {RUNS}.0" in text:
                return
            await asyncio.sleep(0.1)


def table(figures: dict[int, dict[str, Figures]]) -> str:
    lines = [
        f"{'commands/s':>10}  {'':12}  {'p50 ms':>8}  {'p99 ms':>8}  {'max ms':>8}  {'failed':>6}  {'of':>5}"
    ]
    for rate, targets in figures.items():
        for name, measured in targets.items():
            said = measured.summary()
            lines.append(
                f"{rate:>10}  {name:12}  {said['p50_ms']:>8.2f}  {said['p99_ms']:>8.2f}  {said['max_ms']:>8.2f}"
                f"  {said['failed']:>6}  {said['commands']:>5}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--text", default="status", help="what every command says (default: status)")
    parser.add_argument("--serve", choices=("world", "bolt", "aiohttp"), help=argparse.SUPPRESS)
    parser.add_argument("--api", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    match arguments.serve:
        case "world":
            asyncio.run(world())
            return
        case "bolt":
            asyncio.run(bare_bolt(arguments.api))
            return
        case "aiohttp":
            asyncio.run(bare_aiohttp())
            return
    figures = asyncio.run(measure(arguments.text))
    print(table(figures))  # noqa: T201  what the command is for
    if arguments.json:
        found = {
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            "runs_streaming": RUNS,
            "text": arguments.text,
            "rates": {
                str(rate): {name: measured.summary() for name, measured in targets.items()}
                for rate, targets in figures.items()
            },
        }
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
