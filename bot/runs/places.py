"""Where each waiting run stands, shown in its message by the process that is responsible for it."""

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress

import structlog

from bot.clock import Clock
from bot.core.run import RunState
from bot.errors import StoreUnavailable
from bot.runs.board import Board
from bot.runs.floor import Floor
from bot.store.queue import Standing
from bot.store.records import Run
from bot.store.store import Store

log = structlog.get_logger("bot.queue")

LOOK_AGAIN = 1.0  # seconds after which places are looked at while others may move them
REST = 5.0  # the same while nothing waits
PACE, SLOWEST = 0.3, 1.0  # seconds between two looks at all places, however many runs come and go
SHARE = 0.05  # of the time goes into looks, where so many wait that one takes long


class Places:
    """Keeps the places up to date in the messages of waiting runs."""

    def __init__(self, store: Store, floor: Floor, board: Board, clock: Clock) -> None:
        self._store = store
        self._floor = floor
        self._board = board
        self._clock = clock
        self._look = asyncio.Event()
        self._hurry = asyncio.Event()

    def wake(self, *, hurry: bool = False) -> None:
        """Somebody's place may have changed; with ``hurry`` somebody waits to see that."""
        self._look.set()
        if hurry:
            self._hurry.set()

    async def run(self) -> None:
        """Show them until cancelled; a supervisor holds it."""
        while True:
            self._look.clear()
            self._hurry.clear()
            begun, pause = self._clock.monotonic(), REST
            try:
                if await self._show():
                    pause = LOOK_AGAIN
            except StoreUnavailable:
                log.warning("places.store_unavailable")
            shown = self._clock.monotonic()
            rest = min(SLOWEST, max(PACE, (shown - begun) / SHARE))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._look.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(shown + rest - self._clock.monotonic()):
                    await self._hurry.wait()

    async def of(self, run: Run) -> tuple[Run | None, int | None]:
        """A queued run as it is now, and where it stands, from 1; ``None``: nothing keeps it from starting here at once."""
        now, place, behind = await self._store.queue.stands(run)
        if not place:
            return now, None  # it has just been started
        behind = behind or run.conversation in self._floor.busy
        free = place == 1 and not behind and self._is_free(run.workspace, await self._full())
        return now, None if free else place

    def _is_free(self, workspace: str, full: Collection[str]) -> bool:
        return self._floor.room > 0 and workspace not in full

    async def _full(self) -> Collection[str]:
        """The workspaces that have as many runs under way as they may."""
        most = self._floor.per_workspace
        if most is None:
            return ()
        under_way = await self._store.dispatching.under_way()
        return {workspace for workspace, amount in under_way.items() if amount >= most}

    async def _show(self) -> bool:
        """Show all places once; returns whether anything waits."""
        standings = await self._store.queue.standings(self._floor.busy)
        full = await self._full() if standings else ()
        unknown = {}
        for one in standings:
            position = self._position(one, full)
            shown = self._board.place(one.run, position, one.note)
            if not shown and one.ready and one.owner in {None, self._floor.owner}:
                unknown[one.run] = position
        unknown = {run: position for run, position in unknown.items() if run not in self._floor}
        if unknown:
            await self._adopt(unknown)
        return bool(standings)

    def _position(self, one: Standing, full: Collection[str]) -> int | None:
        free = one.place == 1 and not one.behind and self._is_free(one.workspace, full)
        return None if free else one.place

    async def _adopt(self, unknown: Mapping[str, int | None]) -> None:
        """Show runs at these places that are this process's, but were left by another one."""
        for run in await self._store.queue.these(unknown):
            if run.state is RunState.QUEUED and run.id not in self._floor:
                self._board.show(run, unknown[run.id])
