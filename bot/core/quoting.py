"""What goes along with a prompt: a thread's earlier messages, and files; marked as quoted, and bounded.

The prompt itself stays the user's words, first and unchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.text import clean, one_line, shorten

THREAD_MESSAGES = 50
THREAD_CHARS = 20_000
FILE_BYTES = 256 * 2**10
FILES_BYTES = 4 * FILE_BYTES  # of one message together
NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a thread: its author's display name, and its plain text."""

    author: str
    text: str


def with_context(prompt: str, parts: Sequence[str]) -> str:
    """A prompt, and below it what goes along."""
    return "\n\n".join([prompt, *(part for part in parts if part)])


def thread(messages: Sequence[Said]) -> str:
    """A thread's newest messages, oldest first, as a quotation; empty where there is nothing to quote."""
    kept: list[str] = []
    room = THREAD_CHARS
    for said in reversed(messages[-THREAD_MESSAGES:]):
        line = f"{one_line(said.author, NAME_CHARS) or 'someone'}: {clean(said.text).strip()}"
        line = shorten(line, THREAD_CHARS) if not kept else line
        if len(line) + 1 > room + (not kept):
            break
        room -= len(line) + 1
        kept.append(line)
    if not kept:
        return ""
    quoted = "\n".join(f"> {line}" for message in reversed(kept) for line in message.split("\n"))
    left_out = len(messages) - len(kept)
    more = f" ({left_out} earlier ones left out)" if left_out else ""
    return f"For context, the earlier messages of this Slack thread, quoted{more}:\n{quoted}"


def file(name: str, content: bytes) -> str:
    """A text file as part of a prompt, fenced; ``ValueError`` where it isn't text."""
    if b"\0" in content:
        raise ValueError("not text")
    text = content.decode()
    fence = "```"
    while fence in text:
        fence += "`"
    return f"Attached file {one_line(name, NAME_CHARS)!r}:\n{fence}\n{text.rstrip()}\n{fence}"


def unread(name: str, why: str, url: str = "") -> str:
    """A file that isn't handed on, and why."""
    where = f" It is at {url}, for which Slack asks to sign in." if url else ""
    return f"Attached file {one_line(name, NAME_CHARS)!r} is not included: {why}.{where}"
