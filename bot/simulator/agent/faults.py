"""What goes wrong on demand: the words ``simulate …`` in a prompt, for trying out what the bot makes of it."""

import asyncio
import json
import re
from collections.abc import Iterable
from http import HTTPStatus

from bot.simulator.cloudcoding import Stream

_WORDS = re.compile(r"\bsimulate\s+(401|402|429|503|cut|stall|garbage)\b", re.IGNORECASE)
_BEFORE = "Simulating what you asked for: "


def fault_in(prompts: Iterable[str]) -> str | None:
    """The fault that one of these prompts asks for: a status, ``cut``, ``stall``, ``garbage``, or ``None``."""
    found = (_WORDS.search(prompt) for prompt in prompts)
    return next((match[1].lower() for match in found if match), None)


async def simulate(fault: str, stream: Stream) -> bool:
    """Let it happen; whether that was all. A stall lasts until the client goes away; after garbage the work goes on."""
    if fault.isdigit():
        await stream.open("application/json", status=int(fault))
        await stream.raw(json.dumps({"detail": f"{HTTPStatus(int(fault)).phrase} (simulated)"}).encode())
        return True
    await stream.stdout(f"{_BEFORE}{fault}\r\n")
    if fault == "cut":
        await stream.cut()
    if fault == "stall":
        await asyncio.Event().wait()
    await _garbage(stream)
    return False


async def _garbage(stream: Stream) -> None:
    """Events that no client should trip over."""
    await stream.raw(b'data: {"event": "custom", "data": {"stdout": \n\n')
    await stream.raw(b"data: \xff\xfe not even text\n\n: a comment\n\nretry: soon\n\n")
    await stream.event("custom", {"stdout": 7})
    await stream.event("surprise", {"nobody": ["expects", None, {"this": 1}]})
    await stream.raw(b"data: 42\n\ndata: [1, 2]\n\nevent: updates\ndata: null\n\n")
    await stream.stdout(
        "\x1b]0;a title\x07\x1b[999;999H\x1b[?1049h\x1b[1A\x00\x08\x1b[31mstill here\x1b[0m\r\n"
    )
