"""What /metrics tells of runs, requests and the database."""

import asyncio
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.support.cloudcoding import Out, Say, Wait
from tests.support.world import world


async def metrics(port: int) -> dict[tuple[str, ...], float]:
    url = f"http://127.0.0.1:{port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        families = text_string_to_metric_families(await answer.text())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_a_run_is_counted(tmp_path: Path) -> None:
    async with world(tmp_path) as w, w.running() as bot:
        before = await metrics(bot.port)
        assert before["bot_run_wait_seconds_count",] == 0
        w.serve(Out("one\n"), Out("two\n"), Say("All done."))
        await w.code("fix the login")
        await w.says(await w.root(), "All done.")
        after = await metrics(bot.port)
    assert after["bot_run_wait_seconds_count",] == 1
    assert after["bot_runs_ended_total", "done"] == 1
    assert after["bot_events_total", "stdout"] == 2
    assert after["bot_events_total", "answer"] == 1
    assert after["bot_upstream_answers_total", "200"] == 1
    assert after["bot_upstream_seconds_count",] == 1
    assert after["bot_edits_total", "post", "sent"] >= 2  # the run and its task
    assert after["bot_edit_seconds_count",] >= 2
    assert after["bot_staleness_seconds_count",] >= 1
    assert after["bot_runs", "running"] == after["bot_runs", "queued"] == 0
    for kind in ("read", "write", "output"):
        assert after["bot_database_seconds_count", kind] > before.get(("bot_database_seconds_count", kind), 0)
    assert after["bot_database_failures_total",] == 0
    assert after["bot_claims_refused_total",] == 0


async def test_a_limited_call_is_counted_as_one(tmp_path: Path) -> None:
    async with world(tmp_path) as w, w.running() as bot:
        w.slack.fail("chat.postMessage", error="ratelimited", status=429, retry_after=1)
        w.serve(Out("one\n"), Say("All done."))
        await w.code("fix the login")
        await w.says(await w.root(), "All done.")
        after = await metrics(bot.port)
    assert after["bot_edits_total", "post", "limited"] == 1


async def test_what_waits_and_what_goes_on_is_counted(tmp_path: Path) -> None:
    async with world(tmp_path, MAX_CONCURRENT_RUNS="1") as w, w.running() as bot:
        for number in range(3):
            w.serve(Out("at work\n"), Wait(asyncio.Event()))
            await w.code(f"run {number}")
            await w.root(number)
        await w.shows(await w.root(2), "Queued · 2nd")
        figures = await metrics(bot.port)
    assert figures["bot_runs", "running"] == figures["bot_runs_running",] == 1
    assert figures["bot_runs", "queued"] == 2


async def test_what_slack_delivers_again_is_counted(tmp_path: Path) -> None:
    async with world(tmp_path) as w, w.running() as bot:
        w.serve(Say("All done."))
        command = await w.slack.command("ann", "#team", "/code", "fix the login")
        root = await w.root()
        await w.says(root, "All done.")
        await w.slack.say("ann", "#team", "stop", thread_ts=root.ts)
        await w.told("ann", "Nothing is running")
        before = await metrics(bot.port)
        (stop,) = [one for one in w.slack.deliveries if one.payload.get("event", {}).get("text") == "stop"]
        for delivery in (command, stop):
            assert (await w.slack.redeliver(delivery)).accepted
        after = await metrics(bot.port)
    assert before["bot_claims_refused_total",] == 0
    assert after["bot_claims_refused_total",] == 2
