"""What starts queued runs: the port, and the dispatcher of a process that looks into the queue by itself."""

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from bot.errors import StoreUnavailable
from bot.runs.floor import Floor
from bot.store.store import Store

log = structlog.get_logger("bot.queue")

LOOK_AGAIN = 1.0  # seconds after which it looks by itself, for example after another process's run has ended


class Dispatcher(Protocol):
    """Brings runs that may start to a process that has room; the conditional update of a run's row decides there."""

    def wake(self) -> None:
        """Something may have become ready, or a place free."""

    async def run(self) -> None:
        """Work until cancelled; a supervisor holds it."""

    async def stop(self) -> None:
        """Bring nothing more to this process."""


class LocalDispatcher:
    """Starts runs in this process as there is room."""

    def __init__(self, store: Store, floor: Floor) -> None:
        self._store = store
        self._floor = floor
        self._look = asyncio.Event()

    def wake(self) -> None:
        """Something may have become ready, or a place free."""
        self._look.set()

    async def run(self) -> None:
        """Look now, when woken, and now and then."""
        away = False
        while True:
            self._look.clear()
            try:
                await self._dispatch()
                away = False
            except StoreUnavailable:
                if not away:
                    log.warning("queue.store_unavailable")
                away = True
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await self._look.wait()

    async def stop(self) -> None:
        """Nothing to be done: a floor that drains has no room."""

    async def _dispatch(self) -> None:
        floor = self._floor
        if floor.room <= 0:
            return
        before_all = floor.before_all
        found = await self._store.dispatching.next_ones(
            floor.room, per_workspace=floor.per_workspace, busy=floor.busy, before_all=before_all
        )
        for one in found:
            await floor.start(one.run.id)
        floor.served(before_all)
