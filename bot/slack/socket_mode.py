"""Socket Mode: Slack's requests over a connection that the bot opens, for hosts that nobody can reach from outside.

Slack closes each connection after some hours, and asks for a new one before. Then two are open for a moment: what
comes in by either is answered by the way on which it came, since an acknowledgement counts nowhere else.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.errors import SlackError, SlackLimited
from bot.runs.precedence import Precedence
from bot.slack.api import call
from bot.slack.listeners.lifecycle import BAD_REQUEST
from bot.slack.untyped import string

log = structlog.get_logger("bot.socket")

AGAIN = 5.0  # seconds between attempts to connect, and the longest pause before a lost connection is replaced
ATTEMPT = 8.0  # seconds after which an attempt begins anew, with a new address
FIRST_PAUSE = 0.1  # seconds, then twice as long each time, where one connection after the other is soon lost
HEARTBEAT = 10.0  # seconds between pings; half of that without an answer, and the connection counts as lost
LINGER = 0.3  # seconds for which a connection that was replaced is listened to: something may be on its way
ACKNOWLEDGED = 3.0  # seconds in which an acknowledgement counts
HANG_UP = 0.5  # seconds for what is being answered when the process ends, and for a connection to close


class SocketMode:
    """Keeps one connection up, and hands what comes in to Bolt."""

    def __init__(
        self, app: AsyncApp, client: AsyncWebClient, app_token: str, clock: Clock, precedence: Precedence
    ) -> None:
        if client.session is None:
            raise ValueError("the client needs a session, which is used for the connection, too")
        self._app = app
        self._clock = clock
        self._precedence = precedence
        self._session = client.session
        self._client = AsyncWebClient(
            token=app_token,
            base_url=client.base_url,
            timeout=client.timeout,
            ssl=client.ssl,
            proxy=client.proxy,
            session=client.session,
            retry_handlers=[],
        )
        self._current: _Connection | None = None
        self._running: asyncio.Task[Any] | None = None

    async def run(self) -> None:
        """Be connected, however long Slack can't be reached, until cancelled; a supervisor holds it."""
        self._running = asyncio.current_task()
        pause = 0.0
        async with asyncio.TaskGroup() as connections:
            while True:
                connection = _Connection(await self._connect(), self._handle)
                connections.create_task(connection.serve(), name="connection")
                if self._current is not None:
                    connections.create_task(self._current.retire(), name="old connection")
                self._current, began = connection, self._clock.monotonic()
                await connection.leaving.wait()
                lasted = self._clock.monotonic() - began > AGAIN
                pause = 0.0 if lasted else min(AGAIN, max(FIRST_PAUSE, pause * 2))
                await asyncio.sleep(pause)

    async def connected(self) -> bool:
        """Whether the connection is up."""
        return self._current is not None and self._current.up

    async def close(self) -> None:
        """Hang up, when what came in is answered."""
        if self._current is not None:
            await self._current.answered(HANG_UP)
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        """A new connection. An address is good for one attempt, within seconds."""
        while True:
            pause = AGAIN
            try:
                async with asyncio.timeout(ATTEMPT):
                    return await self._open()
            except SlackLimited as error:
                pause = max(AGAIN, error.retry_after)
            except (SlackError, aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                log.warning("socket.not_connected", error=str(error) or type(error).__name__)
            await asyncio.sleep(pause)

    async def _open(self) -> aiohttp.ClientWebSocketResponse:
        answer = await call(self._client, "apps.connections.open")
        return await self._session.ws_connect(
            string(answer, "url"),
            heartbeat=HEARTBEAT,
            timeout=aiohttp.ClientWSTimeout(ws_close=HANG_UP),
            max_msg_size=0,
            proxy=self._client.proxy,
            ssl=self._client.ssl if self._client.ssl is not None else True,
        )

    async def _handle(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        """An envelope whose listener failed stays without an acknowledgement, so that Slack delivers it again.

        One that can't be read is acknowledged: it would be no better the next time.
        """
        started = self._clock.wall()
        try:
            with self._precedence.request():
                response = await run_async_bolt_app(self._app, request)
        except Exception as error:  # noqa: BLE001  as at the endpoint: Bolt's own reading of what is of other types than Slack's
            log.warning("envelope.unreadable", error=type(error).__name__)
            response = BoltResponse(status=BAD_REQUEST)
        if response.status == BAD_REQUEST:
            response = BoltResponse(status=200)
        with suppress(
            ConnectionError, aiohttp.ClientError
        ):  # Slack delivers it again, over the next connection
            await send_async_response(client, request, response, started)


Handle = Callable[[AsyncBaseSocketModeClient, SocketModeRequest], Awaitable[None]]


class _Connection(AsyncBaseSocketModeClient):
    """One connection, as Bolt's own functions see it; ``leaving`` is set as soon as another one is needed."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, handle: Handle) -> None:
        self.logger = logging.getLogger("slack_sdk.socket_mode")
        self.leaving = asyncio.Event()
        self._socket = socket
        self._handle = handle
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def up(self) -> bool:
        """Whether something can come in."""
        return not self._socket.closed

    async def serve(self) -> None:
        """Take in what comes, until the connection is closed by either side; then what had come is brought to its end."""
        try:
            async with asyncio.TaskGroup() as envelopes:
                async for frame in self._socket:
                    if frame.type is aiohttp.WSMsgType.TEXT:
                        task = envelopes.create_task(self._take(frame.data), name="envelope")
                        self._under_way.add(task)
                        task.add_done_callback(self._under_way.discard)
                self.leaving.set()
        finally:
            self.leaving.set()
            await self._socket.close()

    async def retire(self) -> None:
        """Close it, when what it brought is answered: another one has taken its place."""
        await asyncio.sleep(LINGER)
        await self.answered(ACKNOWLEDGED)
        await self._socket.close()

    async def answered(self, seconds: float) -> None:
        """Wait, at most so long, until nothing that came in is without an answer."""
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=seconds)

    async def send_message(self, message: str) -> None:
        """Send text over this connection and no other."""
        await self._socket.send_str(message)

    async def _take(self, text: str) -> None:
        try:
            message = json.loads(text)
            if isinstance(message, dict):
                await self._understand(message)
        except (ValueError, RecursionError):
            log.warning("envelope.unreadable", kind="no JSON")
        except Exception:  # whatever is wrong with one, the others go on
            log.exception("envelope.failed")

    async def _understand(self, message: dict[str, Any]) -> None:
        """An envelope is handed on; one without a type or a payload is acknowledged, since nothing better will come."""
        if message.get("type") == "disconnect":
            log.info("socket.asked_to_reconnect", reason=str(message.get("reason"))[:80])
            self.leaving.set()
            return
        if "envelope_id" not in message:
            return
        envelope = message["envelope_id"]
        whole = isinstance(message.get("type"), str) and isinstance(message.get("payload"), dict)
        if whole and isinstance(envelope, str):
            given = {
                name: message.get(name)
                for name in ("accepts_response_payload", "retry_attempt", "retry_reason")
            }
            await self._handle(
                self, SocketModeRequest(message["type"], envelope, message["payload"], **given)
            )
            return
        log.warning("envelope.unreadable", kind=str(message.get("type"))[:80])
        if isinstance(envelope, str):
            with suppress(ConnectionError, aiohttp.ClientError):
                await self.send_socket_mode_response(SocketModeResponse(envelope_id=envelope))
