"""What a dead process owned becomes a survivor's, at once and as a whole.

Functions within a transaction of the caller's.
"""

from sqlalchemy import ColumnElement, Connection, bindparam, delete, select, update

from bot.core.run import RunState, TaskState
from bot.store.tables import conversations, orders, runs, tasks, workers

_BOTH = select(workers.c.id).where(workers.c.id.in_(bindparam("both", expanding=True)))
_HOLD_BOTH = _BOTH.order_by(workers.c.id).with_for_update()
_FORGET_ORDERS = delete(orders).where(orders.c.worker == bindparam("of"))
_BURY = delete(workers).where(workers.c.id == bindparam("of"))
_ITS = (runs.c.settled.is_(False), runs.c.owner.is_not_distinct_from(bindparam("dead")))
_HOLD_CONVERSATIONS = (
    select(conversations.c.id)
    .where(conversations.c.id.in_(select(runs.c.conversation).where(*_ITS)))
    .order_by(conversations.c.id)
    .with_for_update()
)
_RUNNING = select(runs.c.id).where(*_ITS, runs.c.state == RunState.RUNNING)
# Those that wait may be other processes'. An alias, since the rows that are updated are of the same table.
_DYING = runs.alias()
_HOLD_WAITING = (
    update(runs)
    .where(
        runs.c.state == RunState.QUEUED,
        runs.c.conversation.in_(
            select(_DYING.c.conversation).where(
                _DYING.c.settled.is_(False),
                _DYING.c.owner.is_not_distinct_from(bindparam("dead")),
                _DYING.c.state == RunState.RUNNING,
            )
        ),
    )
    .values(held=True, note=bindparam("why"))
)
_INTERRUPT_TASKS = (
    update(tasks)
    .where(tasks.c.run.in_(_RUNNING), tasks.c.state == TaskState.RUNNING)
    .values(state=TaskState.INTERRUPTED, ended_at=bindparam("at"))
)
_INTERRUPT = (
    update(runs)
    .where(*_ITS, runs.c.state == RunState.RUNNING)
    .values(state=RunState.INTERRUPTED, ended_at=bindparam("at"), note=bindparam("why"))
)
_INHERIT = update(runs).where(*_ITS).values(owner=bindparam("me")).returning(runs.c.id)


def take_over(
    connection: Connection,
    dead: str | None,
    me: str,
    now: float,
    note: str,
    waits: str,
    clock: ColumnElement[float],
    silent: float | None,
) -> list[str]:
    """Make ``me`` the owner of all that ``dead`` still had to do, see Workers.take_over; returns the runs' ids.

    ``clock`` is the database's, ``dead`` is ``None`` for runs without an owner. Where ``me`` is itself taken for dead,
    nothing happens.
    """
    if not _may(connection, dead, me, clock, silent):
        return []
    connection.execute(_BURY, {"of": dead})
    connection.execute(_FORGET_ORDERS, {"of": dead})
    connection.execute(_HOLD_CONVERSATIONS, {"dead": dead})
    connection.execute(_HOLD_WAITING, {"dead": dead, "why": waits})
    connection.execute(_INTERRUPT_TASKS, {"dead": dead, "at": now})
    connection.execute(_INTERRUPT, {"dead": dead, "at": now, "why": note})
    return list(connection.execute(_INHERIT, {"dead": dead, "me": me}).scalars())


def _may(
    connection: Connection, dead: str | None, me: str, clock: ColumnElement[float], silent: float | None
) -> bool:
    """Whether ``me`` lives, and ``dead`` has been silent for so long or has no row any more; both are held."""
    held = set(connection.execute(_HOLD_BOTH, {"both": [me, dead or me]}).scalars())
    if me not in held:
        return False
    if silent is None or dead not in held:
        return True
    alive = select(workers.c.id).where(workers.c.id == dead, clock - workers.c.beat_at <= silent)
    return connection.execute(alive).first() is None
