"""Seeded traces of what tasks print, to measure how fresh their messages are.

Every chunk begins with a marker, ``T<task>N<number>Z``, so that a rendered text tells which bytes are on the screen.
"""

import random
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

__all__ = ["SHAPES", "Chunk", "Trace", "big", "bursty", "markers", "mixed", "steady", "text_of"]

_MARK = re.compile(r"T(\d{2,3})N(\d{6})Z")
_FILL = "the quick brown fox jumps over the lazy dog and runs away home again "
_LINE = 80  # characters of a chunk
_PIECE = 4096  # characters of a flood's chunk


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one task prints at once: its ``number`` counts from 0 in each task, ``at`` is in seconds."""

    at: float
    task: int
    number: int
    size: int = _LINE


@dataclass(frozen=True)
class Trace:
    """When each of several tasks prints, all in one sequence; a task lives from its first chunk to its last."""

    name: str
    chunks: tuple[Chunk, ...]

    @cached_property
    def arrivals(self) -> tuple[tuple[float, ...], ...]:
        """The times of each task's chunks."""
        times: list[list[float]] = [[] for _ in range(1 + max(chunk.task for chunk in self.chunks))]
        for chunk in self.chunks:
            times[chunk.task].append(chunk.at)
        return tuple(map(tuple, times))

    @property
    def tasks(self) -> int:
        """How many there are."""
        return len(self.arrivals)

    @property
    def seconds(self) -> float:
        """When the last task ends."""
        return self.chunks[-1].at

    @cached_property
    def alive(self) -> float:
        """How long all tasks live together, in seconds."""
        return sum(times[-1] - times[0] for times in self.arrivals)


def text_of(chunk: Chunk) -> str:
    """What is printed."""
    head = f"T{chunk.task:02d}N{chunk.number:06d}Z "
    fill = (_FILL * (chunk.size // len(_FILL) + 1))[: max(0, chunk.size - len(head) - 1)]
    return f"{head}{fill}\n"


def markers(text: str) -> dict[int, int]:
    """The newest chunk's number of each task that can be seen in a text."""
    seen: dict[int, int] = {}
    for task, number in _MARK.findall(text):
        seen[int(task)] = max(int(number), seen.get(int(task), -1))
    return seen


def steady(tasks: int, seed: int = 1, *, seconds: float = 120, rate: float = 5, herd: float = 1) -> Trace:
    """Every task prints about ``rate`` lines a second; all begin, and end, within ``herd`` seconds."""
    chance = random.Random(seed * 1000 + tasks)
    times = []
    for _ in range(tasks):
        begin, end = chance.uniform(0, 1), seconds - chance.uniform(0, herd)
        times.append([*_poisson(chance, begin, end, rate), end])
    return _trace("steady", times)


def mixed(tasks: int, seed: int = 2, *, seconds: float = 180) -> Trace:
    """As coding tasks are: a third in bursts (test runners), a third steady, a third sparse (an agent that thinks).

    They begin within 10 s and end within the second half.
    """
    chance = random.Random(seed * 1000 + tasks)
    times = []
    for task in range(tasks):
        begin, end = chance.uniform(0, 10), seconds - chance.uniform(0, seconds / 2)
        if task % 3 == 0:
            printed = [begin, *_bursts(chance, begin, end, longest=5, silence=12)]
        else:
            printed = [begin, *_poisson(chance, begin, end, 2 if task % 3 == 1 else 1 / 12)]
        times.append([*(at for at in printed if at < end), end])
    return _trace("mixed", times)


def bursty(tasks: int, seed: int = 3, *, seconds: float = 180) -> Trace:
    """All print 20 lines a second for some seconds, and are silent for about 20."""
    chance = random.Random(seed * 1000 + tasks)
    times = []
    for _ in range(tasks):
        begin = chance.uniform(0, 10)
        end = seconds - chance.uniform(0, seconds / 6)
        printed = [begin, *_bursts(chance, begin, end, longest=4, silence=20)]
        times.append([*(at for at in printed if at < end), end])
    return _trace("bursty", times)


def big(tasks: int, seed: int = 4, *, seconds: float = 30, megabytes: float = 10) -> Trace:
    """One task floods, the others print a line a second, each at its own moment."""
    chance = random.Random(seed * 1000 + tasks)
    pieces = int(megabytes * 1e6 / _PIECE)
    flood = [seconds * piece / pieces for piece in range(pieces)]
    others = [[at + chance.random() / 2 for at in range(int(seconds))] for _ in range(tasks - 1)]
    return _trace("big", [flood, *others], flood=0)


class _Shape(Protocol):
    def __call__(self, tasks: int, seed: int = ...) -> Trace: ...


SHAPES: dict[str, _Shape] = {
    "steady": steady,
    "mixed": mixed,
    "bursty": bursty,
    "big": big,
}


def _poisson(chance: random.Random, begin: float, end: float, rate: float) -> list[float]:
    times, at = [], begin
    while at < end:
        times.append(at)
        at += chance.expovariate(rate)
    return times


def _bursts(
    chance: random.Random, begin: float, end: float, *, longest: float, silence: float
) -> list[float]:
    times, at = [], begin
    while at < end:
        until = at + chance.uniform(1, longest)
        while at < min(until, end):
            times.append(at)
            at += chance.expovariate(20)
        at = max(at, until) + chance.expovariate(1 / silence)
    return times


def _trace(name: str, times: list[list[float]], flood: int | None = None) -> Trace:
    chunks = [
        Chunk(round(at, 4), task, number, _PIECE if task == flood else _LINE)
        for task, printed in enumerate(times)
        for number, at in enumerate(sorted(printed))
    ]
    chunks.sort(key=lambda chunk: (chunk.at, chunk.task, chunk.number))
    trace = Trace(f"{name} {len(times)}", tuple(chunks))
    assert all(one <= other for printed in trace.arrivals for one, other in pairwise(printed))
    return trace
