"""A GitHub Enterprise that answers as a test says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class FakeGitHub:
    """``answers``: path → status and body; all other paths don't exist. ``tokens``: what was sent."""

    answers: dict[str, tuple[int, Any]]
    tokens: list[str] = field(default_factory=list)
    url: str = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization", ""))
        status, body = self.answers.get(request.path, (404, {"message": "Not Found"}))
        return (
            web.Response(text=body, status=status)
            if isinstance(body, str)
            else web.json_response(body, status=status)
        )


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """An application's address."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def github(answers: dict[str, tuple[int, Any]]) -> AsyncIterator[FakeGitHub]:
    """The server, while it runs."""
    fake = FakeGitHub(answers)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.answer)
    async with serving(app) as fake.url:
        yield fake
