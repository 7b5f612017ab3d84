"""Processes that live and die, each with a store of its own on one database; both kinds of databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from bot.core.run import RunState, TaskState
from bot.errors import RunLost
from bot.model import Link
from bot.store.records import Outcome, Run
from bot.store.slots import Slot, is_free
from bot.store.store import Store
from tests.store.databases import File, SomeDatabase
from tests.store.requests import NOW, asked, parallel, reply, taken

DEAD = 15.0


@asynccontextmanager
async def processes(database: SomeDatabase, *names: str, joined: bool = True) -> AsyncIterator[list[Store]]:
    async with AsyncExitStack() as stack:
        opened = []
        for number, name in enumerate(names):
            store = await Store.open(
                database.url, owner=name, random=Random(number), patience=database.patience
            )
            stack.push_async_callback(store.close)
            if joined:
                await store.workers.join("host", "worker")
            opened.append(store)
        yield opened


async def started(store: Store, run: Run) -> Run:
    assert await store.runs.start(run.id, store.owner, NOW + 1)
    return run


def fallen_silent(database: SomeDatabase, name: str, seconds: float) -> None:
    database.rows("UPDATE workers SET beat_at = beat_at - %s WHERE id = %s", (seconds, name))


def vanished(database: SomeDatabase, name: str) -> None:
    database.rows("DELETE FROM workers WHERE id = %s", (name,))


async def test_a_process_is_seen_by_the_others_as_long_as_it_is_there(database: SomeDatabase) -> None:
    async with processes(database, "a", "b") as (a, b):
        (other,) = await b.workers.others()
        assert other.id == "a"
        assert abs(other.silent) < 5
        assert not other.gone
        fallen_silent(database, "a", 100)
        (other,) = await b.workers.others()
        assert 99 < other.silent < 110
        assert await a.workers.beat()
        (other,) = await b.workers.others()
        assert other.silent < 5
        await a.workers.leave()
        assert await b.workers.others() == []
        assert not await a.workers.beat()
        await a.workers.join("host", "worker")
        assert await a.workers.beat()


async def test_what_was_running_is_interrupted_and_all_is_the_survivor_s(database: SomeDatabase) -> None:
    async with processes(database, "dead", "me") as (dead, me):
        going = await started(dead, await taken(dead, asked(invocation=parallel("web", "api"))))
        follows = await reply(dead, going)
        unready = await taken(dead, ready=False)
        ended, settled = [await started(dead, await taken(dead)) for _ in range(2)]
        await dead.runs.end(ended.id, RunState.DONE, NOW + 2)
        await dead.runs.end(settled.id, RunState.DONE, NOW + 2, settled=True)
        mine = await started(me, await taken(me))
        fallen_silent(database, "dead", 16)
        assert await dead.ends.mine([going.id, mine.id]) == {going.id}
        found = await me.workers.take_over("dead", NOW + 9, "It died.", DEAD)
        assert set(found) == {going.id, follows.id, unready.id, ended.id}
        now = await me.runs.get(going.id)
        assert now is not None
        assert (now.state, now.note, now.ended_at) == (RunState.INTERRUPTED, "It died.", NOW + 9)
        assert {task.state for task in await me.runs.tasks(going.id)} == {TaskState.INTERRUPTED}
        states = {
            run.id: run.state for run in await me.queue.these([follows.id, unready.id, ended.id, mine.id])
        }
        assert states == {
            follows.id: RunState.QUEUED,
            unready.id: RunState.QUEUED,
            ended.id: RunState.DONE,
            mine.id: RunState.RUNNING,
        }
        assert await me.ends.mine([*found, mine.id, settled.id]) == {*found, mine.id}
        assert not await dead.workers.beat()
        assert await me.workers.take_over("dead", NOW + 9, "Again.", DEAD) == []
        assert not await me.runs.start(follows.id, "me", NOW + 10)  # until a person decides
        assert await me.runs.start(unready.id, "me", NOW + 10)


async def test_a_process_that_gave_a_sign_of_life_keeps_what_is_its_own(database: SomeDatabase) -> None:
    async with processes(database, "slow", "me") as (slow, me):
        going = await started(slow, await taken(slow))
        fallen_silent(database, "slow", 14)
        assert await me.workers.take_over("slow", NOW, "", DEAD) == []
        assert await slow.workers.beat()
        assert await slow.runs.end(going.id, RunState.DONE, NOW, own=True)


async def test_who_was_taken_for_dead_takes_nothing_over(database: SomeDatabase) -> None:
    async with processes(database, "dead", "me") as (dead, me):
        await started(dead, await taken(dead))
        vanished(database, "me")
        assert await me.workers.take_over("dead", NOW, "", None) == []
        assert await dead.workers.beat()


async def test_exactly_one_survivor_wins(database: SomeDatabase) -> None:
    async with processes(database, "dead", "one", "two", "three") as (dead, *survivors):
        runs = [await started(dead, await taken(dead)) for _ in range(5)]
        await taken(dead)
        fallen_silent(database, "dead", 99)
        found = await asyncio.gather(*(s.workers.take_over("dead", NOW, "", DEAD) for s in survivors))
        assert sorted(map(len, found)) == [0, 0, 6]
        owners = [len(await s.ends.mine([run.id for run in runs])) for s in survivors]
        assert sorted(owners) == [0, 0, 5]


async def test_runs_of_nobody_are_found(database: SomeDatabase) -> None:
    async with processes(database, "left", "me") as (left, me), processes(database, "") as (nobody,):
        run = await started(left, await taken(left))
        old = await taken(nobody)
        await started(me, await taken(me))
        assert await me.workers.orphaned() == [None]
        await left.workers.leave()
        assert set(await me.workers.orphaned()) == {"left", None}
        assert await me.workers.take_over("left", NOW, "", None) == [run.id]
        assert await me.workers.take_over(None, NOW, "", None) == [old.id]
        assert await me.workers.orphaned() == []


async def test_who_lost_a_run_changes_nothing_of_it(database: SomeDatabase) -> None:
    async with processes(database, "was", "me") as (was, me):
        run = await started(was, await taken(was))
        (task,) = await was.runs.tasks(run.id)
        was.output.append(task.id, "before\n")
        await was.output.flush()
        unready = await taken(was, ready=False)
        await me.workers.take_over("was", NOW, "It died.", None)
        was.output.append(task.id, "after\n")
        await was.output.flush()
        assert b"".join([piece async for piece in me.output.read(task.id)]) == b"before\n"
        await was.runs.task_posted(task.id, "6.6")
        assert [task.ts for task in await me.runs.tasks(run.id)] == [None]
        with pytest.raises(RunLost):
            await was.runs.add_task(run.id, "extra")
        assert await was.runs.posted(unready.id, "7.7", "7.7") is None
        assert not await was.runs.end(unready.id, RunState.STOPPED, NOW, own=True)
        assert not await was.runs.end(run.id, RunState.DONE, NOW, own=True)
        assert not await was.ends.count(run.id, 1)
        assert not await was.ends.settle(run.id)
        assert not await was.ends.uploaded(task.id, "F1")
        assert [run.id for run in await me.ends.unsettled(NOW + 1)] == [run.id]
        await me.runs.task_posted(task.id, "8.8")
        assert await me.ends.uploaded(task.id, "F2")
        assert [(task.ts, task.log_file) for task in await me.runs.tasks(run.id)] == [("8.8", "F2")]


async def test_an_end_is_its_owner_s_until_it_is_settled(database: SomeDatabase) -> None:
    async with processes(database, "me", "other") as (me, other):
        run = await started(me, await taken(me))
        outcome = Outcome(
            ((None, "Done \udc00."), ("web", "*ok*")), "pushed", (Link("View PR #1", "https://x/1"),), "job"
        )
        assert await me.runs.end(run.id, RunState.DONE, NOW + 5, own=True, outcome=outcome)
        assert await me.ends.unsettled(NOW + 5) == []
        (unsettled,) = await me.ends.unsettled(NOW + 6)
        assert unsettled.id == run.id
        assert await other.ends.unsettled(NOW + 6) == []
        stored, parts = await me.ends.outcome(run.id)
        assert stored.answers == ((None, "Done ?."), ("web", "*ok*"))
        assert (stored.push, stored.links, stored.name, parts) == ("pushed", outcome.links, "job", 0)
        assert await me.ends.count(run.id, 2)
        assert await me.ends.outcome(run.id) == (stored, 2)
        assert not await other.ends.settle(run.id)
        assert await me.ends.settle(run.id)
        assert await me.ends.unsettled(NOW + 6) == []
        assert await me.ends.outcome("r-none") == (Outcome(), 0)


async def test_whoever_drops_a_waiting_run_is_to_say_so(database: SomeDatabase) -> None:
    async with processes(database, "took", "dropped") as (took, dropped):
        run = await taken(took)
        assert await took.ends.mine([run.id]) == {run.id}
        assert await dropped.runs.drop(run.id, NOW, "Dropped.")
        assert [run.id for run in await dropped.ends.unsettled(NOW + 1)] == [run.id]
        assert await took.ends.mine([run.id]) == set()


def test_slots_are_taken_one_after_another_and_freed_by_death(tmp_path: Path) -> None:
    database = tmp_path / "bot.db"
    first, second = Slot.take(database), Slot.take(database)
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (0, 1)
    assert not is_free(database, 0)
    first.release()
    assert is_free(database, 0)
    assert not is_free(database, 1)
    again = Slot.take(database)
    assert again is not None
    assert again.number == 0
    second.release()
    again.release()
    assert Slot.take(tmp_path / "missing" / "bot.db") is None
    assert not is_free(tmp_path / "missing" / "bot.db", 0)


async def test_beside_a_file_a_death_is_known_at_once(file: Path) -> None:
    database = File(file)
    async with processes(database, "dead", "me") as (dead, me):
        run = await started(dead, await taken(dead))
        slot = dead.workers._slot
        assert slot is not None
        slot.release()  # as the system does it for the dead
        (other,) = await me.workers.others()
        assert other.gone
        assert other.silent < DEAD
        async with processes(database, "next") as (following,):  # which gets the dead one's file
            (seen,) = [other for other in await following.workers.others() if other.id == "dead"]
            assert seen.gone
        assert await me.workers.take_over("dead", NOW, "", None) == [run.id]


async def test_in_memory_it_is_alone() -> None:
    store = await Store.open("sqlite://", owner="me")
    await store.workers.join("host", "worker")
    assert await store.workers.others() == []
    assert await store.workers.orphaned() == []
    assert await store.workers.beat()
    await store.workers.leave()
    await store.close()
