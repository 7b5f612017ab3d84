"""A migrated schema of PostgreSQL for every test; without a server these tests are skipped (tests/store says so)."""

from collections.abc import AsyncIterator

import pytest

from bot.store.migrate import migrate
from bot.store.store import Store
from tests.store import databases
from tests.store.databases import Schema

collect_ignore = (
    [] if databases.server() else ["test_jobs.py", "test_migration.py", "test_processes.py", "test_worker.py"]
)


@pytest.fixture
async def schema() -> AsyncIterator[Schema]:
    with databases.schema(empty=True) as made:
        await migrate(made.url)
        yield made


@pytest.fixture
async def store(schema: Schema) -> AsyncIterator[Store]:
    opened = await Store.open(schema.url, owner="me", patience=schema.patience)
    yield opened
    await opened.close()
