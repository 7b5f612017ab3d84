"""Threads, what was said in them, and what channels are set to."""

from bot.core.run import RunState, TaskState
from bot.store.records import PastTurn, TaskEnd
from bot.store.store import Store
from tests.store.requests import NOW, asked, parallel, reply, running, taken


async def test_what_is_set_of_a_conversation(store: Store) -> None:
    run = await taken(store, asked(thread_ts="1.1"))
    await store.conversations.name_upstream_thread(run.conversation, "up-1")
    await store.conversations.set_muted(run.conversation, True)
    conversation = await store.conversations.at("T1", "C1", "1.1")
    assert conversation is not None
    assert (conversation.upstream_thread, conversation.muted) == ("up-1", True)
    assert await store.conversations.get(run.conversation) == conversation
    assert await store.conversations.at("T2", "C1", "1.1") is None


async def test_history_is_what_was_really_asked(store: Store) -> None:
    first = await running(store, asked(invocation=parallel("web", "api")))
    dropped = await reply(store, first, "never mind")
    await store.runs.drop_waiting(first.conversation, NOW, "")
    await store.runs.end(first.id, RunState.DONE, NOW, answer="done both")
    second = await reply(store, first, "and docs", focus="docs")
    await store.runs.start(second.id, "me", NOW)
    third = await reply(store, first, "third")
    assert (dropped.turn, second.turn, third.turn) == (2, 3, 4)
    assert await store.conversations.history(first.conversation, third.turn) == [
        PastTurn(1, "web: do web\napi: do api", "done both"),
        PastTurn(3, "docs: and docs", ""),
    ]
    assert await store.conversations.history(first.conversation, 1) == []


async def test_a_retrys_answer_is_its_turns(store: Store) -> None:
    first = await running(store)
    await store.runs.end(first.id, RunState.FAILED, NOW, answer="half")
    retry = await reply(store, first, "fix it", turn=1, attempt=2)
    await store.runs.start(retry.id, "me", NOW)
    assert await store.runs.end(retry.id, RunState.INTERRUPTED, NOW)
    assert await store.conversations.history(first.conversation, 2) == [PastTurn(1, "fix it", "half")]


async def test_a_task_has_a_history_of_its_own(store: Store) -> None:
    first = await running(store, asked(invocation=parallel("web", "api")))
    web, api = await store.runs.tasks(first.id)
    ends = [TaskEnd(task.id, TaskState.DONE, 1, f"{task.name} is done", "", NOW) for task in (web, api)]
    await store.runs.end(first.id, RunState.DONE, NOW, answer="all done", tasks=ends)
    more = await reply(store, first, "more web", focus="web")
    await store.runs.start(more.id, "me", NOW)
    history = store.conversations.task_history
    assert await history(first.conversation, "web") == [PastTurn(1, "do web", "web is done")]

    await store.runs.end(more.id, RunState.DONE, NOW, answer="more done")
    await reply(store, first, "even more", focus="web")
    past = [PastTurn(1, "do web", "web is done"), PastTurn(2, "more web", "more done")]
    assert await history(first.conversation, "web") == past
    assert await history(first.conversation, "web", before_turn=2) == past[:1]
    assert await history(first.conversation, "docs") == []


async def test_of_a_turns_attempts_the_newest_counts(store: Store) -> None:
    first = await running(store, asked(invocation=parallel("web", "api")))
    await store.runs.end(first.id, RunState.FAILED, NOW)
    retry = await taken(
        store, asked(invocation=parallel("web"), conversation=first.conversation, turn=1, attempt=2)
    )
    await store.runs.start(retry.id, "me", NOW)
    [web] = await store.runs.tasks(retry.id)
    end = TaskEnd(web.id, TaskState.DONE, 1, "at last", "", NOW)
    await store.runs.end(retry.id, RunState.DONE, NOW, tasks=[end])
    history = store.conversations.task_history
    assert await history(first.conversation, "web") == [PastTurn(1, "do web", "at last")]
    assert await history(first.conversation, "api") == [PastTurn(1, "do api", "")]


async def test_the_names_of_parallel_tasks(store: Store) -> None:
    first = await taken(store, asked(invocation=parallel("web", "api")))
    await reply(store, first, "more", focus="web")
    await taken(store, asked(conversation=first.conversation, invocation=parallel("api", "docs")))
    single = await taken(store)
    assert await store.conversations.task_names(first.conversation) == ("web", "api", "docs")
    assert await store.conversations.task_names(single.conversation) == ()


async def test_a_channels_repository(store: Store) -> None:
    channels = store.channels
    assert await channels.repo("T1", "C1") is None
    await channels.set_repo("T1", "C1", "acme/api", "U1", NOW)
    await channels.set_repo("T1", "C2", "acme/web", "U1", NOW)
    await channels.set_repo("T1", "C1", "acme/docs", "U2", NOW + 1)
    assert await channels.repo("T1", "C1") == "acme/docs"
    assert await channels.repo("T2", "C1") is None
    await channels.set_repo("T1", "C1", None, "U1", NOW + 2)
    assert await channels.repo("T1", "C1") is None
    assert await channels.repo("T1", "C2") == "acme/web"
