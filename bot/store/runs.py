"""Runs and their tasks: one row and one function for every step of their life."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from bot.core.access import Usage
from bot.core.run import RunState
from bot.model import Invocation
from bot.store import life, taking
from bot.store.database import Database
from bot.store.order import PutFirst, put_first, waiting
from bot.store.recall import recall
from bot.store.records import NewRun, Outcome, Run, Task, TaskEnd, UserSettings
from bot.store.rows import RUN, all_runs, all_tasks, one_run, run_by_id
from bot.store.tables import conversations, runs, tasks
from bot.store.users import settings_in

# Made once: making a statement takes longer than running it.
_SET_READY = update(runs).where(runs.c.id == bindparam("of")).values(ready=True)
_SET_TASK_TS = update(tasks).where(tasks.c.id == bindparam("of")).values(ts=bindparam("to"))
_SET_OWN_TASK_TS = _SET_TASK_TS.where(
    tasks.c.run.in_(select(runs.c.id).where(runs.c.owner == bindparam("me"))),
)
_RUNNING_IN = RUN.where(runs.c.conversation == bindparam("conversation"), runs.c.state == RunState.RUNNING)
_WAITING_IN = waiting(bindparam("conversation"))

_UNENDED = runs.c.state.in_([RunState.QUEUED, RunState.RUNNING])
_EARLIER = (
    select(func.count())
    .select_from(runs)
    .where(runs.c.workspace == bindparam("workspace"), runs.c.seq < bindparam("me"))
)
_OWN = _EARLIER.where(runs.c.requester == bindparam("requester"))
_USAGE = (
    _OWN.where(_UNENDED),
    _EARLIER.where(_UNENDED, runs.c.channel == bindparam("channel")),
    _OWN.where(_UNENDED | runs.c.started_at.is_not(None), runs.c.created_at >= bindparam("since")),
)

_NEWEST = (runs.c.created_at.desc(), runs.c.seq.desc())  # as the index of people's own runs has them

_RECENT = 100  # runs in which a user's repositories are looked for


class Runs:
    """The runs of all workspaces; ``random`` chooses their ids, ``me`` is this process's name. Times are Unix seconds.

    Of one workspace no more than ``most_queued`` wait.
    """

    def __init__(
        self, database: Database, random: Random, me: str = "", most_queued: int | None = None
    ) -> None:
        self._database = database
        self._random = random
        self._me = me
        self._most_queued = most_queued

    # --- a request's way in

    async def take(self, new: NewRun, claim: str | None, now: float) -> Run | None:
        """Take a request on, in one transaction: claim, conversation, turn, queued run, tasks.

        ``None``: the claim was taken before. A request that opens a conversation gives it its options; a reply's
        repository and branch become the thread's. Raises QueueFull, and then nothing is stored.
        """
        return await self._database.write(
            lambda connection: taking.take(
                connection, new, claim, now, self._random, self._me, self._most_queued
            )
        )

    async def take_as_set(
        self,
        where: tuple[str, str, str],
        made: Callable[[UserSettings, str | None], NewRun],
        claim: str | None,
        now: float,
    ) -> Run | None:
        """The same where the request depends on what the user and the channel have set, in one transaction with that.

        ``where`` is workspace, user and channel. What ``made`` raises is raised here, and then nothing is stored.
        """

        def work(connection: Connection) -> Run | None:
            new = made(*settings_in(connection, *where))
            return taking.take(connection, new, claim, now, self._random, self._me, self._most_queued)

        return await self._database.write(work)

    async def recall(
        self,
        workspace: str,
        requester: str,
        claim: str,
        at: float,
        *,
        withdraw: bool,
        reopen: bool = False,
    ) -> Run | None:
        """The run that was to be taken at that time, without an answer; ``None``: nothing is stored of it.

        With ``withdraw`` nothing is afterwards, in any case; with ``reopen`` the claim may be taken again then.
        """
        return await self._database.write(
            lambda connection: recall(
                connection, workspace, requester, claim, at, self._me, withdraw=withdraw, reopen=reopen
            )
        )

    async def rewrite(self, run_id: str, invocation: Invocation, focus: str | None) -> bool:
        """Replace what a run asks while it waits; false where it doesn't wait any more."""
        return await self._database.write(
            lambda connection: taking.rewrite(connection, run_id, invocation, focus)
        )

    async def posted(self, run_id: str, status_ts: str, thread_ts: str) -> Run | None:
        """Store the message that shows the run's state, and the thread it opened; the run is ready then.

        Returns the run as it is now: it moved to another conversation where a quick reply had already opened
        one for that thread. ``None``: no such run, or it is another process's now.
        """
        return await self._database.write(
            lambda connection: taking.posted(connection, run_id, status_ts, thread_ts, self._me)
        )

    async def set_ready(self, run_id: str) -> None:
        """Let a queued run start; for one whose state is shown without a message of its own, or already."""
        await self._database.write(lambda connection: connection.execute(_SET_READY, {"of": run_id}))

    # --- finding

    async def get(self, run_id: str) -> Run | None:
        """The run of that id, whosever it is; for ids that come from ourselves."""
        return await self._database.read(lambda connection: run_by_id(connection, run_id))

    async def find(self, workspace: str, run_id: str) -> Run | None:
        """The workspace's run of that id; for ids that people type."""
        query = RUN.where(runs.c.id == run_id, runs.c.workspace == workspace)
        return await self._database.read(lambda connection: one_run(connection, query))

    async def at_request(self, workspace: str, channel: str, request_ts: str) -> Run | None:
        """The newest run that a user's message asked for."""
        query = RUN.where(
            runs.c.workspace == workspace, runs.c.channel == channel, runs.c.request_ts == request_ts
        ).order_by(runs.c.seq.desc())
        return await self._database.read(lambda connection: one_run(connection, query.limit(1)))

    async def usage(self, run: Run, since: float) -> Usage:
        """What the requester's and the channel's earlier runs use up; ``since`` begins the day. Refused ones don't."""
        values = {
            "workspace": run.workspace,
            "requester": run.requester,
            "channel": run.channel,
            "me": run.seq,
            "since": since,
        }

        def count(connection: Connection) -> Usage:
            return Usage(*[connection.execute(query, values).scalar_one() for query in _USAGE])

        return await self._database.read(count)

    async def running_in(self, conversation: int) -> Run | None:
        """The conversation's running run."""
        return await self._database.read(
            lambda connection: one_run(connection, _RUNNING_IN, conversation=conversation)
        )

    async def waiting_in(self, conversation: int) -> list[Run]:
        """The conversation's queued runs in order."""
        return await self._database.read(
            lambda connection: all_runs(connection, _WAITING_IN, conversation=conversation)
        )

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
        return await self._database.read(lambda connection: one_run(connection, query.limit(1)))

    async def recent_repos(self, workspace: str, requester: str, most: int) -> list[str]:
        """The distinct repositories of the user's last runs, the newest first."""
        query = (
            select(conversations.c.repo)
            .join_from(runs, conversations, runs.c.conversation == conversations.c.id)
            .where(runs.c.workspace == workspace, runs.c.requester == requester)
            .order_by(*_NEWEST)
            .limit(_RECENT)
        )

        def find(connection: Connection) -> list[str]:
            found = connection.execute(query).scalars()
            return list(dict.fromkeys(repo for repo in found if repo))[:most]

        return await self._database.read(find)

    async def latest_of(self, workspace: str, requester: str, limit: int) -> list[Run]:
        """The newest ended runs that a person asked for, the newest first."""
        query = RUN.where(
            runs.c.workspace == workspace, runs.c.requester == requester, runs.c.ended_at.is_not(None)
        ).order_by(*_NEWEST)
        return await self._database.read(lambda connection: all_runs(connection, query.limit(limit)))

    async def asked_again(self, run: Run) -> bool:
        """Whether the run's requester has asked for a later one in the same conversation."""
        query = select(runs.c.seq).where(
            runs.c.conversation == run.conversation,
            runs.c.requester == run.requester,
            runs.c.seq > run.seq,
        )

        def find(connection: Connection) -> bool:
            return connection.execute(query.limit(1)).first() is not None

        return await self._database.read(find)

    # --- tasks

    async def tasks(self, run_id: str) -> list[Task]:
        """The run's tasks in order."""
        return await self._database.read(lambda connection: all_tasks(connection, run_id))

    async def add_task(self, run_id: str, name: str) -> Task:
        """A task that the service named unasked, after the others; raises RunLost where it isn't this process's run."""
        return await self._database.write(
            lambda connection: life.add_task(connection, run_id, name, self._me)
        )

    async def task_posted(self, task_id: int, ts: str) -> None:
        """Store the message that shows the task, where its run is this process's."""
        values = {"of": task_id, "to": ts, **({"me": self._me} if self._me else {})}
        statement = _SET_OWN_TASK_TS if self._me else _SET_TASK_TS
        await self._database.write(lambda connection: connection.execute(statement, values))

    # --- the life of a run

    async def start(self, run_id: str, owner: str, now: float, *, turn: int | None = None) -> bool:
        """Make a queued run ``owner``'s running one; false where it isn't queued or its conversation is busy.

        With ``turn`` also where another reply was put before it meanwhile, so that its turn is a later one now.
        Whoever got true, and nobody else, may send it.
        """
        return await self._database.write(lambda connection: life.start(connection, run_id, owner, now, turn))

    async def end(
        self,
        run_id: str,
        state: RunState,
        now: float,
        *,
        note: str = "",
        answer: str = "",
        tasks: Sequence[TaskEnd] = (),
        own: bool = False,
        outcome: Outcome | None = None,
        settled: bool = False,
    ) -> bool:
        """End a run with what is known of its tasks; false, and nothing changes, where it can't end so any more.

        With ``own`` also where it is another process's. Tasks that are still running end as their run does. An answer
        that isn't empty becomes its turn's. This process is to settle it then (see ends.py), unless it is ``settled``.
        """

        def work(connection: Connection) -> bool:
            more: dict[str, Any] = {"own": own, "outcome": outcome, "settled": settled}
            return life.end(connection, run_id, state, now, note, answer, tasks, owner=self._me, **more)

        return await self._database.write(work)

    async def put_first(self, run_id: str, note: str) -> PutFirst | None:
        """Let a waiting run be its conversation's next, showing ``note``; ``None`` where it doesn't wait."""
        return await self._database.write(lambda connection: put_first(connection, run_id, note))

    async def drop(self, run_id: str, now: float, note: str) -> bool:
        """Stop a queued run, to be settled by this process; false, and nothing changes, where it doesn't wait any more."""
        return await self._database.write(
            lambda connection: life.drop(connection, run_id, now, note, self._me)
        )

    async def drop_waiting(self, conversation: int, now: float, note: str) -> list[Run]:
        """Stop the conversation's queued runs; returns them as they are now."""
        return await self._database.write(
            lambda connection: life.drop_waiting(connection, conversation, now, note)
        )
