"""What a workspace is made of. Times are Unix seconds; JSON values keep Slack's own shapes, since they are the wire."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
Blocks = list[Json]


@dataclass(frozen=True, slots=True)
class Times:
    """Where the simulator reads the time: ``wall`` is Unix time for timestamps, ``monotonic`` is for ages and rates."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class User:
    """A person or a bot. ``guest`` is Slack's ``is_restricted``; a ``stranger`` belongs to another team."""

    id: str
    name: str
    real_name: str
    team: str
    guest: bool = False
    stranger: bool = False
    deactivated: bool = False
    bot_id: str | None = None


class ChannelKind(StrEnum):
    """Slack's ``channel_type``."""

    PUBLIC = "channel"
    PRIVATE = "group"
    DIRECT = "im"


@dataclass(slots=True)
class Channel:
    """A conversation. ``members`` are user ids, the app's bot user among them where it takes part."""

    id: str
    name: str
    kind: ChannelKind
    members: list[str]
    archived: bool = False
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Version:
    """What a message showed from ``at`` on. ``edited``: whether Slack labels it "(edited)"."""

    at: float
    text: str
    blocks: Blocks
    edited: bool = False


@dataclass(frozen=True, slots=True)
class ReactionChange:
    """One reaction set (``added``) or taken back by ``user`` at ``at``."""

    at: float
    name: str
    user: str
    added: bool


@dataclass(slots=True, eq=False)
class File:
    """A file from the asking for its upload address to its sharing; ``content`` is ``None`` until uploaded."""

    id: str
    name: str
    size: int
    user: str
    title: str
    content: bytes | None = None
    completed: bool = False
    shares: list[tuple[str, str]] = field(default_factory=list)  # (channel, ts)

    @property
    def text(self) -> str:
        """The content, read as UTF-8."""
        return (self.content or b"").decode("utf-8", "replace")


@dataclass(slots=True, eq=False)
class Message:
    """One message with everything it ever showed; ``user`` is its author's id, ``bot_id`` set where an app wrote it."""

    channel: str
    ts: str
    user: str
    versions: list[Version]
    thread_ts: str | None = None
    bot_id: str | None = None
    subtype: str | None = None
    metadata: Json | None = None
    files: list[File] = field(default_factory=list)
    reactions: dict[str, list[str]] = field(default_factory=dict)
    reaction_log: list[ReactionChange] = field(default_factory=list)
    deleted: bool = False
    closed_for_edits: bool = False

    @property
    def text(self) -> str:
        """Its ``text`` now, in Slack's escaped form."""
        return self.versions[-1].text

    @property
    def blocks(self) -> Blocks:
        """Its blocks now."""
        return self.versions[-1].blocks

    @property
    def edited(self) -> bool:
        """Whether Slack labels it "(edited)" now."""
        return self.versions[-1].edited

    @property
    def in_thread(self) -> bool:
        """Whether it is a reply, not the root of its thread."""
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass(slots=True, eq=False)
class Ephemeral:
    """A message that one user alone sees.

    ``via``: ``api``, ``response_url``, ``ack`` (the body of an acknowledgement) or ``slackbot`` (Slack's own words
    about an app that did not answer).
    """

    channel: str
    user: str
    ts: str
    text: str
    blocks: Blocks
    via: str
    thread_ts: str | None = None
    deleted: bool = False


@dataclass(slots=True, eq=False)
class View:
    """A modal or a home. ``view`` is what the app sent; ``errors`` what it last answered to a submission (block id → words).

    ``values`` is what the user filled in so far: block id → action id → Slack's state of that element.
    """

    id: str
    user: str
    view: Json
    hash: str
    root: str
    previous: str | None = None
    open: bool = True
    values: dict[str, Json] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    history: list[Json] = field(default_factory=list)

    @property
    def blocks(self) -> Blocks:
        """Its blocks now."""
        return list(self.view["blocks"])


@dataclass(slots=True, eq=False)
class Session:
    """An agent's session in a thread: its states in order, as ``agents.sessions.setStatus`` set them."""

    channel: str
    thread_ts: str
    statuses: list[str]


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One answered call of the Web API; ``error`` is ``None`` where it was ``ok``."""

    at: float
    method: str
    args: Json
    status: int
    error: str | None
