"""What differs between databases: addresses, the settings of a connection, and one kind of insert."""

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from bot.errors import SettingsError

BEGIN = "bot_begin"
"""The execution option with the statement that begins a transaction on SQLite; empty: every query for itself."""

# What stays of a WAL file that a burst of output made large, in bytes.
_WAL_LIMIT = 64 * 1024 * 1024


def parse(url: str) -> URL:
    """The address of a database of a kind that the bot can use; raises SettingsError."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise SettingsError(
            ["DATABASE_URL is not the address of a database, like sqlite:///bot.db."]
        ) from error
    if parsed.get_backend_name() != "sqlite":
        raise SettingsError(
            [f"DATABASE_URL: {parsed.get_backend_name()} is not supported, use sqlite:///bot.db."]
        )
    return parsed


def in_memory(url: URL) -> bool:
    """Whether the database lives and dies with its one connection."""
    return url.database in {None, "", ":memory:"}


def blocking_engine(url: URL, patience: float) -> Engine:
    """An engine for a thread that may wait: it keeps no connection open."""
    engine = create_engine(url.set(drivername="sqlite"), poolclass=NullPool)
    prepare(engine, patience)
    return engine


def prepare(engine: Engine, patience: float) -> None:
    """Set up every connection that ``engine`` makes; ``patience`` is how long a lock is waited for, in seconds.

    ``synchronous=NORMAL`` with a write-ahead log: a commit does not wait for the disk, a checkpoint does. So
    checkpoints are never a commit's by-product (``wal_autocheckpoint=0``) but made apart, see Database.
    """

    @event.listens_for(engine, "connect")
    def connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver's own idea of when a transaction begins is switched off: it would begin at the first
        # write, and one that has read before may then fail at once instead of waiting for its turn.
        connection.isolation_level = None
        try:
            _set_up(connection, patience)
        except BaseException:
            connection.close()  # nobody else knows of it yet
            raise

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(BEGIN, "BEGIN IMMEDIATE")
        if statement:
            connection.exec_driver_sql(statement)


def _set_up(connection: DBAPIConnection, patience: float) -> None:
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {round(patience * 1000)}",
        "journal_mode = WAL",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "wal_autocheckpoint = 0",
        f"journal_size_limit = {_WAL_LIMIT}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens on a conflict; ``dialect`` is a connection's ``dialect.name``."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
