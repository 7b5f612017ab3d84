"""The runs that go on in this process: started, carried out, broken off, and interrupted when the process ends."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog

from bot.core.run import RunState
from bot.errors import StoreUnavailable
from bot.runs.runner import Execution, Workshop
from bot.store.dispatching import Started
from bot.store.records import Run
from bot.words import notes

log = structlog.get_logger("bot.queue")

LOOK_AFTER = 2.0  # seconds between two looks at what became of a start, while the database is away
WRAP_UP = 6.0  # seconds for the last edits of runs that a shutdown interrupts


@dataclass(slots=True)
class _Active:
    execution: Execution
    task: asyncio.Task[None]


class Floor:
    """Has room for ``limit`` runs; with 0 it starts none.

    ``started`` is told of each run that was started, as it was before, and ``ended`` when one has gone.
    """

    def __init__(self, workshop: Workshop, owner: str, limit: int, per_workspace: int | None = None) -> None:
        self.owner = owner
        self.draining = False
        self.started: Callable[[Run], None] = lambda _: None
        self.ended: Callable[[], None] = lambda: None
        self.certain: Callable[[], bool] = lambda: (
            True
        )  # whether what is started here would be this process's own
        self.per_workspace = per_workspace
        self._shop = workshop
        self._limit = limit
        self._active: dict[str, _Active] = {}
        self._starting = 0
        self._vacated = asyncio.Event()
        self._decided = asyncio.Event()  # set while no run is being started
        self._decided.set()
        self._given_up: set[str] = set()  # runs that were stopped for a reply in their conversation
        self._before_all: set[int] = set()  # conversations in which such a run has ended

    @property
    def running(self) -> int:
        """How many runs are going on here."""
        return len(self._active)

    @property
    def works(self) -> bool:
        """Whether this process executes runs at all."""
        return self._limit > 0

    @property
    def room(self) -> int:
        """How many more runs may start here."""
        return (
            0
            if self.draining or not self.certain()
            else max(0, self._limit - len(self._active) - self._starting)
        )

    @property
    def busy(self) -> set[int]:
        """The conversations of the runs here: until the answer was posted, a little longer than their rows say."""
        return {active.execution.run.conversation for active in self._active.values()}

    @property
    def before_all(self) -> frozenset[int]:
        """Conversations whose next reply comes before all other runs: a run was stopped for it."""
        return frozenset(self._before_all)

    def served(self, conversations: frozenset[int]) -> None:
        """Those had their turn."""
        self._before_all -= conversations
        self._vacated.set()

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._active

    @property
    def runs(self) -> Collection[str]:
        """The runs that go on here."""
        return self._active.keys()

    def disown(self, run_id: str) -> None:
        """Another process has taken a run over: here it goes on no more."""
        active = self._active.get(run_id)
        if active is not None:
            active.execution.disown()

    async def vacancy(self) -> None:
        """Wait until there is room that isn't somebody's already; not while the process drains."""
        while self.room <= 0 or self._before_all:
            self._vacated.clear()
            await self._vacated.wait()

    async def start(self, run_id: str, *, job: int | None = None) -> bool:
        """Start a queued run, where it still may: the conditional update of its row decides."""
        if self.room <= 0:
            return False
        self._starting += 1
        self._decided.clear()
        try:
            begun = await self._shop.store.dispatching.start_next(
                run_id,
                self.owner,
                self._shop.clock.wall(),
                job=job,
                per_workspace=self.per_workspace if job is None else None,
            )
            if begun is not None:
                self._carry_on(begun)
        except StoreUnavailable:
            self._shop.supervisor.start(f"look after {run_id}", self._look_after(run_id))
            raise
        finally:
            self._starting -= 1
            if not self._starting:
                self._decided.set()
        return begun is not None

    async def _look_after(self, run_id: str) -> None:
        """Go on with a run whose start was stored, although the database went away before it could say so."""
        store = self._shop.store
        while True:
            await asyncio.sleep(LOOK_AFTER)
            try:
                run, tasks = await store.runs.get(run_id), await store.runs.tasks(run_id)
            except StoreUnavailable:
                continue
            mine = run is not None and run.state is RunState.RUNNING and run.owner == self.owner
            if run is not None and mine and run_id not in self and not self.draining:
                self._carry_on(Started(run, tasks))
            return

    def _carry_on(self, begun: Started) -> None:
        execution = Execution(begun.run, begun.tasks, self._shop)
        task = self._shop.supervisor.start(f"run {begun.run.id}", self._carry_out(execution))
        self._active[begun.run.id] = _Active(execution, task)
        self._shop.home.changed(begun.run.workspace, begun.run.requester)
        self.started(begun.run)

    async def _carry_out(self, execution: Execution) -> None:
        run = execution.run
        structlog.contextvars.bind_contextvars(run=run.id, workspace=run.workspace)
        try:
            await execution.carry_out()
        finally:
            del self._active[run.id]
            if run.id in self._given_up:
                self._given_up.discard(run.id)
                self._before_all.add(run.conversation)
            self._vacated.set()
            self.ended()

    def break_off(self, run_id: str, note: str, *, for_reply: bool = False) -> bool:
        """Stop a run; false where it doesn't go on here or is ending. ``for_reply``: one of its conversation comes next."""
        active = self._active.get(run_id)
        if active is None:
            return False
        if for_reply:
            self._given_up.add(run_id)
        return active.execution.break_off(RunState.STOPPED, note)

    def stop_task(self, run_id: str, task_id: int, by: str) -> bool:
        """Stop one task of a run; false where either doesn't go on here."""
        active = self._active.get(run_id)
        return active is not None and active.execution.stop_task(task_id, by)

    async def gone(self, run_id: str) -> None:
        """Wait, a few seconds at most, until the run doesn't go on here any more."""
        active = self._active.get(run_id)
        if active is not None:
            await asyncio.wait({active.task}, timeout=WRAP_UP)

    async def drain(self, grace: float) -> None:
        """Start nothing more; let what is going on finish for ``grace`` seconds, then interrupt it."""
        self.draining = True
        await self._decided.wait()
        tasks = {active.task for active in self._active.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        left = list(self._active.values())
        for active in left:
            active.execution.break_off(RunState.INTERRUPTED, notes.shut_down())
        if left:
            log.warning("queue.interrupted", runs=len(left))
            await asyncio.wait({active.task for active in left}, timeout=WRAP_UP)
