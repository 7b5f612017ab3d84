"""The port: Slack's requests or its Socket Mode, health and metrics; of a worker the latter two."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from aiohttp import web

from bot.assembly import Parts
from bot.clock import Clock
from bot.errors import StoreUnavailable
from bot.runs.supervisor import Supervisor
from bot.settings import Settings
from bot.slack.bolt import bolt_app
from bot.slack.endpoint import MAX_BODY, slack_endpoint
from bot.slack.socket_mode import SocketMode
from bot.store.store import Store
from bot.web.census import Census
from bot.web.metrics import make_registry
from bot.web.pages import Handler, make_web

HANG_UP = 0.5  # seconds for requests that are being answered while the port closes


async def open_port(
    settings: Settings,
    clock: Clock,
    parts: Parts,
    store: Store,
    supervisor: Supervisor,
    stack: AsyncExitStack,
    *,
    slack: bool,
) -> int:
    """Open the port, and begin to connect in Socket Mode; returns the port. Without ``slack`` nothing of Slack's arrives."""
    endpoint, socket_mode = _from_slack(settings, clock, parts) if slack else (None, None)
    readiness = _readiness(parts, store, socket_mode)
    census = Census(store.queue.counts, clock)
    registry = make_registry(parts.meter, census, lambda: parts.queue.running)
    application = make_web(endpoint, readiness, registry, census, max_body=MAX_BODY)
    runner = web.AppRunner(
        application,
        access_log=None,
        handler_cancellation=False,
        shutdown_timeout=HANG_UP,
        auto_decompress=False,  # a signature is of the bytes as they came; and few of them can unpack to gigabytes
    )
    await runner.setup()
    stack.push_async_callback(_hang_up, runner)
    site = web.TCPSite(runner, "0.0.0.0", settings.port)  # noqa: S104  a PaaS routes to it from outside
    await site.start()
    if socket_mode is not None:
        stack.push_async_callback(socket_mode.close)
        supervisor.start("socket mode", socket_mode.run(), endless=True)
    return int(runner.addresses[0][1])


def _from_slack(settings: Settings, clock: Clock, parts: Parts) -> tuple[Handler | None, SocketMode | None]:
    """The way by which Slack's requests arrive: one of the two."""
    bolt = bolt_app(
        parts.client,
        identity=parts.identity,
        messenger=parts.messenger,
        intake=parts.intake,
        edits=parts.edits,
        suggestions=parts.suggestions,
        whole_text=parts.commands,
        forms=parts.forms,
        home_tabs=parts.home_tabs,
        settings_form=parts.settings_form,
    )
    if settings.slack_app_token is not None:
        token = settings.slack_app_token.get_secret_value()
        return None, SocketMode(bolt, parts.client, token, clock, parts.precedence)
    if settings.slack_signing_secret is not None:
        secret = settings.slack_signing_secret.get_secret_value()
        return slack_endpoint(bolt, secret, clock, parts.precedence), None
    return None, None


def _readiness(parts: Parts, store: Store, socket_mode: SocketMode | None) -> Callable[[], Awaitable[str]]:
    """What keeps the process from working, asked for each time."""

    async def readiness() -> str:
        if parts.queue.draining:
            return "draining"
        try:
            await store.ping(1.0)
        except StoreUnavailable:
            return "the database does not answer"
        if not parts.identity.problem and socket_mode is not None and not await socket_mode.connected():
            return "the connection to Slack is not up"
        return parts.identity.problem

    return readiness


async def _hang_up(runner: web.AppRunner) -> None:
    """Close the port, then its connections.

    The moment between them is for connections that were just accepted: aiohttp would neither answer nor close
    those while it shuts down, but wait for them.
    """
    for site in runner.sites:
        await site.stop()
    await asyncio.sleep(HANG_UP / 10)
    await runner.cleanup()
