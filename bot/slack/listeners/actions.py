"""Buttons."""

import re
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.model import Audience
from bot.runs.answers import Request
from bot.runs.commands import Commands
from bot.runs.edits import Edits
from bot.runs.intake import Intake
from bot.slack.buttons import DROP, OPEN_FORM, RERUN, RETRY_FAILED, RETRY_RUN, SEND_NOW, STOP_RUN, STOP_TASK
from bot.slack.deliveries import ButtonPress, claim_key
from bot.slack.forms import Forms, Start
from bot.slack.payloads import parse_action

log = structlog.get_logger("bot.listener")


def register(app: AsyncApp, intake: Intake, edits: Edits, commands: Commands, forms: Forms) -> None:
    """Every button is acknowledged, also one of an older version's message; link buttons do nothing else."""
    works: Mapping[str, Callable[[str, Audience], Coroutine[Any, Any, object]]] = {
        STOP_RUN: commands.stop,
        STOP_TASK: commands.stop_task,
        SEND_NOW: commands.send_now,
        DROP: commands.drop,
        RETRY_RUN: partial(commands.retry, only_failed=False),
        RETRY_FAILED: partial(commands.retry, only_failed=True),
        RERUN: edits.rerun,
    }

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
        request = Request(audience, claim_key(press), "", run=press.value.partition("/")[0])
        if press.action in works:
            intake.button(request, works[press.action](press.value, audience))
        elif press.action == OPEN_FORM:
            forms.open(audience, press.trigger_id, Start(press.value))
        else:
            log.debug("action.ignored", action=press.action)
