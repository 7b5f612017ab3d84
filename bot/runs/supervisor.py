"""A home for background work: every task is named, held, and drained.

asyncio keeps only weak references to tasks, so one that nobody holds can vanish in mid-await; and an exception
in one that nobody awaits is lost. Everything that outlives a request is started here.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import structlog

T = TypeVar("T")

log = structlog.get_logger("bot.supervisor")


class Supervisor:
    """Holds tasks until they end; one that fails is logged once and doesn't touch the others."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._endless: set[asyncio.Task[Any]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, T], *, endless: bool = False) -> asyncio.Task[T]:
        """Begin ``work`` under a name; the caller may await the task, but needn't. ``endless``: nobody waits for its end."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        if endless:
            self._endless.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self._endless.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background.failed", task=task.get_name(), exc_info=error)

    async def settle(self, seconds: float) -> None:
        """Wait up to ``seconds`` until nothing is left, also of what is begun meanwhile, but what is endless."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while under_way := self._tasks - self._endless:
                    await asyncio.wait(under_way)

    async def close(self) -> None:
        """Cancel what is left and wait until it has gone."""
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(set(self._tasks))
