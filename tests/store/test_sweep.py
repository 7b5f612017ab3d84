"""What is forgotten, and what is not."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

from bot.core.run import RunState
from bot.store.store import Store
from bot.store.sweep import CLAIMS_KEPT
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW, asked, parallel, reply, running, taken

DAY = 86_400.0


def _counts(database: SomeDatabase) -> dict[str, int]:
    return {
        table: database.rows(f"SELECT count(*) FROM {table}")[0][0]
        for table in ("claims", "conversations", "turns", "runs", "tasks", "chunks")
    }


async def test_old_runs_go_with_all_that_is_theirs(store: Store, database: SomeDatabase) -> None:
    run = await running(store, asked(invocation=parallel("web", "api")))
    for task in await store.runs.tasks(run.id):
        for number in range(20):
            store.output.append(task.id, Random(number).randbytes(10).hex())
            await store.output.flush()
    await store.runs.end(run.id, RunState.DONE, NOW)
    assert _counts(database)["chunks"] == 40
    assert await store.sweep(NOW + 30 * DAY, 31 * DAY) == 0
    assert await store.sweep(NOW + 32 * DAY, 31 * DAY) == 1
    assert _counts(database) == dict.fromkeys(_counts(database), 0)


async def test_what_still_waits_or_runs_is_kept_however_old(store: Store) -> None:
    runs = [await running(store), await taken(store)]
    assert await store.sweep(NOW + 1000 * DAY, DAY) == 0
    assert [run.id for run in await store.queue.listing(None)] == [run.id for run in runs]


async def test_a_conversation_that_goes_on_loses_only_its_old_turns(
    store: Store, database: SomeDatabase
) -> None:
    first = await running(store)
    await store.runs.end(first.id, RunState.DONE, NOW, answer="old")
    second = await reply(store, first, "second")
    await store.runs.start(second.id, "me", NOW)
    await store.runs.end(second.id, RunState.FAILED, NOW)
    retry = await reply(store, first, "second", turn=2, attempt=2)
    await store.runs.start(retry.id, "me", NOW)
    await store.runs.end(retry.id, RunState.DONE, NOW + 10 * DAY, answer="new")

    assert await store.sweep(NOW + 11 * DAY, 5 * DAY) == 2
    assert [turn.answer for turn in await store.conversations.history(first.conversation, 9)] == ["new"]
    assert (await reply(store, first)).turn == 3
    counts = _counts(database)
    assert (counts["conversations"], counts["turns"], counts["runs"]) == (1, 2, 2)


async def test_claims_are_kept_for_two_days(store: Store, database: SomeDatabase) -> None:
    for number in range(3):
        await store.claims.claim(f"event-{number}", NOW + number)
    await store.sweep(NOW + 1 + CLAIMS_KEPT, DAY)
    assert _counts(database)["claims"] == 2
    assert not await store.claims.claim("event-1", NOW)
    assert await store.claims.claim("event-0", NOW)


def _length(file: Path) -> int:
    return file.stat().st_size


async def test_the_room_of_what_was_removed_is_given_back(file: Path) -> None:
    store = await Store.open(f"sqlite:///{file}")
    runs = [await running(store) for _ in range(4)]
    for run in runs:
        [task] = await store.runs.tasks(run.id)
        store.output.append(task.id, Random(run.seq).randbytes(300_000).hex())
    await store.output.flush()
    for number, run in enumerate(runs):
        await store.runs.end(run.id, RunState.DONE, NOW + number * DAY)
    await store.checkpoint()
    full = _length(file)
    assert full > 1_200_000
    await store.sweep(NOW + 40 * DAY, 40 * DAY - 1)  # the first one: less than what may be empty
    await store.checkpoint()
    assert _length(file) == full
    await store.sweep(NOW + 80 * DAY, DAY)
    await store.checkpoint()
    assert _length(file) < full / 2
    await store.close()


async def test_a_file_of_an_older_version_is_swept_all_the_same(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    store = await Store.open(f"sqlite:///{file}")
    run = await running(store)
    [task] = await store.runs.tasks(run.id)
    store.output.append(task.id, Random(1).randbytes(300_000).hex())
    await store.output.flush()
    await store.runs.end(run.id, RunState.DONE, NOW)
    assert await store.sweep(NOW + 2 * DAY, DAY) == 1
    await store.close()


async def test_much_goes_in_several_steps(store: Store, database: SomeDatabase) -> None:
    values = ", ".join(f"('event-{number}', {NOW})" for number in range(1200))
    database.rows(f"INSERT INTO claims VALUES {values}")
    assert await store.sweep(NOW + 1000 * DAY, DAY) == 0
    assert _counts(database) == dict.fromkeys(_counts(database), 0)
