"""Replies continue the conversation; stopping, waiting, changing one's mind."""

import asyncio
from pathlib import Path

from bot.simulator.slack import Message
from tests.support.cloudcoding import Out, Say, Wait
from tests.support.world import World, world


def reactions(message: Message) -> set[str]:
    return {name for name, users in message.reactions.items() if users}


async def begun(bot: World, *steps: object, prompt: str = "fix the login") -> Message:
    bot.serve(*steps)  # type: ignore[arg-type]  # steps, whatever their kind
    await bot.code(prompt)
    return await bot.root()


async def test_a_reply_resends_the_history_where_no_thread_is_known(bot: World) -> None:
    root = await begun(bot, Out("ok\n"), Say("It was a race."))
    await bot.says(root, "It was a race.")
    bot.serve(Out("tests added\n"), Say("Added."))
    reply = await bot.slack.say("ben", "#team", "now add tests", thread_ts=root.ts)
    await bot.says(root, "Done", "tests added")
    await bot.slack.wait_for(lambda: reactions(reply) == {"white_check_mark"})
    body = bot.body()
    assert body["repo_url"] == "https://github.com/acme/api"
    assert [(m["type"], m["content"]) for m in body["messages"]] == [
        ("human", "fix the login"),
        ("ai", "It was a race."),
        ("human", "now add tests"),
    ]


async def test_a_reply_names_the_upstream_thread_where_it_is_known(bot: World) -> None:
    root = await begun(bot, Say("Done so far.", thread_id="thread-9"), prompt="branch=dev fix the login")
    await bot.says(root, "Done so far.")
    bot.serve(Out("more\n"))
    await bot.slack.say("ann", "#team", "go on", thread_ts=root.ts)
    await bot.says(root, "Done", "more")
    body = bot.body()
    assert body["thread_id"] == "thread-9"
    assert body["branch"] == "dev"
    assert [m["content"] for m in body["messages"]] == ["go on"]


async def test_replies_wait_in_order_and_can_be_changed_or_taken_back(bot: World) -> None:
    go_on = asyncio.Event()
    root = await begun(bot, Out("one\n"), Wait(go_on))
    await bot.says(root, "one")
    first = await bot.slack.say("ann", "#team", "first", thread_ts=root.ts)
    await bot.says(root, "Queued")
    second = await bot.slack.say("ann", "#team", "second", thread_ts=root.ts)
    third = await bot.slack.say("ann", "#team", "third", thread_ts=root.ts)
    await bot.says(root, "Queued · 3rd")
    await bot.slack.wait_for(lambda: reactions(third) == {"hourglass_flowing_sand"})
    await bot.slack.edit("ann", first, "first, but better")
    await bot.slack.delete("ann", second)
    await bot.says(root, "Stopped")
    bot.serve(Out("two\n"), Say("Two."))
    bot.serve(Out("three\n"))
    assert len(bot.cloud.requests) == 1
    go_on.set()
    await bot.says(root, "Done", "three")
    asked = [request.body["messages"][-1]["content"] for request in bot.cloud.requests]
    assert asked == ["fix the login", "first, but better", "third"]
    await bot.slack.wait_for(lambda: reactions(third) == {"white_check_mark"})
    assert "second" not in str([m for r in bot.cloud.requests for m in r.body["messages"]])


async def test_stop_by_the_button_closes_the_stream_and_says_who(bot: World) -> None:
    root = await begun(bot, Out("one\n"), Wait(asyncio.Event()))
    task = await bot.says(root, "one")
    delivery = await bot.slack.press("ben", root, "Stop")
    assert "Stop this run?" in str(delivery.payload["actions"][0]["confirm"])
    await bot.slack.wait_for(lambda: bot.cloud.running == 0)
    seen = await bot.shows(root, "Stopped", "[Retry]", "Stopped by")
    assert "@ben" in seen
    assert "[Stop]" not in seen
    await bot.shows(task, "Stopped", "one")


async def test_stop_in_the_thread_drops_what_waits(bot: World) -> None:
    root = await begun(bot, Out("one\n"), Wait(asyncio.Event()))
    await bot.says(root, "one")
    waiting = await bot.slack.say("ann", "#team", "later", thread_ts=root.ts)
    await bot.says(root, "Queued")
    await bot.slack.say("ben", "#team", "stop", thread_ts=root.ts)
    await bot.shows(root, "Stopped", "@ben")
    await bot.slack.wait_for(lambda: reactions(waiting) == {"octagonal_sign"})
    assert len(bot.cloud.requests) == 1


async def test_stop_by_command(bot: World) -> None:
    root = await begun(bot, Out("one\n"), Wait(asyncio.Event()))
    await bot.says(root, "one")
    await bot.code("status")
    await bot.told("ann", "Running")
    await bot.code("stop")
    await bot.shows(root, "Stopped", "@ann")
    await bot.slack.wait_for(lambda: bot.cloud.running == 0)


async def test_a_stale_button_is_answered(bot: World) -> None:
    go_on = asyncio.Event()
    root = await begun(bot, Out("one\n"), Wait(go_on))
    await bot.says(root, "one")
    old = root.versions[-1]
    go_on.set()
    await bot.shows(root, "Done")
    button = next(e for b in old.blocks if b["type"] == "actions" for e in b["elements"])
    run = button["value"]
    await bot.code(f"stop {run}")
    await bot.told("ann", "already ended: Done")


async def test_asides_and_muted_threads_are_left_alone(bot: World) -> None:
    root = await begun(bot, Out("one\n"))
    await bot.says(root, "Done", "one")
    await bot.slack.say("ann", "#team", "!aside what do you think, ben?", thread_ts=root.ts)
    await bot.slack.say("ann", "#team", "mute", thread_ts=root.ts)
    await bot.told("ann", "Muted")
    await bot.slack.say("ben", "#team", "I think it is fine", thread_ts=root.ts)
    bot.serve(Out("two\n"))
    await bot.slack.say("ben", "#team", "@code do it again", thread_ts=root.ts)
    await bot.says(root, "Done", "two")
    assert [r.body["messages"][-1]["content"] for r in bot.cloud.requests] == ["fix the login", "do it again"]


async def test_a_named_reply_continues_that_task_alone(bot: World) -> None:
    root = await begun(
        bot,
        Out("a\n", "api"),
        Say("API hardened.", task="api", run_id="1"),
        Out("d\n", "docs"),
        Say("Docs written.", task="docs", run_id="2"),
        prompt="parallel\napi: harden it\ndocs: write them",
    )
    await bot.says(root, "API hardened.")
    bot.serve(Out("rate limits too\n"))
    await bot.slack.say("ann", "#team", "api: rate limits too", thread_ts=root.ts)
    await bot.says(root, "Done", "rate limits too")
    assert [m["content"] for m in bot.body()["messages"]] == ["harden it", "API hardened.", "rate limits too"]
    bot.serve(Out("all\n"))
    await bot.slack.say("ann", "#team", "sum it all up", thread_ts=root.ts)
    await bot.says(root, "Done", "all")
    told = bot.body()["messages"]
    assert told[-1]["content"] == "sum it all up"
    assert "Docs written." in str(told)
    assert "API hardened." in str(told)


async def test_a_direct_message_is_a_request(bot: World) -> None:
    bot.serve(Out("hi\n"))
    asked = await bot.slack.say("ann", "@ann", "fix the login")
    root = await bot.root(channel="@ann")
    await bot.says(root, "Done", "hi", channel="@ann")
    await bot.slack.wait_for(lambda: reactions(asked) == {"white_check_mark"})


async def test_a_mention_is_a_request_once(bot: World) -> None:
    bot.serve(Out("hi\n"))
    await bot.slack.say("ann", "#team", "@code repo=acme/web fix the login")
    root = await bot.root()
    await bot.shows(root, "Done", "fix the login", "acme/web")
    assert len(bot.cloud.requests) == 1


async def test_what_waits_for_room_shows_its_place(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    async with world(tmp_path) as it, it.running(MAX_CONCURRENT_RUNS="1"):
        first = await begun(it, Out("one\n"), Wait(go_on))
        await it.says(first, "one")
        await it.code("second")
        await it.code("third")
        await it.shows(await it.root(1), "Queued · 1st", "[Stop]")
        last = await it.root(2)
        await it.shows(last, "Queued · 2nd")
        it.serve(Out("two\n"))
        it.serve(Out("three\n"))
        go_on.set()
        await it.shows(last, "Done")


async def test_after_a_crash_runs_are_interrupted_and_keep_what_had_arrived(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with it.running() as bot:
            root = await begun(it, Out("half\n"), Wait(asyncio.Event()))
            task = await it.says(root, "half")
            await it.slack.wait_for(lambda: True)
            # The process dies: nothing is said any more, neither to Slack nor to the database.
            await bot.supervisor.close()
        await it.slack.wait_for(lambda: it.cloud.running == 0)
        async with it.running():
            await it.shows(root, "Interrupted", "[Retry]")
            await it.shows(task, "Interrupted", "half")
            it.serve(Out("whole\n"))
            await it.slack.press("ann", root, "Retry")
            await it.shows(root, "Done")
        assert len(it.cloud.requests) == 2


async def test_draining_interrupts_what_does_not_end_in_time(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running() as bot:
        root = await begun(it, Out("half\n"), Wait(asyncio.Event()))
        task = await it.says(root, "half")
        await bot.drain(0.05)
        await it.shows(root, "Interrupted", "restarted")
        await it.shows(task, "Interrupted", "half")
        await it.slack.wait_for(lambda: it.cloud.running == 0)


async def test_one_task_of_several_can_be_stopped_and_the_last_one_ends_the_stream(bot: World) -> None:
    go_on = asyncio.Event()
    root = await begun(
        bot,
        Out("a1\n", "a"),
        Out("b1\n", "b"),
        Wait(go_on),
        Out("a2\n", "a"),
        Out("b2\n", "b"),
        Wait(asyncio.Event()),
        prompt="parallel\na: one\nb: two",
    )
    first, second = await bot.says(root, "a1", "[Stop]"), await bot.says(root, "b1", "[Stop]")
    await bot.slack.press("ben", first, "Stop")
    seen = await bot.shows(first, "Stopped", "@ben", "hidden from now on")
    assert "[Stop]" not in seen
    go_on.set()
    await bot.shows(second, "b2", "Running")
    assert "a2" not in bot.slack.visible(first)
    assert bot.cloud.running == 1
    await bot.slack.press("ann", second, "Stop")
    await bot.slack.wait_for(lambda: bot.cloud.running == 0)
    await bot.shows(root, "Stopped", "@ann")
