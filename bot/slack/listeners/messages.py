"""Messages: mentions, direct messages, replies, and what becomes of them."""

from typing import Any

import structlog
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest

from bot.core.slacktext import without_mention
from bot.model import Audience
from bot.runs.answers import Request
from bot.runs.edits import Edits
from bot.runs.intake import Intake
from bot.slack.deliveries import (
    BotIdentity,
    MessageDeleted,
    MessageEdited,
    SessionStopped,
    UserMessage,
    claim_key,
)
from bot.slack.identity import Identity
from bot.slack.payloads import identity_in, parse_event

log = structlog.get_logger("bot.listener")


LAST_DELIVERY = "3"  # the number of Slack's last attempt after the first


def register(app: AsyncApp, intake: Intake, edits: Edits, identity: Identity) -> None:
    """A mention in a channel arrives as ``app_mention`` and as ``message``; the claim makes them one."""

    async def message(body: dict[str, Any], request: AsyncBoltRequest) -> None:
        bot = identity_in(body, identity.bot)
        event = parse_event(body, bot)
        match event:
            case UserMessage():
                last = LAST_DELIVERY in request.headers.get("x-slack-retry-num", ())
                await intake.message(_request(event, bot, last=last))
            case MessageEdited():
                audience = Audience(event.workspace, event.channel, event.user, event.thread_ts)
                text = without_mention(event.text, bot.user_id)
                await edits.edited(Request(audience, claim_key(event), text, ts=event.ts))
            case MessageDeleted():
                audience = Audience(event.workspace, event.channel, "", event.thread_ts)
                await edits.deleted(Request(audience, claim_key(event), "", ts=event.ts))
            case SessionStopped():
                audience = Audience(event.workspace, event.channel, event.user, event.thread_ts)
                await intake.session_stopped(Request(audience, claim_key(event), ""))
            case _:
                log.debug("message.ignored", reason=getattr(event, "reason", type(event).__name__))

    app.event("app_mention")(message)
    app.event("message")(message)
    app.event("agent_session_stopped")(message)


def _request(event: UserMessage, bot: BotIdentity, *, last: bool) -> Request:
    audience = Audience(
        event.workspace, event.channel, event.user, thread_ts=event.thread_ts, is_stranger=event.is_stranger
    )
    return Request(
        audience=audience,
        claim=claim_key(event),
        text=without_mention(event.text, bot.user_id),
        ts=event.ts,
        addressed=event.mentions_bot or event.direct,
        attachments=event.files,
        last=last,
    )
