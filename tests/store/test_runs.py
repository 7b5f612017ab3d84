"""The life of runs and of their tasks."""

import asyncio

import pytest

from bot.core.run import RunState, TaskState
from bot.model import Options
from bot.store.records import Run, TaskEnd
from bot.store.store import Store
from tests.store.requests import NOW, asked, parallel, reply, running, taken


async def _now(store: Store, run: Run) -> Run:
    found = await store.runs.get(run.id)
    assert found is not None
    return found


async def test_a_run_starts_once(store: Store) -> None:
    run = await taken(store)
    started = await asyncio.gather(*(store.runs.start(run.id, f"p{n}", NOW + n) for n in range(5)))
    assert sorted(started) == [False, False, False, False, True]
    now = await _now(store, run)
    assert (now.state, now.owner) == (RunState.RUNNING, f"p{started.index(True)}")
    assert now.started_at == NOW + started.index(True)


async def test_a_conversation_runs_one_at_a_time(store: Store) -> None:
    first = await running(store)
    second = await reply(store, first)
    assert not await store.runs.start(second.id, "me", NOW)
    assert await store.runs.end(first.id, RunState.DONE, NOW)
    assert await store.runs.start(second.id, "me", NOW)


async def test_an_end_stores_what_is_known(store: Store) -> None:
    run = await running(store, asked(invocation=parallel("web", "api")))
    web, api = await store.runs.tasks(run.id)
    lines = 3_000_000_000  # more than 32 bits
    end = TaskEnd(web.id, TaskState.FAILED, lines, "no luck", "exit 1", NOW + 5)
    assert await store.runs.end(run.id, RunState.FAILED, NOW + 9, note="why", answer="so", tasks=[end])
    now = await _now(store, run)
    assert (now.state, now.note, now.answer, now.ended_at) == (RunState.FAILED, "why", "so", NOW + 9)
    web, api = await store.runs.tasks(run.id)
    assert (web.state, web.line_count, web.answer, web.note, web.ended_at) == (
        TaskState.FAILED,
        lines,
        "no luck",
        "exit 1",
        NOW + 5,
    )
    assert (api.state, api.ended_at) == (TaskState.FAILED, NOW + 9)


@pytest.mark.parametrize("state", [state for state in RunState if state.ended])
async def test_an_end_is_for_ever(store: Store, state: RunState) -> None:
    run = await running(store)
    assert await store.runs.end(run.id, state, NOW + 2)
    before = await _now(store, run)
    for later in RunState:
        if later.ended:
            assert not await store.runs.end(run.id, later, NOW + 3, note="late", answer="late")
    assert not await store.runs.start(run.id, "me", NOW + 3)
    assert await _now(store, run) == before


async def test_a_waiting_run_can_only_be_stopped(store: Store) -> None:
    run = await taken(store)
    assert not await store.runs.end(run.id, RunState.DONE, NOW)
    assert await store.runs.end(run.id, RunState.STOPPED, NOW)
    assert [task.state for task in await store.runs.tasks(run.id)] == [TaskState.STOPPED]


async def test_a_task_belongs_to_its_run(store: Store) -> None:
    run, other = await running(store), await running(store)
    [foreign] = await store.runs.tasks(other.id)
    end = TaskEnd(foreign.id, TaskState.FAILED, 1, "", "", NOW)
    assert await store.runs.end(run.id, RunState.DONE, NOW, tasks=[end])
    assert await store.runs.tasks(other.id) == [foreign]


async def test_a_task_that_the_service_names_comes_last(store: Store) -> None:
    run = await running(store, asked(invocation=parallel("web", "api")))
    added = await store.runs.add_task(run.id, "extra")
    await store.runs.task_posted(added.id, "4.2")
    tasks = await store.runs.tasks(run.id)
    assert [task.name for task in tasks] == ["web", "api", "extra"]
    assert (tasks[2].id, tasks[2].position, tasks[2].ts) == (added.id, 2, "4.2")


async def test_dropping_stops_what_waits_and_nothing_else(store: Store) -> None:
    first = await running(store)
    waiting = [await reply(store, first, f"reply {n}") for n in range(3)]
    elsewhere = await taken(store)
    dropped = await store.runs.drop_waiting(first.conversation, NOW + 4, "Stopped.")
    assert [run.id for run in dropped] == [run.id for run in waiting]
    assert dropped == [await _now(store, run) for run in waiting]
    assert {(run.state, run.note, run.ended_at) for run in dropped} == {
        (RunState.STOPPED, "Stopped.", NOW + 4)
    }
    assert (await _now(store, first)).state is RunState.RUNNING
    assert (await _now(store, elsewhere)).state is RunState.QUEUED
    assert await store.runs.drop_waiting(first.conversation, NOW, "") == []


async def test_finding_runs(store: Store) -> None:
    first = await running(store, asked(request_ts="5.1"))
    retry = await reply(store, first, request_ts="5.1", turn=1, attempt=2)
    waiting = await reply(store, first)
    find = store.runs
    assert await find.find("T1", first.id) == await find.get(first.id)
    assert await find.find("T2", first.id) is None
    assert await find.get("r-none") is None
    assert await find.at_request("T1", "C1", "5.1") == await find.get(retry.id)
    assert await find.at_request("T1", "C2", "5.1") is None
    assert await find.running_in(first.conversation) == await find.get(first.id)
    assert [run.id for run in await find.waiting_in(first.conversation)] == [retry.id, waiting.id]
    assert await find.last_in(first.conversation) == await find.get(waiting.id)
    assert await find.newest_attempt(first.conversation, 1) == await find.get(retry.id)
    assert await find.last_in(99) is None
    assert await find.running_in(99) is None


async def test_a_users_last_repositories_each_once_the_newest_first(store: Store) -> None:
    for repo in ("acme/a", "acme/b", None, "acme/a", "acme/c"):
        await taken(store, asked(options=Options(repo=repo)))
    await taken(store, asked(options=Options(repo="acme/other"), requester="U2"))
    await taken(store, asked(options=Options(repo="acme/elsewhere"), workspace="T2"))
    assert await store.runs.recent_repos("T1", "U1", 10) == ["acme/c", "acme/a", "acme/b"]
    assert await store.runs.recent_repos("T1", "U1", 2) == ["acme/c", "acme/a"]
    assert await store.runs.recent_repos("T1", "U9", 2) == []
