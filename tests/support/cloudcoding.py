"""A Cloud Coding service that does what a test tells it, step by step, over real HTTP.

::

    go_on = asyncio.Event()
    async with cloud(script(Out("building\\n"), Wait(go_on), Say("Done.", thread_id="t-1"))) as server:
        ...  # the first request is answered by the first script, the second one by the second, and so on

A script holds the stream open at ``Wait`` until the test sets its event, and tells the test how far it is with
``Reached``; so no test needs to sleep. ``Cut`` breaks the connection, by default behind the response's headers;
with ``Silent()`` as the first step no headers are sent until something is written.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from bot.simulator.cloudcoding import CloudCodingServer, Framing, Responder, Stream
from bot.simulator.invocation import Invocation

API_KEY = "cc-test-key"


class Step(Protocol):
    """One thing that the service does."""

    async def take(self, stream: Stream) -> None: ...


@dataclass(frozen=True, slots=True)
class Silent:
    """As the first step: the headers wait for the first write."""

    async def take(self, stream: Stream) -> None:
        del stream  # what matters is that it is not opened


@dataclass(frozen=True, slots=True)
class Open:
    """As the first step: other headers than an event stream's."""

    content_type: str = "text/event-stream"
    status: int = 200
    compress: bool = False

    async def take(self, stream: Stream) -> None:
        await stream.open(self.content_type, status=self.status, compress=self.compress)


@dataclass(frozen=True, slots=True)
class Out:
    """A piece of stdout."""

    text: str
    task: str | None = None

    async def take(self, stream: Stream) -> None:
        await stream.stdout(self.text, self.task)


@dataclass(frozen=True, slots=True)
class Say:
    """An ``updates`` event with the agent's answer as its last message."""

    text: str
    thread_id: str | None = None
    run_id: str = "run-1"
    task: str | None = None

    async def take(self, stream: Stream) -> None:
        messages = [{"type": "human", "content": "(the prompt)"}, {"type": "ai", "content": self.text}]
        await stream.updates(messages, run_id=self.run_id, thread_id=self.thread_id, task=self.task)


@dataclass(frozen=True, slots=True)
class Fail:
    """An ``error`` event: of ``task``, or of the run where that is ``None``."""

    task: str | None
    text: str

    async def take(self, stream: Stream) -> None:
        await stream.error(self.text, self.task)


@dataclass(frozen=True, slots=True)
class Event:
    """Any event, in the server's framing."""

    name: str
    data: object

    async def take(self, stream: Stream) -> None:
        await stream.event(self.name, self.data)


@dataclass(frozen=True, slots=True)
class Raw:
    """These very bytes."""

    data: bytes

    async def take(self, stream: Stream) -> None:
        await stream.raw(self.data)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment that keeps the connection alive."""

    async def take(self, stream: Stream) -> None:
        await stream.comment()


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on once the test has set this event."""

    event: asyncio.Event

    async def take(self, stream: Stream) -> None:
        del stream
        await self.event.wait()


@dataclass(frozen=True, slots=True)
class Reached:
    """Set this event, so that the test knows how far the script is."""

    event: asyncio.Event

    async def take(self, stream: Stream) -> None:
        del stream
        self.event.set()


@dataclass(frozen=True, slots=True)
class Cut:
    """Break the connection as a crash would."""

    async def take(self, stream: Stream) -> None:
        await stream.cut()


def script(*steps: Step) -> Responder:
    """A responder that takes these steps and then ends the stream properly."""

    async def play(invocation: Invocation, stream: Stream) -> None:
        del invocation  # a script says the same whatever it was asked
        if not isinstance(next(iter(steps), None), Silent | Open):
            await stream.open()
        for step in steps:
            await step.take(stream)

    return play


class Scripts:
    """A responder for several requests: each takes the next script; ``add`` queues more.

    A request for which no script is left is a mistake of the test, and refused with status 400 and these words.
    """

    def __init__(self, *scripts: Responder) -> None:
        self._left = deque(scripts)

    def add(self, *steps: Step) -> None:
        """Queue a script for the next request that has none yet."""
        self._left.append(script(*steps))

    async def __call__(self, invocation: Invocation, stream: Stream) -> None:
        if not self._left:
            await stream.open("text/plain", status=400)
            await stream.raw(b"a request came for which the test has no script")
            return
        await self._left.popleft()(invocation, stream)


def cloud(*scripts: Responder, framing: Framing | str = Framing.ENVELOPE) -> CloudCodingServer:
    """A server that answers its requests with ``scripts`` in turn; enter it with ``async with``."""
    responder = scripts[0] if len(scripts) == 1 and isinstance(scripts[0], Scripts) else Scripts(*scripts)
    return CloudCodingServer(responder, api_key=API_KEY, framing=framing, open_at_once=False)
