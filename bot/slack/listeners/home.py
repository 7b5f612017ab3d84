"""The home tab, and the buttons in lists of runs: its own, and those of an answer to one person."""

from typing import Any

import structlog
from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.core.command import WholeTextCommand, Word
from bot.model import Audience
from bot.runs.answers import Request
from bot.runs.commands import Commands
from bot.runs.intake import Intake
from bot.runs.suggestions import Suggestions
from bot.slack.buttons import STOP_AT_HOME, STOP_LISTED
from bot.slack.deliveries import ButtonPress, ChatOpened, HomeOpened, claim_key
from bot.slack.home import HomeTabs
from bot.slack.identity import Identity
from bot.slack.payloads import parse_action, parse_event

log = structlog.get_logger("bot.listener")


def register(
    app: AsyncApp,
    *,
    identity: Identity,
    intake: Intake,
    commands: Commands,
    home_tabs: HomeTabs,
    suggestions: Suggestions,
) -> None:
    """To be registered before the listeners of all other buttons and events."""

    async def opened(body: dict[str, Any]) -> None:
        match parse_event(body, identity.bot):
            case HomeOpened(workspace=workspace, user=user):
                home_tabs.opened(workspace, user)
            case ChatOpened(workspace=workspace, user=user, channel=channel, thread_ts=thread_ts):
                suggestions.opened(Audience(workspace, channel, user, thread_ts))
            case other:
                log.debug("event.ignored", reason=getattr(other, "reason", type(other).__name__))

    app.event("app_home_opened")(opened)
    app.event("assistant_thread_started")(opened)

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
            request = Request(audience_of(press), claim_key(press), "", run=press.value)
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
