"""Two bots on one database file, as while a new version is started before the old one ends."""

import asyncio
from pathlib import Path

from bot.simulator.slack import Message
from tests.support.cloudcoding import Out, Say, Wait
from tests.support.world import World, world


async def begun(bots: World, number: int = 0) -> Message:
    bots.serve(Out("at work\n"), Wait(asyncio.Event()))
    await bots.code(f"run {number}")
    root = await bots.root(number)
    await bots.says(root, "at work")
    return root


def known_roots(bots: World) -> list[str | None]:
    """The messages of which the database knows that they show runs."""
    return [ts for (ts,) in bots.database.rows("SELECT status_ts FROM runs")]


async def test_each_stops_what_the_other_one_has(tmp_path: Path) -> None:
    async with world(tmp_path) as bots, bots.running():
        roots = [await begun(bots, number) for number in range(3)]
        async with bots.running():  # to which Slack delivers from here on
            seconds = [await stopped(bots, root, number) for number, root in enumerate(roots)]
    assert min(seconds) < 1, "a busy machine may be slow once, but not each time"


async def stopped(bots: World, root: Message, number: int) -> float:
    """Stop a run; returns how many seconds its stream went on."""
    began = asyncio.get_running_loop().time()
    await bots.slack.press("ben", root, "Stop")
    await bots.cloud.requests[number].disconnected.wait()
    took = asyncio.get_running_loop().time() - began
    await bots.shows(root, "Stopped", "ben")
    return took


async def test_a_waiting_request_starts_where_there_is_room(tmp_path: Path) -> None:
    async with world(tmp_path, MAX_CONCURRENT_RUNS="1") as bots, bots.running():
        await begun(bots)
        bots.serve(Say("The second is done."))
        await bots.code("second")
        second = await bots.root(1)
        await bots.shows(second, "Queued · 1st")
        async with bots.running():
            await bots.shows(second, "Done")
    assert len(bots.cloud.requests) == 2


async def test_a_reply_waits_for_what_the_other_one_runs_and_says_so_from_the_start(tmp_path: Path) -> None:
    async with world(tmp_path) as bots, bots.running():
        root = await begun(bots)
        async with bots.running():
            await bots.slack.say("ann", "#team", "go on", thread_ts=root.ts)
            reply = await bots.says(root, "Queued · 1st")
            assert not [version for version in reply.versions if "Running" in version.text]


async def test_a_waiting_request_is_taken_back_by_the_other_one(tmp_path: Path) -> None:
    async with world(tmp_path, MAX_CONCURRENT_RUNS="1") as bots, bots.running():
        await begun(bots)
        await bots.code("second")
        second = await bots.root(1)
        await bots.shows(second, "Queued · 1st")
        async with bots.running(MAX_RUNS_PER_WORKSPACE="1"):
            await bots.slack.press("ann", second, "Stop")
            await bots.shows(second, "Stopped")
        await asyncio.sleep(0.5)  # in which the first one would show its place again
        assert "Stopped" in bots.slack.visible(second)


async def test_what_only_slack_knows_of_is_taken_back_by_the_other_one_in_its_place(tmp_path: Path) -> None:
    async with world(tmp_path, MAX_CONCURRENT_RUNS="1") as bots, bots.running():
        await begun(bots)
        bots.slack.fail("chat.postMessage", status=503, applied=True)
        bots.slack.fail("conversations.history", status=503, times=None)
        await bots.code("second")
        second = await bots.root(1)
        async with bots.running(MAX_RUNS_PER_WORKSPACE="1"):
            await bots.slack.press("ann", second, "Stop")
            await asyncio.sleep(0.5)  # the first one lets go
            bots.slack.heal()
            await bots.slack.wait_for(lambda: "Stopped" in bots.slack.visible(second), 15)
            while second.ts not in known_roots(bots):  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0.05)
            await bots.slack.say("ann", "#team", "go on", thread_ts=second.ts)
            await bots.says(second, "Queued")
        assert len(bots.roots()) == 2
