"""Databases for tests: a file of SQLite, or a schema of its own in a PostgreSQL database.

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
from sqlalchemy import Dialect, create_mock_engine, make_url
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


class Schema:
    """A schema of PostgreSQL, where stores of a test may wait for each other's locks."""

    patience = 1.0

    def __init__(self, server: str, name: str) -> None:
        self.name = name
        made = make_url(server).update_query_dict(
            {"options": f"-csearch_path={name} -csynchronous_commit=off"}
        )
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


def copied(migrated: Path, folder: Path) -> File:
    """A database file of its own."""
    return File(Path(shutil.copy(migrated, folder / "bot.db")))
