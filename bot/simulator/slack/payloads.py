"""Slack's JSON for what the workspace holds, as its Web API, events and interactions show it."""

from bot.simulator.slack.model import (
    Channel,
    ChannelKind,
    Ephemeral,
    File,
    Json,
    Message,
    User,
    Version,
    View,
)
from bot.simulator.slack.workspace import Workspace


def user(person: User) -> Json:
    """``users.info``'s user."""
    shown: Json = {
        "id": person.id,
        "team_id": person.team,
        "name": person.name,
        "deleted": person.deactivated,
        "real_name": person.real_name,
        "profile": {"real_name": person.real_name, "display_name": person.name, "team": person.team},
        "is_bot": person.bot_id is not None,
        "is_app_user": False,
        "updated": 1,
    }
    if person.bot_id:
        shown["profile"]["bot_id"] = person.bot_id
    if person.stranger:
        shown["is_stranger"] = True
    if not person.deactivated:
        roles = dict.fromkeys(("is_admin", "is_owner", "is_primary_owner", "is_ultra_restricted"), False)
        shown |= {"is_restricted": person.guest, "tz": "Europe/London", "tz_offset": 0, **roles}
    return shown


def channel(workspace: Workspace, place: Channel) -> Json:
    """``conversations.info``'s channel."""
    direct = place.kind is ChannelKind.DIRECT
    shown: Json = {
        "id": place.id,
        "is_channel": place.kind is ChannelKind.PUBLIC,
        "is_group": place.kind is ChannelKind.PRIVATE,
        "is_im": direct,
        "is_mpim": False,
        "is_private": place.kind is not ChannelKind.PUBLIC,
        "is_archived": place.archived,
        "is_shared": place.shared,
        "is_ext_shared": place.shared,
        "is_org_shared": False,
        "context_team_id": workspace.app.team,
        "created": 1,
    }
    if direct:
        return shown | {"user": place.members[0], "is_open": True}
    return shown | {
        "name": place.name,
        "name_normalized": place.name,
        "is_member": workspace.app.bot_user in place.members,
        "is_general": False,
        "num_members": len(place.members),
    }


def file(workspace: Workspace, item: File) -> Json:
    """``files.info``'s file."""
    link = f"{workspace.base_url}/files/{item.id}/{item.name}"
    shares: Json = {}
    for where, ts in item.shares:
        kind = "public" if workspace.channels[where].kind is ChannelKind.PUBLIC else "private"
        shares.setdefault(kind, {}).setdefault(where, []).append({"ts": ts})
    return {
        "id": item.id,
        "name": item.name,
        "title": item.title,
        "mimetype": "text/plain",
        "filetype": "text",
        "user": item.user,
        "size": item.size,
        "mode": "hosted",
        "url_private": link,
        "url_private_download": link,
        "permalink": f"https://{workspace.app.team_domain}.slack.com/files/{item.user}/{item.id}/{item.name}",
        "channels": [where for where, _ in item.shares],
        "shares": shares,
    }


def message(workspace: Workspace, item: Message, version: Version | None = None) -> Json:
    """A message as history, events and payloads show it; as it was, where ``version`` is an earlier one."""
    version = version or item.versions[-1]
    author = workspace.users[item.user]
    shown: Json = {
        "type": "message",
        "user": item.user,
        "ts": item.ts,
        "text": version.text,
        "team": author.team,
    }
    if version.blocks:
        shown["blocks"] = version.blocks
    if item.subtype:
        shown["subtype"] = item.subtype
    if item.bot_id:
        app = workspace.app
        app_id = app.app_id if item.bot_id == app.bot_id else "A0OTHER"
        profile = {"id": item.bot_id, "app_id": app_id, "name": author.real_name, "team_id": author.team}
        shown |= {"bot_id": item.bot_id, "app_id": app_id, "bot_profile": profile}
    elif not item.subtype:
        shown["client_msg_id"] = f"{item.channel}-{item.ts}"
    if version.edited:
        shown["edited"] = {"user": item.user, "ts": f"{int(version.at)}.000000"}
    if item.files:
        shown |= {"files": [file(workspace, shared) for shared in item.files], "upload": False}
    if item.metadata:
        shown["metadata"] = item.metadata
    if item.reactions:
        shown["reactions"] = [
            {"name": name, "users": users, "count": len(users)} for name, users in item.reactions.items()
        ]
    return shown | _thread(workspace, item)


def _thread(workspace: Workspace, item: Message) -> Json:
    if item.in_thread:
        root = workspace.message(item.channel, item.thread_ts or "")
        return {"thread_ts": item.thread_ts, **({"parent_user_id": root.user} if root else {})}
    replies = workspace.replies(item)
    if not replies:
        return {}
    return {
        "thread_ts": item.ts,
        "reply_count": len(replies),
        "reply_users": sorted({reply.user for reply in replies}),
        "latest_reply": replies[-1].ts,
    }


def tombstone(workspace: Workspace, item: Message) -> Json:
    """What stands at the head of a thread whose root was deleted."""
    return {
        "type": "message",
        "subtype": "tombstone",
        "user": "USLACKBOT",
        "text": "This message was deleted.",
        "hidden": True,
        "ts": item.ts,
        **_thread(workspace, item),
    }


def ephemeral(workspace: Workspace, item: Ephemeral) -> Json:
    """An ephemeral message, as far as Slack lets an app see it again."""
    return {
        "type": "message",
        "subtype": "bot_message",
        "is_ephemeral": True,
        "bot_id": workspace.app.bot_id,
        "ts": item.ts,
        "text": item.text,
    }


def view(workspace: Workspace, item: View) -> Json:
    """A view with what Slack adds to it."""
    app = workspace.app
    defaults: Json = {
        "private_metadata": "",
        "callback_id": "",
        "external_id": "",
        "clear_on_close": False,
        "notify_on_close": False,
        "close": None,
        "submit": None,
        "title": {"type": "plain_text", "text": "View Title", "emoji": True},
    }
    return {
        **defaults,
        **item.view,
        "id": item.id,
        "team_id": app.team,
        "app_id": app.app_id,
        "bot_id": app.bot_id,
        "app_installed_team_id": app.team,
        "hash": item.hash,
        "root_view_id": item.root,
        "previous_view_id": item.previous,
        "state": {"values": item.values},
    }
