"""Stores what starts runs; where no answer comes of that, sees what became of it, so that nothing is left that nobody carries out."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.clock import Clock
from bot.errors import StoreUnavailable
from bot.model import Audience
from bot.runs.supervisor import Supervisor
from bot.store.records import Run
from bot.store.store import Store

AGAIN = 0.5  # seconds between two looks at what is about to be stored


@dataclass(slots=True)
class Lookout:
    """Looks after what this process was about to store."""

    store: Store
    supervisor: Supervisor
    clock: Clock

    async def take(
        self,
        audience: Audience,
        claim: str,
        take: Callable[[float], Awaitable[Run | None]],
        *,
        admit: Callable[[Run], None] | None = None,
        pressed: bool = False,
    ) -> Run | None:
        """What ``take`` stores at the time that it is given; ``None``: the claim was taken before.

        Raises what it does. Where that leaves open whether a run was stored, ``admit`` gets one that was, later; without
        ``admit`` its author is told that nothing was started, so it is taken back. What was ``pressed`` may be again.
        """
        now = self.clock.wall()
        try:
            return await take(now)
        except (StoreUnavailable, asyncio.CancelledError):
            looking = self._look_after(audience, claim, now, admit, pressed=pressed)
            self.supervisor.start("look after a request", looking)
            raise

    async def _look_after(
        self,
        who: Audience,
        claim: str,
        at: float,
        admit: Callable[[Run], None] | None,
        *,
        pressed: bool,
    ) -> None:
        while True:
            try:
                run = await self.store.runs.recall(
                    who.workspace, who.user, claim, at, withdraw=admit is None, reopen=pressed
                )
            except StoreUnavailable:
                await asyncio.sleep(AGAIN)
            else:
                break
        if run is not None and admit is not None:
            admit(run)
