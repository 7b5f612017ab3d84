"""The databases that chaos is made with: each can be away for a while, and is looked at from outside."""

import asyncio
import secrets
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from tests.chaos.proxy import Proxy
from tests.store.databases import server

BUSY = 15.0  # seconds that an outsider waits for its turn


class Chaotic(Protocol):
    """A database of bot processes."""

    @property
    def url(self) -> str:
        """``DATABASE_URL``."""

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """What a query finds, past all that is in the bot's way; none where the tables aren't made yet."""

    async def away(self, *, silent: bool) -> None:
        """Let nobody write any more; ``silent``: without a word, where there is a choice."""

    async def back(self) -> None:
        """All is well again."""


class FileDatabase:
    """SQLite: away means that somebody else is writing, and doesn't come to an end."""

    def __init__(self, file: Path) -> None:
        self.url = f"sqlite:///{file}"
        self._file = file
        self._holding: sqlite3.Connection | None = None

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """Rows of a query; readers aren't held up by the writer."""
        try:
            with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=BUSY)) as database:
                return database.execute(query).fetchall()
        except sqlite3.OperationalError:
            return []

    async def away(self, *, silent: bool) -> None:
        """Hold the write lock."""
        del silent  # it is, always
        if self._holding is None:
            self._holding = await asyncio.to_thread(self._hold)

    def _hold(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, isolation_level=None, check_same_thread=False, timeout=BUSY)
        connection.execute("BEGIN IMMEDIATE")
        return connection

    async def back(self) -> None:
        """Let it go."""
        if self._holding is not None:
            self._holding.execute("ROLLBACK")
            self._holding.close()
            self._holding = None


class ServerDatabase:
    """PostgreSQL: away means that the way to the server is cut, or that no byte passes."""

    def __init__(self, direct: str, proxy: Proxy) -> None:
        self._direct = direct
        self._proxy = proxy
        through = make_url(direct).set(host="127.0.0.1", port=proxy.port)
        self.url = through.render_as_string(hide_password=False)

    def rows(self, query: str) -> Sequence[Sequence[Any]]:
        """Rows of a query, by the direct way."""
        until = time.monotonic() + BUSY
        while True:
            try:
                with psycopg.connect(self._direct, connect_timeout=5) as connection:
                    return connection.execute(query.encode()).fetchall()
            except psycopg.errors.UndefinedTable:
                return []
            except psycopg.OperationalError:  # the server has too many clients at the moment
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)

    async def away(self, *, silent: bool) -> None:
        """Cut the way, or freeze it."""
        if silent:
            self._proxy.freeze()
        else:
            self._proxy.cut()

    async def back(self) -> None:
        """The way is free."""
        self._proxy.restore()


@asynccontextmanager
async def database(kind: str, folder: Path) -> AsyncIterator[Chaotic]:
    """An empty database: ``sqlite``, or ``postgres``: one of its own on the server of the tests, dropped at the end."""
    if kind == "sqlite":
        file = FileDatabase(folder / "bot.db")
        try:
            yield file
        finally:
            await file.back()
        return
    url = server()
    if url is None:
        raise RuntimeError("no PostgreSQL server answers; TEST_DATABASE_URL says where one is")
    name = f"bot_chaos_{secrets.token_hex(6)}"
    await asyncio.to_thread(_administer, url, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        parts = make_url(url)
        async with Proxy(parts.host or "127.0.0.1", parts.port or 5432) as proxy:
            yield ServerDatabase(parts.set(database=name).render_as_string(hide_password=False), proxy)
    finally:
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        await asyncio.to_thread(_administer, url, drop)


def _administer(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
