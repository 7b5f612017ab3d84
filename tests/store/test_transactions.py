"""What a transaction promises when all goes wrong, on every database."""

import asyncio
import re
import threading

import pytest
from sqlalchemy import Connection

from bot.errors import StoreUnavailable
from bot.store.claims import insert_claim
from bot.store.database import Database
from bot.store.opening import open_database
from bot.store.store import Store
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW, asked, running, taken


async def test_who_writes_elsewhere_holds_up_writers_and_not_for_long(
    store: Store, database: SomeDatabase
) -> None:
    run = await taken(store)
    with database.locked():
        with pytest.raises(StoreUnavailable) as raised:
            await store.runs.take(asked(), "event-1", NOW)
        assert re.search("locked|timeout", str(raised.value.__cause__))
        assert await store.runs.get(run.id) is not None  # readers don't wait for writers
        await store.ping(5)
    assert await store.runs.take(asked(), "event-1", NOW) is not None


async def test_a_closed_store_is_unavailable(database: SomeDatabase) -> None:
    store = await Store.open(database.url)
    await store.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.ping(1)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.runs.take(asked(), None, NOW)
    await store.close()


async def test_a_failure_inside_leaves_nothing_and_no_lock_behind(store: Store) -> None:
    run = await running(store)
    with pytest.raises(StoreUnavailable):  # no such run: the foreign key objects
        await store.runs.add_task("r-none", "extra")
    assert (await store.runs.add_task(run.id, "extra")).position == 1


class _Held:
    """Work that inserts a claim and then waits to be let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    def __call__(self, connection: Connection) -> None:
        insert_claim(connection, "held", NOW)
        self.begun.set()
        assert self.go.wait(10)


async def _was_claimed(opened: Database) -> bool:
    return not await opened.write(lambda connection: insert_claim(connection, "held", NOW))


async def test_a_cancelled_callers_transaction_is_rolled_back(database: SomeDatabase) -> None:
    opened = await open_database(database.url, patience=1)
    held = _Held()
    caller = asyncio.create_task(opened.write(held))
    await asyncio.to_thread(held.begun.wait, 10)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    held.go.set()
    assert not await _was_claimed(opened)
    await opened.close()


async def test_who_waits_too_long_is_told_so_and_nothing_is_stored(database: SomeDatabase) -> None:
    opened = await open_database(database.url, patience=0.01)
    held = _Held()
    with pytest.raises(StoreUnavailable, match="did not answer"):
        await opened.write(held)
    held.go.set()
    assert not await _was_claimed(opened)
    await opened.close()


async def test_closing_waits_for_what_has_begun(database: SomeDatabase) -> None:
    opened = await open_database(database.url, patience=1)
    held = _Held()
    caller = asyncio.create_task(opened.write(held))
    await asyncio.to_thread(held.begun.wait, 10)
    closed = asyncio.create_task(opened.close())
    held.go.set()
    await asyncio.gather(caller, closed)
    opened = await open_database(database.url, patience=1)
    assert await _was_claimed(opened)
    await opened.close()


async def test_threads_end_with_the_store(database: SomeDatabase) -> None:
    before = set(threading.enumerate())
    store = await Store.open(database.url)
    await taken(store)
    await store.close()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("store.")]
