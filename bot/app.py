"""The composition root: settings in, a running bot out."""

import asyncio
import secrets as randomness
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import structlog

from bot import log as logs
from bot import memory
from bot.assembly import assemble
from bot.clock import Clock
from bot.core.redact import Secrets
from bot.errors import StoreUnavailable
from bot.meter import Meter
from bot.runs.editor import Editor
from bot.runs.queue import Queue
from bot.runs.supervisor import Supervisor
from bot.serving import open_port
from bot.settings import Settings
from bot.store import dialect
from bot.store.preparing import is_shared, prepare
from bot.store.store import Store
from bot.web.heartbeat import heartbeat

log = structlog.get_logger("bot.app")

CHECKPOINT = 5.0  # seconds between the database's checkpoints
SWEEP = 3600.0  # seconds between sweeps of what is older than its retention
FLUSH = 5.0  # seconds for final edits after the runs have ended
DRAIN = 8.0  # seconds for all that follows SHUTDOWN_GRACE: together they stay under a PaaS's 30
SWITCH = 0.0005  # seconds that a database's thread waits for a busy event loop at each of its many small steps; Python's 5 ms make commands wait for their turn to be stored
DAY = 86_400.0


@dataclass(slots=True)
class Bot:
    """A bot that is up; ``port`` is where it listens, 0 where it doesn't."""

    port: int
    queue: Queue
    editor: Editor
    supervisor: Supervisor

    async def drain(self, grace: float) -> None:
        """Take no new work, let what is going on end or interrupt it, send the last edits, and answer whoever is owed it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace + DRAIN):
                await self.queue.drain(grace)
                await self.editor.close(FLUSH)
                await self.supervisor.settle(DRAIN)


@asynccontextmanager
async def running_bot(
    settings: Settings, clock: Clock | None = None, *, web: bool = True, pages: bool = True
) -> AsyncIterator[Bot]:
    """The whole bot, from its database to its port; leaving the context takes all of it down.

    Without ``web`` it only executes runs, and hears nothing of Slack's; without ``pages`` it has no port either. Raises StoreUnavailable, and SettingsError.
    """
    clock = clock or Clock()
    async with AsyncExitStack() as stack:
        await prepare(settings.database_url)
        owner = f"{socket.gethostname()}-{randomness.token_hex(4)}"
        meter = Meter()
        store = await Store.open(
            settings.database_url, owner=owner, most_queued=settings.max_queued_runs, meter=meter
        )
        stack.push_async_callback(store.close)
        stack.push_async_callback(_leave, store)
        stack.push_async_callback(_last_writes, store)
        # Streams and Slack share it; a limit on connections would make a stop wait behind the streams.
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=True)
        )
        supervisor = Supervisor()
        stack.push_async_callback(supervisor.close)
        works = settings.embedded_worker or not web
        parts = assemble(settings, clock, store, session, supervisor, meter=meter, works=works)
        await parts.keeper.join()
        port = await open_port(settings, clock, parts, store, supervisor, stack, slack=web) if pages else 0
        if is_shared(settings.database_url):
            from bot.dispatch.signs import listen  # noqa: PLC0415  the driver, which a file has no use for

            listening = listen(dialect.connecting(settings.database_url), owner, parts.bus.wake)
            supervisor.start("signs", listening, endless=True)
        for name, work in (
            ("heartbeat", heartbeat(meter.loop_lag)),
            ("editor", parts.editor.run()),
            ("shares", parts.shares.run()),
            ("output", store.output.run()),
            ("checkpoints", _checkpoints(store)),
            ("sweeps", _sweeps(store, clock, settings.retention_days * DAY)),
            ("identity", parts.identity.learn()),
            ("dispatcher", parts.dispatcher.run()),
            ("places", parts.places.run()),
            ("orders", parts.bus.run()),
            ("keeper", parts.keeper.run()),
            ("home tabs", parts.home_tabs.run()),
        ):
            supervisor.start(name, work, endless=True)
        log.info("bot.started", port=port, socket_mode=web and bool(settings.slack_app_token), owner=owner)
        yield Bot(port, parts.queue, parts.editor, supervisor)


async def _checkpoints(store: Store) -> None:
    """Keep the database's log short."""
    while True:
        with suppress(StoreUnavailable):
            await store.checkpoint()
        await asyncio.sleep(CHECKPOINT)


async def _sweeps(store: Store, clock: Clock, retention: float) -> None:
    """Let go of what is older than its retention; beside the checkpoints, since much that is old takes long."""
    while True:
        with suppress(StoreUnavailable):
            await store.sweep(clock.wall(), retention)
        await asyncio.sleep(SWEEP)


async def _leave(store: Store) -> None:
    with suppress(StoreUnavailable):
        await store.workers.leave()


async def _last_writes(store: Store) -> None:
    with suppress(StoreUnavailable):
        await store.output.flush()


async def serve(settings: Settings, *, web: bool = True, pages: bool = True) -> int:
    """Run until SIGTERM or SIGINT, then drain; a second signal ends at once. Returns the exit status.

    Without ``web`` as a worker, for which the processes need a database that they can share, and which has no port
    without ``pages``.
    """
    if not web and not is_shared(settings.database_url):
        raise StoreUnavailable(
            "`bot worker` needs a PostgreSQL database (DATABASE_URL); on SQLite `bot serve` executes runs by itself"
        )
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
        async with running_bot(settings, web=web, pages=pages) as bot:
            if not pages:
                log.info("bot.no_port", reason="PORT is not set in the environment")
            memory.settle()
            bot.supervisor.start("tidy", memory.tidy(lambda: bot.queue.running), endless=True)
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
