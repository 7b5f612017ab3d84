"""Forgetting: what is older than it may be is removed, a little at a time."""

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database
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
    return removed


async def _claims(connection: AsyncConnection, before: float) -> int:
    old = select(claims.c.key).where(claims.c.claimed_at < before).limit(_CLAIMS)
    return (await connection.execute(delete(claims).where(claims.c.key.in_(old)))).rowcount


async def _old(connection: AsyncConnection, before: float) -> list[str]:
    query = select(runs.c.id).where(runs.c.ended_at < before).order_by(runs.c.ended_at).limit(_RUNS)
    return list((await connection.execute(query)).scalars())


async def _run(database: Database, run_id: str) -> None:
    while await database.write_upkeep(lambda connection: _chunks(connection, run_id)) == _CHUNKS:
        pass
    await database.write_upkeep(lambda connection: _rest(connection, run_id))


async def _chunks(connection: AsyncConnection, run_id: str) -> int:
    some = (
        select(chunks.c.task, chunks.c.position)
        .join_from(tasks, chunks, chunks.c.task == tasks.c.id)
        .where(tasks.c.run == run_id)
        .limit(_CHUNKS)
    )
    return (
        await connection.execute(delete(chunks).where(tuple_(chunks.c.task, chunks.c.position).in_(some)))
    ).rowcount


async def _rest(connection: AsyncConnection, run_id: str) -> None:
    """Remove a run and its tasks, and its turn and conversation where no other run needs them."""
    where = select(runs.c.conversation, runs.c.turn).where(runs.c.id == run_id)
    row = (await connection.execute(where)).one_or_none()
    if row is None:
        return  # another process sweeps too
    conversation, turn = row
    await connection.execute(delete(tasks).where(tasks.c.run == run_id))
    await connection.execute(delete(runs).where(runs.c.id == run_id))
    others = select(runs.c.seq).where(runs.c.conversation == conversation)
    if (await connection.execute(others.where(runs.c.turn == turn).limit(1))).first() is None:
        of_turn = (turns.c.conversation == conversation, turns.c.ordinal == turn)
        await connection.execute(delete(turns).where(*of_turn))
    if (await connection.execute(others.limit(1))).first() is None:
        await connection.execute(delete(conversations).where(conversations.c.id == conversation))
