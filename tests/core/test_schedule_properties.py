"""Whatever is offered and however Slack answers, the scheduler keeps its promises.

Slack is a real token bucket here, with a rate and a burst that need not be what the scheduler believes; some calls
fail for no reason. Everything runs on a list of timed events.
"""

import heapq
import itertools
import math
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.budget import Budget
from bot.core.schedule import EDIT_LANE, EditScheduler, Priority, post_lane

LATENCY = 0.2
HORIZON = 3 * 3600.0  # by then everything must have arrived, with the slowest Slack of these tests


@dataclass(frozen=True)
class Offer:
    at: float
    message: int
    priority: Priority


@dataclass
class SlackLane:
    """Slack's side of one lane: refuses what exceeds its own budget, and checks that silences are kept."""

    budget: Budget
    tokens: float = field(init=False)
    as_of: float = 0.0
    silent_until: float = 0.0

    def __post_init__(self) -> None:
        self.tokens = self.budget.burst

    def call(self, now: float) -> float | None:
        """``None`` if let through, else Retry-After."""
        assert now >= self.silent_until, "sent while the lane was limited"
        self.tokens = min(self.budget.burst, self.tokens + (now - self.as_of) * self.budget.rate)
        self.as_of = now
        if self.tokens >= 1:
            self.tokens -= 1
            return None
        return math.ceil((1 - self.tokens) / self.budget.rate)


class World:
    """Offers go in, calls go out, answers come back; the promises are checked at every step."""

    def __init__(self, believed: Budget, real: Budget, owners: int, failures: list[bool]) -> None:
        self.schedule: EditScheduler[int] = EditScheduler(lambda _: believed)
        self.real = real
        self.owners = owners
        self.failures = iter(failures)
        self.slack: dict[str, SlackLane] = {}
        self.now = 0.0
        self.pending: dict[int, Priority] = {}
        self.in_flight: dict[int, Priority] = {}
        self.last_live: dict[int, float] = {}
        self.resting: dict[int, float] = {}  # messages that failed, and until when at most they may wait
        self.sent: Counter[tuple[int, Priority]] = Counter()
        self.refusals = self.calls = 0
        self.events: list[tuple[float, int, Offer | tuple[int, str, float | None]]] = []
        self._number = itertools.count()

    def lane(self, message: int) -> str:
        return EDIT_LANE if message % 3 else post_lane("C")

    def run(self, offers: list[Offer]) -> None:
        for offer in offers:
            self._later(offer.at, offer)
        while True:
            self._send_all()
            wake = self.schedule.next_time(self.now)
            assert wake is None or wake > self.now, (
                "due() had nothing, so it makes no sense to ask again at once"
            )
            if wake is None and not self.events:
                return
            self.now = min(
                wake if wake is not None else math.inf, self.events[0][0] if self.events else math.inf
            )
            assert self.now < HORIZON, "something never arrives"
            while self.events and self.events[0][0] <= self.now:
                self._happen(heapq.heappop(self.events)[2])

    def _later(self, at: float, event: Offer | tuple[int, str, float | None]) -> None:
        heapq.heappush(self.events, (at, next(self._number), event))

    def _happen(self, event: Offer | tuple[int, str, float | None]) -> None:
        if isinstance(event, Offer):
            self._want(event.message, event.priority)
            lane, owner = self.lane(event.message), event.message % self.owners
            self.schedule.offer(event.message, event.priority, lane, self.now, owner=owner)
        else:
            self._answer(*event)

    def _want(self, message: int, priority: Priority) -> None:
        self.pending[message] = min(priority, self.pending.get(message, priority))

    def _send_all(self) -> None:
        while (message := self.schedule.due(self.now)) is not None:
            lane = self.lane(message)
            assert message not in self.in_flight
            priority = self.pending.pop(message)
            self._check_order(priority, lane)
            if priority >= Priority.LIVE:
                assert self.now - self.last_live.get(message, -math.inf) >= 1 - 1e-6
                self.last_live[message] = self.now
            self.in_flight[message] = priority
            self.calls += 1
            slack = self.slack.setdefault(lane, SlackLane(self.real))
            retry_after = slack.call(self.now)
            failed = retry_after is None and next(self.failures, False)
            self._later(self.now + LATENCY, (message, "failed" if failed else "answered", retry_after))

    def _check_order(self, priority: Priority, lane: str) -> None:
        for other, wanted in self.pending.items():
            if (
                self.lane(other) == lane
                and other not in self.in_flight
                and self.resting.get(other, 0) <= self.now
            ):
                assert priority <= wanted or wanted >= Priority.LIVE, "overtaken by something less urgent"

    def _answer(self, message: int, how: str, retry_after: float | None) -> None:
        priority = self.in_flight.pop(message)
        if retry_after is not None:
            self.refusals += 1
            lane = self.slack[self.lane(message)]
            lane.silent_until = max(lane.silent_until, self.now + retry_after)
            self.schedule.limited(message, retry_after, self.now)
            self._want(message, priority)
        elif how == "failed":
            self.schedule.failed(message, self.now)
            self.resting[message] = self.now + 30
            self._want(message, priority)
        else:
            self.schedule.sent(message, self.now)
            self.sent[message, priority] += 1


budgets = st.builds(
    Budget,
    rate=st.floats(min_value=0.05, max_value=3),
    burst=st.integers(min_value=1, max_value=12).map(float),
)
offers = st.builds(
    Offer,
    at=st.floats(min_value=0, max_value=60),
    message=st.integers(min_value=0, max_value=11),
    priority=st.sampled_from(Priority),
)


@settings(max_examples=80, deadline=None)
@given(
    believed=budgets,
    real=budgets,
    owners=st.integers(min_value=1, max_value=12),
    failures=st.lists(st.booleans(), max_size=20),
    offered=st.lists(offers, min_size=20, max_size=80),
)
def test_everything_arrives_in_order_and_silences_are_kept(
    believed: Budget, real: Budget, owners: int, failures: list[bool], offered: list[Offer]
) -> None:
    world = World(believed, real, owners, failures)
    world.run(offered)
    assert not world.pending
    assert not world.in_flight
    assert {message for message, _ in world.sent} == {offer.message for offer in offered}
    for offer in offered:
        if offer.priority is Priority.FINAL:
            assert world.sent[offer.message, Priority.FINAL]


@settings(max_examples=40, deadline=None)
@given(real=budgets, offered=st.lists(offers, min_size=20, max_size=80))
def test_a_budget_that_is_as_believed_is_never_exceeded(real: Budget, offered: list[Offer]) -> None:
    believed = Budget(real.rate * 0.98, real.burst)
    world = World(believed, real, owners=3, failures=[])
    world.run(offered)
    assert world.refusals == 0
    assert world.calls == world.sent.total()


def test_a_tenth_of_the_believed_rate_is_learned_at_a_few_refusals_a_minute() -> None:
    world = World(Budget(49 / 60, 10), Budget(5 / 60, 2), owners=4, failures=[])
    world.run([Offer(second, message, Priority.LIVE) for second in range(600) for message in (1, 2, 4, 5)])
    assert world.refusals < 60
    assert min(world.sent[message, Priority.LIVE] for message in (1, 2, 4, 5)) >= 8
