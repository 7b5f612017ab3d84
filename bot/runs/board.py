"""The status message of every run that hasn't ended: first it waits in the queue, then the runner takes it over."""

from dataclasses import dataclass, replace

from bot.core.redact import Secrets
from bot.core.run import RunState, TaskState
from bot.core.terminal import Tail
from bot.model import MessageRef, Options, Place, TaskPrompt
from bot.runs.editor import Editor, LiveMessage
from bot.runs.frames import Frame, RunFrame, TaskFrame
from bot.store.records import Run


@dataclass(slots=True)
class _Waiting:
    run: Run
    position: int | None
    message: LiveMessage


def thread_of(run: Run) -> Place:
    """The thread in which a run's messages stand."""
    return Place(run.workspace, run.channel, run.thread_ts)


def status_key(run: Run) -> str:
    """The name of its status message, by which that is found where nobody knows whether it was posted."""
    return f"{run.id}:root"


def task_key(run: Run, task: int) -> str:
    """The name of a task's own message."""
    return f"{run.id}:task:{task}"


def combined(run: Run) -> bool:
    """Whether one message is both the run's and its only task's: a reply with a single prompt."""
    return run.in_thread and not run.invocation.tasks


def is_reply(run: Run) -> bool:
    """Whether the run goes on with a conversation, instead of opening one."""
    return run.in_thread and run.turn > 1


def redacted(run: Run, secrets: Secrets) -> tuple[TaskPrompt, ...]:
    """The run's named tasks as they may be shown."""
    return tuple(
        TaskPrompt(secrets.redact(task.name), secrets.redact(task.prompt)) for task in run.invocation.tasks
    )


def shown_options(run: Run, secrets: Secrets) -> Options:
    """The run's options as they may be shown: people paste tokens into anything."""
    options = run.invocation.options

    def shown(value: str | None) -> str | None:
        return None if value is None else secrets.redact(value)

    return replace(
        options, repo=shown(options.repo), branch=shown(options.branch), directory=shown(options.directory)
    )


def still_frame(
    secrets: Secrets, run: Run, state: RunState, position: int | None = None, note: str = ""
) -> RunFrame | TaskFrame:
    """The status of a run that isn't streaming here: before its first byte, or after an end without any."""
    if combined(run):
        return TaskFrame(
            run=run.id,
            name=secrets.redact(run.focus or "task"),
            state=state if state is RunState.QUEUED else TaskState(state.value),
            elapsed=0,
            line_count=0,
            tail=Tail(""),
            note=note,
            position=position,
            controls=True,
            reply=is_reply(run),
        )
    return RunFrame(
        run=run.id,
        state=state,
        requester=run.requester,
        prompt=secrets.redact(run.invocation.prompt),
        tasks=redacted(run, secrets),
        options=shown_options(run, secrets),
        attempt=run.attempt,
        position=position,
        note=note,
        reply=is_reply(run),
    )


class Board:
    """Shows runs while they wait, and hands their messages on."""

    def __init__(self, editor: Editor, secrets: Secrets) -> None:
        self._editor = editor
        self._secrets = secrets
        self._waiting: dict[str, _Waiting] = {}
        self._held: dict[str, LiveMessage | None] = {}
        self._inherited: set[str] = set()

    def show(self, run: Run, position: int | None) -> LiveMessage:
        """Post or edit the status message of a queued run; no ``position`` means that it starts at once."""
        waiting = self._waiting.get(run.id)
        if waiting is None:
            message = self._open(run)
            waiting = self._waiting[run.id] = _Waiting(run, position, message)
            message.render = lambda: self._frame(waiting)
            message.touch()
        elif (waiting.position, waiting.run) != (position, run):
            waiting.run, waiting.position = run, position
            waiting.message.touch()
        return waiting.message

    def inherit(self, run: Run) -> None:
        """It was another process's, which may have posted its message without having stored where."""
        self._inherited.add(run.id)

    def waiting(self) -> list[Run]:
        """The runs that are shown here while they wait."""
        return [waiting.run for waiting in self._waiting.values()]

    def rewrite(self, run: Run) -> None:
        """Show what a queued run asks now, where it is shown here."""
        waiting = self._waiting.get(run.id)
        if waiting is not None:
            self.show(run, waiting.position)

    def place(self, run_id: str, position: int | None, note: str) -> bool:
        """Edit the status message of a queued run where its place has changed; false where it isn't shown here."""
        waiting = self._waiting.get(run_id)
        if waiting is None:
            return False
        if (waiting.position, waiting.run.note) != (position, note):
            self.show(replace(waiting.run, note=note), position)
        return True

    def _open(self, run: Run) -> LiveMessage:
        place = thread_of(run) if run.in_thread else Place(run.workspace, run.channel)
        ref = MessageRef(run.channel, run.status_ts) if run.status_ts else None
        since = run.created_at if run.id in self._inherited else None
        self._inherited.discard(run.id)
        return self._editor.open(
            place,
            lambda: still_frame(self._secrets, run, RunState.QUEUED),
            ref=ref,
            key=status_key(run),
            since=since,
            owner=run.id,
        )

    def take(self, run: Run) -> LiveMessage:
        """The status message, from now on in the caller's hands."""
        waiting = self._waiting.pop(run.id, None)
        message = waiting.message if waiting else self._open(run)
        if run.id in self._held:
            self._held[run.id] = message
            message.hold()
        return message

    def hold(self, run_id: str) -> None:
        """Let nothing be sent of the run's status message until ``release``, whoever takes it."""
        self._held[run_id] = None

    def release(self, run_id: str) -> None:
        """The process that showed the run until now does so no more."""
        message = self._held.pop(run_id, None)
        if message is not None:
            message.release()

    async def let_go(self, run_id: str) -> None:
        """Show the run no more, since another process does; returns when nothing of ours is on its way to Slack."""
        waiting = self._waiting.pop(run_id, None)
        if waiting is not None:
            waiting.message.abandon()
            await waiting.message.quiet.wait()

    async def close(self, run: Run, state: RunState, note: str) -> MessageRef | None:
        """Show the end of a run that never started; returns where, once Slack has it."""
        on_its_way = run.id in self._waiting
        message = self.take(run)
        if on_its_way and message.ref is None and run.status_ts is None:
            await message.posted()
        message.render = lambda: still_frame(self._secrets, run, state, None, note)
        await message.finish()
        return message.ref

    def forget(self, run: Run) -> None:
        """Show nothing more of this run: it was refused before anything was posted."""
        self._inherited.discard(run.id)
        waiting = self._waiting.pop(run.id, None)
        if waiting is not None:
            waiting.message.abandon()

    def _frame(self, waiting: _Waiting) -> Frame:
        state = RunState.RUNNING if waiting.position is None else RunState.QUEUED
        note = waiting.run.note if state is RunState.QUEUED else ""
        return still_frame(self._secrets, waiting.run, state, waiting.position, note)
