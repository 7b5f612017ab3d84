"""Which processes live, by their heartbeats and the database's own clock; and what is taken over from the dead.

On a database file there is more to know than heartbeats tell, see slots.py.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Double, bindparam, delete, insert, literal_column, select, update

from bot.store import takeover
from bot.store.database import Database
from bot.store.slots import Slot, is_free
from bot.store.tables import orders, runs, workers

# Unix time by the database's clock, in seconds.
_CLOCK = {
    "sqlite": literal_column("(julianday('now') - 2440587.5) * 86400.0", Double),
    "postgresql": literal_column("extract(epoch from clock_timestamp())::double precision", Double),
}
_JOIN = {name: insert(workers).values(beat_at=clock) for name, clock in _CLOCK.items()}
_BEAT = {
    name: update(workers).where(workers.c.id == bindparam("of")).values(beat_at=clock)
    for name, clock in _CLOCK.items()
}
_OTHERS = {
    name: select(workers.c.id, workers.c.slot, clock - workers.c.beat_at).where(
        workers.c.id != bindparam("me")
    )
    for name, clock in _CLOCK.items()
}
_LEAVE = delete(workers).where(workers.c.id == bindparam("of"))
_FORGET_ORDERS = delete(orders).where(orders.c.worker == bindparam("of"))
# A parameter of its own for what isn't settled: the index begins with it.
_ORPHANED = (
    select(runs.c.owner)
    .distinct()
    .where(runs.c.settled.is_(False), ~select(workers.c.id).where(workers.c.id == runs.c.owner).exists())
)


@dataclass(frozen=True, slots=True)
class Other:
    """Another process. ``silent``: seconds since its last heartbeat; ``gone``: it is certain that it has died."""

    id: str
    silent: float
    gone: bool


class Workers:
    """The processes that share a database; ``me`` is this one's name, ``file`` the database's, where it is one."""

    def __init__(self, database: Database, me: str, file: Path | None) -> None:
        self._database = database
        self._file = file
        self._slot: Slot | None = None
        self.me = me

    async def join(self, host: str, role: str) -> None:
        """Be one of them from now on, until ``leave``; again where the others took it for dead."""
        if self._slot is None and self._file is not None:
            self._slot = Slot.take(self._file)
        row = {
            "id": self.me,
            "host": host,
            "role": role,
            "slot": self._slot.number if self._slot is not None else None,
            "started_at": time.time(),
        }

        def add(connection: Connection) -> None:
            connection.execute(_LEAVE, {"of": self.me})
            connection.execute(_JOIN[connection.dialect.name], row)

        await self._database.write_beat(add)

    async def leave(self) -> None:
        """Be none of them any more: what this process still owns is whose who wants it."""

        def go(connection: Connection) -> None:
            connection.execute(_LEAVE, {"of": self.me})
            connection.execute(_FORGET_ORDERS, {"of": self.me})

        try:
            await self._database.write_beat(go)
        finally:
            if self._slot is not None:
                self._slot.release()

    async def beat(self) -> bool:
        """Say that this process lives; false where the others took it for dead."""

        def say(connection: Connection) -> bool:
            return connection.execute(_BEAT[connection.dialect.name], {"of": self.me}).rowcount == 1

        return await self._database.write_beat(say)

    async def others(self) -> list[Other]:
        """All but this process."""

        def find(connection: Connection) -> Sequence[tuple[str, int | None, float]]:
            rows = connection.execute(_OTHERS[connection.dialect.name], {"me": self.me})
            return [(id_, slot, silent) for id_, slot, silent in rows]

        rows = await self._database.read(find)
        return [Other(id_, silent, await self._is_gone(slot)) for id_, slot, silent in rows]

    async def orphaned(self) -> list[str | None]:
        """Owners of unsettled runs that are none of the processes; ``None``: runs that never had an owner."""
        found = await self._database.read(lambda connection: connection.execute(_ORPHANED).scalars().all())
        return [owner for owner in found if owner != self.me]

    async def take_over(
        self, dead: str | None, now: float, note: str, silent: float | None, *, waits: str = ""
    ) -> list[str]:
        """Become the owner of what a dead process owned, in one transaction: exactly one survivor does.

        Its running runs are interrupted, with ``note``, and what waits for them is held (see holding.py), with the
        note ``waits``. With ``silent`` nothing happens where it has shown a sign of
        life in the last so many seconds. Returns the ids of the runs, whatever their state.
        """

        def work(connection: Connection) -> list[str]:
            clock = _CLOCK[connection.dialect.name]
            return takeover.take_over(connection, dead, self.me, now, note, waits, clock, silent)

        return await self._database.write_upkeep(work)

    async def _is_gone(self, slot: int | None) -> bool:
        if slot is None or self._file is None or self._slot is None:
            return False
        # Where this process has got the other's own file, nobody holds that for it any more.
        return slot == self._slot.number or await asyncio.to_thread(is_free, self._file, slot)
