"""What people do with runs that wait or are going on, whichever process has them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from enum import Enum, auto
from functools import partial
from typing import Any

import structlog

from bot.core.run import RunState
from bot.errors import SlackError, StoreUnavailable
from bot.runs.bus import Bus
from bot.runs.dispatcher import Dispatcher
from bot.runs.floor import WRAP_UP, Floor
from bot.runs.places import Places
from bot.runs.runner import STORE_RETRY, Workshop, until_stored
from bot.store.records import Run
from bot.words import notes

log = structlog.get_logger("bot.queue")

LOOKS = 0.1  # seconds between two looks at what another process, or another task of this one, is about to do
HANDOVER = 3.0  # seconds in which another process lets go of a message
SOON = 2.0  # seconds in which a run that is being started is where it can be stopped


async def _later(_runs: Collection[str]) -> None:
    """Their ends are announced when somebody looks for such."""


class Sent(Enum):
    """What became of a waiting reply that was to be sent now."""

    STOPPED = auto()  # the running one was stopped for it
    ENDING = auto()  # that was ending already
    STARTING = auto()  # nothing is in its way
    NO_ROOM = auto()  # nothing ran in its conversation, but too much does elsewhere
    TOO_LATE = auto()  # it doesn't wait any more


class Queue:
    """Runs that wait, and those that are going on: here in ``floor``, elsewhere by orders over the ``bus``."""

    def __init__(
        self, workshop: Workshop, floor: Floor, places: Places, dispatcher: Dispatcher, bus: Bus
    ) -> None:
        self._shop = workshop
        self._floor = floor
        self._places = places
        self._dispatcher = dispatcher
        self._bus = bus
        self.left_behind: Callable[[Collection[str]], Awaitable[None]] = _later  # goes on where others died
        self._letting_go: dict[str, asyncio.Event] = {}  # by the runs that other processes are to let go of
        floor.started = self._started
        floor.ended = self.wake
        bus.on("stop", self._on_stop)
        bus.on("stop_task", self._on_stop_task)
        bus.on("let_go", self._on_let_go)
        bus.on("gone", self._on_gone)
        bus.on("rewritten", self._on_rewritten)

    @property
    def draining(self) -> bool:
        """Whether this process takes no new work any more."""
        return self._floor.draining

    @property
    def running(self) -> int:
        """How many runs are going on in this process."""
        return self._floor.running

    def wake(self) -> None:
        """Something may have become ready, or a place free."""
        self._dispatcher.wake()
        self._places.wake()

    async def stands(self, run: Run) -> tuple[Run | None, int | None]:
        """A queued run as it is now, and where it stands, from 1; ``None``: nothing keeps it from starting at once."""
        return await self._places.of(run)

    async def rewritten(self, run_id: str) -> None:
        """A waiting run asks something else now: its message follows, whichever process shows it."""
        run = await self._shop.store.runs.get(run_id)
        if run is None:
            return
        self._shop.board.rewrite(run)
        if await self._bus.lives(run.owner):
            await self._bus.tell(str(run.owner), "rewritten", run=run.id)

    async def send_now(self, run: Run, by: str) -> Sent:
        """Put a waiting reply first in its conversation, and stop what runs there; nothing else is stopped."""
        put = await self._shop.store.runs.put_first(run.id, notes.put_first_by(by))
        if put is None:
            return Sent.TOO_LATE
        self._places.wake(hurry=True)
        self._dispatcher.wake()
        if put.running is None:
            ending = run.conversation in self._floor.busy
            free = self._floor.room > 0 or not self._floor.works
            return Sent.ENDING if ending else Sent.STARTING if free else Sent.NO_ROOM
        note = notes.stopped_for_reply(by)
        stopped = await self._break_off(put.running, note, for_reply=True)
        return Sent.STOPPED if stopped else Sent.ENDING

    async def stop(self, run: Run, by: str) -> bool:
        """Stop a run, whether it waits or is going on; false where it had already ended."""
        return await self._break_off(run, notes.stopped_by(by))

    async def give_way(self, run: Run, note: str) -> None:
        """Stop a run for another one, and return when it isn't going on any more."""
        await self._break_off(run, note)
        await self._floor.gone(run.id)
        try:
            async with asyncio.timeout(WRAP_UP):
                while not await self._has_ended(run.id):  # noqa: ASYNC110  another process ends it
                    await asyncio.sleep(LOOKS)
        except TimeoutError:
            log.warning("queue.still_going", run=run.id)

    async def _has_ended(self, run_id: str) -> bool:
        run = await self._shop.store.runs.get(run_id)
        return run is None or run.state.ended

    async def stop_task(self, run: Run, task_id: int, by: str) -> bool:
        """Stop one task of a run that is going on; false where either has ended."""
        if self._floor.stop_task(run.id, task_id, by):
            return True
        now = await self._shop.store.runs.get(run.id)
        if now is None or now.state is not RunState.RUNNING or not await self._bus.lives(now.owner):
            return False
        await self._bus.tell(str(now.owner), "stop_task", run=run.id, task=task_id, by=by)
        return True

    async def drop(self, run: Run, note: str) -> bool:
        """Take a waiting run back; false where it doesn't wait any more."""
        if not await self._shop.store.runs.drop(run.id, self._shop.clock.wall(), note):
            return False
        self._dropped(run, note)
        return True

    async def _break_off(self, run: Run, note: str, *, for_reply: bool = False) -> bool:
        if run.id not in self._floor and await self.drop(run, note):
            return True
        if run.id in self._floor:  # it may just have started
            return self._floor.break_off(run.id, note, for_reply=for_reply)
        now = await self._shop.store.runs.get(run.id)
        if now is not None and not now.state.ended and await self._bus.lives(now.owner):
            await self._bus.tell(str(now.owner), "stop", run=run.id, note=note, for_reply=for_reply)
            return True
        # It has ended, or nobody carries it out: it is a dead process's.
        if not await self._shop.store.runs.end(run.id, RunState.STOPPED, self._shop.clock.wall(), note=note):
            return False
        self.wake()
        await self.left_behind([run.id])
        return True

    def _dropped(self, run: Run, note: str) -> None:
        self._shop.home.changed(run.workspace, run.requester)
        self._shop.supervisor.start(f"drop {run.id}", self._show_dropped(run, note))
        self.wake()

    async def _show_dropped(self, run: Run, note: str) -> None:
        shop = self._shop
        while True:
            try:
                if run.owner not in {None, self._floor.owner}:
                    run = await self._taken_from_another(run)
                run = await self.show_unstarted(run, RunState.STOPPED, note)
                await shop.store.ends.settle(run.id)
            except StoreUnavailable:
                await asyncio.sleep(STORE_RETRY)
                continue
            except SlackError as error:
                log.info("queue.drop_not_shown", run=run.id, error=str(error))
            break
        shop.reactions.ended(run, RunState.STOPPED)

    async def show_unstarted(self, run: Run, state: RunState, note: str) -> Run:
        """Show the end of a run that never started; returns it with its message. Raises SlackError.

        Which message that is, is stored as soon as it can be: replies below it belong to its conversation.
        """
        ref = await self._shop.board.close(run, state, note)
        if run.status_ts is None and ref is not None:
            run = replace(run, status_ts=ref.ts, owner=self._floor.owner)
            store = partial(self._shop.store.runs.posted, run.id, ref.ts, run.thread_ts or ref.ts)
            await until_stored(store)
        return run

    async def _taken_from_another(self, run: Run) -> Run:
        """The run, when the process that showed it until now doesn't any more, and has said which message that is."""
        await self._hand_over(run)
        now: Run | None = run
        deadline = self._shop.clock.monotonic() + SOON
        while now is not None and now.status_ts is None and self._shop.clock.monotonic() < deadline:
            await asyncio.sleep(LOOKS)
            now = await self._shop.store.runs.get(run.id)
        run = now or run
        if run.status_ts is None:
            self._shop.board.inherit(run)
        return run

    # --- what other processes say

    def _started(self, run: Run) -> None:
        """A run goes on here from now on: its message is shown here when the process that did so until now has let go."""
        if run.owner not in {None, self._floor.owner}:
            self._shop.board.hold(run.id)
            self._shop.supervisor.start(f"hand over {run.id}", self._show_from_now_on(run))

    async def _show_from_now_on(self, run: Run) -> None:
        try:
            await self._hand_over(run)
        finally:
            self._shop.board.release(run.id)

    async def _hand_over(self, run: Run) -> None:
        """Have the run's owner until now let go of its message, and wait until it has; not for ever."""
        let_go = self._letting_go[run.id] = asyncio.Event()
        try:
            if await self._bus.lives(run.owner):
                await self._bus.tell(str(run.owner), "let_go", run=run.id, to=self._floor.owner)
                async with asyncio.timeout(HANDOVER):
                    await let_go.wait()
        except (StoreUnavailable, TimeoutError):
            log.warning("queue.not_handed_over", run=run.id)
        finally:
            self._letting_go.pop(run.id, None)

    async def _on_let_go(self, order: Mapping[str, Any]) -> None:
        self._shop.supervisor.start(f"let go {order['run']}", self._let_go(order["run"], order["to"]))

    async def _let_go(self, run_id: str, to: str) -> None:
        await self._shop.board.let_go(run_id)
        try:
            await self._bus.tell(to, "gone", run=run_id)
        except StoreUnavailable:
            log.warning("queue.not_handed_over", run=run_id)

    async def _on_gone(self, order: Mapping[str, Any]) -> None:
        let_go = self._letting_go.get(order["run"])
        if let_go is not None:
            let_go.set()

    async def _on_rewritten(self, order: Mapping[str, Any]) -> None:
        run = await self._shop.store.runs.get(order["run"])
        if run is not None:
            self._shop.board.rewrite(run)

    # A run that is just being started is waited for, which must not keep other orders waiting.

    async def _on_stop(self, order: Mapping[str, Any]) -> None:
        stopping = until_stored(partial(self._stop_here, order))
        self._shop.supervisor.start(f"stop {order['run']}", stopping)

    async def _on_stop_task(self, order: Mapping[str, Any]) -> None:
        stopping = until_stored(partial(self._stop_task_here, order))
        self._shop.supervisor.start(f"stop a task of {order['run']}", stopping)

    async def _stop_here(self, order: Mapping[str, Any]) -> None:
        if await self._is_here(order["run"]):
            self._floor.break_off(order["run"], order["note"], for_reply=order["for_reply"])

    async def _stop_task_here(self, order: Mapping[str, Any]) -> None:
        if await self._is_here(order["run"]):
            self._floor.stop_task(order["run"], order["task"], order["by"])

    async def _is_here(self, run_id: str) -> bool:
        """Whether the run goes on here; one that is being started at this moment does in the next."""
        deadline = self._shop.clock.monotonic() + SOON
        while run_id not in self._floor and self._shop.clock.monotonic() < deadline:
            run = await self._shop.store.runs.get(run_id)
            if run is None or run.state is not RunState.RUNNING or run.owner != self._floor.owner:
                return False
            await asyncio.sleep(LOOKS)
        return run_id in self._floor

    async def drain(self, grace: float) -> None:
        """Start nothing more; let what is going on finish for ``grace`` seconds, then interrupt it."""
        self._floor.draining = True
        stopping = self._shop.supervisor.start("stop dispatching", self._dispatcher.stop())
        await self._floor.drain(grace)
        await asyncio.wait({stopping}, timeout=1.0)
