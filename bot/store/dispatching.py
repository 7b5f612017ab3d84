"""Which queued runs may start next, and how one of them is started: the same rules for every dispatcher.

Workspaces take turns: the next run is one of the workspace that has the fewest under way. Within a workspace runs start
in the order of their ranks, one at a time in each conversation. A run is under way while it runs, and from when it was
handed to a job queue (``runs.job``) until that starts it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, case, func, or_, select, tuple_, update

from bot.core.run import RunState
from bot.store import life
from bot.store.database import Database
from bot.store.lists import few_lengths
from bot.store.locks import hold_conversation_of
from bot.store.records import Run, Task
from bot.store.rows import AMONG_BUSY, FIRST, RUN, all_tasks, one_run
from bot.store.tables import runs


@dataclass(frozen=True, slots=True)
class Next:
    """A run that may start; the less its ``share``, the less its workspace has under way with it."""

    run: Run
    share: int


@dataclass(frozen=True, slots=True)
class Started:
    """A run that was just started, as it was before: so its ``owner`` is the process that showed it until now."""

    run: Run
    tasks: list[Task]


_HANDED_OUT = and_(runs.c.state == RunState.QUEUED, runs.c.job.is_not(None))
_UNDER_WAY = (
    select(runs.c.workspace, func.count().label("amount"))
    .where(or_(runs.c.state == RunState.RUNNING, _HANDED_OUT))
    .group_by(runs.c.workspace)
)
_SET_JOB = update(runs).where(runs.c.id == bindparam("of")).values(job=bindparam("as"))
# All that wait are looked at once, never one by one: there may be thousands, and who plans the query may know of none.
_PLACE = func.row_number().over(partition_by=runs.c.conversation, order_by=(runs.c.rank, runs.c.seq))
_QUEUED = (
    select(runs.c.seq, runs.c.workspace, runs.c.conversation, runs.c.rank, _PLACE.label("place"))
    .add_columns(and_(runs.c.ready, runs.c.job.is_(None), ~AMONG_BUSY).label("may"))
    .where(runs.c.state == RunState.QUEUED)
    .subquery()
)

_FIRST_OF = RUN.where(runs.c.id == bindparam("of"), runs.c.state == RunState.QUEUED, FIRST)
_NEXT = _FIRST_OF.where(runs.c.job.is_(None))
_NEXT_OF_JOB = _FIRST_OF.where(runs.c.job == bindparam("handed"))


def next_ones(
    connection: Connection,
    most: int,
    *,
    per_workspace: int | None = None,
    busy: Collection[int] = (),
    before_all: Collection[int] = (),
) -> list[Next]:
    """Up to ``most`` runs that may start now, in the order in which they should.

    Of one workspace no more than ``per_workspace`` are under way. The conversations ``busy`` count as such, whatever is
    stored; those of ``before_all`` come before all others.
    """
    query = _next_query(most, per_workspace, busy, before_all)
    return [Next(Run(*row[:-1]), row[-1]) for row in connection.execute(query)]


def _next_query(
    most: int, per_workspace: int | None, busy: Collection[int], before_all: Collection[int]
) -> Select[*tuple[Any, ...]]:
    line = _QUEUED.c
    urgency = case((line.conversation.in_(few_lengths(before_all)), 0), else_=1)
    nth = func.row_number().over(partition_by=line.workspace, order_by=(urgency, line.rank, line.seq))
    waiting = (
        select(line.seq, line.workspace, line.rank, urgency.label("urgency"), nth.label("nth"))
        .where(line.place == 1, line.may, line.conversation.not_in(few_lengths(busy)))
        .subquery()
    )
    under_way = _UNDER_WAY.subquery()
    share = func.coalesce(under_way.c.amount, 0) + waiting.c.nth
    chosen = (
        select(waiting.c.seq, waiting.c.urgency, share.label("share"))
        .join_from(waiting, under_way, under_way.c.workspace == waiting.c.workspace, isouter=True)
        .order_by(waiting.c.urgency, share, waiting.c.rank, waiting.c.seq)
        .limit(most)
    )
    if per_workspace is not None:
        chosen = chosen.where(share <= per_workspace)
    found = chosen.subquery()  # before the rows are read as a whole, of which there may be thousands
    return (
        RUN.add_columns(found.c.share)
        .join(found, found.c.seq == runs.c.seq)
        .order_by(found.c.urgency, found.c.share, runs.c.rank, runs.c.seq)
    )


def start_next(
    connection: Connection,
    run_id: str,
    owner: str,
    now: float,
    *,
    job: int | None = None,
    per_workspace: int | None = None,
) -> Started | None:
    """Make a queued run ``owner``'s running one; ``None`` where it may not start any more.

    With ``job`` it must be that one which was handed out for it. With ``per_workspace`` it doesn't start where its
    workspace has as many under way: exact where one transaction writes at a time.
    """
    hold_conversation_of(connection, run_id)
    run = _if_next(connection, run_id, job)
    if run is None:
        return None
    if per_workspace is not None and _under_way(connection, run.workspace) >= per_workspace:
        return None
    if not life.start_held(connection, run.id, owner, now, run.turn):
        return None
    return Started(run, all_tasks(connection, run.id))


def _if_next(connection: Connection, run_id: str, job: int | None) -> Run | None:
    """The run, where it is its conversation's next and was handed out so, or with ``None`` not at all."""
    if job is None:
        return one_run(connection, _NEXT, of=run_id)
    return one_run(connection, _NEXT_OF_JOB, of=run_id, handed=job)


def _under_way(connection: Connection, workspace: str) -> int:
    query = _UNDER_WAY.where(runs.c.workspace == workspace).with_only_columns(func.count()).group_by(None)
    return int(connection.execute(query).scalar_one())


def handed_out(connection: Connection) -> list[tuple[str, int]]:
    """The queued runs that were handed to a job queue, each with its job."""
    query = select(runs.c.id, runs.c.job).where(_HANDED_OUT)
    return [(run, job) for run, job in connection.execute(query)]


def hand_out(connection: Connection, jobs: dict[str, int]) -> None:
    """Remember each run's job."""
    rows = [{"of": run, "as": job} for run, job in jobs.items()]
    connection.execute(_SET_JOB, rows)


def take_back(connection: Connection, jobs: Collection[tuple[str, int]]) -> None:
    """Let runs whose jobs are lost be handed out again."""
    if jobs:
        lost = tuple_(runs.c.id, runs.c.job).in_(jobs)
        connection.execute(update(runs).where(lost, runs.c.state == RunState.QUEUED).values(job=None))


class Dispatching:
    """The same for those who have no transaction of their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_ones(
        self,
        most: int,
        *,
        per_workspace: int | None = None,
        busy: Collection[int] = (),
        before_all: Collection[int] = (),
    ) -> list[Next]:
        """See ``next_ones``."""
        return await self._database.read(
            lambda connection: next_ones(
                connection, most, per_workspace=per_workspace, busy=busy, before_all=before_all
            )
        )

    async def start_next(
        self, run_id: str, owner: str, now: float, *, job: int | None = None, per_workspace: int | None = None
    ) -> Started | None:
        """See ``start_next``. Whoever got a run, and nobody else, may send it."""
        return await self._database.write(
            lambda connection: start_next(
                connection, run_id, owner, now, job=job, per_workspace=per_workspace
            )
        )

    async def under_way(self) -> dict[str, int]:
        """How many runs of each workspace are under way."""

        def find(connection: Connection) -> dict[str, int]:
            return {row.workspace: row.amount for row in connection.execute(_UNDER_WAY)}

        return await self._database.read(find)
