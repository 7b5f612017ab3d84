"""A Slack without sockets, for benchmarks on virtual time: budgets, latency, and what each message shows when."""

import asyncio
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.core.budget import Budget
from bot.errors import SlackLimited
from bot.model import MessageRef, Place
from bot.runs.frames import Frame, NoteFrame

__all__ = ["EDITS", "LATENCY", "POSTS", "FakeSlack", "Refusal", "Shown", "halving", "steadily"]

EDITS = Budget(50 / 60, 10)  # Tier 3, with a burst as peers' authors report it
POSTS = Budget(1, 10)  # in each channel
LATENCY = 0.06  # seconds of a call

BudgetAt = Callable[[float], Budget]


def steadily(budget: Budget) -> BudgetAt:
    """A budget that never changes."""
    return lambda _: budget


def halving(budget: Budget, at: float) -> BudgetAt:
    """A budget of which half is left after some time."""
    half = Budget(budget.rate / 2, max(1.0, budget.burst / 2))
    return lambda now: budget if now < at else half


@dataclass(frozen=True, slots=True)
class Shown:
    """From ``at`` on the message ``ts`` showed that text."""

    at: float
    ts: str
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A call that got a 429; ``early`` where the ``Retry-After`` of an earlier one was not over."""

    at: float
    lane: str
    early: bool


@dataclass(slots=True)
class _Lane:
    budget_at: BudgetAt
    tokens: float
    as_of: float = 0.0
    shut_until: float = -math.inf

    def take(self, now: float) -> tuple[float, bool]:
        """``Retry-After``, 0 where the call is let through; and whether it came too early."""
        budget = self.budget_at(now)
        self.tokens = min(budget.burst, self.tokens + (now - self.as_of) * budget.rate)
        self.as_of = now
        if now < self.shut_until - 1e-9:
            return self.shut_until - now, True
        if self.tokens < 1 - 1e-9:
            wait = float(max(1, math.ceil((1 - self.tokens) / budget.rate)))
            self.shut_until = now + wait
            return wait, False
        self.tokens -= 1
        return 0.0, False


@dataclass(slots=True)
class FakeSlack:
    """Implements the editor's :class:`bot.runs.ports.Poster` on the running loop's time.

    A call is counted when it is made, and shown when it returns, ``latency`` seconds later.
    """

    edits: BudgetAt = field(default_factory=lambda: steadily(EDITS))
    posts: BudgetAt = field(default_factory=lambda: steadily(POSTS))
    latency: float = LATENCY
    shown: list[Shown] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    calls: list[tuple[float, str]] = field(
        default_factory=list
    )  # when, and of which message (posts: the place)
    _lanes: dict[str, _Lane] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def post(self, place: Place, frame: Frame, key: str = "") -> MessageRef:  # noqa: ARG002  nothing is lost here
        """A new message."""
        await self._call(f"post {place.workspace} {place.channel}", self.posts, "new")
        ref = MessageRef(place.channel, f"{next(self._numbers)}.0")
        self._show(ref, frame)
        return ref

    async def find(self, place: Place, key: str, since: float) -> MessageRef | None:
        """Is never asked for, since no answer is lost."""
        raise AssertionError(f"{key} was looked for in {place} since {since}")

    async def update(self, place: Place, ref: MessageRef, frame: Frame) -> None:
        """That message, showing ``frame`` from now on."""
        await self._call(f"update {place.workspace}", self.edits, ref.ts)
        self._show(ref, frame)

    async def _call(self, name: str, budget_at: BudgetAt, message: str) -> None:
        now = asyncio.get_running_loop().time()
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = _Lane(budget_at, budget_at(now).burst, now)
        self.calls.append((now, message))
        retry_after, early = lane.take(now)
        await asyncio.sleep(self.latency)
        if retry_after:
            self.refusals.append(Refusal(now, name, early))
            raise SlackLimited(retry_after)

    def _show(self, ref: MessageRef, frame: Frame) -> None:
        assert isinstance(frame, NoteFrame)
        self.shown.append(Shown(asyncio.get_running_loop().time(), ref.ts, frame.note))
