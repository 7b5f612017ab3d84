"""The home tab, and the buttons in lists of runs: its own, and those of an answer to one person."""

from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.core.command import WholeTextCommand, Word
from bot.model import Audience
from bot.runs.commands import Commands
from bot.runs.intake import Intake, Request
from bot.slack.buttons import STOP_AT_HOME, STOP_LISTED
from bot.slack.deliveries import ButtonPress, HomeOpened, claim_key
from bot.slack.home import HomeTabs
from bot.slack.identity import Identity
from bot.slack.payloads import parse_action, parse_event

log = structlog.get_logger("bot.listener")


def register(
    app: AsyncApp, identity: Identity, intake: Intake, commands: Commands, home_tabs: HomeTabs
) -> None:
    """To be registered before the listeners of all other buttons and events."""

    @app.event("app_home_opened")
    async def opened(body: dict[str, Any]) -> None:
        match parse_event(body, identity.bot):
            case HomeOpened(workspace=workspace, user=user):
                home_tabs.opened(workspace, user)
            case other:
                log.debug("event.ignored", reason=getattr(other, "reason", type(other).__name__))

    @app.action(STOP_AT_HOME)
    async def stop_at_home(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        press = parse_action(body)
        if isinstance(press, ButtonPress):
            work = commands.stop_quietly(press.value, audience_of(press))
            home_tabs.act(press.workspace, press.user, work)

    @app.action(STOP_LISTED)
    async def stop_listed(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()
        press = parse_action(body)
        if isinstance(press, ButtonPress):
            request = Request(audience_of(press), claim_key(press), "")
            stop = WholeTextCommand(Word.STOP, press.value)
            intake.button(request, commands.carry_out(stop, request.audience))


def audience_of(press: ButtonPress) -> Audience:
    """Whoever pressed; at home there is no channel to answer in."""
    return Audience(
        press.workspace,
        press.channel or "",
        press.user,
        press.thread_ts,
        press.response_url,
        press.is_stranger,
    )
