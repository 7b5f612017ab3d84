"""What is known after a round, from all sides: who asked for what, what the tables, Slack and the service have."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bot.simulator.slack import LocalSlack, Message
from bot.simulator.slack.delivery import Delivery
from bot.words.notes import process_died
from tests.chaos.agent import KEY, Agent
from tests.chaos.cluster import Cluster
from tests.chaos.databases import Chaotic
from tests.chaos.plan import Job


@dataclass(frozen=True, slots=True)
class Press:
    """A *Stop*; ``at`` is Unix time, ``began`` the event loop's.

    One that Slack was not told was ``taken`` may have arrived all the same, when a frozen process went on.
    """

    at: float
    began: float
    user: str
    taken: bool


IN_DOUBT = "not stored yet"  # says an answer that gives a request back while nobody knows what becomes of it


@dataclass(slots=True)
class Asked:
    """A job, and what became of its request on the way to the bot. ``delivery`` of a command, ``message`` of all others."""

    job: Job
    delivery: Delivery | None = None
    message: Message | None = None
    stops: list[Press] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as its row has it; ``tasks`` are its tasks' names, states and messages. ``died``: with its process."""

    key: str
    died: bool
    tasks: tuple[tuple[str, str, str | None], ...]
    id: str
    state: str
    status_ts: str | None
    conversation: int
    seq: int
    started_at: float | None
    created_at: float
    ended_at: float | None
    held: bool


@dataclass(frozen=True, slots=True)
class Outage:
    """Something was out of order from ``begin`` to ``end`` (Unix time)."""

    what: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Somebody has sent a reply that waited for a person; ``at`` is Unix time."""

    conversation: int
    at: float


@dataclass
class Evidence:
    """All of it, as it is at one moment; the rows are read once."""

    slack: LocalSlack
    agent: Agent
    bots: Cluster
    asked: Sequence[Asked]
    outages: Sequence[Outage]
    rows: Sequence[StoredRun]
    decisions: Sequence[Decision] = ()

    @cached_property
    def runs(self) -> dict[str, StoredRun]:
        """The runs by their jobs' keys."""
        return {run.key: run for run in self.rows}

    @cached_property
    def messages(self) -> list[tuple[Message, str]]:
        """The bot's messages that weren't deleted, with what they show; files that it shared are apart."""
        bot = self.slack.workspace.app.bot_user
        return [
            (message, self.slack.visible(message))
            for message in self.slack.workspace.history
            if message.user == bot and not message.deleted and not message.files
        ]

    @cached_property
    def owners(self) -> dict[str, str]:
        """Ids of runs and the names of the processes that carried them out."""
        return {
            str(line.get("run")): process.name
            for process in self.bots.processes
            for line in process.lines
            if line.get("event") == "run.started"
        }

    def accepted(self, asked: Asked) -> bool:
        """Whether the bot said to Slack that it has taken the request."""
        if asked.delivery is not None:
            return asked.delivery.accepted
        return any(d.accepted for d in self.slack.deliveries if _is_of(d, asked.message))

    def given_back(self, asked: Asked) -> bool:
        """Whether its user was told that it was not started, and was given it back."""
        return any(IN_DOUBT not in text for text in self._told(asked))

    def in_doubt(self, asked: Asked) -> bool:
        """Whether its user was told that it was not stored yet, and was given it back."""
        return any(IN_DOUBT in text for text in self._told(asked))

    def _told(self, asked: Asked) -> list[str]:
        shown = map(self.slack.visible, self.slack.ephemerals(asked.job.user))
        return [text for text in shown if asked.job.key in text]


def _is_of(delivery: Delivery, message: Message | None) -> bool:
    event = delivery.event
    return message is not None and (event.get("ts"), event.get("channel")) == (message.ts, message.channel)


def stored_runs(database: Chaotic) -> list[StoredRun]:
    """All runs with their tasks, in their order."""
    tasks: dict[str, list[tuple[str, str, str | None]]] = {}
    for run, name, state, ts in database.rows(
        "SELECT run, name, state, ts FROM tasks ORDER BY run, position"
    ):
        tasks.setdefault(run, []).append((name, state, ts))
    columns = "id, state, status_ts, conversation, seq, started_at, created_at, ended_at, held"
    return [
        StoredRun(key, note == process_died(), tuple(tasks.get(values[0], ())), *values)
        for asked, note, *values in database.rows(
            f"SELECT invocation, note, {columns} FROM runs ORDER BY seq"
        )
        for key in _keys(asked)
    ]


def _keys(invocation: str) -> Iterator[str]:
    found = KEY.search(json.dumps(json.loads(invocation)))
    if found is not None:
        yield found[0]
