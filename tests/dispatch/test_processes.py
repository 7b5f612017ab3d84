"""Several processes on one PostgreSQL database: what one of them is told, the other one does."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.errors import StoreUnavailable
from bot.simulator.slack import Message
from tests.scenarios.test_home import home_shows, opened
from tests.scenarios.test_metrics import metrics
from tests.scenarios.test_process import Process
from tests.scenarios.test_two_processes import stopped
from tests.store import databases
from tests.store.databases import Schema
from tests.support.cloudcoding import Out, Say, Wait
from tests.support.world import World, world


@pytest.fixture
async def bots(schema: Schema, tmp_path: Path) -> AsyncIterator[World]:
    """A world without a bot yet, on a database that several can share."""
    async with world(tmp_path, DATABASE_URL=f"{schema.url}&application_name={schema.name}") as it:
        yield it


@asynccontextmanager
async def web_and_worker(bots: World, **environment: Any) -> AsyncIterator[World]:
    async with (
        bots.running(EMBEDDED_WORKER="false", **environment),
        bots.running(web=False, **environment),
    ):
        yield bots


async def begun(bots: World, prompt: str, number: int = 0, channel: str = "#team") -> Message:
    """A run that goes on until it is stopped."""
    bots.serve(Out(f"{prompt}: at work\n"), Wait(asyncio.Event()))
    await bots.code(prompt, channel=channel)
    root = await bots.root(number, channel)
    await printed(bots, root, f"{prompt}: at work", channel)
    return root


async def printed(bots: World, root: Message, line: str, channel: str = "#team") -> None:
    """Wait until a task's output is seen; which of its two messages has it first is a matter of the edits there are."""
    await bots.slack.wait_for(
        lambda: any(line in bots.slack.visible(shown) for shown in [root, *bots.thread(root, channel)])
    )


async def test_one_takes_the_other_executes(bots: World, schema: Schema) -> None:
    async with web_and_worker(bots):
        bots.serve(Out("hello\n"), Say("All done."))
        await bots.code("say hello")
        root = await bots.root()
        await bots.shows(root, "Done")
        await bots.says(root, "All done.")
        await bots.says(root, "hello")
    assert len(bots.cloud.requests) == 1
    assert schema.rows("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == [(0,)]


async def test_without_a_worker_requests_wait_and_go_on_when_there_is_one(bots: World) -> None:
    async with bots.running(EMBEDDED_WORKER="false"):
        roots = []
        for number, prompt in enumerate(("first", "second")):
            bots.serve(Say(f"{prompt} is done."))
            await bots.code(prompt)
            roots.append(await bots.root(number))
        await bots.shows(roots[0], "Queued · 1st")
        await bots.shows(roots[1], "Queued · 2nd")
        assert not bots.cloud.requests
        async with bots.running(web=False):
            for root in roots:
                await bots.shows(root, "Done")


async def test_places_move_when_another_process_is_done(bots: World) -> None:
    async with web_and_worker(bots, MAX_CONCURRENT_RUNS="1"):
        go_on = asyncio.Event()
        bots.serve(Out("one\n"), Wait(go_on))
        await bots.code("one")
        await bots.says(await bots.root(0), "one")
        for number in (1, 2):
            bots.serve(Out("later\n"), Wait(asyncio.Event()))
            await bots.code(f"later {number}")
        await bots.shows(await bots.root(1), "Queued · 1st")
        last = await bots.root(2)
        await bots.shows(last, "Queued · 2nd")
        go_on.set()
        await bots.shows(last, "Queued · 1st")


async def test_stop_reaches_the_process_that_has_the_run(bots: World) -> None:
    async with web_and_worker(bots):
        roots = [await begun(bots, "fix it", number) for number in range(3)]
        seconds = [await stopped(bots, root, number) for number, root in enumerate(roots)]
    assert min(seconds) < 1, "a busy machine may be slow once, but not each time"


async def test_what_a_dead_worker_left_and_nobody_took_over_is_stopped_with_all_of_its_messages(
    bots: World, schema: Schema, tmp_path: Path
) -> None:
    async with bots.running(EMBEDDED_WORKER="false"):
        worker = await Process.start(bots.environment, tmp_path, "worker")
        await worker.logged("bot.started")
        root = await begun(bots, "fix it")
        async with asyncio.timeout(10):
            while not schema.rows("SELECT 1 FROM chunks"):  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0.05)
        await worker.kill()
        schema.rows("UPDATE workers SET beat_at = beat_at - 60 WHERE role = 'worker'")
        await bots.slack.press("ben", root, "Stop")
        await bots.shows(root, "Stopped", "ben")
        await bots.says(root, "Stopped", "at work")


async def test_one_task_is_stopped_from_another_process(bots: World) -> None:
    async with web_and_worker(bots):
        bots.serve(Out("a\n", "web"), Out("b\n", "api"), Wait(asyncio.Event()))
        await bots.code("parallel\nweb: do a\napi: do b")
        root = await bots.root()
        web, api = await bots.says(root, "web", "a"), await bots.says(root, "api", "b")
        await bots.slack.press("ann", web, "Stop")
        await bots.shows(web, "Stopped")
        await bots.shows(root, "Running")
        await bots.slack.press("ann", api, "Stop")
        await bots.shows(root, "Stopped")


async def test_a_reply_is_sent_now_from_another_process(bots: World) -> None:
    async with web_and_worker(bots):
        root = await begun(bots, "fix it")
        for text in ("first", "second"):
            await bots.slack.say("ann", "#team", text, thread_ts=root.ts)
        second = await bots.says(root, "Queued · 2nd")
        bots.serve(Out("second at work\n"), Wait(asyncio.Event()))
        await bots.slack.press("ann", second, "Send now")
        await bots.shows(root, "Stopped")
        await bots.shows(second, "second at work")


async def test_a_waiting_request_is_dropped_and_changed_from_another_process(bots: World) -> None:
    async with bots.running(EMBEDDED_WORKER="false"):
        await bots.code("first")
        root = await bots.root(0)
        await bots.shows(root, "Queued · 1st")
        async with bots.running(EMBEDDED_WORKER="false"):  # Slack's deliveries go there now
            await bots.slack.press("ann", root, "Stop")
            await bots.shows(root, "Stopped")
        assert "Stopped" in bots.slack.visible(root)


@pytest.mark.slow
async def test_workspaces_limit_over_all_processes(bots: World) -> None:
    limit: dict[str, Any] = {"MAX_RUNS_PER_WORKSPACE": "2"}
    async with web_and_worker(bots, **limit), bots.running(web=False, **limit):
        roots = [await begun(bots, f"run {number}", number) for number in range(2)]
        bots.serve(Out("third at work\n"), Wait(asyncio.Event()))
        await bots.code("third")
        third = await bots.root(2)
        await bots.shows(third, "Queued · 1st")
        await asyncio.sleep(1.5)  # longer than any process takes to look by itself
        assert len(bots.cloud.requests) == 2
        await bots.slack.press("ann", roots[0], "Stop")
        await printed(bots, third, "third at work")


async def test_a_deploy_with_overlap_loses_nothing(bots: World) -> None:
    async with bots.running(MAX_CONCURRENT_RUNS="1") as old:
        go_on = asyncio.Event()
        bots.serve(Out("old at work\n"), Wait(go_on), Say("The old one is done."))
        await bots.code("old")
        first = await bots.root(0)
        await printed(bots, first, "old at work")
        bots.serve(Say("The new one is done."))
        await bots.code("new")
        second = await bots.root(1)
        await bots.shows(second, "Queued · 1st")
        async with bots.running(MAX_CONCURRENT_RUNS="1"):
            draining = asyncio.create_task(old.drain(5.0))
            await bots.says(second, "The new one is done.")
            go_on.set()
            await draining
            await bots.shows(first, "Done")
            await bots.says(first, "The old one is done.")
            await bots.shows(second, "Done")
    assert len(bots.cloud.requests) == 2


@pytest.mark.slow
async def test_a_lost_connection_is_made_again(bots: World, schema: Schema) -> None:
    async with web_and_worker(bots):
        root = await begun(bots, "fix it")
        for _ in range(20):
            schema.rows(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                [schema.name],
            )
            await asyncio.sleep(0.1)
        bots.serve(Say("Still there."))
        await bots.code("and this")
        await bots.says(await bots.root(1), "Still there.")
        await bots.slack.press("ann", root, "Stop")
        await bots.shows(root, "Stopped")


async def test_a_database_that_was_not_migrated_is_said_in_a_line(tmp_path: Path) -> None:
    with databases.schema(empty=True) as schema:
        async with world(tmp_path, DATABASE_URL=schema.url) as it:
            with pytest.raises(StoreUnavailable, match="isn't migrated: run `python -m bot migrate` first"):
                async with it.running():
                    raise AssertionError


async def test_a_tab_follows_what_another_process_does(bots: World) -> None:
    async with web_and_worker(bots):
        go_on = asyncio.Event()
        bots.serve(Out("at work\n"), Wait(go_on), Say("All done."))
        await bots.code("say hello")
        await bots.shows(await bots.root(), "Running")
        tab = await opened(bots)
        await home_shows(bots, tab, "Running")
        go_on.set()
        await home_shows(bots, tab, "Done")


async def page(port: int, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def test_a_worker_has_pages_of_its_own_and_nothing_for_slack(bots: World) -> None:
    async with bots.running(EMBEDDED_WORKER="false") as web, bots.running(web=False) as worker:
        root = await begun(bots, "fix it")
        assert await page(worker.port, "/healthz") == (200, '{"status": "alive"}')
        assert (await page(worker.port, "/slack/events"))[0] == 404
        await bots.slack.wait_for(lambda: bots.slack.counts["auth.test"] == 2)
        assert await page(worker.port, "/readyz") == (200, '{"status": "ready"}')
        here, there = await metrics(web.port), await metrics(worker.port)
        assert (here["bot_runs_running",], there["bot_runs_running",]) == (0, 1)
        assert here["bot_runs", "running"] == there["bot_runs", "running"] == 1
        assert (here["bot_run_wait_seconds_count",], there["bot_run_wait_seconds_count",]) == (0, 1)
        draining = asyncio.create_task(worker.drain(0.0))
        await bots.shows(root, "Interrupted")
        assert await page(worker.port, "/readyz") == (503, '{"status": "not ready", "reason": "draining"}')
        await draining


async def test_a_worker_listens_only_where_its_own_environment_names_the_port(
    bots: World, tmp_path: Path
) -> None:
    environment = {name: value for name, value in bots.environment.items() if name != "PORT"}
    async with bots.running() as web:
        (tmp_path / ".env").write_text(f"PORT={web.port}\n")  # which serve has, on the same machine
        worker = await Process.start(environment, tmp_path, "worker")
        try:
            assert (await worker.logged("bot.no_port"))["reason"] == "PORT is not set in the environment"
            assert (await worker.logged("bot.started"))["port"] == 0
            worker.send(signal.SIGTERM)
            assert await worker.ended() == 0
        finally:
            await finished(worker)
        another = await Process.start({**environment, "PORT": str(web.port)}, tmp_path, "worker")
        try:
            assert await another.ended() == 1
        finally:
            await finished(another)
        (line,) = [line for line in another.lines if line["level"] == "error"]
        assert str(web.port) in line["error"]
        assert not another.errors


@pytest.mark.slow
async def test_processes_of_their_own(bots: World, tmp_path: Path) -> None:
    """A web process, two workers: a run is stopped from outside, one worker is told to go, the other goes on."""
    environment = {
        **bots.environment,
        "LOG_LEVEL": "debug",
        "MAX_CONCURRENT_RUNS": "1",
        "SHUTDOWN_GRACE": "1",
    }
    async with AsyncExitStack() as stack:

        async def start(command: str) -> Process:
            process = await Process.start({**environment, "EMBEDDED_WORKER": "false"}, tmp_path, command)
            stack.push_async_callback(finished, process)
            return process

        web, *workers = [await start(command) for command in ("serve", "worker", "worker")]
        for process in (web, *workers):
            await process.logged("identity.known")
        bots.slack.bot_url = f"http://127.0.0.1:{(await web.logged('bot.started'))['port']}/slack/events"
        roots = [await begun(bots, f"run {number}", number) for number in range(2)]
        began = [line["owner"] for line in [await worker.logged("bot.started") for worker in workers]]
        assert len(set(began)) == 2
        bots.serve(Say("The third is done."))
        await bots.code("third")
        third = await bots.root(2)
        await bots.shows(third, "Queued · 1st")
        await bots.slack.press("ben", roots[0], "Stop")
        await bots.shows(roots[0], "Stopped", "ben")
        await bots.shows(third, "Done")
        for worker in workers:
            worker.send(signal.SIGTERM)
        assert [await worker.ended() for worker in workers] == [0, 0]
        await bots.shows(roots[1], "Interrupted")
        web.send(signal.SIGTERM)
        assert await web.ended() == 0
    assert len(bots.cloud.requests) == 3
    assert not [line for process in (web, *workers) for line in process.lines if line["level"] == "error"]
    assert not [
        line for process in (web, *workers) for line in process.lines if "procrastinate" in line["logger"]
    ]


async def finished(process: Process) -> None:
    if process._process.returncode is None:
        process.send(signal.SIGKILL)
    await process.ended()
    process.keeps_secrets()
