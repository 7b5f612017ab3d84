"""Slack: the tokens, what they may do, and whether the clocks agree."""

import math
import re
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.core.text import one_line
from bot.doctor.finding import Examination, Finding, ok, unknown, warning, wrong
from bot.errors import SlackError, SlackLimited, SlackUnavailable
from bot.settings import Settings
from bot.slack.api import respond, scopes
from bot.slack.scopes import NEEDED

_SECRET = re.compile(r"[0-9a-f]{32}")
_SKEW_SEEN = 60  # seconds
_SKEW_TOO_MUCH = 300  # seconds, past which Slack's signatures count as too old

_REFUSED_BOT = "SLACK_BOT_TOKEN was refused ({code}): copy the bot token (xoxb-…) from your app's “OAuth & Permissions” page."
_REFUSED_APP = (
    "SLACK_APP_TOKEN was refused ({code}): make an app-level token (xapp-…) with the scope connections:write on your"
    " app's “Basic Information” page."
)


async def bot_token(examination: Examination) -> list[Finding]:
    """Whose the bot token is, whether it may do all that is needed, and Slack's idea of the time."""
    settings = examination.settings
    token = settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else ""
    try:
        response = await respond(_client(examination, token), "auth.test")
    except SlackError as error:
        silent = "this needs Slack's answer to the token."
        return [
            _failed("Slack", error, settings, _REFUSED_BOT),
            unknown("scopes", silent),
            unknown("clock", silent),
        ]
    return [_whose(response), _scopes(response), _clock(response, examination)]


async def app_token(examination: Examination) -> list[Finding]:
    """How Slack's events arrive: by Socket Mode, whose token is tried, or signed over HTTP."""
    settings = examination.settings
    if settings.slack_app_token is None:
        return [_signing_secret(settings)]
    client = _client(examination, settings.slack_app_token.get_secret_value())
    try:
        await respond(client, "apps.connections.open")  # a ticket that nobody uses
    except SlackError as error:
        return [_failed("Socket Mode", error, settings, _REFUSED_APP)]
    return [ok("Socket Mode", "SLACK_APP_TOKEN opens connections.")]


def _client(examination: Examination, token: str) -> AsyncWebClient:
    return AsyncWebClient(
        token=token,
        base_url=examination.settings.slack_api_url,
        session=examination.session,
        timeout=math.ceil(examination.patience),
        retry_handlers=[],
    )


def _failed(about: str, error: SlackError, settings: Settings, refused: str) -> Finding:
    if isinstance(error, SlackLimited):
        return unknown(about, f"Slack asks to wait: try again in {error.retry_after:.0f} s.")
    if isinstance(error, SlackUnavailable):
        host = urlsplit(settings.slack_api_url).hostname
        return wrong(
            about,
            f"{host} can't be reached or does not answer as Slack does: check the network and SLACK_API_URL.",
        )
    return wrong(about, refused.format(code=one_line(error.code, 60)))


def _whose(response: AsyncSlackResponse) -> Finding:
    answer = response.data if isinstance(response.data, dict) else {}
    user, team = (one_line(str(answer.get(key) or "?"), 60) for key in ("user", "team"))
    if not answer.get("bot_id"):
        return wrong(
            "Slack",
            f"SLACK_BOT_TOKEN is the token of a person ({user} in {team}): use the one that begins with xoxb-.",
        )
    return ok("Slack", f"the token works: @{user} in {team}.")


def _scopes(response: AsyncSlackResponse) -> Finding:
    granted = scopes(response)
    if granted is None:
        return unknown("scopes", "Slack did not say which scopes the token has.")
    missing = [f"{scope} ({use})" for scope, use in NEEDED.items() if scope not in granted]
    if missing:
        return wrong(
            "scopes",
            f"missing: {', '.join(missing)}. Add them on your app's “OAuth & Permissions” page and install it again.",
        )
    return ok("scopes", f"the token has all {len(NEEDED)} that are needed.")


def _clock(response: AsyncSlackResponse, examination: Examination) -> Finding:
    said = next((str(value) for name, value in response.headers.items() if name.lower() == "date"), "")
    try:
        skew = abs(examination.clock.wall() - parsedate_to_datetime(said).timestamp())
    except ValueError:
        return unknown("clock", "Slack did not say what time it is.")
    if skew <= _SKEW_SEEN:
        return ok("clock", "agrees with Slack's.")
    words = f"differs from Slack's by {skew:.0f} s"
    if skew > _SKEW_TOO_MUCH and examination.settings.slack_app_token is None:
        return wrong(
            "clock", f"{words}, so that all of Slack's requests look forged: set this machine's clock."
        )
    return warning("clock", f"{words}: set this machine's clock.")


def _signing_secret(settings: Settings) -> Finding:
    secret = settings.slack_signing_secret.get_secret_value() if settings.slack_signing_secret else ""
    if _SECRET.fullmatch(secret):
        return ok("signing secret", "is set; only a request from Slack can show whether it is the right one.")
    return warning(
        "signing secret", "does not look like one, which is 32 of 0-9 and a-f: compare SLACK_SIGNING_SECRET."
    )
