"""A Cloud Coding service for benchmarks: ``python -m tests.bench.service`` prints its address and serves until it is killed.

What it streams is what the prompt asks for: ``pace 5`` is that many lines a second for each task until the bot hangs up,
``flood 100`` so many MB as fast as the bot takes them, anything else one line. A paced line begins with the moment at which it was written,
in seconds of the clock that all processes of the machine share.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import random
import time
from collections.abc import Sequence
from typing import Any

from bot.simulator.cloudcoding import CloudCodingServer, Invocation, Stream
from bot.simulator.slack import LocalSlack
from tests.bench import stage

FILL = "compiling module after module of a build that takes its time, as they do"
PIECE = 4096  # bytes of one event of a flood


async def play(invocation: Invocation, stream: Stream) -> None:
    """Do what the prompt asks; what it doesn't understand is done at once."""
    match next(iter(invocation.prompts.values())).split():
        case ["pace", rate]:
            several = len(invocation.prompts) > 1
            await pace(stream, float(rate), list(invocation.prompts) if several else [None])
        case ["flood", megabytes]:
            await flood(stream, float(megabytes))
        case _:
            await stream.stdout("done\n")


async def pace(stream: Stream, rate: float, tasks: Sequence[str | None]) -> None:
    """Lines of about 80 characters of each task at a steady rate, each stream's in its own rhythm."""
    loop, step = asyncio.get_running_loop(), 1 / rate / len(tasks)
    due = loop.time() + random.random() * step
    for task in itertools.cycle(tasks):
        await asyncio.sleep(max(0.0, due - loop.time()))
        due += step
        await stream.stdout(f"@{time.monotonic():.3f} {FILL}\n", task)


async def flood(stream: Stream, megabytes: float) -> None:
    """Coloured lines without a pause; the last one says so."""
    line = f"\x1b[32mok\x1b[0m {FILL}\n"
    text = line * (PIECE // len(line))
    event = b"data: " + json.dumps({"event": "custom", "data": {"stdout": text}}).encode() + b"\n\n"
    for _ in range(int(megabytes * 1e6 / len(text))):
        await stream.raw(event)
    await stream.stdout("the flood is over\n")


async def serve(channels: int) -> None:
    """The service, and the local Slack where that has channels."""
    async with contextlib.AsyncExitStack() as stack:
        service = await stack.enter_async_context(CloudCodingServer(play, api_key=stage.API_KEY))
        said: dict[str, Any] = {"url": service.url}
        if channels:
            slack = LocalSlack(signing_secret=stage.SECRET, bot_token=stage.TOKEN, limits=None)
            await stack.enter_async_context(slack)
            said |= {"slack": slack.api_url, "channels": stage.add_channels(slack, channels)}
        await stage.until_deserted(said)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--channels", type=int, default=0, help="of a local Slack in the same process")
    asyncio.run(serve(parser.parse_args().channels))


if __name__ == "__main__":
    main()
