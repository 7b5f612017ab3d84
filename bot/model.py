"""The values that travel between rooms: frozen, and without behaviour beyond what their own fields say."""

from dataclasses import dataclass, fields
from enum import StrEnum


class Model(StrEnum):
    """The agent models that the service offers; ``haiku`` is the smaller, cheaper one."""

    HAIKU = "haiku"
    SONNET = "sonnet"


@dataclass(frozen=True, slots=True)
class Options:
    """What a request may choose; ``None`` where nothing was said.

    ``repo`` is ``owner/name``; ``directory`` is relative to the repository's root.
    """

    repo: str | None = None
    branch: str | None = None
    model: Model | None = None
    directory: str | None = None

    def over(self, other: "Options") -> "Options":
        """These options, with the gaps filled from ``other``."""
        pairs = {field.name: getattr(self, field.name) for field in fields(self)}
        return Options(
            **{name: getattr(other, name) if value is None else value for name, value in pairs.items()}
        )


@dataclass(frozen=True, slots=True)
class TaskPrompt:
    """One named task of a parallel request."""

    name: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of the user's message; ``url`` needs the bot's token; ``size`` in bytes."""

    name: str
    url: str
    mimetype: str
    size: int


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a user asked: a ``prompt``, or (``tasks`` not empty) several named tasks at once.

    With tasks, ``prompt`` is empty. ``options`` are the inline ones until they were resolved.
    """

    prompt: str
    tasks: tuple[TaskPrompt, ...] = ()
    options: Options = Options()
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where messages go: a channel of a workspace, and a thread in it where ``thread_ts`` is set."""

    workspace: str
    channel: str
    thread_ts: str | None = None


@dataclass(frozen=True, slots=True)
class MessageRef:
    """One Slack message."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Audience:
    """One person, and the ways to answer them alone.

    ``response_url`` is Slack's one-time address for answers to a command or a button, where there is one;
    ``is_stranger`` says that their request came from another organisation (Slack Connect).
    """

    workspace: str
    channel: str
    user: str
    thread_ts: str | None = None
    response_url: str | None = None
    is_stranger: bool = False


class Turn(StrEnum):
    """Who speaks in a conversation, in the service's words."""

    HUMAN = "human"
    AI = "ai"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a conversation as the service is told it."""

    role: Turn
    content: str


@dataclass(frozen=True, slots=True)
class Link:
    """Something found in an answer or in output that deserves a button, such as ``View PR #42``."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Person:
    """What access depends on, of one user; ``name`` is their display name."""

    id: str
    name: str
    team: str
    is_bot: bool = False
    is_guest: bool = False
    is_stranger: bool = False
    deleted: bool = False
