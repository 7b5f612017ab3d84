"""A request's way into the store: taken, rewritten, posted."""

import asyncio
from random import Random
from typing import Any

import pytest

from bot.core.run import RunState
from bot.model import Invocation, Model, Options
from bot.store.records import NewRun, PastTurn, UserSettings
from bot.store.store import Store
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW, OPTIONS, asked, next_ready, parallel, reply, running, taken

WHO = ("T1", "U1")  # whose requests ``asked`` gives


class _Repeating(Random):
    """Chooses the first of everything, until the choice is longer than four."""

    def choices(self, population: Any, *args: Any, k: int = 1, **kwargs: Any) -> list[Any]:
        return [population[0]] * k if k == 4 else super().choices(population, *args, k=k, **kwargs)


async def test_a_request_becomes_a_queued_run(store: Store) -> None:
    run = await store.runs.take(asked("fix it", request_ts="5.1", attempt=1), "event-1", NOW)
    assert run is not None
    assert run == await store.runs.get(run.id)
    assert (run.state, run.ready, run.turn, run.thread_ts) == (RunState.QUEUED, False, 1, None)
    assert (run.invocation, run.created_at, run.request_ts) == (asked("fix it").invocation, NOW, "5.1")
    assert [(task.name, task.position, task.ts) for task in await store.runs.tasks(run.id)] == [
        ("task", 0, None)
    ]


async def test_the_same_claim_is_taken_once(store: Store) -> None:
    taken_on = await asyncio.gather(*(store.runs.take(asked(), "event-1", NOW) for _ in range(5)))
    assert sum(run is not None for run in taken_on) == 1
    assert len(await store.queue.listing(None)) == 1
    assert not await store.claims.claim("event-1", NOW)


async def test_a_request_follows_what_was_set_before(store: Store) -> None:
    await store.users.save("T1", "U1", UserSettings(Options(branch="dev")), NOW)
    await store.channels.set_repo("T1", "C1", "acme/web", "U2", NOW)

    def made(settings: UserSettings, repo: str | None) -> NewRun:
        return asked(options=Options(repo=repo, branch=settings.options.branch))

    run = await store.runs.take_as_set(("T1", "U1", "C1"), made, "event-1", NOW)

    assert run is not None
    assert run.invocation.options == Options(repo="acme/web", branch="dev")
    assert await store.runs.take_as_set(("T1", "U1", "C1"), made, "event-1", NOW) is None


async def test_a_request_that_lacks_something_leaves_nothing_behind(store: Store) -> None:
    def made(_settings: UserSettings, _repo: str | None) -> NewRun:
        raise LookupError("no repository")

    with pytest.raises(LookupError, match="no repository"):
        await store.runs.take_as_set(("T1", "U1", "C1"), made, "event-1", NOW)

    assert await store.claims.claim("event-1", NOW)
    assert await store.queue.listing(None) == []


async def test_two_processes_take_a_request_once(database: SomeDatabase) -> None:
    stores = [await Store.open(database.url, patience=5) for _ in range(2)]
    for number in range(5):
        taking = (store.runs.take(asked(), f"event-{number}", NOW) for store in stores)
        assert sum(run is not None for run in await asyncio.gather(*taking)) == 1
    for store in stores:
        await store.close()


async def test_claims_stand_alone_too(store: Store) -> None:
    assert await store.claims.claim("event-1", NOW)
    assert not await store.claims.claim("event-1", NOW + 1)
    assert await store.runs.take(asked(), "event-1", NOW) is None


async def test_ids_are_short_and_without_look_alikes(store: Store) -> None:
    for _ in range(8):
        run = await taken(store)
        prefix, word = run.id.split("-")
        assert (prefix, len(word)) == ("r", 4)
        assert not set(word) & set("0o1li")
        assert word == word.lower()


async def test_ids_get_longer_where_short_ones_are_taken() -> None:
    store = await Store.open("sqlite://", random=_Repeating(1))
    first, second = await taken(store), await taken(store)
    assert (len(first.id), len(second.id)) == (6, 7)
    await store.close()


async def test_named_tasks_in_their_order_and_a_focus_of_its_own_name(store: Store) -> None:
    run = await taken(store, asked(invocation=parallel("web", "api", "docs")))
    assert [task.name for task in await store.runs.tasks(run.id)] == ["web", "api", "docs"]
    focused = await reply(store, run, "more", focus="api")
    assert [task.name for task in await store.runs.tasks(focused.id)] == ["api"]
    assert focused.focus == "api"


async def test_a_thread_is_one_conversation(store: Store) -> None:
    first = await taken(store, asked(thread_ts="7.1"))
    again = await taken(store, asked(thread_ts="7.1"))
    elsewhere = [
        await taken(store, asked(thread_ts="7.1", channel="C2")),
        await taken(store, asked(thread_ts="7.1", workspace="T2")),
        await taken(store, asked()),
        await taken(store, asked()),
    ]
    assert (again.conversation, again.turn, again.thread_ts) == (first.conversation, 2, "7.1")
    assert len({first.conversation, *(run.conversation for run in elsewhere)}) == 5


async def test_another_workspaces_conversation_is_not_entered(store: Store) -> None:
    first = await taken(store)
    other = await taken(store, asked(workspace="T2", conversation=first.conversation))
    assert other.conversation != first.conversation


async def test_a_conversation_begins_with_its_requests_options(store: Store) -> None:
    options = Options("acme/api", "dev", Model.HAIKU, "src")
    run = await taken(store, asked(options=options))
    conversation = await store.conversations.get(run.conversation)
    assert conversation is not None
    assert (conversation.options, conversation.muted) == (options, False)


@pytest.mark.parametrize(
    ("said", "then"),
    [
        (Options(), Options("acme/api", "dev")),
        (Options(branch="fix"), Options("acme/api", "fix")),
        (Options(repo="acme/web"), Options("acme/web")),
        (Options(repo="acme/web", branch="fix"), Options("acme/web", "fix")),
        (Options(repo="acme/api", model=Model.HAIKU, directory="src"), Options("acme/api", "dev")),
    ],
)
async def test_a_replys_repository_and_branch_become_the_threads(
    store: Store, said: Options, then: Options
) -> None:
    first = await taken(store)
    second = await reply(store, first, options=said)
    conversation = await store.conversations.get(first.conversation)
    assert conversation is not None
    assert conversation.options == then
    assert second.invocation.options == said


async def test_a_retry_repeats_its_turn_and_decides_nothing(store: Store) -> None:
    first = await running(store)
    await store.runs.end(first.id, RunState.FAILED, NOW + 2)
    old = Options(repo="acme/old")
    retry = await reply(store, first, "fix it", options=old, turn=1, attempt=2, status_ts="1.1")
    assert (retry.turn, retry.attempt, retry.status_ts) == (1, 2, "1.1")
    conversation = await store.conversations.get(first.conversation)
    assert conversation is not None
    assert conversation.options == OPTIONS
    assert await store.runs.newest_attempt(first.conversation, 1) == await store.runs.get(retry.id)
    assert (await reply(store, first)).turn == 2


async def test_a_retry_of_a_turn_that_is_gone_is_a_new_one(store: Store) -> None:
    retry = await taken(store, asked(conversation=99, turn=7))
    assert retry.turn == 1


async def test_a_waiting_request_can_be_rewritten(store: Store) -> None:
    first = await running(store)
    waiting = await reply(store, first, "old words")
    [task] = await store.runs.tasks(waiting.id)
    await store.runs.task_posted(task.id, "3.3")

    new = Invocation("new words", options=Options("acme/api", "other"))
    assert await store.runs.rewrite(waiting.id, new, "api")

    now = await store.runs.get(waiting.id)
    assert now is not None
    assert (now.invocation, now.focus) == (new, "api")
    [task] = await store.runs.tasks(waiting.id)
    assert (task.name, task.ts) == ("api", "3.3")
    conversation = await store.conversations.get(first.conversation)
    assert conversation is not None
    assert conversation.options.branch == "other"


async def test_a_rewritten_request_can_have_more_tasks_or_fewer(store: Store) -> None:
    run = await taken(store)
    for names in (["a", "b", "c"], ["c", "d"]):
        assert await store.runs.rewrite(run.id, parallel(*names), None)
        tasks = await store.runs.tasks(run.id)
        assert [(task.name, task.position) for task in tasks] == [
            (name, position) for position, name in enumerate(names)
        ]


async def test_what_has_started_is_not_rewritten(store: Store) -> None:
    run = await running(store)
    assert not await store.runs.rewrite(run.id, Invocation("other"), None)
    assert await store.runs.get(run.id) is not None
    assert not await store.runs.rewrite("r-none", Invocation("other"), None)


async def test_the_past_knows_the_rewritten_words(store: Store) -> None:
    run = await taken(store)
    await store.runs.rewrite(run.id, Invocation("new words"), None)
    await store.runs.start(run.id, "me", NOW)
    assert await store.conversations.history(run.conversation, 2) == [PastTurn(1, "new words", "")]


async def test_the_posted_message_opens_the_thread(store: Store) -> None:
    run = await taken(store, ready=False)
    posted = await store.runs.posted(run.id, "1.5", "1.5")
    assert posted is not None
    assert (posted.status_ts, posted.thread_ts, posted.ready) == ("1.5", "1.5", True)
    conversation = await store.conversations.at("T1", "C1", "1.5")
    assert conversation is not None
    assert conversation.id == run.conversation


async def test_a_known_thread_keeps_its_name(store: Store) -> None:
    run = await taken(store, asked(thread_ts="1.0"), ready=False)
    posted = await store.runs.posted(run.id, "1.5", "1.5")
    assert posted is not None
    assert (posted.status_ts, posted.thread_ts) == ("1.5", "1.0")
    assert await store.runs.posted("r-none", "1.5", "1.5") is None


async def test_a_reply_that_was_quicker_than_the_post_is_joined(store: Store) -> None:
    run = await taken(store, ready=False)
    quick = await running(store, asked("quick", thread_ts="1.5"))
    posted = await store.runs.posted(run.id, "1.5", "1.5")
    assert posted is not None
    assert (posted.conversation, posted.turn, posted.thread_ts) == (quick.conversation, 2, "1.5")
    assert await store.conversations.get(run.conversation) is None
    assert await next_ready(store, 5) == []  # it waits for the quick one
    assert [turn.prompt for turn in await store.conversations.history(quick.conversation, 9)] == ["quick"]


async def test_text_that_a_database_would_refuse_is_stored_as_well_as_can_be(store: Store) -> None:
    run = await taken(store, asked("half \ud83d and \0 nul"))
    assert run.invocation.prompt == "half ? and \0 nul"  # JSON can escape NUL
    await store.runs.start(run.id, "me", NOW)
    assert await store.runs.end(run.id, RunState.DONE, NOW, answer="\udc00 \0", note="ok")
    ended = await store.runs.get(run.id)
    assert ended is not None
    assert ended.answer == "? \ufffd"


@pytest.mark.parametrize("withdraw", [False, True])
async def test_what_became_of_a_request_that_had_no_answer(database: SomeDatabase, withdraw: bool) -> None:
    store = await Store.open(database.url, owner="me", patience=5)
    assert await store.runs.recall(*WHO, "lost", NOW, withdraw=withdraw) is None
    later = await store.runs.take(asked(), "lost", NOW + 1)
    assert (later is None) == withdraw, "withdrawn is withdrawn for good"
    stored = await store.runs.take(asked(), "stored", NOW)
    assert stored is not None
    found = await store.runs.recall(*WHO, "stored", NOW, withdraw=withdraw)
    now = await store.runs.get(stored.id)
    assert now is not None
    assert found == (None if withdraw else now)
    assert now.state is (RunState.STOPPED if withdraw else RunState.QUEUED)
    assert await store.runs.recall(*WHO, "stored", NOW + 5, withdraw=True) is None, "another one's"
    await store.close()
