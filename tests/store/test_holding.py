"""What waits for a run whose process died waits until a person decides."""

from collections.abc import AsyncIterator

import pytest

from bot.core.run import RunState
from bot.store.records import NewRun, Run
from bot.store.store import Store
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW, asked, next_ready, reply, taken

WAITS = "It waits."


@pytest.fixture
async def me(database: SomeDatabase) -> AsyncIterator[Store]:
    """A process among the living."""
    me = await Store.open(database.url, owner="me", patience=database.patience)
    await me.workers.join("host", "worker")
    yield me
    await me.close()


async def died(me: Store, *prompts: str, root: Run | None = None) -> tuple[Run, list[Run]]:
    """A run that a dead process was carrying out, and what waits in its conversation, from the survivor's side."""
    if root is None:
        root = await taken(me)
        await me.runs.posted(root.id, "1.5", "1.5")
    assert await me.runs.start(root.id, "dead", NOW)
    waiting = [await reply(me, root, prompt) for prompt in prompts]
    await me.workers.take_over("dead", NOW + 1, "It died.", None, waits=WAITS)
    return root, waiting


def again(run: Run) -> NewRun:
    return asked(
        conversation=run.conversation, turn=run.turn, attempt=run.attempt + 1, in_thread=run.in_thread
    )


async def next_id(store: Store) -> list[str]:
    return [run.id for run in await next_ready(store, 9)]


async def notes(store: Store, run: Run) -> list[tuple[bool, str]]:
    return [(one.held, one.note) for one in await store.runs.waiting_in(run.conversation)]


async def test_what_waits_is_held_and_keeps_nobody_else_waiting(me: Store) -> None:
    root, (first, second) = await died(me, "first", "second")
    other = await taken(me)
    assert await notes(me, root) == [(True, WAITS)] * 2
    assert await next_id(me) == [other.id]
    assert not await me.runs.start(first.id, "me", NOW)
    assert await me.dispatching.start_next(first.id, "me", NOW) is None
    places = {one.run: one.place for one in await me.queue.standings()}
    assert places == {first.id: 1, second.id: 2, other.id: 1}
    assert [await me.queue.place(run) for run in (first, second, other)] == [1, 2, 1]
    # Another death changes nothing of that.
    await me.workers.take_over("another", NOW + 1, "It died.", None, waits=WAITS)
    assert await notes(me, root) == [(True, WAITS)] * 2


async def test_who_puts_one_first_lets_all_go_on(me: Store) -> None:
    root, (first, second) = await died(me, "first", "second")
    assert await me.runs.put_first(second.id, "Put first.")
    assert await notes(me, root) == [(False, "Put first."), (False, "")]
    assert await next_id(me) == [second.id]
    assert await me.runs.start(second.id, "me", NOW)
    assert await me.runs.end(second.id, RunState.DONE, NOW)
    assert await next_id(me) == [first.id]


async def test_who_retries_goes_first_and_lets_the_others_go_on_when_that_may(me: Store) -> None:
    root, (first, _) = await died(me, "first", "second")
    retry = await me.runs.take(again(root), "retry", NOW)
    assert retry is not None
    assert await next_id(me) == []  # it isn't known yet whether it may
    assert [held for held, _ in await notes(me, root)] == [False, True, True]
    await me.runs.posted(retry.id, "1.5", "1.5")
    assert await notes(me, root) == [(False, "")] * 3
    assert await next_id(me) == [retry.id]
    assert await me.runs.start(retry.id, "me", NOW)
    assert await me.runs.end(retry.id, RunState.DONE, NOW)
    assert await next_id(me) == [first.id]


async def test_who_replies_comes_last_and_lets_the_others_go_on_when_that_may(me: Store) -> None:
    root, (first,) = await died(me, "first")
    refused = await taken(me, asked("no", conversation=root.conversation, in_thread=True), ready=False)
    assert await me.runs.drop(refused.id, NOW, "")
    await me.runs.posted(refused.id, "3.5", "1.5")  # where it says so
    assert await next_id(me) == []
    new = await taken(me, asked("yes", conversation=root.conversation, in_thread=True), ready=False)
    assert await next_id(me) == []
    await me.runs.posted(new.id, "2.5", "1.5")
    assert await next_id(me) == [first.id]
    assert [await me.queue.place(run) for run in (first, new)] == [1, 2]


async def test_one_that_was_asked_before_lets_nobody_go_on_when_it_is_shown(me: Store) -> None:
    root = await taken(me)
    await me.runs.posted(root.id, "1.5", "1.5")
    assert await me.runs.start(root.id, "dead", NOW)
    early = await taken(me, asked(conversation=root.conversation, in_thread=True), ready=False)
    await me.workers.take_over("dead", NOW + 1, "It died.", None, waits=WAITS)
    await me.runs.posted(early.id, "2.5", "1.5")
    assert await next_id(me) == []
    assert await notes(me, root) == [(True, WAITS)]


async def test_where_the_last_one_is_dropped_nothing_is_held(me: Store) -> None:
    root, (only,) = await died(me, "only")
    assert await me.runs.drop(only.id, NOW, "")
    new = await reply(me, root)
    assert await next_id(me) == [new.id]


async def test_what_waits_for_a_run_that_dies_as_well_is_held_again(me: Store) -> None:
    root, (first, second) = await died(me, "first", "second")
    await me.runs.put_first(first.id, "")
    await died(me, root=first)
    assert await notes(me, root) == [(True, WAITS)]
    assert await next_id(me) == []
    assert (await me.runs.waiting_in(root.conversation))[0].id == second.id


async def test_a_changed_request_comes_before_what_was_held_also_in_the_past(me: Store) -> None:
    root, (first,) = await died(me, "first")
    changed = asked("changed", conversation=root.conversation, in_thread=True, attempt=2)
    rerun = await me.runs.take(changed, "retry", NOW)
    assert rerun is not None
    await me.runs.posted(rerun.id, "2.5", "1.5")
    assert await next_id(me) == [rerun.id]
    turns = {run.id: run.turn for run in await me.runs.waiting_in(root.conversation)}
    assert root.turn < turns[rerun.id] < turns[first.id]
