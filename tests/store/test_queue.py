"""Who runs next, and what is read of the queue."""

from bot.core.run import RunState
from bot.store.store import Store
from tests.store.requests import NOW, asked, reply, running, taken


async def test_the_first_of_each_conversation_is_next(store: Store) -> None:
    busy = await running(store)
    await reply(store, busy)
    first = await taken(store)
    await reply(store, first)
    unready = await taken(store, ready=False)
    await reply(store, unready)
    last = await taken(store)
    assert [run.id for run in await store.queue.next_ready(10)] == [first.id, last.id]
    assert [run.id for run in await store.queue.next_ready(1)] == [first.id]
    assert [run.id for run in await store.queue.unprepared()] == [unready.id]


async def test_the_listing_is_of_one_workspace_or_of_all(store: Store) -> None:
    one = await running(store)
    two = await taken(store, asked(workspace="T2"))
    three = await taken(store)
    ended = await running(store)
    await store.runs.end(ended.id, RunState.DONE, NOW)
    assert [run.id for run in await store.queue.listing(None)] == [one.id, two.id, three.id]
    assert [run.id for run in await store.queue.listing("T1")] == [one.id, three.id]


async def test_places(store: Store) -> None:
    busy = await running(store)
    behind = [await reply(store, busy) for _ in range(2)]
    roots = [await taken(store) for _ in range(2)]
    foreign = await taken(store, asked(workspace="T2"))
    assert [await store.queue.place(run) for run in behind] == [1, 2]
    assert [await store.queue.place(run) for run in roots] == [1, 2]
    assert await store.queue.place(foreign) == 1
    assert await store.queue.place(busy) == 0


async def test_orphans_are_other_processes_running_runs(store: Store) -> None:
    mine, theirs = await taken(store), await taken(store)
    await taken(store)
    await store.runs.start(mine.id, "me", NOW)
    await store.runs.start(theirs.id, "them", NOW)
    assert [run.id for run in await store.queue.orphans("me")] == [theirs.id]
