"""What became of a request that was to be stored when no answer came: its commit may have gone through all the same.

Functions within a transaction of the caller's.
"""

from sqlalchemy import Connection, bindparam, delete

from bot.core.run import RunState
from bot.store import life
from bot.store.claims import insert_claim
from bot.store.records import Run
from bot.store.rows import RUN, one_run
from bot.store.tables import claims, runs

_FREE = delete(claims).where(claims.c.key == bindparam("of"))
_TAKEN = RUN.where(
    runs.c.workspace == bindparam("workspace"),
    runs.c.requester == bindparam("requester"),
    runs.c.created_at == bindparam("at"),
    runs.c.owner == bindparam("me"),
    runs.c.state == RunState.QUEUED,
    runs.c.ready.is_(False),
)


def recall(
    connection: Connection,
    workspace: str,
    requester: str,
    claim: str,
    at: float,
    owner: str,
    *,
    withdraw: bool,
    reopen: bool = False,
) -> Run | None:
    """The run that ``owner`` was to store for ``requester`` at that time, where it was; ``None``: it wasn't.

    With ``withdraw`` there is none afterwards, nor will there ever be for that claim, unless with ``reopen``: then it may
    be taken again.
    """
    # A commit that is still on its way holds the claim: this waits for it.
    if insert_claim(connection, claim, at):
        if reopen or not withdraw:
            connection.execute(_FREE, {"of": claim})
        return None
    asked = {"workspace": workspace, "requester": requester, "at": at, "me": owner}
    run = one_run(connection, _TAKEN, **asked)
    if run is None or not withdraw:
        return run
    life.end(connection, run.id, RunState.STOPPED, at, settled=True)
    return None
