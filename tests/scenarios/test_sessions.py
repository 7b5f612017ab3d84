"""Slack's agent sessions, where the workspace has them."""

import asyncio

from tests.support.cloudcoding import Out, Wait
from tests.support.world import World


async def test_a_session_follows_its_run_and_slacks_own_stop_stops_it(bot: World) -> None:
    bot.slack.access.agents = True
    bot.serve(Out("one\n"), Wait(asyncio.Event()))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "one")
    session = await bot.slack.wait_for(lambda: bot.slack.session(root))
    assert session.statuses == ["processing"]
    await bot.slack.stop_session("ben", root)
    await bot.slack.wait_for(lambda: bot.cloud.running == 0)
    await bot.shows(root, "Stopped", "@ben")
    await bot.slack.wait_for(lambda: session.statuses == ["processing", "closed"])

    bot.serve(Out("two\n"))
    await bot.slack.say("ann", "#team", "again", thread_ts=root.ts)
    await bot.says(root, "two", "Done")
    await bot.slack.wait_for(lambda: session.statuses[2:] == ["processing", "active"])


async def test_where_there_are_no_sessions_it_is_asked_once(bot: World) -> None:
    for _ in range(2):
        bot.serve(Out("one\n"))
        await bot.code("go")
    await bot.shows(await bot.root(1), "Done")
    await bot.shows(await bot.root(0), "Done")
    assert bot.slack.counts["agents.sessions.setStatus"] <= 2
