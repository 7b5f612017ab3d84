"""The dispatcher of a process that shares a PostgreSQL database: hands runs out to all, and fetches what it has room for."""

import asyncio
from contextlib import suppress
from typing import Any

import structlog
from procrastinate.exceptions import ConnectorException

from bot.dispatch.jobs import enough_wait, hand_out
from bot.dispatch.worker import JobWorker
from bot.errors import StoreUnavailable
from bot.runs.floor import Floor
from bot.runs.supervisor import Supervisor
from bot.store.store import Store

log = structlog.get_logger("bot.dispatch")

LOOK_AGAIN = 1.0  # seconds after which it looks by itself


class SharedDispatcher:
    """Every process hands out; those that work fetch."""

    def __init__(
        self, store: Store, floor: Floor, supervisor: Supervisor, connecting: dict[str, Any]
    ) -> None:
        self._store = store
        self._floor = floor
        self._supervisor = supervisor
        self._look = asyncio.Event()
        self._worker = JobWorker(connecting, self._start, floor.vacancy) if floor.works else None

    def wake(self) -> None:
        """Something may have become ready, or a place free."""
        self._look.set()

    async def run(self) -> None:
        """Hand out now, when woken, and now and then; and fetch."""
        if self._worker is not None:
            self._supervisor.start("jobs", self._worker.run(), endless=True)
        away = False
        while True:
            self._look.clear()
            try:
                await self._hand_out()
                away = False
            except (StoreUnavailable, ConnectorException):
                if not away:
                    log.warning("queue.store_unavailable")
                away = True
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN):
                    await self._look.wait()

    async def stop(self) -> None:
        """Fetch no more jobs. What was handed out goes to the others."""
        if self._worker is not None:
            await self._worker.stop()

    async def _hand_out(self) -> None:
        floor = self._floor
        busy, before_all = floor.busy, floor.before_all
        if not before_all and await self._store.look(enough_wait):
            return
        await self._store.transact(
            lambda connection: hand_out(connection, floor.per_workspace, busy, before_all)
        )
        floor.served(before_all)

    async def _start(self, run_id: str, job: int) -> None:
        # Not given up, whatever becomes of the job: a run that was stored as running has to be sent.
        await asyncio.shield(self._supervisor.start(f"start {run_id}", self._begin(run_id, job)))

    async def _begin(self, run_id: str, job: int) -> None:
        try:
            if await self._floor.start(run_id, job=job):
                self.wake()
        except StoreUnavailable:
            log.warning("queue.store_unavailable", run=run_id)  # the job has gone: it is handed out again
