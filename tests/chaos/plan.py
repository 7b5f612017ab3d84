"""What happens in a round, made from its seed alone: who asks for what and when, and what goes wrong meanwhile."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from random import Random

from tests.chaos.agent import ONE, Ending, Part

JOBS = 20
ASKING = 60.0  # seconds over which they are asked for: their ends take 45 to 55 edits, of which Slack grants 50 a minute, and fewer after a 429
CHANNELS = ("#team", "#open", "#private", "#shared")
PEOPLE = ("ann", "ben")
_ENDINGS = {
    Ending.DONE: 60,
    Ending.FAILED: 8,
    Ending.CUT: 8,
    Ending.SILENT: 6,
    Ending.BUSY: 8,
    Ending.DEAF: 5,
    Ending.REFUSED: 5,
}
FAULTS = {
    "kill": 6,
    "freeze": 3,
    "drain": 4,
    "database": 3,
    "limited": 2,
    "broken": 2,
    "hangs": 2,
    "forgets": 3,
}  # and how often each is met
_TAKEN_OVER = 16.0  # seconds after which a frozen process has lost its runs to the others
_LONG = 60  # lines: more than a message shows


@dataclass(frozen=True, slots=True)
class Job:
    """One request. ``way``: ``command``, ``mention``, ``direct``, or ``reply`` in the thread of the job ``after``.

    ``stop`` is after how many seconds somebody presses *Stop*, if anybody does.
    """

    at: float
    part: Part
    way: str
    user: str
    channel: str
    after: str | None = None
    stop: float | None = None

    @property
    def key(self) -> str:
        """What it is known by, in everything that is said of it."""
        return self.part.key

    @property
    def text(self) -> str:
        """What its user writes."""
        if self.part.tasks == (ONE,):
            return f"please do {self.key}"
        return "\n".join(["parallel", *(f"{task}: do {self.key}" for task in self.part.tasks)])


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, ``at`` seconds into the round, for ``seconds``; ``process`` is whose number it is.

    ``kill``, ``freeze`` (``harder``: for so long that others take over), ``drain`` (SIGTERM; with ``harder`` a second one follows), ``database`` (``harder``: silent),
    and of Slack ``limited``, ``broken``, ``hangs``, ``forgets`` (it does what it is asked, and its answer is lost).
    """

    at: float
    what: str
    seconds: float = 0.0
    process: int = 0
    harder: bool = False

    def __str__(self) -> str:
        whom = f" #{self.process}" if self.what in {"kill", "freeze", "drain"} else ""
        return f"{self.what}{whom}{'!' if self.harder else ''} at {self.at:.1f} for {self.seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Plan:
    """A round."""

    jobs: tuple[Job, ...]
    faults: tuple[Fault, ...]

    def without(self, kinds: Collection[str]) -> "Plan":
        """The same round, in which nothing of these kinds goes wrong."""
        return replace(self, faults=tuple(fault for fault in self.faults if fault.what not in kinds))


def plan(seed: str, processes: int, jobs: int = JOBS) -> Plan:
    """The round of that seed."""
    random = Random(seed)
    asked = tuple(_jobs(random, jobs))
    faults = (_fault(random, processes) for _ in range(random.randint(2, 5)))
    return Plan(asked, tuple(sorted(faults, key=lambda fault: fault.at)))


def _jobs(random: Random, number: int) -> Iterator[Job]:
    openers: list[Job] = []
    for index, at in enumerate(sorted(random.uniform(0, ASKING) for _ in range(number))):
        key = f"job-{index:03}"
        # Those of the last seconds may not have been posted when they would be replied to.
        open_for_reply = [job for job in openers if job.at < at - 1]
        way = random.choices(("command", "mention", "direct", "reply"), (5, 3, 1, 4))[0]
        if way == "reply" and not open_for_reply:
            way = "command"
        parallel = way != "reply" and random.random() < 0.2
        tasks = tuple("abc"[: random.randint(2, 3)]) if parallel else (ONE,)
        ending = random.choices(list(_ENDINGS), list(_ENDINGS.values()))[0]
        long = random.random() < 0.1
        lines = _LONG if long else random.randint(1, 20)
        part = Part(key, tasks, lines, random.uniform(0.2, 8) / lines, ending)
        stop = random.uniform(0.5, 6) if random.random() < 0.15 else None
        after = random.choice(open_for_reply) if way == "reply" else None
        user = after.user if after is not None else random.choice(PEOPLE)
        channel = (
            after.channel
            if after is not None
            else random.choice(CHANNELS[::2] if way == "mention" else CHANNELS)
        )
        if way == "direct":
            channel = f"@{user}"
        job = Job(at, part, way, user, channel, after.key if after is not None else None, stop)
        if way != "reply":
            openers.append(job)
        yield job


def _fault(random: Random, processes: int) -> Fault:
    at = random.uniform(1, ASKING + 4)
    what = random.choices(list(FAULTS), list(FAULTS.values()))[0]
    longest = {
        "kill": 3,
        "freeze": 10,
        "drain": 2,
        "database": 8,
        "limited": 6,
        "broken": 8,
        "hangs": 8,
        "forgets": 5,
    }
    process, harder = random.randrange(processes), random.random() < 0.3
    seconds = random.uniform(0.2, longest[what])
    if what == "freeze" and harder and processes > 1:
        seconds += _TAKEN_OVER
    return Fault(at, what, seconds, process, harder)
