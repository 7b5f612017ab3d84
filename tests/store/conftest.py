"""An empty database for every test: a copy of a migrated file, and where a server answers a schema of PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from bot.store.migrate import migrate
from bot.store.store import Store
from tests.store import databases
from tests.store.databases import SomeDatabase

# What needs the server is told in one line, by test_server.py.
collect_ignore = [] if databases.server() else ["test_postgres.py"]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("store") / "migrated.db"
    asyncio.run(migrate(f"sqlite:///{file}"))
    return file


@pytest.fixture
def file(migrated: Path, tmp_path: Path) -> Path:
    return databases.copied(migrated, tmp_path).file


@pytest.fixture(params=["sqlite", "postgresql"] if databases.server() else ["sqlite"])
def database(request: pytest.FixtureRequest, migrated: Path, tmp_path: Path) -> Iterator[SomeDatabase]:
    if request.param == "sqlite":
        yield databases.copied(migrated, tmp_path)
        return
    with databases.schema() as schema:
        yield schema


@pytest.fixture
async def store(database: SomeDatabase) -> AsyncIterator[Store]:
    opened = await Store.open(database.url, patience=database.patience)
    yield opened
    await opened.close()
