"""One call of Slack's Web API, and what its answer means to the caller."""

import asyncio
from types import MappingProxyType
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import (
    ChannelClosed,
    MessageGone,
    SlackError,
    SlackLimited,
    SlackRejected,
    SlackUnauthorized,
    SlackUnavailable,
)

DEFAULT_RETRY_AFTER = 5.0  # seconds, where Slack says to slow down but not for how long
_READING = frozenset({"users.info", "files.getUploadURLExternal", "chat.getPermalink", "conversations.replies"})
_SERVER_ERROR = 500
_TOO_MANY = 429

_KINDS: MappingProxyType[str, type[SlackError]] = MappingProxyType(
    {
        "message_not_found": MessageGone,
        "edit_window_closed": MessageGone,
        "cant_update_message": MessageGone,
        "thread_not_found": MessageGone,
        "channel_not_found": ChannelClosed,
        "not_in_channel": ChannelClosed,
        "user_not_in_channel": ChannelClosed,
        "is_archived": ChannelClosed,
        "invalid_auth": SlackUnauthorized,
        "not_authed": SlackUnauthorized,
        "account_inactive": SlackUnauthorized,
        "token_revoked": SlackUnauthorized,
        "token_expired": SlackUnauthorized,
        "missing_scope": SlackUnauthorized,
        "no_permission": SlackUnauthorized,
        "internal_error": SlackUnavailable,
        "fatal_error": SlackUnavailable,
        "service_unavailable": SlackUnavailable,
        "request_timeout": SlackUnavailable,
        "team_added_to_org": SlackUnavailable,
    }
)


async def call(client: AsyncWebClient, method: str, **arguments: Any) -> dict[str, Any]:
    """Call ``method`` with its arguments as JSON, without the ``None`` ones; methods that only read don't take JSON.

    Returns Slack's answer; raises one of the SlackErrors of ``bot.errors``.
    """
    said = {name: value for name, value in arguments.items() if value is not None}
    try:
        async with asyncio.timeout(client.timeout):  # the SDK leaves it to a shared session, which has none
            if method in _READING:
                response = await client.api_call(method, params=said)
            else:
                response = await client.api_call(method, json=said)
    except SlackApiError as error:
        raise _meaning(error) from error
    except (
        aiohttp.ClientError,
        SlackClientError,
        TimeoutError,
        OSError,
        ValueError,
        AttributeError,
    ) as error:
        # AttributeError: what the SDK makes of a body that is text, a list or a number
        raise SlackUnavailable("unreachable", type(error).__name__) from error
    data = response.data
    return data if isinstance(data, dict) else {}


def _meaning(error: SlackApiError) -> SlackError:
    response = error.response
    body = getattr(
        response, "data", None
    )  # of JSON that doesn't parse, the SDK hands on aiohttp's own response
    data = body if isinstance(body, dict) else {}
    status = response.status_code if hasattr(response, "status_code") else response.status
    code = data.get("error")
    if status == _TOO_MANY or code in {"ratelimited", "rate_limited"}:
        return SlackLimited(_retry_after(response.headers))
    if status >= _SERVER_ERROR or not isinstance(code, str):
        return SlackUnavailable(f"http_{status}")
    metadata = data.get("response_metadata")
    reasons = metadata.get("messages") if isinstance(metadata, dict) else None
    detail = "; ".join(map(str, reasons[:3])) if isinstance(reasons, list) else ""
    if code.startswith(("msg_blocked", "restricted_action")):
        return ChannelClosed(code, detail)
    return _KINDS.get(code, SlackRejected)(code, detail)


def _retry_after(headers: Any) -> float:
    """Seconds; the SDK gives headers as a plain dict, in the server's spelling."""
    said = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    try:
        return max(1.0, float(str(said)))
    except ValueError:
        return DEFAULT_RETRY_AFTER
