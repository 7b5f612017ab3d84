"""The state of a local Slack, and everything that can be done to it. Each change is told to the hub."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bot.simulator.slack import fixtures
from bot.simulator.slack.blocks import with_ids
from bot.simulator.slack.flatten import flatten, visible
from bot.simulator.slack.hub import Hub, Kind
from bot.simulator.slack.model import (
    Blocks,
    Channel,
    ChannelKind,
    Ephemeral,
    File,
    Json,
    Message,
    ReactionChange,
    Session,
    Times,
    User,
    Version,
    View,
)

TEXT_CUT: Final = 40_000
TRIGGER_SECONDS: Final = 3.0
RESPONSE_URL_SECONDS: Final = 30 * 60.0
RESPONSE_URL_USES: Final = 5


@dataclass(slots=True)
class Trigger:
    """The right to open one view, given with a command or an interaction; ``view`` is the modal it came from."""

    user: str
    at: float
    used: bool = False
    view: str | None = None


@dataclass(slots=True)
class ResponseUrl:
    """The right to answer a command or an interaction; ``origin`` is the message whose button was pressed."""

    channel: str
    user: str
    at: float
    origin: Message | Ephemeral | None = None
    uses: int = 0


class Workspace:
    """One team: its people, channels, messages, files, views, and the rights handed out to the app."""

    def __init__(self, times: Times, app: fixtures.App) -> None:
        self.times = times
        self.app = app
        self.base_url = ""
        self.hub = Hub()
        self.users = {user.id: user for user in fixtures.users(app)}
        self.channels = {channel.id: channel for channel in fixtures.channels(app)}
        self.history: list[Message] = []
        self.ephemerals: list[Ephemeral] = []
        self.files: dict[str, File] = {}
        self.views: dict[str, View] = {}
        self.homes: dict[str, View] = {}
        self.sessions: dict[tuple[str, str], Session] = {}
        self.prompts: dict[str, list[Json]] = {}
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self._by_ts: dict[tuple[str, str], Message] = {}
        self._threads: dict[tuple[str, str], list[Message]] = {}
        self.tickets: set[str] = set()
        self._serial = itertools.count(1)
        self._last_ts = 0

    # Names

    @property
    def names(self) -> dict[str, str]:
        """Ids of users and channels → what people call them."""
        people = {user.id: user.name for user in self.users.values()}
        return people | {channel.id: channel.name for channel in self.channels.values()}

    def user(self, who: str) -> User:
        """The user with this id or name (``ann``, ``@ann``); ``KeyError`` where there is none."""
        found = self.users.get(who) or next(
            (u for u in self.users.values() if u.name == who.lstrip("@")), None
        )
        if found is None:
            raise KeyError(f"no user {who}")
        return found

    def channel(self, where: str) -> Channel:
        """The channel with this id or name (``#team``; ``@ann`` for the bot's conversation with her)."""
        name = where.lstrip("#")
        found = self.channels.get(where) or next((c for c in self.channels.values() if c.name == name), None)
        if found is None:
            raise KeyError(f"no channel {where}")
        return found

    def serial(self, prefix: str) -> str:
        """A new id such as ``F0000000A1``."""
        return f"{prefix}0{next(self._serial):08X}"

    def next_ts(self) -> str:
        """The next timestamp: unique and rising, whatever the clock does."""
        self._last_ts = max(self._last_ts + 1, int(self.times.wall() * 1_000_000))
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    # Messages

    def message(self, channel: str, ts: str) -> Message | None:
        """The message at ``ts`` of a channel id, deleted or not."""
        return self._by_ts.get((channel, ts))

    def replies(self, root: Message, *, deleted: bool = False) -> list[Message]:
        """The replies in a thread, in order."""
        return [
            reply for reply in self._threads.get((root.channel, root.ts), []) if deleted or not reply.deleted
        ]

    def post(
        self,
        channel: str,
        user: str,
        text: str,
        *,
        blocks: Blocks | None = None,
        thread_ts: str | None = None,
        subtype: str | None = None,
        files: Sequence[File] = (),
        metadata: Json | None = None,
        hide_app: bool = False,
    ) -> Message:
        """A new message. ``hide_app``: without a ``bot_id``, as Slack shows files that a bot shared."""
        ts = self.next_ts()
        message = Message(
            channel=channel,
            ts=ts,
            user=user,
            bot_id=None if hide_app else self.users[user].bot_id,
            versions=[Version(self.times.wall(), text[:TEXT_CUT], with_ids(blocks or [], self.serial("b")))],
            thread_ts=thread_ts,
            subtype=subtype,
            files=list(files),
            metadata=metadata,
        )
        for file in files:
            file.shares.append((channel, ts))
        self.history.append(message)
        self._by_ts[channel, ts] = message
        if thread_ts is not None and thread_ts != ts:
            self._threads.setdefault((channel, thread_ts), []).append(message)
        self.hub.publish(Kind.POSTED, message)
        return message

    def edit(self, message: Message, text: str, blocks: Blocks, *, labelled: bool) -> None:
        """The message shows something else from now on."""
        version = Version(self.times.wall(), text, with_ids(blocks, self.serial("b")), edited=labelled)
        message.versions.append(version)
        self.hub.publish(Kind.EDITED, message)

    def delete(self, message: Message) -> None:
        """The message is gone; its history stays readable here."""
        message.deleted = True
        self.hub.publish(Kind.DELETED, message)

    def react(self, message: Message, name: str, user: str, *, add: bool) -> bool:
        """Set or take back a reaction; false where nothing changed."""
        users = message.reactions.get(name, [])
        if (user in users) == add:
            return False
        message.reactions[name] = [*users, user] if add else [other for other in users if other != user]
        if not message.reactions[name]:
            del message.reactions[name]
        message.reaction_log.append(ReactionChange(self.times.wall(), name, user, add))
        self.hub.publish(Kind.REACTED, message)
        return True

    def whisper(
        self, channel: str, user: str, text: str, blocks: Blocks, *, via: str, thread_ts: str | None = None
    ) -> Ephemeral:
        """A message for one user's eyes."""
        blocks = with_ids(blocks, self.serial("b"))
        whispered = Ephemeral(channel, user, self.next_ts(), text, blocks, via, thread_ts)
        self.ephemerals.append(whispered)
        self.hub.publish(Kind.EPHEMERAL, whispered)
        return whispered

    def direct(self, user: str) -> Channel:
        """The bot's conversation with a user, opened if need be."""
        members = [user, self.app.bot_user]
        for channel in self.channels.values():
            if channel.kind is ChannelKind.DIRECT and channel.members == members:
                return channel
        name = f"@{self.users[user].name}"
        return self.channels.setdefault(
            f"D{user[1:]}", Channel(f"D{user[1:]}", name, ChannelKind.DIRECT, members)
        )

    # Rights

    def new_trigger(self, user: str, view: str | None = None) -> str:
        """A ``trigger_id``, good once and for three seconds."""
        name = f"{next(self._serial)}.{self.app.team}.{self.next_ts()}"
        self.triggers[name] = Trigger(user, self.times.monotonic(), view=view)
        return name

    def new_response_url(self, channel: str, user: str, origin: Message | Ephemeral | None = None) -> str:
        """A ``response_url`` that this server answers."""
        name = self.serial("R")
        self.response_urls[name] = ResponseUrl(channel, user, self.times.monotonic(), origin)
        return f"{self.base_url}/responses/{self.app.team}/{name}"

    # Reading

    def visible(self, thing: Message | Ephemeral | View) -> str:
        """What a reader sees of it, as plain text; a message's files are ``[file: name]``."""
        if isinstance(thing, View):
            return flatten(thing.blocks, self.names)
        shown = flatten(thing.blocks, self.names) if thing.blocks else visible(thing.text, self.names)
        if isinstance(thing, Message):
            shown += "".join(f"\n[file: {file.name}]" for file in thing.files)
            shown += " (edited)" if thing.edited else ""
        return shown.strip("\n")

    def transcript(self) -> str:
        """Everything in view, channel by channel: what a failing test wants to know."""
        lines: list[str] = []
        for message in (m for m in self.history if not m.deleted):
            indent = "  └ " if message.in_thread else ""
            author = self.names.get(message.user, message.user)
            reactions = "".join(f" :{name}:" for name in message.reactions)
            shown = self.visible(message).replace("\n", "\n      ")
            lines.append(f"{indent}#{self.channels[message.channel].name} {author}: {shown}{reactions}")
        lines += [f"(to {self.names[e.user]} alone, {e.via}) {self.visible(e)}" for e in self.ephemerals]
        return "\n".join(lines) or "(nothing)"
