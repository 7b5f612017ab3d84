"""Bringing a database's schema up to date, with Alembic, without a configuration file."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from bot.errors import StoreUnavailable
from bot.store import dialect

# How long another process that migrates the same database is waited for, in seconds.
_PATIENCE = 30.0

# How long one step of a migration may take, in seconds.
_LONGEST = 3600.0

# Migrations of one database wait for each other, by this number that nothing else uses.
_MIGRATING = 0x626F74


async def migrate(url: str) -> None:
    """Bring the schema to the newest revision, in one transaction; creates the file where there is none.

    Raises StoreUnavailable where the database can't be opened or was made by a newer version of the bot, and
    SettingsError where ``url`` is of no known kind.
    """
    await asyncio.to_thread(_migrate, url)


def _migrate(url: str) -> None:
    engine = dialect.engine(dialect.parse(url), _PATIENCE)
    try:
        with engine.begin() as connection:
            dialect.alone(connection, _MIGRATING)
            dialect.allow_time(connection, _LONGEST)
            command.upgrade(config(connection), "head")
    except CommandError as error:
        raise StoreUnavailable("the database was made by another, newer version of the bot") from error
    except (SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(f"the database can't be migrated: {type(error).__name__}") from error
    finally:
        engine.dispose()


def config(connection: Connection) -> Config:
    """Alembic's configuration for our scripts, run over ``connection`` within its transaction."""
    made = Config()
    # Alembic reads the option with interpolation, where a percent sign in the path needs a second one.
    made.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made
