"""The store: what the bot must not forget."""

import asyncio
from pathlib import Path
from random import Random, SystemRandom
from typing import Self, TypeVar

from bot.errors import StoreUnavailable
from bot.meter import Meter
from bot.store import sweep
from bot.store.channels import Channels
from bot.store.claims import Claims
from bot.store.conversations import Conversations
from bot.store.database import Database, Work
from bot.store.dispatching import Dispatching
from bot.store.ends import Ends
from bot.store.live import Live
from bot.store.metered import MeteredDatabase
from bot.store.opening import file_of, open_database
from bot.store.orders import Orders
from bot.store.output import OutputWriter
from bot.store.queue import Queue
from bot.store.runs import Runs
from bot.store.users import Users
from bot.store.workers import Workers

T = TypeVar("T")


class Store:
    """One open database, by subject. Every failure is a StoreUnavailable, with its cause."""

    def __init__(
        self,
        database: Database,
        random: Random,
        owner: str = "",
        file: Path | None = None,
        most_queued: int | None = None,
    ) -> None:
        self._database = database
        self.owner = owner
        self.claims = Claims(database)
        self.runs = Runs(database, random, owner, most_queued)
        self.queue = Queue(database)
        self.dispatching = Dispatching(database)
        self.orders = Orders(database)
        self.conversations = Conversations(database)
        self.channels = Channels(database)
        self.users = Users(database)
        self.output = OutputWriter(database, owner=owner)
        self.ends = Ends(database, owner)
        self.live = Live(database, owner)
        self.workers = Workers(database, owner, file)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        owner: str = "",
        random: Random | None = None,
        patience: float = 2.0,
        most_queued: int | None = None,
        meter: Meter | None = None,
    ) -> Self:
        """Open the database at ``url``, such as ``sqlite:///bot.db``, whose schema ``migrate`` made.

        ``sqlite://`` is an empty one in memory. ``owner`` is this process's name among those that share the database;
        without one it owns nothing, and what it writes is not refused for want of that. ``random`` chooses run ids (the
        system's, where not given); ``patience`` is how long, in seconds, another process's lock is waited for;
        ``most_queued`` is how many runs may wait in one workspace; ``meter`` counts how long everything takes. Raises StoreUnavailable, and SettingsError where
        ``url`` is of no known kind.
        """
        database = await open_database(url, patience=patience)
        if meter is not None:
            database = MeteredDatabase(database, meter)
        return cls(database, random or SystemRandom(), owner, file_of(url), most_queued)

    async def close(self) -> None:
        """Let what has begun come to its end and disconnect; output that waits is not stored (``output.flush``)."""
        await self._database.close()

    async def ping(self, timeout: float) -> None:  # noqa: ASYNC109  the caller's own limit, given to asyncio.timeout
        """Return where the database answers within ``timeout`` seconds, else raise StoreUnavailable."""
        try:
            async with asyncio.timeout(timeout):
                await self._database.ping()
        except TimeoutError as error:
            raise StoreUnavailable(f"the database did not answer within {timeout} s") from error

    async def look(self, work: Work[T]) -> T:
        """What ``work`` finds, query by query; for an edge whose own tables stand beside ours."""
        return await self._database.read(work)

    async def transact(self, work: Work[T]) -> T:
        """Do ``work`` in one transaction, wholly or not at all; for an edge whose own tables stand beside ours."""
        return await self._database.write(work)

    async def checkpoint(self) -> None:
        """Let what was committed reach the disk, while nobody waits; to be called every few seconds."""
        await self._database.checkpoint()

    async def sweep(self, now: float, retention_seconds: float) -> int:
        """Remove what is older than it may be (see sweep.py); returns how many runs that were."""
        return await sweep.sweep(self._database, now, retention_seconds)
