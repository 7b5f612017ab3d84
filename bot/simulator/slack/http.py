"""The HTTP side: the Web API, uploads and downloads, response URLs, and the door to Socket Mode."""

import asyncio
import contextlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from bot.simulator.slack.api import METHODS, ApiError, Call, Method
from bot.simulator.slack.faults import Fault, Faults
from bot.simulator.slack.hub import Kind
from bot.simulator.slack.limits import Answer, Limits
from bot.simulator.slack.model import ApiCall, Json
from bot.simulator.slack.responses import respond
from bot.simulator.slack.socket_mode import Sockets
from bot.simulator.slack.workspace import Workspace

SCOPES: Final = frozenset(method.scope for method in METHODS.values() if method.scope) | {
    "app_mentions:read",
    "channels:join",
    "chat:write.public",
    "commands",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "mpim:history",
}
LARGEST_BODY: Final = 4 * 1024 * 1024


@dataclass(slots=True)
class Access:
    """The tokens that are good (token → ``xoxb`` or ``xapp``), those that were revoked, and what they may do."""

    tokens: dict[str, str]
    revoked: set[str] = field(default_factory=set)
    scopes: frozenset[str] = SCOPES
    agents: bool = False

    def check(self, token: str, name: str) -> Method:
        """The method of that name; refuses a call that this token may not make."""
        method = METHODS.get(name)
        if method is None:
            raise ApiError("unknown_method", req_method=name)
        if method.token:
            self._check_token(token, method)
        return method

    def _check_token(self, token: str, method: Method) -> None:
        if not token:
            raise ApiError("not_authed")
        if token in self.revoked:
            raise ApiError("token_revoked")
        kind = self.tokens.get(token)
        if kind is None:
            raise ApiError("invalid_auth")
        if kind != method.token:
            raise ApiError("not_allowed_token_type")
        if method.scope == "assistant:write" and not self.agents:
            raise ApiError("feature_disabled")
        if method.scope and method.scope not in self.scopes:
            raise ApiError("missing_scope", needed=method.scope, provided=",".join(sorted(self.scopes)))


class Api:
    """The endpoints, with the counters of what was called. ``limits`` may be replaced or set to ``None`` at any time."""

    def __init__(self, workspace: Workspace, access: Access, sockets: Sockets, limits: Limits | None) -> None:
        self.workspace = workspace
        self.access = access
        self.limits = limits
        self.faults = Faults()
        self.calls: list[ApiCall] = []
        self.counts: Counter[str] = Counter()
        self.limited: Counter[str] = Counter()
        self.closing = asyncio.Event()
        self._sockets = sockets

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_route("*", "/api/{method}", self.call)
        app.router.add_post("/upload/v1/{file}", self.upload)
        app.router.add_post("/responses/{team}/{name}", self.response_url)
        app.router.add_get("/files/{file}/{name}", self.download)
        app.router.add_get("/link/", self._sockets.handle)
        return app

    async def call(self, request: web.Request) -> web.StreamResponse:
        """One call of the Web API."""
        name = request.match_info["method"]
        try:
            args, token = await _read(request, METHODS.get(name))
        except ApiError as error:
            return self._answer(name, {}, web.json_response(error.body), error.code)
        self.counts[name] += 1
        fault = self.faults.take(name, args)
        if fault is not None and not fault.applied:
            return await self._fail(name, args, fault, request)
        response, code = self._run(name, args, token)
        if fault is not None:
            return await self._fail(name, args, fault, request)
        return self._answer(name, args, response, code)

    def _run(self, name: str, args: Json, token: str) -> tuple[web.Response, str | None]:
        try:
            method = self.access.check(token, name)
            if self.limits is not None:
                now = self.workspace.times.monotonic()
                wait = self.limits.take(name, str(args.get("channel", "")), now)
                if wait:
                    return self._slow_down(name, wait), self.limits.answer.value
            body = {"ok": True, **method.run(Call(args, self.workspace, self.access.scopes))}
        except ApiError as error:
            return web.json_response(error.body), error.code
        return web.json_response(body, headers={"X-OAuth-Scopes": ",".join(sorted(self.access.scopes))}), None

    def _slow_down(self, name: str, wait: int, answer: Answer | None = None) -> web.Response:
        self.limited[name] += 1
        form = answer or (self.limits.answer if self.limits else Answer.STATUS)
        return web.json_response(
            {"ok": False, "error": form.value},
            status=429 if form is Answer.STATUS else 200,
            headers={"Retry-After": str(wait)},
        )

    async def _fail(self, name: str, args: Json, fault: Fault, request: web.Request) -> web.StreamResponse:
        if fault.timeout is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.closing.wait(), fault.timeout)
            if request.transport is not None:
                request.transport.abort()
            return self._answer(name, args, web.Response(status=504), "timeout")
        if fault.error in {Answer.STATUS, Answer.BODY}:
            response = self._slow_down(name, fault.retry_after or 1, Answer(fault.error))
        elif fault.error is not None:
            response = web.json_response({"ok": False, "error": fault.error})
        else:
            response = web.Response(status=fault.status or 500, text="upstream error")
            if fault.retry_after is not None:
                response.headers["Retry-After"] = str(fault.retry_after)
        return self._answer(name, args, response, fault.error or "fault")

    def _answer(self, name: str, args: Json, response: web.Response, code: str | None) -> web.Response:
        call = ApiCall(self.workspace.times.wall(), name, args, response.status, code)
        self.calls.append(call)
        self.workspace.hub.publish(Kind.CALL, call)
        return response

    async def upload(self, request: web.Request) -> web.StreamResponse:
        """The bytes of a file, as the whole body or as a form's only file."""
        file = self.workspace.files.get(request.match_info["file"])
        if file is None or file.completed:
            return web.Response(status=404, text="file_not_found")
        fault = self.faults.take("upload", {"file": file.id, "name": file.name})
        if fault is not None:
            return await self._fail("upload", {"file": file.id}, fault, request)
        content = await _content(request)
        if len(content) != file.size:
            return web.Response(status=400, text=f"expected {file.size} bytes, got {len(content)}")
        file.content = content
        self.workspace.hub.publish(Kind.FILE, file)
        return web.Response(text=f"OK - {file.size}")

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file's content, for those with a token."""
        file = self.workspace.files.get(request.match_info["file"])
        if file is None or file.content is None:
            return web.Response(status=404)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token in self.access.revoked or token not in self.access.tokens:
            return web.Response(text="<!DOCTYPE html><title>Sign in</title>", content_type="text/html")
        return web.Response(body=file.content, content_type="text/plain")

    async def response_url(self, request: web.Request) -> web.StreamResponse:
        """An answer to a command or an interaction."""
        try:
            body = json.loads(await request.text())
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        fault = self.faults.take("response_url", body)
        if fault is not None:
            return await self._fail("response_url", body, fault, request)
        try:
            respond(self.workspace, request.match_info["name"], body)
        except ApiError as error:
            gone = error.code in {"expired_url", "used_url"}
            return web.json_response(error.body, status=404 if gone else 400)
        return web.json_response({"ok": True})


async def _content(request: web.Request) -> bytes:
    """An upload's bytes; read in chunks, since the limit on bodies is not meant for files."""
    if request.content_type != "multipart/form-data":
        return b"".join([chunk async for chunk in request.content.iter_any()])
    content = bytearray()
    async for part in await request.multipart():
        while chunk := await part.read_chunk():  # type: ignore[union-attr]  # nested multiparts don't occur in uploads
            content += chunk
    return bytes(content)


async def _read(request: web.Request, method: Method | None) -> tuple[Json, str]:
    """A call's arguments and token."""
    args: Json = dict(request.query)
    kind = request.content_type
    if request.method == "POST" and request.can_read_body:
        if kind == "application/json":
            body = _object(await request.text())
            # Slack's reading methods look at forms and query strings only, and overlook this without a word.
            args |= body if method is None or method.json else {}
        elif kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
            args |= {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        else:
            raise ApiError("invalid_post_type")
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    token = str(args.pop("token", "") or "")
    return args, bearer.strip() if scheme.lower() == "bearer" else token


def _object(text: str) -> Json:
    try:
        body = json.loads(text)
    except ValueError:
        raise ApiError("invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError("json_not_object")
    return body
