"""The address at which Slack finds the bot, where the platform that it runs on tells it."""

import os
from collections.abc import Mapping
from http import HTTPStatus

import aiohttp

from bot.doctor.finding import Examination, Finding, ok, unknown, warning

ABOUT = "Request URL"
_TURNED_AWAY = b"invalid timestamp"  # how the bot answers what Slack did not sign
_PIECE = 2_000  # bytes of an answer that are looked at


def public_address(environment: Mapping[str, str]) -> str | None:
    """Where the platform has put this process, without a slash at the end: Render, Railway, Fly.io, and Heroku.

    Heroku tells it where ``runtime-dyno-metadata`` is enabled. Each sets a variable of its own.
    """
    if url := environment.get("RENDER_EXTERNAL_URL"):
        return url.rstrip("/")
    for name in ("RAILWAY_PUBLIC_DOMAIN", "HEROKU_APP_DEFAULT_DOMAIN_NAME"):
        if host := environment.get(name):
            return f"https://{host}"
    app = environment.get("FLY_APP_NAME")
    return f"https://{app}.fly.dev" if app else None


async def request_url(examination: Examination) -> list[Finding]:
    """Whether Slack's requests arrive: a running bot turns away what isn't signed, in words of its own."""
    settings = examination.settings
    if settings.slack_app_token is not None:
        return []  # it needs none
    address = public_address(os.environ)
    if address is None:
        must = "Slack must send events, commands and interactivity to https://YOUR-HOST/slack/events, which leads to"
        return [unknown(ABOUT, f"{must} port {settings.port} here.")]
    url = f"{address}/slack/events"
    try:
        async with examination.session.post(
            url, json={}, allow_redirects=False, timeout=examination.timeout
        ) as response:
            status, said = response.status, await response.content.read(_PIECE)
    except (aiohttp.ClientError, OSError, ValueError):
        return [warning(ABOUT, f"{url} can't be reached: is the bot running, with a public address?")]
    if status == HTTPStatus.UNAUTHORIZED and _TURNED_AWAY in said:
        return [ok(ABOUT, f"{url} leads to the bot: it is what Slack needs.")]
    return [warning(ABOUT, f"{url} answers, but not as the bot does (HTTP {status}): is it running there?")]
