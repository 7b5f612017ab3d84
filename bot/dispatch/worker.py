"""procrastinate's worker, which fetches a job whenever this process has room, and is made anew whenever it fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any, LiteralString

import psycopg
import structlog
from procrastinate import App, JobContext, PsycopgConnector
from procrastinate.connector import Notify
from procrastinate.exceptions import ConnectorException

from bot.dispatch.jobs import DEAD, QUEUE, TASK

log = structlog.get_logger("bot.dispatch")

POLL = 1.0  # seconds between two looks for jobs of which there was no notice
BEAT = 5.0  # seconds between two heartbeats
PATIENCE = 5.0  # seconds for one statement, and for a connection
PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0)  # seconds before the worker is made again; the last one from then on

Start = Callable[[str, int], Awaitable[None]]
Vacancy = Callable[[], Awaitable[None]]


class _Connector(PsycopgConnector):
    """Says at once when the database fails: the worker's own side tasks would end and let it go on without them."""

    def __init__(self, connecting: dict[str, Any]) -> None:
        super().__init__(
            kwargs=connecting, min_size=1, max_size=2, timeout=PATIENCE, configure=_configure, name="jobs"
        )
        self.failed = asyncio.Event()

    async def open_async(self, pool: Any = None) -> None:
        """Also where it is cancelled meanwhile, nothing is left: the pool's own tasks end only when the pool is closed."""
        try:
            await super().open_async(pool)
        except BaseException:
            await self.close_async()
            raise

    async def execute_query_async(self, query: LiteralString, **arguments: Any) -> None:
        try:
            await super().execute_query_async(query, **arguments)
        except ConnectorException:
            self.failed.set()
            raise

    async def listen_notify(self, on_notification: Notify, channels: Iterable[str]) -> None:
        try:
            await super().listen_notify(on_notification, channels)
        finally:
            self.failed.set()


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    # Fetching and finishing a job wait for no disk: where the server forgets either, the run's row still decides.
    await connection.execute(
        f"SET statement_timeout = {round(PATIENCE * 1000)}; SET synchronous_commit = off"
    )
    await connection.commit()


async def gone(working: asyncio.Task[None], patience: float = PATIENCE) -> None:
    """Wait until what was cancelled has ended, since it takes leave of the database; raises what it failed with.

    Also where the caller is cancelled meanwhile, as when the process ends; that is raised then. After ``patience``
    seconds nobody waits any more, nor hears of a failure.
    """
    working.add_done_callback(lambda task: task.cancelled() or task.exception())  # nor does asyncio tell it
    until = asyncio.get_running_loop().time() + patience
    insisted: asyncio.CancelledError | None = None
    while not working.done() and (left := until - asyncio.get_running_loop().time()) > 0:
        try:
            await asyncio.wait({working}, timeout=left)
        except asyncio.CancelledError as error:
            insisted = error
    failure = working.exception() if working.done() and not working.cancelled() else None
    if insisted is not None:
        raise insisted
    if failure is not None:
        raise failure


class JobWorker:
    """Calls ``start`` with a run and its job for each job that it fetches, one after another, where there is ``vacancy``.

    ``start`` returns when the run has begun, not when it has ended: no run depends on this worker, which can fail and be
    made again while runs go on.
    """

    def __init__(self, connecting: dict[str, Any], start: Start, vacancy: Vacancy) -> None:
        self._connecting = connecting
        self._start = start
        self._vacancy = vacancy
        self._stopping = asyncio.Event()
        # Failures of connections are told here, once each.
        for name in ("psycopg.pool", "procrastinate"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    async def run(self) -> None:
        """Fetch until ``stop``; a supervisor holds it."""
        failures = 0
        while not self._stopping.is_set():
            began = asyncio.get_running_loop().time()
            try:
                await self._work()
            except (ConnectorException, psycopg.Error, OSError) as error:
                if not failures:
                    log.warning("dispatch.failed", error=str(error.__cause__ or error))
            if asyncio.get_running_loop().time() - began > PAUSES[-1]:
                failures = 0
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSES[min(failures, len(PAUSES) - 1)]):
                    await self._stopping.wait()
            failures += 1

    async def stop(self) -> None:
        """Fetch no more."""
        self._stopping.set()

    async def _work(self) -> None:
        connector = _Connector(self._connecting)
        app = App(connector=connector)

        @app.task(name=TASK, pass_context=True)
        async def run_(context: JobContext, run: str) -> None:
            await self._start(run, context.job.id or 0)
            await self._vacancy()  # before the next job is fetched

        async with app.open_async():
            working = asyncio.create_task(self._fetch(app), name="procrastinate")
            ending = [asyncio.create_task(event.wait()) for event in (self._stopping, connector.failed)]
            try:
                await asyncio.wait({working, *ending}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (working, *ending):
                    task.cancel()
                await gone(working)

    async def _fetch(self, app: App) -> None:
        await self._vacancy()
        await app.run_worker_async(
            queues=[QUEUE],
            concurrency=1,
            fetch_job_polling_interval=POLL,
            update_heartbeat_interval=BEAT,
            stalled_worker_timeout=DEAD,
            shutdown_graceful_timeout=0,
            delete_jobs="always",
            install_signal_handlers=False,
        )
