"""Socket Mode: the app connects to us, and what would be a signed request becomes an envelope on its socket."""

import asyncio
import json
from typing import Any, Final

from aiohttp import WSMsgType, web

from bot.simulator.slack.model import Json
from bot.simulator.slack.workspace import Workspace

MOST_CONNECTIONS: Final = 10


class SocketClosedError(Exception):
    """The connection went away before the envelope was acknowledged."""


class Sockets:
    """The app's open connections. Each envelope goes to one of them, in turn."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.opened = 0  # connections, those that are closed by now among them
        self._open: list[web.WebSocketResponse] = []
        self._waiting: dict[str, tuple[web.WebSocketResponse, asyncio.Future[Any]]] = {}

    @property
    def connected(self) -> int:
        """How many connections are open."""
        return len(self._open)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection, from its handshake to its end."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._workspace.tickets or self.connected >= MOST_CONNECTIONS:
            return web.Response(status=403)
        self._workspace.tickets.discard(ticket)
        socket = web.WebSocketResponse(timeout=1.0)
        await socket.prepare(request)
        self._open.append(socket)
        self.opened += 1
        try:
            hello = {
                "type": "hello",
                "num_connections": self.connected,
                "connection_info": {"app_id": self._workspace.app.app_id},
                "debug_info": {"host": "local", "approximate_connection_time": 18060},
            }
            await socket.send_json(hello)
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._acknowledge(socket, message.data)
        finally:
            self._forget(socket)
        return socket

    def _acknowledge(self, socket: web.WebSocketResponse, data: str) -> None:
        """An acknowledgement counts on the connection on which its envelope went."""
        try:
            answer = json.loads(data)
        except ValueError:
            return
        if isinstance(answer, dict) and answer.get("envelope_id") in self._waiting:
            owner, future = self._waiting[answer["envelope_id"]]
            if owner is socket and not future.done():
                future.set_result(answer.get("payload"))

    def _forget(self, socket: web.WebSocketResponse) -> None:
        if socket in self._open:
            self._open.remove(socket)
        for owner, future in self._waiting.values():
            if owner is socket and not future.done():
                future.set_exception(SocketClosedError())

    async def send(self, kind: str, payload: Json, retry_num: int, retry_reason: str) -> Any:
        """Send one envelope and wait for its acknowledgement; its payload, or ``None``.

        Raises ``SocketClosedError`` where the connection went away.
        """
        envelope: Json = {
            "envelope_id": self._workspace.serial("envelope-"),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": retry_num, "retry_reason": retry_reason}
        return await self.deliver(envelope)

    async def deliver(self, envelope: Json) -> Any:
        """Send an envelope of any shape and wait for its acknowledgement, as ``send`` does."""
        socket = self._next()
        envelope_id = envelope["envelope_id"]
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = (socket, future)
        try:
            await socket.send_json(envelope)
            return await future
        except ConnectionError as error:
            raise SocketClosedError from error
        finally:
            del self._waiting[envelope_id]

    async def say(self, frame: Json) -> None:
        """Send what isn't acknowledged, such as a ``hello``."""
        await self._next().send_json(frame)

    def _next(self) -> web.WebSocketResponse:
        socket = self._open.pop(0)
        self._open.append(socket)
        return socket

    async def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the app to reconnect, then close every connection that is open now."""
        for socket in list(self._open):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "local"}})
            self._forget(socket)
            await socket.close()

    async def close(self) -> None:
        """Close all connections without a word, as a failing network does."""
        for socket in list(self._open):
            self._forget(socket)
            await socket.close()
