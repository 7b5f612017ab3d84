"""Raw requests to a bot that is up, and its log as an operator has it."""

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import structlog

from bot import log as logs
from tests.support.world import World, world

CANARY = "canary-in-the-body"  # may not be seen in the log
JSON_TYPE = "application/json"
FORM_TYPE = "application/x-www-form-urlencoded"


@contextmanager
def captured_log() -> Iterator[io.StringIO]:
    """The bot's log as an operator has it, with everything in it."""
    root, ours = logging.getLogger(), logging.getLogger("bot")
    before = (root.handlers[:], root.level, ours.level, logging.raiseExceptions, structlog.get_config())
    stream = io.StringIO()
    logs.configure("debug", "json", lambda text: text, stream)
    try:
        yield stream
    finally:
        root.handlers[:], logging.raiseExceptions = before[0], before[3]
        root.setLevel(before[1])
        ours.setLevel(before[2])
        structlog.configure(**before[4])


class Wire:
    """Raw requests to a bot that is up."""

    def __init__(self, it: World, session: aiohttp.ClientSession, log: io.StringIO) -> None:
        self.it = it
        self.log = log
        self._session = session

    @property
    def _url(self) -> str:
        assert self.it.slack.bot_url is not None
        return self.it.slack.bot_url

    async def post(
        self, body: bytes, content_type: str | None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, str]:
        """A request with a valid signature, unless ``headers`` says otherwise."""
        sent = dict(self.it.slack.signed_headers(body) if headers is None else headers)
        if content_type is not None:
            sent["Content-Type"] = content_type
        skip = [] if content_type else ["Content-Type"]
        async with self._session.post(
            self._url, data=io.BytesIO(body), headers=sent, skip_auto_headers=skip
        ) as answer:
            return answer.status, await answer.text()

    async def event(self, payload: Any) -> int:
        return (await self.post(json.dumps(payload).encode(), JSON_TYPE))[0]

    async def interaction(self, payload: Any) -> int:
        return (await self.post(urlencode({"payload": json.dumps(payload)}).encode(), FORM_TYPE))[0]

    async def get(self, path: str = "/slack/events") -> int:
        url = self._url.replace("/slack/events", path)
        async with self._session.get(url) as answer:
            return answer.status

    def quiet(self) -> list[dict[str, Any]]:
        """The lines of the log: no traceback, no error, nothing of a body."""
        text = self.log.getvalue()
        lines = [json.loads(line) for line in text.splitlines()]
        assert "Traceback" not in text
        assert CANARY not in text
        assert not [line for line in lines if line["level"] in {"error", "critical"}]
        return lines


@asynccontextmanager
async def wired(tmp_path: Path, log: io.StringIO) -> AsyncIterator[Wire]:
    async with world(tmp_path) as it, it.running(), aiohttp.ClientSession() as session:
        await it.slack.wait_for(lambda: it.slack.counts["auth.test"])
        yield Wire(it, session, log)
