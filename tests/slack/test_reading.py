"""What the bot reads in Slack, against a server that does what a test wants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.core.quoting import Said
from bot.errors import SlackRejected, SlackUnavailable
from bot.model import Place
from bot.slack.people import People
from bot.slack.reading import MOST_PAGES, download, earlier

TOKEN = "xoxb-reading"
THREAD = Place("T0", "C0", "1.0")


@asynccontextmanager
async def serving(*routes: web.RouteDef) -> AsyncIterator[tuple[str, AsyncWebClient, aiohttp.ClientSession]]:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        client = AsyncWebClient(TOKEN, base_url=f"{url}/api/", session=session, retry_handlers=[], timeout=5)
        try:
            yield url, client, session
        finally:
            await runner.cleanup()


def thread_of_pages(pages: int, seen: list[str]) -> web.RouteDef:
    """A thread of ``pages`` pages with three messages each."""

    async def replies(request: web.Request) -> web.Response:
        cursor = (await request.post()).get("cursor") or request.query.get("cursor") or "0"
        assert isinstance(cursor, str)
        seen.append(cursor)
        page = int(cursor)
        said = [
            {"ts": f"{page}.0", "user": "U1", "text": f"page {page} &amp; more"},
            {"ts": f"{page}.1", "bot_id": "B1", "bot_profile": {"name": "ci"}, "text": "built"},
            {"ts": f"{page}.2", "user": "U1", "text": ""},
        ]
        following = str(page + 1) if page + 1 < pages else ""
        return web.json_response(
            {"ok": True, "messages": said, "response_metadata": {"next_cursor": following}}
        )

    return web.route("*", "/api/conversations.replies", replies)


async def unknown_user(_: web.Request) -> web.Response:
    return web.json_response({"ok": False, "error": "user_not_found"})


async def test_of_a_long_thread_the_newest_messages_are_kept() -> None:
    seen: list[str] = []
    async with serving(thread_of_pages(3, seen), web.route("*", "/api/users.info", unknown_user)) as (
        _,
        client,
        _s,
    ):
        said = await earlier(client, People(client, Clock()), THREAD, before="9.9", most=6)
    assert seen == ["0", "1", "2"]
    # A user that Slack doesn't know keeps their id, an app its name, and what has no text is left out.
    assert said == [
        Said("U1", "page 1 & more"),
        Said("ci", "built"),
        Said("U1", "page 2 & more"),
        Said("ci", "built"),
    ]


async def test_an_endless_thread_is_not_read_to_its_end() -> None:
    seen: list[str] = []
    async with serving(thread_of_pages(10_000, seen), web.route("*", "/api/users.info", unknown_user)) as (
        _,
        client,
        _s,
    ):
        await earlier(client, People(client, Clock()), THREAD, before="9.9", most=3)
    assert len(seen) == MOST_PAGES


async def a_file(request: web.Request) -> web.Response:
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    return web.Response(body=b"x" * 1_000)


async def test_a_file_is_read_with_the_token_up_to_its_limit() -> None:
    async with serving(web.get("/file", a_file)) as (url, client, session):
        assert await download(client, session, f"{url}/file", 1_000) == b"x" * 1_000
        with pytest.raises(SlackRejected):
            await download(client, session, f"{url}/file", 999)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/file",
        "https://slack.com.evil.example/file",
        "http://files.slack.com/file",
        "https://notslack.com/file",
        "file:///etc/passwd",
        "",
    ],
)
async def test_the_token_goes_nowhere_else(url: str) -> None:
    async with serving() as (_, client, session):
        with pytest.raises(SlackRejected):
            await download(client, session, url, 1_000)


async def test_a_redirect_is_not_followed_and_a_failure_is_an_outage() -> None:
    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("https://slack.com/signin")

    async with serving(web.get("/moved", moved)) as (url, client, session):
        for path in ("moved", "missing"):
            with pytest.raises(SlackUnavailable):
                await download(client, session, f"{url}/{path}", 1_000)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(SlackUnavailable):
            await download(client, session, f"{url}/gone", 1_000)
