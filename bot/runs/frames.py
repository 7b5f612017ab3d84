"""What a message should show now, as values; the Slack edge turns them into blocks.

Texts named ``note`` are our own sentences in Slack's mrkdwn, already escaped and redacted. Everything else
(prompts, names, output, answers) is plain text that was redacted but not escaped: escaping belongs to whoever
knows the target.
"""

from dataclasses import dataclass

from bot.core.run import RunState, TaskState
from bot.core.terminal import Tail
from bot.model import Link, Options, TaskPrompt


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One task in the root message's roll-up; ``elapsed`` in whole seconds."""

    name: str
    state: TaskState
    elapsed: int
    last_line: str


@dataclass(frozen=True, slots=True)
class RunFrame:
    """The root message of a run.

    ``position`` is the 1-based place in the queue while queued; ``elapsed`` whole seconds since the start, or
    the run's duration once it ended; ``failed_tasks`` how many a *Retry failed* would run again (0: no button).
    ``reply`` is true where this goes on with a conversation: while queued it can be dropped, or sent now.
    """

    run: str
    state: RunState
    requester: str
    prompt: str
    tasks: tuple[TaskPrompt, ...]
    options: Options
    attempt: int = 1
    position: int | None = None
    elapsed: int | None = None
    lines: tuple[TaskLine, ...] = ()
    note: str = ""
    links: tuple[Link, ...] = ()
    failed_tasks: int = 0
    reply: bool = False


@dataclass(frozen=True, slots=True)
class TaskFrame:
    """The message of one task.

    ``state`` is a task's state, or ``RunState.QUEUED`` for a reply that waits (then ``position`` is its place).
    ``controls`` is true where this message also stands for its run (a reply's only task): it then carries the
    run's ``Stop``, ``Retry`` and link buttons. ``task`` is the task's own id where it may be stopped alone.
    ``reply`` is as in a RunFrame.
    """

    run: str
    name: str
    state: TaskState | RunState
    elapsed: int
    line_count: int
    tail: Tail
    note: str = ""
    position: int | None = None
    controls: bool = False
    links: tuple[Link, ...] = ()
    task: int | None = None
    reply: bool = False


@dataclass(frozen=True, slots=True)
class AnswerFrame:
    """One message's worth of the agent's answer, in Markdown."""

    markdown: str


@dataclass(frozen=True, slots=True)
class NoteFrame:
    """A sentence of ours in the thread, such as the one that mentions the user at the end."""

    note: str


Frame = RunFrame | TaskFrame | AnswerFrame | NoteFrame
