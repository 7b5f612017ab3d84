"""SQLite: one thread writes, two read, and one makes checkpoints while the others go on.

SQLite lets one connection write at a time. Requests, output and upkeep take turns at it, so that nobody waits for more
than one transaction of each other kind, and all of them are short. Several requests in one transaction gain nothing: a
commit does not wait for the disk (see dialect.py).
"""

from typing import Self, TypeVar

from sqlalchemy import URL, Connection

from bot.errors import StoreUnavailable
from bot.store import dialect
from bot.store.database import SLACK, Database
from bot.store.lanes import Lane, Work
from bot.store.tables import metadata

T = TypeVar("T")

_REQUESTS, _OUTPUT, _UPKEEP, _BEAT = "requests", "output", "upkeep", "beat"

# The part of a file that may be empty, and the pages by which it is shortened at once: requests wait for that.
_EMPTY, _PAGES = 1 / 4, 256
_INCREMENTAL = 2  # the value of auto_vacuum with which pages can be cut off


class SqliteDatabase(Database):
    """A database file, or one in memory; ``patience`` bounds the wait for another process's lock, in seconds."""

    def __init__(self, url: URL, *, patience: float) -> None:
        self._limit = patience + SLACK
        self._memory = dialect.in_memory(url)
        self._checkpointed = 0

        def lane(name: str, threads: int = 1, begin: str = dialect.BEGIN_WRITING) -> Lane:
            engine = dialect.sqlite_engine(url, patience, connections=threads, begin=begin)
            return Lane(name, engine, threads=threads, single=frozenset({_OUTPUT, _UPKEEP}))

        self._writing = lane("writing")
        if self._memory:  # its one connection is the database
            self._reading = self._keeping = self._writing
        else:
            self._reading = lane("reading", 2, begin="")
            self._keeping = lane("keeping", begin="")

    @classmethod
    async def open(cls, url: URL, *, patience: float) -> Self:
        """Connect; a database in memory gets its tables here."""
        database = cls(url, patience=patience)
        try:
            if database._memory:
                await database.write(metadata.create_all)
            else:
                await database.ping()
                await database.write_upkeep(_touch)
        except StoreUnavailable:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Let what waits come to its end, and disconnect. May be called twice."""
        for lane in {self._writing, self._reading, self._keeping}:
            await lane.close()

    async def read(self, work: Work[T]) -> T:
        """What ``work`` finds, beside all writers."""
        return await self._reading.do(work, _REQUESTS, limit=self._limit)

    async def write(self, work: Work[T]) -> T:
        """Do ``work`` when it is requests' turn."""
        return await self._writing.do(work, _REQUESTS, limit=self._limit)

    async def write_output(self, work: Work[T]) -> T:
        """Do ``work`` when it is output's turn."""
        return await self._writing.do(work, _OUTPUT, limit=self._limit)

    async def write_beat(self, work: Work[T]) -> T:
        """Do ``work`` when it is the heartbeat's turn."""
        return await self._writing.do(work, _BEAT, limit=self._limit)

    async def write_upkeep(self, work: Work[T]) -> T:
        """Do ``work`` when it is upkeep's turn, however long that takes."""
        return await self._writing.do(work, _UPKEEP, limit=None)

    async def checkpoint(self) -> None:
        """Move what was committed from the log into the file, and flush both. Commits do not wait for it."""
        commits = self._writing.commits
        if self._memory or commits == self._checkpointed:
            return
        if await self._keeping.do(_checkpoint, _UPKEEP, limit=None):
            await self.write_upkeep(_touch)
            self._checkpointed = commits + 1

    async def give_back(self) -> None:
        """Shorten the file where much of it is empty; some stays, for what comes next.

        A file that an older version made has no means for that: there all of it is for what comes next.
        """
        while await self.write_upkeep(_shorten):
            pass


def _checkpoint(connection: Connection) -> bool:
    """Move what can be moved; whether that was all of the log."""
    _busy, logged, moved = tuple(connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one())
    return bool(logged == moved)


def _shorten(connection: Connection) -> bool:
    """Cut off some empty pages; whether there are more to be cut off."""

    def pages(which: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {which}").scalar_one())

    too_many = int(pages("freelist_count") - _EMPTY * pages("page_count"))
    if too_many <= 0 or pages("auto_vacuum") != _INCREMENTAL:
        return False
    for _ in range(min(too_many, _PAGES)):  # Python's driver does only the first step of each statement
        connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")
    return too_many > _PAGES


def _touch(connection: Connection) -> None:
    """Write something: the first write into a new log has to flush its header, and no request shall pay for that."""
    connection.exec_driver_sql("PRAGMA user_version = 1")
