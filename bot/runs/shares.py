"""One edit budget a workspace, whichever processes edit there: each takes a part by the number of its messages.

Slack counts a workspace's edits whoever makes them. So every process tells how many messages it edits where, and looks
at what the others have told; a refusal that one of them gets keeps all of them silent. An end counts more than output,
since it comes first wherever it is to be told.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from bot.clock import Clock
from bot.core.lease import BEAT
from bot.errors import StoreUnavailable
from bot.runs.bus import Bus
from bot.runs.editor import Editor
from bot.runs.supervisor import Supervisor
from bot.store.store import Store

log = structlog.get_logger("bot.shares")

LOOK = 1.0  # seconds between two looks: what a process doesn't need any more is lost for that long
SILENT = BEAT + 2.0  # seconds after which nothing is left over for a process that has probably died

BEGINNER = 0.25
"""What each process counts beside its messages, as a part of one: who edits nothing yet can begin at once."""

_UNKNOWN = 0.5  # is this process's part while it isn't known who else edits


def share(mine: int, others: int, processes: int) -> float:
    """The part of one process among all, by how many messages they edit in a workspace; who is alone there has it all.

    Where nobody edits yet, whoever begins has a part as if all of them were about to. Those who edit never have more
    than everything together.
    """
    if processes == 1 or (mine and not others):
        return 1.0
    return (mine + BEGINNER) / (mine + others + processes * BEGINNER)


class Shares:
    """Keeps the editor to its part of every workspace's budget."""

    def __init__(self, store: Store, editor: Editor, bus: Bus, supervisor: Supervisor, clock: Clock) -> None:
        self._store = store
        self._editor = editor
        self._bus = bus
        self._supervisor = supervisor
        self._clock = clock
        self._told: dict[str, int] = {}
        editor.set_shares({}, _UNKNOWN)
        editor.on_limited = self._limited
        bus.on("limited", self._on_limited)

    async def run(self) -> None:
        """Tell and look now and then; a supervisor holds it."""
        while True:
            try:
                await self._look()
            except StoreUnavailable:
                log.debug("shares.store_unavailable")  # the parts stay as they are
            await asyncio.sleep(LOOK)

    async def _look(self) -> None:
        mine, processes = dict(self._editor.busy()), await self._bus.others(SILENT)
        if mine != self._told or (mine and processes):  # again and again: who took us for dead has removed it
            await self._store.live.tell(mine)
            self._told = mine
        theirs = await self._store.live.of(processes) if processes else {}
        number = len(processes) + 1
        shares = {
            workspace: share(mine.get(workspace, 0), theirs.get(workspace, 0), number)
            for workspace in mine.keys() | theirs.keys()
        }
        self._editor.set_shares(shares, share(0, 0, number))

    def _limited(self, lane: str, seconds: float) -> None:
        self._supervisor.start("tell of a limit", self._tell(lane, seconds))

    async def _tell(self, lane: str, seconds: float) -> None:
        try:
            await self._bus.tell_all(
                "limited", lane=lane, seconds=seconds, until=self._clock.wall() + seconds
            )
        except StoreUnavailable:
            log.warning("shares.store_unavailable")  # the others will be told by Slack

    async def _on_limited(self, order: Mapping[str, Any]) -> None:
        # Two machines' clocks differ: it is never longer than Slack said.
        left = min(order["seconds"], order["until"] - self._clock.wall())
        if left > 0:
            self._editor.pause(order["lane"], left)
