"""Reactions on messages."""

import re
from typing import Final

from bot.simulator.slack import payloads
from bot.simulator.slack.api.call import ApiError, Call, Method
from bot.simulator.slack.model import Json, Message

_NAME: Final = re.compile(r"[a-z0-9_+'-]{1,100}(::skin-tone-[2-6])?")
MOST_KINDS: Final = 23


def _target(call: Call) -> Message:
    call.need("channel", "timestamp")
    return call.message(call.channel(member=True), "timestamp")


def _name(call: Call) -> str:
    call.need("name")
    name = call.string("name").strip(":")
    if not _NAME.fullmatch(name):
        raise ApiError("invalid_name")
    return name


def add(call: Call) -> Json:
    """The bot reacts."""
    name, message = _name(call), _target(call)
    if call.workspace.channels[message.channel].archived:
        raise ApiError("is_archived")
    if name not in message.reactions and len(message.reactions) >= MOST_KINDS:
        raise ApiError("too_many_emoji")
    if not call.workspace.react(message, name, call.workspace.app.bot_user, add=True):
        raise ApiError("already_reacted")
    return {}


def remove(call: Call) -> Json:
    """The bot takes its reaction back."""
    name, message = _name(call), _target(call)
    if not call.workspace.react(message, name, call.workspace.app.bot_user, add=False):
        raise ApiError("no_reaction")
    return {}


def get(call: Call) -> Json:
    """The reactions on a message."""
    message = _target(call)
    return {
        "type": "message",
        "channel": message.channel,
        "message": payloads.message(call.workspace, message),
    }


METHODS = {
    "reactions.add": Method(add, "reactions:write"),
    "reactions.remove": Method(remove, "reactions:write"),
    "reactions.get": Method(get, "reactions:read", json=False),
}
