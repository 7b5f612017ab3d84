"""Keeps this process among the living, takes over from the dead, and notices when it was itself taken for dead."""

import asyncio
import socket
from contextlib import suppress

import structlog

from bot.clock import Clock
from bot.core.lease import DEAD, Lease
from bot.errors import StoreUnavailable
from bot.runs.board import Board
from bot.runs.editor import Editor
from bot.runs.floor import Floor
from bot.runs.recovery import Recovery
from bot.store.store import Store
from bot.words import notes

log = structlog.get_logger("bot.keeper")

LOOK = 1.0  # seconds between two looks at the other processes
BREATH = 0.5  # seconds after a failure, however many ask


class Keeper:
    """One process's place among those that share the database; ``role`` is for people who look there.

    Whoever owns runs asks ``certain`` before it sends anything about them.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        floor: Floor,
        board: Board,
        editor: Editor,
        recovery: Recovery,
        *,
        role: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._floor = floor
        self._board = board
        self._editor = editor
        self._recovery = recovery
        self._role = role
        self._lease = Lease(clock.monotonic())
        self._doubt = asyncio.Event()
        self._away = False
        editor.permitted = floor.certain = self.certain

    def certain(self) -> bool:
        """Whether the runs that this process owned are still its own; where it isn't known, that is looked at now."""
        if self._lease.doubtful(self._clock.monotonic()):
            self._doubt.set()
            return False
        return True

    async def join(self) -> None:
        """Be among the living, before anything is owned. Raises StoreUnavailable."""
        await self._store.workers.join(socket.gethostname(), self._role)
        self._lease = Lease(self._clock.monotonic())

    async def run(self) -> None:
        """Say that this process lives, and look after the others, until cancelled; a supervisor holds it."""
        # A sign of life never waits for what is done about the others.
        async with asyncio.TaskGroup() as both:
            both.create_task(self._say_it_lives(), name="signs of life")
            both.create_task(self._look_after_others(), name="looks at others")

    async def _say_it_lives(self) -> None:
        while True:
            self._doubt.clear()
            now = self._clock.monotonic()
            if now >= self._lease.due or self._lease.doubtful(now):
                await self._beat()
            pause = max(0.0, self._lease.due - self._clock.monotonic())
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._doubt.wait()

    async def _look_after_others(self) -> None:
        while True:
            await self._look()
            await asyncio.sleep(LOOK)

    async def _beat(self) -> None:
        lease, now = self._lease, self._clock.monotonic
        begun = now()
        lease.begin(begun)
        if lease.doubtful(begun):
            log.warning("keeper.was_frozen")
        try:
            if not await self._store.workers.beat():
                log.warning("keeper.was_taken_for_dead")
                await self._store.workers.join(socket.gethostname(), self._role)
            await self._let_go_of_what_was_lost()
        except StoreUnavailable as error:
            lease.fail(now())
            if not self._away:
                log.warning("keeper.store_unavailable", error=str(error))
            self._away = True
            await asyncio.sleep(BREATH)
        else:
            lease.succeed(begun, now())
            self._away = False
            self._editor.resume()

    async def _let_go_of_what_was_lost(self) -> None:
        shown = {run.id: run for run in self._board.waiting()}
        here = {*shown, *self._recovery.busy, *self._floor.runs}
        for run_id in here - await self._store.ends.mine(here) if here else ():
            self._floor.disown(run_id)
            self._recovery.forget(run_id)
            if run_id in shown:
                self._board.forget(shown[run_id])

    async def _look(self) -> None:
        """Take over from the dead, and announce what still isn't announced."""
        if self._floor.draining:
            return
        try:
            if self._floor.works:
                for dead, silent in await self._dead():
                    await self._take_over(dead, silent)
            await self._recovery.repeat()
        except StoreUnavailable:
            log.debug("keeper.could_not_look")
        except Exception:  # whatever went wrong with others' runs, this process lives
            log.exception("keeper.look_failed")

    async def _dead(self) -> list[tuple[str | None, float | None]]:
        """Processes that have died, each with how long it must have been silent where only that tells."""
        judge = self._lease.may_judge(self._clock.monotonic())
        workers = self._store.workers
        found: list[tuple[str | None, float | None]] = [
            (other.id, None if other.gone else DEAD)
            for other in await workers.others()
            if other.gone or (judge and other.silent > DEAD)
        ]
        return [*found, *((owner, None) for owner in await workers.orphaned())]

    async def _take_over(self, dead: str | None, silent: float | None) -> None:
        store = self._store
        taken = await store.workers.take_over(
            dead, self._clock.wall(), notes.process_died(), silent, waits=notes.held()
        )
        if dead is not None:
            log.warning("keeper.taken_over", dead=dead, runs=len(taken))
        await self._recovery.adopt(taken)
