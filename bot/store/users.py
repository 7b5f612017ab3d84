"""What people have set for themselves."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.core.options import as_model
from bot.model import Options
from bot.store import dialect
from bot.store.database import Database
from bot.store.records import UserSettings
from bot.store.tables import users


class Users:
    """The settings of users, each in their workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settings(self, workspace: str, user: str) -> UserSettings:
        """What the user has set; who never did has no options and is notified."""
        query = select(users).where(users.c.workspace == workspace, users.c.user == user)

        async def find(connection: AsyncConnection) -> UserSettings:
            row = (await connection.execute(query)).mappings().one_or_none()
            if row is None:
                return UserSettings()
            model = as_model(row["model"] or "")  # one that is not offered any more counts as none
            return UserSettings(Options(row["repo"], row["branch"], model), notify=row["notify"])

        return await self._database.read(find)

    async def save(self, workspace: str, user: str, settings: UserSettings, now: float) -> None:
        """Store all of a user's settings in place of the earlier ones; ``now`` is Unix time."""
        values = {
            "repo": settings.options.repo,
            "branch": settings.options.branch,
            "model": settings.options.model,
            "notify": settings.notify,
            "changed_at": now,
        }

        async def upsert(connection: AsyncConnection) -> None:
            statement = dialect.insert(connection.dialect.name, users).values(
                workspace=workspace, user=user, first_seen=now, **values
            )
            await connection.execute(
                statement.on_conflict_do_update(index_elements=[users.c.workspace, users.c.user], set_=values)
            )

        await self._database.write(upsert)
