"""Channels: facts, membership, and reading messages."""

from collections.abc import Sequence
from typing import Any

from bot.simulator.slack import payloads
from bot.simulator.slack.api.call import ApiError, Call, Method
from bot.simulator.slack.model import ChannelKind, Json, Message


def info(call: Call) -> Json:
    """One channel."""
    call.need("channel")
    return {"channel": payloads.channel(call.workspace, call.channel(member=False))}


def join(call: Call) -> Json:
    """Make the bot a member of a public channel."""
    call.need("channel")
    channel = call.channel(member=False)
    if channel.kind is not ChannelKind.PUBLIC:
        raise ApiError("method_not_supported_for_channel_type")
    if channel.archived:
        raise ApiError("is_archived")
    answer: Json = {}
    if call.workspace.app.bot_user in channel.members:
        answer = {"warning": "already_in_channel", "response_metadata": {"warnings": ["already_in_channel"]}}
    else:
        channel.members.append(call.workspace.app.bot_user)
    return {"channel": payloads.channel(call.workspace, channel), **answer}


def members(call: Call) -> Json:
    """Who is in a channel, page by page."""
    call.need("channel")
    channel = call.channel(member=False)
    page, cursor = _page(call, channel.members, 100)
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def open_direct(call: Call) -> Json:
    """The bot's conversation with one user."""
    if call.string("channel"):
        return {"channel": {"id": call.channel(member=True).id}}
    call.need("users")
    user = call.workspace.users.get(call.string("users"))
    if user is None:
        raise ApiError("user_not_found")
    if user.deactivated:
        raise ApiError("user_disabled")
    return {"channel": {"id": call.workspace.direct(user.id).id}}


def replies(call: Call) -> Json:
    """A thread: its root, then its replies."""
    call.need("channel", "ts")
    channel = call.channel(member=True)
    workspace = call.workspace
    root = workspace.message(channel.id, call.string("ts"))
    if root is not None and root.in_thread:
        root = workspace.message(channel.id, root.thread_ts or "")
    if root is None or (root.deleted and not workspace.replies(root)):
        raise ApiError("thread_not_found")
    found = [reply for reply in workspace.replies(root) if _in_time(call, reply)]
    page, cursor = _page(call, found, 1000)
    shown = [_shown(call, message) for message in (root, *page)]
    return {"messages": shown, "has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}


def history(call: Call) -> Json:
    """A channel's messages outside threads, the newest first."""
    call.need("channel")
    channel = call.channel(member=True)
    workspace = call.workspace
    found = [
        message
        for message in reversed(workspace.history)
        if message.channel == channel.id
        and (not message.in_thread or message.subtype == "thread_broadcast")
        and (not message.deleted or workspace.replies(message))
        and _in_time(call, message)
    ]
    page, cursor = _page(call, found, 100)
    shown = [_shown(call, message) for message in page]
    return {"messages": shown, "has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}


def _shown(call: Call, message: Message) -> Json:
    """A message as it is read: of its metadata only the type, unless all is asked for."""
    if message.deleted:
        return payloads.tombstone(call.workspace, message)
    shown = payloads.message(call.workspace, message)
    if "metadata" in shown and not call.flag("include_all_metadata"):
        shown["metadata"] = {"event_type": shown["metadata"]["event_type"]}
    return shown


def _in_time(call: Call, message: Message) -> bool:
    oldest, latest = call.string("oldest"), call.string("latest")
    if call.flag("inclusive") and message.ts in {oldest, latest}:
        return True
    # Timestamps of one length sort like their numbers; "0" stands for the beginning.
    return (oldest in {"", "0"} or message.ts > oldest) and (latest in {"", "now"} or message.ts < latest)


def _page(call: Call, things: Sequence[Any], default: int) -> tuple[list[Any], str]:
    """The asked-for page and the cursor of the next one, empty at the end."""
    limit = call.number("limit", default) or default
    if not 0 < limit <= 1000:  # noqa: PLR2004  Slack's own maximum
        raise ApiError("invalid_limit")
    cursor = call.string("cursor")
    if cursor and not cursor.removeprefix("next:").isdecimal():
        raise ApiError("invalid_cursor")
    start = int(cursor.removeprefix("next:")) if cursor else 0
    end = start + limit
    return list(things[start:end]), f"next:{end}" if end < len(things) else ""


METHODS = {
    "conversations.info": Method(info, "channels:read", json=False),
    "conversations.join": Method(join, "channels:join"),
    "conversations.members": Method(members, "channels:read", json=False),
    "conversations.open": Method(open_direct, "im:write"),
    "conversations.replies": Method(replies, "channels:history", json=False),
    "conversations.history": Method(history, "channels:history", json=False),
}
