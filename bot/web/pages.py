"""Health, readiness and metrics, where Slack talks to the bot over HTTP on the same port."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from bot.web.census import Census

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Readiness = Callable[[], Awaitable[str]]


def make_web(
    slack: Handler | None,
    readiness: Readiness,
    metrics: CollectorRegistry,
    census: Census,
    *,
    max_body: int,
) -> web.Application:
    """The application. ``readiness`` answers what keeps the bot from working, empty when nothing does.

    ``slack`` is the handler of Slack's requests, ``None`` where they don't come this way. ``census`` belongs to what
    ``metrics`` shows.
    """
    app = web.Application(client_max_size=max_body)

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        problem = await readiness()
        if problem:
            return web.json_response({"status": "not ready", "reason": problem}, status=503)
        return web.json_response({"status": "ready"})

    async def show_metrics(_: web.Request) -> web.Response:
        await census.refresh()
        return web.Response(body=generate_latest(metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", show_metrics)
    if slack is not None:
        app.router.add_post("/slack/events", slack)
    return app
