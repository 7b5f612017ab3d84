"""The Events API: what of the workspace's changes the app is told, and in which envelope."""

from typing import Final

from bot.simulator.slack import payloads
from bot.simulator.slack.hub import Kind
from bot.simulator.slack.model import Channel, ChannelKind, Json, Message
from bot.simulator.slack.workspace import Workspace

SUBSCRIPTIONS: Final = frozenset(
    {
        "agent_session_stopped",
        "app_home_opened",
        "app_mention",
        "app_uninstalled",
        "message",
        "reaction_added",
        "tokens_revoked",
    }
)


def envelope(workspace: Workspace, event: Json, *, channel: Channel | None = None) -> Json:
    """The outer part of an event."""
    app = workspace.app
    return {
        "token": "verification-token",
        "team_id": app.team,
        "context_team_id": app.team,
        "context_enterprise_id": None,
        "api_app_id": app.app_id,
        "event": event,
        "type": "event_callback",
        "event_id": workspace.serial("Ev"),
        "event_time": int(workspace.times.wall()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": app.team,
                "user_id": app.bot_user,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": channel is not None and channel.shared,
        "event_context": workspace.serial("4-"),
    }


def events_of(workspace: Workspace, kind: Kind, message: Message) -> list[Json]:
    """The events that a change of a message makes, each in its envelope; none where the bot is no member."""
    channel = workspace.channels[message.channel]
    if workspace.app.bot_user not in channel.members:
        return []
    made = {
        Kind.POSTED: _posted,
        Kind.EDITED: _edited,
        Kind.DELETED: _deleted,
        Kind.REACTED: _reacted,
    }[kind](workspace, channel, message)
    return [envelope(workspace, event, channel=channel) for event in made]


def author(kind: Kind, message: Message) -> str:
    """Who made a change of a message, as far as Slack's events tell: edits count as the message's author's."""
    return message.reaction_log[-1].user if kind is Kind.REACTED else message.user


def _place(workspace: Workspace, channel: Channel) -> Json:
    return {"channel": channel.id, "event_ts": workspace.next_ts(), "channel_type": channel.kind.value}


def _teams(workspace: Workspace, message: Message) -> Json:
    """Who speaks from where; only in channels shared with another organisation."""
    if not workspace.channels[message.channel].shared:
        return {}
    team = workspace.users[message.user].team
    return {"user_team": team, "source_team": team}


def _posted(workspace: Workspace, channel: Channel, message: Message) -> list[Json]:
    shown = payloads.message(workspace, message) | _teams(workspace, message)
    event = shown | {"channel": channel.id, "event_ts": message.ts, "channel_type": channel.kind.value}
    bot = workspace.app.bot_user
    mentioned = f"<@{bot}>" in message.text or f"<@{bot}|" in message.text
    if not mentioned or message.user == bot or channel.kind is ChannelKind.DIRECT:
        return [event]
    mention = {key: value for key, value in event.items() if key not in {"channel_type", "subtype"}}
    return [mention | {"type": "app_mention"}, event]


def _edited(workspace: Workspace, channel: Channel, message: Message) -> list[Json]:
    return [
        {
            "type": "message",
            "subtype": "message_changed",
            "hidden": True,
            "message": payloads.message(workspace, message) | _teams(workspace, message),
            "previous_message": payloads.message(workspace, message, message.versions[-2]),
            "ts": workspace.next_ts(),
            **_place(workspace, channel),
        }
    ]


def _deleted(workspace: Workspace, channel: Channel, message: Message) -> list[Json]:
    event: Json = {
        "type": "message",
        "hidden": True,
        "previous_message": payloads.message(workspace, message),
        "ts": workspace.next_ts(),
        **_place(workspace, channel),
    }
    if workspace.replies(message):
        return [event | {"subtype": "message_changed", "message": payloads.tombstone(workspace, message)}]
    return [event | {"subtype": "message_deleted", "deleted_ts": message.ts}]


def _reacted(workspace: Workspace, channel: Channel, message: Message) -> list[Json]:
    last = message.reaction_log[-1]
    return [
        {
            "type": "reaction_added" if last.added else "reaction_removed",
            "user": last.user,
            "reaction": last.name,
            "item": {"type": "message", "channel": channel.id, "ts": message.ts},
            "item_user": message.user,
            "event_ts": workspace.next_ts(),
        }
    ]


def session_stopped(workspace: Workspace, channel: Channel, thread_ts: str, user: str) -> Json:
    """Someone pressed Slack's own Stop button of an agent's session."""
    event = {
        "type": "agent_session_stopped",
        "user_id": user,
        "channel_id": channel.id,
        "thread_ts": thread_ts,
        "event_ts": workspace.next_ts(),
    }
    return envelope(workspace, event, channel=channel)


def home_opened(workspace: Workspace, user: str, tab: str = "home") -> Json:
    """A user looks at the app: its home, or (``messages``) their direct messages with it."""
    event: Json = {
        "type": "app_home_opened",
        "user": user,
        "channel": workspace.direct(user).id,
        "tab": tab,
        "event_ts": workspace.next_ts(),
    }
    home = workspace.homes.get(user)
    if home is not None and tab == "home":
        event["view"] = payloads.view(workspace, home)
    return envelope(workspace, event)
