"""The form's submission."""

from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.model import Audience, Invocation
from bot.runs.intake import Intake, Request
from bot.slack import forms
from bot.slack.deliveries import Ignored, claim_key
from bot.slack.payloads import parse_view

log = structlog.get_logger("bot.listener")


def register(app: AsyncApp, intake: Intake) -> None:
    """Mistakes are shown at their fields, and the form stays open with what was typed."""

    @app.view(forms.CALLBACK)
    async def submitted(ack: AsyncAck, body: dict[str, Any]) -> None:
        form = parse_view(body)
        if isinstance(form, Ignored):
            await ack()
            log.warning("form.ignored", reason=form.reason)
            return
        asked = forms.read(form.values)
        if not isinstance(asked, Invocation):
            await ack(response_action="errors", errors=asked)
            return
        await ack()
        channel, thread_ts = forms.opened_at(form.private_metadata)
        audience = Audience(form.workspace, channel, form.user, thread_ts, is_stranger=form.is_stranger)
        await intake.form(Request(audience, claim_key(form), form.values.get(forms.PROMPT, "")), asked)
