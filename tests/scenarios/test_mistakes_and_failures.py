"""What goes wrong, and what people are told: to them alone where nothing was started, in the run's messages else."""

import asyncio
from pathlib import Path

import pytest

from tests.support.cloudcoding import Cut, Fail, Out, Wait
from tests.support.world import World, world


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("repo=foo fix it", "`repo=foo` is not a repository"),
        ("parallel\na: one\nCreate unit tests", "Line 3 has no task name: `Create unit tests`"),
        ("parallel\na: one", "Nothing was started."),
        ("model=opus fix it", "model=opus"),
        ("retry r-zzzz", "no run `r-zzzz`"),
        ("help", "README"),
        ("status", "Nothing is running here."),
        ("stop", "Nothing is running here."),
    ],
)
async def test_it_is_answered_to_the_user_alone(bot: World, text: str, told: str) -> None:
    await bot.code(text)
    await bot.told("ann", told)
    assert not bot.slack.messages("#team")
    assert not bot.cloud.requests


async def test_without_a_repository_the_bot_asks(tmp_path: Path) -> None:
    async with world(tmp_path, CLOUDCODING_DEFAULT_REPO="") as it, it.running():
        await it.code("fix it")
        asked = await it.told("ann", "Which repository?")
        await it.slack.press("ann", asked, "Open form")
        form = await it.slack.wait_for(lambda: it.slack.modal("ann"))
        it.serve(Out("ok\n"))
        await it.slack.submit("ann", form, {"Prompt": "fix it", "Repository": "acme/web"})
        root = await it.root()
        await it.shows(root, "Done", "fix it", "acme/web")
        assert it.body()["repo_url"] == "https://github.com/acme/web"


async def test_a_channel_can_have_its_repository(tmp_path: Path) -> None:
    async with world(tmp_path, CLOUDCODING_DEFAULT_REPO="") as it, it.running():
        await it.code("repo acme/docs")
        await it.told("ann", "This channel now works on `acme/docs`")
        it.serve(Out("ok\n"))
        await it.code("fix it")
        await it.shows(await it.root(), "Done", "acme/docs")
        await it.code("repo none")
        await it.told("ann", "no repository any more")


@pytest.mark.parametrize(("status", "says"), [(401, "refused the API key"), (402, "out of credit")])
async def test_a_refusal_is_said_with_what_to_do(bot: World, status: int, says: str) -> None:
    bot.cloud.fail_next(status)
    await bot.code("go")
    root = await bot.root()
    await bot.shows(root, "Failed", says, "[Retry]")
    await bot.says(root, "Failed")


async def test_two_503_are_tried_again(bot: World) -> None:
    bot.cloud.fail_next(503, times=2)
    bot.serve(Out("at last\n"))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "Done", "at last")
    assert len(bot.cloud.requests) == 3


async def test_a_cut_stream_is_interrupted_and_never_sent_again(bot: World) -> None:
    bot.serve(Out("half of it\n"), Cut())
    await bot.code("go")
    root = await bot.root()
    await bot.shows(root, "Interrupted", "connection was lost", "[Retry]")
    await bot.says(root, "Interrupted", "half of it")
    assert len(bot.cloud.requests) == 1
    bot.serve(Out("all of it\n"))
    await bot.slack.press("ann", root, "Retry")
    await bot.shows(root, "Done")
    await bot.says(root, "Done", "all of it")


async def test_a_silent_stream_counts_as_cut(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(CLOUDCODING_IDLE_TIMEOUT="0.3"):
        it.serve(Out("then nothing\n"), Wait(asyncio.Event()))
        await it.code("go")
        root = await it.root()
        await it.shows(root, "Interrupted")
        await it.says(root, "then nothing")


async def test_an_error_without_a_task_fails_the_run(bot: World) -> None:
    bot.serve(Out("begin\n"), Fail(None, "the sandbox <died>"))
    await bot.code("go")
    root = await bot.root()
    await bot.shows(root, "Failed", "the sandbox <died>")


@pytest.mark.parametrize("user", ["guest", "stranger"])
async def test_only_full_members_may(bot: World, user: str) -> None:
    channel = "#shared" if user == "stranger" else "#team"
    await bot.slack.command(user, channel, "/code", "go")
    await bot.told(user, "can't start runs", channel)
    assert not bot.roots(channel)
    assert not bot.cloud.requests


async def test_operators_narrow_who_may_do_what(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(ALLOWED_USERS="U0BEN", ALLOWED_REPOS="acme/*"):
        await it.code("go")
        await it.told("ann", "ALLOWED_USERS")
        await it.code("repo=other/lib go", user="ben")
        await it.told("ben", "ALLOWED_REPOS")
        assert not it.cloud.requests


async def test_a_private_channel_without_the_bot_is_told_how_to_invite_it(bot: World) -> None:
    await bot.code("fix the login", channel="#hidden")
    answer = await bot.told("ann", "I'm not in this channel", "#hidden")
    assert "fix the login" in answer.text
    assert "/invite" in answer.text
    assert not bot.cloud.requests


async def test_a_public_channel_is_joined_so_that_replies_arrive(bot: World) -> None:
    bot.serve(Out("one\n"))
    await bot.code("go", channel="#open")
    root = await bot.root(channel="#open")
    await bot.shows(root, "Done")
    await bot.slack.wait_for(lambda: bot.slack.counts["conversations.join"])
    bot.serve(Out("two\n"))
    await bot.slack.say("ann", "#open", "and now this", thread_ts=root.ts)
    await bot.says(root, "Done", "two", channel="#open")


async def test_a_root_message_that_is_deleted_stops_nothing(bot: World) -> None:
    go_on = asyncio.Event()
    bot.serve(Out("one\n"), Wait(go_on), Out("two\n"))
    await bot.code("go")
    root = await bot.root()
    task = await bot.says(root, "one")
    await bot.slack.delete("ann", root)
    go_on.set()
    await bot.shows(task, "Done", "two")


async def test_limits_of_runs_at_once_and_a_day(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    async with world(tmp_path) as it, it.running(MAX_RUNS_PER_USER="1", MAX_RUNS_PER_DAY="2"):
        it.serve(Out("one\n"), Wait(go_on))
        await it.code("first")
        await it.says(await it.root(), "one")
        await it.code("second")
        answer = await it.told("ann", "You have 1 run waiting or running already")
        assert "second" in answer.text
        it.serve(Out("ben's\n"))
        await it.code("mine", user="ben")
        await it.shows(await it.root(1), "Done", "mine")
        go_on.set()
        await it.shows(await it.root(), "Done")
        it.serve(Out("two\n"))
        await it.code("third")
        await it.shows(await it.root(2), "Done", "third")
        await it.code("fourth")
        await it.told("ann", "You have begun 2 runs within 24 hours")
        assert len(it.cloud.requests) == 3
