"""What Slack tells about users and the installation, and all that the bot didn't ask for."""

import re
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse

from bot.slack.deliveries import TokensRevoked, Uninstalled, UserChanged
from bot.slack.identity import Identity
from bot.slack.messenger import SlackMessenger
from bot.slack.payloads import parse_event

log = structlog.get_logger("bot.listener")

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
    async def failed(error: Exception) -> BoltResponse:
        if isinstance(error, BoltUnhandledRequestError):
            return BoltResponse(status=200)
        log.error("listener.failed", exc_info=error)
        return BoltResponse(status=SERVER_ERROR)
