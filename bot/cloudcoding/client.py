"""The Cloud Coding API over HTTP: one request out, its live stream of events in.

Three layers: an attempt (``_attempt``) gets the response's headers; the retry policy (``_open``) repeats attempts that
can't have started anything; :class:`EventStream` reads what follows, of which nothing is ever repeated.
"""

import asyncio
import io
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Self, get_args

import aiohttp

from bot.clock import Clock
from bot.cloudcoding.events import Broken, Event, Unknown, edges, interpret_run
from bot.cloudcoding.problem import problem_in, shortened
from bot.cloudcoding.request import GITHUB_URL, InvokeRequest
from bot.core.sse import Run, SSEDecoder
from bot.errors import UpstreamBusy, UpstreamCut, UpstreamRefused
from bot.meter import Meter

__all__ = ["CloudCoding", "EventStream", "InvokeRequest", "RetryPolicy", "Tally", "Timeouts"]

DETAIL_CHARS = 2_000
_LARGEST_PROBLEM = 64 * 2**10
_PROBLEM_SECONDS = 10.0  # for a refusal's body: its status alone would do
_STREAM_TYPES = frozenset({"", "text/event-stream", "text/plain", "application/octet-stream"})
_MOST_KINDS = 20
_NAMES: dict[type[Event], str] = {kind: kind.__name__.lower() for kind in get_args(Event)}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: until there is a connection; from then to the response's headers; between any two pieces of the stream."""

    connect: float = 10.0
    headers: float = 60.0
    idle: float = 900.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most ``tries`` attempts, the last of which begins within ``budget`` seconds of the first.

    The pauses double from ``first_pause`` seconds on; jitter takes up to half of each away.
    """

    tries: int = 4
    budget: float = 30.0
    first_pause: float = 1.0


@dataclass(frozen=True, slots=True)
class Tally:
    """What a stream consisted of, for one line in the log; ``kinds`` are the first kinds of unknown events."""

    events: int
    unknown: int
    broken: int
    dropped: int
    kinds: tuple[str, ...]


class _BusyError(UpstreamBusy):
    """An attempt that started nothing; ``pause`` is how many seconds the service asked to wait, where it did."""

    def __init__(self, status: int | None, detail: str, pause: float | None = None) -> None:
        asked = "" if pause is None else f" (it asks to wait {pause:.0f} s)"
        super().__init__(status, f"{detail}{asked}".strip())
        self.pause = pause


class EventStream:
    """A running invocation: an async iterator of batches, each with all events of one chunk, never empty.

    The iteration ends when the service has closed the stream properly, and raises :class:`UpstreamCut` where the
    connection broke or fell silent.
    """

    def __init__(self, response: aiohttp.ClientResponse, idle: float, meter: Meter) -> None:
        self._meter = meter
        self._content = response.content
        self._idle = idle
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None  # when the wait for the next chunk began, while there is one
        self._watch = self._loop.call_later(idle, self._look)
        self._decoder = SSEDecoder(edges=edges)
        self._ended = False
        self._cut: UpstreamCut | None = None
        self._counts: Counter[type[Event]] = Counter()
        self._kinds: dict[str, None] = {}  # an ordered set

    @property
    def tally(self) -> Tally:
        """What has come so far."""
        return Tally(
            events=self._counts.total(),
            unknown=self._counts[Unknown],
            broken=self._counts[Broken],
            dropped=self._decoder.dropped,
            kinds=tuple(self._kinds),
        )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        while not self._ended:
            if events := self._interpreted(await self._next()):
                return events
        if self._cut is not None:
            cut, self._cut = self._cut, None
            raise cut
        raise StopAsyncIteration

    async def _next(self) -> list[Run]:
        """The events of the next chunk as it comes. Lines are the decoder's business: aiohttp limits theirs."""
        self._since = self._loop.time()
        try:
            chunk = await self._content.readany()
        except TimeoutError as error:
            return self._broken_off(f"silent for {self._idle:g} s", error)
        except (aiohttp.ClientError, OSError) as error:
            return self._broken_off(f"the connection broke: {type(error).__name__}", error)
        finally:
            self._since = None
        if chunk:
            return self._decoder.feed_runs(chunk)
        self._ended = True
        return self._decoder.close_runs()

    def _broken_off(self, reason: str, error: Exception) -> list[Run]:
        """Remember the cut for later, and save what had arrived before it: aiohttp keeps that back behind the error."""
        self._ended = True
        self._cut = UpstreamCut(reason)
        self._cut.__cause__ = error
        self._content.set_exception(None)  # type: ignore[arg-type]  # its one way to take an exception back
        return self._decoder.feed_runs(b"".join(iter(self._content.read_nowait, b"")))

    def _look(self) -> None:
        """Whether it has been silent for too long: one timer for many chunks, where aiohttp's is a new one for each."""
        silent = 0.0 if self._since is None else self._loop.time() - self._since
        if silent < self._idle:
            self._watch = self._loop.call_later(self._idle - silent, self._look)
        else:
            self._content.set_exception(TimeoutError())

    def close(self) -> None:
        """Watch it no longer."""
        self._watch.cancel()

    def _interpreted(self, runs: list[Run]) -> list[Event]:
        events: list[Event] = []
        for run in runs:
            events += interpret_run(run)
        counts = Counter(map(type, events))
        for kind, count in counts.items():
            self._counts[kind] += count
            self._meter.events[_NAMES[kind]] += count
        if Unknown in counts:
            kinds = dict.fromkeys(event.kind for event in events if isinstance(event, Unknown))
            self._kinds = dict.fromkeys(islice(self._kinds | kinds, _MOST_KINDS))
        return events


async def _at_once() -> None:
    """Nothing stands against it."""


class CloudCoding:
    """The service at ``url``. The session is the caller's; its own timeouts don't apply here."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        api_key: str,
        *,
        timeouts: Timeouts = Timeouts(),
        retry: RetryPolicy = RetryPolicy(),
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        github_url: str = GITHUB_URL,
        meter: Meter | None = None,
    ) -> None:
        self._meter = meter or Meter()
        self._session = session
        self._url = f"{url.rstrip('/')}/invoke/stdout"
        self._headers = {
            "x-api-key": api_key,
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
        }
        self._timeouts = timeouts
        self._retry = retry
        self._clock = clock or Clock()
        self._sleep = sleep
        self._jitter = jitter
        self._github_url = github_url

    @asynccontextmanager
    async def invoke(
        self, request: InvokeRequest, cleared: Callable[[], Awaitable[None]] = _at_once
    ) -> AsyncIterator[EventStream]:
        """Start ``request`` and give its stream; leaving the context, or being cancelled, closes the connection at once.

        Before each attempt it waits until that is ``cleared``: whether it may be sent can change while it pauses.
        Raises :class:`UpstreamRefused`, :class:`UpstreamBusy` (nothing was started, also after all tries), or
        :class:`UpstreamCut` where the request was sent and no headers came in time: it may be running, and is not sent
        again.
        """
        response = await self._open(json.dumps(request.body(self._github_url)).encode(), cleared)
        stream = EventStream(response, self._timeouts.idle, self._meter)
        try:
            yield stream
        finally:
            stream.close()
            response.close()  # not release(): that would first read what is left

    async def _open(self, content: bytes, cleared: Callable[[], Awaitable[None]]) -> aiohttp.ClientResponse:
        """A response whose stream has begun, after as many attempts as the retry policy allows."""
        policy = self._retry
        began = self._clock.monotonic()
        tries = 0
        while True:
            await cleared()
            try:
                return await self._attempt(content)
            except _BusyError as busy:
                tries += 1
                backoff = policy.first_pause * 2 ** (tries - 1) * (1 - self._jitter() / 2)
                pause = backoff if busy.pause is None else busy.pause
                if tries >= policy.tries or self._clock.monotonic() - began + pause > policy.budget:
                    raise
            await self._sleep(pause)

    async def _attempt(self, content: bytes) -> aiohttp.ClientResponse:
        limits = self._timeouts
        begun = self._clock.monotonic()
        try:
            # A connection has its own limit, so what runs out here is the wait for an answer to a request that was sent.
            async with asyncio.timeout(limits.connect + limits.headers):
                response = await self._session.post(
                    self._url,
                    data=io.BytesIO(content),  # a file is sent in pieces; of large bytes aiohttp warns
                    headers=self._headers,
                    allow_redirects=False,  # the API key is for this host alone
                    timeout=aiohttp.ClientTimeout(
                        total=None, connect=limits.connect, sock_read=limits.headers
                    ),
                )
                _stop_timing(response)
        except aiohttp.ConnectionTimeoutError as error:
            raise _BusyError(None, f"no connection within {limits.connect:g} s") from error
        except TimeoutError as error:
            raise UpstreamCut(f"no answer within {limits.headers:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise _BusyError(None, type(error).__name__) from error
        self._meter.answers[str(response.status)] += 1
        self._meter.answer.add(self._clock.monotonic() - begun)
        try:
            await self._check(response)
        except BaseException:
            response.close()
            raise
        return response

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        """Return where ``response`` is an event stream; else raise what its status and its body say."""
        status, media_type = response.status, _media_type(response)
        if status in range(200, 300) and media_type in _STREAM_TYPES:
            return
        detail = shortened(" ".join((await _problem(response, media_type)).split()), DETAIL_CHARS)
        if status == 429 or status >= 500:  # noqa: PLR2004  HTTP's own numbers
            raise _BusyError(status, detail, self._retry_after(response))
        if status in range(300, 400):
            detail = "it answered with a redirect, which is not followed"
        elif status in range(200, 300):
            detail = detail or f"it answered with {media_type} instead of an event stream"
        raise UpstreamRefused(status, detail)

    def _retry_after(self, response: aiohttp.ClientResponse) -> float | None:
        """``Retry-After`` in seconds from now; it is a number of seconds or a date."""
        value = response.headers.get("Retry-After", "")
        try:
            if value[:1].isdigit():
                return float(value)
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        moment = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - self._clock.wall())


def _stop_timing(response: aiohttp.ClientResponse) -> None:
    """End aiohttp's own watch over silence, which costs a timer for each chunk; EventStream watches with one."""
    protocol = response.connection.protocol if response.connection else None
    if protocol is not None:
        protocol.read_timeout = None
        protocol.start_timeout()


def _media_type(response: aiohttp.ClientResponse) -> str:
    return response.headers.get("Content-Type", "").partition(";")[0].strip().lower()


async def _problem(response: aiohttp.ClientResponse, media_type: str) -> str:
    """What a body that is no event stream says, as far as it can be had: JSON's words, or plain text."""
    body = b""
    try:
        async with asyncio.timeout(_PROBLEM_SECONDS):
            while len(body) < _LARGEST_PROBLEM and (
                piece := await response.content.read(_LARGEST_PROBLEM - len(body))
            ):
                body += piece
    except (aiohttp.ClientError, OSError):
        pass  # TimeoutError is an OSError: the status says enough
    return problem_in(body, plain=media_type == "text/plain")
