"""PostgreSQL: several connections, in several processes, write at once; locks.py keeps them apart where they must be.

Each kind of work has connections of its own, so that requests don't wait for output, nor a run's start for a page that
is read. Every call ends in time: the server ends what takes too long, and where it doesn't answer at all, the caller
leaves. Connections are made when they are needed, and again after the server was restarted.
"""

import asyncio
from typing import Self, TypeVar

from sqlalchemy import URL, Connection

from bot.errors import StoreUnavailable
from bot.store import dialect
from bot.store.database import SLACK, Database
from bot.store.lanes import Lane, Work

T = TypeVar("T")

# Connections, at most; small servers allow few.
_WRITING, _READING = 3, 2

# How long a transaction of upkeep may take, in seconds.
_UPKEEP = 60.0

# How long the end of what has begun is waited for when the database is closed, in seconds.
_CLOSE = 5.0


class PostgresDatabase(Database):
    """A database on a server; ``patience`` bounds the wait for a lock or a statement, in seconds."""

    def __init__(self, url: URL, *, patience: float) -> None:
        self._limit = patience + SLACK

        def lane(name: str, threads: int = 1, *, begin: bool = True) -> Lane:
            engine = dialect.postgres_engine(url, patience, connections=threads, begin=begin)
            return Lane(name, engine, threads=threads, remote=True)

        self._reading = lane("reading", _READING, begin=False)
        self._writing = lane("writing", _WRITING)
        self._output = lane("output")
        self._upkeep = lane("upkeep")

    @classmethod
    async def open(cls, url: URL, *, patience: float) -> Self:
        """Connect once, to know that it can be done."""
        database = cls(url, patience=patience)
        try:
            await database.ping()
        except StoreUnavailable:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Let what waits come to its end, within a few seconds, and disconnect. May be called twice."""
        lanes = (self._reading, self._writing, self._output, self._upkeep)
        await asyncio.gather(*(lane.close(_CLOSE) for lane in lanes))

    async def read(self, work: Work[T]) -> T:
        """What ``work`` finds, query by query."""
        return await self._reading.do(work, limit=self._limit)

    async def write(self, work: Work[T]) -> T:
        """Do ``work`` on one of the connections for requests."""
        return await self._writing.do(work, limit=self._limit)

    async def write_output(self, work: Work[T]) -> T:
        """Do ``work`` on the connection for output."""
        return await self._output.do(work, limit=self._limit)

    async def write_beat(self, work: Work[T]) -> T:
        """Do ``work`` on one of the connections for requests, which take turns with it."""
        return await self._writing.do(work, "beat", limit=self._limit)

    async def write_upkeep(self, work: Work[T]) -> T:
        """Do ``work`` on the connection for upkeep; it may take a minute."""

        def unhurried(connection: Connection) -> T:
            dialect.allow_time(connection, _UPKEEP)
            return work(connection)

        return await self._upkeep.do(unhurried, limit=_UPKEEP)

    async def checkpoint(self) -> None:
        """Nothing: the server sees to it by itself."""

    async def give_back(self) -> None:
        """Nothing: the server's autovacuum lets later rows have the room."""
