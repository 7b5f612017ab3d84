"""A message taken apart into what a reader tells apart: its lines of text, its output, its buttons."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rich.emoji import Emoji

from bot.simulator.slack import Ephemeral, File, LocalSlack, Message, flatten
from bot.simulator.slack.flatten import visible
from bot.simulator.slack.model import Json

STATES = ("Queued", "Running", "Done", "Failed", "Stopped", "Interrupted")
_EMOJI = {"octagonal_sign": "🛑"}  # which Rich knows by another name


class Part(StrEnum):
    """How a piece of a message looks."""

    TEXT = "text"
    QUOTE = "quote"
    OUTPUT = "output"
    MARKDOWN = "markdown"
    BUTTONS = "buttons"


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece; several buttons are one, their labels on a line each."""

    part: Part
    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What a message shows now; ``reactions`` are emoji."""

    author: str
    by_bot: bool
    pieces: tuple[Piece, ...]
    files: tuple[str, ...] = ()
    reactions: tuple[str, ...] = ()

    def texts(self, *parts: Part) -> list[str]:
        """The lines of these parts."""
        return [line for piece in self.pieces if piece.part in parts for line in piece.text.split("\n")]

    @property
    def state(self) -> str:
        """The state that it begins with, behind its emoji; empty where it is no run's and no task's message."""
        first = next(iter(self.texts(Part.TEXT)), "")
        match first.split(" · ")[0].split():
            case [_, word] if word in STATES:
                return word
            case _:
                return ""


def read(slack: LocalSlack, message: Message | Ephemeral) -> Shown:
    """Take a message apart."""
    names, app = slack.workspace.names, slack.workspace.app
    blocks = message.blocks
    pieces = tuple(piece for block in blocks for piece in _pieces(block, names))
    if not blocks and message.text:
        pieces = (Piece(Part.TEXT, printable(visible(message.text, names))),)
    if isinstance(message, Ephemeral):
        return Shown(app.bot_name, True, pieces)
    author = names.get(message.user, message.user)
    files = tuple(_file(file) for file in message.files)
    reactions = tuple(emoji(name) for name in message.reactions)
    return Shown(author, message.user == app.bot_user, pieces, files, reactions)


def emoji(name: str) -> str:
    """An emoji by Slack's name for it."""
    return _EMOJI.get(name) or Emoji.replace(f":{name}:")


def printable(text: str) -> str:
    """Without what a terminal would obey."""
    return "".join(char for char in text if char.isprintable() or char == "\n")


def _file(file: File) -> str:
    lines = file.text.count("\n")
    return f"{printable(file.name)} ({lines:,} lines)"


def _pieces(block: Json, names: Mapping[str, str]) -> Iterator[Piece]:
    match block["type"]:
        case "rich_text":
            for element in block["elements"]:
                text = flatten([{"type": "rich_text", "elements": [_with_emoji(element)]}], names)
                yield Piece(_RICH_TEXT.get(element["type"], Part.TEXT), printable(_unquoted(element, text)))
        case "actions":
            labels = [element["text"]["text"] for element in block["elements"] if element["type"] == "button"]
            yield Piece(Part.BUTTONS, printable("\n".join(labels)))
        case "markdown":
            yield Piece(Part.MARKDOWN, printable(block["text"]))
        case _:
            yield Piece(Part.TEXT, printable(flatten([block], names)))


_RICH_TEXT = {"rich_text_quote": Part.QUOTE, "rich_text_preformatted": Part.OUTPUT}


def _with_emoji(element: Json) -> Json:
    inner = [
        {"type": "text", "text": emoji(item["name"])} if item.get("type") == "emoji" else item
        for item in element["elements"]
    ]
    return {**element, "elements": inner}


def _unquoted(element: Json, text: str) -> str:
    if element["type"] != "rich_text_quote":
        return text
    return "\n".join(line.removeprefix("> ") for line in text.split("\n"))
