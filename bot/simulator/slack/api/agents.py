"""What only apps declared as agents may call; the server refuses these with ``feature_disabled`` otherwise."""

from typing import Final

from bot.simulator.slack.api.call import ApiError, Call, Method
from bot.simulator.slack.hub import Kind
from bot.simulator.slack.model import Json, Session

STATUSES: Final = frozenset({"processing", "active", "suspended", "closed"})


def set_status(call: Call) -> Json:
    """The state of an agent's session in a thread."""
    call.need("channel_id", "thread_ts", "status")
    channel = call.channel("channel_id", member=True)
    status = call.string("status")
    if status not in STATUSES:
        raise ApiError("invalid_arguments", ["must be a valid enum value [json-pointer:/status]"])
    message = call.message(channel, "thread_ts", "thread_not_found")
    workspace = call.workspace
    session = workspace.sessions.setdefault((channel.id, message.ts), Session(channel.id, message.ts, []))
    session.statuses.append(status)
    workspace.hub.publish(Kind.SESSION, session)
    return {}


def set_thread_status(call: Call) -> Json:
    """The line under a thread that says what the assistant is doing; empty takes it away."""
    call.need("channel_id", "thread_ts")
    channel = call.channel("channel_id", member=True)
    if "status" not in call.args:
        raise ApiError("invalid_arguments", ["missing required field: status"])
    call.message(channel, "thread_ts", "thread_not_found")
    return {}


def set_suggested_prompts(call: Call) -> Json:
    """Up to four prompts to start from, pinned to a direct message.

    ``thread_ts`` is for older assistants alone: Slack says ok to an agent that names one, and shows nothing.
    """
    call.need("channel_id", "prompts")
    channel = call.channel("channel_id", member=True)
    prompts = call.structure("prompts")
    fits = isinstance(prompts, list) and 0 < len(prompts) <= 4  # noqa: PLR2004  Slack's own maximum
    if not fits or not all(isinstance(p, dict) and p.get("title") and p.get("message") for p in prompts):
        raise ApiError("invalid_arguments", ["1 to 4 prompts with title and message [json-pointer:/prompts]"])
    if not call.string("thread_ts"):
        call.workspace.prompts[channel.id] = prompts
    return {}


METHODS = {
    "agents.sessions.setStatus": Method(set_status, "assistant:write"),
    "assistant.threads.setStatus": Method(set_thread_status, "assistant:write"),
    "assistant.threads.setSuggestedPrompts": Method(set_suggested_prompts, "assistant:write"),
}
