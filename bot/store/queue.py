"""Who runs, who waits, and where."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, Select, bindparam, func, select

from bot.core.run import RunState
from bot.store.database import Database
from bot.store.lists import few_lengths
from bot.store.records import Run
from bot.store.rows import AMONG_BUSY, BUSY, RUN, all_runs
from bot.store.tables import runs


@dataclass(frozen=True, slots=True)
class Standing:
    """How a queued run stands: its 1-based ``place``, in its conversation while that is busy, else in its workspace.

    ``behind`` says which.
    """

    run: str
    conversation: int
    workspace: str
    owner: str | None
    ready: bool
    note: str
    behind: bool
    place: int


@dataclass(frozen=True, slots=True)
class Unended:
    """A run that is going on or waits, and where it was asked for."""

    run: str
    channel: str
    state: RunState


# Statements are made once: making them takes longer than running them.
_ME = select(runs.c.conversation, runs.c.rank, BUSY).where(
    runs.c.id == bindparam("me"), runs.c.state == RunState.QUEUED
)
_ALL_OF_ME = RUN.add_columns(runs.c.rank, BUSY).where(runs.c.id == bindparam("me"))
_BEFORE = (
    select(func.count())
    .select_from(runs)
    .where(runs.c.state == RunState.QUEUED, runs.c.rank <= bindparam("mine"))
)
_IN_CONVERSATION = _BEFORE.where(runs.c.conversation == bindparam("of"))
_IN_WORKSPACE = _BEFORE.where(runs.c.workspace == bindparam("of"), ~AMONG_BUSY)
_LINE = (
    select(
        runs.c.id,
        runs.c.conversation,
        runs.c.workspace,
        runs.c.owner,
        runs.c.ready,
        runs.c.note,
        AMONG_BUSY,
    )
    .where(runs.c.state == RunState.QUEUED)
    .order_by(runs.c.rank, runs.c.seq)
)
_UNENDED = (
    select(runs.c.id, runs.c.channel, runs.c.state)
    .where(runs.c.state.in_([RunState.RUNNING, RunState.QUEUED]), runs.c.workspace == bindparam("of"))
    .order_by(runs.c.rank, runs.c.seq)
)
_COUNTS = (
    select(runs.c.state, func.count())
    .where(runs.c.state.in_([RunState.RUNNING, RunState.QUEUED]))
    .group_by(runs.c.state)
)


class Queue:
    """Questions about the runs of all workspaces, or of one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def listing(self, workspace: str | None) -> list[Run]:
        """Running and queued runs in the order of their turns; of one workspace, or with ``None`` of all."""
        live = runs.c.state.in_([RunState.RUNNING, RunState.QUEUED])
        query = RUN.where(live).order_by(runs.c.rank, runs.c.seq)
        return await self._all(query if workspace is None else query.where(runs.c.workspace == workspace))

    async def unended(self, workspace: str) -> list[Unended]:
        """The workspace's running and queued runs in the order of their turns, of each no more than where it stands."""

        def find(connection: Connection) -> list[Unended]:
            return [Unended(*row) for row in connection.execute(_UNENDED, {"of": workspace})]

        return await self._database.read(find)

    async def counts(self) -> dict[RunState, int]:
        """How many runs wait and how many are going on, in all workspaces and processes."""

        def find(connection: Connection) -> dict[RunState, int]:
            none = {RunState.QUEUED: 0, RunState.RUNNING: 0}
            return none | {state: count for state, count in connection.execute(_COUNTS)}  # noqa: C416  rows aren't pairs to mypy

        return await self._database.read(find)

    async def these(self, ids: Collection[str]) -> list[Run]:
        """The runs with these ids in the order of their turns."""
        return await self._all(RUN.where(runs.c.id.in_(few_lengths(ids))).order_by(runs.c.rank, runs.c.seq))

    async def place(self, run: Run) -> int:
        """The run's 1-based place: in its conversation while that is busy, else in its workspace; 0: not queued.

        The workspace's count leaves out replies that wait for their own conversation.
        """
        return await self._database.read(lambda connection: _place(connection, run))

    async def stands(self, run: Run) -> tuple[Run | None, int, bool]:
        """The run as it is now, its place, and whether that is in its conversation, behind another one."""

        def find(connection: Connection) -> tuple[Run | None, int, bool]:
            row = connection.execute(_ALL_OF_ME, {"me": run.id}).one_or_none()
            if row is None:
                return None, 0, False
            *values, rank, behind = row
            now = Run(*values)
            if now.state is not RunState.QUEUED:
                return now, 0, False
            place = _counted(connection, now.conversation, now.workspace, rank, behind=behind)
            return now, place, bool(behind)

        return await self._database.read(find)

    async def standings(self, busy: Collection[int] = ()) -> list[Standing]:
        """All queued runs with their places, as ``place`` tells them, in order.

        The conversations ``busy`` count as such, whatever is stored.
        """

        def find(connection: Connection) -> list[Standing]:
            counted: Counter[int | str] = Counter()
            found = []
            for run, conversation, workspace, owner, ready, note, behind in connection.execute(_LINE):
                waits = behind or conversation in busy
                line = conversation if waits else workspace
                counted[line] += 1
                standing = Standing(
                    run, conversation, workspace, owner, ready, note, bool(waits), counted[line]
                )
                found.append(standing)
            return found

        return await self._database.read(find)

    async def _all(self, query: Select[*tuple[object, ...]]) -> list[Run]:
        return await self._database.read(lambda connection: all_runs(connection, query))


def _place(connection: Connection, run: Run) -> int:
    row = connection.execute(_ME, {"me": run.id}).one_or_none()
    if row is None:
        return 0
    conversation, rank, behind = row
    return _counted(connection, conversation, run.workspace, rank, behind=behind)


def _counted(connection: Connection, conversation: int, workspace: str, rank: int, *, behind: bool) -> int:
    """How many wait up to that rank: in the conversation where that is busy (``behind``), else in the workspace."""
    if behind:
        return connection.scalar(_IN_CONVERSATION, {"mine": rank, "of": conversation}) or 0
    return connection.scalar(_IN_WORKSPACE, {"mine": rank, "of": workspace}) or 0
