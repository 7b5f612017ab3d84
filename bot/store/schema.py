"""How a database's schema stands, without changing anything: no file is created, nothing is migrated."""

import os
import sqlite3
from enum import Enum, auto
from functools import partial
from pathlib import Path

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from bot.errors import StoreUnavailable
from bot.store import dialect
from bot.store.migrate import config


class Schema(Enum):
    """How far a database was migrated."""

    NO_FILE = auto()  # SQLite alone, whose file is made at the first start
    EMPTY = auto()
    BEHIND = auto()
    CURRENT = auto()
    NEWER = auto()  # made by a newer version of the bot


def schema_of(url: str, patience: float) -> Schema:
    """How the schema of the database at ``url`` stands; blocks, for a lock or a statement at most ``patience`` seconds.

    Raises StoreUnavailable where the database can't be opened and written to, in words for an operator and without
    its address, and SettingsError where ``url`` is of no known kind.
    """
    parsed = dialect.parse(url)
    if parsed.get_backend_name() != "sqlite":
        return _revision(dialect.engine(parsed, patience))
    if dialect.in_memory(parsed):
        return Schema.NO_FILE
    path = Path(parsed.database or "")
    if not path.exists():
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise StoreUnavailable("the folder of its file does not exist or can't be written to")
        return Schema.NO_FILE
    if not path.is_file() or not os.access(path, os.W_OK):
        raise StoreUnavailable("its file can't be written to")
    return _revision(_existing(parsed, patience))


def _existing(url: URL, patience: float) -> Engine:
    """An engine that opens a file only where there is one, and leaves its mode as it is."""
    uri = f"{Path(url.database or '').absolute().as_uri()}?mode=rw"
    return create_engine(
        url, creator=partial(sqlite3.connect, uri, uri=True, timeout=patience), poolclass=NullPool
    )


def _revision(engine: Engine) -> Schema:
    try:
        with engine.connect() as connection:
            scripts = ScriptDirectory.from_config(config(connection))
            heads = MigrationContext.configure(connection).get_current_heads()
    except (SQLAlchemyError, CommandError, OSError) as error:
        raise StoreUnavailable(f"it can't be read ({type(error).__name__})") from error
    finally:
        engine.dispose()
    if not heads:
        return Schema.EMPTY
    if set(heads) == set(scripts.get_heads()):
        return Schema.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return Schema.BEHIND if set(heads) <= known else Schema.NEWER
