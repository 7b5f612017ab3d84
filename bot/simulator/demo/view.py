"""Messages as a terminal can show them: like Slack's window, in Rich's renderables."""

import re
from collections.abc import Iterable
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.padding import Padding
from rich.panel import Panel
from rich.text import Text

from bot.simulator.demo.shown import Part, Piece, Shown, read
from bot.simulator.slack import Ephemeral, LocalSlack, Message

_STATES = {
    "Queued": "bold yellow",
    "Running": "bold bright_blue",
    "Done": "bold green",
    "Failed": "bold red",
    "Stopped": "bold magenta",
    "Interrupted": "bold yellow",
}
_STATE = re.compile(rf"(?m)(?<=^. )(?:{'|'.join(_STATES)})(?= ·|$)")
_DANGER = {"Stop"}


def root_view(slack: LocalSlack, channel: str, root: Message) -> RenderableType:
    """A root message, in its channel."""
    return Panel(_message(slack, root, None), title=channel, title_align="left", border_style="blue")


def thread_view(slack: LocalSlack, root: Message, rows: int) -> RenderableType:
    """The replies below a root message, if any; at most ``rows`` of each task's output."""
    replies = slack.messages(root.channel, root.ts)
    if not replies:
        return Group()
    thread = Group(*_separated(_message(slack, reply, rows) for reply in replies))
    panel = Panel(thread, title="Thread", title_align="left", border_style="bright_black")
    return Padding(panel, (0, 0, 0, 2))


def whisper_view(slack: LocalSlack, whisper: Ephemeral) -> RenderableType:
    """An answer to one person alone."""
    alone = Text(
        f"👁  Only you can see this, {slack.workspace.names[whisper.user]}", style="italic bright_black"
    )
    shown = read(slack, whisper)
    return Panel(Group(alone, *_pieces(shown, None)), border_style="bright_black", box=box.ROUNDED)


def _separated(items: Iterable[RenderableType]) -> list[RenderableType]:
    parts: list[RenderableType] = []
    for item in items:
        parts += [Text(""), item] if parts else [item]
    return parts


def _message(slack: LocalSlack, message: Message, rows: int | None) -> RenderableType:
    shown = read(slack, message)
    name = Text(shown.author.capitalize() if shown.by_bot else shown.author, style="bold")
    if shown.by_bot:
        name.append(" ").append(" APP ", style="black on bright_black")
    at = datetime.fromtimestamp(float(message.ts)).astimezone()
    name.append(f"  {at:%H:%M}", style="bright_black")
    lines: list[RenderableType] = [name, *_pieces(shown, rows)]
    lines += [Text(f"📎 {file}", style="underline") for file in shown.files]
    if shown.reactions:
        lines.append(Text("  ".join(f" {reaction} 1 " for reaction in shown.reactions), style="on grey23"))
    return Group(*lines)


def _pieces(shown: Shown, rows: int | None) -> list[RenderableType]:
    return [_piece(piece, rows) for piece in shown.pieces]


def _piece(piece: Piece, rows: int | None) -> RenderableType:
    match piece.part:
        case Part.QUOTE:
            return Text("\n".join(f"▌ {line}" for line in piece.text.split("\n")), style="bright_black")
        case Part.OUTPUT:
            lines = piece.text.split("\n")
            output = Text("\n".join(lines[-rows:] if rows else lines), no_wrap=True, overflow="ellipsis")
            return Panel(output, box=box.SQUARE, border_style="bright_black", padding=(0, 1))
        case Part.MARKDOWN:
            return Markdown(piece.text)
        case Part.BUTTONS:
            return _buttons(piece.text.split("\n"))
        case _:
            return _text(piece.text)


def _text(text: str) -> Text:
    """A line that begins with an emoji and a state has it in colour."""
    shown = Text(text)
    shown.highlight_regex(_STATE, lambda word: _STATES[word])
    return shown


def _buttons(labels: list[str]) -> Text:
    row = Text()
    for label in labels:
        row.append(f" {label} ", style="bold white on red" if label in _DANGER else "bold on grey35").append(
            "  "
        )
    return row
