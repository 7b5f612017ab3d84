"""When something that changes often is shown again: now where it was quiet, else together with what follows.

Driven from outside, like the edit scheduler: times are arguments, in seconds of a clock that never jumps.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")


class Pace(Generic[K]):
    """Things by key, each shown at most once in ``every`` seconds, and never twice at the same time.

    What a person does themselves is shown at once, and so is the first change after it, which is its effect. The
    ``most`` things that were watched last are known; changes of others count for nothing.
    """

    def __init__(self, every: float, most: int) -> None:
        self._every = every
        self._most = most
        self._free_at: OrderedDict[K, float] = OrderedDict()
        self._pending: dict[K, float] = {}
        self._own: set[K] = set()
        self._showing: set[K] = set()

    def hurry(self, key: K, now: float) -> None:
        """Watch it, and show it at once."""
        self._free_at[key] = now
        self._free_at.move_to_end(key)
        self._pending[key] = now
        self._own.add(key)
        while len(self._free_at) > self._most:
            self.forget(next(iter(self._free_at)))

    def changed(self, key: K, now: float) -> None:
        """It has something new, to be shown as soon as its pause is over; nothing where it isn't watched."""
        if key in self._free_at:
            self._pending.setdefault(key, max(now, self._free_at[key]))

    def later(self, key: K, when: float) -> None:
        """It could not be shown: try again then, unless it is forgotten by now."""
        if key in self._free_at:
            self._pending[key] = max(when, self._pending.get(key, when))

    def forget(self, key: K) -> None:
        """Watch it no longer."""
        self._free_at.pop(key, None)
        self._pending.pop(key, None)
        self._own.discard(key)

    def due(self, now: float) -> list[K]:
        """What is to be shown now, each until ``shown`` is called for it."""
        keys = [key for key, when in self._pending.items() if when <= now and key not in self._showing]
        for key in keys:
            del self._pending[key]
            self._free_at[key] = now if key in self._own else now + self._every
            self._own.discard(key)
            self._showing.add(key)
        return keys

    def shown(self, key: K) -> None:
        """It has been shown, or could not be."""
        self._showing.discard(key)

    def next_time(self) -> float | None:
        """When something will be due; ``None`` where nothing is pending that isn't just being shown."""
        return min((when for key, when in self._pending.items() if key not in self._showing), default=None)
