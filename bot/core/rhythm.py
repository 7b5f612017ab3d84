"""How a task prints: its gaps between outputs, and how long a silence will probably last."""

import math

_SHORTEST = 0.02  # seconds: the lower edge of the first bin
_BINS = 18  # each twice as wide as the one before: the last begins near 44 minutes
_MIDDLES = tuple(_SHORTEST * 2 ** (bin_ + 0.5) for bin_ in range(_BINS))
_MEMORY = 256  # gaps after which the old ones lose half their say, so that a task may change its habits


class Rhythm:
    """A histogram of one task's gaps, in bounded memory."""

    def __init__(self) -> None:
        self._counts = [0.0] * _BINS
        self._total = 0.0
        self._last: float | None = None

    def output(self, now: float) -> None:
        """The task printed something."""
        if self._last is not None:
            self._count(now - self._last)
        self._last = now

    def rest(self, now: float) -> float:
        """The mean number of seconds until the task prints again, given how long it has been silent."""
        if self._last is None:
            return 0.0
        silent = now - self._last
        weight = until = 0.0
        for count, middle in zip(self._counts, _MIDDLES, strict=True):
            if count and middle > silent:
                weight += count
                until += count * middle
        if not weight:
            return silent  # longer than ever: nothing is known but that long silences tend to last
        return until / weight - silent

    def _count(self, gap: float) -> None:
        bin_ = 0 if gap < _SHORTEST else min(_BINS - 1, int(math.log2(gap / _SHORTEST)))
        self._counts[bin_] += 1
        self._total += 1
        if self._total >= _MEMORY:
            self._counts = [count / 2 for count in self._counts]
            self._total /= 2
