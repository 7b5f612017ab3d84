"""How many messages each process edits in each workspace, so that they can share what Slack allows there."""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, delete, insert, select

from bot.store.database import Database
from bot.store.tables import live, workers

_GONE = delete(live).where(~select(workers.c.id).where(workers.c.id == live.c.worker).exists())


class Live:
    """What the processes tell each other of their messages; ``me`` is this one's name."""

    def __init__(self, database: Database, me: str) -> None:
        self._database = database
        self._me = me

    async def tell(self, messages: Mapping[str, int]) -> None:
        """Workspace -> how many messages this process edits there, from now on."""
        rows = [
            {"worker": self._me, "workspace": workspace, "messages": number}
            for workspace, number in messages.items()
        ]

        def store(connection: Connection) -> None:
            connection.execute(delete(live).where(live.c.worker == self._me))
            connection.execute(_GONE)
            if rows:
                connection.execute(insert(live), rows)

        await self._database.write(store)

    async def of(self, processes: Collection[str]) -> dict[str, int]:
        """Workspace -> how many messages these processes edit there."""
        query = select(live.c.workspace, live.c.messages).where(live.c.worker.in_(processes))

        def find(connection: Connection) -> dict[str, int]:
            found: dict[str, int] = {}
            for workspace, number in connection.execute(query):
                found[workspace] = found.get(workspace, 0) + number
            return found

        return await self._database.read(find)
