"""Health, readiness and metrics."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from bot import __version__
from bot.clock import Clock
from bot.core.run import RunState
from bot.errors import StoreUnavailable
from bot.meter import Meter
from bot.web.census import KEPT, Census
from bot.web.heartbeat import heartbeat
from bot.web.metrics import make_registry
from bot.web.pages import make_web
from tests.support.vtime import virtual_time

Client = TestClient[web.Request, web.Application]
Count = Callable[[], Awaitable[Mapping[RunState, int]]]


@asynccontextmanager
async def serving(
    problem: str = "",
    slack: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None,
    meter: Meter | None = None,
    count: Count | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Client]:
    async def readiness() -> str:
        return problem

    async def few() -> Mapping[RunState, int]:
        return {RunState.QUEUED: 2, RunState.RUNNING: 5}

    census = Census(count or few, clock or Clock())
    registry = make_registry(meter or Meter(), census, lambda: 3)
    application = make_web(slack, readiness, registry, census, max_body=100)
    async with TestClient(TestServer(application)) as client:
        yield client


async def test_it_is_alive_whatever_its_problem() -> None:
    async with serving("Slack can't be reached") as client:
        answer = await client.get("/healthz")
        assert answer.status == 200
        assert await answer.json() == {"status": "alive"}


@pytest.mark.parametrize(
    ("problem", "status", "says"),
    [
        ("", 200, {"status": "ready"}),
        ("draining", 503, {"status": "not ready", "reason": "draining"}),
    ],
)
async def test_readiness_has_its_reason(problem: str, status: int, says: dict[str, str]) -> None:
    async with serving(problem) as client:
        answer = await client.get("/readyz")
        assert answer.status == status
        assert await answer.json() == says


async def samples(client: Client) -> dict[tuple[str, ...], float]:
    """A sample's name and the values of its labels → its value."""
    answer = await client.get("/metrics")
    assert answer.status == 200
    assert answer.content_type == "text/plain"
    families = text_string_to_metric_families(await answer.text())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_metrics_are_prometheus_s() -> None:
    async with serving() as client:
        shown = await samples(client)
    assert shown["bot_runs_running",] == 3
    assert shown["bot_build_info", __version__] == 1
    assert shown["process_resident_memory_bytes",] > 0


async def test_what_was_counted_is_shown() -> None:
    meter = Meter()
    meter.ended["done"] += 2
    meter.calls["update", "limited"] += 1
    meter.events["stdout"] += 5
    meter.answers["503"] += 1
    meter.duplicates += 4
    meter.database["read"].add(0.003)
    meter.database["read"].add(9)
    meter.database_failures += 1
    async with serving(meter=meter) as client:
        shown = await samples(client)
    assert shown["bot_runs_ended_total", "done"] == 2
    assert shown["bot_edits_total", "update", "limited"] == 1
    assert shown["bot_events_total", "stdout"] == 5
    assert shown["bot_upstream_answers_total", "503"] == 1
    assert shown["bot_claims_refused_total",] == 4
    assert shown["bot_database_seconds_count", "read"] == 2
    assert shown["bot_database_seconds_bucket", "read", "0.005"] == 1
    assert shown["bot_database_failures_total",] == 1


class Counting:
    """A database that says how many runs there are, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.trouble: Exception | None = None
        self.hangs = False

    async def __call__(self) -> Mapping[RunState, int]:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.trouble is not None:
            raise self.trouble
        return {RunState.QUEUED: self.asked, RunState.RUNNING: 0}


async def test_the_runs_of_all_processes_are_counted_once_in_a_while() -> None:
    count, now = Counting(), 1000.0
    async with serving(count=count, clock=Clock(monotonic=lambda: now)) as client:
        for _ in range(2):
            shown = await samples(client)
            assert shown["bot_runs", "queued"] == 1
            assert shown["bot_runs", "running"] == 0
        await asyncio.gather(*(samples(client) for _ in range(3)))
        assert count.asked == 1
        now += KEPT
        await asyncio.gather(*(samples(client) for _ in range(3)))
        assert (await samples(client))["bot_runs", "queued"] == count.asked == 2


@pytest.mark.parametrize("hangs", [False, True])
async def test_without_the_database_there_are_all_other_figures(hangs: bool) -> None:
    count, now = Counting(), 1000.0
    async with serving(count=count, clock=Clock(monotonic=lambda: now)) as client:
        await samples(client)
        now += KEPT
        count.trouble, count.hangs = StoreUnavailable("away"), hangs
        for _ in range(2):
            shown = await samples(client)
            assert ("bot_runs", "queued") not in shown
            assert shown["bot_runs_running",] == 3
        assert count.asked == 2
        now += KEPT
        count.trouble, count.hangs = None, False
        assert (await samples(client))["bot_runs", "queued"] == 3


async def test_a_spread_is_a_histogram() -> None:
    meter = Meter()
    for seconds in (0.0005, 0.05, 0.06, 99):
        meter.loop_lag.add(seconds)
    async with serving(meter=meter) as client:
        shown = await samples(client)
    name = "bot_loop_lag_seconds"
    within = [shown[f"{name}_bucket", bound] for bound in ("0.001", "0.025", "0.05", "0.1", "2.5", "+Inf")]
    assert within == [1, 1, 2, 3, 3, 4]
    assert shown[f"{name}_count",] == 4
    assert shown[f"{name}_sum",] == pytest.approx(99.1105)


@virtual_time
async def test_a_heartbeat_tells_how_late_the_loop_was() -> None:
    lag = Meter().loop_lag
    beating = asyncio.create_task(heartbeat(lag, every=1))
    await asyncio.sleep(10.5)
    beating.cancel()
    assert sum(lag.counts) == 10
    assert lag.total == 0


async def test_a_hold_up_counts() -> None:
    lag = Meter().loop_lag
    beating = asyncio.create_task(heartbeat(lag, every=0.01))
    await asyncio.sleep(0)
    time.sleep(0.06)  # noqa: ASYNC251  what nobody should do
    await asyncio.sleep(0.02)
    beating.cancel()
    assert lag.total >= 0.04


async def test_slack_s_requests_go_to_its_handler_and_only_by_post() -> None:
    async def slack(request: web.Request) -> web.Response:
        return web.Response(text=await request.text())

    async with serving(slack=slack) as client:
        answer = await client.post("/slack/events", data=b"hello")
        assert (answer.status, await answer.text()) == (200, "hello")
        assert (await client.get("/slack/events")).status == 405
        assert (await client.post("/slack/events", data=b"x" * 101)).status == 413


async def test_without_a_handler_there_is_no_such_page() -> None:
    async with serving() as client:
        assert (await client.post("/slack/events", data=b"hello")).status == 404
        assert (await client.get("/nowhere")).status == 404
