"""What edits the tasks' messages in a benchmark: the bot's own editor, and the ways that are thought of first.

Each is told what is printed while a trace is played, as a runner tells the editor, and never waits for Slack there.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from bot.clock import Clock
from bot.core.schedule import EditScheduler, Priority
from bot.errors import SlackLimited
from bot.model import MessageRef, Place
from bot.runs.editor import Editor
from bot.runs.frames import NoteFrame
from bot.runs.live_message import LiveMessage
from tests.bench.fakeslack import FakeSlack

__all__ = ["NAIVE", "Ours", "Policy", "Screen"]

_WORKSPACE = "T1"
_PLACE = Place(_WORKSPACE, "C1", "1.0")
_CLOSE_SECONDS = 600.0


@dataclass(slots=True)
class Screen:
    """What a message should show: the number of the newest chunk of each task; ``ref`` is where the message is."""

    newest: dict[int, int] = field(default_factory=dict)
    ref: MessageRef | None = None

    def frame(self) -> NoteFrame:
        """The markers of those chunks."""
        return NoteFrame("\n".join(f"T{task:02d}N{number:06d}Z" for task, number in self.newest.items()))

    def posted(self, ref: MessageRef) -> None:
        """It was posted, as that message."""
        self.ref = ref


class Policy(Protocol):
    """One way to keep messages up to date."""

    def printed(self, task: int) -> None:
        """The task's screen has changed."""
        ...

    def ended(self, task: int) -> None:
        """It has changed for the last time."""
        ...

    async def close(self) -> None:
        """Wait until everything is shown that will ever be."""
        ...


class Ours:
    """The bot's editor and scheduler; with ``root`` there is a roll-up of all tasks, too.

    ``owner`` says whose a task's message is.
    """

    def __init__(
        self,
        slack: FakeSlack,
        screens: list[Screen],
        root: Screen | None = None,
        *,
        part_for: Callable[[int], float] | None = None,
        owner: Callable[[int], str] = lambda _: "run",
    ) -> None:
        scheduler: EditScheduler[LiveMessage] = (
            EditScheduler() if part_for is None else EditScheduler(part_for=part_for)
        )
        editor = Editor(slack, Clock(monotonic=asyncio.get_running_loop().time), scheduler)
        self._root: LiveMessage | None = None
        if root is not None:
            self._root = editor.open(_PLACE, root.frame, owner=owner(0), on_posted=root.posted)
            self._root.lines = len(screens)
            self._root.touch(Priority.FIRST)
        self._messages = [
            editor.open(_PLACE, screen.frame, owner=owner(task), on_posted=screen.posted)
            for task, screen in enumerate(screens)
        ]
        self._editor = editor
        self._running = asyncio.create_task(editor.run())
        self._finals: list[asyncio.Task[bool]] = []

    def printed(self, task: int) -> None:
        """See :class:`Policy`."""
        self._messages[task].touch()
        if self._root is not None:
            self._root.touch()

    def ended(self, task: int) -> None:
        """See :class:`Policy`."""
        self._finals.append(asyncio.create_task(self._messages[task].finish()))
        if self._root is not None:
            self._root.touch()

    async def close(self) -> None:
        """See :class:`Policy`."""
        if self._root is not None:
            self._finals.append(asyncio.create_task(self._root.finish()))
        await asyncio.sleep(0)
        await self._editor.close(_CLOSE_SECONDS)
        for final in self._finals:
            final.cancel()
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running


class Naive:
    """Messages that each send their newest state ``interval`` seconds after the one before was answered.

    A 429 loses the frame, as it does where nobody thought of it; the next output makes a new one.
    """

    interval = 1.0

    def __init__(self, slack: FakeSlack, screens: list[Screen]) -> None:
        self._slack = slack
        self._screens = screens
        self._new = [asyncio.Event() for _ in screens]
        self._over = [False] * len(screens)
        self._working = [asyncio.create_task(self._keep(task)) for task in range(len(screens))]

    def printed(self, task: int) -> None:
        """See :class:`Policy`."""
        self._new[task].set()

    def ended(self, task: int) -> None:
        """See :class:`Policy`."""
        self._over[task] = True
        self._new[task].set()

    async def close(self) -> None:
        """See :class:`Policy`."""
        await asyncio.gather(*self._working)

    async def _keep(self, task: int) -> None:
        while not self._over[task] or self._new[task].is_set():
            await self._new[task].wait()
            await self._send(task)
            await asyncio.sleep(self.interval)

    async def _send(self, task: int) -> float:
        """Show a task's newest state; returns for how long Slack wants silence."""
        screen = self._screens[task]
        self._new[task].clear()
        try:
            if screen.ref is None:
                screen.ref = await self._slack.post(_PLACE, screen.frame())
            else:
                await self._slack.update(_PLACE, screen.ref, screen.frame())
        except SlackLimited as error:
            return error.retry_after
        return 0.0


class EveryChunk(Naive):
    """An edit for all that came while the edit before was under way."""

    interval = 0.0


class RoundRobin(Naive):
    """Knows the documented rate: each in its turn, and a call every 1.2 s; keeps to ``Retry-After``."""

    interval = 60 / 50

    def __init__(self, slack: FakeSlack, screens: list[Screen]) -> None:
        super().__init__(slack, screens)
        self._turn = asyncio.Lock()  # hands itself on in the order of asking

    async def _keep(self, task: int) -> None:
        while not self._over[task] or self._new[task].is_set():
            await self._new[task].wait()
            async with self._turn:
                silence = await self._send(task)
                await asyncio.sleep(max(silence, self.interval))
            if silence:
                self._new[task].set()


NAIVE: dict[str, type[Naive]] = {
    "1 s a message": Naive,
    "every chunk": EveryChunk,
    "round robin": RoundRobin,
}
