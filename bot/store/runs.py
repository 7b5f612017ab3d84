"""Runs and their tasks: one row and one function for every step of their life."""

from collections.abc import Sequence
from dataclasses import fields, replace
from random import Random

from sqlalchemy import Select, bindparam, func, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.access import Usage
from bot.core.run import RunState, TaskState, sources, task_end
from bot.model import Invocation
from bot.store import taking
from bot.store.database import Database
from bot.store.records import NewRun, Run, Task, TaskEnd
from bot.store.rows import BUSY, RUN, all_runs, all_tasks, one_run
from bot.store.tables import conversations, runs, tasks, turns

_RECENT = 100  # runs in which a user's repositories are looked for


class Runs:
    """The runs of all workspaces; ``random`` chooses their ids. Times are Unix seconds."""

    def __init__(self, database: Database, random: Random) -> None:
        self._database = database
        self._random = random

    # --- a request's way in

    async def take(self, new: NewRun, claim: str | None, now: float) -> Run | None:
        """Take a request on, in one transaction: claim, conversation, turn, queued run, tasks.

        ``None``: the claim was taken before. A request that opens a conversation gives it its options; a reply's
        repository and branch become the thread's.
        """
        return await self._database.write(
            lambda connection: taking.take(connection, new, claim, now, self._random)
        )

    async def rewrite(self, run_id: str, invocation: Invocation, focus: str | None) -> bool:
        """Replace what a run asks while it waits; false where it doesn't wait any more."""
        return await self._database.write(
            lambda connection: taking.rewrite(connection, run_id, invocation, focus)
        )

    async def posted(self, run_id: str, status_ts: str, thread_ts: str) -> Run | None:
        """Store the message that shows the run's state, and the thread it opened; the run is ready then.

        Returns the run as it is now: it moved to another conversation where a quick reply had already opened
        one for that thread. ``None``: no such run.
        """
        return await self._database.write(
            lambda connection: taking.posted(connection, run_id, status_ts, thread_ts)
        )

    async def set_ready(self, run_id: str) -> None:
        """Let a queued run start; for one whose state is shown without a message of its own, or already."""
        statement = update(runs).where(runs.c.id == run_id).values(ready=True)
        await self._database.write(lambda connection: connection.execute(statement))

    # --- finding

    async def get(self, run_id: str) -> Run | None:
        """The run of that id, whosever it is; for ids that come from ourselves."""
        return await self._database.read(
            lambda connection: one_run(connection, RUN.where(runs.c.id == run_id))
        )

    async def find(self, workspace: str, run_id: str) -> Run | None:
        """The workspace's run of that id; for ids that people type."""
        query = RUN.where(runs.c.id == run_id, runs.c.workspace == workspace)
        return await self._database.read(lambda connection: one_run(connection, query))

    async def at_request(self, workspace: str, channel: str, request_ts: str) -> Run | None:
        """The newest run that a user's message asked for."""
        query = RUN.where(
            runs.c.workspace == workspace, runs.c.channel == channel, runs.c.request_ts == request_ts
        ).order_by(runs.c.seq.desc())
        return await self._database.read(lambda connection: one_run(connection, query))

    async def usage(self, run: Run, since: float) -> Usage:
        """What the requester's and the channel's earlier runs use up; ``since`` begins the day. Refused ones don't."""
        unended = runs.c.state.in_((RunState.QUEUED.value, RunState.RUNNING.value))
        earlier = (runs.c.workspace == run.workspace) & (runs.c.seq < run.seq)
        own = earlier & (runs.c.requester == run.requester)
        taken = unended | runs.c.started_at.is_not(None)
        counts = (
            select(func.count()).select_from(runs).where(own, unended),
            select(func.count()).select_from(runs).where(earlier, unended, runs.c.channel == run.channel),
            select(func.count()).select_from(runs).where(own, taken, runs.c.created_at >= since),
        )

        async def count(connection: AsyncConnection) -> Usage:
            return Usage(*[(await connection.execute(query)).scalar_one() for query in counts])

        return await self._database.read(count)

    async def running_in(self, conversation: int) -> Run | None:
        """The conversation's running run."""
        query = RUN.where(runs.c.conversation == conversation, runs.c.state == RunState.RUNNING)
        return await self._database.read(lambda connection: one_run(connection, query))

    async def waiting_in(self, conversation: int) -> list[Run]:
        """The conversation's queued runs in order."""
        return await self._database.read(lambda connection: all_runs(connection, _waiting(conversation)))

    async def last_in(self, conversation: int) -> Run | None:
        """The conversation's newest run, in whatever state."""
        newest = select(func.max(runs.c.seq)).where(runs.c.conversation == conversation)
        query = RUN.where(runs.c.seq == newest.scalar_subquery())
        return await self._database.read(lambda connection: one_run(connection, query))

    async def newest_attempt(self, conversation: int, turn: int) -> Run | None:
        """The newest of the runs that a turn of the conversation had."""
        query = RUN.where(runs.c.conversation == conversation, runs.c.turn == turn).order_by(
            runs.c.seq.desc()
        )
        return await self._database.read(lambda connection: one_run(connection, query))

    async def recent_repos(self, workspace: str, requester: str, most: int) -> list[str]:
        """The distinct repositories of the user's last runs, the newest first."""
        query = (
            select(conversations.c.repo)
            .join_from(runs, conversations, runs.c.conversation == conversations.c.id)
            .where(runs.c.workspace == workspace, runs.c.requester == requester)
            .order_by(runs.c.seq.desc())
            .limit(_RECENT)
        )

        async def find(connection: AsyncConnection) -> list[str]:
            found = (await connection.execute(query)).scalars()
            return list(dict.fromkeys(repo for repo in found if repo))[:most]

        return await self._database.read(find)

    async def latest_of(self, workspace: str, requester: str, limit: int) -> list[Run]:
        """The newest ended runs that a person asked for, the newest first."""
        query = RUN.where(
            runs.c.workspace == workspace, runs.c.requester == requester, runs.c.ended_at.is_not(None)
        ).order_by(runs.c.seq.desc())
        return await self._database.read(lambda connection: all_runs(connection, query.limit(limit)))

    async def asked_again(self, run: Run) -> bool:
        """Whether the run's requester has asked for a later one in the same conversation."""
        query = select(runs.c.seq).where(
            runs.c.conversation == run.conversation,
            runs.c.requester == run.requester,
            runs.c.seq > run.seq,
        )

        async def find(connection: AsyncConnection) -> bool:
            return (await connection.execute(query.limit(1))).first() is not None

        return await self._database.read(find)

    # --- tasks

    async def tasks(self, run_id: str) -> list[Task]:
        """The run's tasks in order."""
        return await self._database.read(lambda connection: all_tasks(connection, run_id))

    async def add_task(self, run_id: str, name: str) -> Task:
        """A task that the service named unasked, after the others."""

        async def add(connection: AsyncConnection) -> Task:
            last = select(func.max(tasks.c.position)).where(tasks.c.run == run_id)
            newest = (await connection.execute(last)).scalar_one()
            position = 0 if newest is None else newest + 1
            task_id = await taking.insert_task(connection, run_id, position, name)
            return Task(id=task_id, run=run_id, position=position, name=name, state=TaskState.RUNNING)

        return await self._database.write(add)

    async def task_posted(self, task_id: int, ts: str) -> None:
        """Store the message that shows the task."""
        statement = update(tasks).where(tasks.c.id == task_id).values(ts=ts)
        await self._database.write(lambda connection: connection.execute(statement))

    # --- the life of a run

    async def start(self, run_id: str, owner: str, now: float) -> bool:
        """Make a queued run ``owner``'s running one; false where it isn't queued or its conversation is busy.

        Whoever got true, and nobody else, may send it.
        """
        statement = (
            update(runs)
            .where(runs.c.id == run_id, runs.c.state.in_(sources(RunState.RUNNING)), ~BUSY)
            .values(state=RunState.RUNNING, owner=owner, started_at=now)
        )
        return (await self._database.write(lambda connection: connection.execute(statement))).rowcount == 1

    async def end(
        self,
        run_id: str,
        state: RunState,
        now: float,
        *,
        note: str = "",
        answer: str = "",
        tasks: Sequence[TaskEnd] = (),
    ) -> bool:
        """End a run with what is known of its tasks; false, and nothing changes, where it can't end so any more.

        Tasks that are still running end as their run does. An answer that isn't empty becomes its turn's.
        """
        return await self._database.write(
            lambda connection: _end(connection, run_id, state, now, note, answer, tasks)
        )

    async def drop_waiting(self, conversation: int, now: float, note: str) -> list[Run]:
        """Stop the conversation's queued runs; returns them as they are now."""

        async def drop(connection: AsyncConnection) -> list[Run]:
            dropped = await all_runs(connection, _waiting(conversation))
            for run in dropped:
                await _end(connection, run.id, RunState.STOPPED, now, note, "", ())
            return [replace(run, state=RunState.STOPPED, ended_at=now, note=note) for run in dropped]

        return await self._database.write(drop)


def _waiting(conversation: int) -> Select[*tuple[object, ...]]:
    return RUN.where(runs.c.conversation == conversation, runs.c.state == RunState.QUEUED).order_by(
        runs.c.seq
    )


async def _end(
    connection: AsyncConnection,
    run_id: str,
    state: RunState,
    now: float,
    note: str,
    answer: str,
    ends: Sequence[TaskEnd],
) -> bool:
    ended = await connection.execute(
        update(runs)
        .where(runs.c.id == run_id, runs.c.state.in_(sources(state)))
        .values(state=state, ended_at=now, note=note, answer=answer)
    )
    if ended.rowcount == 0:
        return False
    of_run = update(tasks).where(tasks.c.run == run_id)
    if ends:
        # The column's name can't be a parameter's too: it would be taken for a value to be set.
        rows = [
            {("of" if field.name == "id" else field.name): getattr(end, field.name) for field in fields(end)}
            for end in ends
        ]
        await connection.execute(of_run.where(tasks.c.id == bindparam("of")), rows)
    still = of_run.where(tasks.c.state == TaskState.RUNNING)
    await connection.execute(still.values(state=task_end(state), ended_at=now))
    if answer:
        of_turn = select(runs.c.conversation, runs.c.turn).where(runs.c.id == run_id)
        turn = tuple_(turns.c.conversation, turns.c.ordinal).in_(of_turn)
        await connection.execute(update(turns).where(turn).values(answer=answer))
    return True
