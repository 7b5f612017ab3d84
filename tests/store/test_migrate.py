"""The schema's way from nothing to now, and back."""

import logging
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from bot.errors import SettingsError, StoreUnavailable
from bot.store.migrate import config, migrate
from bot.store.store import Store
from bot.store.tables import metadata
from tests.store.requests import taken


def _tables(file: Path) -> set[str]:
    connection = sqlite3.connect(file)
    try:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in rows if not name.startswith("sqlite_")}
    finally:
        connection.close()


async def test_an_empty_database_gets_every_table(tmp_path: Path) -> None:
    file = tmp_path / "100% new.db"
    await migrate(f"sqlite:///{file}")
    assert _tables(file) == {*metadata.tables, "alembic_version"}


async def test_a_database_that_is_up_to_date_keeps_its_rows(store: Store, file: Path) -> None:
    run = await taken(store)
    await migrate(f"sqlite:///{file}")
    assert await store.runs.get(run.id) is not None


def test_migrations_and_tables_agree(file: Path) -> None:
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_all_the_way_down_and_up_again(file: Path) -> None:
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        command.downgrade(config(connection), "base")
    assert _tables(file) == {"alembic_version"}
    with engine.begin() as connection:
        command.upgrade(config(connection), "head")
    engine.dispose()
    assert _tables(file) == {*metadata.tables, "alembic_version"}


async def test_a_newer_versions_database_is_left_alone(file: Path) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreUnavailable, match="newer"):
        await migrate(f"sqlite:///{file}")


async def test_what_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Dear diary, " * 1000)
    with pytest.raises(StoreUnavailable) as raised:
        await migrate(f"sqlite:///{file}")
    assert raised.value.__cause__ is not None
    assert file.read_text().startswith("Dear diary")


@pytest.mark.parametrize("url", ["", "bot.db", "mysql://host/db"])
async def test_an_address_of_no_known_kind_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        await migrate(url)
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        await Store.open(url)


async def test_logging_stays_as_it_was(tmp_path: Path) -> None:
    before = logging.getLogger("tests.before")
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    await migrate(f"sqlite:///{tmp_path / 'bot.db'}")
    assert not before.disabled
    assert (logging.getLogger().handlers, logging.getLogger().level) == (handlers, level)
