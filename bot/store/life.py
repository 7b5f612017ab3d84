"""The life of a run: started, ended, dropped while it waits; and the tasks that the service names unasked.

Functions within a transaction of the caller's.
"""

from collections.abc import Sequence
from dataclasses import fields, replace

from sqlalchemy import Connection, bindparam, func, select, tuple_, update

from bot.core.run import RunState, TaskState, sources, task_end
from bot.errors import RunLost
from bot.store import taking
from bot.store.ends import encoded
from bot.store.locks import hold_conversation, hold_conversation_of
from bot.store.order import waiting
from bot.store.records import Outcome, Run, Task, TaskEnd
from bot.store.rows import BUSY, all_runs
from bot.store.tables import runs, tasks, turns

# A column's name can't be a parameter's too: it would be taken for a value to be set.
_START = (
    update(runs)
    .where(runs.c.id == bindparam("of"), runs.c.state.in_(sources(RunState.RUNNING)), ~BUSY)
    .values(state=RunState.RUNNING, owner=bindparam("by"), started_at=bindparam("at"), note="")
)
_START_TURN = _START.where(runs.c.turn == bindparam("as"))
_END = (
    update(runs)
    .where(runs.c.id == bindparam("of"), runs.c.state.in_(bindparam("from", expanding=True)))
    .values(
        state=bindparam("to"),
        ended_at=bindparam("at"),
        note=bindparam("why"),
        answer=bindparam("said"),
        owner=func.coalesce(bindparam("by", type_=runs.c.owner.type), runs.c.owner),
        outcome=bindparam("told"),
        settled=bindparam("over"),
    )
)
_END_OWN = _END.where(runs.c.owner == bindparam("by"))
_END_TASK = update(tasks).where(tasks.c.run == bindparam("of_run"), tasks.c.id == bindparam("of"))
_END_OTHERS = (
    update(tasks)
    .where(tasks.c.run == bindparam("of_run"), tasks.c.state == TaskState.RUNNING)
    .values(state=bindparam("to"), ended_at=bindparam("at"))
)
_SET_ANSWER = (
    update(turns)
    .where(
        tuple_(turns.c.conversation, turns.c.ordinal).in_(
            select(runs.c.conversation, runs.c.turn).where(runs.c.id == bindparam("of"))
        )
    )
    .values(answer=bindparam("said"))
)
_OWNER = select(runs.c.owner).where(runs.c.id == bindparam("of"))
_LAST_TASK = select(func.max(tasks.c.position)).where(tasks.c.run == bindparam("of"))


def start(connection: Connection, run_id: str, owner: str, now: float, turn: int | None) -> bool:
    """Make a queued run ``owner``'s running one; false where it isn't queued, is another turn, or has to wait."""
    hold_conversation_of(connection, run_id)
    return start_held(connection, run_id, owner, now, turn)


def start_held(connection: Connection, run_id: str, owner: str, now: float, turn: int | None) -> bool:
    """The same where the run's conversation is held already."""
    values = {"of": run_id, "by": owner, "at": now}
    if turn is None:
        return connection.execute(_START, values).rowcount == 1
    return connection.execute(_START_TURN, {**values, "as": turn}).rowcount == 1


def end(
    connection: Connection,
    run_id: str,
    state: RunState,
    now: float,
    note: str = "",
    answer: str = "",
    ends: Sequence[TaskEnd] = (),
    *,
    came_from: frozenset[RunState] | None = None,
    owner: str = "",
    own: bool = False,
    outcome: Outcome | None = None,
    settled: bool = False,
) -> bool:
    """End a run and its tasks; false, and nothing changes, where it is in no state of ``came_from``.

    Without ``came_from``, where it can't end so any more; with ``own`` also where it isn't ``owner``'s. From then on it
    is: whoever ends a run settles it, if that isn't done yet.
    """
    hold_conversation_of(connection, run_id)
    changed = {
        "of": run_id,
        "from": list(sources(state) if came_from is None else came_from),
        "to": state,
        "at": now,
        "why": note,
        "said": answer,
        "by": owner or None,
        "told": None if outcome is None else encoded(outcome),
        "over": settled,
    }
    if connection.execute(_END_OWN if own and owner else _END, changed).rowcount == 0:
        return False
    if ends:
        connection.execute(_END_TASK, [{"of_run": run_id, **_values(end)} for end in ends])
    connection.execute(_END_OTHERS, {"of_run": run_id, "to": task_end(state), "at": now})
    if answer:
        connection.execute(_SET_ANSWER, {"of": run_id, "said": answer})
    return True


def drop(connection: Connection, run_id: str, now: float, note: str, owner: str = "") -> bool:
    """Stop a queued run, which is ``owner``'s then; false, and nothing changes, where it doesn't wait any more."""
    queued = frozenset({RunState.QUEUED})
    return end(connection, run_id, RunState.STOPPED, now, note, came_from=queued, owner=owner)


def drop_waiting(connection: Connection, conversation: int, now: float, note: str) -> list[Run]:
    """Stop the conversation's queued runs; returns them as they are now."""
    hold_conversation(connection, conversation)
    dropped = all_runs(connection, waiting(conversation))
    for run in dropped:
        end(connection, run.id, RunState.STOPPED, now, note)
    return [replace(run, state=RunState.STOPPED, ended_at=now, note=note) for run in dropped]


def add_task(connection: Connection, run_id: str, name: str, owner: str = "") -> Task:
    """Add a task after the run's others; raises RunLost where the run is another process's than ``owner``."""
    hold_conversation_of(connection, run_id)
    if owner and connection.execute(_OWNER, {"of": run_id}).scalar_one_or_none() != owner:
        raise RunLost(run_id)
    newest = connection.execute(_LAST_TASK, {"of": run_id}).scalar_one()
    position = 0 if newest is None else newest + 1
    task_id = taking.insert_task(connection, run_id, position, name)
    return Task(id=task_id, run=run_id, position=position, name=name, state=TaskState.RUNNING)


def _values(end: TaskEnd) -> dict[str, object]:
    return {("of" if field.name == "id" else field.name): getattr(end, field.name) for field in fields(end)}
