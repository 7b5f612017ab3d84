"""Who is answered, and how often; what is suggested to whom; and what people may see of other channels."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.slack import Message
from tests.support.cloudcoding import Out, Say, Wait
from tests.support.world import World, world


async def settled(bot: World) -> None:
    """Wait until the bot does nothing more by itself."""
    assert bot.bot is not None
    await bot.bot.supervisor.settle(0.3)


async def begun(bot: World, channel: str = "#team") -> Message:
    bot.serve(Say("Begun."))
    await bot.code("begin", channel=channel)
    root = await bot.root(channel=channel)
    await bot.says(root, "Begun.", channel=channel)
    return root


# Refusals


@pytest.mark.parametrize(
    ("user", "channel", "reason"),
    [("guest", "#team", "Guests can't"), ("stranger", "#shared", "People of other organisations can't")],
)
async def test_who_may_not_is_told_once_in_a_thread(bot: World, user: str, channel: str, reason: str) -> None:
    root = await begun(bot, channel)
    for text in ("go on", "stop", "mute", "help", "repo=foo x", "and on"):
        await bot.slack.say(user, channel, text, thread_ts=root.ts)
    await bot.told(user, reason, channel)
    await settled(bot)
    assert len(bot.slack.ephemerals(user, channel)) == 1
    # Whoever speaks to the bot is answered each time.
    await bot.slack.say(user, channel, "@code go on", thread_ts=root.ts)
    await bot.slack.wait_for(lambda: len(bot.slack.ephemerals(user, channel)) == 2)
    await bot.slack.command(user, channel, "/code", "go on")
    await bot.slack.wait_for(lambda: len(bot.slack.ephemerals(user, channel)) == 3)
    assert all(reason in told.text for told in bot.slack.ephemerals(user, channel))
    assert len(bot.cloud.requests) == 1
    # And it was not muted.
    bot.serve(Out("two\n"))
    await bot.slack.say("ann", channel, "go on", thread_ts=root.ts)
    await bot.says(root, "two", "Done", channel=channel)


async def test_once_also_across_a_restart_and_allowed_people_work_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with it.running():
            root = await begun(it)
            await it.slack.say("guest", "#team", "go on", thread_ts=root.ts)
            await it.told("guest", "Guests can't")
        async with it.running():
            await it.slack.say("guest", "#team", "please", thread_ts=root.ts)
            await settled(it)
            assert len(it.slack.ephemerals("guest", "#team")) == 1
            guest = it.slack.workspace.user("guest")
            it.slack.workspace.users[guest.id] = replace(guest, guest=False)
            await it.slack.event({"type": "user_change", "user": {"id": guest.id}})
            it.serve(Out("two\n"))
            await it.slack.say("guest", "#team", "now then", thread_ts=root.ts)
            await it.says(root, "two", "Done")
            assert it.body()["messages"][-1]["content"] == "now then"
        # Another reason is another answer.
        async with it.running(ALLOWED_USERS="U0ANN"):
            await it.slack.say("guest", "#team", "and now?", thread_ts=root.ts)
            await it.told("guest", "ALLOWED_USERS")
            # What is wrong with a request alone is said each time.
        async with it.running(ALLOWED_REPOS="acme/*"):
            for _ in range(2):
                await it.slack.say("ann", "#team", "repo=other/lib go", thread_ts=root.ts)
            await it.slack.wait_for(lambda: len(it.slack.ephemerals("ann", "#team")) == 2)
        assert len(it.cloud.requests) == 2


async def test_bots_are_left_alone(bot: World) -> None:
    root = await begun(bot)
    told = len(bot.slack.workspace.ephemerals)
    message: dict[str, Any] = {
        "type": "message",
        "channel": root.channel,
        "channel_type": "channel",
        "thread_ts": root.ts,
        "text": "<@U0CODE> do it again",
    }
    for number, author in enumerate(
        (
            {"user": "USLACKBOT"},
            {"user": "U0CODE"},
            {"user": "U0CODE", "bot_id": "B0CODE"},
            {"user": "U0OTHER", "bot_id": "B0OTHER"},
            {"subtype": "bot_message", "bot_id": "B0OTHER"},
        )
    ):
        ts = f"1700000000.00010{number}"
        assert (await bot.slack.event(message | author | {"ts": ts})).accepted
        changed = {
            "message": message | author | {"ts": ts, "edited": {"ts": "1.0"}},
            "subtype": "message_changed",
        }
        assert (await bot.slack.event(message | changed)).accepted
    await settled(bot)
    assert len(bot.slack.workspace.ephemerals) == told
    assert bot.database.rows("SELECT count(*) FROM runs") == [(1,)]


# The thread


async def test_a_reply_that_is_shown_in_the_channel_too_is_a_reply(bot: World) -> None:
    root = await begun(bot)
    bot.serve(Out("two\n"))
    await bot.slack.say("ann", "#team", "go on", thread_ts=root.ts, broadcast=True)
    await bot.says(root, "two", "Done")
    assert [m["content"] for m in bot.body()["messages"]] == ["begin", "Begun.", "go on"]


async def test_direct_messages_are_edited_and_deleted_like_others(bot: World) -> None:
    bot.serve(Out("one\n"), Wait(go_on := asyncio.Event()))
    await bot.slack.say("ann", "@ann", "begin")
    root = await bot.root(channel="@ann")
    await bot.says(root, "one", channel="@ann")
    first = await bot.slack.say("ann", "@ann", "first", thread_ts=root.ts)
    second = await bot.slack.say("ann", "@ann", "second", thread_ts=root.ts)
    await bot.says(root, "Queued · 2nd", channel="@ann")
    await bot.slack.edit("ann", second, "second, but better")
    await bot.slack.delete("ann", first)
    await settled(bot)
    bot.serve(Out("two\n"))
    go_on.set()
    await bot.says(root, "two", "Done", channel="@ann")
    assert bot.body()["messages"][-1]["content"] == "second, but better"
    assert len(bot.cloud.requests) == 2


async def test_a_mention_without_words_is_answered_in_a_thread_too(bot: World) -> None:
    root = await begun(bot)
    await bot.slack.say("ann", "#team", "@code", thread_ts=root.ts)
    await bot.told("ann", "What should I do?")


# Suggested prompts


async def test_prompts_are_suggested_where_the_app_is_an_agent(bot: World) -> None:
    bot.slack.access.agents = True
    await bot.slack.open_chat("ann")
    prompts = await bot.slack.wait_for(lambda: bot.slack.prompts("ann"))
    assert len(prompts) == 4
    assert "acme/api" in prompts[0]["title"]
    calls = bot.slack.counts["assistant.threads.setSuggestedPrompts"]
    # They stay where they are until the repository changes.
    await bot.slack.open_chat("ann")
    await settled(bot)
    assert bot.slack.counts["assistant.threads.setSuggestedPrompts"] == calls
    await bot.code("repo acme/docs", channel="@ann")
    await bot.told("ann", "now works on", "@ann")
    await bot.slack.open_chat("ann")
    await bot.slack.wait_for(lambda: "acme/docs" in bot.slack.prompts("ann")[0]["title"])
    # Each of them is something that can be asked.
    for prompt in bot.slack.prompts("ann")[:3]:
        bot.serve(Out("ok\n"))
        await bot.slack.say("ann", "@ann", prompt["message"])
    await bot.shows(await bot.root(2, channel="@ann"), "Done", "acme/docs")
    await bot.slack.say("ann", "@ann", prompts[-1]["message"])
    await bot.told("ann", "README", "@ann")
    # A guest could not do anything with them.
    await bot.slack.open_chat("guest")
    await settled(bot)
    assert not bot.slack.prompts("guest")


async def test_prompts_without_a_repository(tmp_path: Path) -> None:
    async with world(tmp_path, CLOUDCODING_DEFAULT_REPO="") as it, it.running():
        it.slack.access.agents = True
        await it.slack.open_chat("ann")
        prompts = await it.slack.wait_for(lambda: it.slack.prompts("ann"))
        assert [prompt["message"] for prompt in prompts] == ["settings", "status", "help"]


@pytest.mark.parametrize("refusal", ["feature_disabled", "not_allowed_token_type", "missing_scope"])
async def test_where_there_are_no_prompts_it_is_asked_once(bot: World, refusal: str) -> None:
    bot.slack.access.agents = True
    method = "assistant.threads.setSuggestedPrompts"
    bot.slack.fail(method, error=refusal, times=None)
    for user in ("ann", "ben", "ann"):
        await bot.slack.open_chat(user)
        await bot.slack.wait_for(lambda: bot.slack.counts[method])
        await settled(bot)
    assert bot.slack.counts[method] == 1
    assert not bot.slack.workspace.ephemerals


async def test_what_goes_wrong_once_is_tried_again(bot: World) -> None:
    bot.slack.access.agents = True
    method = "assistant.threads.setSuggestedPrompts"
    faults = [bot.slack.fail(method, status=503), bot.slack.fail(method, error="channel_not_found")]
    for fault in faults:
        await bot.slack.open_chat("ann")
        await settled(bot)
        assert fault.hits
    await bot.slack.open_chat("ann")
    await bot.slack.wait_for(lambda: bot.slack.prompts("ann"))


async def test_an_older_assistant_names_its_thread(bot: World) -> None:
    bot.slack.access.agents = True
    thread = {"user_id": "U0ANN", "channel_id": "D0ANN", "thread_ts": "1700000000.000100"}
    bot.slack.workspace.direct("U0ANN")
    await bot.slack.event({"type": "assistant_thread_started", "assistant_thread": thread})
    method = "assistant.threads.setSuggestedPrompts"
    call = await bot.slack.wait_for(lambda: next((c for c in bot.slack.calls if c.method == method), None))
    assert call.args["thread_ts"] == thread["thread_ts"]


# Other channels


async def test_after_a_restart_status_still_knows_which_channels_are_public(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with it.running(MAX_CONCURRENT_RUNS="1"):
            it.serve(Out("one\n"), Wait(asyncio.Event()))
            await it.code("first", channel="#open")
            await it.says(await it.root(channel="#open"), "one", channel="#open")
            await it.code("waiting in the open", channel="#open", user="ben")
            await it.code("waiting in private", channel="#private", user="ben")
            await it.root(1, channel="#open")
            await it.root(0, channel="#private")
        it.serve(Out("two\n"), Wait(asyncio.Event()))
        async with it.running(MAX_CONCURRENT_RUNS="1"):
            await it.slack.wait_for(lambda: it.cloud.running)
            await it.code("status")
            told = await it.told("ann", "1 running")
            seen = it.slack.visible(told)
            assert "in the open" in seen
            assert "in private" not in seen
            assert "1 more" in seen
