"""The home tab: one's own runs, kept up to date, with a button to stop them."""

import asyncio
from pathlib import Path

from bot.simulator.slack import Message, View
from tests.support.cloudcoding import Out, Wait
from tests.support.world import World, world


async def opened(bot: World, user: str = "ann") -> View:
    """The user's home, once it is published."""
    before = len(bot.slack.home(user).history) if user_has_home(bot, user) else 0
    await bot.slack.open_home(user)
    await bot.slack.wait_for(lambda: len(bot.slack.home(user).history) > before)
    return bot.slack.home(user)


def user_has_home(bot: World, user: str) -> bool:
    try:
        bot.slack.home(user)
    except KeyError:
        return False
    return True


async def home_shows(bot: World, view: View, *texts: str) -> str:
    # A tab is published every few seconds at most.
    await bot.slack.wait_for(lambda: all(text in bot.slack.visible(view) for text in texts), 15)
    return str(bot.slack.visible(view))


async def going(bot: World, prompt: str = "fix the login") -> tuple[Message, asyncio.Event]:
    """A run that goes on until the event is set."""
    go_on = asyncio.Event()
    bot.serve(Out("one\n"), Wait(go_on))
    await bot.code(prompt)
    root = await bot.root(len(bot.roots()))
    await bot.says(root, "one")
    return root, go_on


async def test_a_newcomer_learns_how_to_begin(bot: World) -> None:
    seen = bot.slack.visible(await opened(bot))
    assert "How to begin" in seen
    assert "/code Fix the flaky login test" in seen
    assert "0 running, 0 waiting" in seen
    assert "Last runs" not in seen


async def test_it_follows_ones_own_runs(bot: World) -> None:
    view = await opened(bot)
    bens = await opened(bot, "ben")
    before = len(bens.history)
    root, go_on = await going(bot, "repo=acme/web fix the login")
    bot.time.ahead += 10
    seen = await home_shows(
        bot, await opened(bot), "Running", "acme/web", "fix the login", "[Stop]", "1 running"
    )
    assert "How to begin" not in seen
    permalink = f"https://local.slack.com/archives/C0TEAM/p{root.ts.replace('.', '')}"
    assert permalink in str(view.blocks)
    go_on.set()
    seen = await home_shows(bot, view, "Last runs", "Done", "fix the login")
    assert "[Stop]" not in seen
    assert "<!date^" in str(view.blocks)
    assert len(bens.history) == before


async def test_changes_within_ten_seconds_are_shown_together(bot: World) -> None:
    view = await opened(bot)
    root, go_on = await going(bot)
    # The first change was shown at once; those that followed it wait for the rest of the ten seconds.
    await bot.slack.wait_for(lambda: len(view.history) == 2)
    go_on.set()
    await bot.shows(root, "Done")
    second, more = await going(bot, "and then that")
    assert len(view.history) == 2
    bot.time.ahead += 10
    more.set()
    await bot.shows(second, "Done")
    await home_shows(bot, view, "`fix the login`", "`and then that`")
    assert len(view.history) == 3


async def test_whose_home_was_never_opened_gets_none(bot: World) -> None:
    root, go_on = await going(bot)
    go_on.set()
    await bot.shows(root, "Done")
    assert not bot.slack.counts["views.publish"]


async def test_a_run_is_stopped_from_home(bot: World) -> None:
    root, _ = await going(bot)
    view = await opened(bot)
    delivery = await bot.slack.press("ann", view, "Stop")
    assert "Stop this run?" in str(delivery.payload["actions"][0]["confirm"])
    await bot.shows(root, "Stopped", "@ann")
    seen = await home_shows(bot, view, "Last runs", "Stopped")
    assert "[Stop]" not in seen
    await bot.slack.wait_for(lambda: bot.cloud.running == 0)


async def test_a_waiting_run_is_stopped_from_home(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(MAX_CONCURRENT_RUNS="1"):
        await going(it)
        await it.code("second", user="ben")
        second = await it.root(1)
        await it.shows(second, "Queued · 1st")
        view = await opened(it, "ben")
        assert "Queued · 1st" in it.slack.visible(view)
        assert "1 running, 1 waiting" in it.slack.visible(view)
        await it.slack.press("ben", view, "Stop")
        await it.shows(second, "Stopped", "@ben")
        await home_shows(it, view, "Nothing of yours", "Stopped", "1 running, 0 waiting")


async def test_a_stale_button_at_home_says_what_became_of_the_run(bot: World) -> None:
    root, go_on = await going(bot)
    view = await opened(bot)
    stale = View(view.id, view.user, view.view, view.hash, view.root)
    go_on.set()
    await bot.shows(root, "Done")
    await bot.slack.press("ann", stale, "Stop")
    await home_shows(bot, view, "already ended: Done")
    await opened(bot)
    assert "already ended" not in bot.slack.visible(view)


async def test_what_slack_refuses_for_now_is_published_later(bot: World) -> None:
    faults = [
        bot.slack.fail("views.publish", error="ratelimited", retry_after=9),
        bot.slack.fail("views.publish", status=503),
    ]
    await bot.slack.open_home("ann")
    async with asyncio.timeout(5):
        while not user_has_home(bot, "ann"):
            bot.time.ahead += 10
            # Whatever wakes the bot: it sees then how late it is.
            await bot.slack.open_home("ben")
    assert all(fault.hits for fault in faults)


async def test_what_slack_refuses_for_good_is_not_tried_again(bot: World) -> None:
    refused = bot.slack.fail("views.publish", error="not_enabled")
    await bot.slack.open_home("ann")
    await bot.slack.wait_for(lambda: refused.hits)
    root, go_on = await going(bot)
    go_on.set()
    await bot.shows(root, "Done")
    assert bot.slack.counts["views.publish"] == 1


async def test_while_the_database_is_away_it_says_so_and_comes_back(bot: World) -> None:
    _, go_on = await going(bot)
    view = await opened(bot)
    bot.database.rows("ALTER TABLE runs RENAME TO gone")
    await bot.slack.press("ann", view, "Stop")
    await home_shows(bot, view, "I can't read the runs right now")
    bot.database.rows("ALTER TABLE gone RENAME TO runs")
    bot.time.ahead += 10
    await opened(bot, "ben")
    await home_shows(bot, view, "That didn't work", "fix the login", "[Stop]")
    go_on.set()


async def test_the_messages_tab_is_no_home(bot: World) -> None:
    await bot.slack.event({"type": "app_home_opened", "user": "U0ANN", "tab": "messages", "channel": "D0ANN"})
    await opened(bot, "ben")
    assert not user_has_home(bot, "ann")


async def test_secrets_in_a_prompt_stay_secret(bot: World) -> None:
    token = "ghp_" + "a1B2" * 9
    root, go_on = await going(bot, f"use {token}")
    view = await opened(bot)
    await home_shows(bot, view, "use [redacted]")
    go_on.set()
    await bot.shows(root, "Done")
    assert token not in str(view.history)


async def test_status_lists_runs_with_their_links_and_a_button_for_those_who_may(bot: World) -> None:
    root, _ = await going(bot)
    await bot.code("status", user="guest")
    seen = bot.slack.visible(await bot.told("guest", "Running"))
    assert "[Stop]" not in seen
    assert "1 running, 0 waiting" in seen
    await bot.code("status", user="ben")
    listed = await bot.told("ben", "Running")
    assert root.ts.replace(".", "") in str(listed.blocks)
    await bot.slack.press("ben", listed, "Stop")
    await bot.told("ben", "Stopped `r-")
    await bot.shows(root, "Stopped", "@ben")
