"""Socket Mode: Slack's requests over a connection that the bot opens, for hosts that nobody can reach from outside."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import aiohttp
import structlog
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.runs.precedence import Precedence
from bot.slack.listeners.lifecycle import BAD_REQUEST

log = structlog.get_logger("bot.socket")

AGAIN = 5.0  # seconds between attempts to connect, and between looks at the connection
ATTEMPT = 8.0  # seconds after which an attempt begins anew, with a new address


class SocketMode:
    """One connection, opened again whenever it is lost; what comes in is handed to Bolt."""

    def __init__(
        self, app: AsyncApp, client: AsyncWebClient, app_token: str, clock: Clock, precedence: Precedence
    ) -> None:
        self._app = app
        self._clock = clock
        self._precedence = precedence
        self._client = _Client(
            app_token=app_token,
            logger=logging.getLogger("slack_sdk.socket_mode"),
            web_client=client,
            ping_interval=AGAIN,
        )
        self._client.socket_mode_request_listeners.append(self._handle)

    async def run(self) -> None:
        """Connect, however long Slack can't be reached; the client then keeps itself connected."""
        await self._client.connect()

    async def connected(self) -> bool:
        """Whether the connection is up."""
        return await self._client.is_connected()

    async def close(self) -> None:
        """Hang up."""
        await self._client.close()  # type: ignore[no-untyped-call]  # the SDK left its types out

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


class _Client(SocketModeClient):
    async def run_message_listeners(self, message: dict[str, Any], raw_message: str) -> None:
        """Hand an envelope on; one without a type or a payload is acknowledged, since nothing better will come."""
        envelope = message.get("envelope_id")
        whole = isinstance(message.get("type"), str) and isinstance(message.get("payload"), dict)
        if "envelope_id" not in message or (whole and isinstance(envelope, str)):
            await super().run_message_listeners(message, raw_message)
            return
        log.warning("envelope.unreadable", kind=str(message.get("type"))[:80])
        if isinstance(envelope, str):
            with suppress(ConnectionError, aiohttp.ClientError):
                await self.send_socket_mode_response(SocketModeResponse(envelope_id=envelope))

    async def connect(self) -> None:
        """Connect. An address is good for one attempt, within seconds; the SDK would try the same one for ever."""
        while not self.closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(ATTEMPT):
                    await super().connect()  # type: ignore[no-untyped-call]  # the SDK left its types out
                    return
            self.wss_uri = None
