"""The main job over Socket Mode: the same requests, over a connection that the bot opens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from bot.app import Bot
from bot.simulator.slack import LocalSlack, Message
from bot.simulator.slack.hub import Change
from bot.simulator.slack.model import ApiCall
from tests.support.cloudcoding import Out, Say, Wait
from tests.support.world import World, world


@asynccontextmanager
async def connected(it: World) -> AsyncIterator[Bot]:
    """A bot that has opened its connection."""
    async with it.running(SLACK_APP_TOKEN=it.slack.app_token, SLACK_SIGNING_SECRET="") as bot:
        it.slack.bot_url = None
        await until_connected(it)
        yield bot


async def get(bot: Bot, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bot.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def run(it: World, text: str) -> Message:
    """A command whose run is done; returns its root message."""
    it.serve(Out(f"{text} is done\n"), Say("Fine.", thread_id="t-1"))
    number = len(it.roots())
    await it.code(text)
    root = await it.root(number)
    await it.says(root, "Done", f"{text} is done")
    return root


async def until_connected(it: World) -> None:
    """One connection is up, and the bot knows who it is."""
    async with asyncio.timeout(20):
        while not (it.slack.sockets.connected == 1 and it.slack.counts["auth.test"]):  # noqa: ASYNC110  a connection is no change in the workspace, which could be waited for
            await asyncio.sleep(0.01)


async def test_command_reply_and_button(tmp_path: Path) -> None:
    async with world(tmp_path) as it, connected(it) as bot:
        root = await run(it, "first")
        it.serve(Out("second\n"))
        await it.slack.say("ben", "#team", "go on", thread_ts=root.ts)
        await it.says(root, "Done", "second")
        it.serve(Out("half\n"), Wait(asyncio.Event()))
        await it.slack.press("ben", root, "Retry")
        await it.says(root, "Running", "half")
        delivery = await it.slack.press("ann", root, "Stop")
        assert delivery.accepted
        await it.shows(root, "Stopped")
        await it.slack.command("ann", "#team", "/code", "")
        form = await it.slack.wait_for(lambda: it.slack.modal("ann"))
        await it.slack.submit("ann", form, {"Prompt": "parallel\na: one"})
        assert form.open
        assert form.errors
        assert (await get(bot, "/healthz"))[0] == 200
        assert (await get(bot, "/readyz"))[0] == 200
        assert "bot_runs_running" in (await get(bot, "/metrics"))[1]
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{bot.port}/slack/events"
            async with session.post(url, data=b"{}") as answer:
                assert answer.status == 404


async def test_it_reconnects_and_takes_up_what_slack_redelivers(tmp_path: Path) -> None:
    async with world(tmp_path) as it, connected(it):
        await it.slack.sockets.disconnect()
        await it.slack.wait_for(lambda: it.slack.counts["apps.connections.open"] == 2)
        await until_connected(it)
        await run(it, "after it was asked to reconnect")


async def test_what_came_before_it_was_asked_to_reconnect_is_acknowledged_where_it_came(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as it, connected(it):
        it.serve(Out("it is done\n"))
        with it.database.locked():  # so that the acknowledgement has to wait
            asking = asyncio.create_task(it.slack.say("ann", "#team", "@code go"))
            await it.slack.wait_for(lambda: it.slack.deliveries)
            await it.slack.sockets.say({"type": "disconnect", "reason": "warning"})
            await it.slack.wait_for(lambda: it.slack.counts["apps.connections.open"] == 2)
        await asking
        assert [len(delivery.attempts) for delivery in it.slack.deliveries[:2]] == [1, 1]
        assert all(delivery.accepted for delivery in it.slack.deliveries)
        await it.says(await it.root(), "it is done")
        await until_connected(it)


@pytest.mark.slow
async def test_an_address_that_is_no_longer_valid_is_not_tried_for_ever(tmp_path: Path) -> None:
    async with world(tmp_path) as it, connected(it):
        opened = it.slack.counts["apps.connections.open"]

        def expire(change: Change) -> None:
            again = it.slack.counts["apps.connections.open"] == opened + 1
            if isinstance(change.subject, ApiCall) and again:
                it.slack.workspace.tickets.clear()

        it.slack.workspace.hub.listen(expire)
        await it.slack.sockets.disconnect()
        await it.slack.wait_for(lambda: it.slack.counts["apps.connections.open"] == opened + 2, 20)
        await until_connected(it)


async def test_it_starts_while_slack_cannot_be_reached(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with LocalSlack(limits=None) as gone:
            nowhere = gone.api_url
        async with it.running(
            SLACK_APP_TOKEN=it.slack.app_token, SLACK_API_URL=nowhere, SLACK_SIGNING_SECRET=""
        ) as bot:
            status, text = await get(bot, "/readyz")
            assert status == 503
            assert "Slack" in text
            assert (await get(bot, "/healthz"))[0] == 200


async def test_it_connects_once_slack_can_be_reached(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        fault = it.slack.fail("*", status=503, times=2)
        async with it.running(SLACK_APP_TOKEN=it.slack.app_token, SLACK_SIGNING_SECRET=""):
            it.slack.bot_url = None
            await until_connected(it)
            assert fault.hits == 2
            await run(it, "at last")


async def test_closing_leaves_nothing_running(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        before = asyncio.all_tasks()
        async with connected(it):
            it.serve(Out("half\n"), Wait(asyncio.Event()))
            await it.code("go")
            await it.says(await it.root(), "half")
            await it.slack.sockets.disconnect()  # and close it in the midst of connecting again
        await it.slack.settle()
        left = {task for task in asyncio.all_tasks() - before if "slack_sdk" in repr(task.get_coro())}
        await asyncio.wait(left or {asyncio.create_task(asyncio.sleep(0))}, timeout=1)
        assert not [task for task in left if not task.done()]
