"""The reactions on a request that is a message: one at a time, in order, never in anybody's way."""

import asyncio
from weakref import WeakValueDictionary

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


Request = tuple[str, str, str]  # workspace, channel, and the message's ts


class Reactions:
    """Remembers which reaction each request bears, and replaces it by the next; also where several runs are for one."""

    def __init__(self, messenger: Messenger, supervisor: Supervisor) -> None:
        self._messenger = messenger
        self._supervisor = supervisor
        self._borne: dict[Request, Reaction] = {}
        self._locks: WeakValueDictionary[Request, asyncio.Lock] = WeakValueDictionary()

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
        request = (run.workspace, run.channel, ts)
        lock = self._locks.setdefault(request, asyncio.Lock())
        async with lock:
            before = self._borne.get(request)
            if before is not reaction:
                await self._messenger.react(thread_of(run), ts, reaction, before)
                if before is None and (run.ready or run.attempt > 1):
                    await self._remove_others(run, ts, reaction)
                self._borne[request] = reaction
            if reaction in ENDS.values():
                self._borne.pop(request, None)

    async def _remove_others(self, run: Run, ts: str, reaction: Reaction) -> None:
        """Take back what an earlier process, or an earlier attempt, may have set."""
        for other in Reaction:
            if other is not reaction:
                await self._messenger.react(thread_of(run), ts, None, other)
