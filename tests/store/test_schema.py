"""How far a database was migrated, as seen without changing it."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.errors import SettingsError, StoreUnavailable
from bot.store.migrate import migrate
from bot.store.schema import Schema, schema_of
from tests.store import databases
from tests.store.databases import File, SomeDatabase


@pytest.fixture(params=["sqlite", "postgresql"] if databases.server() else ["sqlite"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SomeDatabase]:
    if request.param == "sqlite":
        (tmp_path / "bot.db").touch()
        yield File(tmp_path / "bot.db")
        return
    with databases.schema(empty=True) as schema:
        yield schema


def test_from_empty_to_newer(empty: SomeDatabase) -> None:
    assert schema_of(empty.url, 1.0) is Schema.EMPTY
    assert schema_of(empty.url, 1.0) is Schema.EMPTY  # looking migrated nothing
    asyncio.run(migrate(empty.url))
    assert schema_of(empty.url, 1.0) is Schema.CURRENT
    empty.rows("UPDATE alembic_version SET version_num = '0001'")
    assert schema_of(empty.url, 1.0) is Schema.BEHIND
    empty.rows("UPDATE alembic_version SET version_num = 'of tomorrow'")
    assert schema_of(empty.url, 1.0) is Schema.NEWER


def test_beside_a_bot_that_writes(migrated: Path, tmp_path: Path) -> None:
    database = databases.copied(migrated, tmp_path)
    with database.locked():
        assert schema_of(database.url, 0.1) is Schema.CURRENT
    assert [path.name for path in tmp_path.iterdir()] == ["bot.db"]


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert schema_of(f"sqlite:///{tmp_path}/a %20?#.db", 1.0) is Schema.NO_FILE
    assert schema_of("sqlite://", 1.0) is Schema.NO_FILE
    assert not list(tmp_path.iterdir())
    with pytest.raises(StoreUnavailable, match="folder"):
        schema_of(f"sqlite:///{tmp_path}/none/bot.db", 1.0)


def test_odd_names_of_files(tmp_path: Path) -> None:
    odd = tmp_path / "a %20#é.db"
    asyncio.run(migrate(f"sqlite:///{odd}"))
    assert schema_of(f"sqlite:///{odd}", 1.0) is Schema.CURRENT


def test_what_is_no_database(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("Not a database, though long enough to be taken for one. " * 20)
    locked = tmp_path / "locked.db"
    with closing(sqlite3.connect(locked)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for url in (f"sqlite:///{text}", f"sqlite:///{tmp_path}", f"sqlite:///{locked}"):
            with pytest.raises(StoreUnavailable):
                schema_of(url, 0.1)
    with pytest.raises(StoreUnavailable):
        schema_of("postgresql://nobody@127.0.0.1:9/none", 0.1)
    with pytest.raises(SettingsError):
        schema_of("mysql://localhost/bot", 0.1)
