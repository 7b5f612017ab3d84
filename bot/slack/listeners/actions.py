"""Buttons."""

import re
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.model import Audience
from bot.runs.commands import Commands
from bot.runs.intake import Intake, Request
from bot.slack.buttons import OPEN_FORM, RETRY_FAILED, RETRY_RUN, STOP_RUN, STOP_TASK
from bot.slack.deliveries import ButtonPress, claim_key
from bot.slack.forms import Forms, Start
from bot.slack.payloads import parse_action

log = structlog.get_logger("bot.listener")


def register(app: AsyncApp, intake: Intake, commands: Commands, forms: Forms) -> None:
    """Every button is acknowledged, also one of an older version's message; link buttons do nothing else."""

    @app.action(re.compile(".*"))
    async def action(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        press = parse_action(body)
        if not isinstance(press, ButtonPress) or press.channel is None:
            log.debug("action.ignored", kind=type(press).__name__)
            return
        audience = Audience(
            press.workspace, press.channel, press.user, press.thread_ts, press.response_url, press.is_stranger
        )
        request = Request(audience, claim_key(press), "")
        match press.action:
            case x if x == STOP_RUN:
                intake.button(request, commands.stop(press.value, audience))
            case x if x == STOP_TASK:
                intake.button(request, commands.stop_task(press.value, audience))
            case x if x == RETRY_RUN:
                intake.button(request, commands.retry(press.value, audience, only_failed=False))
            case x if x == RETRY_FAILED:
                intake.button(request, commands.retry(press.value, audience, only_failed=True))
            case x if x == OPEN_FORM:
                forms.open(audience, press.trigger_id, Start(press.value))
            case _:
                log.debug("action.ignored", action=press.action)
