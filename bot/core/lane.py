"""The order in which the messages of one budget are sent; the reasons are in :mod:`bot.core.schedule`."""

import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Generic, TypeVar

from bot.core.budget import ENOUGH, Bucket
from bot.core.rhythm import Rhythm
from bot.core.rollup import Lines

K = TypeVar("K", bound=Hashable)

_LIVE_INTERVAL = 1.0  # seconds between two live edits of one message: faster than that, nobody reads
_KEPT = 0.4  # of the burst for urgent messages: four of Slack's ten
_KEPT_FOR_FEW = 0.53  # instead, where no more than eight will end: four tasks and their run can do so at once
_KEPT_FOR_EACH, _MOST_KEPT = 0.005, 0.65  # and so much more for each live message, up to that
_KEPT_BESIDE_ROLLUP = 0.125  # instead, where a roll-up tells of ends, and there are too many to prepare for
_CROWD = 8  # messages that are more than that
_DIP = 0.2  # of what is kept must be left by a roll-up
_OVERFLOWING = 0.025  # of what isn't kept is missing when the bucket is about to overflow
_IDLE_SPARE = 0.6  # of what isn't kept must be left over before a clock may tick
_THRIFT = 0.7  # of the price at which all tokens would just be used
_CHEAPER = 1 / 3  # of what isn't kept: the last of it, in which the price falls to nothing
_LOOKS = 20  # how often, while each message gets one edit, to look whether one has become worth its price
_SHORTEST_LOOK, _LONGEST_LOOK = 0.05, 0.5  # seconds between two such looks


class Priority(IntEnum):
    """Why a message wants to be sent, most urgent first."""

    OVERDUE = -1  # what it shows for good, and should have long ago: its process has died
    FINAL = 0  # what it shows for good
    FIRST = 1  # what makes it appear
    LIVE = 2  # new output
    IDLE = 3  # only the clock moved


@dataclass(slots=True, eq=False)
class Owner:
    """Those messages that share a turn, by their number; ``served`` is when one of them was sent last.

    ``printing`` of them have live output of their own; ``lines`` are those of the owner's roll-up.
    """

    key: Hashable
    served: float
    messages: int = 0
    printing: int = 0
    lines: Lines = field(default_factory=Lines)

    @property
    def round(self) -> float:
        """The time for one edit of each of its messages, in seconds for each edit a second: the sum of all √w."""
        return math.sqrt(max(1, self.printing)) / (1 - self.lines.part)

    @property
    def crowd(self) -> bool:
        """Whether its messages are so many that their ends couldn't all be prepared for, and a roll-up tells of them."""
        return self.lines.part > 0 and self.printing > _CROWD


@dataclass(frozen=True, slots=True)
class Flight:
    """A message on its way to Slack: out of which lane, and what it was sent for; of a roll-up, the lines in it."""

    lane: "Lane[Any]"
    epoch: int
    priority: Priority
    since: float
    lines: dict[Hashable, float]


@dataclass(slots=True, eq=False)
class Message(Generic[K]):
    """One message; it ``wants`` to be sent since ``since``, or has nothing new (``None``).

    ``lines`` is not 0 for a roll-up: how many tasks' last lines it shows.
    """

    key: K
    owner: Owner
    lane: "Lane[K]"
    wants: Priority | None = None
    since: float = 0.0
    not_before: float = -math.inf
    edited: float = -math.inf
    failures: int = 0
    lines: int = 0
    printing: bool = False
    flight: Flight | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)

    @property
    def urgent(self) -> bool:
        """Whether it need not compete by its index, and may use the whole bucket."""
        return self.wants is not None and self.wants <= Priority.FIRST

    @property
    def ready_at(self) -> float:
        """From when on it may be sent, as far as the message itself is concerned."""
        rested = self.edited + _LIVE_INTERVAL
        return self.not_before if rested < self.not_before or self.urgent else rested

    def want(self, priority: Priority, since: float) -> None:
        """Have something to show, besides what it may have had already."""
        if self.wants is None or self.wants > priority == Priority.LIVE:
            self.since = since  # nobody was waiting for a mere tick of the clock
        elif priority is not Priority.IDLE:
            self.since = min(self.since, since)
        self.wants = priority if self.wants is None else min(self.wants, priority)

    def index(self, now: float) -> float:
        """How much an edit now would help: W of :mod:`bot.core.schedule`."""
        age = now - self.since
        return (age * age / 2 + age * self.rhythm.rest(now)) / max(1, self.owner.printing)


@dataclass(frozen=True, slots=True)
class _Crowd:
    """All that have live output: the time for one edit of each, as in ``Owner``; how many; if a roll-up tells of their ends."""

    round: float
    messages: int
    told: bool


class Lane(Generic[K]):
    """The messages that wait for one budget. There may be thousands, so that each look at all of them is short."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.live: dict[Owner, int] = {}  # how many messages of whom have live output, roll-ups among them
        self.refused = -math.inf  # when it was last
        # What has something to show and isn't in flight.
        self._urgent: dict[K, Message[K]] = {}
        self._casual: dict[K, Message[K]] = {}
        self._known_crowd: _Crowd | None = None  # of ``live``, while nothing has changed
        self._next: float | None = None  # the next time, while nothing has changed
        self._nobody_at: float | None = None  # when ``choose`` had no answer, while nothing has changed

    def changed(self) -> None:
        """Something waits, or its budget stands, otherwise than before."""
        self._next = self._nobody_at = None

    def wait(self, message: Message[K]) -> None:
        """It has something to show."""
        here, there = self._urgent, self._casual
        if not message.urgent:
            here, there = there, here
        there.pop(message.key, None)
        here[message.key] = message
        self.changed()

    def leave(self, message: Message[K]) -> None:
        """It has nothing to show, or is on its way."""
        self._urgent.pop(message.key, None)
        self._casual.pop(message.key, None)
        self.changed()

    def begin(self, message: Message[K], lines: int, part: float) -> None:
        """It has live output: from now on it counts, once; ``part`` is a roll-up's, of its run's edits."""
        owner = message.owner
        if not message.printing or bool(message.lines) != bool(lines):
            self.end(message)
            message.printing, message.lines = True, lines
            self.live[owner] = self.live.get(owner, 0) + 1
            owner.printing += not lines
            self._known_crowd = None
        if lines and owner.lines.part != part:
            owner.lines.part = part
            self._known_crowd = None

    def end(self, message: Message[K]) -> None:
        """It has no live output any more, and its end need not be prepared for."""
        if message.printing:
            message.printing = False
            self.live[message.owner] -= 1
            if not self.live[message.owner]:
                del self.live[message.owner]
            if message.lines:
                message.owner.lines.end()
            else:
                message.owner.printing -= 1
            self._known_crowd = None

    def choose(self, now: float) -> Message[K] | None:
        """Who may be sent now."""
        if now == self._nobody_at:
            return None
        chosen = self._choose(now)
        if chosen is None:
            self._nobody_at = now
        return chosen

    def _choose(self, now: float) -> Message[K] | None:
        if not (self._urgent or self._casual) or not self.bucket.may_send(now):
            return None
        level = self.bucket.level(now)
        if level < 1 - ENOUGH:
            return None
        urgent = [message for message in self._urgent.values() if message.not_before <= now]
        if urgent:
            return min(urgent, key=lambda m: (m.wants, m.owner.served, m.since))
        if level < 1 + self._reserve * _DIP - ENOUGH:
            return None
        latest = now - _LIVE_INTERVAL
        ready = [m for m in self._casual.values() if m.edited <= latest and m.not_before <= now]
        return self._rollup(ready, now) or self._pastime(ready, now)

    def _rollup(self, ready: list[Message[K]], now: float) -> Message[K] | None:
        """A roll-up whose turn has come."""
        due = [
            (self._rollup_due(message), message)
            for message in ready
            if message.lines and message.wants is Priority.LIVE
        ]
        time, message = min(due, key=lambda pair: pair[0], default=(math.inf, None))
        return message if time <= now + ENOUGH else None

    def _rollup_due(self, rollup: Message[K]) -> float:
        """When it is to be edited, however full the bucket is."""
        owner = rollup.owner
        share = owner.lines.part * owner.round / self._crowd.round
        return owner.lines.due(rollup.edited, owner.printing, 1 / (share * self.bucket.rate))

    @property
    def _crowd(self) -> _Crowd:
        if self._known_crowd is None:
            owners = self.live
            told = any(owner.crowd for owner in owners)
            self._known_crowd = _Crowd(sum(owner.round for owner in owners), sum(owners.values()), told)
        return self._known_crowd

    def _pastime(self, ready: list[Message[K]], now: float) -> Message[K] | None:
        """Output that is worth a token, or a clock that may tick."""
        spare = self._spare(now)
        if spare < -ENOUGH:
            return None
        live = [message for message in ready if message.wants is Priority.LIVE and not message.lines]
        worth_it = self._worth_it(live, spare, now)
        if worth_it is None and spare >= 1 - _OVERFLOWING:
            worth_it = next((message for message in ready if message.lines), None)
        if live or worth_it is not None:
            return worth_it
        idle = [message for message in ready if message.wants is Priority.IDLE]
        return min(idle, key=lambda m: m.edited, default=None) if spare >= _IDLE_SPARE - ENOUGH else None

    def next_time(self, now: float) -> float | None:
        """When ``choose`` may have an answer; ``None``: not before a call in flight or an offer changes things."""
        if not (self._urgent or self._casual):
            return None
        if self._next is not None and now < self._next:
            return self._next
        if self.choose(now) is not None:
            return now
        found = self._earliest(now)
        # Many posts can wait in many channels, and for them the time isn't another one only because it is later.
        self._next = None if self._casual else found
        return found

    def _worth_it(self, live: list[Message[K]], spare: float, now: float) -> Message[K] | None:
        """The live message whose edit helps most, if that is worth a token."""
        indexed = ((message.index(now), message) for message in live)
        index, best = max(indexed, key=lambda pair: pair[0], default=(-math.inf, None))
        round_ = self._crowd.round / self.bucket.rate
        price = _THRIFT * round_**2 / 2 * min(1.0, (1 - spare) / _CHEAPER)
        return best if index >= price - ENOUGH else None

    @property
    def _reserve(self) -> float:
        """The tokens that are kept for urgent messages.

        As many as there are messages whose end is still to come, but at most some of the burst, and so that one
        is left for the others.
        """
        burst, crowd = self.bucket.burst, self._crowd
        few = _KEPT_FOR_FEW if crowd.messages <= _CROWD and not self.bucket.doubted else _KEPT
        least = _KEPT_BESIDE_ROLLUP if crowd.told else few
        kept = min(_MOST_KEPT, least + _KEPT_FOR_EACH * crowd.messages)
        return min(crowd.messages, kept * burst, burst - 1)

    def _spare(self, now: float) -> float:
        """How full the bucket would be above its reserve after one more call, 0…1; below 0 where it is too empty."""
        reserve = self._reserve
        left, room = self.bucket.level(now) - reserve - 1, self.bucket.burst - reserve - 1
        if room < ENOUGH:
            return 1.0 if left >= -ENOUGH else left
        return left / room

    def _earliest(self, now: float) -> float | None:
        """When the first of the waiting messages may be sent, or should be looked at again."""
        reserve, room = self._reserve, self.bucket.burst - self._reserve - 1
        kept = (0, _DIP * reserve, reserve, reserve + _IDLE_SPARE * max(0.0, room))
        urgent, rollup, live, idle = (self.bucket.time_of(1 + tokens, now) for tokens in kept)
        if urgent is None or rollup is None or live is None or idle is None:  # all of them
            return None
        waiting = len(self._urgent) + len(self._casual)
        look = now + min(_LONGEST_LOOK, max(_SHORTEST_LOOK, waiting / self.bucket.rate / _LOOKS))
        found = min((max(urgent, message.not_before) for message in self._urgent.values()), default=math.inf)
        found = found if found > now else look
        for message in self._casual.values():
            ready = message.ready_at
            time = max(idle if message.wants is Priority.IDLE else live, ready)
            if time <= now:
                time = look
            if message.lines and message.wants is Priority.LIVE:
                time = min(time, max(rollup, ready, self._rollup_due(message)))
            found = min(found, time)
        return found
