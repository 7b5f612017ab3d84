"""The order in which the messages of one budget are sent."""

import math
from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Generic, TypeVar

from bot.core.budget import ENOUGH, Bucket
from bot.core.rhythm import Rhythm

K = TypeVar("K", bound=Hashable)

_LIVE_INTERVAL = 1.0  # seconds between two live edits of one message: faster than that, nobody reads
_IDLE_SPARE = 0.5  # how much of what isn't reserved must be left over before a clock may tick
_LOOKS = (
    20  # how often, while each waiting message gets one edit, to look whether one has become worth its price
)
_SHORTEST_LOOK, _LONGEST_LOOK = 0.05, 1.0  # seconds between two such looks


class Priority(IntEnum):
    """Why a message wants to be sent, most urgent first."""

    FINAL = 0  # what it shows for good
    FIRST = 1  # what makes it appear
    LIVE = 2  # new output
    IDLE = 3  # only the clock moved


@dataclass(slots=True, eq=False)
class Owner:
    """Those messages that share a turn, by their number; ``served`` is when one of them was sent last."""

    key: Hashable
    served: float
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Flight:
    """A message on its way to Slack: out of which bucket, and what it was sent for."""

    bucket: Bucket
    epoch: int
    priority: Priority
    since: float


@dataclass(slots=True, eq=False)
class Message(Generic[K]):
    """One message; it ``wants`` to be sent since ``since``, or has nothing new (``None``)."""

    key: K
    owner: Owner
    lane: "Lane[K]"
    wants: Priority | None = None
    since: float = 0.0
    not_before: float = -math.inf
    edited: float = -math.inf
    failures: int = 0
    flight: Flight | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)

    @property
    def urgent(self) -> bool:
        """Whether it need not compete by its index, and may use the whole bucket."""
        return self.wants is not None and self.wants <= Priority.FIRST

    @property
    def ready_at(self) -> float:
        """From when on it may be sent, as far as the message itself is concerned."""
        return self.not_before if self.urgent else max(self.not_before, self.edited + _LIVE_INTERVAL)

    def want(self, priority: Priority, since: float) -> None:
        """Have something to show, besides what it may have had already."""
        if self.wants is None or self.wants > priority == Priority.LIVE:
            self.since = since  # nobody was waiting for a mere tick of the clock
        elif priority is not Priority.IDLE:
            self.since = min(self.since, since)
        self.wants = priority if self.wants is None else min(self.wants, priority)

    def index(self, weight: float, now: float) -> float:
        """How much an edit now would help: W of :mod:`bot.core.schedule`."""
        age = now - self.since
        return weight * (age * age / 2 + age * self.rhythm.rest(now))


class Lane(Generic[K]):
    """The messages that wait for one budget."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.waiting: dict[K, Message[K]] = {}

    def choose(self, now: float) -> Message[K] | None:
        """Who may be sent now."""
        if not self.waiting or not self.bucket.may_send(now):
            return None
        ready = [message for message in self.waiting.values() if message.ready_at <= now]
        urgent = [message for message in ready if message.urgent]
        if urgent:
            if self.bucket.level(now) < 1 - ENOUGH:
                return None
            return min(urgent, key=lambda m: (m.wants, m.owner.served, m.since))
        spare = self._spare(now)
        if not ready or spare < -ENOUGH:
            return None
        live = [message for message in ready if message.wants is Priority.LIVE]
        if live:
            return self._worth_it(live, spare, now)
        return min(ready, key=lambda m: m.edited) if spare >= _IDLE_SPARE - ENOUGH else None

    def next_time(self, now: float) -> float | None:
        """When ``choose`` may have an answer; ``None``: not before a call in flight or an offer changes things."""
        if self.choose(now) is not None:
            return now
        times = (self._time_of(message, now) for message in self.waiting.values())
        return min((time for time in times if time is not None), default=None)

    def _worth_it(self, live: list[Message[K]], spare: float, now: float) -> Message[K] | None:
        """The live message whose edit helps most, if that is worth a token."""
        crowd = Counter(message.owner for message in live)
        index, best = max(
            ((message.index(1 / crowd[message.owner], now), message) for message in live),
            key=lambda pair: pair[0],
        )
        # With weights w the round n/R becomes sum(sqrt(w))/R; an owner's k messages of 1/k each add sqrt(k).
        round_ = sum(math.sqrt(count) for count in crowd.values()) / self.bucket.rate
        return best if index >= (round_ * (1 - spare)) ** 2 / 2 - ENOUGH else None

    @property
    def _reserve(self) -> float:
        """The tokens that are kept for urgent messages: half of them, as long as one is left for the others."""
        return min(self.bucket.burst / 2, self.bucket.burst - 1)

    @property
    def _room(self) -> float:
        return self.bucket.burst - self._reserve - 1

    def _spare(self, now: float) -> float:
        """How full the bucket would be above its reserve after one more call, 0…1; below 0 where it is too empty."""
        left = self.bucket.level(now) - self._reserve - 1
        if self._room < ENOUGH:
            return 1.0 if left >= -ENOUGH else left
        return left / self._room

    def _time_of(self, message: Message[K], now: float) -> float | None:
        kept = 0.0
        if not message.urgent:
            kept = self._reserve + (self._room * _IDLE_SPARE if message.wants is Priority.IDLE else 0)
        tokens = self.bucket.time_of(1 + kept, now)
        if tokens is None:
            return None
        time = max(tokens, message.ready_at)
        if time > now:
            return time
        look = len(self.waiting) / self.bucket.rate / _LOOKS
        return now + min(_LONGEST_LOOK, max(_SHORTEST_LOOK, look))
