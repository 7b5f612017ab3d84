"""How fresh a trace's messages could be at best: a lower bound, for a scheduler that knows the future.

Choose when to show each task: first by a post, from then on by edits. Token buckets allow at most ``burst + rate·L``
of them in every window of length L. Take some windows, put a price on each call in them, and give the prices of all
that is allowed back: whatever the prices (none below 0), the cheapest schedule under them costs no more than the best
one that keeps the rules, by weak duality. So each price gives a bound, and a few steps uphill a good one. With prices
that are constant in cells of time, an edit is best at an arrival or at a cell's beginning, and each task's cheapest
edits are found by a dynamic programme along the lower hull of lines, in one pass.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from bot.core.budget import Budget
from tests.bench.traces import Trace

__all__ = ["lower_bound"]

_CELLS = 60
_START_PRICES = 24  # tried for the window of the whole trace, as a beginning


def lower_bound(
    trace: Trace, edits: Budget, posts: Budget, *, latency: float = 0.05, steps: int = 40
) -> float:
    """No schedule has a mean age below that, in seconds, if a call takes at least ``latency``."""
    problem = _Problem(trace, edits, posts, latency)
    best, prices = max(
        (problem.value(start)[0], start) for start in problem.beginnings(trace.tasks / edits.rate)
    )
    scale = max(0.05, *prices)
    at, mean, square = list(prices), [0.0] * len(prices), [0.0] * len(prices)
    for step in range(1, steps + 1):
        value, slope = problem.value(at)
        best = max(best, value)
        mean = [0.8 * old + 0.2 * new for old, new in zip(mean, slope, strict=True)]
        square = [0.95 * old + 0.05 * new * new for old, new in zip(square, slope, strict=True)]
        size = 0.15 * scale / math.sqrt(1 + step / 20)
        at = [
            max(0.0, price + size * m / (1 - 0.8**step) / math.sqrt(s / (1 - 0.95**step) + 1e-9))
            for price, m, s in zip(at, mean, square, strict=True)
        ]
    return max(best, 0.0) / trace.alive


class _Problem:
    """The windows, what is allowed in each, and the tasks."""

    def __init__(self, trace: Trace, edits: Budget, posts: Budget, latency: float) -> None:
        length = trace.seconds / _CELLS
        self.windows = sorted(set(_windows()))
        self.allowed = [
            budget.burst + budget.rate * (end - begin) * length
            for budget in (edits, posts)
            for begin, end in self.windows
        ]
        self.tasks = [_Task.of(arrivals, length, latency) for arrivals in trace.arrivals]

    def beginnings(self, round_: float) -> Iterator[list[float]]:
        """Prices for the edits of the whole trace alone; ``round_`` is the time for one edit of each message."""
        whole = self.windows.index((0, _CELLS))
        highest = 2 * round_**2 + 5
        for number in range(_START_PRICES):
            prices = [0.0] * len(self.allowed)
            prices[whole] = 1e-4 * (highest / 1e-4) ** (number / (_START_PRICES - 1))
            yield prices

    def value(self, prices: Sequence[float]) -> tuple[float, list[float]]:
        """The bound under these prices, in seconds of age times seconds, and its slope."""
        half = len(self.windows)
        edit_prices, post_prices = self._by_cell(prices[:half]), self._by_cell(prices[half:])
        total, edits, posts = 0.0, [0] * _CELLS, [0] * _CELLS
        for task in self.tasks:
            cost, shows = task.cheapest(edit_prices, post_prices)
            total += cost
            for place, cell in enumerate(shows):
                (edits if place else posts)[cell] += 1
        used = []
        for calls in (edits, posts):
            before = [0, *accumulate(calls)]
            used += [before[end] - before[begin] for begin, end in self.windows]
        given_back = sum(price * allowed for price, allowed in zip(prices, self.allowed, strict=True))
        return total - given_back, [u - a for u, a in zip(used, self.allowed, strict=True)]

    def _by_cell(self, prices: Sequence[float]) -> list[float]:
        changes = [0.0] * (_CELLS + 1)
        for price, (begin, end) in zip(prices, self.windows, strict=True):
            changes[begin] += price
            changes[end] -= price
        return list(accumulate(changes))


def _windows() -> Iterator[tuple[int, int]]:
    """Pairs of cells: of each length that is a power of two, half overlapping, and to both ends of the trace."""
    length = 1
    while length <= _CELLS:
        step = max(1, length // 2)
        yield from ((begin, begin + length) for begin in range(0, _CELLS - length + 1, step))
        length *= 2
    for cell in range(0, _CELLS, max(1, _CELLS // 20)):
        yield 0, _CELLS - cell
        yield cell, _CELLS


@dataclass(frozen=True, slots=True)
class _Moment:
    """A time at which a show may be sent: when it is seen, in which cell, and what arrives next after it was sent."""

    seen: float
    cell: int
    following: float


@dataclass(frozen=True, slots=True)
class _Task:
    """One task: its first and last arrival, and the moments that are worth a show."""

    begin: float
    end: float
    moments: list[_Moment]

    @classmethod
    def of(cls, arrivals: Sequence[float], length: float, latency: float) -> "_Task":
        begin, end = arrivals[0], arrivals[-1]
        starts = [cell * length for cell in range(_CELLS) if begin < cell * length < end]
        moments = [
            _Moment(at + latency, min(_CELLS - 1, int(at / length)), arrivals[bisect_right(arrivals, at)])
            for at in sorted({*arrivals, *starts})
            if at + latency < end
        ]
        return cls(begin, end, moments)

    def cheapest(self, edit_prices: Sequence[float], post_prices: Sequence[float]) -> tuple[float, list[int]]:
        """The least sum of age and prices, and the cells of the shows that lead to it, in their order."""
        hull = _Hull()
        before: list[
            int
        ] = []  # the moment of the show before, for the one of each moment; -1: it is the first
        for number, moment in enumerate(self.moments):
            seen = moment.seen
            cost, previous = (seen - self.begin) ** 2 / 2 + post_prices[moment.cell], -1
            edited, line = hull.lowest(seen)
            edited += seen * seen / 2 + edit_prices[moment.cell]
            if edited < cost:
                cost, previous = edited, line
            before.append(previous)
            unseen = max(0.0, seen - moment.following)  # what arrived on the way is as old when it is seen
            hull.add(
                -moment.following,
                cost - unseen * unseen / 2 + moment.following**2 / 2,
                number,
            )
        cost, last = hull.lowest(self.end)
        cost += self.end**2 / 2
        unshown = (self.end - self.begin) ** 2 / 2
        if unshown <= cost:
            return unshown, []
        shows = []
        while last >= 0:
            shows.append(self.moments[last].cell)
            last = before[last]
        return cost, shows[::-1]


@dataclass(slots=True)
class _Hull:
    """The lower envelope of lines whose slopes only fall, asked at places that only rise."""

    lines: list[tuple[float, float, int]] = field(default_factory=list)
    at: int = 0

    def add(self, slope: float, height: float, name: int) -> None:
        lines = self.lines
        if lines and lines[-1][0] == slope:
            if lines[-1][1] <= height:
                return
            lines.pop()
        while len(lines) > 1:
            (m0, c0, _), (m1, c1, _) = lines[-2:]
            if (height - c0) * (m0 - m1) > (c1 - c0) * (m0 - slope):
                break
            lines.pop()
        lines.append((slope, height, name))

    def lowest(self, place: float) -> tuple[float, int]:
        """The lowest line there, and which it is."""
        lines = self.lines
        if not lines:
            return math.inf, -1
        at, last = min(self.at, len(lines) - 1), len(lines) - 1
        slope, height, name = lines[at]
        while at < last and lines[at + 1][0] * place + lines[at + 1][1] <= slope * place + height:
            at += 1
            slope, height, name = lines[at]
        self.at = at
        return slope * place + height, name
