"""Rows of the tables as records."""

from dataclasses import fields
from typing import Any

from sqlalchemy import Connection, Select, bindparam, or_, select, union_all

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


_RUN_BY_ID = RUN.where(runs.c.id == bindparam("of"))
_TASKS_OF = TASK.where(tasks.c.run == bindparam("of")).order_by(tasks.c.position)

_AT = select(conversations).where(
    conversations.c.workspace == bindparam("workspace"),
    conversations.c.channel == bindparam("channel"),
    conversations.c.thread_ts == bindparam("thread_ts"),
)
_HOLD_AT = _AT.with_for_update()

_OTHER = runs.alias()

# Two terms that find the same states: the first one is for the index.
_KEEPS_BUSY = (
    _OTHER.c.state.in_([RunState.RUNNING, RunState.QUEUED]),
    or_(_OTHER.c.state == RunState.RUNNING, _OTHER.c.held),
)

BUSY = select(_OTHER.c.seq).where(_OTHER.c.conversation == runs.c.conversation, *_KEEPS_BUSY).exists()
"""Whether the conversation of the selected run has a running one, or waits for a person's decision (see holding.py)."""

AMONG_BUSY = runs.c.conversation.in_(
    union_all(
        select(_OTHER.c.conversation).where(_OTHER.c.state == RunState.RUNNING),
        select(_OTHER.c.conversation).where(_OTHER.c.held, _OTHER.c.state == RunState.QUEUED),
    )
)
"""The same for a query that selects many: PostgreSQL reads those once.

From what it knows of a table of old runs, in which nothing waited, it would compare each that waits with all of them.
"""

FIRST = ~(
    select(_OTHER.c.seq)
    .where(
        _OTHER.c.conversation == runs.c.conversation,
        _OTHER.c.state == RunState.QUEUED,
        _OTHER.c.rank < runs.c.rank,
    )
    .exists()
)
"""Whether no run of its conversation waits before the selected one."""


def all_runs(connection: Connection, query: Select[*tuple[Any, ...]], **values: object) -> list[Run]:
    """The runs that ``query``, made from RUN, finds; ``values`` are for its parameters."""
    return [Run(*row) for row in connection.execute(query, values)]


def one_run(connection: Connection, query: Select[*tuple[Any, ...]], **values: object) -> Run | None:
    """The first of them; a query that finds many needs a limit of its own."""
    found = connection.execute(query, values).first()
    return None if found is None else Run(*found)


def run_by_id(connection: Connection, run_id: str) -> Run | None:
    """The run of that id."""
    return one_run(connection, _RUN_BY_ID, of=run_id)


def all_tasks(connection: Connection, run_id: str) -> list[Task]:
    """A run's tasks in their order."""
    return [Task(*row) for row in connection.execute(_TASKS_OF, {"of": run_id})]


def one_conversation(
    connection: Connection, query: Select[*tuple[Any, ...]], **values: object
) -> Conversation | None:
    """The conversation that ``query``, over all its columns, finds; ``values`` are for its parameters."""
    row = connection.execute(query, values).mappings().one_or_none()
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


def at_place(
    connection: Connection, workspace: str, channel: str, thread_ts: str, *, hold: bool = False
) -> Conversation | None:
    """The conversation of a thread; with ``hold`` nobody else changes it until the transaction is over."""
    query = _HOLD_AT if hold else _AT
    return one_conversation(connection, query, workspace=workspace, channel=channel, thread_ts=thread_ts)


def task_names(invocation: Invocation, focus: str | None) -> tuple[str, ...]:
    """The names of the tasks that a run of ``invocation`` begins with."""
    return tuple(task.name for task in invocation.tasks) or (focus or DEFAULT_TASK,)


def prompt_text(invocation: Invocation, focus: str | None) -> str:
    """What was asked as one text, as later turns are told it: named tasks as ``name: prompt`` lines."""
    if invocation.tasks:
        return "\n".join(f"{task.name}: {task.prompt}" for task in invocation.tasks)
    return f"{focus}: {invocation.prompt}" if focus else invocation.prompt
