"""PostgreSQL: a server that is restarted, away, or silent, and several processes at once."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import settings
from sqlalchemy import Connection, make_url

from bot.errors import StoreUnavailable
from bot.store import dialect
from bot.store.claims import insert_claim
from bot.store.lanes import Work
from bot.store.migrate import config, migrate
from bot.store.opening import open_database
from bot.store.store import Store
from bot.store.tables import metadata
from tests.store import databases
from tests.store.databases import Schema
from tests.store.requests import NOW, running, taken
from tests.store.test_machine import StoreMachine


@pytest.fixture
def database() -> Iterator[Schema]:
    with databases.schema() as schema:
        yield schema


@pytest.fixture
def empty() -> Iterator[Schema]:
    with databases.schema(empty=True) as schema:
        yield schema


async def test_a_restarted_server_is_connected_to_again(database: Schema) -> None:
    mine = make_url(database.url).update_query_dict({"application_name": database.name})
    store = await Store.open(mine.render_as_string(hide_password=False))
    run = await running(store)
    [task] = await store.runs.tasks(run.id)
    for _ in range(2):
        gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
        assert len(database.rows(gone, [database.name])) > 1
        store.output.append(task.id, "more ")
        await asyncio.gather(store.output.flush(), taken(store), store.sweep(NOW, 1), store.runs.get(run.id))
    assert await store.output.tail(task.id, 99) == "more more "
    await store.close()


async def test_a_server_that_is_away_is_unavailable() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql://me:secret-word@127.0.0.1:{unused.getsockname()[1]}/bot"
        for attempt in (Store.open(url), migrate(url)):
            with pytest.raises(StoreUnavailable) as raised:
                await attempt
            assert raised.value.__cause__ is not None
            assert "secret-word" not in f"{raised.value} {raised.value.__cause__}"


async def test_a_server_that_says_nothing_is_not_waited_for_long() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql://me@127.0.0.1:{silent.getsockname()[1]}/bot"
        with pytest.raises(StoreUnavailable, match=r"0\.6 s"):
            await Store.open(url, patience=0.1)


async def test_a_commit_without_an_answer_is_not_waited_for_long(database: Schema) -> None:
    """The line goes dead when the commit is on its way."""
    there = make_url(database.url)
    lines: list[asyncio.StreamWriter] = []
    dead = asyncio.Event()

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if dead.is_set() and b"COMMIT" in data:
                return
            sink.write(data)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(there.host, there.port or 5432)
        lines.extend([writer, server_writer])
        await asyncio.gather(carry(reader, server_writer), carry(server_reader, writer))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as proxy:
        here = there.set(host="127.0.0.1", port=proxy.sockets[0].getsockname()[1])
        url = here.update_query_dict({"sslmode": "disable"}).render_as_string(hide_password=False)
        opened = await open_database(url, patience=0.5)
        assert await opened.write(lambda connection: insert_claim(connection, "event-0", NOW))
        dead.set()
        with pytest.raises(StoreUnavailable, match="did not answer"):
            await opened.write(lambda connection: insert_claim(connection, "event-1", NOW))
        for line in lines:
            line.close()
        await opened.close()


async def test_what_takes_too_long_is_ended_and_the_next_is_not(database: Schema) -> None:
    opened = await open_database(database.url, patience=0.2)
    with pytest.raises(StoreUnavailable) as raised:
        await opened.write(lambda connection: connection.exec_driver_sql("SELECT pg_sleep(20)"))
    assert "timeout" in str(raised.value.__cause__)
    assert await opened.write(lambda connection: insert_claim(connection, "next", NOW))
    await opened.write_upkeep(lambda connection: connection.exec_driver_sql("SELECT pg_sleep(0.4)"))
    await opened.close()


async def test_of_two_that_wait_for_each_other_both_get_through(database: Schema) -> None:
    opened = await open_database(database.url, patience=10)
    both = threading.Barrier(2)

    def crossing(first: int, second: int) -> Work[None]:
        def work(connection: Connection) -> None:
            dialect.alone(connection, first)
            if not done:
                both.wait(5)
            dialect.alone(connection, second)
            done.append(first)

        return work

    done: list[int] = []
    await asyncio.gather(opened.write(crossing(1, 2)), opened.write(crossing(2, 1)))
    assert sorted(done) == [1, 2]
    await opened.close()


async def test_a_schema_without_tables_is_unavailable(empty: Schema) -> None:
    with pytest.raises(StoreUnavailable):
        await Store.open(empty.url)


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table is one of the bot's own: the queue brings others."""
    return kind != "table" or name in metadata.tables


async def test_releases_at_once_migrate_once(empty: Schema) -> None:
    await asyncio.gather(*(migrate(empty.url.replace("postgresql://", "postgres://")) for _ in range(3)))
    engine = dialect.engine(dialect.parse(empty.url), 5)
    with engine.begin() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": _ours}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        command.downgrade(config(connection), "base")
    tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
    assert empty.rows(tables) == [("alembic_version",)]
    await migrate(empty.url)
    store = await Store.open(empty.url)
    assert (await taken(store)).seq == 1
    await store.close()


class PostgresMachine(StoreMachine):
    """Requests, starts and ends in any order, on a server."""

    def url(self) -> str:
        return self.place.enter_context(databases.schema()).url


PostgresMachine.TestCase.settings = settings(max_examples=2, stateful_step_count=12, deadline=None)
TestStore = PostgresMachine.TestCase
