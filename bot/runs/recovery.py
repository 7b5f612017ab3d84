"""What dead processes left behind: their ended runs are announced in Slack, the waiting ones are taken up again.

That a run's end is still to be announced is stored: it is repeated until everything about it is with Slack.
"""

import asyncio
from collections.abc import Callable, Collection
from functools import partial

import structlog

from bot.core.run import RunState
from bot.core.schedule import Priority
from bot.errors import SlackError, StoreUnavailable
from bot.model import Audience, MessageRef
from bot.runs.admission import Admission
from bot.runs.board import combined, status_key, task_key, thread_of
from bot.runs.editor import LiveMessage
from bot.runs.floor import Floor
from bot.runs.frames import Frame
from bot.runs.runner import Workshop, until_stored
from bot.runs.stored import StoredRun, StoredTask, stored_run
from bot.store.records import Run

log = structlog.get_logger("bot.recovery")

TOO_OLD = 86_400.0  # seconds after its end at which a run is announced no more
ASSUMED = 60.0  # seconds in which a run's end is in the hands of what ended it


class Recovery:
    """Announces the ends of runs that nobody else in this process announces, and admits what was left waiting."""

    def __init__(self, workshop: Workshop, admission: Admission, floor: Floor) -> None:
        self._shop = workshop
        self._admission = admission
        self._floor = floor
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._unread: set[str] = set()  # those of them whose root message doesn't know its end yet
        self._all_read = asyncio.Event()

    @property
    def busy(self) -> Collection[str]:
        """The runs that are being announced."""
        return self._busy.keys()

    async def adopt(self, run_ids: Collection[str]) -> None:
        """Go on with runs that were taken over from a dead process. Raises StoreUnavailable."""
        for run in await self._shop.store.queue.these(run_ids):
            if run.state is RunState.INTERRUPTED:
                log.warning("recovery.interrupted", run=run.id)
            if run.state.ended:
                self._announce(run)
            elif run.state is RunState.QUEUED:
                await self._take_up(run)
        self._admission.queue.wake()  # what waits there says so now

    async def repeat(self) -> None:
        """Announce what still isn't: because the database or Slack was away at the time. Raises StoreUnavailable."""
        before = self._shop.clock.wall() - ASSUMED
        for run in await self._shop.store.ends.unsettled(before):
            if run.id not in self._floor:
                self._announce(run)

    def forget(self, run_id: str) -> None:
        """Another process has taken the run over."""
        announcing = self._busy.get(run_id)
        if announcing is not None:
            announcing.cancel()

    async def _take_up(self, run: Run) -> None:
        log.info("recovery.taken_up", run=run.id)
        self._shop.board.inherit(run)
        if run.ready:
            _, place = await self._admission.queue.stands(run)
            if run.id not in self._floor:  # else it was started meanwhile, and its message is the runner's
                self._shop.board.show(run, place)
            return
        audience = Audience(run.workspace, run.channel, run.requester, run.thread_ts)
        self._shop.supervisor.start(f"admit {run.id}", self._admission.admit(run, audience))

    def _announce(self, run: Run) -> None:
        if run.id in self._busy:
            return
        task = self._shop.supervisor.start(f"recovery {run.id}", self._bring_to_its_end(run))
        self._busy[run.id] = task
        self._unread.add(run.id)
        self._all_read.clear()
        task.add_done_callback(lambda _: self._over(run.id))

    def _over(self, run_id: str) -> None:
        self._busy.pop(run_id, None)
        self._read(run_id)

    def _read(self, run_id: str) -> None:
        self._unread.discard(run_id)
        if not self._unread:
            self._all_read.set()

    async def _bring_to_its_end(self, run: Run) -> None:
        structlog.contextvars.bind_contextvars(run=run.id, workspace=run.workspace)
        shop = self._shop
        try:
            too_old = shop.clock.wall() - (run.ended_at or 0.0) > TOO_OLD
            if too_old or await self._tell(run):
                await shop.store.ends.settle(run.id)
        except (StoreUnavailable, SlackError) as error:
            log.warning("recovery.not_announced", error=str(error))

    async def _tell(self, run: Run) -> bool:
        """Show a run's end in Slack; false where it is another process's now."""
        shop = self._shop
        shop.home.changed(run.workspace, run.requester)
        if run.started_at is None:
            if run.status_ts is None:  # Slack may have its message all the same: who stopped it had seen one
                shop.board.inherit(run)
            await self._admission.queue.show_unstarted(run, run.state, run.note)
            shop.reactions.ended(run, run.state)
            return True
        stored = await stored_run(shop.store, shop.secrets, run, shop.github_host)
        await self._show(stored)
        if not await shop.closing.post(run, stored.report(), stored.posted, since=run.created_at):
            return False
        shop.reactions.ended(run, run.state)
        shop.sessions.ended(run, run.state)
        return True

    async def _show(self, stored: StoredRun) -> None:
        """Its final frames; returns when Slack has them."""
        run = stored.run
        newest = await self._shop.store.runs.newest_attempt(run.conversation, run.turn)
        overwritten = newest is not None and newest.id != run.id and newest.status_ts == run.status_ts
        first: list[LiveMessage] = []
        details: list[LiveMessage] = []
        if not combined(run) and not overwritten:
            first.append(self._message(run, run.status_ts, stored.run_frame(), status_key(run)))
        for task in stored.tasks:
            own = combined(run) and task.record.position == 0
            if not (own and overwritten):
                (first if own else details).append(self._task_message(stored, task, own=own))
        try:
            showing = asyncio.gather(*(message.finish() for message in first))
            # There may be more than Slack takes at once: how all of them ended comes before the output of any.
            self._read(run.id)
            await self._all_read.wait()
            await asyncio.gather(showing, *(message.finish() for message in details))
        finally:
            for message in (*first, *details):
                message.abandon()

    def _task_message(self, stored: StoredRun, task: StoredTask, *, own: bool) -> LiveMessage:
        run = stored.run
        ts = run.status_ts if own else task.record.ts
        key = status_key(run) if own else task_key(run, task.record.id)
        store = self._shop.store.runs

        def posted(found: MessageRef) -> None:
            storing = until_stored(partial(store.task_posted, task.record.id, found.ts))
            self._shop.supervisor.start(f"posted {run.id}", storing)

        return self._message(run, ts, stored.task_frame(task), key, None if own else posted)

    def _message(
        self,
        run: Run,
        ts: str | None,
        frame: Frame,
        key: str,
        posted: Callable[[MessageRef], None] | None = None,
    ) -> LiveMessage:
        """A message of which nobody may have stored that it was ``posted``."""
        ref = MessageRef(run.channel, ts) if ts else None
        message = self._shop.editor.open(
            thread_of(run),
            lambda: frame,
            ref=ref,
            key=key,
            since=run.created_at,
            owner=run.id,
            on_posted=posted,
        )
        if key == status_key(run):  # people look there, and it has the buttons
            message.end = Priority.OVERDUE
        return message
