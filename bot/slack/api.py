"""One call of Slack's Web API, and what its answer means to the caller."""

import asyncio
from types import MappingProxyType
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.errors import (
    ChannelClosed,
    MessageGone,
    SlackError,
    SlackLimited,
    SlackRejected,
    SlackUnauthorized,
    SlackUnavailable,
    SlackUnsure,
)

DEFAULT_RETRY_AFTER = 5.0  # seconds, where Slack says to slow down but not for how long
LONGEST_WAIT = 30.0  # seconds, for a rate limit that only one small call waits for
_PAUSES = (0.5, 2.0)  # seconds before the second and the third try
_READING = frozenset(
    {
        "users.info",
        "files.getUploadURLExternal",
        "files.info",
        "chat.getPermalink",
        "conversations.history",
        "conversations.replies",
    }
)
SERVER_ERROR = 500
TOO_MANY = 429

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
        # Of these Slack says itself that something may have been done before they were raised.
        "internal_error": SlackUnsure,
        "fatal_error": SlackUnsure,
        "service_unavailable": SlackUnsure,
        "request_timeout": SlackUnavailable,  # the request came in without its end
        "team_added_to_org": SlackUnavailable,
    }
)


async def insist(client: AsyncWebClient, method: str, **arguments: Any) -> dict[str, Any]:
    """``call``, and again where Slack asks to slow down or is away: for what nobody holds the line for."""
    for pause in _PAUSES:
        try:
            return await call(client, method, **arguments)
        except SlackLimited as error:
            await asyncio.sleep(min(error.retry_after, LONGEST_WAIT))
        except SlackUnavailable:
            await asyncio.sleep(pause)
    return await call(client, method, **arguments)


async def call(client: AsyncWebClient, method: str, **arguments: Any) -> dict[str, Any]:
    """Call ``method`` with its arguments as JSON, without the ``None`` ones; methods that only read don't take JSON.

    Returns Slack's answer; raises one of the SlackErrors of ``bot.errors``.
    """
    data = (await respond(client, method, **arguments)).data
    return data if isinstance(data, dict) else {}


async def respond(client: AsyncWebClient, method: str, **arguments: Any) -> AsyncSlackResponse:
    """The same with the response's headers."""
    said = {name: value for name, value in arguments.items() if value is not None}
    try:
        async with asyncio.timeout(client.timeout):  # the SDK leaves it to a shared session, which has none
            if method in _READING:
                return await client.api_call(method, params=said)
            return await client.api_call(method, json=said)
    except SlackApiError as error:
        raise _meaning(error) from error
    except aiohttp.ClientConnectorError as error:  # it was never sent
        raise SlackUnavailable("unreachable", type(error).__name__) from error
    except (
        aiohttp.ClientError,
        SlackClientError,
        TimeoutError,
        OSError,
        ValueError,
        AttributeError,
    ) as error:
        # AttributeError: what the SDK makes of a body that is text, a list or a number
        raise SlackUnsure("no_answer", type(error).__name__) from error


def _meaning(error: SlackApiError) -> SlackError:
    response = error.response
    body = getattr(
        response, "data", None
    )  # of JSON that doesn't parse, the SDK hands on aiohttp's own response
    data = body if isinstance(body, dict) else {}
    status = response.status_code if hasattr(response, "status_code") else response.status
    code = data.get("error")
    if status == TOO_MANY or code in {"ratelimited", "rate_limited"}:
        return SlackLimited(_retry_after(response.headers))
    if status >= SERVER_ERROR or not isinstance(code, str):
        return SlackUnsure(f"http_{status}")
    metadata = data.get("response_metadata")
    reasons = metadata.get("messages") if isinstance(metadata, dict) else None
    detail = "; ".join(map(str, reasons[:3])) if isinstance(reasons, list) else ""
    if code.startswith(("msg_blocked", "restricted_action")):
        return ChannelClosed(code, detail)
    return _KINDS.get(code, SlackRejected)(code, detail)


def scopes(response: AsyncSlackResponse) -> frozenset[str] | None:
    """What the token may do, as Slack says with each answer; ``None`` where it doesn't."""
    said = _header(response.headers, "x-oauth-scopes")
    return frozenset(scope.strip() for scope in said.split(",")) if said else None


def _header(headers: Any, name: str) -> str:
    """A header by its lower-case name; the SDK gives headers as a plain dict, in the server's spelling."""
    return next((str(value) for spelled, value in headers.items() if spelled.lower() == name), "")


def _retry_after(headers: Any) -> float:
    """Seconds."""
    try:
        return max(1.0, float(_header(headers, "retry-after")))
    except ValueError:
        return DEFAULT_RETRY_AFTER
