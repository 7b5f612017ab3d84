"""Where several processes write at once: a conversation is changed by one transaction at a time.

Its turns are numbered, its runs start one after another and in their order, and it may be merged into another one: all
of that looks first and writes then. So whatever does it holds the conversation's row from its beginning on. SQLite has
one writer anyway and knows no such locks; there these functions find the same and cost a query at most.
"""

from sqlalchemy import Connection, bindparam, select

from bot.store.tables import conversations, runs

_OF_RUN = (
    select(conversations.c.id)
    .join_from(conversations, runs, runs.c.conversation == conversations.c.id)
    .where(runs.c.id == bindparam("of"))
    .with_for_update(of=conversations)
)
_BY_ID = select(conversations.c.id).where(conversations.c.id == bindparam("of")).with_for_update()


def hold_conversation_of(connection: Connection, run_id: str) -> None:
    """Hold the conversation that a run belongs to, until the transaction is over."""
    if connection.dialect.name == "sqlite":
        return
    # It can have been merged into another one while it was waited for: then the run is found there.
    while connection.execute(_OF_RUN, {"of": run_id}).first() is None and _exists(connection, run_id):
        pass


def hold_conversation(connection: Connection, conversation: int) -> None:
    """Hold a conversation, where it is still there."""
    if connection.dialect.name != "sqlite":
        connection.execute(_BY_ID, {"of": conversation})


def _exists(connection: Connection, run_id: str) -> bool:
    return connection.execute(select(runs.c.seq).where(runs.c.id == run_id)).first() is not None
