"""Shortcuts: the form without a command."""

from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.model import Audience
from bot.slack.deliveries import Ignored
from bot.slack.forms import Forms, Start
from bot.slack.payloads import parse_shortcut

log = structlog.get_logger("bot.listener")

NEW_RUN, RUN_ON_MESSAGE = "new_run", "run_on_message"


def register(app: AsyncApp, forms: Forms) -> None:
    """*New run* anywhere, and *Run on this message*."""

    async def used(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        shortcut = parse_shortcut(body)
        if isinstance(shortcut, Ignored):
            log.warning("shortcut.ignored", reason=shortcut.reason)
            return
        audience = Audience(
            shortcut.workspace, shortcut.channel or "", shortcut.user, response_url=shortcut.response_url
        )
        forms.open(audience, shortcut.trigger_id, Start(shortcut.text, shortcut.message_ts))

    app.shortcut(NEW_RUN)(used)
    app.shortcut(RUN_ON_MESSAGE)(used)
