r"""A local Cloud Coding API: a real HTTP server on loopback, for ``demo`` and for tests.

It checks requests as the service does and streams what a *responder* writes. A responder is the agent: an async
function that gets the :class:`Invocation` and a :class:`Stream`, writes to the stream, and returns when it is done::

    async def hello(invocation: Invocation, stream: Stream) -> None:
        await stream.stdout("working...\n")
        await stream.updates([{"type": "ai", "content": "All done."}], thread_id="t-1")

    async with CloudCodingServer(hello, api_key="key") as server:
        ...  # POST to server.url + "/invoke/stdout"

Where the client goes away, the responder is cancelled, as the service's agent would be; a ``finally`` in it is the
place to clean up.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from types import TracebackType
from typing import Any, NoReturn, Self

from aiohttp import web

from bot.simulator.invocation import Invocation, UnprocessableError, read_invocation

__all__ = ["CloudCodingServer", "Exchange", "Framing", "Invocation", "Responder", "Stream"]

_LARGEST_REQUEST = 32 * 2**20
_GRACE = 0.1  # seconds that a responder may take over its clean-up when the server closes


class Framing(StrEnum):
    """The two documented ways to frame an event, and both in turns."""

    ENVELOPE = "envelope"
    NAMED = "named"
    ALTERNATE = "alternate"


@dataclass(slots=True)
class Exchange:
    """One request and what became of it; ``at`` and ``disconnected_at`` are the event loop's time in seconds.

    ``headers`` are found in any case of letters. ``body`` is the parsed JSON (``None`` where it was none), ``invocation`` is set where the request was accepted,
    ``status`` once there is an answer. ``disconnected`` is set when the client went away before the end,
    ``cut`` where the responder broke the connection; ``finished`` in any case when the server is done with it.
    """

    headers: Mapping[str, str]
    at: float
    body: Any = None
    invocation: Invocation | None = None
    status: int | None = None
    cut: bool = False
    disconnected_at: float | None = None
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class Stream:
    """What a responder writes to. Every write waits for a slow client, and raises where the client has gone."""

    def __init__(self, request: web.Request, exchange: Exchange, framing: Framing) -> None:
        self.disconnected = exchange.disconnected
        self._request = request
        self._exchange = exchange
        self._framing = framing
        self._named_next = framing is Framing.NAMED
        self._response: web.StreamResponse | None = None

    async def open(
        self, content_type: str = "text/event-stream", *, status: int = 200, compress: bool = False
    ) -> None:
        """Send the response's headers; only the first call counts. An empty ``content_type`` sends none."""
        if self._response is not None:
            return
        self._response = web.StreamResponse(status=status, headers={"Cache-Control": "no-cache"})
        if content_type:
            self._response.headers["Content-Type"] = content_type
        if compress:
            self._response.enable_compression(web.ContentCoding.gzip)
        self._exchange.status = status
        await self._response.prepare(self._request)

    async def stdout(self, text: str, task: str | None = None) -> None:
        """A piece of a task's output; without ``task`` of the one task that a single invocation has."""
        await self.event("custom", {"stdout": text} if task is None else {"task_name": task, "stdout": text})

    async def updates(
        self,
        messages: Sequence[Mapping[str, object]],
        *,
        run_id: str = "run-1",
        thread_id: str | None = None,
        task: str | None = None,
    ) -> None:
        """The agent's state: the conversation's ``messages`` as ``{"type": "ai", "content": ...}``."""
        said = {"task_name": task, "thread_id": thread_id}
        known = {key: value for key, value in said.items() if value is not None}
        await self.event("updates", {"run_id": run_id, "messages": [*messages], "stream_events": [], **known})

    async def error(self, text: str, task: str | None = None) -> None:
        """A failure: of ``task``, or of the whole run."""
        await self.event("error", {"error": text} if task is None else {"task_name": task, "error": text})

    async def event(self, name: str, data: object) -> None:
        """Any event, in the server's framing."""
        if self._named_next:
            await self.raw(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        else:
            await self.raw(f"data: {json.dumps({'event': name, 'data': data})}\n\n".encode())
        if self._framing is Framing.ALTERNATE:
            self._named_next = not self._named_next

    async def comment(self, text: str = "ping") -> None:
        """A comment, which servers send to keep a silent connection alive."""
        await self.raw(f": {text}\n\n".encode())

    async def raw(self, data: bytes) -> None:
        """These very bytes."""
        response = await self._opened()
        if data:
            await response.write(data)

    async def cut(self) -> NoReturn:
        """Break the connection as a crash would: without the end of the response, or before its headers.

        Does not return: a responder whose connection is gone is cancelled.
        """
        self._exchange.cut = True
        if self._request.transport is not None:
            self._request.transport.abort()
        await asyncio.Event().wait()
        raise AssertionError

    async def end(self) -> web.StreamResponse:
        """End the response properly; the server does it when the responder returns."""
        response = await self._opened()
        await response.write_eof()
        return response

    async def _opened(self) -> web.StreamResponse:
        await self.open()
        assert self._response is not None
        return self._response


Responder = Callable[[Invocation, Stream], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Fault:
    status: int
    body: object
    headers: Mapping[str, str]

    def answer(self) -> web.Response:
        if isinstance(self.body, str):
            return web.Response(text=self.body, status=self.status, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


class CloudCodingServer:
    """The server, as an async context manager; ``url`` is its base address.

    Every request is kept in ``requests``, oldest first. With ``port=0`` the system chooses a free one. Headers go out
    before the responder runs, as with the service; with ``open_at_once=False`` they wait for the responder's first
    write, so that it can stay silent or break off before them.
    """

    def __init__(
        self,
        responder: Responder,
        *,
        api_key: str,
        host: str = "127.0.0.1",
        port: int = 0,
        framing: Framing | str = Framing.ENVELOPE,
        open_at_once: bool = True,
    ) -> None:
        self.requests: list[Exchange] = []
        self._responder = responder
        self._api_key = api_key
        self._address = (host, port)
        self._framing = Framing(framing)
        self._open_at_once = open_at_once
        self._faults: list[_Fault] = []
        self._handlers: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """``http://HOST:PORT``, once the server runs."""
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    @property
    def running(self) -> int:
        """How many requests are being answered now."""
        return len(self._handlers)

    def fail_next(
        self,
        status: int,
        times: int = 1,
        *,
        retry_after: float | str | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer the next ``times`` requests with ``status`` instead of running the responder.

        ``retry_after`` goes into the header of that name as it is; ``body`` is sent as JSON, a string as plain text.
        """
        sent = dict(headers or {})
        if retry_after is not None:
            sent["Retry-After"] = str(retry_after)
        answer = {"detail": HTTPStatus(status).phrase} if body is None else body
        self._faults.extend([_Fault(status, answer, sent)] * times)

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_LARGEST_REQUEST, middlewares=[_errors_as_json])
        app.router.add_post("/invoke/stdout", self._invoke)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=_GRACE)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._address).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        handlers = list(self._handlers)
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _invoke(self, request: web.Request) -> web.StreamResponse:
        exchange = Exchange(request.headers, asyncio.get_running_loop().time())
        self.requests.append(exchange)
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            return await self._answer(request, exchange)
        except asyncio.CancelledError:
            self._lost(exchange)
            raise
        except ConnectionError:
            self._lost(exchange)
            # Nobody reads it; the error itself would be logged as one of the server's.
            return web.Response()
        finally:
            self._handlers.discard(task)
            exchange.finished.set()

    def _lost(self, exchange: Exchange) -> None:
        """The connection is gone: note it, where it was the client that went."""
        if not self._closing and not exchange.cut:
            exchange.disconnected_at = asyncio.get_running_loop().time()
            exchange.disconnected.set()

    async def _answer(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        raw = await request.read()
        if request.headers.get("x-api-key") != self._api_key:
            return _refusal(exchange, HTTPStatus.UNAUTHORIZED, "Invalid or missing API key")
        try:
            exchange.body = json.loads(raw)
        except ValueError:
            exchange.body = None
        if self._faults:
            answer = self._faults.pop(0).answer()
            exchange.status = answer.status
            return answer
        try:
            exchange.invocation = read_invocation(request.content_type, exchange.body)
        except UnprocessableError as problem:
            return _refusal(exchange, HTTPStatus.UNPROCESSABLE_ENTITY, problem.detail)
        stream = Stream(request, exchange, self._framing)
        if self._open_at_once:
            await stream.open()
        await self._responder(exchange.invocation, stream)
        return await stream.end()


def _refusal(exchange: Exchange, status: HTTPStatus, detail: object) -> web.Response:
    exchange.status = status.value
    return web.json_response({"detail": detail}, status=status.value)


@web.middleware
async def _errors_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Unknown paths and methods are answered as FastAPI would."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.json_response({"detail": error.reason}, status=error.status)
