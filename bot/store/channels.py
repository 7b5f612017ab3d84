"""What a channel was set to."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store import dialect
from bot.store.database import Database
from bot.store.tables import channels


class Channels:
    """The settings of channels."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def repo(self, workspace: str, channel: str) -> str | None:
        """The channel's repository as ``owner/name``, where it was given one."""

        async def find(connection: AsyncConnection) -> str | None:
            query = select(channels.c.repo).where(
                channels.c.workspace == workspace, channels.c.channel == channel
            )
            return (await connection.execute(query)).scalar_one_or_none()

        return await self._database.read(find)

    async def set_repo(self, workspace: str, channel: str, repo: str | None, by: str, now: float) -> None:
        """Give the channel a repository, or with ``None`` take it away; ``by`` is the user who asked."""
        values = {"repo": repo, "changed_by": by, "changed_at": now}

        async def upsert(connection: AsyncConnection) -> None:
            statement = dialect.insert(connection.dialect.name, channels).values(
                workspace=workspace, channel=channel, **values
            )
            await connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[channels.c.workspace, channels.c.channel], set_=values
                )
            )

        await self._database.write(upsert)
