"""Whatever is offered and however Slack answers, the scheduler keeps its promises.

Slack is a real token bucket here, with a rate and a burst that need not be what the scheduler believes; some calls
fail for no reason. Everything runs on a list of timed events.
"""

import heapq
import itertools
import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.budget import Budget
from bot.core.schedule import EditScheduler, Priority, edit_lane, post_lane

EDITS = edit_lane("T1")
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
        self.refusals = self.looks = 0
        self.calls: defaultdict[str, list[float]] = defaultdict(list)
        self.finals: dict[int, float] = {}  # since when they wait
        self.final_waits: list[float] = []
        self.events: list[tuple[float, int, Offer | tuple[int, str, float | None]]] = []
        self._number = itertools.count()

    def lane(self, message: int) -> str:
        return EDITS if message % 3 else post_lane("T1", "C")

    def run(self, offers: list[Offer]) -> None:
        for offer in offers:
            self._later(offer.at, offer)
        while True:
            self._send_all()
            self.looks += 1
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
        if priority <= Priority.FINAL:
            self.finals.setdefault(message, self.now)

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
            self.calls[lane].append(self.now)
            if priority <= Priority.FINAL:
                self.final_waits.append(self.now - self.finals.pop(message))
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
        if offer.priority <= Priority.FINAL:
            assert world.sent[offer.message, Priority.FINAL] or world.sent[offer.message, Priority.OVERDUE]


@settings(max_examples=60, deadline=None)
@given(
    real=budgets,
    owners=st.integers(min_value=1, max_value=12),
    offered=st.lists(offers, min_size=20, max_size=80),
)
def test_a_budget_that_is_as_believed_is_never_exceeded_and_ends_are_never_starved(
    real: Budget, owners: int, offered: list[Offer]
) -> None:
    world = World(Budget(real.rate * 0.98, real.burst), real, owners, failures=[])
    world.run(offered)
    assert world.refusals == 0
    assert sum(map(len, world.calls.values())) == world.sent.total()
    for times in world.calls.values():
        for first, begin in enumerate(times):
            for number, end in enumerate(times[first:], start=1):
                assert number <= real.burst + real.rate * (end - begin) + 1e-6, "too many in some window"
    # At worst a call is on its way, then all messages of the lane have something urgent twice, and no token is left.
    urgent = sum(offer.priority <= Priority.FIRST for offer in offered)
    assert max(world.final_waits, default=0) <= LATENCY + (urgent + 1) * (1 / (real.rate * 0.98) + LATENCY)


@settings(max_examples=30, deadline=None)
@given(real=budgets, offered=st.lists(offers, min_size=20, max_size=80))
def test_looks_are_few(real: Budget, offered: list[Offer]) -> None:
    world = World(real, real, owners=3, failures=[])
    world.run(offered)
    events = len(offered) + 2 * world.sent.total()
    assert world.looks <= 2 * events + 20 * (1 + world.now * real.rate), "a busy loop"


@settings(max_examples=8, deadline=None)
@given(
    crowds=st.lists(st.integers(min_value=1, max_value=16), min_size=2, max_size=3),
    rate=st.floats(min_value=0.3, max_value=2),
)
def test_owners_get_no_less_than_their_root(crowds: list[int], rate: float) -> None:
    """Of messages that always have something new, n of one owner get √n / Σ√n of the edits, and each its part."""
    schedule: EditScheduler[tuple[int, int]] = EditScheduler(lambda _: Budget(rate, 10))
    sent: Counter[tuple[int, int]] = Counter()
    seconds = int(25 * sum(crowds) / rate)
    for quarter in range(4 * seconds):  # with whole seconds alone, turns would be rounded to them
        now = quarter / 4
        for owner, count in enumerate(crowds):
            for index in range(count):
                schedule.offer((owner, index), Priority.LIVE, EDITS, now, owner=owner)
        while (message := schedule.due(now)) is not None:
            sent[message] += 1
            schedule.sent(message, now)
    whole = sum(map(math.sqrt, crowds))
    for owner, count in enumerate(crowds):
        edits = [sent[owner, index] for index in range(count)]
        part = math.sqrt(count) / whole
        at_most = seconds / sent.total()  # once a second, however few there are
        assert sum(edits) / sent.total() >= 0.9 * min(part, at_most)
        assert min(edits) >= 0.7 * max(edits) - 1


def test_a_tenth_of_the_believed_rate_is_learned_at_a_few_refusals_a_minute() -> None:
    world = World(Budget(49 / 60, 10), Budget(5 / 60, 2), owners=4, failures=[])
    world.run([Offer(second, message, Priority.LIVE) for second in range(600) for message in (1, 2, 4, 5)])
    assert world.refusals < 60
    assert min(world.sent[message, Priority.LIVE] for message in (1, 2, 4, 5)) >= 8
