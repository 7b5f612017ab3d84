"""Slack's dicts → our values. Here and in ``interactions`` is all that is known of the dicts' shape.

Every function is total: whatever JSON comes in, the answer is one of the types of ``deliveries``, ``Ignored``
where there is nothing for the bot to do.
"""

import re
from collections.abc import Mapping

from bot.model import Attachment
from bot.slack.deliveries import (
    BotIdentity,
    ButtonPress,
    ChatOpened,
    EventPayload,
    FormAction,
    FormSubmitted,
    HomeOpened,
    Ignored,
    MessageDeleted,
    MessageEdited,
    SessionStopped,
    ShortcutUsed,
    SlashCommand,
    TokensRevoked,
    Uninstalled,
    UserChanged,
    UserMessage,
    claim_key,
)
from bot.slack.interactions import parse_action, parse_command, parse_shortcut, parse_view
from bot.slack.untyped import Json, at, items, mapping, string

__all__ = [
    "BotIdentity",
    "ButtonPress",
    "EventPayload",
    "FormAction",
    "FormSubmitted",
    "HomeOpened",
    "Ignored",
    "MessageDeleted",
    "MessageEdited",
    "ShortcutUsed",
    "SlashCommand",
    "TokensRevoked",
    "Uninstalled",
    "UserChanged",
    "UserMessage",
    "claim_key",
    "identity_in",
    "parse_action",
    "parse_command",
    "parse_event",
    "parse_shortcut",
    "parse_view",
]

_PEOPLES_SUBTYPES = frozenset({"", "file_share", "thread_broadcast"})  # of messages that a person wrote
_SLACKBOT = "USLACKBOT"  # its reminders quote what people wrote, and bear no sign of a bot


def identity_in(body: Json, known: BotIdentity) -> BotIdentity:
    """Who the bot is: what is ``known``, or as long as Slack wasn't heard, what the event says itself."""
    if known.user_id:
        return known
    bots = (
        string(item, "user_id")
        for item in items(body, "authorizations")
        if mapping(item).get("is_bot") is True
    )
    return BotIdentity(next(filter(None, bots), ""), known.bot_id)


def parse_event(body: Json, bot: BotIdentity) -> EventPayload:
    """An ``event_callback`` of the Events API."""
    event, workspace = mapping(body, "event"), _event_workspace(body)
    kind, subtype = string(event, "type"), string(event, "subtype")
    if not workspace:
        return Ignored("no workspace")
    if kind not in {"message", "app_mention"}:
        return _lifecycle(event, workspace, string(body, "event_id"))
    if subtype == "message_changed":
        return _edited(event, workspace, string(body, "event_id"), bot)
    if subtype == "message_deleted":
        return _deleted(event, workspace, string(body, "event_id"), bot)
    return _written(body, event, workspace, bot)


def _lifecycle(event: Json, workspace: str, event_id: str) -> EventPayload:
    kind = string(event, "type")
    user = string(event, "user") or string(event, "user", "id") or string(event, "user_id")
    if not event_id:
        return Ignored("no event id")
    found: EventPayload = Ignored(f"event {kind[:80] or 'without a type'}")
    match kind:
        case "app_home_opened" if user and string(event, "tab") == "messages":
            found = _chat(workspace, user, event, event_id)
        case "app_home_opened" if user:
            found = HomeOpened(workspace, user, event_id)
        case "assistant_thread_started":
            thread = mapping(event, "assistant_thread")
            found = _chat(workspace, string(thread, "user_id"), thread, event_id)
        case "user_change" if user:
            found = UserChanged(workspace, user, event_id)
        case "agent_session_stopped" if user:
            where = string(event, "channel_id") or string(event, "channel")
            found = SessionStopped(workspace, where, string(event, "thread_ts"), user, event_id)
        case "tokens_revoked" if bots := tuple(filter(None, map(string, items(event, "tokens", "bot")))):
            found = TokensRevoked(workspace, bots, event_id)
        case "app_uninstalled":
            found = Uninstalled(workspace, event_id)
    return found


def _chat(workspace: str, user: str, place: Json, event_id: str) -> ChatOpened | Ignored:
    """Direct messages that someone looks at: apps that are agents hear of the tab, older assistants of a thread."""
    channel = string(place, "channel_id") or string(place, "channel")
    if not (user and channel):
        return Ignored("direct messages without user or channel")
    return ChatOpened(workspace, user, channel, string(place, "thread_ts") or None, event_id)


def _written(body: Json, event: Json, workspace: str, bot: BotIdentity) -> UserMessage | Ignored:
    channel, user, ts = string(event, "channel"), string(event, "user"), string(event, "ts")
    if string(event, "subtype") not in _PEOPLES_SUBTYPES:
        return Ignored(f"subtype {string(event, 'subtype')[:80]}")
    if event.get("hidden") is True:
        return Ignored("hidden")
    if _by_bot(event, bot):
        return Ignored("written by a bot")
    if not (channel and user and ts):
        return Ignored("message without channel, user or ts")
    return UserMessage(
        workspace=workspace,
        channel=channel,
        user=user,
        text=string(event, "text"),
        ts=ts,
        thread_ts=string(event, "thread_ts") or None,
        mentions_bot=string(event, "type") == "app_mention" or _mentions(string(event, "text"), bot),
        direct=string(event, "channel_type") == "im" or channel.startswith("D"),
        event_id=string(body, "event_id"),
        files=_files(event),
        is_stranger=_stranger_wrote(body, event, workspace),
    )


def _mentions(text: str, bot: BotIdentity) -> bool:
    return bool(bot.user_id) and re.search(rf"<@{re.escape(bot.user_id)}(?:\|[^>]*)?>", text) is not None


def _edited(event: Json, workspace: str, event_id: str, bot: BotIdentity) -> EventPayload:
    message, before = mapping(event, "message"), mapping(event, "previous_message")
    if string(message, "subtype") == "tombstone":  # what is left of a deleted message that has replies
        return _deleted(event, workspace, event_id, bot)
    if _by_bot(message, bot) or string(message, "subtype") not in _PEOPLES_SUBTYPES:
        return Ignored("changed message of a bot or of the system")
    text = string(message, "text")
    if not mapping(message, "edited") or (before and string(before, "text") == text):
        return Ignored("changed without a new text")
    channel, user, ts = string(event, "channel"), string(message, "user"), string(message, "ts")
    edit = string(message, "edited", "ts") or event_id
    if not (channel and user and ts and edit):
        return Ignored("changed message without channel, user or ts, or a name of the change")
    return MessageEdited(workspace, channel, user, ts, string(message, "thread_ts") or None, text, edit)


def _deleted(event: Json, workspace: str, event_id: str, bot: BotIdentity) -> EventPayload:
    before = mapping(event, "previous_message")
    if _by_bot(before, bot):
        return Ignored("deleted message of a bot")
    channel = string(event, "channel")
    ts = string(event, "deleted_ts") or string(before, "ts") or string(event, "message", "ts")
    if not (channel and ts and event_id):
        return Ignored("deleted message without channel, ts or event id")
    thread_ts = string(before, "thread_ts") or string(event, "message", "thread_ts") or None
    return MessageDeleted(workspace, channel, ts, thread_ts, event_id)


def _by_bot(message: Json, bot: BotIdentity) -> bool:
    """Whether the bot itself or any other app wrote it."""
    author = string(message, "user")
    if author in {bot.user_id, _SLACKBOT} - {""}:
        return True
    return bool(message.get("bot_id")) or bool(message.get("bot_profile"))


def _files(event: Json) -> tuple[Attachment, ...]:
    found = []
    for item in items(event, "files"):
        url = string(item, "url_private_download") or string(item, "url_private")
        size = at(item, "size")
        if url:
            known = isinstance(size, int) and size >= 0
            found.append(
                Attachment(string(item, "name"), url, string(item, "mimetype"), size if known else 0)
            )
    return tuple(found)


def _event_workspace(body: Json) -> str:
    """The installation the event is for: in shared channels ``team_id`` may be the other side's."""
    first = next(iter(items(body, "authorizations")), None)
    candidates = (
        string(first, "team_id"),
        string(body, "team_id"),
        string(first, "enterprise_id"),
        string(body, "enterprise_id"),
    )
    return next(filter(None, candidates), "")


def _stranger_wrote(body: Json, event: Json, workspace: str) -> bool:
    """Whether the author's home is neither our workspace nor our organisation."""
    authorizations = items(body, "authorizations")
    ours = {workspace, string(body, "enterprise_id") if not authorizations else ""}
    ours |= {string(item, name) for item in authorizations for name in ("team_id", "enterprise_id")}
    org_wide = any(
        isinstance(item, Mapping) and item.get("is_enterprise_install") is True for item in authorizations
    )
    if org_wide and body.get("is_ext_shared_channel") is False:
        return False  # other workspaces of the organisation that installed the bot
    homes = {string(event, "user_team"), string(event, "source_team"), string(event, "team")} - {""}
    if not homes and body.get("is_ext_shared_channel") is True:
        homes = {
            string(body, "context_team_id")
        }  # of use only as a last hint: it may name the channel's host
    return bool(homes - ours - {""})
