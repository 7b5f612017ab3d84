"""What people have set for themselves."""

from sqlalchemy import Connection, RowMapping, bindparam, literal, select

from bot.core.options import as_model
from bot.model import Options
from bot.store import dialect
from bot.store.database import Database
from bot.store.records import UserSettings
from bot.store.tables import channels, users

_SETTINGS = select(users).where(users.c.workspace == bindparam("of"), users.c.user == bindparam("user_id"))
_REPO = (
    select(channels.c.repo)
    .where(channels.c.workspace == bindparam("of"), channels.c.channel == bindparam("channel_id"))
    .scalar_subquery()
)
_HERE = select(literal(1).label("one")).subquery()
_SETTINGS_IN = select(_REPO.label("channel_repo"), users).select_from(
    _HERE.outerjoin(users, (users.c.workspace == bindparam("of")) & (users.c.user == bindparam("user_id")))
)


class Users:
    """The settings of users, each in their workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def settings(self, workspace: str, user: str) -> UserSettings:
        """What the user has set; who never did has no options and is notified."""
        return await self._database.read(lambda connection: _settings(connection, workspace, user))

    async def settings_in(self, workspace: str, user: str, channel: str) -> tuple[UserSettings, str | None]:
        """The same, and the channel's own repository: every request wants both."""
        return await self._database.read(lambda connection: settings_in(connection, workspace, user, channel))

    async def save(self, workspace: str, user: str, settings: UserSettings, now: float) -> None:
        """Store all of a user's settings in place of the earlier ones; ``now`` is Unix time."""
        values = {
            "repo": settings.options.repo,
            "branch": settings.options.branch,
            "model": settings.options.model,
            "notify": settings.notify,
            "changed_at": now,
        }

        def upsert(connection: Connection) -> None:
            statement = dialect.insert(connection.dialect.name, users).values(
                workspace=workspace, user=user, first_seen=now, **values
            )
            connection.execute(
                statement.on_conflict_do_update(index_elements=[users.c.workspace, users.c.user], set_=values)
            )

        await self._database.write(upsert)


def settings_in(
    connection: Connection, workspace: str, user: str, channel: str
) -> tuple[UserSettings, str | None]:
    """What the user has set, and the channel's repository."""
    values = {"of": workspace, "user_id": user, "channel_id": channel}
    row = connection.execute(_SETTINGS_IN, values).mappings().one()
    return _as_settings(None if row["user"] is None else row), row["channel_repo"]


def _settings(connection: Connection, workspace: str, user: str) -> UserSettings:
    row = connection.execute(_SETTINGS, {"of": workspace, "user_id": user}).mappings().one_or_none()
    return _as_settings(row)


def _as_settings(row: RowMapping | None) -> UserSettings:
    if row is None:
        return UserSettings()
    model = as_model(row["model"] or "")  # one that is not offered any more counts as none
    return UserSettings(Options(row["repo"], row["branch"], model), notify=row["notify"])
