"""What a channel was set to."""

from sqlalchemy import Connection, bindparam, select

from bot.store import dialect
from bot.store.database import Database
from bot.store.tables import channels

_REPO = select(channels.c.repo).where(
    channels.c.workspace == bindparam("workspace"), channels.c.channel == bindparam("channel")
)


class Channels:
    """The settings of channels."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def repo(self, workspace: str, channel: str) -> str | None:
        """The channel's repository as ``owner/name``, where it was given one."""

        def find(connection: Connection) -> str | None:
            return connection.scalar(_REPO, {"workspace": workspace, "channel": channel})

        return await self._database.read(find)

    async def set_repo(self, workspace: str, channel: str, repo: str | None, by: str, now: float) -> None:
        """Give the channel a repository, or with ``None`` take it away; ``by`` is the user who asked."""
        values = {"repo": repo, "changed_by": by, "changed_at": now}

        def upsert(connection: Connection) -> None:
            statement = dialect.insert(connection.dialect.name, channels).values(
                workspace=workspace, channel=channel, **values
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[channels.c.workspace, channels.c.channel], set_=values
                )
            )

        await self._database.write(upsert)
