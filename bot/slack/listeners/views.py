"""What happens in the open form: its buttons, its menu of repositories, its submission."""

from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.runs.intake import Intake
from bot.slack import form_view
from bot.slack.deliveries import FormAction, Ignored
from bot.slack.form_draft import REPO
from bot.slack.forms import Forms
from bot.slack.interactions import parse_suggestion
from bot.slack.payloads import parse_action, parse_view

log = structlog.get_logger("bot.listener")

MOST_OPTIONS = 100  # that Slack shows


def register(app: AsyncApp, intake: Intake, forms: Forms) -> None:
    """To be registered before the listener of all other buttons."""

    async def changed(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        pressed = parse_action(body)
        if isinstance(pressed, FormAction):
            forms.change(pressed)

    for button in (form_view.SEVERAL, form_view.ONE, form_view.ADD_TASK):
        app.action(button)(changed)

    @app.options(REPO)
    async def suggested(ack: AsyncAck, body: dict[str, Any]) -> None:
        wanted = parse_suggestion(body)
        offered = [] if isinstance(wanted, Ignored) else await forms.repositories(wanted)
        await ack(options=[form_view.repository_option(repo) for repo in offered[:MOST_OPTIONS]])

    @app.view(form_view.CALLBACK)
    async def submitted(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Mistakes are shown at their fields, and the form stays open with what was typed."""
        form = parse_view(body)
        if isinstance(form, Ignored):
            await ack()
            log.warning("form.ignored", reason=form.reason)
            return
        asked = forms.read(form)
        if isinstance(asked, dict):
            await ack(response_action="errors", errors=asked)
            return
        await ack()
        await intake.form(*asked)
