"""One's own defaults: shown, changed in a form, and used where nothing nearer says otherwise."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.slack import View
from tests.support.cloudcoding import Out, Wait
from tests.support.world import World, world


async def form_of(bot: World, where: Any, user: str = "ann") -> View:
    await bot.slack.press(user, where, "Edit")
    return await bot.slack.wait_for(lambda: bot.slack.modal(user))


async def set_up(bot: World, user: str = "ann", **values: Any) -> None:
    """Save these settings by the form."""
    before = len(bot.slack.ephemerals(user, "#team"))
    await bot.code("settings", user=user)
    shown = await bot.slack.wait_for(lambda: bot.slack.ephemerals(user, "#team")[before])
    form = await form_of(bot, shown, user)
    await bot.slack.submit(user, form, values)
    assert not form.open, form.errors
    await bot.slack.wait_for(lambda: "Saved" in bot.slack.ephemerals(user, "#team")[-1].text)


async def asked(bot: World, text: str, user: str = "ann") -> dict[str, Any]:
    """What the service is sent for this request."""
    bot.serve(Out("ok\n"))
    number = len(bot.roots())
    await bot.code(text, user=user)
    await bot.shows(await bot.root(number), "Done")
    return bot.body()


async def test_they_are_shown_and_changed(bot: World) -> None:
    await bot.code("settings")
    shown = await bot.told("ann", "Repository: none of your own; `acme/api` is used")
    assert "long run: on" in shown.text
    form = await form_of(bot, shown)
    await bot.slack.submit("ann", form, {"Repository": "foo", "Branch": "a..b"})
    assert form.open
    assert set(form.errors) == {"repo", "branch"}
    values = {
        "Repository": "https://github.com/acme/mine",
        "Branch": "dev",
        "Model": "Haiku",
        "Notifications": [],
    }
    await bot.slack.submit("ann", form, values)
    await bot.told("ann", "Saved")
    await bot.slack.say("ann", "#team", "@code settings")
    shown = await bot.told("ann", "Repository: `acme/mine`")
    assert "Branch: `dev`" in shown.text
    assert "Model: `haiku`" in shown.text
    assert "long run: off" in shown.text
    form = await form_of(bot, shown)
    assert "acme/mine" in bot.slack.visible(form)
    await bot.slack.submit("ann", form, {"Repository": "", "Branch": "", "Model": "No preference"})
    await bot.code("settings")
    again = await bot.slack.wait_for(
        lambda: [e for e in bot.slack.ephemerals("ann", "#team") if "none of your" in e.text][1]
    )
    assert "Model: no preference" in again.text
    assert "long run: off" in again.text


async def test_inline_over_the_channels_over_the_users_over_the_operators(bot: World) -> None:
    await set_up(bot, Repository="acme/mine", Branch="dev", Model="Haiku")
    body = await asked(bot, "one")
    assert (body["repo_url"], body["branch"], body["haiku"]) == ("https://github.com/acme/mine", "dev", True)
    body = await asked(bot, "branch=next model=sonnet two")
    assert (body["repo_url"], body["branch"], body["haiku"]) == (
        "https://github.com/acme/mine",
        "next",
        False,
    )
    body = await asked(bot, "repo=acme/other three")
    assert body["repo_url"] == "https://github.com/acme/other"
    assert "branch" not in body, "the branch is one of another repository"
    assert body["haiku"] is True
    await bot.code("repo acme/channel")
    await bot.told("ann", "now works on `acme/channel`")
    assert (await asked(bot, "four"))["repo_url"] == "https://github.com/acme/channel"
    assert (await asked(bot, "repo=acme/mine five"))["branch"] == "dev"


async def test_they_are_nobody_elses_and_a_branch_can_stand_alone(bot: World) -> None:
    await set_up(bot, Branch="dev")
    assert (await asked(bot, "one"))["branch"] == "dev"
    assert (await asked(bot, "repo=acme/other two"))["branch"] == "dev"
    assert "branch" not in await asked(bot, "three", user="ben")


async def test_a_repository_that_is_not_open_is_refused_at_its_field(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(ALLOWED_REPOS="acme/*"):
        await it.code("settings")
        form = await form_of(it, await it.told("ann", "Repository"))
        await it.slack.submit("ann", form, {"Repository": "other/lib"})
        assert form.open
        assert "ALLOWED_REPOS" in form.errors["repo"]


async def test_from_home_they_are_confirmed_at_home(bot: World) -> None:
    await bot.slack.open_home("ann")
    home = await bot.slack.wait_for(lambda: bot.slack.home("ann"))
    form = await form_of(bot, home)
    await bot.slack.submit("ann", form, {"Repository": "acme/mine"})
    await bot.slack.wait_for(lambda: "Saved" in bot.slack.visible(home))
    assert "Repository: `acme/mine`" in bot.slack.visible(home)
    assert not bot.slack.ephemerals("ann", "#team")


async def test_a_form_that_cannot_be_opened_is_answered(bot: World) -> None:
    await bot.code("settings")
    bot.slack.fail("views.open", status=503)
    await bot.slack.press("ann", await bot.told("ann", "Repository"), "Edit")
    await bot.told("ann", "can't be shown right now")


async def test_settings_that_cannot_be_stored_are_not_confirmed(bot: World) -> None:
    await bot.code("settings")
    shown = await bot.told("ann", "Repository")
    form = await form_of(bot, shown)
    bot.database.rows("ALTER TABLE users RENAME TO gone")
    await bot.slack.submit("ann", form, {"Repository": "acme/mine"})
    await bot.told("ann", "could not be saved")
    await bot.slack.press("ann", shown, "Edit")
    await bot.told("ann", "can't be shown right now")


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_mention_at_the_end_can_be_switched_off(bot: World, wanted: bool) -> None:
    if not wanted:
        await set_up(bot, Notifications=[])
    go_on = asyncio.Event()
    bot.serve(Out("slow\n"), Wait(go_on))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "slow")
    bot.time.ahead += 200
    go_on.set()
    await bot.shows(root, "Done")
    await over(bot)
    assert any("your run in" in bot.slack.visible(m) for m in bot.thread(root)) is wanted


async def test_who_is_in_the_thread_already_is_not_mentioned(bot: World) -> None:
    go_on = asyncio.Event()
    bot.serve(Out("slow\n"), Wait(go_on))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "slow")
    bot.serve(Out("quick\n"))
    await bot.slack.say("ann", "#team", "and then this", thread_ts=root.ts)
    await bot.says(root, "Queued")
    bot.time.ahead += 200
    go_on.set()
    await bot.says(root, "Done", "quick")
    await over(bot)
    assert not any("your run in" in bot.slack.visible(m) for m in bot.thread(root))


async def over(bot: World) -> None:
    """Wait until the last run's messages are all posted."""
    assert bot.bot is not None
    async with asyncio.timeout(5):
        while bot.bot.queue.running:  # noqa: ASYNC110  nothing that Slack shows marks it
            await asyncio.sleep(0)
