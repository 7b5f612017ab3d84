"""What Slack delivers, as a closed union of values; ``payloads`` makes them out of JSON.

Texts are as Slack sends them, with its markup and its escapes. A ``workspace`` is the id of the team that
installed the bot, or of the organisation where no team is named. Ids are never empty.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2s

from bot.model import Attachment


@dataclass(frozen=True, slots=True)
class BotIdentity:
    """Who the bot is in a workspace, as ``auth.test`` says."""

    user_id: str
    bot_id: str | None = None


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """Someone used the bot's slash command; ``text`` is what follows ``command``."""

    workspace: str
    channel: str
    channel_name: str
    user: str
    text: str
    trigger_id: str
    response_url: str
    command: str


@dataclass(frozen=True, slots=True)
class UserMessage:
    """A person wrote something that the bot can see.

    ``direct`` is true in a direct message to the bot alone: where several people talk, it has to be mentioned;
    ``is_stranger`` where the author belongs to another organisation (Slack Connect).
    """

    workspace: str
    channel: str
    user: str
    text: str
    ts: str
    thread_ts: str | None
    mentions_bot: bool
    direct: bool
    event_id: str
    files: tuple[Attachment, ...] = ()
    is_stranger: bool = False


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """A person changed the text of their message ``ts``; ``text`` is the new one, and ``edit`` names this change."""

    workspace: str
    channel: str
    user: str
    ts: str
    thread_ts: str | None
    text: str
    edit: str


@dataclass(frozen=True, slots=True)
class MessageDeleted:
    """A person's message ``ts`` is gone."""

    workspace: str
    channel: str
    ts: str
    thread_ts: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class HomeOpened:
    """Someone looks at the bot's home tab."""

    workspace: str
    user: str
    event_id: str


@dataclass(frozen=True, slots=True)
class ChatOpened:
    """Someone looks at their direct messages with the bot; ``thread_ts`` where Slack began a thread for that."""

    workspace: str
    user: str
    channel: str
    thread_ts: str | None
    event_id: str


@dataclass(frozen=True, slots=True)
class UserChanged:
    """What is known of a user is out of date."""

    workspace: str
    user: str
    event_id: str


@dataclass(frozen=True, slots=True)
class TokensRevoked:
    """Tokens are no longer valid; ``bots`` are the ids of the bot users whose tokens they were."""

    workspace: str
    bots: tuple[str, ...]
    event_id: str


@dataclass(frozen=True, slots=True)
class SessionStopped:
    """Someone pressed Slack's own Stop of an agent's session."""

    workspace: str
    channel: str
    thread_ts: str
    user: str
    event_id: str


@dataclass(frozen=True, slots=True)
class Uninstalled:
    """A workspace removed the bot."""

    workspace: str
    event_id: str


@dataclass(frozen=True, slots=True)
class ButtonPress:
    """Someone pressed a button of a message or of the home tab; there ``channel`` and ``message_ts`` are ``None``."""

    workspace: str
    channel: str | None
    user: str
    action: str
    value: str
    message_ts: str | None
    thread_ts: str | None
    trigger_id: str
    response_url: str | None
    is_stranger: bool = False


@dataclass(frozen=True, slots=True)
class FormAction:
    """Someone pressed a button inside an open form; ``values`` are its inputs by block id."""

    workspace: str
    user: str
    action: str
    value: str
    callback_id: str
    view_id: str
    view_hash: str
    private_metadata: str
    values: Mapping[str, str]
    trigger_id: str


@dataclass(frozen=True, slots=True)
class FormSubmitted:
    """Someone submitted a form; ``values`` are its inputs by block id, without the empty ones.

    ``response_url`` answers them alone in the conversation that they chose in the form, where it asks for one.
    """

    workspace: str
    user: str
    callback_id: str
    view_id: str
    private_metadata: str
    values: Mapping[str, str]
    trigger_id: str
    is_stranger: bool = False
    response_url: str | None = None


@dataclass(frozen=True, slots=True)
class OptionsWanted:
    """Someone typed ``typed`` into a menu of an open form, whose entries the bot has to give."""

    workspace: str
    user: str
    menu: str
    typed: str
    private_metadata: str
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ShortcutUsed:
    """Someone chose the bot's shortcut; a message shortcut names the message and its text."""

    workspace: str
    user: str
    callback_id: str
    trigger_id: str
    channel: str | None = None
    message_ts: str | None = None
    thread_ts: str | None = None
    text: str = ""
    response_url: str | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing for the bot; ``reason`` is for the log."""

    reason: str


EventPayload = (
    UserMessage
    | MessageEdited
    | MessageDeleted
    | HomeOpened
    | ChatOpened
    | UserChanged
    | TokensRevoked
    | SessionStopped
    | Uninstalled
    | Ignored
)
Interaction = SlashCommand | ButtonPress | FormAction | FormSubmitted | ShortcutUsed
Claimable = (
    UserMessage
    | MessageEdited
    | MessageDeleted
    | HomeOpened
    | ChatOpened
    | UserChanged
    | TokensRevoked
    | SessionStopped
    | Uninstalled
    | Interaction
)


def claim_key(payload: Claimable) -> str:
    """What identifies a payload however often and to how many processes Slack delivers it."""
    match payload:
        case UserMessage():  # a mention arrives twice, as `app_mention` and as `message`, by different event ids
            return f"message:{payload.workspace}:{payload.channel}:{payload.ts}"
        case MessageEdited():
            # Slack may speak of one edit in several events, for example once more with a link's preview; and it counts
            # edits by whole seconds, in which there may be two.
            text = blake2s(payload.text.encode(errors="replace"), digest_size=8).hexdigest()
            return f"edit:{payload.workspace}:{payload.channel}:{payload.ts}:{payload.edit}:{text}"
        case SlashCommand() | ButtonPress() | FormAction() | FormSubmitted() | ShortcutUsed():
            return f"trigger:{payload.trigger_id}"
        case _:
            return f"event:{payload.event_id}"
