"""How long a slash command waits for its acknowledgement: ``python -m tests.bench.ack [--text "fix the login"]``.

Signed commands come at a steady rate over loopback while the bot streams a hundred runs. Measured in one run, in turns,
so that whatever else the machine does is shared: the bot, which stores them first; a bare Bolt app with its default
settings, and one with ``process_before_response``; and a bare aiohttp handler that only verifies the signature, which
is the floor. Each has a process of its own; the
local Slack and the service share another. A latency counts from the moment at which a command
was due, so that a stall is not hidden by what could not be sent meanwhile.

What the commands say decides what they cost: ``help`` is claimed and then answered; a prompt is a new run, which here
waits, since there is room for the hundred that stream. The last ones leave thousands of waiting runs behind.
"""

import argparse
import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from tests.bench import report, stage

RUNS = 100
LINES = 5  # a second, of each run
RATES = (100, 200)  # commands a second
ROUNDS = 2
TEXTS = ("help", "fix the login")
SECONDS = 3.0  # of one target's turn
PATIENCE = 3.0  # Slack's own, in seconds
RUNS_IN_A_CHANNEL = 4
STARTS = 20  # runs a second
BOT, BOLT, BOLT_BEFORE, BARE = "bot", "Bolt", "Bolt, before response", "aiohttp"
TARGETS = (BOT, BOLT, BOLT_BEFORE, BARE)


async def bare_bolt(api_url: str, *, before: bool) -> None:
    """Bolt as its documentation begins."""
    client = AsyncWebClient(token=stage.TOKEN, base_url=api_url)
    app = AsyncApp(client=client, signing_secret=stage.SECRET, process_before_response=before)

    @app.command("/code")
    async def command(ack: AsyncAck) -> None:
        await ack()

    async with listening(app.server(port=0, path="/slack/events").web_app) as port:
        await stage.until_deserted({"port": port})


async def bare_aiohttp() -> None:
    """A handler that does nothing but verify."""
    verifier = SignatureVerifier(stage.SECRET)

    async def handle(request: web.Request) -> web.Response:
        genuine = verifier.is_valid_request(await request.read(), dict(request.headers))
        return web.Response(status=200 if genuine else 401)

    app = web.Application()
    app.router.add_post("/slack/events", handle)
    async with listening(app) as port:
        await stage.until_deserted({"port": port})


@contextlib.asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[int]:
    """An application on a free port of loopback."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class Figures:
    """Latencies in milliseconds of one target at one rate; ``failed`` counts what was not acknowledged in time."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0

    def summary(self) -> dict[str, float]:
        return {
            "commands": len(self.latencies) + self.failed,
            "failed": self.failed,
            "p50_ms": round(stage.quantile(self.latencies, 0.5), 2),
            "p99_ms": round(stage.quantile(self.latencies, 0.99), 2),
            "max_ms": round(stage.quantile(self.latencies, 1), 2),
        }


Found = dict[int, dict[str, Figures]]


@dataclass(slots=True)
class Turns:
    """Sends commands, a turn to one target at a time."""

    sender: stage.Sender
    channels: list[str]

    async def take(self, port: int, text: str, rate: int, figures: Figures) -> None:
        """Commands at a steady rate for one turn."""
        loop = asyncio.get_running_loop()
        begun = loop.time() + 0.05

        async def one(number: int, due: float) -> None:
            channel = self.channels[number % len(self.channels)]
            try:
                accepted = await self.sender.command(port, text, channel)
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
                sending.create_task(one(number, due))


async def measure(texts: Sequence[str], rounds: int) -> dict[str, Found]:
    """All targets at all rates, in turns, for one text after the other."""
    found: dict[str, Found] = {
        text: {rate: {name: Figures() for name in TARGETS} for rate in RATES} for text in texts
    }
    async with contextlib.AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        world = await stack.enter_async_context(
            stage.serving("tests.bench.service", "--channels", str(RUNS // RUNS_IN_A_CHANNEL))
        )
        slack, channels = world["slack"], world["channels"]
        ports = {}
        for name, kind in ((BOLT, "bolt"), (BOLT_BEFORE, "bolt-before"), (BARE, "aiohttp")):
            said = await stack.enter_async_context(
                stage.serving("tests.bench.ack", "--serve", kind, "--api", slack)
            )
            ports[name] = said["port"]
        timeout = aiohttp.ClientTimeout(PATIENCE)
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector, timeout=timeout))
        bot = await stack.enter_async_context(
            stage.bot(slack, world["url"], directory, session, MAX_CONCURRENT_RUNS=str(RUNS))
        )
        ports[BOT] = bot.port
        turns = Turns(stage.Sender(session), channels)
        for number in range(RUNS):
            await turns.sender.command(bot.port, f"pace {LINES}", channels[number // RUNS_IN_A_CHANNEL])
            await asyncio.sleep(1 / STARTS)
        await bot.running(RUNS, 60)
        for name in TARGETS:  # connections and caches, of each
            await turns.take(ports[name], "help", min(RATES), Figures())
        for text, _, rate, name in itertools.product(texts, range(rounds), RATES, TARGETS):
            await turns.take(ports[name], text, rate, found[text][rate][name])
    return found


def show(found: Found, text: str) -> None:
    """The table."""
    report.table(
        f"acknowledgements of /code {text} while {RUNS} runs stream",
        ["", "commands/s", "p50 ms", "p99 ms", "max ms", "failed", "of"],
        [
            (name, rate, said["p50_ms"], said["p99_ms"], said["max_ms"], said["failed"], said["commands"])
            for rate, targets in found.items()
            for name, said in ((name, measured.summary()) for name, measured in targets.items())
        ],
    )


def draw(path: Path, found: dict[str, Found]) -> None:
    """The share of commands that were acknowledged within a time, at the highest rate."""
    rate = max(RATES)
    with report.figure(path, len(found), size=(10, 3.5)) as panels:
        for panel, (text, of_text) in zip(panels, found.items(), strict=True):
            for colour, (name, measured) in zip(report.PALETTE, of_text[rate].items(), strict=False):
                ordered = sorted(measured.latencies)
                shares = [(place + 1) / len(ordered) * 100 for place in range(len(ordered))]
                panel.plot(ordered, shares, color=colour, label=name)
            panel.set(
                title=f"/code {text}: acknowledged within, {rate}/s",
                xlabel="ms",
                ylabel="%",
                xscale="log",
                ylim=(0, 101),
            )
            panel.legend()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", nargs="+", default=TEXTS, help=f"what the commands say (default: {TEXTS})")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"turns of each (default: {ROUNDS})")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--png", type=Path, help="draw them into this file")
    parser.add_argument("--serve", choices=("bolt", "bolt-before", "aiohttp"), help=argparse.SUPPRESS)
    parser.add_argument("--api", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    match arguments.serve:
        case "bolt" | "bolt-before":
            asyncio.run(bare_bolt(arguments.api, before=arguments.serve == "bolt-before"))
            return
        case "aiohttp":
            asyncio.run(bare_aiohttp())
            return
    found = asyncio.run(measure(arguments.text, arguments.rounds))
    for text, of_text in found.items():
        show(of_text, text)
    if arguments.json:
        texts = {
            text: {
                str(rate): {name: measured.summary() for name, measured in targets.items()}
                for rate, targets in of_text.items()
            }
            for text, of_text in found.items()
        }
        report.write_json(arguments.json, {"runs_streaming": RUNS, "commands_a_second": texts})
    if arguments.png:
        draw(arguments.png, found)


if __name__ == "__main__":
    main()
