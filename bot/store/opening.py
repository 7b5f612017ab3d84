"""Which database an address means."""

from pathlib import Path

from bot.store import dialect
from bot.store.database import Database
from bot.store.postgres import PostgresDatabase
from bot.store.sqlite import SqliteDatabase


async def open_database(url: str, *, patience: float) -> Database:
    """Connect. An SQLite database in memory gets its tables here; any other needs ``migrate`` before.

    ``patience`` is how long a lock is waited for, in seconds. Raises SettingsError where ``url`` is of no known kind, and
    StoreUnavailable where the database can't be opened.
    """
    parsed = dialect.parse(url)
    kind = SqliteDatabase if parsed.get_backend_name() == "sqlite" else PostgresDatabase
    return await kind.open(parsed, patience=patience)


def file_of(url: str) -> Path | None:
    """The file of an SQLite database; ``None`` where it has none."""
    parsed = dialect.parse(url)
    if parsed.get_backend_name() != "sqlite" or dialect.in_memory(parsed):
        return None
    return Path(parsed.database or "")
