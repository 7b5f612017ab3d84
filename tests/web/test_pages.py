"""Health, readiness and metrics."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client.parser import text_string_to_metric_families

from bot import __version__
from bot.web.metrics import make_registry
from bot.web.pages import make_web

Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def serving(
    problem: str = "", slack: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None
) -> AsyncIterator[Client]:
    async def readiness() -> str:
        return problem

    application = make_web(slack, readiness, make_registry(lambda: 3), max_body=100)
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


async def test_metrics_are_prometheus_s() -> None:
    async with serving() as client:
        answer = await client.get("/metrics")
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        families = list(text_string_to_metric_families(await answer.text()))
    samples = {sample.name: sample for family in families for sample in family.samples}
    assert samples["bot_runs_running"].value == 3
    assert samples["bot_build_info"].labels["version"] == __version__


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
