"""People change their minds: a request is edited while it waits, while it runs, and afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.slack import Message
from bot.simulator.slack.delivery import Delivery
from tests.support.cloudcoding import Out, Say, Wait
from tests.support.world import World, world

OFFER = "You changed your request while"
LONG = "rewrite the parser " + "so that it keeps every comment where it was " * 180


def reactions(message: Message) -> set[str]:
    return {name for name, users in message.reactions.items() if users}


def offers(bot: World, user: str = "ann", channel: str = "#team") -> list[Any]:
    return [told for told in bot.slack.ephemerals(user, channel) if OFFER in told.text]


def times_told(bot: World, text: str) -> int:
    return sum(text in told.text for told in bot.slack.ephemerals("ann", "#team"))


def asked(bot: World, number: int = -1) -> list[str]:
    return [message["content"] for message in bot.body(number)["messages"]]


async def settled(bot: World) -> None:
    """Wait until the bot does nothing more by itself."""
    assert bot.bot is not None
    await bot.bot.supervisor.settle(0.2)


async def mentioned(bot: World, text: str = "fix the login") -> tuple[Message, Message]:
    """A request in a message, which runs; the message, and the bot's own."""
    bot.serve(Out("one\n"), Wait(asyncio.Event()))
    number = len(bot.roots())
    message = await bot.slack.say("ann", "#team", f"@code {text}")
    root = await bot.root(number)
    await bot.says(root, "one")
    return message, root


async def replied(bot: World, text: str = "now the tests") -> tuple[Message, Message]:
    """A reply that runs; the message, and the root message of its thread."""
    bot.serve(Say("Begun."))
    await bot.code("begin")
    root = await bot.root()
    await bot.says(root, "Begun.")
    bot.serve(Out("one\n"), Wait(asyncio.Event()))
    message = await bot.slack.say("ann", "#team", text, thread_ts=root.ts)
    await bot.says(root, "one", "Running")
    return message, root


async def direct(bot: World, text: str = "fix the login") -> tuple[Message, Message]:
    bot.serve(Out("one\n"), Wait(asyncio.Event()))
    message = await bot.slack.say("ann", "@ann", text)
    root = await bot.root(channel="@ann")
    await bot.says(root, "one", channel="@ann")
    return message, root


Begin = Callable[[World], Awaitable[tuple[Message, Message]]]


@pytest.mark.parametrize(
    ("begin", "channel", "mention", "past"),
    [
        (mentioned, "#team", "@code ", ["fix the login"]),
        (replied, "#team", "", ["begin", "Begun.", "now the tests"]),
        (direct, "@ann", "", ["fix the login"]),
    ],
)
async def test_the_changed_request_takes_the_place_of_the_running_one(
    bot: World, begin: Begin, channel: str, mention: str, past: list[str]
) -> None:
    message, root = await begin(bot)
    sent = len(bot.cloud.requests)
    await bot.slack.edit("ann", message, f"{mention}{LONG}")
    offer = await bot.told("ann", OFFER, channel)
    assert bot.cloud.running == 1
    bot.serve(Out("two\n"), Say("The answer."))
    delivery = await bot.slack.press("ann", offer, "Rerun")
    assert "Stop this run" in str(delivery.payload["actions"][0]["confirm"])
    await bot.says(root, "two", "Done", channel=channel)
    await bot.says(root, "The answer.", channel=channel)
    assert len(bot.cloud.requests) == sent + 1
    assert asked(bot) == [*past, LONG.strip()]
    await bot.slack.wait_for(lambda: reactions(message) == {"white_check_mark"})
    # The offer says what became of it, and can't be pressed again.
    assert "in place of" in bot.slack.visible(offer)
    assert "[Rerun]" not in bot.slack.visible(offer)
    await bot.says(root, "one", "Stopped", channel=channel)
    bot.serve(Say("More."))
    await bot.slack.say("ann", channel, "and then", thread_ts=root.ts)
    await bot.says(root, "More.", channel=channel)
    assert asked(bot) == [*past, LONG.strip(), "The answer.", "and then"]


async def test_the_root_message_follows_and_others_wait_on(bot: World) -> None:
    message, root = await mentioned(bot)
    waiting = await bot.slack.say("ben", "#team", "later", thread_ts=root.ts)
    await bot.says(root, "Queued")
    await bot.slack.edit("ann", message, "@code branch=dev parallel\na: one\nb: two")
    bot.serve(Out("a1\n", "a"), Out("b1\n", "b"))
    bot.serve(Out("three\n"))
    await bot.slack.press("ann", await bot.told("ann", OFFER), "Rerun")
    await bot.says(root, "three", "Done")
    await bot.shows(root, "Done", "attempt 2", "dev", "a", "b")
    first, second = bot.body(1), bot.body(2)
    assert [task["task_name"] for task in first["parallel_tasks"]] == ["a", "b"]
    assert first["branch"] == "dev"
    assert second["messages"][-1]["content"] == "later"
    await bot.slack.wait_for(lambda: reactions(waiting) == {"white_check_mark"})


async def test_one_edit_is_offered_once_and_the_newest_one_counts(bot: World) -> None:
    message, root = await mentioned(bot)
    await bot.slack.edit("ann", message, "@code fix the logout")
    first = await bot.told("ann", OFFER)
    edited = edits(bot)[-1]
    await bot.slack.redeliver(edited)
    await bot.slack.edit("ann", message, "@code fix both")
    await bot.slack.wait_for(lambda: len(offers(bot)) == 2)
    # Slack shows a link's preview: the message changes, though nobody touched it.
    preview = edited.event | {
        "previous_message": edited.event["message"],
        "attachments": [{"text": "preview"}],
    }
    await bot.slack.event(preview)
    await bot.slack.redeliver(edited)
    await settled(bot)
    assert len(offers(bot)) == 2
    bot.serve(Out("two\n"))
    await bot.slack.press("ann", first, "Rerun")
    await bot.says(root, "two", "Done")
    assert asked(bot) == ["fix the login", "fix both"]


def edits(bot: World) -> list[Delivery]:
    return [one for one in bot.slack.deliveries if one.event.get("subtype") == "message_changed"]


async def test_pressed_twice_it_runs_once(bot: World) -> None:
    message, root = await mentioned(bot)
    go_on = asyncio.Event()
    for text in ("@code fix the logout", "@code fix both"):
        await bot.slack.edit("ann", message, text)
    await bot.slack.wait_for(lambda: len(offers(bot)) == 2)
    bot.serve(Out("two\n"), Wait(go_on))
    first, second = offers(bot)
    await asyncio.gather(bot.slack.press("ann", first, "Rerun"), bot.slack.press("ann", second, "Rerun"))
    await bot.says(root, "two")
    await bot.slack.wait_for(
        lambda: any("asked just what" in bot.slack.visible(one) for one in (first, second))
    )
    await settled(bot)
    assert len(bot.cloud.requests) == 2
    go_on.set()
    await bot.says(root, "two", "Done")


async def test_an_offer_outlives_its_run(bot: World) -> None:
    go_on = asyncio.Event()
    bot.serve(Out("one\n"), Wait(go_on), Say("As asked."))
    message = await bot.slack.say("ann", "#team", "@code fix the login")
    root = await bot.root()
    await bot.says(root, "one")
    await bot.slack.edit("ann", message, "@code fix the logout")
    offer = await bot.told("ann", OFFER)
    go_on.set()
    await bot.says(root, "As asked.")
    await bot.shows(root, "Done")
    bot.serve(Out("two\n"))
    await bot.slack.press("ann", offer, "Rerun")
    await bot.says(root, "two", "Done")
    assert asked(bot) == ["fix the login", "As asked.", "fix the logout"]


async def test_what_has_ended_is_not_offered_again(bot: World) -> None:
    bot.serve(Out("one\n"))
    message = await bot.slack.say("ann", "#team", "@code fix the login")
    await bot.shows(await bot.root(), "Done")
    await bot.slack.edit("ann", message, "@code fix the logout")
    await settled(bot)
    assert not bot.slack.ephemerals("ann", "#team")


EDITS = [
    ("@code fix the login ", None),
    ("@code repo=acme/api fix the login", None),
    ("fix the login, please @code", OFFER),
    ("@code repo=foo fix the login", "`repo=foo` is not a repository"),
    ("@code stop", "an edit doesn't stop it"),
    ("@code", "an edit doesn't stop it"),
    ("@code help", "an edit doesn't stop it"),
    ("@code repo=other/lib fix the login", "ALLOWED_REPOS"),
]


async def test_what_an_edit_may_say(tmp_path: Path) -> None:
    async with world(tmp_path) as bot, bot.running(ALLOWED_REPOS="acme/*"):
        message, _ = await mentioned(bot)
        for text, told in EDITS:
            before = len(bot.slack.ephemerals("ann", "#team"))
            await bot.slack.edit("ann", message, text)
            await settled(bot)
            answers = bot.slack.ephemerals("ann", "#team")[before:]
            assert len(answers) == (told is not None), text
            for answer in answers:
                assert (told or "") in answer.text
                assert "Nothing was started" not in answer.text
                assert ("[Rerun]" in bot.slack.visible(answer)) is (told == OFFER)
        assert bot.cloud.running == 1


async def test_what_is_in_the_way_when_it_is_pressed(bot: World) -> None:
    message, _root = await mentioned(bot)
    await bot.slack.edit("ann", message, "@code fix the logout")
    offer = await bot.told("ann", OFFER)
    fault = bot.slack.fail("conversations.replies", error="missing_scope")
    await bot.slack.press("ann", offer, "Rerun")
    await bot.told("ann", "I can't read your request from Slack right now")
    assert fault.hits
    await bot.slack.edit("ann", message, "@code model=opus fix it")
    await bot.told("ann", "model=opus")
    await bot.slack.press("ann", offer, "Rerun")
    await bot.slack.wait_for(lambda: times_told(bot, "model=opus") == 2)
    await bot.slack.edit("ann", message, "@code stop")
    await bot.slack.press("ann", offer, "Rerun")
    await bot.slack.wait_for(lambda: times_told(bot, "an edit doesn't stop it") == 2)
    await bot.slack.edit("ann", message, "@code fix the login")
    await bot.slack.press("ann", offer, "Rerun")
    await bot.slack.wait_for(lambda: "asked just what your request says now" in bot.slack.visible(offer))
    await bot.slack.edit("ann", message, "@code fix the logout again")
    await bot.slack.wait_for(lambda: len(offers(bot)) == 1)
    await bot.slack.delete("ann", message)
    await bot.slack.press("ann", offers(bot)[0], "Rerun")
    await bot.told("ann", "was deleted")
    assert bot.cloud.running == 1
    assert len(bot.cloud.requests) == 1


async def test_who_may_not_any_more_is_told_and_limits_count_the_old_one_out(tmp_path: Path) -> None:
    async with world(tmp_path) as bot, bot.running(MAX_RUNS_PER_USER="1", MAX_RUNS_PER_DAY="2"):
        message, root = await mentioned(bot)
        await bot.slack.edit("ann", message, "@code fix the logout")
        bot.serve(Out("two\n"), Wait(asyncio.Event()))
        await bot.slack.press("ann", await bot.told("ann", OFFER), "Rerun")
        await bot.says(root, "two")
        await bot.slack.edit("ann", message, "@code fix the layout")
        await bot.slack.wait_for(lambda: len(offers(bot)) == 1)
        await bot.slack.press("ann", offers(bot)[0], "Rerun")
        await bot.told("ann", "You have begun 2 runs within 24 hours")
        assert bot.cloud.running == 1
        user = bot.slack.workspace.user("ann")
        bot.slack.workspace.users[user.id] = replace(user, guest=True)
        await bot.slack.event({"type": "user_change", "user": {"id": user.id}})
        await bot.slack.press("ann", offers(bot)[0], "Rerun")
        await bot.told("ann", "Guests can't start runs")
        assert bot.cloud.running == 1


async def test_an_edit_meets_a_request_that_waits(bot: World) -> None:
    _message, root = await mentioned(bot)
    waiting = await bot.slack.say("ann", "#team", "later", thread_ts=root.ts)
    await bot.says(root, "Queued")
    await bot.slack.edit("ann", waiting, "model=opus later")
    await bot.told("ann", "waits as it was before the edit")
    await bot.slack.edit("ann", waiting, "repo=acme/web much later")
    bot.serve(Out("two\n"))
    await settled(bot)
    await bot.slack.press("ann", root, "Stop")
    await bot.says(root, "two", "Done")
    assert asked(bot)[-1] == "much later"
    assert bot.body()["repo_url"] == "https://github.com/acme/web"
