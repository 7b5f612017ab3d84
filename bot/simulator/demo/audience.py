"""Who watches the demo: a person at a terminal, who sees messages change, or a log, which gets a line for each change."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.segment import Segment, Segments
from rich.text import Text

from bot.simulator.demo.shown import Part, Shown, emoji, printable, read
from bot.simulator.demo.view import root_view, thread_view, whisper_view
from bot.simulator.slack import Ephemeral, LocalSlack, Message
from bot.simulator.slack.hub import Change, Kind

CHANNEL = "#team"
_REFRESH = 0.1  # seconds between two pictures
_FEWEST_ROWS = 4  # of a task's output
_KEPT_ROWS = 15  # of what stays


class Audience(Protocol):
    """Is told what happens, scene by scene."""

    def scene(self, title: str) -> None:
        """A new scene begins."""

    def act(self, who: str, what: str) -> None:
        """Somebody does something in Slack."""

    def look(self, root: Message) -> None:
        """The scene is about this message and its thread."""


@dataclass(slots=True)
class Spectator:
    """Sees Slack's window change. What a scene has come to stays above, on the terminal."""

    slack: LocalSlack
    console: Console
    _live: Live
    _acts: list[RenderableType] = field(default_factory=list)
    _root: Message | None = None
    _heard: int = 0  # answers to one person that earlier scenes have shown
    _changed: bool = True

    def scene(self, title: str) -> None:
        """A new scene begins: what the last one came to stays."""
        self.keep()
        self._live.console.print(Rule(title, style="bright_black"))

    def act(self, who: str, what: str) -> None:
        """Somebody does something in Slack."""
        self._acts.append(
            Text.assemble((f"{who} ", "bold"), ("▸ ", "bright_black"), (printable(what), "bold cyan"))
        )
        self._changed = True

    def look(self, root: Message) -> None:
        """Show this message and its thread."""
        self._root = root
        self._changed = True

    def changed(self, _: Change) -> None:
        """Something is new: a picture is due."""
        self._changed = True

    def keep(self) -> None:
        """Let the picture stay on the terminal, whole, and begin a new one."""
        self._live.update(Text(""), refresh=True)
        if self._acts:
            self._live.console.print(*self._top(), self._thread(_KEPT_ROWS), sep="\n")
        self._acts, self._root = [], None
        self._heard = len(self.slack.ephemerals("ann"))

    async def watch(self) -> None:
        """Draw as long as something changes."""
        while True:
            await asyncio.sleep(_REFRESH)
            if self._changed:
                self._changed = False
                self._live.update(self._picture(), refresh=True)

    def _top(self) -> list[RenderableType]:
        whispers = [whisper_view(self.slack, told) for told in self.slack.ephemerals("ann")[self._heard :]]
        root = [root_view(self.slack, CHANNEL, self._root)] if self._root else []
        return [*self._acts, *whispers, *root]

    def _thread(self, rows: int) -> RenderableType:
        return thread_view(self.slack, self._root, rows) if self._root else Group()

    def _picture(self) -> RenderableType:
        """What fits the terminal: what stands on top, and the end of the thread."""
        height = self.console.height - 1
        top = self.console.render_lines(Group(*self._top()), pad=False)
        room = max(_FEWEST_ROWS, height - len(top))
        thread = self.console.render_lines(self._thread(max(_FEWEST_ROWS, room // 3)), pad=False)
        lines = [*top, *thread[-room:]][-height:]
        return Segments(itertools.chain.from_iterable([*line, Segment.line()] for line in lines))


@asynccontextmanager
async def spectator(slack: LocalSlack, console: Console) -> AsyncIterator[Spectator]:
    """A spectator for as long as the context lasts."""
    with Live(console=console, auto_refresh=False, vertical_overflow="crop", transient=True) as live:
        watching = Spectator(slack, console, live)
        slack.workspace.hub.listen(watching.changed)
        drawing = asyncio.create_task(watching.watch(), name="drawing")
        try:
            yield watching
        finally:
            drawing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await drawing
            watching.keep()


@dataclass(slots=True)
class Reporter:
    """Writes a line for what changes: new states, finished lines of output, notes, answers, reactions, files."""

    slack: LocalSlack
    write: Callable[[str], None]
    started: float = field(default_factory=time.monotonic)
    _seen: dict[str, Shown] = field(default_factory=dict)

    def scene(self, title: str) -> None:
        """A new scene begins."""
        self.write(f"\n== {title}")

    def act(self, who: str, what: str) -> None:
        """Somebody does something in Slack."""
        for index, line in enumerate(what.split("\n")):
            self._line(f"{who} ▸" if index == 0 else "   ", line)

    def look(self, root: Message) -> None:
        """Nothing: all changes are reported."""

    def changed(self, change: Change) -> None:
        """Report one change."""
        match change.kind, change.subject:
            case ((Kind.POSTED | Kind.EDITED), Message(bot_id=str()) as message):
                self._report(message)
            case Kind.REACTED, Message() as message:
                if message.reaction_log[-1].added:
                    self._line("reaction", f"{emoji(message.reaction_log[-1].name)}  on “{message.text}”")
            case Kind.EPHEMERAL, Ephemeral() as whisper:
                who = self.slack.workspace.names[whisper.user]
                for line in read(self.slack, whisper).texts(Part.TEXT, Part.BUTTONS):
                    self._line(f"only {who} sees", line)
            case _:
                pass

    def _report(self, message: Message) -> None:
        now = read(self.slack, message)
        if not now.by_bot:
            return
        before = self._seen.get(message.ts, Shown(now.author, now.by_bot, ()))
        self._seen[message.ts] = now
        over = now.state not in {"Running", "Queued", ""}
        for line in news(before.texts(Part.OUTPUT), now.texts(Part.OUTPUT), over=over):
            self._line(f"  {_task(now)}", line)
        where = "  thread" if message.in_thread else CHANNEL
        if not before.pieces or now.state != before.state:
            known = set(before.texts(*Part))
            for line in now.texts(Part.TEXT, Part.QUOTE, Part.MARKDOWN):
                if line not in known:
                    self._line(where, line)
            if buttons := now.texts(Part.BUTTONS):
                self._line(where, "  ".join(f"[{label}]" for label in buttons))
        for file in now.files:
            self._line(where, f"📎 {file}")

    def _line(self, label: str, text: str) -> None:
        self.write(f"{time.monotonic() - self.started:6.1f} s  {label:<14} {text}".rstrip())


def _task(shown: Shown) -> str:
    """The name in a task's first line: ``Running · tests · 0:12 · 3 lines``."""
    words = shown.texts(Part.TEXT)[0].split(" · ")
    return words[1] if len(words) > 1 else "output"


def news(before: list[str], now: list[str], *, over: bool) -> list[str]:
    """The lines at the end of ``now`` that ``before`` didn't have.

    The last line may still be written over, so that it only counts when it is ``over`` or others stand below it.
    """
    known, now = before[:-1], now if over else now[:-1]
    for overlap in range(min(len(known), len(now)), 0, -1):
        if known[-overlap:] == now[:overlap]:
            return now[overlap:]
    return now
