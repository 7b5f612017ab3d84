"""The agent's answers, which are Markdown: split over messages, and without power over Slack."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

# https://spec.commonmark.org/0.31.2/#fenced-code-blocks
_FENCE = re.compile(r" {0,3}(?P<marker>`{3,}(?=[^`\n]*$)|~{3,})")
_MOST_INDENT = 3  # spaces; more begin an indented code block
_TABLE_ROW = re.compile(r" {0,3}\|")
_WORD = re.compile(r"\S+\s*|\s+")

_BROADCAST = "(?:channel|here|everyone|group)"
_SLACK = re.compile(
    rf"<(?=@[UWB][A-Z0-9]+[|>]|\#[CGD][A-Z0-9]+[|>]|!{_BROADCAST}[|>]|!(?:subteam|date)\^)"
    rf"|(?<![\w.+-])@(?={_BROADCAST}(?![\w-]|[./]\w))"
)


def harmless(markdown: str) -> str:
    """The same text, in which Slack finds no mention of anyone, no broadcast, channel, user group or date.

    A zero-width space (U+200B) is put between the character that begins one and the rest, in code as well.
    Entities such as ``&lt;!channel&gt;`` stay: that is Slack's documented spelling for text that is *not* a
    mention. Applying it twice changes nothing more.
    """
    return _SLACK.sub(lambda found: f"{found[0]}\u200b", markdown)


def split(markdown: str, limit: int) -> list[str]:
    """``markdown`` in parts of at most ``limit`` characters; empty where there is nothing to show.

    Parts end between paragraphs where that is possible, else between lines, else between words. Code blocks and
    tables stay whole where a part can hold them; a longer code block is closed in one part and opened again,
    with its language, in the next. One that was never closed is closed. Only white space at the parts' edges
    gets lost.
    """
    pieces = (piece for block in _blocks(markdown) for piece in _fitting(block, limit))
    return list(_packed(pieces, limit))


class _Kind(Enum):
    PARAGRAPH = auto()
    TABLE = auto()
    CODE = auto()


@dataclass(slots=True)
class _Block:
    """Lines that belong together, with the blank ones below them."""

    kind: _Kind
    lines: list[str]
    fence: str = ""
    open: bool = False  # whether a later line may still belong to it

    @property
    def text(self) -> str:
        return "".join(self.lines)


def _blocks(markdown: str) -> list[_Block]:
    blocks: list[_Block] = []
    current = _Block(_Kind.PARAGRAPH, [])
    for line in re.findall(r"[^\n]*\n|[^\n]+", markdown):
        if current.kind is _Kind.CODE and current.open:
            current.lines.append(line)
            current.open = not _closes(line, current.fence)
        elif not line.strip():
            current.lines.append(line)
            current.open = False
        else:
            fence = _FENCE.match(line)
            kind = _Kind.CODE if fence else _Kind.TABLE if _TABLE_ROW.match(line) else _Kind.PARAGRAPH
            if fence or kind is not current.kind or not current.open:
                current = _Block(kind, [], fence["marker"] if fence else "", open=True)
                blocks.append(current)
            current.lines.append(line)
    if current.kind is _Kind.CODE and current.open:  # never closed
        current.lines[-1] = current.lines[-1].removesuffix("\n") + "\n"
        current.lines.append(current.fence)
    return blocks


def _closes(line: str, fence: str) -> bool:
    run = line.strip()
    indent = len(line) - len(line.lstrip(" "))
    return len(run) >= len(fence) and set(run) == {fence[0]} and indent <= _MOST_INDENT


def _width(text: str) -> int:
    """The length without the white space at the end, which a part can do without."""
    return len(text.rstrip())


def _fitting(block: _Block, limit: int) -> Iterator[str]:
    """The block's text in order, in pieces of at most ``limit`` wide."""
    if _width(block.text) <= limit:
        yield block.text
    elif block.kind is _Kind.CODE and _room_in_code(block, limit):
        yield from _code_chunks(block, limit)
    else:
        for line in block.lines:
            yield from [line] if _width(line) <= limit else _cut(line, limit)


def _cut(line: str, limit: int) -> Iterator[str]:
    for word in _WORD.findall(line):
        if _width(word) <= limit:
            yield word
        else:
            yield from (word[start : start + limit] for start in range(0, len(word), limit))


def _room_in_code(block: _Block, limit: int) -> int:
    """How many characters of code fit between the two fences; 0 where the fences would take nearly everything."""
    room = limit - len(f"{block.lines[0].rstrip()}\n\n{block.fence}")
    return room if room >= max(1, limit // 8) else 0


def _code_chunks(block: _Block, limit: int) -> Iterator[str]:
    """A code block as several, each with the same opening line and whole lines of code as far as they fit."""
    opening, *code = block.text.rstrip().split("\n")[:-1]  # the last one closes it
    room = _room_in_code(block, limit)
    rows = (line[start : start + room] for line in code for start in range(0, len(line) or 1, room))
    chunk: list[str] = []
    size = 0
    for row in rows:
        if chunk and size + len(row) > room:
            yield _fenced(opening, chunk, block.fence)
            chunk, size = [], 0
        chunk.append(row)
        size += len(row) + 1
    yield _fenced(opening, chunk, block.fence)


def _fenced(opening: str, rows: list[str], fence: str) -> str:
    return "\n".join((opening.rstrip(), *rows, f"{fence}\n"))


def _packed(pieces: Iterable[str], limit: int) -> Iterator[str]:
    part: list[str] = []
    size = 0
    for piece in pieces:
        if part and size + _width(piece) > limit:
            yield "".join(part).rstrip()
            part, size = [], 0
        if part or piece.strip():
            part.append(piece)
            size += len(piece)
    if part:
        yield "".join(part).rstrip()
