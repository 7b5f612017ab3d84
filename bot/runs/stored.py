"""A run that has ended as its rows tell it: what its messages show, and what belongs below them."""

import codecs
from dataclasses import dataclass

from bot.core.links import LinkFinder
from bot.core.redact import Secrets
from bot.core.run import TaskState
from bot.core.terminal import Tail, Terminal
from bot.model import Link
from bot.runs.board import combined, redacted, shown_options
from bot.runs.closing import Log, Report, needs_log
from bot.runs.frames import RunFrame, TaskFrame, TaskLine
from bot.runs.live import shown_tail
from bot.store.records import Outcome, Run, Task
from bot.store.store import Store

KEPT = 20_000  # characters of a task's stored output from which its last screen is made again


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task, and the end of its output; ``cut``: that isn't all of it."""

    record: Task
    tail: Tail
    line_count: int
    cut: bool
    links: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run with all that is stored of it; ``posted`` is how many closing messages it has."""

    run: Run
    tasks: tuple[StoredTask, ...]
    outcome: Outcome
    posted: int
    secrets: Secrets

    @property
    def elapsed(self) -> int:
        """Whole seconds from its start to its end."""
        return self._seconds(self.run.ended_at)

    def _seconds(self, until: float | None) -> int:
        run = self.run
        started = run.started_at if run.started_at is not None else run.created_at
        return max(0, int((until or run.ended_at or started) - started))

    def report(self) -> Report:
        """What belongs below its final states."""
        logs = (
            Log(task.record.id, self._name(task), task.record.log_file)
            for task in self.tasks
            if task.cut or needs_log(task.tail)
        )
        return Report(self.run.state, self.elapsed, self.outcome, tuple(logs))

    def run_frame(self) -> RunFrame:
        """What its root message shows for good."""
        run = self.run
        failed = sum(task.record.state is TaskState.FAILED for task in self.tasks)
        lines = (
            TaskLine(self._name(task), self._state(task), self._seconds(task.record.ended_at), "")
            for task in self.tasks
        )
        return RunFrame(
            run=run.id,
            state=run.state,
            requester=run.requester,
            prompt=self.secrets.redact(run.invocation.prompt),
            tasks=redacted(run, self.secrets),
            options=shown_options(run, self.secrets),
            attempt=run.attempt,
            elapsed=self.elapsed,
            lines=tuple(lines) if len(self.tasks) > 1 else (),
            note=run.note,
            links=self._links(),
            failed_tasks=failed if run.invocation.tasks else 0,
        )

    def task_frame(self, task: StoredTask) -> TaskFrame:
        """What one task's message shows for good."""
        whole = combined(self.run)
        return TaskFrame(
            run=self.run.id,
            name=self._name(task),
            state=self._state(task),
            elapsed=self._seconds(task.record.ended_at),
            line_count=task.line_count,
            tail=task.tail,
            note=task.record.note or (self.run.note if whole else ""),
            controls=whole,
            links=self._links() if whole else (),
        )

    def _name(self, task: StoredTask) -> str:
        return self.outcome.name or self.secrets.redact(task.record.name)

    def _state(self, task: StoredTask) -> TaskState:
        return task.record.state if task.record.state.ended else TaskState(self.run.state.value)

    def _links(self) -> tuple[Link, ...]:
        """Those that were stored; of a run that was interrupted, those in its tasks' last output."""
        return self.outcome.links or tuple(dict.fromkeys(link for task in self.tasks for link in task.links))


async def stored_run(store: Store, secrets: Secrets, run: Run, host: str) -> StoredRun:
    """Read it; ``host`` is where GitHub is. Raises StoreUnavailable."""
    outcome, posted = await store.ends.outcome(run.id)
    repo = run.invocation.options.repo
    tasks = [await _task(store, task, repo, host) for task in await store.runs.tasks(run.id)]
    if run.invocation.tasks or len(tasks) > 1:
        outcome = Outcome(outcome.answers, outcome.push, outcome.links)
    return StoredRun(run, tuple(tasks), outcome, posted, secrets)


async def _task(store: Store, task: Task, repo: str | None, host: str) -> StoredTask:
    """A task with its last screen; lines that have scrolled out of what is read again count by their line feeds."""
    decoder, kept, feeds = codecs.getincrementaldecoder("utf-8")("replace"), "", 0
    async for piece in store.output.read(task.id):
        text = kept + decoder.decode(piece)
        kept = text[-KEPT:]
        feeds += text.count("\n", 0, len(text) - len(kept))
    terminal = Terminal()
    terminal.feed(kept)
    finder = LinkFinder(repo, host)
    finder.feed(kept)
    finder.flush()
    tail = shown_tail(terminal)
    count = max(task.line_count, feeds + terminal.line_count)
    cut = feeds > 0 or len(kept) == KEPT
    return StoredTask(task, Tail(tail.text, tail.hidden + feeds, tail.cut), count, cut, finder.found())
