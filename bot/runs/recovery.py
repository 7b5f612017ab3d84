"""What a dead process left behind: runs that were going on become interrupted, the others are taken up again."""

from dataclasses import replace

import structlog

from bot import words
from bot.clock import Clock
from bot.core.run import RunState, TaskState
from bot.core.terminal import Terminal
from bot.errors import SlackError
from bot.model import Audience, MessageRef
from bot.runs.admission import Admission
from bot.runs.board import combined, still_frame, thread_of
from bot.runs.frames import Frame, RunFrame, TaskFrame
from bot.runs.live import shown_tail
from bot.runs.runner import Workshop
from bot.store.records import Run, Task

log = structlog.get_logger("bot.recovery")

KEPT = 20_000  # characters of a task's stored output from which its last screen is made again


class Recovery:
    """Brings the messages of interrupted runs up to date, once, at the start."""

    def __init__(self, workshop: Workshop, admission: Admission, owner: str) -> None:
        self._shop = workshop
        self._admission = admission
        self._owner = owner

    @property
    def _clock(self) -> Clock:
        return self._shop.clock

    async def run(self) -> None:
        """Settle everything that no living process owns."""
        queue = self._shop.store.queue
        for run in await queue.orphans(self._owner):
            await self._interrupt(run)
        self._admission.queue.wake()  # their conversations are free again
        for run in await queue.unprepared():
            log.info("recovery.taken_up", run=run.id)
            await self._admission.admit(
                run, Audience(run.workspace, run.channel, run.requester, run.thread_ts)
            )

    async def _interrupt(self, run: Run) -> None:
        # Not sent again: the service may have carried it out, and billed it.
        shop, now = self._shop, self._clock.wall()
        if not await shop.store.runs.end(run.id, RunState.INTERRUPTED, now, note=words.process_died()):
            return
        log.warning("recovery.interrupted", run=run.id)
        shop.reactions.ended(run, RunState.INTERRUPTED)
        for task in await shop.store.runs.tasks(run.id):
            frame = await self._task_frame(run, task)
            ts = run.status_ts if combined(run) and task.position == 0 else task.ts
            shop.supervisor.start(f"recovery {run.id}", self._show(run, ts, frame))
        if not combined(run):
            frame_ = still_frame(shop.secrets, run, RunState.INTERRUPTED, note=words.process_died())
            shop.supervisor.start(
                f"recovery {run.id}", self._show(run, run.status_ts, self._timed(run, frame_))
            )

    def _timed(self, run: Run, frame: RunFrame | TaskFrame) -> Frame:
        return replace(frame, elapsed=int(self._clock.wall() - (run.started_at or self._clock.wall())))

    async def _task_frame(self, run: Run, task: Task) -> TaskFrame:
        terminal = Terminal()
        terminal.feed(await self._shop.store.output.tail(task.id, KEPT))
        own = combined(run) and task.position == 0
        return TaskFrame(
            run=run.id,
            name=self._shop.secrets.redact(task.name),
            state=task.state if task.state.ended else TaskState.INTERRUPTED,
            elapsed=int((task.ended_at or self._clock.wall()) - (run.started_at or self._clock.wall())),
            line_count=max(task.line_count, terminal.line_count),
            tail=shown_tail(terminal),
            note=words.process_died() if own else task.note,
            controls=own,
        )

    async def _show(self, run: Run, ts: str | None, frame: Frame) -> None:
        ref = MessageRef(run.channel, ts) if ts else None
        message = self._shop.editor.open(thread_of(run), lambda: frame, ref=ref, owner=run.id)
        try:
            await message.finish()
        except SlackError as error:
            log.warning("recovery.not_shown", run=run.id, error=str(error))
