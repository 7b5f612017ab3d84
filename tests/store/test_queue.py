"""Who runs next, and what is read of the queue."""

from bot.core.run import RunState
from bot.store.store import Store
from tests.store.requests import NOW, asked, next_ready, reply, running, taken


async def test_the_first_of_each_conversation_is_next(store: Store) -> None:
    busy = await running(store)
    await reply(store, busy)
    first = await taken(store)
    await reply(store, first)
    await reply(store, await taken(store, ready=False))
    last = await taken(store)
    assert [run.id for run in await next_ready(store, 10)] == [first.id, last.id]
    assert [run.id for run in await next_ready(store, 1)] == [first.id]


async def test_the_listing_is_of_one_workspace_or_of_all(store: Store) -> None:
    one = await running(store)
    two = await taken(store, asked(workspace="T2"))
    three = await taken(store)
    ended = await running(store)
    await store.runs.end(ended.id, RunState.DONE, NOW)
    assert [run.id for run in await store.queue.listing(None)] == [one.id, two.id, three.id]
    assert [run.id for run in await store.queue.listing("T1")] == [one.id, three.id]


async def test_what_has_not_ended_is_counted_by_state(store: Store) -> None:
    assert await store.queue.counts() == {RunState.QUEUED: 0, RunState.RUNNING: 0}
    await reply(store, await running(store))
    await taken(store, asked(workspace="T2"))
    ended = await running(store)
    await store.runs.end(ended.id, RunState.DONE, NOW)
    assert await store.queue.counts() == {RunState.QUEUED: 2, RunState.RUNNING: 1}


async def test_places(store: Store) -> None:
    busy = await running(store)
    behind = [await reply(store, busy) for _ in range(2)]
    roots = [await taken(store) for _ in range(2)]
    foreign = await taken(store, asked(workspace="T2"))
    assert [await store.queue.place(run) for run in behind] == [1, 2]
    assert [await store.queue.place(run) for run in roots] == [1, 2]
    assert await store.queue.place(foreign) == 1
    assert await store.queue.place(busy) == 0
