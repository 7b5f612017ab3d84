"""Messages: post, update, delete, whisper, link."""

from typing import Final

from bot.simulator.slack import payloads
from bot.simulator.slack.api.call import ApiError, Call, Method
from bot.simulator.slack.blocks import MESSAGE_CHARACTERS, characters, has_rich_text, message_problems
from bot.simulator.slack.model import Blocks, Channel, Json, Message

UPDATE_TEXT: Final = 4000


def read_blocks(call: Call) -> Blocks | None:
    """The ``blocks`` argument, checked; ``None`` where it is absent."""
    blocks = call.structure("blocks", "invalid_blocks_format")
    if blocks is None:
        return None
    if not isinstance(blocks, list):
        raise ApiError("invalid_blocks_format")
    check_blocks(blocks)
    return blocks


def check_blocks(blocks: Blocks) -> None:
    """Refuse blocks that Slack would refuse."""
    problems = message_problems(blocks)
    if problems:
        raise ApiError("invalid_blocks", problems, errors=problems)
    if characters(blocks) > MESSAGE_CHARACTERS:
        raise ApiError("msg_blocks_too_long")


def _content(call: Call) -> tuple[str, Blocks | None]:
    if call.args.get("attachments") not in (None, "", "[]", []):
        raise ApiError("invalid_attachments", ["legacy attachments are not simulated"])
    text, blocks = call.string("text"), read_blocks(call)
    if not text.strip() and not blocks:
        raise ApiError("no_text")
    return text, blocks


def _thread(call: Call, channel: Channel) -> str | None:
    """The root's ts. Real Slack is more lenient with a wrong one, which only hides the mistake."""
    ts = call.string("thread_ts")
    if not ts:
        return None
    root = call.workspace.message(channel.id, ts)
    if root is None or (root.deleted and not call.workspace.replies(root)):
        raise ApiError("thread_not_found")
    if root.in_thread:
        raise ApiError("cannot_reply_to_message")
    return ts


def _metadata(call: Call) -> Json | None:
    """The ``metadata`` argument, checked."""
    given = call.structure("metadata", "invalid_metadata_format")
    if given is None:
        return None
    fits = isinstance(given, dict) and given.keys() == {"event_type", "event_payload"}
    if not fits or not isinstance(given["event_type"], str) or not isinstance(given["event_payload"], dict):
        raise ApiError("invalid_metadata_format")
    return dict(given)


def post_message(call: Call) -> Json:
    """A new message by the bot; in a public channel also where it is no member (``chat:write.public``)."""
    call.need("channel")
    channel = call.channel(member="chat:write.public" not in call.scopes)
    if channel.archived:
        raise ApiError("is_archived")
    text, blocks = _content(call)
    thread_ts = _thread(call, channel)
    message = call.workspace.post(
        channel.id,
        call.workspace.app.bot_user,
        text,
        blocks=blocks,
        thread_ts=thread_ts,
        subtype="thread_broadcast" if thread_ts and call.flag("reply_broadcast") else None,
        metadata=_metadata(call),
    )
    return {"channel": channel.id, "ts": message.ts, "message": payloads.message(call.workspace, message)}


def own_message(call: Call, channel: Channel, error: str) -> Message:
    """The message to change, which must be the bot's own."""
    message = call.message(channel)
    if message.user != call.workspace.app.bot_user:
        raise ApiError(error)
    return message


def update(call: Call) -> Json:
    """Other content for a message of the bot's. ``text`` without ``blocks`` takes the blocks away."""
    call.need("channel", "ts")
    channel = call.channel(member=False)
    message = own_message(call, channel, "cant_update_message")
    if channel.archived:
        raise ApiError("is_archived")
    if message.closed_for_edits:
        raise ApiError("edit_window_closed")
    text, blocks = _content(call)
    if len(text) > UPDATE_TEXT:
        raise ApiError("msg_too_long")
    if blocks and message.blocks and has_rich_text(blocks) != has_rich_text(message.blocks):
        raise ApiError("block_mismatch")
    call.workspace.edit(message, text, blocks or [], labelled=not blocks)
    shown = payloads.message(call.workspace, message)
    return {"channel": channel.id, "ts": message.ts, "text": text, "message": shown}


def delete(call: Call) -> Json:
    """Take back a message of the bot's."""
    call.need("channel", "ts")
    channel = call.channel(member=False)
    message = own_message(call, channel, "cant_delete_message")
    call.workspace.delete(message)
    return {"channel": channel.id, "ts": message.ts}


def post_ephemeral(call: Call) -> Json:
    """A message that one member of the channel sees."""
    call.need("channel", "user")
    channel = call.channel(member=True)
    if channel.archived:
        raise ApiError("is_archived")
    user = call.string("user")
    if user not in channel.members:
        raise ApiError("user_not_in_channel")
    text, blocks = _content(call)
    whispered = call.workspace.whisper(
        channel.id, user, text, blocks or [], via="api", thread_ts=call.string("thread_ts") or None
    )
    return {"message_ts": whispered.ts}


def get_permalink(call: Call) -> Json:
    """A message's address for people."""
    call.need("channel", "message_ts")
    channel = call.channel(member=False)
    message = call.message(channel, "message_ts")
    link = f"https://{call.workspace.app.team_domain}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.in_thread:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}


METHODS = {
    "chat.postMessage": Method(post_message, "chat:write"),
    "chat.update": Method(update, "chat:write"),
    "chat.delete": Method(delete, "chat:write"),
    "chat.postEphemeral": Method(post_ephemeral, "chat:write"),
    "chat.getPermalink": Method(get_permalink, json=False),
}
