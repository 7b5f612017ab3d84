"""Two processes on one database: what each looks at before it writes must still be so when it has written."""

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle

import pytest

from bot.core.run import RunState
from bot.store.records import PastTurn
from bot.store.store import Store
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW, asked, reply, running, taken

ROUNDS = 4


@pytest.fixture
async def pair(database: SomeDatabase) -> AsyncIterator[tuple[Store, Store]]:
    stores = [await Store.open(database.url, patience=5) for _ in range(2)]
    yield stores[0], stores[1]
    for store in stores:
        await store.close()


async def test_replies_to_a_new_thread_open_one_conversation(pair: tuple[Store, Store]) -> None:
    for number in range(ROUNDS):
        work = [taken(store, asked(thread_ts=f"{number}.1")) for store in pair * 4]
        runs = await asyncio.gather(*work)
        assert len({run.conversation for run in runs}) == 1
        assert sorted(run.turn for run in runs) == list(range(1, 9))


async def test_replies_at_once_keep_their_order(pair: tuple[Store, Store]) -> None:
    first = await running(pair[0])
    replies = await asyncio.gather(*(reply(store, first) for store in pair * 5))
    waiting = await pair[0].runs.waiting_in(first.conversation)
    assert [run.turn for run in waiting] == list(range(2, 12))
    assert [run.id for run in waiting] == [run.id for run in sorted(replies, key=lambda run: run.seq)]


async def test_of_a_conversations_runs_one_starts(pair: tuple[Store, Store]) -> None:
    for _ in range(ROUNDS):
        first = await taken(pair[0])
        runs = [first, *[await reply(pair[0], first) for _ in range(5)]]
        work = (store.runs.start(run.id, "me", NOW) for run, store in zip(runs, cycle(pair), strict=False))
        assert sum(await asyncio.gather(*work)) == 1
        assert await pair[0].runs.running_in(first.conversation) is not None


async def test_a_run_ends_once(pair: tuple[Store, Store]) -> None:
    run = await running(pair[0])
    ends = [RunState.DONE, RunState.FAILED, RunState.STOPPED, RunState.INTERRUPTED]
    work = [
        store.runs.end(run.id, state, NOW, answer=state)
        for state, store in zip(ends, cycle(pair), strict=False)
    ]
    ended = await asyncio.gather(*work)
    assert sum(ended) == 1
    state = ends[ended.index(True)]
    assert await pair[0].conversations.history(run.conversation, 9) == [PastTurn(1, "fix it", state)]


async def test_what_waits_is_dropped_once(pair: tuple[Store, Store]) -> None:
    first = await running(pair[0])
    waiting = [await reply(pair[0], first) for _ in range(4)]
    dropped = await asyncio.gather(*(s.runs.drop_waiting(first.conversation, NOW, "") for s in pair))
    assert sorted(run.id for runs in dropped for run in runs) == sorted(run.id for run in waiting)


async def test_a_post_and_quick_replies_meet_in_one_conversation(pair: tuple[Store, Store]) -> None:
    for number in range(ROUNDS):
        run = await taken(pair[0], ready=False)
        here = f"{number}.5"
        posting = pair[0].runs.posted(run.id, here, here)
        replies = [taken(store, asked(f"by thread {n}", thread_ts=here)) for n, store in enumerate(pair * 3)]
        known = [reply(store, run, f"by id {n}") for n, store in enumerate(pair * 2)]
        others = (await asyncio.gather(posting, *replies, *known))[1:]
        runs = [await pair[0].runs.get(other.id) for other in (run, *filter(None, others))]
        in_thread = [other for other in runs if other is not None and other.thread_ts == here]
        assert len({other.conversation for other in in_thread}) == 1
        must = {run.id, *(other.id for other in others[: len(replies)] if other is not None)}
        assert must <= {other.id for other in in_thread}
        turns = [other.turn for other in in_thread]
        assert len(set(turns)) == len(turns)


async def test_tasks_that_are_named_at_once_have_places_of_their_own(pair: tuple[Store, Store]) -> None:
    run = await running(pair[0])
    added = await asyncio.gather(*(store.runs.add_task(run.id, "extra") for store in pair * 4))
    assert sorted(task.position for task in added) == list(range(1, 9))


async def test_output_of_two_writers_is_all_there(pair: tuple[Store, Store]) -> None:
    [task] = await pair[0].runs.tasks((await running(pair[0])).id)
    for number in range(ROUNDS):
        for store in pair:
            store.output.append(task.id, f"{number}")
        await asyncio.gather(*(store.output.flush() for store in pair))
    assert sorted([piece async for piece in pair[0].output.read(task.id)]) == [
        f"{number}".encode() for number in range(ROUNDS) for _ in pair
    ]


async def test_settings_that_are_saved_at_once_are_saved(pair: tuple[Store, Store]) -> None:
    work = (store.channels.set_repo("T1", "C1", f"acme/{n}", "U1", NOW) for n, store in enumerate(pair * 4))
    await asyncio.gather(*work)
    assert str(await pair[0].channels.repo("T1", "C1")).startswith("acme/")
