"""What Slack tells about users and the installation, and all that the bot didn't ask for."""

import re
from traceback import walk_tb
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse

from bot.errors import StoreUnavailable
from bot.slack.deliveries import TokensRevoked, Uninstalled, UserChanged
from bot.slack.identity import Identity
from bot.slack.messenger import SlackMessenger
from bot.slack.payloads import parse_event

log = structlog.get_logger("bot.listener")

BAD_REQUEST = 400
SERVER_ERROR = 503  # Slack delivers an event again that was answered so


def register(app: AsyncApp, identity: Identity, messenger: SlackMessenger) -> None:
    """To be registered last: Bolt asks the listeners in order."""

    @app.event(re.compile(".*"))
    async def event(body: dict[str, Any]) -> None:
        told = parse_event(body, identity.bot)
        match told:
            case UserChanged(user=user):
                messenger.forget(user)
            case TokensRevoked() | Uninstalled():
                identity.revoked()
            case _:
                log.debug("event.ignored", reason=getattr(told, "reason", type(told).__name__))

    for register_all in (app.shortcut, app.view, app.options):

        @register_all(re.compile(".*"))
        async def other(ack: AsyncAck) -> None:
            await ack()

    @app.error
    async def failed(error: Exception, body: dict[str, Any]) -> BoltResponse:
        if isinstance(error, BoltUnhandledRequestError):
            return BoltResponse(status=200)
        if not _ours(error):
            # Its words may quote the payload.
            log.warning("listener.unreadable", error=type(error).__name__)
            return BoltResponse(status=BAD_REQUEST)
        if isinstance(error, StoreUnavailable | TimeoutError):
            log.warning("listener.store_unavailable", error=str(error))
            return BoltResponse(status=SERVER_ERROR)
        log.error("listener.failed", exc_info=error)
        # Delivered again, an event would fail again; what a person does is answered by Slack's own error.
        return BoltResponse(status=200 if body.get("type") == "event_callback" else SERVER_ERROR)


def _ours(error: Exception) -> bool:
    """Whether a listener raised it; else it was Bolt, over a payload whose parts aren't of the types that it expects."""
    names = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    return any(name.startswith("bot.") for name in names)
