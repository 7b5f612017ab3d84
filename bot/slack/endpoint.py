"""``POST /slack/events``: nothing gets past here that Slack didn't sign, and nothing that isn't well formed.

Bolt would log the body of a request with a bad signature, and answer 500 to a malformed one: so both are turned
away before Bolt sees them.
"""

import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_sdk.signature import Clock as SignatureClock
from slack_sdk.signature import SignatureVerifier

from bot.clock import Clock
from bot.runs.precedence import Precedence

log = structlog.get_logger("bot.endpoint")

MAX_BODY = 4 * 2**20  # bytes; Slack's largest payloads, views with all their state, stay far below


class _Now(SignatureClock):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def now(self) -> float:
        return self._clock.wall()


def slack_endpoint(
    app: AsyncApp, signing_secret: str, clock: Clock, precedence: Precedence
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler that verifies a request and hands it to Bolt."""
    verifier = SignatureVerifier(signing_secret, clock=_Now(clock))

    async def handle(request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        if not timestamp.isascii() or not timestamp.isdigit():
            return _turned_away(401, "timestamp")
        if not _genuine(verifier, raw, timestamp, signature):
            return _turned_away(401, "signature")
        body = _well_formed(raw, request.content_type)
        if body is None:
            return _turned_away(400, "body")
        try:
            asked = AsyncBoltRequest(body=body, query=request.query_string, headers=dict(request.headers))
            with precedence.request():
                answer = await app.async_dispatch(asked)
        except Exception as error:  # noqa: BLE001  what listeners raise is answered by Bolt; this is its own reading of a payload with parts of other types than Slack's
            log.info("endpoint.unreadable", error=type(error).__name__)
            return _turned_away(400, "payload")
        return await to_aiohttp_response(answer)

    return handle


def _genuine(verifier: SignatureVerifier, raw: bytes, timestamp: str, signature: str) -> bool:
    """Whether Slack signed it, just now; the SDK stumbles over what isn't UTF-8, ASCII or a plausible time."""
    try:
        return verifier.is_valid(raw, timestamp, signature)
    except (ValueError, TypeError, OverflowError):
        return False


def _turned_away(status: int, what: str) -> web.Response:
    log.warning("endpoint.turned_away", status=status, reason=what)
    return web.json_response({"error": f"invalid {what}"}, status=status)


def _well_formed(raw: bytes, content_type: str) -> str | None:
    """The body as text, where it is what Slack sends: a JSON object, or a form (with one in ``payload``)."""
    try:
        body = raw.decode()
        if content_type == "application/json":
            return body if isinstance(json.loads(body), dict) else None
        form = parse_qs(body, keep_blank_values=True, max_num_fields=100)
        if "payload" in form:
            return body if isinstance(json.loads(form["payload"][0]), dict) else None
    except (ValueError, RecursionError):
        return None
    return body if "command" in form or "ssl_check" in form else None
