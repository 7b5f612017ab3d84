"""Replies that wait: each is shown with its place, and can be dropped or sent before the others."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from bot.runs.places import PACE
from bot.simulator.slack import Message
from tests.support.cloudcoding import Out, Say, Wait
from tests.support.world import World, world

QUESTION = "What is running in this thread is stopped first"


async def begun(bot: World, prompt: str = "fix the login", *, roots: int = 0) -> Message:
    """A run that goes on until it is stopped."""
    bot.serve(Out(f"{prompt}: at work\n"), Say(f"half of {prompt}"), Wait(asyncio.Event()))
    await bot.code(prompt)
    root = await bot.root(roots)
    await bot.says(root, "at work")
    return root


async def waiting(bot: World, root: Message, text: str, *, user: str = "ann") -> tuple[Message, Message]:
    """A reply, and the message that shows where it stands."""
    before = {message.ts for message in bot.thread(root)}
    reply = await bot.slack.say(user, "#team", text, thread_ts=root.ts)

    def shown() -> Message | None:
        return next(
            (m for m in bot.thread(root) if m.ts not in before and "Queued" in bot.slack.visible(m)), None
        )

    return reply, await bot.slack.wait_for(shown)


async def three(bot: World, root: Message) -> list[Message]:
    """The messages of three waiting replies: first, second, third."""
    return [(await waiting(bot, root, text))[1] for text in ("first", "second", "third")]


def reactions(message: Message) -> set[str]:
    return {name for name, users in message.reactions.items() if users}


def asked(bot: World) -> list[str]:
    """What the service was asked, in order."""
    return [str(request.body["messages"][-1]["content"]) for request in bot.cloud.requests]


def as_it_was(message: Message, text: str) -> Message:
    """A message as someone still sees it whose window is behind."""
    return replace(message, versions=[next(v for v in reversed(message.versions) if text in str(v.blocks))])


async def press_both(bot: World, user: str, message: Message, channel: str) -> list[str]:
    """What someone is told who presses both buttons."""
    for label in ("Send now", "Drop"):
        await bot.slack.press(user, message, label)

    def told() -> list[str]:
        texts = [one.text for one in bot.slack.ephemerals(user, channel)]
        return texts if len(texts) > 1 else []

    return await bot.slack.wait_for(told)


async def test_a_waiting_reply_has_its_own_two_buttons_and_a_running_one_has_stop(bot: World) -> None:
    root = await begun(bot)
    _, message = await waiting(bot, root, "and then")
    seen = await bot.shows(message, "Queued · 1st", "[Send now]", "[Drop]")
    assert "[Stop]" not in seen
    kinds = [(block["type"], block["block_id"]) for block in message.blocks]
    bot.serve(Out("two\n"), Wait(asyncio.Event()))
    await bot.slack.press("ann", root, "Stop")
    seen = await bot.shows(message, "Running", "two", "[Stop]")
    assert "[Send now]" not in seen
    assert "[Drop]" not in seen
    assert kinds == [(block["type"], block["block_id"]) for block in message.blocks]


async def test_a_dropped_reply_says_who_dropped_it_and_the_others_move_up(bot: World) -> None:
    root = await begun(bot)
    reply, first = await waiting(bot, root, "first")
    _, second = await waiting(bot, root, "second")
    await bot.shows(second, "Queued · 2nd")
    await bot.slack.press("ben", first, "Drop")
    seen = await bot.shows(first, "Stopped", "Dropped by @ben before it began.")
    assert "[Drop]" not in seen
    await bot.slack.wait_for(lambda: reactions(reply) == {"octagonal_sign"})
    await bot.shows(second, "Queued · 1st")
    bot.serve(Out("two\n"))
    await bot.slack.press("ann", root, "Stop")
    await bot.shows(second, "Done")
    assert asked(bot) == ["fix the login", "second"]
    assert "first" not in [m["content"] for m in bot.body()["messages"]]
    bot.serve(Out("first after all\n"))
    await bot.slack.press("ann", first, "Retry")
    await bot.says(root, "Done", "first after all")
    assert [m["content"] for m in bot.body()["messages"]][-2:] == ["second", "first"]
    await bot.slack.press("ben", first, "Retry")
    await bot.told("ben", "retried already")


async def test_a_reply_that_is_sent_now_stops_the_running_one_and_comes_before_the_others(bot: World) -> None:
    root = await begun(bot)
    _, first = await waiting(bot, root, "first")
    edited, second = await waiting(bot, root, "second")
    _, third = await waiting(bot, root, "third")
    go_on = asyncio.Event()
    bot.serve(Out("third done\n"), Say("answer to third"), Wait(go_on))
    bot.serve(Out("first done\n"), Say("answer to first"))
    bot.serve(Out("second done\n"))
    delivery = await bot.slack.press("ben", third, "Send now")
    assert QUESTION in str(delivery.payload["actions"][0]["confirm"])
    await bot.shows(root, "Stopped by @ben to send a newer reply.", "[Retry]")
    await bot.shows(third, "Running", "third done", "[Stop]")
    assert "Put first" not in bot.slack.visible(third)
    await bot.shows(first, "Queued · 1st", "[Send now]")
    await bot.shows(second, "Queued · 2nd", "[Send now]")
    await bot.slack.edit("ann", edited, "second, but better")
    go_on.set()
    await bot.shows(second, "Done", "second done")
    assert asked(bot) == ["fix the login", "third", "first", "second, but better"]
    assert [m["content"] for m in bot.body()["messages"]] == [
        "fix the login",
        "half of fix the login",
        "third",
        "answer to third",
        "first",
        "answer to first",
        "second, but better",
    ]
    assert not bot.slack.ephemerals("ben", "#team")


async def test_two_people_send_two_replies_at_once_and_nothing_is_lost(bot: World) -> None:
    root = await begun(bot)
    messages = await three(bot, root)
    for number in range(3):
        bot.serve(Out(f"{number}\n"))
    await asyncio.gather(
        bot.slack.press("ann", messages[1], "Send now"), bot.slack.press("ben", messages[2], "Send now")
    )
    for message in messages:
        await bot.shows(message, "Done")
    assert "to send a newer reply." in bot.slack.visible(root)
    assert sorted(asked(bot)[1:3]) == ["second", "third"]
    assert asked(bot)[3] == "first"
    # Whoever came second had nothing to stop any more.
    [told] = [one for name in ("ann", "ben") for one in bot.slack.ephemerals(name, "#team")]
    assert "is ending already" in told.text
    by = "@ann" if told.user == "U0BEN" else "@ben"
    assert f"Stopped by {by}" in bot.slack.visible(root)


async def test_one_reply_that_two_people_send_at_once_is_sent_once(bot: World) -> None:
    root = await begun(bot)
    _, message = await waiting(bot, root, "go")
    bot.serve(Out("gone\n"))
    await asyncio.gather(*(bot.slack.press(user, message, "Send now") for user in ("ann", "ben")))
    await bot.shows(message, "Done")
    assert asked(bot) == ["fix the login", "go"]
    told = await bot.slack.wait_for(
        lambda: bot.slack.ephemerals("ann", "#team") + bot.slack.ephemerals("ben", "#team")
    )
    assert len(told) == 1
    assert ("Nothing had to be stopped" in told[0].text) or ("waits no more" in told[0].text)


async def test_a_press_that_comes_too_late_is_answered(bot: World) -> None:
    async def press(message: Message, answer: str) -> None:
        for user, label in (("ann", "Send now"), ("ben", "Drop")):
            await bot.slack.press(user, as_it_was(message, "Queued"), label)
            await bot.told(user, answer)

    root = await begun(bot)
    reply, dropped = await waiting(bot, root, "never mind")
    _, message = await waiting(bot, root, "go")
    await bot.shows(message, "Queued · 2nd")
    await bot.slack.delete("ann", reply)
    await bot.shows(dropped, "Stopped")
    await press(dropped, "waits no more: Stopped")
    go_on = asyncio.Event()
    bot.serve(Out("going\n"), Wait(go_on))
    await bot.slack.press("ann", root, "Stop")
    await bot.shows(message, "Running", "going")
    await press(message, "has started already")
    assert bot.cloud.running == 1
    go_on.set()
    await bot.shows(message, "Done", "going")
    await press(message, "waits no more: Done")
    assert asked(bot) == ["fix the login", "go"]


async def test_only_those_who_may_start_runs_may_press(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(ALLOWED_USERS="U0ANN,U0GUEST"):
        root = await begun(it)
        _, message = await waiting(it, root, "go")
        for user, answer in (("guest", "Guests can't"), ("ben", "not among the people")):
            assert all(answer in told for told in await press_both(it, user, message, "#team"))
        assert "Queued · 1st" in it.slack.visible(message)
        assert it.cloud.running == 1


async def test_a_stranger_may_not_press(bot: World) -> None:
    bot.serve(Out("one\n"), Wait(asyncio.Event()))
    await bot.code("fix it", channel="#shared")
    root = await bot.root(channel="#shared")
    await bot.says(root, "one", channel="#shared")
    await bot.slack.say("ann", "#shared", "go", thread_ts=root.ts)
    message = await bot.says(root, "Queued · 1st", channel="#shared")
    told = await press_both(bot, "stranger", message, "#shared")
    assert all("People of other organisations" in text for text in told)
    assert "Queued · 1st" in bot.slack.visible(message)


@pytest.mark.slow
async def test_without_a_running_one_nothing_is_stopped_and_it_waits_for_a_place(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(MAX_CONCURRENT_RUNS="1"):
        it.serve(Out("zero\n"), Say("Zero."))
        await it.code("zero")
        root = await it.root()
        await it.shows(root, "Done")
        go_on = asyncio.Event()
        it.serve(Out("elsewhere\n"), Wait(go_on))
        await it.code("something else")
        other = await it.root(1)
        await it.says(other, "elsewhere")
        _, first = await waiting(it, root, "first")
        _, second = await waiting(it, root, "second")
        await it.shows(second, "Queued · 2nd")
        await it.slack.press("ben", second, "Send now")
        await it.told("ben", "as soon as a place is free")
        await it.shows(second, "Queued · 1st", "Put first by @ben.")
        await it.shows(first, "Queued · 2nd")
        await it.slack.press("ann", first, "Send now")
        await it.shows(first, "Queued · 1st", "Put first by @ann.")
        await it.shows(second, "Queued · 2nd")
        assert "Put first" not in it.slack.visible(second)
        assert it.cloud.running == 1
        it.serve(Out("one\n"))
        it.serve(Out("two\n"))
        go_on.set()
        await it.shows(other, "Done")
        await it.shows(second, "Done")
        assert asked(it) == ["zero", "something else", "first", "second"]
        assert [m["content"] for m in it.body()["messages"]] == ["zero", "Zero.", "first", "second"]


async def test_the_place_of_the_stopped_one_goes_to_the_reply(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(MAX_CONCURRENT_RUNS="1"):
        root = await begun(it)
        await it.code("something else")
        other = await it.root(1)
        seen = await it.shows(other, "Queued · 1st", "[Stop]")
        assert "[Send now]" not in seen
        _, message = await waiting(it, root, "more urgent")
        it.serve(Out("urgent\n"))
        it.serve(Out("else\n"))
        await it.slack.press("ann", message, "Send now")
        await it.shows(message, "Done")
        await it.shows(other, "Done")
        assert asked(it) == ["fix the login", "more urgent", "something else"]


async def test_a_parallel_reply_that_waits_has_them_too(bot: World) -> None:
    root = await begun(bot)
    _, first = await waiting(bot, root, "first")
    reply, several = await waiting(bot, root, "parallel\ntests: add some\ndocs: write some")
    seen = await bot.shows(several, "Queued · 2nd", "[Send now]", "[Drop]", "tests: add some")
    assert "[Stop]" not in seen
    bot.serve(Out("t\n", "tests"), Out("d\n", "docs"), Wait(asyncio.Event()))
    await bot.slack.press("ben", several, "Send now")
    await bot.shows(several, "2 running", "[Stop]")
    await bot.shows(first, "Queued · 1st")
    await bot.says(root, "docs", "1 line")
    assert [task["task_name"] for task in bot.body()["parallel_tasks"]] == ["tests", "docs"]
    _, more = await waiting(bot, root, "parallel\na: one\nb: two")
    await bot.slack.press("ben", more, "Drop")
    await bot.shows(more, "Stopped", "Dropped by @ben")
    await bot.slack.wait_for(lambda: "eyes" in reactions(reply))


async def test_a_waiting_reply_is_also_stopped_by_its_name_by_the_list_and_by_slack(bot: World) -> None:
    bot.slack.access.agents = True
    root = await begun(bot)
    _, named = await waiting(bot, root, "by name")
    run = named.blocks[-1]["elements"][0]["value"]
    await bot.code(f"stop {run}", user="ben")
    await bot.shows(named, "Stopped by @ben.")
    _, listed = await waiting(bot, root, "by the list")
    await bot.code("status")
    status = await bot.told("ann", "1 running, 1 waiting")
    buttons = [block["accessory"] for block in status.blocks if "accessory" in block]
    assert len(buttons) == 2
    value = listed.blocks[-1]["elements"][0]["value"]
    status.blocks = [b for b in status.blocks if b.get("accessory", {}).get("value") == value]
    await bot.slack.press("ann", status, "Stop")
    await bot.shows(listed, "Stopped by @ann.")
    _, last = await waiting(bot, root, "by slack")
    await bot.slack.stop_session("ben", root)
    await bot.shows(last, "Stopped", "@ben")
    await bot.shows(root, "Stopped", "@ben")
    assert asked(bot) == ["fix the login"]


@pytest.mark.slow
async def test_the_order_outlives_the_process(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with it.running(MAX_CONCURRENT_RUNS="1") as bot:
            it.serve(Out("zero\n"))
            await it.code("zero")
            root = await it.root()
            await it.shows(root, "Done")
            await begun(it, "something else", roots=1)
            first, second, third = await three(it, root)
            await it.slack.press("ann", third, "Send now")
            await it.shows(second, "Queued · 3rd")
            await bot.supervisor.close()
        for number in range(3):
            it.serve(Out(f"{number}\n"))
        async with it.running(MAX_CONCURRENT_RUNS="1"):
            for message in (third, first, second):
                await it.shows(message, "Done")
        assert asked(it) == ["zero", "something else", "third", "first", "second"]


async def test_a_waiting_reply_that_is_edited_to_be_for_one_task_says_so(bot: World) -> None:
    bot.serve(Out("a\n", "api"), Out("d\n", "docs"), Wait(asyncio.Event()))
    await bot.code("parallel\napi: harden it\ndocs: write them")
    root = await bot.root()
    await bot.says(root, "Running", "docs", "1 line")
    reply, message = await waiting(bot, root, "go on")
    await bot.slack.edit("ann", reply, "docs: go on")
    await bot.shows(message, "Queued · 1st", "docs")


async def test_however_often_something_happens_places_are_looked_up_a_few_times_a_second(
    tmp_path: Path,
) -> None:
    looked = 0

    def count(_c: Any, _cursor: Any, statement: str, _p: Any, _context: Any, _many: bool) -> None:
        nonlocal looked
        looked += "ready" in statement and "note" in statement and "invocation" not in statement

    async with world(tmp_path) as it, it.running(MAX_CONCURRENT_RUNS="1") as bot:
        root = await begun(it)
        _, message = await waiting(it, root, "go")
        await it.shows(message, "Queued · 1st")
        began = time.monotonic()
        event.listen(Engine, "before_cursor_execute", count)
        try:
            while time.monotonic() < began + 2 * PACE:
                bot.queue.wake()
                await asyncio.sleep(0.001)
        finally:
            event.remove(Engine, "before_cursor_execute", count)
        assert 1 <= looked <= 2 + (time.monotonic() - began) / PACE
