"""The composition root: settings in, a running bot out."""

import asyncio
import secrets as randomness
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import structlog
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot import log as logs
from bot.clock import Clock
from bot.cloudcoding.client import CloudCoding, Timeouts
from bot.core.access import Limits, Policy
from bot.core.redact import Secrets
from bot.errors import StoreUnavailable
from bot.model import Options
from bot.runs.admission import Admission
from bot.runs.board import Board
from bot.runs.closing import Closing
from bot.runs.commands import Commands
from bot.runs.editor import Editor
from bot.runs.intake import Intake
from bot.runs.queue import Queue
from bot.runs.reactions import Reactions
from bot.runs.recovery import Recovery
from bot.runs.runner import Workshop
from bot.runs.sessions import Sessions
from bot.runs.summary import Summaries
from bot.runs.supervisor import Supervisor
from bot.settings import Settings
from bot.slack.bolt import bolt_app
from bot.slack.endpoint import MAX_BODY, slack_endpoint
from bot.slack.forms import Forms
from bot.slack.home import HomeTabs
from bot.slack.identity import Identity
from bot.slack.messenger import SlackMessenger
from bot.slack.settings_form import SettingsForm
from bot.slack.socket_mode import SocketMode
from bot.store.migrate import migrate
from bot.store.store import Store
from bot.web.metrics import make_registry
from bot.web.pages import make_web

log = structlog.get_logger("bot.app")

SLACK_SECONDS = 10  # for one call of the Web API
HOUSEKEEPING = 5.0  # seconds between the database's checkpoints
SWEEP = 3600.0  # seconds between sweeps of what is older than its retention
FLUSH = 5.0  # seconds for final edits after the runs have ended
DRAIN = 8.0  # seconds for all that follows SHUTDOWN_GRACE: together they stay under a PaaS's 30
SWITCH = 0.0005  # seconds that a database's thread waits for a busy event loop at each of its many small steps; Python's 5 ms make commands wait for their turn to be stored
HANG_UP = 0.5  # seconds for requests that are being answered while the port closes
DAY = 86_400.0


@dataclass(slots=True)
class Bot:
    """A bot that is up; ``port`` is where it listens."""

    port: int
    queue: Queue
    editor: Editor
    supervisor: Supervisor

    async def drain(self, grace: float) -> None:
        """Take no new work, let what is going on end or interrupt it, and send the last edits."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace + DRAIN):
                await self.queue.drain(grace)
                await self.editor.close(FLUSH)


@asynccontextmanager
async def running_bot(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Bot]:
    """The whole bot, from its database to its port; leaving the context takes all of it down."""
    clock = clock or Clock()
    async with AsyncExitStack() as stack:
        await migrate(settings.database_url)
        store = await Store.open(settings.database_url)
        stack.push_async_callback(store.close)
        stack.push_async_callback(_last_writes, store)
        # Streams and Slack share it; a limit on connections would make a stop wait behind the streams.
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=True)
        )
        supervisor = Supervisor()
        stack.push_async_callback(supervisor.close)
        parts = _assemble(settings, clock, store, session, supervisor)
        # Before all else: where another process has the port, its runs are not taken for those of a dead one.
        port = await _listen(settings, clock, parts, store, supervisor, stack)
        for name, work in (
            ("editor", parts.editor.run()),
            ("output", store.output.run()),
            ("housekeeping", _housekeeping(store, clock, settings.retention_days * DAY)),
            ("identity", parts.identity.learn()),
            ("queue", parts.queue.run()),
            ("recovery", parts.recovery.run()),
            ("home tabs", parts.home_tabs.run()),
        ):
            supervisor.start(name, work)
        log.info("bot.started", port=port, socket_mode=bool(settings.slack_app_token))
        yield Bot(port, parts.queue, parts.editor, supervisor)


@dataclass(slots=True)
class _Parts:
    client: AsyncWebClient
    identity: Identity
    messenger: SlackMessenger
    editor: Editor
    queue: Queue
    intake: Intake
    commands: Commands
    forms: Forms
    home_tabs: HomeTabs
    settings_form: SettingsForm
    recovery: Recovery


def _assemble(
    settings: Settings, clock: Clock, store: Store, session: aiohttp.ClientSession, supervisor: Supervisor
) -> _Parts:
    secrets = Secrets(settings.secret_values())
    owner = f"{socket.gethostname()}-{randomness.token_hex(4)}"
    client = AsyncWebClient(
        token=settings.slack_bot_token.get_secret_value() if settings.slack_bot_token else None,
        base_url=settings.slack_api_url,
        session=session,
        timeout=SLACK_SECONDS,
        retry_handlers=[],
    )
    identity = Identity(client)
    messenger = SlackMessenger(client, session, clock)
    editor = Editor(messenger, clock)
    board = Board(editor, secrets)
    reactions = Reactions(messenger, supervisor)
    default_repo = settings.cloudcoding_default_repo
    summaries = Summaries(store, secrets, clock, identity.site)
    home_tabs = HomeTabs(
        messenger,
        store,
        summaries,
        supervisor,
        secrets=secrets,
        clock=clock,
        default_repo=default_repo,
    )
    workshop = Workshop(
        store=store,
        editor=editor,
        messenger=messenger,
        board=board,
        reactions=reactions,
        sessions=Sessions(messenger, supervisor, lambda: identity.may("assistant:write")),
        home=home_tabs,
        closing=Closing(editor, messenger, store),
        supervisor=supervisor,
        upstream=CloudCoding(
            session,
            settings.cloudcoding_api_url,
            settings.cloudcoding_api_key.get_secret_value(),
            timeouts=Timeouts(
                headers=settings.cloudcoding_idle_timeout, idle=settings.cloudcoding_idle_timeout
            ),
            github_url=settings.github_url,
        ),
        clock=clock,
        secrets=secrets,
        github_token=settings.github_token.get_secret_value() if settings.github_token else "",
        github_host=urlsplit(settings.github_url).netloc,
    )
    queue = Queue(workshop, owner, settings.max_concurrent_runs)
    admission = Admission(
        store=store,
        messenger=messenger,
        board=board,
        queue=queue,
        reactions=reactions,
        home=home_tabs,
        supervisor=supervisor,
        secrets=secrets,
        limits=Limits(settings.max_runs_per_user, settings.max_runs_per_channel, settings.max_runs_per_day),
        policy=Policy(settings.allowed_users, settings.allowed_channels, settings.allowed_repos),
        clock=clock,
    )
    defaults = Options(repo=default_repo)
    commands = Commands(store, queue, admission, supervisor, summaries, clock, default_repo)
    intake = Intake(store, queue, admission, commands, supervisor, clock, defaults)
    forms = Forms(messenger, intake, supervisor)
    recovery = Recovery(workshop, admission, owner)
    settings_form = SettingsForm(messenger, store, home_tabs, admission, supervisor, clock)
    return _Parts(
        client,
        identity,
        messenger,
        editor,
        queue,
        intake,
        commands,
        forms,
        home_tabs,
        settings_form,
        recovery,
    )


async def _listen(
    settings: Settings,
    clock: Clock,
    parts: _Parts,
    store: Store,
    supervisor: Supervisor,
    stack: AsyncExitStack,
) -> int:
    """Open the port, and begin to connect in Socket Mode; returns the port."""
    bolt = bolt_app(
        parts.client,
        identity=parts.identity,
        messenger=parts.messenger,
        intake=parts.intake,
        whole_text=parts.commands,
        forms=parts.forms,
        home_tabs=parts.home_tabs,
        settings_form=parts.settings_form,
    )
    endpoint, socket_mode = None, None
    if settings.slack_app_token is not None:
        socket_mode = SocketMode(bolt, parts.client, settings.slack_app_token.get_secret_value(), clock)
    elif settings.slack_signing_secret is not None:
        endpoint = slack_endpoint(bolt, settings.slack_signing_secret.get_secret_value(), clock)

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

    application = make_web(endpoint, readiness, make_registry(lambda: parts.queue.running), max_body=MAX_BODY)
    runner = web.AppRunner(application, access_log=None, handler_cancellation=False, shutdown_timeout=HANG_UP)
    await runner.setup()
    stack.push_async_callback(_hang_up, runner)
    site = web.TCPSite(runner, "0.0.0.0", settings.port)  # noqa: S104  a PaaS routes to it from outside
    await site.start()
    if socket_mode is not None:
        stack.push_async_callback(socket_mode.close)
        supervisor.start("socket mode", socket_mode.run())
    return int(runner.addresses[0][1])


async def _hang_up(runner: web.AppRunner) -> None:
    """Close the port, then its connections.

    The moment between them is for connections that were just accepted: aiohttp would neither answer nor close
    those while it shuts down, but wait for them.
    """
    for site in runner.sites:
        await site.stop()
    await asyncio.sleep(HANG_UP / 10)
    await runner.cleanup()


async def _housekeeping(store: Store, clock: Clock, retention: float) -> None:
    """Keep the database's log short, and let go of what is older than its retention."""
    swept = -SWEEP
    while True:
        with suppress(StoreUnavailable):
            await store.checkpoint()
            if clock.monotonic() - swept >= SWEEP:
                swept = clock.monotonic()
                await store.sweep(clock.wall(), retention)
        await asyncio.sleep(HOUSEKEEPING)


async def _last_writes(store: Store) -> None:
    with suppress(StoreUnavailable):
        await store.output.flush()


async def serve(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT, then drain; a second signal ends at once. Returns the exit status."""
    logs.configure(settings.log_level, settings.log_format, Secrets(settings.secret_values()).redact)
    logs.report_uncaught()
    sys.setswitchinterval(SWITCH)
    loop = asyncio.get_running_loop()
    asked, insisted = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (insisted if asked.is_set() else asked).set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, on_signal)
    try:
        async with running_bot(settings) as bot:
            await asked.wait()
            log.info("bot.draining", running=bot.queue.running)
            draining = asyncio.create_task(bot.drain(settings.shutdown_grace), name="drain")
            hurry = asyncio.create_task(insisted.wait(), name="hurry")
            await asyncio.wait({draining, hurry}, return_when=asyncio.FIRST_COMPLETED)
            for task in (draining, hurry):
                task.cancel()
    except OSError as error:
        log.error("bot.not_started", error=str(error))
        return 1
    log.info("bot.stopped")
    return 0
