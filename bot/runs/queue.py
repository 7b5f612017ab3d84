"""Who runs next: one process, its database, and the runs that wait there in order.

The queue never decides by itself whether a run may be sent upstream: the conditional update of its row does.
"""

import asyncio
from dataclasses import dataclass

import structlog

from bot import words
from bot.core.run import RunState
from bot.errors import SlackError, StoreUnavailable
from bot.runs.runner import Execution, Workshop
from bot.store.records import Run

log = structlog.get_logger("bot.queue")

LOOK_AGAIN = 5.0  # seconds after which the queue looks by itself, for example after the database was away
WRAP_UP = 6.0  # seconds for the last edits of runs that a shutdown interrupts


@dataclass(slots=True)
class _Active:
    execution: Execution
    task: asyncio.Task[None]


class Queue:
    """Starts queued runs as there is room, and holds those that are going on."""

    def __init__(self, workshop: Workshop, owner: str, limit: int) -> None:
        self._shop = workshop
        self._owner = owner
        self._limit = limit
        self._active: dict[str, _Active] = {}
        self._look = asyncio.Event()
        self.draining = False

    @property
    def running(self) -> int:
        """How many runs are going on in this process."""
        return len(self._active)

    def wake(self) -> None:
        """Something may have become ready, or a place free."""
        self._look.set()

    async def run(self) -> None:
        """The dispatcher's loop; a supervisor holds it."""
        while True:
            self._look.clear()
            try:
                if not self.draining:
                    await self._dispatch()
                await self._show_places()
            except StoreUnavailable:
                log.warning("queue.store_unavailable")
            try:
                async with asyncio.timeout(LOOK_AGAIN):
                    await self._look.wait()
            except TimeoutError:
                pass

    async def _dispatch(self) -> None:
        room = self._limit - len(self._active)
        if room <= 0:
            return
        # A conversation is busy until its last run's answer was posted, a little longer than the row says.
        busy = {active.execution.run.conversation for active in self._active.values()}
        for run in await self._shop.store.queue.next_ready(room + len(busy)):
            if room > 0 and run.conversation not in busy and await self._start(run):
                room -= 1

    async def _start(self, run: Run) -> bool:
        tasks = await self._shop.store.runs.tasks(run.id)
        if not await self._shop.store.runs.start(run.id, self._owner, self._shop.clock.wall()):
            return False
        execution = Execution(run, tasks, self._shop)
        task = self._shop.supervisor.start(f"run {run.id}", self._carry_out(execution))
        self._active[run.id] = _Active(execution, task)
        self._shop.home.changed(run.workspace, run.requester)
        return True

    async def _carry_out(self, execution: Execution) -> None:
        run = execution.run
        structlog.contextvars.bind_contextvars(run=run.id, workspace=run.workspace)
        try:
            await execution.carry_out()
        finally:
            del self._active[run.id]
            self.wake()

    async def place(self, run: Run) -> int | None:
        """Where a queued run stands, from 1; ``None`` where nothing keeps it from starting at once."""
        conversations = {active.execution.run.conversation for active in self._active.values()}
        place = await self._shop.store.queue.place(run)
        free = len(self._active) < self._limit and run.conversation not in conversations and not self.draining
        return None if free and place == 1 else place

    async def _show_places(self) -> None:
        for run in await self._shop.store.queue.listing(None):
            if run.state is RunState.QUEUED and run.ready and run.id not in self._active:
                self._shop.board.show(run, await self.place(run))

    async def stop(self, run: Run, by: str) -> bool:
        """Stop a run, whether it waits or is going on; false where it had already ended."""
        return await self._break_off(run, words.stopped_by(by))

    def stop_task(self, run: Run, task_id: int, by: str) -> bool:
        """Stop one task of a run that is going on; false where either has ended."""
        active = self._active.get(run.id)
        return active is not None and active.execution.stop_task(task_id, by)

    async def drop(self, run: Run, note: str) -> bool:
        """Take a waiting run back; false where it had already started."""
        at = self._shop.clock.wall()
        if run.id in self._active or not await self._shop.store.runs.end(
            run.id, RunState.STOPPED, at, note=note
        ):
            return False
        self._shop.home.changed(run.workspace, run.requester)
        self._shop.supervisor.start(f"drop {run.id}", self._show_dropped(run, note))
        self.wake()
        return True

    async def _break_off(self, run: Run, note: str) -> bool:
        active = self._active.get(run.id)
        if active is None:
            return await self.drop(run, note)
        return active.execution.break_off(RunState.STOPPED, note)

    async def _show_dropped(self, run: Run, note: str) -> None:
        try:
            await self._shop.board.close(run, RunState.STOPPED, note)
        except SlackError as error:
            log.info("queue.drop_not_shown", run=run.id, error=str(error))
        self._shop.reactions.ended(run, RunState.STOPPED)

    async def drain(self, grace: float) -> None:
        """Start nothing more; let what is going on finish for ``grace`` seconds, then interrupt it."""
        self.draining = True
        tasks = {active.task for active in self._active.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        left = list(self._active.values())
        for active in left:
            active.execution.break_off(RunState.INTERRUPTED, words.shut_down())
        if left:
            log.warning("queue.interrupted", runs=len(left))
            await asyncio.wait({active.task for active in left}, timeout=WRAP_UP)
