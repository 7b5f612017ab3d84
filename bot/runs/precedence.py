"""Requests that aren't acknowledged yet come before what follows acknowledgements.

Both are work of the same event loop, and admitting a run costs more than storing it: at two hundred requests a second
each acknowledgement would wait for the admission of those before it. So whatever has time, one piece of work after the
other, waits for a lull; not for ever, since requests may keep coming.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

PATIENCE = 0.1  # seconds that a piece of work waits for a lull, at most


@dataclass(slots=True)
class Precedence:
    """Knows of the requests that wait for their acknowledgement."""

    patience: float = PATIENCE
    _requests: int = field(default=0, init=False)
    _none: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        self._none.set()

    @contextmanager
    def request(self) -> Iterator[None]:
        """A request is on its way to its acknowledgement meanwhile."""
        self._requests += 1
        self._none.clear()
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self._none.set()

    async def lull(self) -> None:
        """Return when no request waits, in each round of the loop to one caller alone; at the latest after ``patience``.

        So what is done then, if it is brief, is all that the next request can have to wait for.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self.patience), self._turn:
                await asyncio.sleep(0)  # those that came in during the work before are heard first
                await self._none.wait()
