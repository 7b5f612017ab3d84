"""The connections to the database, and what a transaction promises.

SQLite lets one connection write at a time, and each kind of work has a connection of its own: ``requests`` must
be quick, ``output`` carries batches of output, ``upkeep`` sweeps and checkpoints; ``reading`` waits for none of
them. Writers take turns in the order in which they came, and their transactions are short.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Self, TypeVar

from sqlalchemy import URL, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from bot.errors import StoreUnavailable
from bot.store import dialect
from bot.store.tables import claims, metadata

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

# How much longer than for a lock is waited for a whole transaction, in seconds.
_SLACK = 0.5


class _Abandoned(Exception):
    """Rolls back a transaction whose caller has gone; nobody sees it."""


class _Unit:
    """One transaction: it can be given up until its commit has begun."""

    def __init__(self) -> None:
        self._committing = False
        self._abandoned = False

    def abandon(self) -> bool:
        """Give it up; false where it is too late for that."""
        self._abandoned = not self._committing
        return self._abandoned

    def check(self) -> None:
        """Raise where it was given up."""
        if self._abandoned:
            raise _Abandoned

    def commit(self) -> None:
        """From here on it can't be given up."""
        self.check()
        self._committing = True


class Database:
    """Transactions on one database; every failure is a StoreUnavailable with its cause.

    ``patience`` bounds the wait for another process's lock, in seconds. A StoreUnavailable, and the cancellation
    of a caller, mean that nothing was stored, except where the commit itself failed or was being made.
    """

    def __init__(self, url: URL, *, patience: float) -> None:
        self._limit = patience + _SLACK
        self._memory = dialect.in_memory(url)
        self._turn = asyncio.Lock()
        self._held: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._commits = 0
        self._checkpointed = 0
        self._engines: list[AsyncEngine] = []

        def engine(size: int) -> AsyncEngine:
            if self._memory and self._engines:
                return self._engines[0]  # this one connection is the database
            made = create_async_engine(
                url.set(drivername="sqlite+aiosqlite"),
                poolclass=AsyncAdaptedQueuePool,
                pool_size=1 if self._memory else size,
                max_overflow=0,
                pool_timeout=self._limit,
            )
            dialect.prepare(made.sync_engine, patience)
            self._engines.append(made)
            return made

        self._requests = engine(1)
        self._reading = engine(2).execution_options(**{dialect.BEGIN: ""})
        self._output = engine(1)
        self._upkeep = engine(1)

    @classmethod
    async def open(cls, url: str, *, patience: float) -> Self:
        """Connect. A database in memory gets its tables here; a file needs ``migrate`` before.

        Raises SettingsError where ``url`` is of no known kind.
        """
        parsed = dialect.parse(url)
        if not dialect.in_memory(parsed):
            await asyncio.to_thread(_try, parsed, patience)
        database = cls(parsed, patience=patience)
        try:
            if database._memory:
                await database.write(lambda connection: connection.run_sync(metadata.create_all))
            else:
                await database.ping()
                await database.write_upkeep(_touch)
        except StoreUnavailable:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Let transactions that have begun come to their end, and disconnect. May be called twice."""
        self._closed = True
        if self._held:
            await asyncio.wait(self._held)
        for engine in self._engines:
            await engine.dispose()

    async def read(self, work: Work[T]) -> T:
        """What ``work`` finds; several queries may each see another state."""
        return await self._transact(self._reading, contextlib.nullcontext(), work, limit=self._limit)

    async def write(self, work: Work[T]) -> T:
        """Do ``work`` for a request, wholly or not at all."""
        return await self._transact(self._requests, self._turn, work, limit=self._limit)

    async def write_output(self, work: Work[T]) -> T:
        """The same, for output."""
        return await self._transact(self._output, self._turn, work, limit=self._limit)

    async def write_upkeep(self, work: Work[T]) -> T:
        """The same, for what nobody waits for: it takes the time it needs."""
        return await self._transact(self._upkeep, self._turn, work, limit=None)

    async def ping(self) -> None:
        """Return where the database answers, else raise StoreUnavailable."""
        await self.read(lambda connection: connection.execute(select(claims.c.key).limit(1)))

    async def checkpoint(self) -> None:
        """Move what was committed from the log into the database, and flush both; to be called every few seconds.

        Commits do not wait for it.
        """
        commits = self._commits
        if self._memory or commits == self._checkpointed:
            return
        if await self._transact(self._upkeep, contextlib.nullcontext(), _checkpoint, limit=None):
            await self.write_upkeep(_touch)
            self._checkpointed = commits + 1

    async def _transact(
        self,
        engine: AsyncEngine,
        turn: contextlib.AbstractAsyncContextManager[None],
        work: Work[T],
        *,
        limit: float | None,
    ) -> T:
        """Run ``work`` in a task of its own: cut in mid-transaction, a connection would be lost, with its thread."""
        if self._closed:
            raise StoreUnavailable("the database is closed")
        unit = _Unit()
        task = asyncio.create_task(self._perform(engine, turn, work, unit), name="store.transaction")
        self._held.add(task)
        task.add_done_callback(self._release)
        try:
            done, _ = await asyncio.wait({task}, timeout=limit)
            if not done and unit.abandon():
                raise StoreUnavailable(f"the database did not answer within {limit} s")
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            unit.abandon()
            raise
        except (SQLAlchemyError, OSError) as error:
            raise StoreUnavailable(f"the database failed: {type(error).__name__}") from error

    async def _perform(
        self,
        engine: AsyncEngine,
        turn: contextlib.AbstractAsyncContextManager[None],
        work: Work[T],
        unit: _Unit,
    ) -> T:
        # First the connection, then the turn: who has the turn must not wait for anything else.
        async with engine.connect() as connection, turn:
            unit.check()
            result = await work(connection)
            unit.commit()
            await connection.commit()
        if turn is self._turn:
            self._commits += 1
        return result

    def _release(self, task: asyncio.Task[Any]) -> None:
        self._held.discard(task)
        if not task.cancelled():
            task.exception()  # an abandoned transaction's failure has no other reader


def _try(url: URL, patience: float) -> None:
    """Connect once and disconnect: aiosqlite leaves a thread behind where it can't connect."""
    engine = dialect.blocking_engine(url, patience)
    try:
        with engine.connect():
            pass
    except SQLAlchemyError as error:
        raise StoreUnavailable(f"the database can't be opened: {type(error).__name__}") from error
    finally:
        engine.dispose()


async def _checkpoint(connection: AsyncConnection) -> bool:
    """Move what can be moved; whether that was all of the log."""
    await connection.execution_options(**{dialect.BEGIN: ""})
    _busy, logged, moved = tuple((await connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")).one())
    return bool(logged == moved)


async def _touch(connection: AsyncConnection) -> None:
    """Write something: the first write into a new log has to flush its header, and no request shall pay for that."""
    await connection.exec_driver_sql("PRAGMA user_version = 1")
