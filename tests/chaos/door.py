"""The way from Slack to the bot's processes: a PaaS's router, which hands each request to one that is up."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs

import aiohttp
from aiohttp import web

from tests.chaos.process import BotProcess

NOBODY = "no process is up"  # the body of the answer where nobody was asked
_HOP = frozenset({"host", "content-length", "connection", "transfer-encoding", "accept-encoding"})


@dataclass(frozen=True, slots=True)
class Passage:
    """One request that a process was handed; ``at`` is the event loop's time, ``status`` what it answered, if it did."""

    at: float
    process: str
    body: bytes
    status: int | None

    @property
    def interaction(self) -> str:
        """The JSON of an interaction; empty for anything else."""
        return parse_qs(self.body.decode(errors="replace")).get("payload", [""])[0]


class Door:
    """An HTTP server on loopback; ``url`` is the bot's address for Slack.

    ``open_to`` names the processes that may be asked now. With ``to_all`` each request goes to every one of them, as
    if Slack had delivered it to each, and the first answer counts; with ``only`` to that one alone.
    """

    def __init__(self, open_to: Callable[[], Sequence[BotProcess]]) -> None:
        self.passages: list[Passage] = []
        self.to_all = False
        self.only: BotProcess | None = None
        self._open_to = open_to
        self._turn = 0
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._asking: set[asyncio.Task[web.Response]] = set()

    @property
    def url(self) -> str:
        """Where Slack sends requests."""
        assert self._runner is not None
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/slack/events"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_post("/slack/events", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        # A connection for each request: one that is kept may belong to a process that has died since.
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._asking:
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        ready = [self.only] if self.only is not None else list(self._open_to())
        if not ready:
            return web.Response(status=503, text=NOBODY)
        self._turn += 1
        chosen = ready if self.to_all else [ready[self._turn % len(ready)]]
        tasks = [self._ask(process, body, headers) for process in chosen]
        answers = await asyncio.gather(*tasks)
        return next((answer for answer in answers if answer.status < 300), answers[0])

    def _ask(self, process: BotProcess, body: bytes, headers: dict[str, str]) -> asyncio.Task[web.Response]:
        task = asyncio.create_task(self._forward(process, body, headers))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return task

    async def _forward(self, process: BotProcess, body: bytes, headers: dict[str, str]) -> web.Response:
        at, status = asyncio.get_running_loop().time(), None
        assert self._session is not None
        try:
            url = f"http://127.0.0.1:{process.port}/slack/events"
            async with self._session.post(url, data=body, headers=headers) as answer:
                status = answer.status
                return web.Response(
                    status=status,
                    body=await answer.read(),
                    headers={
                        n: v for n, v in answer.headers.items() if n.lower() not in _HOP | {"date", "server"}
                    },
                )
        except aiohttp.ClientError:
            return web.Response(status=502, text="the process did not answer")
        finally:
            self.passages.append(Passage(at, process.name, body, status))
