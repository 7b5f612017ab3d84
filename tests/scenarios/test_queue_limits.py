"""How much may go on and wait at once in a workspace."""

import asyncio
from pathlib import Path

from tests.support.cloudcoding import Out, Say, Wait
from tests.support.world import World, world


async def busy(bot: World, going: int, waiting: int = 0) -> None:
    """Runs that don't end, and others that wait for that."""
    for number in range(going + waiting):
        bot.serve(Out("at work\n"), Wait(asyncio.Event()))
        await bot.code(f"prompt {number}")
        root = await bot.root(number)
        if number < going:
            await bot.says(root, "at work")


async def test_a_full_queue_gives_back_what_was_typed(tmp_path: Path) -> None:
    async with world(tmp_path, MAX_CONCURRENT_RUNS="1", MAX_QUEUED_RUNS="2") as bot, bot.running():
        await busy(bot, 1, waiting=2)
        root = bot.roots()[0]
        await bot.shows(bot.roots()[2], "Queued · 2nd")
        await bot.code("one too many")
        assert "one too many" in (await bot.told("ann", "The queue is full")).text
        await bot.slack.say("ann", "#team", "a reply too many", thread_ts=root.ts)
        await bot.told("ann", "a reply too many")
        assert len(bot.roots()) == 3
        await bot.slack.press("ann", bot.roots()[1], "Stop")
        await bot.shows(bot.roots()[1], "Stopped")
        await bot.code("now there is room")
        await bot.shows(await bot.root(3), "Queued · 2nd")


async def test_a_workspace_has_no_more_runs_going_on_than_it_may(tmp_path: Path) -> None:
    async with world(tmp_path, MAX_RUNS_PER_WORKSPACE="2") as bot, bot.running():
        await busy(bot, 2)
        bot.serve(Say("The third is done."))
        await bot.code("third")
        third = await bot.root(2)
        await bot.shows(third, "Queued · 1st")
        await bot.slack.press("ann", bot.roots()[0], "Stop")
        await bot.shows(third, "Done")
