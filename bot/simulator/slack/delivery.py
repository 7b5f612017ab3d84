"""How events, commands and interactions reach the app: signed requests or socket envelopes, waited for, retried."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

import aiohttp

from bot.simulator.slack.hub import Hub, Kind
from bot.simulator.slack.model import Json, Times
from bot.simulator.slack.socket_mode import SocketClosedError, Sockets

ACK_SECONDS: Final = 3.0
RETRY_DELAYS: Final = (0.0, 60.0, 300.0)


class DeliveryKind(StrEnum):
    """What is delivered, in Socket Mode's words."""

    EVENT = "events_api"
    COMMAND = "slash_commands"
    INTERACTION = "interactive"
    SUGGESTION = (
        "block_suggestion"  # the options of an external menu; an interaction, but nothing else follows it
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. ``status`` is ``None`` without an answer; ``body`` is JSON where it was JSON; ``seconds`` to the answer."""

    at: float
    status: int | None
    body: Any
    seconds: float
    retry_num: int = 0
    retry_reason: str = ""
    failure: str = ""  # Slack's reason for the next try; empty where this one was accepted
    may_retry: bool = True

    @property
    def accepted(self) -> bool:
        """Whether the app acknowledged it in time with a 2xx."""
        return not self.failure


@dataclass(slots=True, eq=False)
class Delivery:
    """Something delivered, with every attempt; ``status``, ``body`` and ``seconds`` are those of the last one."""

    kind: DeliveryKind
    payload: Json
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether the app acknowledged it."""
        return bool(self.attempts) and self.attempts[-1].accepted

    @property
    def status(self) -> int | None:
        """HTTP's status; ``None`` without an answer."""
        return self.attempts[-1].status if self.attempts else None

    @property
    def body(self) -> Any:
        """What the app answered: JSON where it was JSON, else text."""
        return self.attempts[-1].body if self.attempts else None

    @property
    def seconds(self) -> float:
        """How long the acknowledgement took."""
        return self.attempts[-1].seconds if self.attempts else 0.0

    @property
    def event(self) -> Json:
        """An event's inner part; empty for anything else."""
        return dict(self.payload.get("event", {}))


def signed(secret: str, body: bytes, at: float) -> dict[str, str]:
    """The headers that Slack signs a request with."""
    timestamp = str(int(at))
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={digest}"}


def encode(kind: DeliveryKind, payload: Json) -> tuple[bytes, str]:
    """The body of a request and its content type."""
    if kind is DeliveryKind.EVENT:
        return json.dumps(payload).encode(), "application/json"
    form = payload if kind is DeliveryKind.COMMAND else {"payload": json.dumps(payload)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


class Courier:
    """Delivers to ``bot_url``, or over the app's sockets where it has any; remembers every attempt."""

    def __init__(
        self,
        *,
        hub: Hub,
        sockets: Sockets,
        times: Times,
        signing_secret: str,
        bot_url: str | None,
        ack_seconds: float = ACK_SECONDS,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self.bot_url = bot_url
        self.deliveries: list[Delivery] = []
        self._hub = hub
        self._sockets = sockets
        self._times = times
        self._secret = signing_secret
        self._ack_seconds = ack_seconds
        self._retry_delays = retry_delays
        self._session: aiohttp.ClientSession | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self._retrying: set[asyncio.Task[None]] = set()
        self._collected: list[asyncio.Task[None]] | None = None

    @property
    def reachable(self) -> bool:
        """Whether there is anyone to deliver to."""
        return bool(self.bot_url or self._sockets.connected)

    async def deliver(self, kind: DeliveryKind, payload: Json) -> Delivery:
        """Deliver once and wait for the answer; an event that failed is tried again in the background."""
        delivery = Delivery(kind, payload)
        self.deliveries.append(delivery)
        if self.reachable:
            await self._deliver(delivery)
        return delivery

    def start(self, kind: DeliveryKind, payload: Json) -> None:
        """Deliver in the background; for nobody, if nobody listens."""
        if self.reachable:
            delivery = Delivery(kind, payload)
            self.deliveries.append(delivery)
            task = self._spawn(self._deliver(delivery), self._sending)
            if self._collected is not None:
                self._collected.append(task)

    @contextmanager
    def collecting(self) -> Iterator[list[asyncio.Task[None]]]:
        """The deliveries that are started inside, so that the caller can wait for them."""
        collected: list[asyncio.Task[None]] = []
        self._collected = collected
        try:
            yield collected
        finally:
            self._collected = None

    async def redeliver(self, delivery: Delivery, reason: str = "http_timeout", number: int = 1) -> Delivery:
        """Deliver the same thing again, as Slack does when it missed the acknowledgement."""
        again = Delivery(delivery.kind, delivery.payload)
        self.deliveries.append(again)
        await self._attempt(again, number, reason)
        return again

    async def settle(self) -> None:
        """Wait until every delivery that was started has been tried once."""
        while self._sending:
            await asyncio.wait(set(self._sending))

    async def _deliver(self, delivery: Delivery) -> None:
        attempt = await self._attempt(delivery, 0, "")
        if delivery.kind is DeliveryKind.EVENT and not attempt.accepted and attempt.may_retry:
            self._spawn(self._retry(delivery), self._retrying)

    async def _retry(self, delivery: Delivery) -> None:
        for number, delay in enumerate(self._retry_delays, 1):
            await asyncio.sleep(delay)
            attempt = await self._attempt(delivery, number, delivery.attempts[-1].failure)
            if attempt.accepted or not attempt.may_retry:
                return

    async def _attempt(self, delivery: Delivery, number: int, reason: str) -> Attempt:
        at, started = self._times.wall(), self._times.monotonic()
        status: int | None = None
        body: Any = None
        failure, may_retry = "", True
        try:
            async with asyncio.timeout(self._ack_seconds):
                if self._sockets.connected:
                    status, body = 200, await self._by_socket(delivery, number, reason)
                else:
                    status, body, may_retry = await self._by_http(delivery, number, reason)
                    failure = "" if 200 <= status < 300 else "http_error"  # noqa: PLR2004  HTTP's own numbers
        except TimeoutError:
            failure = "http_timeout"
        except (aiohttp.ClientError, SocketClosedError):
            failure = "connection_failed"
        seconds = self._times.monotonic() - started
        attempt = Attempt(at, status, body, seconds, number, reason, failure, may_retry)
        delivery.attempts.append(attempt)
        self._hub.publish(Kind.DELIVERY, delivery)
        return attempt

    async def _by_socket(self, delivery: Delivery, number: int, reason: str) -> Any:
        kind = DeliveryKind.INTERACTION if delivery.kind is DeliveryKind.SUGGESTION else delivery.kind
        return await self._sockets.send(kind, delivery.payload, number, reason)

    async def _by_http(self, delivery: Delivery, number: int, reason: str) -> tuple[int, Any, bool]:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        body, content_type = encode(delivery.kind, delivery.payload)
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            **signed(self._secret, body, self._times.wall()),
        }
        if number:
            headers |= {"X-Slack-Retry-Num": str(number), "X-Slack-Retry-Reason": reason}
        url = self.bot_url or ""
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
            text = await response.text()
            may_retry = response.headers.get("X-Slack-No-Retry") != "1"
            return response.status, _read(text), may_retry

    def _spawn(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = [*self._sending, *self._retrying]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()


def _read(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
