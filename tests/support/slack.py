"""The test's side of the local Slack: a tiny app that checks signatures, and the SDK's client for it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.slack import LocalSlack


@dataclass(frozen=True, slots=True)
class Received:
    """One request as the app got it; ``payload`` is its JSON, its form, or the JSON in its form."""

    headers: dict[str, str]
    payload: dict[str, Any]
    genuine: bool

    @property
    def event(self) -> dict[str, Any]:
        return dict(self.payload.get("event", {}))


@dataclass(slots=True)
class Receiver:
    """Answers with 200, or with what ``answer`` makes of a request; remembers everything it got."""

    signing_secret: str
    url: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Callable[[Received], Awaitable[web.Response]] | None = None

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        headers = dict(request.headers)
        genuine = SignatureVerifier(self.signing_secret).is_valid_request(body, headers)
        got = Received(headers, _payload(request.content_type, body), genuine)
        self.received.append(got)
        return await self.answer(got) if self.answer else web.Response()

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [got.event for got in self.received if got.event.get("type") == kind]


@asynccontextmanager
async def receiving(slack: LocalSlack) -> AsyncIterator[Receiver]:
    """A receiver on loopback that ``slack`` delivers to."""
    receiver = Receiver(slack.signing_secret)
    app = web.Application()
    app.router.add_post("/slack/events", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = slack.bot_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    try:
        yield receiver
    finally:
        slack.bot_url = None
        await runner.cleanup()


def client_of(slack: LocalSlack, token: str | None = None) -> AsyncWebClient:
    """The SDK's client, without its own retries."""
    return AsyncWebClient(token or slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)


async def error_of(call: Awaitable[Any]) -> dict[str, Any]:
    """The body of the error that a call ends with."""
    try:
        await call
    except SlackApiError as error:
        return dict(error.response.data)
    raise AssertionError("the call was accepted")


async def never() -> None:
    """Wait for ever: an answer that does not come."""
    await asyncio.Event().wait()


def _payload(content_type: str, body: str) -> dict[str, Any]:
    if content_type == "application/json":
        return dict(json.loads(body))
    form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
    return dict(json.loads(form["payload"])) if "payload" in form else form
