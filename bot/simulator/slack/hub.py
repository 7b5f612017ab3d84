"""What changed, told to those who watch: the demo's terminal, and tests that wait for something to be seen."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from weakref import WeakSet

Found = TypeVar("Found")


class Kind(StrEnum):
    """What happened to a change's subject."""

    POSTED = "posted"  # Message
    EDITED = "edited"  # Message
    DELETED = "deleted"  # Message
    REACTED = "reacted"  # Message: a reaction was added or removed
    EPHEMERAL = "ephemeral"  # Ephemeral
    VIEW = "view"  # View: opened, updated, closed, or a home published
    FILE = "file"  # File: uploaded or shared
    SESSION = "session"  # Session of an agent
    CALL = "call"  # ApiCall, answered
    DELIVERY = "delivery"  # Delivery, after each of its attempts


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``subject`` is the object that changed; its type stands beside each ``Kind``."""

    kind: Kind
    subject: object


class Changes:
    """All changes from the moment of asking on; the iteration ends when the workspace closes."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue()

    def put(self, change: Change | None) -> None:
        """One more change; ``None`` ends the iteration."""
        self._queue.put_nowait(change)

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        change = await self._queue.get()
        if change is None:
            raise StopAsyncIteration
        return change


class Hub:
    """Publishes changes to listeners (called at once), iterators and waiters, all on one event loop."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Change], None]] = []
        self._iterators: WeakSet[Changes] = WeakSet()
        self._waiters: set[asyncio.Event] = set()

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Call ``listener`` with every change, before the call that made it returns."""
        self._listeners.append(listener)

    def publish(self, kind: Kind, subject: object) -> None:
        """Tell everyone."""
        change = Change(kind, subject)
        for listener in self._listeners:
            listener(change)
        for iterator in self._iterators:
            iterator.put(change)
        for waiter in self._waiters:
            waiter.set()

    def changes(self) -> Changes:
        """An iterator over what changes from now on."""
        iterator = Changes()
        self._iterators.add(iterator)
        return iterator

    async def wait_for(
        self, predicate: Callable[[], Found | None], seconds: float, describe: Callable[[], str]
    ) -> Found:
        """The first truthy value of ``predicate``, asked now and after every change.

        A ``LookupError`` inside it means "not yet", so that ``slack.messages("#team")[0]`` may be asked for early.
        Raises ``TimeoutError`` after ``seconds``, with ``describe()`` in its words.
        """
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    waiter.clear()
                    with contextlib.suppress(LookupError):
                        found = predicate()
                        if found:
                            return found
                    await waiter.wait()
        except TimeoutError:
            raise TimeoutError(f"not seen within {seconds} s; the workspace shows:\n{describe()}") from None
        finally:
            self._waiters.discard(waiter)

    def close(self) -> None:
        """End the iterations."""
        for iterator in self._iterators:
            iterator.put(None)
