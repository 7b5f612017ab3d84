"""Rows of the tables as records."""

from dataclasses import fields

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.run import RunState
from bot.model import Invocation, Model, Options
from bot.store.records import Conversation, Run, Task
from bot.store.tables import conversations, runs, tasks

RUN = select(
    *(conversations.c.thread_ts if field.name == "thread_ts" else runs.c[field.name] for field in fields(Run))
).join_from(runs, conversations, runs.c.conversation == conversations.c.id)
"""Selects what a Run consists of."""

TASK = select(*(tasks.c[field.name] for field in fields(Task)))
"""Selects what a Task consists of."""

DEFAULT_TASK = "task"
"""The name of the one task of a run that named none."""


_OTHER = runs.alias()

BUSY = (
    select(_OTHER.c.seq)
    .where(_OTHER.c.conversation == runs.c.conversation, _OTHER.c.state == RunState.RUNNING)
    .exists()
)
"""Whether the conversation of the selected run has a running one."""

FIRST = ~(
    select(_OTHER.c.seq)
    .where(
        _OTHER.c.conversation == runs.c.conversation,
        _OTHER.c.state == RunState.QUEUED,
        _OTHER.c.seq < runs.c.seq,
    )
    .exists()
)
"""Whether no run of its conversation has waited longer than the selected one."""


async def all_runs(connection: AsyncConnection, query: Select[*tuple[object, ...]]) -> list[Run]:
    """The runs that ``query``, made from RUN, finds."""
    return [Run(**row) for row in (await connection.execute(query)).mappings()]


async def one_run(connection: AsyncConnection, query: Select[*tuple[object, ...]]) -> Run | None:
    """The first of them."""
    found = await all_runs(connection, query.limit(1))
    return found[0] if found else None


async def all_tasks(connection: AsyncConnection, run_id: str) -> list[Task]:
    """A run's tasks in their order."""
    query = TASK.where(tasks.c.run == run_id).order_by(tasks.c.position)
    return [Task(**row) for row in (await connection.execute(query)).mappings()]


async def one_conversation(
    connection: AsyncConnection, query: Select[*tuple[object, ...]]
) -> Conversation | None:
    """The conversation that ``query``, over all its columns, finds."""
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    return Conversation(
        id=row["id"],
        workspace=row["workspace"],
        channel=row["channel"],
        thread_ts=row["thread_ts"],
        options=Options(
            repo=row["repo"],
            branch=row["branch"],
            model=None if row["model"] is None else Model(row["model"]),
            directory=row["directory"],
        ),
        upstream_thread=row["upstream_thread"],
        muted=row["muted"],
    )


def at_place(workspace: str, channel: str, thread_ts: str) -> Select[*tuple[object, ...]]:
    """Selects the conversation of a thread, for ``one_conversation``."""
    return select(conversations).where(
        conversations.c.workspace == workspace,
        conversations.c.channel == channel,
        conversations.c.thread_ts == thread_ts,
    )


def task_names(invocation: Invocation, focus: str | None) -> tuple[str, ...]:
    """The names of the tasks that a run of ``invocation`` begins with."""
    return tuple(task.name for task in invocation.tasks) or (focus or DEFAULT_TASK,)


def prompt_text(invocation: Invocation, focus: str | None) -> str:
    """What was asked as one text, as later turns are told it: named tasks as ``name: prompt`` lines."""
    if invocation.tasks:
        return "\n".join(f"{task.name}: {task.prompt}" for task in invocation.tasks)
    return f"{focus}: {invocation.prompt}" if focus else invocation.prompt
