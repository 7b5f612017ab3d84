"""What waits for a run whose process died waits until a person decides: nobody knows what that run did to the branch.

The queued runs of its conversation are ``held`` then, and nothing starts there. What comes after them isn't held: by
going on with it, its author lets them go on as well. Functions within a transaction of the caller's, which holds the
conversation.
"""

from sqlalchemy import Connection, bindparam, select, update

from bot.core.run import RunState
from bot.store.tables import runs

_HELD = (
    select(runs.c.seq)
    .where(runs.c.conversation == bindparam("of"), runs.c.state == RunState.QUEUED, runs.c.held)
    .limit(1)
)
_RELEASE = (
    update(runs)
    .where(runs.c.conversation == bindparam("of"), runs.c.state == RunState.QUEUED, runs.c.held)
    .values(held=False, note="")
)


def holds(connection: Connection, conversation: int) -> bool:
    """Whether replies of the conversation wait for a person's decision."""
    return connection.execute(_HELD, {"of": conversation}).first() is not None


def release(connection: Connection, conversation: int) -> None:
    """Somebody has decided: what waits there starts in its order."""
    connection.execute(_RELEASE, {"of": conversation})
