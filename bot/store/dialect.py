"""What differs between databases: addresses, the settings of a connection, locks, and one kind of insert."""

from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool, PoolProxiedConnection, QueuePool

from bot.errors import SettingsError

NAMES = ("sqlite", "postgresql")
"""The kinds of databases, by SQLAlchemy's ``dialect.name``."""

BEGIN_WRITING = "BEGIN IMMEDIATE"
"""Begins a transaction on SQLite that will write: it waits for its turn now, not in its middle."""

_EXAMPLES = "sqlite:///bot.db or postgresql://USER:PASSWORD@HOST/NAME"

# SQLAlchemy's names of the drivers, by the first word of an address; a driver that is named there counts for nothing.
_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}

# What stays of a WAL file that a burst of output made large, in bytes.
_WAL_LIMIT = 64 * 1024 * 1024

# What PostgreSQL calls the interference of other transactions: a key that one has just stored, deadlock, serialization.
_INTERFERENCE = frozenset({"23505", "40P01", "40001"})

# How a connection is made where the address does not say it: a server that has gone is noticed in time.
_CONNECTING: dict[str, str | int] = {
    "connect_timeout": 2,  # seconds, the least that the driver knows
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    "application_name": "bot",
}

# After how many milliseconds a PostgreSQL server takes back the locks of a process that was frozen.
_FROZEN = 5_000


def parse(url: str) -> URL:
    """The address of a database of a kind that the bot can use, with its driver; raises SettingsError."""
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise SettingsError([f"DATABASE_URL is not the address of a database, like {_EXAMPLES}."]) from error
    if kind not in _DRIVERS:
        raise SettingsError([f"DATABASE_URL: {kind} is not supported, use {_EXAMPLES}."])
    return parsed.set(drivername=_DRIVERS[kind])


def in_memory(url: URL) -> bool:
    """Whether the database lives and dies with its one connection."""
    return url.database in {None, "", ":memory:"}


def engine(url: URL, patience: float) -> Engine:
    """An engine that keeps no connection open; ``patience`` is for a lock or a statement, in seconds."""
    make = sqlite_engine if url.get_backend_name() == "sqlite" else postgres_engine
    return make(url, patience)


def sqlite_engine(url: URL, patience: float, *, connections: int = 0, begin: str = BEGIN_WRITING) -> Engine:
    """An engine whose threads may wait; it keeps ``connections`` open. ``patience`` is for a lock, in seconds.

    ``begin`` begins a transaction; where it is empty, every query is one for itself.

    ``synchronous=NORMAL`` with a write-ahead log: a commit does not wait for the disk, a checkpoint does. So
    checkpoints are never a commit's by-product (``wal_autocheckpoint=0``) but made apart, see sqlite.py.
    """
    made = create_engine(url, connect_args={"check_same_thread": False}, **_pool(connections))

    @event.listens_for(made, "connect")
    def connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        # The driver's own idea of when a transaction begins is switched off: it would begin at the first
        # write, and one that has read before may then fail at once instead of waiting for its turn.
        connection.isolation_level = None
        try:
            _set_up(connection, patience)
        except BaseException:
            connection.close()  # nobody else knows of it yet
            raise

    def start(dbapi_connection: PoolProxiedConnection) -> None:
        dbapi_connection.cursor().execute(begin)

    if begin:  # not as a listener: with one of those, each statement takes a tenth longer
        made.dialect.do_begin = start  # type: ignore[method-assign]  # as the dialect of a database with such a BEGIN

    return made


def postgres_engine(url: URL, patience: float, *, connections: int = 0, begin: bool = True) -> Engine:
    """An engine that keeps ``connections`` open, on which the server ends what takes longer than ``patience`` seconds.

    Without ``begin`` every query is a transaction for itself.
    """
    given = {name: value for name, value in _CONNECTING.items() if name not in url.query}
    made = create_engine(
        url,
        connect_args=given,
        isolation_level="READ COMMITTED" if begin else "AUTOCOMMIT",
        **_pool(connections),
    )
    within = round(patience * 1000)
    settings = {
        "statement_timeout": within,  # with the wait for locks
        "idle_in_transaction_session_timeout": _FROZEN,
        "jit": "off",  # compiling takes longer than any query of the bot's
    }

    # Not in the address: poolers refuse such options there.
    @event.listens_for(made, "connect")
    def connect(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute("; ".join(f"SET {name} = {value}" for name, value in settings.items()))
        cursor.close()
        connection.commit()

    return made


def connecting(url: str) -> dict[str, Any]:
    """What psycopg is given for a connection of one's own to the PostgreSQL database at ``url``."""
    parsed = parse(url)
    _, parameters = parsed.get_dialect()().create_connect_args(parsed)
    parameters.pop("context", None)  # of SQLAlchemy's own
    return {**_CONNECTING, **parameters}


def _pool(connections: int) -> dict[str, Any]:
    if not connections:
        return {"poolclass": NullPool}
    return {"poolclass": QueuePool, "pool_size": connections, "max_overflow": 0}


def allow_time(connection: Connection, seconds: float) -> None:
    """Let each statement of this transaction take so long."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")


def alone(connection: Connection, what: int) -> None:
    """Wait until nobody else does ``what``, which is any number, until this transaction is over.

    On SQLite every transaction that may write is alone.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(what)))


def may_be_repeated(error: DBAPIError) -> bool:
    """Whether the same transaction may go well next time: others were quicker, or the server was restarted."""
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in _INTERFERENCE


def _set_up(connection: DBAPIConnection, patience: float) -> None:
    cursor = connection.cursor()
    for pragma in (
        "auto_vacuum = INCREMENTAL",  # counts where the file is made, and else changes nothing
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
