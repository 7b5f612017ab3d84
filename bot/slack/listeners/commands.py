"""Slash commands."""

import re
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.model import Audience
from bot.runs.answers import Request
from bot.runs.intake import Intake
from bot.slack.blocks import render_notice
from bot.slack.deliveries import Ignored, claim_key
from bot.slack.forms import Forms
from bot.slack.payloads import parse_command

log = structlog.get_logger("bot.listener")


def register(app: AsyncApp, intake: Intake, forms: Forms) -> None:
    """Every slash command that the app's manifest points here, whatever its name."""

    @app.command(re.compile(".*"))
    async def command(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        asked = parse_command(body)
        if isinstance(asked, Ignored):
            log.warning("command.ignored", reason=asked.reason)
            return
        audience = Audience(
            asked.workspace, asked.channel, asked.user, response_url=asked.response_url or None
        )
        if not asked.text.strip():
            forms.open(audience, asked.trigger_id)
            return
        answer = await intake.command(Request(audience, claim_key(asked), asked.text))
        if answer is not None:
            rendered = render_notice(answer)
            await ack(rendered.text, blocks=rendered.blocks, response_type="ephemeral")
