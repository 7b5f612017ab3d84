"""How many runs wait and go on in all processes: what only the database knows, asked no more often than it is worth."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from bot.clock import Clock
from bot.core.run import RunState
from bot.errors import StoreUnavailable

KEPT = 5.0  # seconds for which an answer is good enough, and so is that there is none
PATIENCE = 0.5  # seconds that a page waits for the database


class Census:
    """Asks ``count`` for how many runs there are by state; ``counts`` is what it last said, empty while it can't."""

    def __init__(self, count: Callable[[], Awaitable[Mapping[RunState, int]]], clock: Clock) -> None:
        self.counts: Mapping[RunState, int] = {}
        self._count = count
        self._clock = clock
        self._until = 0.0
        self._asking = asyncio.Lock()

    async def refresh(self) -> None:
        """Ask again, where the last answer is too old. It never takes much longer than ``PATIENCE``."""
        async with self._asking:
            if self._clock.monotonic() < self._until:
                return
            try:
                async with asyncio.timeout(PATIENCE):
                    self.counts = await self._count()
            except (StoreUnavailable, TimeoutError):
                self.counts = {}  # no figure is better than a wrong one
            self._until = self._clock.monotonic() + KEPT
