"""A run's state in memory while it streams: typed events in, frames out. Nothing here waits for anything."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.clock import Clock
from bot.cloudcoding.events import Answer, Event, Failure, Push, Stdout, ThreadNamed
from bot.core.links import LinkFinder
from bot.core.redact import Redactor, Secrets
from bot.core.run import RunState, TaskState, advance_run, advance_task, run_end, task_end
from bot.core.terminal import Tail, Terminal
from bot.core.text import escape
from bot.meter import Meter
from bot.model import Link
from bot.runs.board import redacted, shown_options
from bot.runs.frames import RunFrame, TaskFrame, TaskLine
from bot.store.records import Run, Task, TaskEnd
from bot.words.notes import task_failed

ROWS = 30
CHARS = 2_500
SUMMARY_CHARS = 2_000
_ESCAPED_CHARS = 2_900  # what a message has room for, in which Slack counts `&amp;` where it shows `&`


def shown_tail(terminal: Terminal) -> Tail:
    """The end of some output, as much as a message shows of it."""
    chars = CHARS
    while len(escape((tail := terminal.tail(ROWS, chars)).text)) > _ESCAPED_CHARS:
        chars = chars * 3 // 4
    return tail


class LiveTask:
    """One task: what it printed, as a terminal shows it, and how it stands."""

    def __init__(self, record: Task, secrets: Secrets, repo: str | None, host: str, now: float) -> None:
        self.record = record
        self.name = secrets.redact(record.name)
        self.state = TaskState.RUNNING
        self.note = ""
        self.answer = ""
        self.heard = False
        self.started = now
        self.ended: float | None = None
        self.unseen: float | None = None  # since when there is output that no frame has shown
        self.terminal = Terminal()
        self.links = LinkFinder(repo, host)
        self._redactor = Redactor(secrets)

    def feed(self, text: str) -> str:
        """Take what the task printed; returns the part that may be shown and kept now, redacted."""
        self.heard = True
        return self._show(self._redactor.feed(text))

    def _show(self, text: str) -> str:
        if text:
            self.terminal.feed(text)
            self.links.feed(text)
        return text

    def end(self, state: TaskState, now: float, note: str = "") -> str:
        """Make the state final, once; returns what the redactor had held back."""
        if self.state.ended:
            return ""
        self.state = advance_task(self.state, state)
        self.ended = now
        self.note = note or self.note
        rest = self._show(self._redactor.flush())
        self.links.flush()
        return rest

    def tail(self) -> Tail:
        """What its message shows of its output."""
        return shown_tail(self.terminal)

    def elapsed(self, now: float) -> int:
        """Whole seconds, up to its end."""
        return int((self.ended if self.ended is not None else now) - self.started)

    def summary(self) -> str:
        """What the next turn is told that this task answered: its answer, or else the end of its output."""
        if self.answer:
            return self.answer
        tail = self.terminal.tail(ROWS, SUMMARY_CHARS).text
        return f"(no answer; the end of its output)\n{tail}" if tail else ""


@dataclass(slots=True)
class LiveRun:
    """One run while it streams.

    ``keep`` takes each task's redacted output for the complete log. A task's message shows the run's buttons
    too (``combined``) where the run has no root message of its own.
    """

    run: Run
    secrets: Secrets
    clock: Clock
    keep: Callable[[int, str], None]
    host: str = "github.com"
    meter: Meter = field(default_factory=Meter)
    tasks: dict[str, LiveTask] = field(default_factory=dict)
    state: RunState = RunState.RUNNING
    note: str = ""
    thread_id: str | None = None
    started: float = 0.0
    ended: float | None = None
    failure: str = ""
    pushes: list[str] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    _answers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.started = self.clock.monotonic()

    @property
    def combined(self) -> bool:
        """Whether the only task's message stands for the run as well."""
        return self.run.in_thread and not self.run.invocation.tasks

    def add(self, record: Task) -> LiveTask:
        """A task of this run, asked for or not."""
        repo = self.run.invocation.options.repo
        task = LiveTask(record, self.secrets, repo, self.host, self.clock.monotonic())
        self.tasks[record.name] = task
        return task

    def task(self, name: str | None) -> LiveTask | None:
        """The task that an event with this name belongs to; ``None`` where it must be added first.

        An event without a name belongs to the run's first task. A single run's task takes the name that the
        service gives it first, as long as it has printed nothing under its own.
        """
        first = next(iter(self.tasks.values()))
        if name is None:
            return first
        if name in self.tasks:
            return self.tasks[name]
        if not self.run.invocation.tasks and not first.heard and len(self.tasks) == 1:
            self.tasks = {name: first}
            first.name = self.secrets.redact(name)
            return first
        return None

    def apply(self, event: Event, task: LiveTask) -> None:
        """Let one event change the state; ``task`` is the one that it belongs to."""
        match event:
            case Stdout() if task.state is TaskState.STOPPED:
                pass  # the service goes on with it, but nobody wants to see that any more
            case Stdout(text=text):
                if task.unseen is None:
                    task.unseen = self.clock.monotonic()
                self._keep(task, task.feed(text))
            case Answer(run=run, text=text):
                text = self.secrets.redact(text)
                name = event.task or self._task_asked(event.asked)
                self._answers[name or run or ""] = text
                if name in self.tasks:
                    self.tasks[name].answer = text
            case ThreadNamed(thread_id=thread_id):
                self.thread_id = thread_id
            case Failure(task=None, text=text):
                self.failure = self.secrets.redact(text)
            case Failure(text=text):
                note = task_failed(self.secrets.redact(text))
                self._keep(task, task.end(TaskState.FAILED, self.clock.monotonic(), note))
            case Push(text=text):
                self.pushes.append(self.secrets.redact(text))
            case _:
                kind = type(event).__name__.lower()
                self.skipped[kind] = self.skipped.get(kind, 0) + 1

    def _task_asked(self, prompt: str | None) -> str | None:
        """The one task whose prompt this is: how an answer is told whose it is where the service names no task."""
        said = f"{(prompt or '').strip()}\n"  # a directory may have been added below it
        asked = [task.name for task in self.run.invocation.tasks if said.startswith(f"{task.prompt}\n")]
        return asked[0] if len(asked) == 1 else None

    def stop_task(self, task_id: int, note: str) -> bool:
        """Hide one task from now on; false where it has ended already. The service has no way to end it alone."""
        task = next((task for task in self.tasks.values() if task.record.id == task_id), None)
        if task is None or task.state.ended:
            return False
        self._keep(task, task.end(TaskState.STOPPED, self.clock.monotonic(), note))
        return True

    @property
    def deserted(self) -> bool:
        """Whether nothing is left to wait for: every task has ended, and one of them by a stop."""
        states = [task.state for task in self.tasks.values()]
        return all(state.ended for state in states) and TaskState.STOPPED in states

    def _keep(self, task: LiveTask, text: str) -> None:
        if text:
            self.keep(task.record.id, text)

    def end(self, state: RunState | None, note: str) -> None:
        """Make the run and what still runs of its tasks final. ``None``: the stream closed normally."""
        now = self.clock.monotonic()
        if state is None:
            state = RunState.FAILED if self.failure else run_end([t.state for t in self.tasks.values()])
            tasks_end = TaskState.FAILED if self.failure else TaskState.DONE
        else:
            tasks_end = task_end(state)
        self.state = advance_run(self.state, state)
        self.ended = now
        self.note = note
        for task in self.tasks.values():
            self._keep(task, task.end(tasks_end, now))

    @property
    def elapsed(self) -> int:
        """Whole seconds since the start, or of the whole run."""
        return int((self.ended if self.ended is not None else self.clock.monotonic()) - self.started)

    @property
    def ended_at(self) -> float:
        """When it ended, as Unix time."""
        return self._wall(self.ended)

    def _wall(self, then: float | None) -> float:
        now = self.clock.monotonic()
        return self.clock.wall() - (now - (now if then is None else then))

    @property
    def answers(self) -> tuple[tuple[str | None, str], ...]:
        """The agent's last words, each with its task's name where the service said one, without repetition."""
        several = len(self._answers) > 1
        told = [
            (self.tasks[key].name if several and key in self.tasks else None, text)
            for key, text in self._answers.items()
        ]
        named = {text for name, text in told if name is not None}
        return tuple(dict.fromkeys(one for one in told if one[0] is not None or one[1] not in named))

    @property
    def answer(self) -> str:
        """What later turns are told that this run answered."""
        if self._answers:
            return "\n\n".join(f"{name}:\n{text}" if name else text for name, text in self.answers)
        if not self.run.invocation.tasks:
            return ""
        told = ((task.name, task.summary()) for task in self.tasks.values())
        return "\n\n".join(f"{name}:\n{text}" for name, text in told if text)

    @property
    def links(self) -> tuple[Link, ...]:
        """What deserves a button once the run has ended."""
        finder = LinkFinder(self.run.invocation.options.repo, self.host)
        found = (link.url for task in self.tasks.values() for link in task.links.found())
        for text in (*self._answers.values(), *self.pushes, *found):
            finder.feed(f"{text}\n")
        finder.flush()
        return finder.found()

    def run_frame(self) -> RunFrame:
        """What the root message shows now."""
        ended = self.state.ended
        several = len(self.tasks) > 1
        return RunFrame(
            run=self.run.id,
            state=self.state,
            requester=self.run.requester,
            prompt=self.secrets.redact(self.run.invocation.prompt),
            tasks=redacted(self.run, self.secrets),
            options=shown_options(self.run, self.secrets),
            attempt=self.run.attempt,
            elapsed=self.elapsed if ended else None,
            lines=self._lines() if several or not ended else (),  # one task's end is the run's
            note=self.note,
            links=self.links if ended else (),
            failed_tasks=len(self.failed) if ended and self.run.invocation.tasks else 0,
        )

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the tasks that failed."""
        return tuple(task.name for task in self.tasks.values() if task.state is TaskState.FAILED)

    def _lines(self) -> tuple[TaskLine, ...]:
        now = self.clock.monotonic()
        return tuple(
            TaskLine(
                task.name,
                task.state,
                task.elapsed(now),
                "" if task.state.ended else task.terminal.last_line(),
            )
            for task in self.tasks.values()
        )

    def task_frame(self, task: LiveTask) -> TaskFrame:
        """What one task's message shows now."""
        if task.unseen is not None:
            self.meter.staleness.add(self.clock.monotonic() - task.unseen)
            task.unseen = None
        return TaskFrame(
            run=self.run.id,
            name=task.name,
            state=task.state,
            elapsed=task.elapsed(self.clock.monotonic()),
            line_count=task.terminal.line_count,
            tail=task.tail(),
            note=task.note or (self.note if self.combined else ""),
            controls=self.combined,
            task=None if self.combined or task.state.ended or len(self.tasks) == 1 else task.record.id,
            links=self.links if self.combined and self.state.ended else (),
        )

    def task_ends(self) -> list[TaskEnd]:
        """What is stored of the tasks at the end."""
        return [
            TaskEnd(
                task.record.id,
                task.state,
                task.terminal.line_count,
                task.summary(),
                task.note,
                self._wall(task.ended),
            )
            for task in self.tasks.values()
        ]
