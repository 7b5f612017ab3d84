"""The database, with how long its transactions take."""

import time
from collections.abc import Awaitable
from typing import TypeVar

from bot.errors import StoreUnavailable
from bot.meter import Meter
from bot.store.database import Database, Work

T = TypeVar("T")


class MeteredDatabase(Database):
    """Does everything by ``inner``, and counts in ``meter`` how long that took, with the wait for a turn."""

    def __init__(self, inner: Database, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    async def read(self, work: Work[T]) -> T:
        """What ``work`` finds."""
        return await self._counted("read", self._inner.read(work))

    async def write(self, work: Work[T]) -> T:
        """Do ``work`` for a request."""
        return await self._counted("write", self._inner.write(work))

    async def write_output(self, work: Work[T]) -> T:
        """The same, for output."""
        return await self._counted("output", self._inner.write_output(work))

    async def write_beat(self, work: Work[T]) -> T:
        """The same, for a sign of life."""
        return await self._counted("beat", self._inner.write_beat(work))

    async def write_upkeep(self, work: Work[T]) -> T:
        """The same, for what nobody waits for."""
        return await self._counted("upkeep", self._inner.write_upkeep(work))

    async def checkpoint(self) -> None:
        """Let what was committed reach its final place."""
        await self._inner.checkpoint()

    async def give_back(self) -> None:
        """Let the machine have the room that was freed."""
        await self._inner.give_back()

    async def close(self) -> None:
        """Disconnect."""
        await self._inner.close()

    async def _counted(self, kind: str, transaction: Awaitable[T]) -> T:
        begun = time.monotonic()
        try:
            return await transaction
        except StoreUnavailable:
            self._meter.database_failures += 1
            raise
        finally:
            self._meter.database[kind].add(time.monotonic() - begun)
