"""``response_url``: answers to a command or an interaction, without a token."""

from bot.simulator.slack.api.call import ApiError
from bot.simulator.slack.api.chat import check_blocks
from bot.simulator.slack.hub import Kind
from bot.simulator.slack.model import Blocks, Ephemeral, Json, Message
from bot.simulator.slack.workspace import RESPONSE_URL_SECONDS, RESPONSE_URL_USES, ResponseUrl, Workspace


def respond(workspace: Workspace, name: str, body: Json) -> None:
    """Do what was posted to a ``response_url``; raises ``ApiError`` where Slack refuses it."""
    right = workspace.response_urls.get(name)
    if right is None or workspace.times.monotonic() - right.at > RESPONSE_URL_SECONDS:
        raise ApiError("expired_url")
    if right.uses >= RESPONSE_URL_USES:
        raise ApiError("used_url")
    text, blocks = str(body.get("text") or ""), body.get("blocks") or []
    if not body.get("delete_original"):
        if not text.strip() and not blocks:
            raise ApiError("no_text")
        check_blocks(blocks)
    right.uses += 1
    if body.get("delete_original"):
        _delete(workspace, right)
    elif body.get("replace_original") and right.origin is not None:
        _replace(workspace, right.origin, text, blocks)
    else:
        show(workspace, right.channel, right.user, body, via="response_url")


def show(workspace: Workspace, channel: str, user: str, body: Json, *, via: str) -> None:
    """A new message, to everyone where the body says ``in_channel``."""
    text, blocks, thread_ts = str(body.get("text") or ""), body.get("blocks") or [], body.get("thread_ts")
    if body.get("response_type") == "in_channel":
        workspace.post(channel, workspace.app.bot_user, text, blocks=blocks, thread_ts=thread_ts)
    else:
        workspace.whisper(channel, user, text, blocks, via=via, thread_ts=thread_ts)


def _delete(workspace: Workspace, right: ResponseUrl) -> None:
    if right.origin is None or right.origin.deleted:
        return
    if isinstance(right.origin, Message):
        workspace.delete(right.origin)
    else:
        right.origin.deleted = True
        workspace.hub.publish(Kind.EPHEMERAL, right.origin)


def _replace(workspace: Workspace, origin: Message | Ephemeral, text: str, blocks: Blocks) -> None:
    if isinstance(origin, Message):
        workspace.edit(origin, text, blocks, labelled=not blocks)
    else:
        origin.text, origin.blocks = text, blocks
        workspace.hub.publish(Kind.EPHEMERAL, origin)
