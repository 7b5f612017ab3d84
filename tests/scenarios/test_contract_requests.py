"""Requests that come twice, at once, out of order, changed or taken back; and buttons that are pressed too often."""

import asyncio
from pathlib import Path

import pytest

from bot.simulator.slack import Message
from tests.support.cloudcoding import Fail, Out, Say, Wait
from tests.support.world import World, world


def reactions(message: Message) -> set[str]:
    return {name for name, users in message.reactions.items() if users}


async def bears(bot: World, message: Message, reaction: str) -> None:
    """Until this is the only reaction."""
    await bot.slack.wait_for(lambda: reactions(message) == {reaction}, timeout=15)


async def begun(bot: World, *steps: object, prompt: str = "fix the login") -> Message:
    bot.serve(*steps)  # type: ignore[arg-type]  # steps, whatever their kind
    await bot.code(prompt)
    return await bot.root()


async def ended(bot: World) -> None:
    """Until what is going on has ended, and nothing can start any more."""
    assert bot.bot is not None
    await bot.bot.queue.drain(10)


# Twice


async def test_deliveries_at_the_same_time_run_once(bot: World) -> None:
    bot.serve(Out("one\n"))
    delivery = await bot.slack.command("ann", "#team", "/code", "go")
    await asyncio.gather(*(bot.slack.redeliver(delivery) for _ in range(5)))
    bot.serve(Out("two\n"))
    await bot.slack.say("ann", "#team", "@code go too")
    await bot.slack.settle()
    await asyncio.gather(*(bot.slack.redeliver(d) for d in list(bot.slack.deliveries)))
    await bot.shows(await bot.root(1), "Done")
    await bot.shows(await bot.root(0), "Done")
    assert len(bot.roots()) == 2
    assert len(bot.cloud.requests) == 2


async def test_two_people_ask_at_once(bot: World) -> None:
    go_on = asyncio.Event()
    bot.serve(Out("one\n"), Wait(go_on))
    bot.serve(Out("two\n"), Wait(go_on))
    await asyncio.gather(bot.code("first"), bot.code("second", user="ben"))
    for number in range(2):
        await bot.shows(await bot.root(number), "Running")
    await bot.slack.wait_for(lambda: bot.cloud.running == 2)
    go_on.set()
    for number in range(2):
        await bot.shows(await bot.root(number), "Done")


async def test_a_button_pressed_often_retries_once(bot: World) -> None:
    root = await begun(bot, Out("one\n"))
    await bot.shows(root, "Done")
    for _ in range(4):
        bot.serve(Out("again\n"))
    await asyncio.gather(*(bot.slack.press(user, root, "Retry") for user in ("ann", "ben", "ann", "ben")))
    await bot.says(root, "Done", "again")
    await ended(bot)
    assert len(bot.cloud.requests) == 2
    await bot.shows(root, "Done", "attempt 2")


async def test_stop_pressed_twice_stops_once(bot: World) -> None:
    root = await begun(bot, Out("one\n"), Wait(asyncio.Event()))
    await bot.says(root, "one")
    await asyncio.gather(bot.slack.press("ben", root, "Stop"), bot.slack.press("ann", root, "Stop"))
    await bot.shows(root, "Stopped")
    alone = [e.text for user in ("ann", "ben") for e in bot.slack.ephemerals(user, "#team")]
    assert not any("still going" in text for text in alone), alone


async def test_a_guest_stops_nothing(bot: World) -> None:
    go_on = asyncio.Event()
    root = await begun(bot, Out("one\n"), Wait(go_on))
    await bot.says(root, "one")
    await bot.slack.press("guest", root, "Stop")
    await bot.told("guest", "Guests can't")
    await bot.slack.say("guest", "#team", "stop", thread_ts=root.ts)
    await bot.slack.say(
        "guest", "#team", "and do more", thread_ts=root.ts
    )  # a thread's replies are answered once
    await bot.slack.wait_for(lambda: len(bot.slack.ephemerals("guest", "#team")) == 2)
    await bot.shows(root, "Running")
    go_on.set()
    await bot.shows(root, "Done")
    await bot.slack.press("guest", root, "Retry")
    await bot.slack.wait_for(lambda: len(bot.slack.ephemerals("guest", "#team")) == 3)
    assert len(bot.cloud.requests) == 1


async def test_retries_of_a_parallel_run(bot: World) -> None:
    root = await begun(
        bot, Out("1\n", "a"), Fail("b", "no"), prompt="branch=dev model=haiku parallel\na: one\nb: two"
    )
    await bot.shows(root, "Failed", "[Retry]", "[Retry failed]")
    bot.serve(Out("2\n", "a"), Fail("b", "no again"))
    await bot.slack.press("ann", root, "Retry")
    await bot.shows(root, "Failed", "attempt 2", "[Retry failed]")
    assert [task["task_name"] for task in bot.body()["parallel_tasks"]] == ["a", "b"]
    bot.serve(Out("3\n", "b"))
    await bot.slack.press("ann", root, "Retry failed")
    await bot.shows(root, "Done", "attempt 3", "[Retry]")
    assert [task["task_name"] for task in bot.body()["parallel_tasks"]] == ["b"]
    assert bot.body()["branch"] == "dev"
    assert bot.body()["haiku"] is True


# Waiting


async def test_a_waiting_reply_is_changed_into_other_things(bot: World) -> None:
    go_on = asyncio.Event()
    root = await begun(bot, Out("one\n"), Wait(go_on))
    await bot.says(root, "one")
    texts = ["to a mistake", "to stop", "to another repo"]
    replies = [await bot.slack.say("ann", "#team", text, thread_ts=root.ts) for text in texts]
    for reply in replies:
        await bears(bot, reply, "hourglass_flowing_sand")
    await bot.slack.edit("ann", replies[0], "model=opus x")
    told = await bot.told("ann", "model=opus")
    assert "Nothing was started" not in told.text
    await bot.slack.edit("ann", replies[1], "stop")
    await bot.slack.edit("ann", replies[2], "repo=acme/web branch=x over there")
    await bears(bot, replies[1], "octagonal_sign")
    await bot.shows(root, "Running")
    bot.serve(Say("ok"))
    bot.serve(Say("ok too"))
    go_on.set()
    await bot.slack.wait_for(lambda: reactions(replies[2]) == {"white_check_mark"}, timeout=15)
    asked = [(r.body["messages"][-1]["content"], r.body["repo_url"]) for r in bot.cloud.requests]
    assert asked == [
        ("fix the login", "https://github.com/acme/api"),
        ("to a mistake", "https://github.com/acme/api"),
        ("over there", "https://github.com/acme/web"),
    ]


async def test_an_edit_does_not_get_around_what_is_allowed(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(ALLOWED_REPOS="acme/*"):
        go_on = asyncio.Event()
        root = await begun(it, Out("one\n"), Wait(go_on))
        await it.says(root, "one")
        reply = await it.slack.say("ann", "#team", "more", thread_ts=root.ts)
        await it.says(root, "Queued")
        await it.slack.edit("ann", reply, "repo=evil/corp more")
        await it.told("ann", "ALLOWED_REPOS")
        it.serve(Out("two\n"))
        go_on.set()
        await it.says(root, "Done", "two")
        assert it.body()["repo_url"] == "https://github.com/acme/api"


async def test_a_waiting_first_request_is_deleted_or_stopped(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(MAX_CONCURRENT_RUNS="1"):
        go_on = asyncio.Event()
        root = await begun(it, Out("one\n"), Wait(go_on))
        await it.says(root, "one")
        asked = await it.slack.say("ann", "@ann", "in private")
        second = await it.root(channel="@ann")
        await it.shows(second, "Queued · 1st", "[Stop]")
        await it.code("third")
        third = await it.root(1)
        await it.shows(third, "Queued · 2nd")
        await it.slack.delete("ann", asked)
        await it.shows(second, "Stopped", "[Retry]")
        await it.shows(third, "Queued · 1st")
        await it.slack.press("ben", third, "Stop")
        await it.shows(third, "Stopped", "@ben", "[Retry]")
        go_on.set()
        await it.shows(root, "Done")
        assert len(it.cloud.requests) == 1
        it.serve(Out("now\n"))
        await it.slack.press("ann", third, "Retry")
        await it.shows(third, "Done", "attempt 2")


# Replies


async def test_a_reply_with_options_and_one_after_a_failure(bot: World) -> None:
    root = await begun(bot, Fail(None, "broken"))
    await bot.shows(root, "Failed", "broken")
    bot.serve(Out("better\n"), Say("Yes."))
    reply = await bot.slack.say("ann", "#team", "branch=fix/x model=haiku try again", thread_ts=root.ts)
    await bot.says(root, "Done", "better")
    assert (bot.body()["branch"], bot.body()["haiku"]) == ("fix/x", True)
    assert bot.body()["messages"][-1]["content"] == "try again"
    await bot.slack.wait_for(lambda: reactions(reply) == {"white_check_mark"})
    # It may have waited a moment for the last message of the run before it.
    shown = [change.name for change in reply.reaction_log if change.added]
    assert shown[-2:] == ["eyes", "white_check_mark"]


async def test_a_retried_reply_bears_the_newest_end(bot: World) -> None:
    root = await begun(bot, Out("one\n"))
    await bot.says(root, "Done", "one")
    bot.serve(Fail(None, "broken"))
    reply = await bot.slack.say("ann", "#team", "more", thread_ts=root.ts)
    failed = await bot.says(root, "Failed", "[Retry]")
    await bot.slack.wait_for(lambda: reactions(reply) == {"x"})
    bot.serve(Out("better\n"))
    await bot.slack.press("ben", failed, "Retry")
    await bot.says(root, "Done", "better")
    await bot.slack.wait_for(lambda: reactions(reply) == {"white_check_mark"})
    await bot.shows(failed, "Failed")


async def test_parallel_in_a_thread_and_names_nobody_has(bot: World) -> None:
    root = await begun(bot, Out("one\n"), Say("First."))
    await bot.says(root, "First.")
    bot.serve(Out("a\n", "a"), Out("b\n", "b"))
    reply = await bot.slack.say("ann", "#team", "parallel\na: one\nb: two", thread_ts=root.ts)
    await bot.says(root, "Done", "1 line", "a")
    await bot.slack.wait_for(lambda: reactions(reply) == {"white_check_mark"})
    assert [t["task_name"] for t in bot.body()["parallel_tasks"]] == ["a", "b"]
    bot.serve(Out("c\n"))
    await bot.slack.say("ann", "#team", "note: nobody is called so", thread_ts=root.ts)
    await bot.slack.wait_for(lambda: len(bot.cloud.requests) == 3)
    assert bot.body()["messages"][-1]["content"] == "note: nobody is called so"


@pytest.mark.parametrize("kind", ["broadcast", "file", "bot"])
async def test_kinds_of_replies(bot: World, kind: str) -> None:
    root = await begun(bot, Out("one\n"))
    await bot.says(root, "Done", "one")
    bot.serve(Out("two\n"))
    if kind == "bot":
        await bot.slack.say("otherbot", "#team", "me too", thread_ts=root.ts)
        await bot.slack.settle()
        assert len(bot.cloud.requests) == 1
        return
    files = [("a.txt", b"hello")] if kind == "file" else []
    reply = await bot.slack.say(
        "ann", "#team", "and this", thread_ts=root.ts, broadcast=kind == "broadcast", files=files
    )
    await bot.says(root, "Done", "two")
    await bot.slack.wait_for(lambda: reactions(reply) == {"white_check_mark"})
    assert bot.body()["messages"][-1]["content"].startswith("and this")


# The mention at the end


@pytest.mark.parametrize("how", ["parallel", "short"])
async def test_the_mention_comes_once_and_only_after_long_runs(bot: World, how: str) -> None:
    go_on = asyncio.Event()
    prompt = "parallel\na: one\nb: two" if how == "parallel" else "go"
    root = await begun(
        bot, Out("one\n", "a" if how == "parallel" else None), Wait(go_on), Say("All."), prompt=prompt
    )
    await bot.says(root, "one")
    bot.time.ahead += 50 if how == "short" else 130
    go_on.set()
    await bot.says(root, "All.")
    await ended(bot)
    notes = [m for m in bot.thread(root) if "<@U0ANN>" in m.text]
    assert len(notes) == (0 if how == "short" else 1)
    assert all("2 min" in bot.slack.visible(note) for note in notes)
