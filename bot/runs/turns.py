"""How streams share the event loop.

A socket that has data never blocks, so that one flood would hold up everything, and a thousand trickles that arrive at
the same moment would too. So all streams together do about one ``SHARE`` of work in each round of the loop: whatever
else waits for it, such as an acknowledgement, waits for that much, however many streams there are.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field

SHARE = 16_384  # characters of output, one or two milliseconds' work
EVENT = 500  # characters whose work is as much as what every event costs, whatever its length


@dataclass(slots=True)
class Turns:
    """Hands out each round's share of work, first come, first served."""

    share: int = SHARE
    _left: int = field(default=0, init=False)
    _waiting: deque[tuple[int, asyncio.Future[None]]] = field(default_factory=deque, init=False)
    _beginning: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._left = self.share

    async def take(self, work: int) -> None:
        """Return when that much may be done: at once where something is left of this round's share."""
        self._begin_soon()
        if self._left > 0 and not self._waiting:
            self._left -= work
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((work, turn))
        await turn

    def _begin_soon(self) -> None:
        if not self._beginning:
            self._beginning = True
            asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        """The next round."""
        self._beginning = False
        self._left = self.share
        while self._waiting and self._left > 0:
            work, turn = self._waiting.popleft()
            if not turn.done():  # else its stream was cancelled meanwhile
                self._left -= work
                turn.set_result(None)
        if self._left < self.share:
            self._begin_soon()
