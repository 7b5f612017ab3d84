"""SQLite: its one writer, its log, its files."""

import asyncio
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection

from bot.errors import StoreUnavailable
from bot.store.claims import insert_claim
from bot.store.opening import open_database
from bot.store.store import Store
from tests.store.databases import File
from tests.store.requests import NOW, reply, running, taken


@pytest.fixture
def database(file: Path) -> File:
    return File(file)


async def test_a_full_disk_is_unavailable(file: Path) -> None:
    database = await open_database(f"sqlite:///{file}", patience=0.1)

    def fill(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        for number in range(2000):
            insert_claim(connection, f"{number} {'x' * 1000}", NOW)

    with pytest.raises(StoreUnavailable) as raised:
        await database.write(fill)
    assert "full" in str(raised.value.__cause__)
    await database.close()


@pytest.mark.parametrize("path", ["no/such/folder/bot.db", "empty.db", "text.db"])
async def test_what_cant_be_opened_is_unavailable(tmp_path: Path, path: str) -> None:
    (tmp_path / "text.db").write_text("Dear diary, " * 1000)
    with pytest.raises(StoreUnavailable) as raised:
        await Store.open(f"sqlite:///{tmp_path / path}")
    assert raised.value.__cause__ is not None


async def test_a_ping_gives_up_in_time() -> None:
    store = await Store.open("sqlite://", patience=5)
    with pytest.raises(StoreUnavailable, match="0 s"):
        await store.ping(0)
    await store.ping(5)
    await store.close()


async def test_a_database_in_memory_does_it_all() -> None:
    store = await Store.open("sqlite://")
    run = await running(store)
    [task] = await store.runs.tasks(run.id)
    store.output.append(task.id, "hello")
    await asyncio.gather(store.output.flush(), *(reply(store, run) for _ in range(20)))
    assert await store.output.size(task.id) == 5
    assert len(await store.runs.waiting_in(run.conversation)) == 20
    await store.checkpoint()
    await store.close()


def _in_file(file: Path, folder: Path) -> int:
    """How many claims the database's own file has, without its log."""
    copy = shutil.copy(file, folder / "copy.db")
    with closing(sqlite3.connect(copy)) as connection:
        return int(connection.execute("SELECT count(*) FROM claims").fetchone()[0])


async def test_a_checkpoint_moves_what_was_committed(store: Store, file: Path, tmp_path: Path) -> None:
    await store.claims.claim("event-1", NOW)
    assert _in_file(file, tmp_path) == 0
    await store.checkpoint()
    assert _in_file(file, tmp_path) == 1
    await store.claims.claim("event-2", NOW)
    await store.checkpoint()
    await store.checkpoint()
    assert _in_file(file, tmp_path) == 2


def _log(file: Path) -> bytes:
    return Path(f"{file}-wal").read_bytes()


async def test_checkpoints_of_an_idle_bot_write_nothing(store: Store, file: Path) -> None:
    await store.claims.claim("event-1", NOW)
    await store.checkpoint()
    before = _log(file)
    await store.checkpoint()
    assert _log(file) == before


async def test_checkpoints_let_the_log_start_over(store: Store, file: Path) -> None:
    for number in range(50):
        await store.claims.claim(f"event-{number}", NOW)
    await store.checkpoint()
    size = len(_log(file))
    for number in range(50, 80):
        await store.claims.claim(f"event-{number}", NOW)
    assert len(_log(file)) == size


async def test_a_checkpoint_that_a_reader_holds_up_is_made_up_for(
    store: Store, file: Path, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM claims").fetchall()
        await store.claims.claim("event-1", NOW)
        await store.checkpoint()
        assert _in_file(file, tmp_path) == 0
        reader.execute("ROLLBACK")
    await store.checkpoint()
    assert _in_file(file, tmp_path) == 1


async def test_a_request_is_not_kept_waiting_by_a_mountain_of_output(store: Store) -> None:
    run = await running(store)
    [task] = await store.runs.tasks(run.id)
    store.output.append(task.id, Random(1).randbytes(4 * 1024 * 1024).hex())
    flushing = asyncio.create_task(store.output.flush())
    await taken(store)
    assert not flushing.done()
    await flushing
    assert await store.output.size(task.id) == 8 * 1024 * 1024


async def test_writers_take_turns(file: Path) -> None:
    opened = await open_database(f"sqlite:///{file}", patience=5)
    begun, go = threading.Event(), threading.Event()
    order: list[str] = []

    def hold(_: Connection) -> None:
        begun.set()
        assert go.wait(10)

    first = asyncio.create_task(opened.write(hold))
    await asyncio.to_thread(begun.wait, 10)
    output = [opened.write_output(lambda _: order.append("output")) for _ in range(3)]
    requests = [opened.write(lambda _: order.append("request")) for _ in range(3)]
    rest = [asyncio.create_task(work) for work in output + requests]
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, *rest)
    assert order == ["output", *["request"] * 3, "output", "output"]
    await opened.close()
