"""Decoding the service's stream beside other clients: ``python -m tests.bench.decoding [--megabytes 105]``.

The same events are read by

- the bot's own client: ``SSEDecoder`` and msgspec, bytes in, typed events out;
- the service's own example: requests' ``iter_lines`` and ``json.loads``;
- httpx-sse and ``json.loads``;
- aiohttp's iteration over lines and ``json.loads``;
- out of memory, also a plain loop over lines of bytes that msgspec decodes one by one: what can be had without much thought.

Of 100 events 95 are a printed line of 20 to 80 characters, 4 are longer, and one has up to 2,000 characters; one line in
four is coloured, one in ten has a character that isn't ASCII; one event in 200 is the agent's state. So most have 90 to 170 bytes.
They come out of real HTTP responses on loopback that another process sends, once with an HTTP chunk for each event, as
servers do that write each when it happens, and once without chunks, until the connection is closed. Ours, the loop and the
example also read them out of memory, without HTTP, so that only decoding is compared: as much at once as each
takes by itself, ours 64 KiB, the size of aiohttp's buffer, the example 512 bytes. Half of the bytes are in each framing.
All have to find the same events and the same output. The time is the reading
process's own, the sender's is not in it; each takes its turn in several rounds, and the best round of each counts.
"""

import argparse
import asyncio
import io
import itertools
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx_sse
import msgspec
import requests

from bot.cloudcoding.client import EventStream
from bot.cloudcoding.events import Event, Stdout, edges, interpret_run
from bot.core.sse import SSEDecoder
from bot.meter import Meter
from tests.bench import report

PIECE = 64 * 1024  # bytes
MEGABYTE = 1_000_000
FRAMINGS = ("envelope", "named")
TRANSFERS = {"chunked": "HTTP, a chunk an event, MB/s", "close": "HTTP, until it closes, MB/s"}
EXAMPLE = "requests, the service's example"
_SIZES, _SHARES = (
    ((20, 81), (81, 300), (300, 2000)),
    (95, 4, 1),
)  # characters of an event's output; how many in 100
_END = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader found: events, and characters of output. Equal for all readers of the same bytes."""

    events: int
    chars: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A reader's best round. ``times`` is its speed as a multiple of the example's in the same setting."""

    reader: str
    setting: str
    megabytes_s: float
    events_s: float
    times: float


def stream(framing: str, size: int) -> Iterator[bytes]:
    """About ``size`` bytes of events, in blocks of some thousands: lines of output, and now and then the agent's state."""
    block = b"".join(_events(framing))
    return itertools.repeat(block, max(1, round(size / len(block))))


def _events(framing: str) -> Iterator[bytes]:
    chosen = random.Random(7)
    words = [
        "building",
        "src/app.py",
        "tests",
        "ok",
        "warning:",
        "unused",
        "import",
        "passed",
        "12.4s",
        "module",
        "/usr/lib",
    ]
    for number in range(4000):
        name = "custom"
        data: dict[str, object] = {"task_name": f"task-{number % 4}", "stdout": ""}
        if number % 200:
            size = chosen.choices(_SIZES, _SHARES)[0]
            text = " ".join(chosen.choices(words, k=300))[: chosen.randrange(*size)]
            text = text if chosen.randrange(10) else f"✓ {text}"
            data["stdout"] = f"{text}\n" if chosen.randrange(4) else f"\x1b[32m{text}\x1b[0m\n"
        else:
            said = " ".join(chosen.choices(words, k=200))
            messages = [{"type": "human", "content": "Make it faster"}, {"type": "ai", "content": said}]
            name, data = "updates", {"run_id": "r-1", "messages": messages, "stream_events": []}
        if framing == "envelope":
            yield f"data: {json.dumps({'event': name, 'data': data})}\n\n".encode()
        else:
            yield f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def _cut(stream: bytes) -> Iterator[bytes]:
    return (stream[start : start + PIECE] for start in range(0, len(stream), PIECE))


# --- the readers


def counted(values: Iterable[dict[str, Any]]) -> Found:
    """What the peers do with each event: the least that a client would."""
    events = chars = 0
    for value in values:
        events += 1
        chars += len(value.get("data", value).get("stdout", ""))
    return Found(events, chars)


class Count:
    """The same for the bot's typed events."""

    def __init__(self) -> None:
        self.events = self.chars = 0

    def add(self, events: list[Event]) -> None:
        """Count a batch."""
        self.events += len(events)
        self.chars += sum([len(event.text) for event in events if type(event) is Stdout])

    @property
    def found(self) -> Found:
        """So far."""
        return Found(self.events, self.chars)


def json_of_lines(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """As the service's example does it, which prints each of them."""
    for line in lines:
        if line:
            decoded_line = line.decode("utf-8")
            if decoded_line.startswith("data:"):
                yield json.loads(decoded_line[len("data:") :])


async def ours(url: str) -> Found:
    """The bot's client."""
    count = Count()
    async with aiohttp.ClientSession() as session, session.post(url) as response:
        async for events in EventStream(response, 60, Meter()):
            count.add(events)
    return count.found


async def example(url: str) -> Found:
    """The service's own example; in this process's one thread, as the others."""
    with requests.post(url, stream=True, timeout=60) as response:  # noqa: ASYNC210  nothing else is to run meanwhile
        return counted(json_of_lines(response.iter_lines()))


async def by_httpx_sse(url: str) -> Found:
    """httpx and httpx-sse."""
    with httpx.Client(timeout=60) as client, httpx_sse.connect_sse(client, "POST", url) as source:
        return counted(event.json() for event in source.iter_sse())


async def by_aiohttp_lines(url: str) -> Found:
    """aiohttp's lines."""
    events = chars = 0
    async with aiohttp.ClientSession() as session, session.post(url) as response:
        async for line in response.content:
            found = counted(json_of_lines([line]))
            events, chars = events + found.events, chars + found.chars
    return Found(events, chars)


def ours_in_memory(pieces: list[bytes]) -> Found:
    """The bot's decoder alone."""
    decoder, count = SSEDecoder(edges=edges), Count()
    for piece in pieces:
        for run in decoder.feed_runs(piece):
            count.add(interpret_run(run))
    return count.found


class _Data(msgspec.Struct):
    stdout: str = ""


class _Envelope(msgspec.Struct):
    data: _Data | None = None
    stdout: str = ""


def plain_in_memory(pieces: list[bytes]) -> Found:
    """msgspec on each line's bytes."""
    decode = msgspec.json.Decoder(_Envelope).decode
    events = chars = 0
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                event = decode(line[5:])
                events += 1
                chars += len((event.data or event).stdout)
    return Found(events, chars)


def example_in_memory(pieces: list[bytes]) -> Found:
    """requests' lines alone, which it makes of 512 bytes at a time."""
    response = requests.Response()
    response.raw = io.BytesIO(b"".join(pieces))
    return counted(json_of_lines(response.iter_lines()))


Reader = Callable[[str], Awaitable[Found]]
OVER_HTTP: dict[str, Reader] = {
    "ours": ours,
    EXAMPLE: example,
    "httpx-sse": by_httpx_sse,
    "aiohttp's lines": by_aiohttp_lines,
}
IN_MEMORY = {"ours": ours_in_memory, EXAMPLE: example_in_memory, "msgspec, line by line": plain_in_memory}


# --- the sender, a process of its own


async def serve() -> None:
    """Send ``POST /TRANSFER/FRAMING/BYTES`` such a stream; prints its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        _, transfer, framing, size = head.split()[1].decode().split("/")
        chunked = transfer == "chunked"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n")
        writer.write(b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Connection: close\r\n\r\n")
        for block in stream(framing, int(size)):
            writer.write(_in_chunks(block) if chunked else block)
            await writer.drain()
        writer.write(_END if chunked else b"")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@cache
def _in_chunks(block: bytes) -> bytes:
    """An HTTP chunk for each event."""
    events = [event + b"\n\n" for event in block.split(b"\n\n")[:-1]]
    return b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)


@asynccontextmanager
async def sender() -> AsyncIterator[str]:
    """The sender's URL while it runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.decoding", "--serve", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout
        yield f"http://127.0.0.1:{int(await process.stdout.readline())}"
    finally:
        process.terminate()
        await process.wait()


# --- measuring


async def measure(megabytes: float, rounds: int) -> list[Figures]:
    """All readers, in turns; ``megabytes`` are read by each in each round, half in each framing."""
    size = int(megabytes * MEGABYTE / len(FRAMINGS))
    pieces = {framing: list(_cut(b"".join(stream(framing, size)))) for framing in FRAMINGS}
    total = sum(len(piece) for framing in pieces.values() for piece in framing)
    seconds: dict[tuple[str, str], list[float]] = {}
    found: list[Found] = []
    async with sender() as url:
        for _ in range(rounds):
            for transfer, (name, read) in itertools.product(TRANSFERS, OVER_HTTP.items()):
                start = time.process_time()
                results = [await read(f"{url}/{transfer}/{framing}/{size}") for framing in FRAMINGS]
                seconds.setdefault((transfer, name), []).append(time.process_time() - start)
                found.append(_together(results))
            for name, decode in IN_MEMORY.items():
                start = time.process_time()
                results = [decode(pieces[framing]) for framing in FRAMINGS]
                seconds.setdefault(("memory", name), []).append(time.process_time() - start)
                found.append(_together(results))
    if len(set(found)) != 1:
        raise RuntimeError(f"the readers disagree: {set(found)}")
    best = {key: min(values) for key, values in seconds.items()}
    return [
        Figures(
            name,
            setting,
            total / MEGABYTE / taken,
            found[0].events / taken,
            best[setting, EXAMPLE] / taken,
        )
        for (setting, name), taken in best.items()
    ]


def _together(results: list[Found]) -> Found:
    return Found(sum(one.events for one in results), sum(one.chars for one in results))


def draw(path: Path, figures: list[Figures]) -> None:
    """Megabytes a second."""
    titles = {**TRANSFERS, "memory": "decoding alone, MB/s"}
    with report.figure(path, panels=len(titles), size=(14, 2.8)) as panels:
        for panel, (setting, title) in zip(panels, titles.items(), strict=True):
            shown = [one for one in figures if one.setting == setting]
            colours = report.PALETTE[: len(shown)]
            panel.barh([one.reader for one in shown], [one.megabytes_s for one in shown], color=colours)
            panel.set(title=title)
            panel.invert_yaxis()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=105, help="for each reader (default: 105)")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each (default: 2)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--png", type=Path, help="draw them into this file")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
        return
    figures = asyncio.run(measure(arguments.megabytes, arguments.rounds))
    report.table(
        f"decoding, {arguments.megabytes:g} MB of events",
        ["reader", "out of", "MB/s", "events/s", "times the example's speed"],
        [(one.reader, one.setting, one.megabytes_s, round(one.events_s), one.times) for one in figures],
    )
    if arguments.json:
        report.write_json(
            arguments.json,
            {"megabytes": arguments.megabytes, "readers": [asdict(one) for one in figures]},
        )
    if arguments.png:
        draw(arguments.png, figures)


if __name__ == "__main__":
    main()
