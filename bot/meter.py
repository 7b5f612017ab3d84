"""What the bot counts of itself: plain numbers, the cheapest form for those who count; ``bot.web`` shows them.

One :class:`Meter` for each bot, made by the composition root and handed to the rooms, so that two bots in one process
(as in tests) don't share figures.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SLOW = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


class Spread:
    """How values in seconds spread: ``counts[i]`` of them were at most ``bounds[i]``, the last count's above all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """One more value."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


def _quick() -> Spread:
    return Spread(_QUICK)


def _slow() -> Spread:
    return Spread(_SLOW)


@dataclass(slots=True)
class Meter:
    """All of it. A counter's keys are its label's values."""

    ended: Counter[str] = field(default_factory=Counter)  # runs, by their last state
    waited: Spread = field(default_factory=_slow)  # from a run's being taken on to its start
    calls: Counter[tuple[str, str]] = field(
        default_factory=Counter
    )  # of the editor: post, find or update, and outcome; skipped: Slack had that frame already
    call: Spread = field(default_factory=_quick)  # how long one took
    staleness: Spread = field(
        default_factory=_slow
    )  # of the oldest unseen output, whenever a message is rendered
    events: Counter[str] = field(default_factory=Counter)  # of the service, by what they are
    answers: Counter[str] = field(default_factory=Counter)  # of the service to requests, by status
    answer: Spread = field(default_factory=_slow)  # from a request to its answer's headers
    duplicates: int = 0  # requests that Slack delivered again, and that were claimed before
    database: defaultdict[str, Spread] = field(
        default_factory=lambda: defaultdict(_quick)
    )  # how long transactions took, with their wait, by kind
    database_failures: int = 0  # transactions that came to nothing, because the database was away or too slow
    loop_lag: Spread = field(default_factory=_quick)  # how late the event loop woke its heartbeat
