"""Who runs next, who waits, and what a dead process left behind."""

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.run import RunState
from bot.store.database import Database
from bot.store.records import Run
from bot.store.rows import BUSY, FIRST, RUN, all_runs
from bot.store.tables import runs


class Queue:
    """Questions about the runs of all workspaces, or of one; answers are in the order of the requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_ready(self, limit: int) -> list[Run]:
        """The first runs that may start now: at most one of a conversation, and none where one is running."""
        query = RUN.where(runs.c.state == RunState.QUEUED, runs.c.ready, FIRST, ~BUSY).order_by(runs.c.seq)
        return await self._all(query.limit(limit))

    async def unprepared(self) -> list[Run]:
        """Queued runs that are not ready: taken on, but not shown when the process died."""
        return await self._all(RUN.where(runs.c.state == RunState.QUEUED, ~runs.c.ready).order_by(runs.c.seq))

    async def orphans(self, owner: str) -> list[Run]:
        """Running runs of any process but ``owner``."""
        other = or_(runs.c.owner != owner, runs.c.owner.is_(None))
        return await self._all(RUN.where(runs.c.state == RunState.RUNNING, other).order_by(runs.c.seq))

    async def listing(self, workspace: str | None) -> list[Run]:
        """Running and queued runs; of one workspace, or with ``None`` of all."""
        query = RUN.where(runs.c.state.in_([RunState.RUNNING, RunState.QUEUED])).order_by(runs.c.seq)
        return await self._all(query if workspace is None else query.where(runs.c.workspace == workspace))

    async def place(self, run: Run) -> int:
        """The run's 1-based place: in its conversation while that is busy, else in its workspace; 0: not queued.

        The workspace's count leaves out replies that wait for their own conversation.
        """
        queued = and_(runs.c.state == RunState.QUEUED, runs.c.seq <= run.seq)

        def count(*where: ColumnElement[bool]) -> Select[int]:
            return select(func.count()).select_from(runs).where(queued, *where)

        async def find(connection: AsyncConnection) -> int:
            me = select(runs.c.conversation, BUSY).where(runs.c.id == run.id, runs.c.state == RunState.QUEUED)
            row = (await connection.execute(me)).one_or_none()
            if row is None:
                return 0
            conversation, behind = row
            if behind:
                query = count(runs.c.conversation == conversation)
            else:
                query = count(runs.c.workspace == run.workspace, ~BUSY)
            return int((await connection.execute(query)).scalar_one())

        return await self._database.read(find)

    async def _all(self, query: Select[*tuple[object, ...]]) -> list[Run]:
        return await self._database.read(lambda connection: all_runs(connection, query))
