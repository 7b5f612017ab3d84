"""What must hold after a round, whatever went wrong in it; each thing that doesn't is a complaint in words."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos.agent import Ending, Performance
from tests.chaos.evidence import Asked, Evidence, StoredRun
from tests.chaos.times import recoveries, stops

UNSURE = 1.5  # seconds of output that hadn't been stored yet when something went out of order
ROWS = 25  # lines of output that a message shows at least
SOON = 5.0  # seconds after its stream's end in which a run that a fault meets may count as interrupted
UNCLEAR = 3.0  # seconds that a request may be on its way into the database
STATE = re.compile(r"^:\w+: (Queued|Running|Done|Failed|Stopped|Interrupted)\b")
OVER = frozenset({"done", "failed", "stopped", "interrupted"})


class Wrong(StrEnum):
    """Kinds of complaints, as the summary counts them."""

    LOST = "runs lost"
    TWICE = "sent twice"
    RUNNING = "left at Running"
    TEXT = "wrong texts"
    DOUBLED = "double or stray posts"
    OTHER = "other"


@dataclass(slots=True)
class Verdict:
    """What was found; times in seconds."""

    complaints: list[tuple[Wrong, str]] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    troubled_recoveries: list[float] = field(default_factory=list)  # while something else was wrong, too
    stops: list[float] = field(default_factory=list)
    far_stops: list[float] = field(default_factory=list)
    doubtful: int = 0  # requests that weren't stored, whose author was told no more than that this may be so

    @property
    def counts(self) -> Counter[Wrong]:
        """How many complaints of each kind."""
        return Counter(kind for kind, _ in self.complaints)


def judge(evidence: Evidence, *, recovers_at_start: bool) -> Verdict:
    """Look at everything. ``recovers_at_start``: a death counts from when the next process is up, as on one machine."""
    verdict = Verdict(states=Counter(run.state for run in evidence.rows))
    for check in (_requests, _ends, _messages, _order, _decided):
        verdict.complaints.extend(check(evidence))
    doubtful = [asked for asked in evidence.asked if asked.job.key not in evidence.runs]
    verdict.doubtful = sum(evidence.in_doubt(asked) and not evidence.given_back(asked) for asked in doubtful)
    for seconds, troubled in recoveries(evidence, recovers_at_start=recovers_at_start):
        (verdict.troubled_recoveries if troubled else verdict.recoveries).append(seconds)
    for far, seconds in stops(evidence):
        (verdict.far_stops if far else verdict.stops).append(seconds)
    return verdict


Complaints = Iterator[tuple[Wrong, str]]


# Requests: each that was accepted was carried out once, or there is a reason why not.


def _requests(evidence: Evidence) -> Complaints:
    rows = Counter(run.key for run in evidence.rows)
    for asked in evidence.asked:
        key = asked.job.key
        if rows[key] > 1:
            yield Wrong.TWICE, f"{key} was taken {rows[key]} times"
        if len(evidence.agent.of(key)) > 1:
            yield Wrong.TWICE, f"{key} was sent {len(evidence.agent.of(key))} times"
        run = evidence.runs.get(key)
        given_back = evidence.given_back(asked)
        if run is None and evidence.accepted(asked) and not (given_back or evidence.in_doubt(asked)):
            yield Wrong.LOST, f"{key} ({asked.job.way}) was accepted, and nothing is known of it"
        if given_back and evidence.agent.of(key):
            yield Wrong.OTHER, f"{key} was given back, and carried out all the same"
        if run is not None and run.state not in OVER:
            yield Wrong.LOST, f"{key} is still {run.state}"
        if run is not None and run.state == "done" and not evidence.agent.of(key):
            yield Wrong.LOST, f"{key} is done, and was never sent"


# Ends: the state that is stored is what the service, the people and the faults made of it.


def _ends(evidence: Evidence) -> Complaints:
    for asked in evidence.asked:
        run = evidence.runs.get(asked.job.key)
        if run is None or run.state not in OVER:
            continue
        performance = next(iter(evidence.agent.of(run.key)), None)
        allowed = set(_allowed(evidence, asked, performance))
        if run.state not in allowed:
            wanted = " or ".join(sorted(allowed))
            yield Wrong.OTHER, f"{run.key} ({asked.job.part.ending}) is {run.state}, not {wanted}"


def _allowed(evidence: Evidence, asked: Asked, performance: Performance | None) -> Iterator[str]:
    ending = asked.job.part.ending
    if asked.stops or evidence.given_back(asked):
        yield "stopped"
    if performance is None:
        # Never heard of upstream: refused there, stopped or given back here, or it died with its process before.
        if ending in {Ending.REFUSED, Ending.BUSY, Ending.DEAF}:
            yield "failed"
        if _disturbed(evidence, 0, float("inf")):
            yield from ("interrupted", "stopped", "failed")
        return
    end = performance.complete
    if end is None:
        if _disturbed(evidence, performance.began - SOON, float("inf")):
            yield "interrupted"
        return
    planned = {Ending.CUT: "interrupted", Ending.SILENT: "interrupted", Ending.FAILED: "failed"}
    yield planned.get(ending, "done")
    if _disturbed(evidence, end - SOON, end + SOON):
        yield "interrupted"


def _disturbed(evidence: Evidence, begin: float, end: float) -> bool:
    """Whether anything was out of order then that ends runs before their time."""
    return any(out.begin <= end and out.end >= begin for out in evidence.outages if out.what in _ENDERS)


_ENDERS = frozenset({"kill", "freeze", "drain", "database"})


# Messages: every one shows its end, the right text, once.


def _messages(evidence: Evidence) -> Complaints:
    known: set[str] = set()
    for run in evidence.rows:
        known |= {ts for ts in (run.status_ts, *(ts for _, _, ts in run.tasks)) if ts}
        yield from _run_messages(evidence, run)
    shown = Counter[tuple[str | None, str, str]]()
    for message, text in evidence.messages:
        state = STATE.match(text)
        if state is not None and state[1] in {"Queued", "Running"}:
            yield Wrong.RUNNING, f"{message.ts} shows {_short(text)}"
        if state is not None and message.ts not in known:
            yield Wrong.DOUBLED, f"{message.ts}, which no row knows, shows {_short(text)}"
        if message.in_thread and message.ts not in known:  # two runs that were refused may well show the same
            shown[message.thread_ts, message.channel, text] += 1
    for (thread, _, text), number in shown.items():
        if number > 1:
            yield Wrong.DOUBLED, f"the thread {thread} shows {number} times {_short(text)}"


def _run_messages(evidence: Evidence, run: StoredRun) -> Complaints:
    texts = {message.ts: text for message, text in evidence.messages}
    performance = next(iter(evidence.agent.of(run.key)), None)
    if run.status_ts is None:
        if run.state != "stopped":
            yield Wrong.TEXT, f"{run.key} ({run.state}) has no message"
    else:
        yield from _status(run, texts.get(run.status_ts, ""))
    for name, state, ts in run.tasks:
        text = texts.get(ts or run.status_ts or "")
        if text is None:
            if performance is not None:
                yield Wrong.TEXT, f"{run.key} {name} ({state}) has no message"
            continue
        if ts is not None and (STATE.match(text) or [""])[0].rpartition(" ")[2].lower() != state:
            yield Wrong.TEXT, f"{run.key} {name} is {state} and shows {_short(text)}"
        if performance is not None and name in performance.written:
            yield from _output(evidence, run, performance, name, text)
    if performance is not None:
        yield from _answers(evidence, run, performance)


def _status(run: StoredRun, text: str) -> Complaints:
    state = STATE.match(text)
    if state is None or state[1].lower() != run.state:
        yield Wrong.TEXT, f"{run.key} is {run.state} and shows {_short(text)}"
    elif run.state == "interrupted" and "[Retry]" not in text:
        yield Wrong.TEXT, f"{run.key} is interrupted and offers no Retry"


def _output(evidence: Evidence, run: StoredRun, performance: Performance, task: str, text: str) -> Complaints:
    written = performance.written[task]
    shown = [int(number) for number in re.findall(rf"{run.key} {task} line (\d+)\b", text)]
    whole = performance.complete is not None and run.state in {"done", "failed"}
    least = len(written) if whole else _arrived(evidence, performance, written)
    last = shown[-1] if shown else 0
    first = shown[0] if shown else 1
    if shown != list(range(first, last + 1)) or (first > 1 and len(shown) < ROWS):
        yield Wrong.TEXT, f"{run.key} {task} shows the lines {shown} of {len(written)}"
    elif not least <= last <= len(written):
        yield (
            Wrong.TEXT,
            f"{run.key} {task} ({run.state}) ends at line {last}; {least} to {len(written)} had arrived",
        )
    if whole and len(written) > last - first + 1:
        yield from _log(evidence, run, performance, task)


def _arrived(evidence: Evidence, performance: Performance, written: list[float]) -> int:
    """How many lines must be there of a stream that ended before its time: what came before anything was wrong."""
    until = performance.gone or float("inf")
    if performance.complete is None:
        until -= UNSURE  # a stop hangs up before the last lines are read
    for outage in evidence.outages:
        if outage.what in _ENDERS and outage.end >= performance.began:
            until = min(until, outage.begin - UNSURE)
    return len([at for at in written if at < until])


def _log(evidence: Evidence, run: StoredRun, performance: Performance, task: str) -> Complaints:
    """Output that the message could not hold is attached, whole and once."""
    part = performance.part
    whole = "".join(part.line(task, number) + "\n" for number in range(1, len(performance.written[task]) + 1))
    found = [
        file for file in evidence.slack.files if file.shares and f"{run.key} {task} line 1\n" in file.text
    ]
    if len(found) != 1 or found[0].text != whole:
        kind = Wrong.DOUBLED if len(found) > 1 else Wrong.TEXT
        yield kind, f"{run.key} {task}: its log is attached {len(found)} times, or isn't whole"


def _answers(evidence: Evidence, run: StoredRun, performance: Performance) -> Complaints:
    for task in performance.part.tasks:
        answer = performance.part.answer(task)
        found = [text for _, text in evidence.messages if answer in text and not STATE.match(text)]
        if len(found) > 1:
            yield Wrong.DOUBLED, f"{run.key} {task} is answered {len(found)} times"
        if not found and run.state == "done":
            yield Wrong.TEXT, f"{run.key} {task} is done, and its answer isn't there"


# Order: the runs of one conversation were sent one after another.


def _order(evidence: Evidence) -> Complaints:
    frozen = any(outage.what == "freeze" for outage in evidence.outages)
    last: dict[int, tuple[StoredRun, Performance]] = {}
    for run in evidence.rows:
        performance = next(iter(evidence.agent.of(run.key)), None)
        if performance is None:
            continue
        before = last.get(run.conversation)
        last[run.conversation] = (run, performance)
        if before is None:
            continue
        if performance.began < before[1].began:
            yield Wrong.OTHER, f"{run.key} was sent before {before[0].key}, which was asked before it"
        elif not frozen and performance.began < (before[1].gone or 0) - 0.5:
            yield Wrong.OTHER, f"{run.key} was sent while {before[0].key} was going on"


def _decided(evidence: Evidence) -> Complaints:
    """What waited for a run whose process died was sent when somebody had gone on there, and not before."""
    for dead in (run for run in evidence.rows if run.died):
        end = dead.ended_at or 0.0
        there = [run for run in evidence.rows if run.conversation == dead.conversation]
        decisions = [
            *(made.at for made in evidence.decisions if made.conversation == dead.conversation),
            *(run.created_at for run in there),
        ]
        for run in there:
            performance = next(iter(evidence.agent.of(run.key)), None)
            if performance is None or performance.began < end:
                continue
            if not any(end - UNCLEAR < at <= performance.began for at in decisions):
                yield (
                    Wrong.OTHER,
                    f"{run.key} was sent after {dead.key} had died, and nobody had decided that",
                )


def _short(text: str) -> str:
    line = " / ".join(text.splitlines()[:3])
    return f"“{line[:120]}”"
