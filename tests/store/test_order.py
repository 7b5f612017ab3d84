"""A waiting run is put first: what starts when, and what later ones are told of the past."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.run import RunState
from bot.store.records import Run
from bot.store.store import Store
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW, asked, next_ready, reply, running, taken

PROMPTS = ("one", "two", "three", "four")


async def standing(store: Store, *those: Run) -> list[int]:
    return [await store.queue.place(run) for run in those]


async def finish(store: Store, run_id: str, answer: str) -> list[str]:
    """Let a run start and end; returns what it was told of the past, its own prompt last."""
    run = await store.runs.get(run_id)
    assert run is not None
    assert await store.runs.start(run.id, "me", NOW, turn=run.turn)
    past = await store.conversations.history(run.conversation, run.turn)
    await store.conversations.set_prompt(run.conversation, run.turn, run.invocation.prompt)
    await store.runs.end(run.id, RunState.DONE, NOW, answer=answer)
    return [*(f"{turn.prompt}: {turn.answer}" for turn in past), run.invocation.prompt]


async def test_the_last_can_be_put_first_and_the_others_keep_their_order(store: Store) -> None:
    busy = await running(store)
    one, two, three = [await reply(store, busy, prompt) for prompt in PROMPTS[:3]]
    put = await store.runs.put_first(three.id, "Put first.")
    assert put is not None
    assert put.running is not None
    assert put.running.id == busy.id
    assert await standing(store, three, one, two) == [1, 2, 3]
    assert [run.id for run in await store.runs.waiting_in(busy.conversation)] == [three.id, one.id, two.id]
    await store.runs.end(busy.id, RunState.DONE, NOW, answer="zero")
    told = []
    for prompt in ("three", "one", "two"):
        [run] = await next_ready(store, 9)
        told.append(await finish(store, run.id, f"answered {prompt}"))
    assert told == [
        ["fix it: zero", "three"],
        ["fix it: zero", "three: answered three", "one"],
        ["fix it: zero", "three: answered three", "one: answered one", "two"],
    ]


async def test_the_note_is_only_on_the_one_that_was_put_first_last(store: Store) -> None:
    busy = await running(store)
    one, two, three = [await reply(store, busy, prompt) for prompt in PROMPTS[:3]]
    await store.runs.put_first(two.id, "By ann.")
    await store.runs.put_first(three.id, "By ben.")
    assert [(one.run, one.note, one.place) for one in await store.queue.standings()] == [
        (three.id, "By ben.", 1),
        (two.id, "", 2),
        (one.id, "", 3),
    ]
    await store.runs.end(busy.id, RunState.DONE, NOW)
    await store.runs.start(three.id, "me", NOW)
    begun = await store.runs.get(three.id)
    assert begun is not None
    assert begun.note == ""


async def test_what_does_not_wait_is_not_put_first(store: Store) -> None:
    busy = await running(store)
    gone = await reply(store, busy)
    assert await store.runs.drop(gone.id, NOW, "Dropped.")
    assert await store.runs.put_first(gone.id, "") is None
    assert await store.runs.put_first(busy.id, "") is None
    assert await store.runs.put_first("r-none", "") is None


async def test_only_what_waits_is_dropped(store: Store) -> None:
    busy = await running(store)
    waiting = await reply(store, busy)
    assert not await store.runs.drop(busy.id, NOW, "Dropped.")
    assert await store.runs.drop(waiting.id, NOW, "Dropped.")
    assert not await store.runs.drop(waiting.id, NOW, "Again.")
    ended = await store.runs.get(waiting.id)
    assert ended is not None
    assert (ended.state, ended.note) == (RunState.STOPPED, "Dropped.")


async def test_a_conversation_keeps_its_place_among_the_others(store: Store) -> None:
    first = await taken(store)
    other = await taken(store)
    late = await reply(store, first, "late")
    put = await store.runs.put_first(late.id, "")
    assert put is not None
    assert put.running is None
    assert [run.id for run in await next_ready(store, 9)] == [late.id, other.id]
    assert await standing(store, late, other, first) == [1, 2, 3]
    assert [run.id for run in await next_ready(store, 9, {other.conversation})] == [other.id, late.id]


async def test_a_run_whose_turn_has_moved_does_not_start_as_it_was_read(store: Store) -> None:
    busy = await running(store)
    one, two = await reply(store, busy), await reply(store, busy)
    await store.runs.end(busy.id, RunState.DONE, NOW)
    await store.runs.put_first(two.id, "")
    assert not await store.runs.start(one.id, "me", NOW, turn=one.turn)
    moved = await store.runs.get(one.id)
    assert moved is not None
    assert moved.turn == two.turn
    assert await store.runs.start(one.id, "me", NOW, turn=moved.turn)


async def test_a_second_attempt_keeps_its_turn_and_stays_the_newest(store: Store) -> None:
    busy = await running(store)
    await store.runs.end(busy.id, RunState.FAILED, NOW)
    going = await running(store, asked(conversation=busy.conversation))
    one, again = await reply(store, busy, "one"), await reply(store, busy, "fix it", turn=1, attempt=2)
    await store.runs.put_first(again.id, "")
    assert await standing(store, again, one) == [1, 2]
    newest = await store.runs.newest_attempt(busy.conversation, 1)
    assert newest is not None
    assert newest.id == again.id
    left = await store.runs.get(one.id)
    assert left is not None
    assert (going.turn, left.turn) == (2, 3)


async def test_what_was_dropped_and_is_tried_again_comes_after_what_ran_meanwhile(store: Store) -> None:
    busy = await running(store)
    dropped, two = await reply(store, busy, "one"), await reply(store, busy, "two")
    await store.runs.drop(dropped.id, NOW, "")
    await store.runs.end(busy.id, RunState.DONE, NOW, answer="zero")
    await finish(store, two.id, "second")
    again = await reply(store, busy, "one", turn=dropped.turn, attempt=2)
    assert await finish(store, again.id, "first") == ["fix it: zero", "two: second", "one"]
    last = await reply(store, busy, "three")
    assert await finish(store, last.id, "") == ["fix it: zero", "two: second", "one: first", "three"]


async def test_an_edited_reply_that_was_put_first_keeps_its_own_words(store: Store) -> None:
    busy = await running(store)
    one, two = await reply(store, busy, "one"), await reply(store, busy, "two")
    await store.runs.put_first(two.id, "")
    await store.runs.rewrite(one.id, asked("uno").invocation, None)
    await store.runs.rewrite(two.id, asked("due").invocation, None)
    await store.runs.end(busy.id, RunState.DONE, NOW, answer="zero")
    assert (await finish(store, two.id, "b"))[-1] == "due"
    assert await finish(store, one.id, "a") == ["fix it: zero", "due: b", "uno"]


async def test_many_at_once_leave_one_order(store: Store, database: SomeDatabase) -> None:
    """Two processes; every run stands at one place of its own, each with its own words."""
    busy = await running(store)
    line = [await reply(store, busy, str(number)) for number in range(9)]
    processes = [await Store.open(database.url, patience=10.0) for _ in range(2)]
    try:
        work = [processes[n % 2].runs.put_first(run.id, run.id) for n, run in enumerate(line * 2)]
        assert None not in await asyncio.gather(*work)
    finally:
        for process in processes:
            await process.close()
    assert sorted(await standing(store, *line)) == list(range(1, 10))
    now = await store.runs.waiting_in(busy.conversation)
    assert [run.turn for run in now] == list(range(2, 11))
    await store.runs.end(busy.id, RunState.DONE, NOW, answer="zero")
    told = [await finish(store, run.id, "ok") for run in now]
    assert told[-1][1:-1] == [f"{run.invocation.prompt}: ok" for run in now[:-1]]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["put", "drop", "reply"]), st.integers(0, 9)), max_size=8))
def test_any_order_of_presses_is_a_list(presses: list[tuple[str, int]]) -> None:
    async def play() -> None:
        store = await Store.open("sqlite://")
        try:
            busy = await running(store)
            await taken(store)  # another conversation's
            model = [(await reply(store, busy, prompt)).id for prompt in PROMPTS]
            for press, number in presses:
                if press == "reply":
                    model.append((await reply(store, busy)).id)
                elif model:
                    run = model.pop(number % len(model))
                    if press == "put":
                        assert await store.runs.put_first(run, "") is not None
                        model.insert(0, run)
                    else:
                        assert await store.runs.drop(run, NOW, "")
            now = await store.runs.waiting_in(busy.conversation)
            assert [run.id for run in now] == model
            turns = [run.turn for run in now]
            assert turns == sorted(turns)
            places = {one.run: one.place for one in await store.queue.standings()}
            assert [places[run] for run in model] == list(range(1, len(model) + 1))
        finally:
            await store.close()

    asyncio.run(play())
