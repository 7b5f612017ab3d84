"""What a transaction promises when all goes wrong."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.errors import StoreUnavailable
from bot.store.claims import insert_claim
from bot.store.database import Database
from bot.store.store import Store
from tests.store.requests import NOW, asked, reply, running, taken


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process that is writing."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_locked_database_is_unavailable_and_nothing_was_stored(store: Store, file: Path) -> None:
    run = await taken(store)
    with locked(file):
        with pytest.raises(StoreUnavailable) as raised:
            await store.runs.take(asked(), "event-1", NOW)
        assert "locked" in str(raised.value.__cause__)
        assert await store.runs.get(run.id) is not None  # readers don't wait for writers
        await store.ping(5)
    assert await store.runs.take(asked(), "event-1", NOW) is not None


async def test_a_full_disk_is_unavailable(file: Path) -> None:
    database = await Database.open(f"sqlite:///{file}", patience=0.1)

    async def fill(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("PRAGMA max_page_count = 1")
        for number in range(2000):
            await insert_claim(connection, f"{number} {'x' * 1000}", NOW)

    with pytest.raises(StoreUnavailable) as raised:
        await database.write(fill)
    assert "full" in str(raised.value.__cause__)
    await database.close()


async def test_a_closed_store_is_unavailable(file: Path) -> None:
    store = await Store.open(f"sqlite:///{file}")
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.ping(1)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.runs.take(asked(), None, NOW)
    await store.close()


@pytest.mark.parametrize("path", ["no/such/folder/bot.db", "empty.db", "text.db"])
async def test_what_cant_be_opened_is_unavailable(tmp_path: Path, path: str) -> None:
    (tmp_path / "text.db").write_text("Dear diary, " * 1000)
    with pytest.raises(StoreUnavailable) as raised:
        await Store.open(f"sqlite:///{tmp_path / path}")
    assert raised.value.__cause__ is not None


async def test_a_failure_inside_leaves_nothing_and_no_lock_behind(store: Store) -> None:
    run = await running(store)
    with pytest.raises(StoreUnavailable):  # no such run: the foreign key objects
        await store.runs.add_task("r-none", "extra")
    assert (await store.runs.add_task(run.id, "extra")).position == 1


class _Held:
    """Work that inserts a claim and then waits to be let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()

    async def __call__(self, connection: AsyncConnection) -> None:
        await insert_claim(connection, "held", NOW)
        self.begun.set()
        await self.go.wait()


async def _was_claimed(database: Database) -> bool:
    return not await database.write(lambda connection: insert_claim(connection, "held", NOW))


async def test_a_cancelled_callers_transaction_is_rolled_back(file: Path) -> None:
    database = await Database.open(f"sqlite:///{file}", patience=1)
    held = _Held()
    caller = asyncio.create_task(database.write(held))
    await held.begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    held.go.set()
    assert not await _was_claimed(database)
    await database.close()


async def test_who_waits_too_long_is_told_so_and_nothing_is_stored(file: Path) -> None:
    database = await Database.open(f"sqlite:///{file}", patience=0.01)
    held = _Held()
    with pytest.raises(StoreUnavailable, match="did not answer"):
        await database.write(held)
    held.go.set()
    assert not await _was_claimed(database)
    await database.close()


async def test_closing_waits_for_what_has_begun(file: Path) -> None:
    database = await Database.open(f"sqlite:///{file}", patience=1)
    held = _Held()
    caller = asyncio.create_task(database.write(held))
    await held.begun.wait()
    closed = asyncio.create_task(database.close())
    held.go.set()
    await asyncio.gather(caller, closed)
    database = await Database.open(f"sqlite:///{file}", patience=1)
    assert await _was_claimed(database)
    await database.close()


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
