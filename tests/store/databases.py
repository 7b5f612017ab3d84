"""Databases for tests: a file of SQLite, or a schema or a database of its own on a PostgreSQL server.

The PostgreSQL server is the one of TEST_DATABASE_URL, else one on this machine's usual port.
"""

import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import URL, Dialect, create_mock_engine, make_url
from sqlalchemy.dialects import postgresql

from bot.store.tables import metadata

_HERE = [f"postgresql://{user}@127.0.0.1:5432/test" for user in ("postgres", "root")]


class SomeDatabase(Protocol):
    """An empty database with all tables, as another process sees it."""

    @property
    def url(self) -> str:
        """Its address."""

    @property
    def patience(self) -> float:
        """How long a test's store waits for a lock, in seconds."""

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Execute a statement, with a placeholder ``%s`` for every parameter, and commit it; returns its rows."""

    def locked(self) -> Any:
        """A context in which this other process writes, so that nobody else can."""

    def refusing(self) -> Any:
        """A context in which every statement fails that reads or writes what requests and output need."""


def _renamed(before: str, after: str) -> list[str]:
    return [f"ALTER TABLE {before.format(table)} RENAME TO {after.format(table)}" for table in _NEEDED]


_NEEDED = ("runs", "claims", "conversations", "channels", "users", "chunks")
_TAKE_AWAY, _GIVE_BACK = _renamed("{}", "gone_{}"), _renamed("gone_{}", "{}")


class File:
    """A database file of SQLite."""

    patience = 1.0

    def __init__(self, file: Path) -> None:
        self.file = file
        self.url = f"sqlite:///{file}"

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as connection, connection:
            return connection.execute(sql.replace("%s", "?"), parameters).fetchall()

    @contextmanager
    def locked(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")

    @contextmanager
    def refusing(self) -> Iterator[None]:
        def rename(statements: list[str]) -> None:
            with closing(sqlite3.connect(self.file)) as connection, connection:
                connection.execute("PRAGMA legacy_alter_table = ON")  # references keep the old name
                for statement in statements:
                    connection.execute(statement)

        rename(_TAKE_AWAY)
        yield
        rename(_GIVE_BACK)


class OnServer:
    """A database of PostgreSQL, where stores of a test may wait for each other's locks."""

    patience = 1.0

    def __init__(self, address: URL, **settings: str) -> None:
        given = " ".join(f"-c{name}={value}" for name, value in settings.items())
        made = address.update_query_dict({"options": f"{given} -csynchronous_commit=off".strip()})
        # libpq, unlike browsers, doesn't take a plus for a space.
        self.url = made.render_as_string(hide_password=False).replace("+", "%20")

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            cursor = connection.execute(sql, parameters or None)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def locked(self) -> Iterator[None]:
        with psycopg.connect(self.url) as connection:
            connection.execute(f"LOCK TABLE {', '.join(metadata.tables)} IN SHARE ROW EXCLUSIVE MODE")
            yield
            connection.rollback()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self.rows("; ".join(_TAKE_AWAY))
        yield
        self.rows("; ".join(_GIVE_BACK))


class Schema(OnServer):
    """A schema of its own in the server's database."""

    def __init__(self, server: str, name: str) -> None:
        super().__init__(make_url(server), search_path=name)
        self.name = name


@cache
def server() -> str | None:
    """The address of a PostgreSQL server that answers; ``None`` where there is none."""
    given = os.environ.get("TEST_DATABASE_URL")
    for url in [given] if given else _HERE:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.Error:
            continue
        return url
    return None


@contextmanager
def schema(*, empty: bool = False) -> Iterator[Schema]:
    """A schema of its own, with the tables unless it shall be ``empty``; dropped at the end."""
    url = server()
    assert url is not None
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}; SET search_path TO {name}; {'' if empty else _tables()}")
        try:
            yield Schema(url, name)
        finally:
            connection.execute(f"SET client_min_messages TO warning; DROP SCHEMA {name} CASCADE")


@cache
def _tables() -> str:
    statements: list[str] = []
    dialect: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]

    def note(sql: Any, *_: Any, **__: Any) -> None:
        statements.append(str(sql.compile(dialect=dialect)))

    metadata.create_all(create_mock_engine("postgresql+psycopg://", note), checkfirst=False)
    return "; ".join(statements)


TEMPLATE = "TEST_DATABASE_TEMPLATE"
"""The environment variable that names a migrated database on the server: scenarios get copies of it, not files."""


@contextmanager
def on_server(template: str | None = None) -> Iterator[OnServer]:
    """A database of its own on the server, a copy of ``template`` or else empty; dropped at the end."""
    url = server()
    assert url is not None
    name = f"bot_test_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {f'TEMPLATE {template}' if template else ''}")
    try:
        yield OnServer(make_url(url).set(database=name))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def of_scenario(folder: Path) -> Iterator[SomeDatabase]:
    """The database of a bot that is about to start: a file that isn't there yet, or a copy of TEMPLATE."""
    template = os.environ.get(TEMPLATE)
    if template is None:
        yield File(folder / "bot.db")
        return
    with on_server(template) as made:
        yield made


def copied(migrated: Path, folder: Path) -> File:
    """A database file of its own."""
    return File(Path(shutil.copy(migrated, folder / "bot.db")))
