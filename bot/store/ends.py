"""How far Slack knows of a run's end: what is still to be posted, and by whom.

A run that has ended is its owner's until everything about its end is with Slack; then it is settled. An owner that dies
before leaves that to whoever takes over.
"""

import json
from collections.abc import Collection

import msgspec
from sqlalchemy import Connection, bindparam, exists, select, update

from bot.store.database import Database
from bot.store.lists import few_lengths
from bot.store.records import Outcome, Run
from bot.store.rows import RUN, all_runs
from bot.store.tables import runs, tasks

_outcome = msgspec.json.Decoder(Outcome)  # made before there are threads, as in tables.py
_MINE = (runs.c.id == bindparam("of"), runs.c.owner == bindparam("me"))
_SETTLE = update(runs).where(*_MINE).values(settled=True)
_COUNT = update(runs).where(*_MINE).values(parts=bindparam("posted"))
_UPLOADED = (
    update(tasks)
    .where(
        tasks.c.id == bindparam("of"),
        exists().where(runs.c.id == tasks.c.run, runs.c.owner == bindparam("me")),
    )
    .values(log_file=bindparam("file"))
)
_STORED = select(runs.c.outcome, runs.c.parts).where(runs.c.id == bindparam("of"))
_UNSETTLED = RUN.where(
    runs.c.settled.is_(False),
    runs.c.owner == bindparam("me"),
    runs.c.ended_at < bindparam("before"),
)


class Ends:
    """The ends of the runs that are owned by the process ``me``. Times are Unix seconds."""

    def __init__(self, database: Database, me: str) -> None:
        self._database = database
        self._me = me

    async def mine(self, ids: Collection[str]) -> set[str]:
        """Which of these runs are this process's own."""
        query = select(runs.c.id).where(runs.c.id.in_(few_lengths(ids)), runs.c.owner == self._me)
        return set(await self._database.read(lambda connection: connection.execute(query).scalars().all()))

    async def outcome(self, run_id: str) -> tuple[Outcome, int]:
        """What a run's closing messages say, and how many of their parts were posted."""
        row = await self._database.read(lambda connection: _stored(connection, run_id))
        return (Outcome(), 0) if row is None else row

    async def count(self, run_id: str, parts: int) -> bool:
        """So many parts of its closing messages are posted; false where the run is another process's."""
        return await self._mark(run_id, parts)

    async def uploaded(self, task_id: int, file: str) -> bool:
        """Slack has a task's complete output as this file, which nobody was shown yet; false where the run is another's."""
        values = {"of": task_id, "file": file, "me": self._me}
        return await self._database.write(
            lambda connection: connection.execute(_UPLOADED, values).rowcount == 1
        )

    async def settle(self, run_id: str) -> bool:
        """Everything about the run's end is with Slack; false where the run is another process's."""
        return await self._mark(run_id)

    async def unsettled(self, before: float) -> list[Run]:
        """The runs of this process that ended before that time and are not settled."""
        values = {"me": self._me, "before": before}
        return await self._database.read(lambda connection: all_runs(connection, _UNSETTLED, **values))

    async def _mark(self, run_id: str, parts: int | None = None) -> bool:
        values: dict[str, object] = {"of": run_id, "me": self._me}
        if parts is not None:
            values["posted"] = parts
        statement = _SETTLE if parts is None else _COUNT
        return await self._database.write(
            lambda connection: connection.execute(statement, values).rowcount == 1
        )


def encoded(outcome: Outcome) -> str:
    """An outcome as it is stored. The standard encoder lets lone surrogates pass, which the column replaces."""
    return json.dumps(msgspec.to_builtins(outcome), ensure_ascii=False)


def _stored(connection: Connection, run_id: str) -> tuple[Outcome, int] | None:
    row = connection.execute(_STORED, {"of": run_id}).one_or_none()
    if row is None:
        return None
    stored, parts = row
    return (Outcome() if stored is None else _outcome.decode(stored), parts)
