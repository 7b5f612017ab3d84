"""People's own settings: the button that opens their form, and its submission."""

from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.slack import settings_form
from bot.slack.buttons import EDIT_SETTINGS
from bot.slack.deliveries import ButtonPress, Ignored
from bot.slack.listeners.home import audience_of
from bot.slack.payloads import parse_action, parse_view
from bot.slack.settings_form import SettingsForm

log = structlog.get_logger("bot.listener")


def register(app: AsyncApp, form: SettingsForm) -> None:
    """To be registered before the listeners of all other buttons and forms."""

    @app.action(EDIT_SETTINGS)
    async def edit(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        press = parse_action(body)
        if isinstance(press, ButtonPress):
            form.open(audience_of(press), press.trigger_id)

    @app.view(settings_form.CALLBACK)
    async def submitted(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Mistakes are shown at their fields, and the form stays open with what was typed."""
        filled = parse_view(body)
        if isinstance(filled, Ignored):
            await ack()
            log.warning("form.ignored", reason=filled.reason)
            return
        read = form.read(filled.values)
        if isinstance(read, dict):
            await ack(response_action="errors", errors=read)
            return
        await ack()
        form.save(settings_form.audience_of(filled), read)
