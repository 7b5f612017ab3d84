"""Forgetting: what is older than it may be is removed, a little at a time."""

from sqlalchemy import Connection, delete, select, tuple_

from bot.store.database import Database
from bot.store.locks import hold_conversation
from bot.store.tables import chunks, claims, conversations, runs, tasks, turns

CLAIMS_KEPT = 48 * 3600.0
"""How long claims are kept, in seconds: far beyond the last time that Slack delivers an event again."""

# How much one transaction removes: a request may have to wait for it.
_CLAIMS = 500
_RUNS = 50
_CHUNKS = 16


async def sweep(database: Database, now: float, retention: float) -> int:
    """Remove runs that ended ``retention`` seconds before ``now``, with all that is theirs, and old claims.

    Returns how many runs were removed. Conversations go with their last run.
    """
    while await database.write_upkeep(lambda connection: _claims(connection, now - CLAIMS_KEPT)) == _CLAIMS:
        pass
    removed = 0
    while old := await database.read(lambda connection: _old(connection, now - retention)):
        for run_id in old:
            await _run(database, run_id)
        removed += len(old)
    await database.give_back()
    return removed


def _claims(connection: Connection, before: float) -> int:
    query = select(claims.c.key).where(claims.c.claimed_at < before).limit(_CLAIMS)
    old = connection.execute(query).scalars().all()
    connection.execute(delete(claims).where(claims.c.key.in_(old)))
    return len(old)


def _old(connection: Connection, before: float) -> list[str]:
    query = select(runs.c.id).where(runs.c.ended_at < before).order_by(runs.c.ended_at).limit(_RUNS)
    return list(connection.execute(query).scalars())


async def _run(database: Database, run_id: str) -> None:
    while not await database.write_upkeep(lambda connection: _part(connection, run_id)):
        pass


def _part(connection: Connection, run_id: str) -> bool:
    """Remove some of a run's output, and with the last of it the run; returns whether that was all."""
    if _chunks(connection, run_id) == _CHUNKS:
        return False
    _rest(connection, run_id)
    return True


def _chunks(connection: Connection, run_id: str) -> int:
    some = (
        select(chunks.c.task, chunks.c.position)
        .join_from(tasks, chunks, chunks.c.task == tasks.c.id)
        .where(tasks.c.run == run_id)
        .limit(_CHUNKS)
    )
    return (
        connection.execute(delete(chunks).where(tuple_(chunks.c.task, chunks.c.position).in_(some)))
    ).rowcount


def _rest(connection: Connection, run_id: str) -> None:
    """Remove a run and its tasks, and its turn and conversation where no other run needs them."""
    where = select(runs.c.conversation, runs.c.turn).where(runs.c.id == run_id)
    row = connection.execute(where).one_or_none()
    if row is None:
        return  # another process sweeps too
    conversation, turn = row
    hold_conversation(connection, conversation)
    connection.execute(delete(tasks).where(tasks.c.run == run_id))
    connection.execute(delete(runs).where(runs.c.id == run_id))
    others = select(runs.c.seq).where(runs.c.conversation == conversation)
    if connection.execute(others.where(runs.c.turn == turn).limit(1)).first() is None:
        of_turn = (turns.c.conversation == conversation, turns.c.ordinal == turn)
        connection.execute(delete(turns).where(*of_turn))
    if connection.execute(others.limit(1)).first() is None:
        connection.execute(delete(conversations).where(conversations.c.id == conversation))
