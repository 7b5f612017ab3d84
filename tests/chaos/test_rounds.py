"""The rounds themselves: that their seed is all they are made from, and that the judge would see what is wrong."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chaos.agent import ONE, Agent, Ending, Part
from tests.chaos.evidence import Evidence
from tests.chaos.judge import Wrong, judge
from tests.chaos.plan import Job, Plan, plan
from tests.chaos.rounds import Setup, round_of

QUIET = Plan(
    jobs=(
        Job(0.0, Part("job-000", (ONE,), 3, 0.02, Ending.DONE), "command", "ann", "#team"),
        Job(0.1, Part("job-001", ("a", "b"), 40, 0.001, Ending.DONE), "command", "ben", "#private"),
        Job(0.2, Part("job-002", (ONE,), 2, 0.02, Ending.CUT), "mention", "ann", "#shared"),
        Job(0.3, Part("job-003", (ONE,), 2, 0.02, Ending.DONE), "reply", "ann", "#team", after="job-000"),
        Job(0.4, Part("job-004", (ONE,), 1, 0.02, Ending.REFUSED), "direct", "ben", "@ben"),
        Job(0.5, Part("job-005", (ONE,), 500, 0.02, Ending.DONE), "command", "ben", "#open", stop=1.0),
    ),
    faults=(),
)


def test_a_round_is_made_from_its_seed_alone() -> None:
    assert plan("a:1", 2) == plan("a:1", 2)
    assert plan("a:1", 2) != plan("a:2", 2)
    assert len(plan("a:1", 2).jobs) == 20
    assert {fault.process for number in range(50) for fault in plan(f"a:{number}", 3).faults} == {0, 1, 2}


@pytest.mark.slow
async def test_a_quiet_round_is_all_well_and_whatever_is_wrong_with_one_is_found(tmp_path: Path) -> None:
    async with round_of(Setup("sqlite", ("serve",), len(QUIET.jobs)), QUIET, tmp_path) as it:
        verdict, _ = await it.play()
        assert verdict.complaints == []
        assert verdict.states == {"done": 3, "interrupted": 1, "failed": 1, "stopped": 1}
        assert len(verdict.stops) == 1
        for wrong, change in TAMPERED:
            evidence = await it.evidence()
            change(evidence)
            found = judge(evidence, recovers_at_start=True).complaints
            assert wrong in {kind for kind, _ in found}, (wrong, change.__name__, found)


def _stored(evidence: Evidence, key: str, **other: object) -> None:
    evidence.rows = [replace(run, **other) if run.key == key else run for run in evidence.rows]  # type: ignore[arg-type]  # fields by name


def _shown(evidence: Evidence, text: str, instead: str | None, *, times: int = 1) -> None:
    """Let all messages that show ``text`` show something else, be gone (``None``), or be there several times."""
    messages = []
    for message, shown in evidence.messages:
        if text not in shown:
            messages.append((message, shown))
        elif instead is not None:
            messages += [(message, shown.replace(text, instead))] * times
    evidence.messages = messages


def a_request_is_forgotten(evidence: Evidence) -> None:
    evidence.rows = [run for run in evidence.rows if run.key != "job-000"]


def a_run_never_ends(evidence: Evidence) -> None:
    _stored(evidence, "job-000", state="running")


def a_run_is_sent_again(evidence: Evidence) -> None:
    performances = evidence.agent.performances
    evidence.agent = Agent(())
    evidence.agent.performances = {**performances, "job-000": performances["job-000"] * 2}


def a_request_is_taken_twice(evidence: Evidence) -> None:
    evidence.rows = [*evidence.rows, evidence.rows[0]]


def a_run_is_given_up_for_no_reason(evidence: Evidence) -> None:
    _stored(evidence, "job-000", state="interrupted")


def a_message_stays_behind(evidence: Evidence) -> None:
    _shown(evidence, "Done · a ·", "Running · a ·")


def a_line_is_missing(evidence: Evidence) -> None:
    _shown(evidence, "job-000 task line 2", "")


def the_end_is_missing(evidence: Evidence) -> None:
    _shown(evidence, "job-000 task line 3", "")


def what_had_arrived_is_missing(evidence: Evidence) -> None:
    _shown(evidence, "job-002 task line 2", "")


def retry_is_not_offered(evidence: Evidence) -> None:
    _shown(evidence, "[Retry]", "")


def an_answer_is_missing(evidence: Evidence) -> None:
    _shown(evidence, "job-001 b is answered", None)


def an_answer_is_doubled(evidence: Evidence) -> None:
    _shown(evidence, "job-001 b is answered", "job-001 b is answered", times=2)


def a_message_is_nobody_s(evidence: Evidence) -> None:
    _stored(evidence, "job-000", status_ts="1.0")


def a_log_is_missing(evidence: Evidence) -> None:
    for file in evidence.slack.files:
        file.shares.clear()


def a_reply_is_sent_after_a_death_by_itself(evidence: Evidence) -> None:
    began = evidence.agent.of("job-003")[0].began
    _stored(evidence, "job-000", died=True, ended_at=began, created_at=0.0)
    _stored(evidence, "job-003", created_at=began - 60)


TAMPERED: tuple[tuple[Wrong, Callable[[Evidence], None]], ...] = (
    (Wrong.LOST, a_request_is_forgotten),
    (Wrong.LOST, a_run_never_ends),
    (Wrong.TWICE, a_run_is_sent_again),
    (Wrong.TWICE, a_request_is_taken_twice),
    (Wrong.OTHER, a_run_is_given_up_for_no_reason),
    (Wrong.OTHER, a_reply_is_sent_after_a_death_by_itself),
    (Wrong.RUNNING, a_message_stays_behind),
    (Wrong.TEXT, a_line_is_missing),
    (Wrong.TEXT, the_end_is_missing),
    (Wrong.TEXT, what_had_arrived_is_missing),
    (Wrong.TEXT, retry_is_not_offered),
    (Wrong.TEXT, an_answer_is_missing),
    (Wrong.DOUBLED, an_answer_is_doubled),
    (Wrong.DOUBLED, a_message_is_nobody_s),
    (Wrong.TEXT, a_log_is_missing),
)
