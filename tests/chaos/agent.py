"""The service's side of a round: what it does for each job, and what it remembers of it."""

import asyncio
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from bot.simulator.cloudcoding import Stream
from bot.simulator.invocation import Invocation

KEY = re.compile(r"job-\d{3}")
ONE = "task"  # what the bot calls the task of a run that has only one
BUSY_TIMES = 2  # how often a busy service says no; the bot asks four times


class Ending(StrEnum):
    """What a job's stream comes to."""

    DONE = "done"
    FAILED = "failed"  # an error of the whole run
    CUT = "cut"  # the connection breaks
    SILENT = "silent"  # nothing more comes
    BUSY = "busy"  # refused with 503 before the headers, and carried out when asked again
    DEAF = "deaf"  # the connection breaks before the headers, once
    REFUSED = "refused"  # 400


@dataclass(frozen=True, slots=True)
class Part:
    """What a job makes the service do: ``lines`` of each task, one every ``pace`` seconds, and how that ends."""

    key: str
    tasks: tuple[str, ...]
    lines: int
    pace: float
    ending: Ending

    def line(self, task: str, number: int) -> str:
        """A line of output, which says what it belongs to."""
        return f"{self.key} {task} line {number}"

    def answer(self, task: str) -> str:
        """The agent's answer, likewise."""
        return f"{self.key} {task} is answered"


@dataclass(slots=True)
class Performance:
    """One request that was carried out: each task's lines with the time (Unix) at which each was written.

    ``complete`` is when the stream was closed as planned, if it was; ``gone`` when it was over, however.
    """

    part: Part
    began: float = field(default_factory=time.time)
    written: dict[str, list[float]] = field(default_factory=dict)
    complete: float | None = None
    gone: float | None = None


class Agent:
    """A responder that knows each job by its key in the prompt."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self.performances: dict[str, list[Performance]] = {}
        self._parts = {part.key: part for part in parts}
        self._refusals: dict[str, int] = {}

    def of(self, key: str) -> list[Performance]:
        """What was carried out of a job."""
        return self.performances.get(key, [])

    async def __call__(self, invocation: Invocation, stream: Stream) -> None:
        found = KEY.search(" ".join(invocation.prompts.values()))
        assert found is not None, invocation.prompts
        part = self._parts[found[0]]
        if await self._refuses(part, stream):
            return
        await stream.open()
        performance = Performance(part, written={task: [] for task in part.tasks})
        self.performances.setdefault(part.key, []).append(performance)
        try:
            await _perform(performance, stream)
        finally:
            performance.gone = time.time()

    async def _refuses(self, part: Part, stream: Stream) -> bool:
        """Say no before the headers, as the part wants it."""
        times = self._refusals[part.key] = self._refusals.get(part.key, 0) + 1
        if part.ending is Ending.DEAF and times == 1:
            await stream.cut()
        if part.ending is Ending.BUSY and times <= BUSY_TIMES:
            await stream.open("text/plain", status=503)
            return True
        if part.ending is Ending.REFUSED:
            await stream.open("text/plain", status=400)
            await stream.raw(b"this was refused")
            return True
        return False


async def _perform(performance: Performance, stream: Stream) -> None:
    part = performance.part
    named = {task: None if part.tasks == (ONE,) else task for task in part.tasks}
    for number in range(1, part.lines + 1):
        for task in part.tasks:
            await stream.stdout(part.line(task, number) + "\n", named[task])
            performance.written[task].append(time.time())
        await asyncio.sleep(part.pace)
    match part.ending:
        case Ending.CUT:
            performance.complete = time.time()
            await stream.cut()
        case Ending.SILENT:
            performance.complete = time.time()
            await asyncio.Event().wait()
        case Ending.FAILED:
            await stream.error(f"{part.key} went wrong")
        case _:
            for task in part.tasks:
                answer = [{"type": "ai", "content": part.answer(task)}]
                await stream.updates(answer, thread_id=f"thread-of-{part.key}", task=named[task])
    performance.complete = time.time()
