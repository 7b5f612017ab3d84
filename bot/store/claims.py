"""Claims: the stored right to handle an event once."""

from sqlalchemy import Connection

from bot.store import dialect
from bot.store.database import Database
from bot.store.tables import claims

_ADD = {
    name: dialect.insert(name, claims).on_conflict_do_nothing().returning(claims.c.key)
    for name in dialect.NAMES
}


class Claims:
    """Claims that stand on their own; a request's claim is taken together with its run (``Runs.take``)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, key: str, now: float) -> bool:
        """Whether the event named ``key`` is the caller's to handle; false: somebody has handled it."""
        return await self._database.write(lambda connection: insert_claim(connection, key, now))


def insert_claim(connection: Connection, key: str, now: float) -> bool:
    """The same within a transaction; ``now`` is Unix time."""
    values = {"key": key, "claimed_at": now}
    return connection.execute(_ADD[connection.dialect.name], values).first() is not None
