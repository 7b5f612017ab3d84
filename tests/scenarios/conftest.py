"""Every scenario runs on SQLite and, where a server answers, on PostgreSQL: some of them every day, all with ``-m twin``."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bot.store.migrate import migrate
from tests.store import databases
from tests.support.world import World, world

# The module that runs on both every day.
EVERY_DAY = "takeover"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test once for each kind of database."""
    if metafunc.definition.get_closest_marker("one_database") or databases.server() is None:
        kinds = [pytest.param("sqlite")]
    else:
        module = metafunc.module.__name__.rpartition(".test_")[2]
        marks = () if module.startswith(EVERY_DAY) else (pytest.mark.twin,)
        kinds = [pytest.param("sqlite"), pytest.param("postgresql", marks=marks)]
    metafunc.parametrize("database_kind", kinds, indirect=True)


@pytest.fixture(scope="session")
def template() -> Iterator[str]:
    """The name of a migrated database, to be copied for every test."""
    with databases.on_server() as made:
        asyncio.run(migrate(made.url))
        yield str(make_url(made.url).database)


@pytest.fixture(autouse=True)
def database_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kind of the database that ``world`` makes."""
    if request.param == "postgresql":
        monkeypatch.setenv(databases.TEMPLATE, request.getfixturevalue("template"))
    return str(request.param)


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[World]:
    """A bot that is up, between a local Slack and a service that a scenario tells what to do."""
    async with world(tmp_path) as it, it.running():
        yield it
