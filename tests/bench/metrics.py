"""How fresh a picture is.

The age of a task's picture is the time since the oldest of its bytes arrived that is not on the screen. Over all
tasks, each from its first byte to its last:

- ``mean`` and ``p95``: of the age, weighted by time;
- ``final_p95`` and ``final_max``: from a task's last byte to its being shown for good, in seconds;
- ``right``: how many tasks' last byte is on the screen at the end.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.traces import Trace

__all__ = ["Freshness", "Show", "freshness", "quantile"]


@dataclass(frozen=True, slots=True)
class Show:
    """From ``at`` on the screen has a task's chunks up to that number; -1: none of them."""

    at: float
    task: int
    number: int


@dataclass(frozen=True, slots=True)
class Freshness:
    """The figures of one trace, in seconds; see the module."""

    mean: float
    p95: float
    final_p95: float | None
    final_max: float | None
    right: int
    tasks: int


@dataclass(frozen=True, slots=True)
class _Segment:
    """Some seconds in which the age grows from ``begin``, or during which everything is shown (``None``)."""

    begin: float | None
    length: float

    @property
    def area(self) -> float:
        return 0.0 if self.begin is None else (self.begin + self.length / 2) * self.length

    def below(self, age: float) -> float:
        """For how long the age is less."""
        return self.length if self.begin is None else min(max(age - self.begin, 0.0), self.length)


def freshness(trace: Trace, shows: Sequence[Show]) -> Freshness:
    """What was shown, compared with what had been printed; ``shows`` in order of time."""
    of_task: list[list[Show]] = [[] for _ in range(trace.tasks)]
    for show in shows:
        of_task[show.task].append(show)
    segments: list[_Segment] = []
    finals = []
    for arrivals, shown in zip(trace.arrivals, of_task, strict=True):
        segments += _segments(arrivals, shown)
        final = _shown_for_good(len(arrivals) - 1, shown)
        if final is not None:
            finals.append(max(0.0, final - arrivals[-1]))
    return Freshness(
        mean=sum(segment.area for segment in segments) / trace.alive,
        p95=_age_quantile(segments, 0.95),
        final_p95=quantile(finals, 0.95),
        final_max=max(finals, default=None),
        right=len(finals),
        tasks=trace.tasks,
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least that share of them don't exceed; ``None`` where there is no value."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None


def _segments(arrivals: Sequence[float], shown: Sequence[Show]) -> Iterator[_Segment]:
    """The course of one task's age, from its first byte to its last."""
    end, visible, printed = arrivals[-1], -1, 0
    changes = [(at, 0, number) for number, at in enumerate(arrivals)]
    changes += [(show.at, 1, show.number) for show in shown if show.at < end]
    before = arrivals[0]
    for at, kind, number in sorted(changes):
        if at > before:
            oldest = arrivals[visible + 1] if visible + 1 < printed else None
            yield _Segment(None if oldest is None else before - oldest, at - before)
            before = at
        if kind:
            visible = number
        else:
            printed = number + 1


def _shown_for_good(last: int, shown: Sequence[Show]) -> float | None:
    """Since when the chunk with that number stays on the screen; ``None`` where it isn't there at the end."""
    since = None
    for show in shown:
        if show.number != last:
            since = None
        elif since is None:
            since = show.at
    return since


def _age_quantile(segments: Sequence[_Segment], share: float) -> float:
    """The age that isn't exceeded for that share of the time, by bisection."""
    wanted = share * sum(segment.length for segment in segments)
    low, high = 0.0, max(((segment.begin or 0.0) + segment.length for segment in segments), default=0.0)
    if sum(segment.below(0) for segment in segments) >= wanted:
        return 0.0
    for _ in range(40):
        middle = (low + high) / 2
        if sum(segment.below(middle) for segment in segments) >= wanted:
            high = middle
        else:
            low = middle
    return high
