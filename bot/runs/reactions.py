"""The reactions on a request that is a message: one at a time, in order, never in anybody's way."""

import asyncio
from collections import defaultdict

from bot.core.run import RunState
from bot.runs.board import thread_of
from bot.runs.ports import Messenger, Reaction
from bot.runs.supervisor import Supervisor
from bot.store.records import Run

ENDS = {
    RunState.DONE: Reaction.DONE,
    RunState.FAILED: Reaction.FAILED,
    RunState.INTERRUPTED: Reaction.FAILED,
    RunState.STOPPED: Reaction.STOPPED,
}


class Reactions:
    """Remembers which reaction each request bears, and replaces it by the next."""

    def __init__(self, messenger: Messenger, supervisor: Supervisor) -> None:
        self._messenger = messenger
        self._supervisor = supervisor
        self._borne: dict[str, Reaction] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def set(self, run: Run, reaction: Reaction) -> None:
        """Show ``reaction`` on the run's request, in the background; nothing for requests that aren't messages."""
        if run.request_ts is not None:
            self._supervisor.start(f"reaction {run.id}", self._replace(run, run.request_ts, reaction))

    def started(self, run: Run) -> None:
        """Show that the run was taken up."""
        self.set(run, Reaction.TAKEN)

    def ended(self, run: Run, state: RunState) -> None:
        """Show how the run ended."""
        self.set(run, ENDS[state])

    async def _replace(self, run: Run, ts: str, reaction: Reaction) -> None:
        # A lock is fair: changes that were asked for in an order are made in that order.
        async with self._locks[run.id]:
            before = self._borne.get(run.id)
            if before is not reaction:
                await self._messenger.react(thread_of(run), ts, reaction, before)
                if before is None and (run.ready or run.attempt > 1):
                    await self._remove_others(run, ts, reaction)
                self._borne[run.id] = reaction
        if reaction in ENDS.values():
            self._borne.pop(run.id, None)
            self._locks.pop(run.id, None)

    async def _remove_others(self, run: Run, ts: str, reaction: Reaction) -> None:
        """Take back what an earlier process, or an earlier attempt, may have set."""
        for other in Reaction:
            if other is not reaction:
                await self._messenger.react(thread_of(run), ts, None, other)
