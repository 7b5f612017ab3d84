"""The store: what the bot must not forget."""

import asyncio
from random import Random, SystemRandom
from typing import Self

from bot.errors import StoreUnavailable
from bot.store import sweep
from bot.store.channels import Channels
from bot.store.claims import Claims
from bot.store.conversations import Conversations
from bot.store.database import Database
from bot.store.output import OutputWriter
from bot.store.queue import Queue
from bot.store.runs import Runs
from bot.store.users import Users


class Store:
    """One open database, by subject. Every failure is a StoreUnavailable, with its cause."""

    def __init__(self, database: Database, random: Random) -> None:
        self._database = database
        self.claims = Claims(database)
        self.runs = Runs(database, random)
        self.queue = Queue(database)
        self.conversations = Conversations(database)
        self.channels = Channels(database)
        self.users = Users(database)
        self.output = OutputWriter(database)

    @classmethod
    async def open(cls, url: str, *, random: Random | None = None, patience: float = 2.0) -> Self:
        """Open the database at ``url``, such as ``sqlite:///bot.db``, whose schema ``migrate`` made.

        ``sqlite://`` is an empty one in memory. ``random`` chooses run ids (the system's, where not given);
        ``patience`` is how long, in seconds, another process's lock is waited for. Raises StoreUnavailable, and
        SettingsError where ``url`` is of no known kind.
        """
        return cls(await Database.open(url, patience=patience), random or SystemRandom())

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

    async def checkpoint(self) -> None:
        """Let what was committed reach the disk, while nobody waits; to be called every few seconds."""
        await self._database.checkpoint()

    async def sweep(self, now: float, retention_seconds: float) -> int:
        """Remove what is older than it may be (see sweep.py); returns how many runs that were."""
        return await sweep.sweep(self._database, now, retention_seconds)
