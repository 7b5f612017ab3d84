"""One run: stream → state → frames, and what is shown when it has ended.

Nothing on the way from the socket to a run's state waits for Slack: messages are marked as having something
new, and the editor renders them when an edit is due.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog

from bot.clock import Clock
from bot.cloudcoding.client import CloudCoding
from bot.cloudcoding.events import Event, Failure, Stdout
from bot.core.redact import Secrets
from bot.core.run import RunState
from bot.core.schedule import Priority
from bot.errors import RunLost, StoreUnavailable, UpstreamBusy, UpstreamCut, UpstreamRefused
from bot.meter import Meter
from bot.model import MessageRef
from bot.runs.board import Board, task_key, thread_of
from bot.runs.closing import Closing, outcome_of, report_of
from bot.runs.editor import Editor, LiveMessage
from bot.runs.live import LiveRun, LiveTask
from bot.runs.ports import Home, Messenger
from bot.runs.reactions import Reactions
from bot.runs.request import upstream_request
from bot.runs.sessions import Sessions
from bot.runs.supervisor import Supervisor
from bot.runs.turns import EVENT, SHARE, Turns
from bot.store.records import Run, Task
from bot.store.store import Store
from bot.words import notes

log = structlog.get_logger("bot.run")

STORE_RETRY = 5.0  # seconds between attempts to store something while the database is away
MOMENT = 0.05  # seconds between two looks whether the run is still this process's
TICK = 5.0  # seconds between refreshes of elapsed times where nothing else changed
MAX_TASKS = 60  # named by the service; past them a stream of made-up names ends up in one message
OVERFLOW = "more"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every run is carried out with; made once by the composition root."""

    store: Store
    editor: Editor
    messenger: Messenger
    board: Board
    reactions: Reactions
    sessions: Sessions
    home: Home
    closing: Closing
    supervisor: Supervisor
    upstream: CloudCoding
    clock: Clock
    secrets: Secrets
    github_token: str
    github_host: str
    turns: Turns = field(default_factory=Turns)
    meter: Meter = field(default_factory=Meter)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ended. ``state`` is ``None`` where the service closed it normally."""

    state: RunState | None
    note: str = ""


async def until_stored(store: Callable[[], Awaitable[object]]) -> None:
    """Store something, again and again while the database is away."""
    while True:
        try:
            await store()
        except StoreUnavailable:
            await asyncio.sleep(STORE_RETRY)
        else:
            return


def _slices(event: Event) -> Iterator[Event]:
    """An event, a long piece of output in parts that don't keep the event loop for long."""
    if not isinstance(event, Stdout) or len(event.text) <= SHARE:
        yield event
        return
    for at in range(0, len(event.text), SHARE):
        yield Stdout(event.task, event.text[at : at + SHARE])


class Execution:
    """A run that is going on in this process."""

    def __init__(self, run: Run, tasks: list[Task], workshop: Workshop) -> None:
        self.run = run
        self._shop = workshop
        self._live = LiveRun(
            run,
            workshop.secrets,
            workshop.clock,
            workshop.store.output.append,
            workshop.github_host,
            workshop.meter,
        )
        for task in tasks:
            self._live.add(task)
        self._status: LiveMessage | None = None
        self._messages: dict[int, LiveMessage] = {}
        self._streaming: asyncio.Task[Ending] | None = None
        self._broken_off: Ending | None = None
        self._lost = False
        self._storing: asyncio.Task[None] | None = None  # of the end, while the database is away

    def disown(self) -> None:
        """Another process has taken the run over: let go of the stream, and show and store nothing more."""
        if self._lost:
            return
        self._lost = True
        log.warning("run.lost", run=self.run.id)
        for work in (self._streaming, self._storing):
            if work is not None:
                work.cancel()
        for message in self._all_messages():
            message.abandon()
        self._shop.sessions.forget(self.run)

    def break_off(self, state: RunState, note: str) -> bool:
        """End the stream now. False where it has already ended, or was broken off before: the first reason counts."""
        if self._broken_off is not None or self._live.state.ended:
            return False
        self._broken_off = Ending(state, note)
        if self._streaming is not None:
            self._streaming.cancel()
        return True

    def stop_task(self, task_id: int, by: str) -> bool:
        """Stop one task of several; false where it has ended. With the last one the stream ends too."""
        if not self._live.stop_task(task_id, notes.task_stopped_by(by)):
            return False
        self._messages[task_id].touch(Priority.FIRST)
        if self._status is not None:
            self._status.touch()
        if self._live.deserted:
            self.break_off(RunState.STOPPED, notes.stopped_by(by))
        return True

    async def carry_out(self) -> None:
        """From the request upstream to the last message about it, as long as the run is this process's."""
        log.info(
            "run.started", repo=self.run.invocation.options.repo, tasks=len(self.run.invocation.tasks) or 1
        )
        self._shop.meter.waited.add(max(0.0, self._shop.clock.wall() - self.run.created_at))
        self._shop.reactions.started(self.run)
        self._shop.sessions.started(self.run)
        self._open_messages()
        ticking = self._shop.supervisor.start(f"tick {self.run.id}", self._tick())
        try:
            ending = await self._stream_to_its_end()
        finally:
            ticking.cancel()
        if self._lost:
            return
        self._live.end(ending.state, ending.note or self._failure_note())
        await self._store_end()
        if self._lost:
            return
        self._log_end()
        if await self._show_end():
            self._shop.supervisor.start(f"settle {self.run.id}", self._settle())

    def _open_messages(self) -> None:
        live = self._live
        self._status = self._shop.board.take(self.run)
        if live.combined:
            (task,) = live.tasks.values()
            self._messages[task.record.id] = self._status
            self._status.render = lambda: live.task_frame(task)
        else:
            self._status.render = live.run_frame
            for task in live.tasks.values():
                self._open_task(task)
        self._status.touch(Priority.FIRST)

    def _open_task(self, task: LiveTask) -> LiveMessage:
        # The message must not know this object, which knows it: both would stay until a collection finds them.
        live, shop, run = self._live, self._shop, self.run

        def posted(ref: MessageRef) -> None:
            store = partial(shop.store.runs.task_posted, task.record.id, ref.ts)
            shop.supervisor.start(f"posted {run.id}", until_stored(store))

        message = shop.editor.open(
            thread_of(run),
            lambda: live.task_frame(task),
            key=task_key(run, task.record.id),
            on_posted=posted,
            owner=run.id,
        )
        self._messages[task.record.id] = message
        message.touch(Priority.FIRST)
        return message

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            for message in (self._status, *self._messages.values()):
                if message is not None:
                    message.touch(Priority.IDLE)

    async def _stream_to_its_end(self) -> Ending:
        """Consume the stream in a task of its own, so that stopping it touches nothing else."""
        if self._broken_off is not None:
            return self._broken_off
        self._streaming = self._shop.supervisor.start(f"stream {self.run.id}", self._stream())
        try:
            await asyncio.wait({self._streaming})
        finally:
            self._streaming.cancel()
        if self._broken_off is not None:
            with suppress(asyncio.CancelledError):
                await self._streaming
            return self._broken_off
        if self._streaming.cancelled() or self._streaming.exception() is not None:
            # Logged by the supervisor; whatever it was, the request may have been carried out.
            return Ending(RunState.INTERRUPTED, notes.cut(self._live.elapsed))
        return self._streaming.result()

    async def _stream(self) -> Ending:
        shop = self._shop
        try:
            request = await upstream_request(shop.store, shop.messenger, self.run, shop.github_token)
        except StoreUnavailable:
            return Ending(RunState.FAILED, notes.store_away())
        try:
            async with shop.upstream.invoke(request, self._certain) as batches:
                async for events in batches:
                    for event in events:
                        for slice_ in _slices(event):
                            await shop.turns.take(EVENT + len(getattr(slice_, "text", "")))
                            await self._take_in(slice_)
                    await shop.store.output.room()
        except UpstreamRefused as error:
            return Ending(RunState.FAILED, notes.refused(error.reason, shop.secrets.redact(error.detail)))
        except UpstreamBusy as error:
            return Ending(RunState.FAILED, notes.busy(error.status))
        except UpstreamCut as error:
            log.warning("upstream.cut", reason=error.reason)
            return Ending(RunState.INTERRUPTED, notes.cut(self._live.elapsed))
        return Ending(None)

    async def _certain(self) -> None:
        """Wait until the run is known to be this process's: who has lost it, while frozen perhaps, must not send it."""
        while not self._shop.editor.permitted():  # noqa: ASYNC110  hardly ever more than once
            await asyncio.sleep(MOMENT)

    async def _take_in(self, event: Event) -> None:
        live = self._live
        name = getattr(event, "task", None)
        task = live.task(name if isinstance(event, Stdout | Failure) or name in live.tasks else None)
        if task is None:
            task = await self._unasked(str(name))
        before = live.thread_id
        live.apply(event, task)
        if isinstance(event, Stdout) or task.state.ended:
            self._messages[task.record.id].touch()
            if len(live.tasks) > 1 and self._status is not None:
                self._status.lines = len(live.tasks)
                self._status.touch()
        if live.thread_id is not None and live.thread_id != before:
            shop = self._shop
            conversations = shop.store.conversations
            store = partial(conversations.name_upstream_thread, self.run.conversation, live.thread_id)
            shop.supervisor.start(f"thread {self.run.id}", until_stored(store))

    async def _unasked(self, name: str) -> LiveTask:
        """A task that the service named by itself; where no more can be had, the run's first one stands in."""
        live = self._live
        if len(live.tasks) >= MAX_TASKS:
            name = OVERFLOW
        if name not in live.tasks:
            try:
                record = await self._shop.store.runs.add_task(self.run.id, name)
            except StoreUnavailable:
                return next(iter(live.tasks.values()))
            except RunLost:
                self.disown()
                return next(iter(live.tasks.values()))
            self._open_task(live.add(record))
        return live.tasks[name]

    def _failure_note(self) -> str:
        """The sentence for a run that ended by itself: what the service said went wrong, if anything."""
        return notes.run_failed(self._live.failure) if self._live.failure else ""

    async def _store_end(self) -> None:
        """Store how the run ended; while the database is away that is tried again, beside everything else."""
        try:
            await self._shop.store.output.flush()
            await self._store_row()
        except StoreUnavailable:
            log.warning("run.end_not_stored_yet")
            self._storing = self._shop.supervisor.start(f"end {self.run.id}", self._store_end_later())

    async def _store_row(self) -> None:
        live, store = self._live, self._shop.store
        ended = await store.runs.end(
            self.run.id,
            live.state,
            live.ended_at,
            note=live.note,
            answer=live.answer,
            tasks=live.task_ends(),
            own=True,
            outcome=outcome_of(live),
        )
        if not ended and not await store.ends.mine([self.run.id]):
            self.disown()
            return
        self._shop.home.changed(self.run.workspace, self.run.requester)

    async def _store_end_later(self) -> None:
        await asyncio.sleep(STORE_RETRY)
        await until_stored(self._store_row)

    def _all_messages(self) -> set[LiveMessage]:
        return {*self._messages.values(), *([self._status] if self._status else [])}

    async def _show_end(self) -> bool:
        """The final edits first, then what is posted below them, in the order in which it is read; false: it was lost."""
        live, shop = self._live, self._shop
        await asyncio.gather(*(message.finish() for message in self._all_messages()))
        if self._lost or not await shop.closing.post(self.run, report_of(live)):
            self.disown()
            return False
        shop.reactions.ended(self.run, live.state)
        shop.sessions.ended(self.run, live.state)
        return True

    async def _settle(self) -> None:
        """Slack has everything. Where that can't be stored now, it is looked at again later (see recovery.py)."""
        if self._storing is not None:
            await asyncio.wait({self._storing})
        with suppress(StoreUnavailable):
            await self._shop.store.ends.settle(self.run.id)

    def _log_end(self) -> None:
        live = self._live
        self._shop.meter.ended[live.state.value] += 1
        log.info(
            "run.ended",
            state=live.state.value,
            seconds=live.elapsed,
            tasks=len(live.tasks),
            failed=len(live.failed),
            skipped_events=live.skipped,
        )
