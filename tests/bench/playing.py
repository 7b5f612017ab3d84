"""One trace, played to one policy on virtual time, and how fresh its messages were."""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.bench.fakeslack import EDITS, LATENCY, POSTS, BudgetAt, FakeSlack, Refusal, steadily
from tests.bench.metrics import Freshness, Show, freshness
from tests.bench.policies import NAIVE, Ours, Policy, Screen
from tests.bench.traces import Trace, markers
from tests.support.vtime import run

__all__ = ["OURS", "Outcome", "Played", "play"]

OURS = "ours"


@dataclass(frozen=True)
class Played:
    """What is played to whom; ``part_for`` and ``owner`` are for our own policy alone, as is ``rollup``."""

    trace: Trace
    policy: str = OURS
    edits: BudgetAt = field(default_factory=lambda: steadily(EDITS))
    posts: BudgetAt = field(default_factory=lambda: steadily(POSTS))
    latency: float = LATENCY
    rollup: bool = False
    part_for: Callable[[int], float] | None = None
    owner: Callable[[int], str] = lambda _: "run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How fresh the tasks' messages were, the root's roll-up where there was one, and what it took of Slack.

    ``means`` has the mean age of each task's own message; ``per_minute`` the edits that were let through or refused.
    """

    tasks: Freshness
    root: Freshness | None
    means: tuple[float, ...]
    refusals: tuple[Refusal, ...]
    per_minute: tuple[int, ...]

    @property
    def refused(self) -> int:
        """How many calls got a 429."""
        return len(self.refusals)

    @property
    def worst_minute(self) -> int:
        """The most of them in any 60 s."""
        times = [refusal.at for refusal in self.refusals]
        return max((bisect_left(times, at + 60) - place for place, at in enumerate(times)), default=0)

    @property
    def early(self) -> int:
        """How many of them came within the ``Retry-After`` of another."""
        return sum(refusal.early for refusal in self.refusals)


def play(played: Played) -> Outcome:
    """The same always, however busy the machine is."""
    return run(_play(played))


async def _play(played: Played) -> Outcome:
    trace = played.trace
    slack = FakeSlack(played.edits, played.posts, played.latency)
    screens = [Screen() for _ in range(trace.tasks)]
    root = Screen() if played.rollup else None
    policy: Policy
    if played.policy == OURS:
        policy = Ours(slack, screens, root, part_for=played.part_for, owner=played.owner)
    else:
        policy = NAIVE[played.policy](slack, screens)
    last = [len(times) - 1 for times in trace.arrivals]
    for chunk in trace.chunks:
        await _until(chunk.at)
        for screen in (screens[chunk.task], *([root] if root else [])):
            screen.newest[chunk.task] = chunk.number
        (policy.ended if chunk.number == last[chunk.task] else policy.printed)(chunk.task)
    await policy.close()
    own = _shows(slack, (screen for screen in screens))
    return Outcome(
        tasks=freshness(trace, own),
        root=freshness(trace, _shows(slack, [root])) if root else None,
        means=tuple(
            freshness(_alone(trace, task), [Show(s.at, 0, s.number) for s in own if s.task == task]).mean
            for task in range(trace.tasks)
        ),
        refusals=tuple(slack.refusals),
        per_minute=_per_minute(slack, trace.seconds),
    )


async def _until(at: float) -> None:
    now = asyncio.get_running_loop().time()
    if at > now:
        await asyncio.sleep(at - now)


def _shows(slack: FakeSlack, screens: Iterable[Screen]) -> list[Show]:
    """What was shown of each task in these messages."""
    of = {screen.ref.ts for screen in screens if screen.ref}
    return [
        Show(shown.at, task, number)
        for shown in slack.shown
        if shown.ts in of
        for task, number in markers(shown.text).items()
    ]


def _alone(trace: Trace, task: int) -> Trace:
    """One task of a trace."""
    chunks = (chunk for chunk in trace.chunks if chunk.task == task)
    return Trace(trace.name, tuple(type(chunk)(chunk.at, 0, chunk.number, chunk.size) for chunk in chunks))


def _per_minute(slack: FakeSlack, seconds: float) -> tuple[int, ...]:
    counts = Counter(int(at // 60) for at, message in slack.calls if message != "new")
    return tuple(counts[minute] for minute in range(int(seconds // 60) + 1))
