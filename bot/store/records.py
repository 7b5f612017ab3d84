"""Rows as frozen values. Times are Unix seconds; ids of runs are short words that people can read out."""

from dataclasses import dataclass, field

from bot.core.run import RunState, TaskState
from bot.model import Invocation, Link, Options


@dataclass(frozen=True, slots=True)
class Conversation:
    """One Slack thread. ``thread_ts`` is ``None`` until the root message of a command was posted.

    ``upstream_thread`` is the service's id of the conversation, where it named one.
    """

    id: int
    workspace: str
    channel: str
    thread_ts: str | None
    options: Options
    upstream_thread: str | None = None
    muted: bool = False


@dataclass(frozen=True, slots=True)
class UserSettings:
    """What a person has set for themselves; ``notify``: whether a long run's end mentions them."""

    options: Options = field(default_factory=Options)
    notify: bool = True


@dataclass(frozen=True, slots=True)
class NewRun:
    """What intake stores before a request is acknowledged.

    ``conversation`` is ``None`` for a new thread; ``turn`` is the ordinal of the turn that a retry repeats
    (``None``: the next one); ``in_thread`` is true where the run's status is shown inside the thread instead of
    a root message of its own; ``request_ts`` is the user's message, where the request was one; ``status_ts`` the
    message that already shows this run's earlier attempt; ``focus`` the task whose history a ``name: text``
    reply continues.
    """

    workspace: str
    channel: str
    requester: str
    invocation: Invocation
    conversation: int | None = None
    thread_ts: str | None = None
    in_thread: bool = False
    request_ts: str | None = None
    turn: int | None = None
    attempt: int = 1
    status_ts: str | None = None
    focus: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of an invocation.

    ``seq`` orders the queue. ``ready`` says that it was admitted and its status message posted. ``note`` is the
    sentence shown while it waits and with its end; ``held`` says that it waits for a person's decision; ``answer`` the
    agent's own words, redacted.
    """

    id: str
    seq: int
    workspace: str
    channel: str
    conversation: int
    turn: int
    thread_ts: str | None
    requester: str
    invocation: Invocation
    state: RunState
    in_thread: bool
    request_ts: str | None
    status_ts: str | None
    focus: str | None
    attempt: int
    ready: bool
    owner: str | None
    note: str
    answer: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One named strand of a run's output; ``ts`` its message, once posted; ``log_file`` its complete output in Slack."""

    id: int
    run: str
    position: int
    name: str
    state: TaskState
    ts: str | None = None
    line_count: int = 0
    answer: str = ""
    note: str = ""
    ended_at: float | None = None
    log_file: str | None = None


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """What is stored of a task when its run ends."""

    id: int
    state: TaskState
    line_count: int
    answer: str
    note: str
    ended_at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is posted below a run's final states, redacted: so that another process can do it where this one dies.

    ``answers`` are the agent's last words, each with its task's name where there are several; ``push`` what it said of
    its last push. ``links`` deserve buttons in the final state; ``name`` is what the service called the only task.
    """

    answers: tuple[tuple[str | None, str], ...] = ()
    push: str = ""
    links: tuple[Link, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class PastTurn:
    """One earlier exchange of a conversation: what was asked and, possibly empty, what was answered."""

    ordinal: int
    prompt: str
    answer: str
