"""When a roll-up is edited: as late as keeps its lines fresh enough."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.rollup import Lines

INTERVAL = 2.0
AGE = 0.95 * INTERVAL  # a line may be so old


def lines(*since: float) -> Lines:
    """Each of these changed at that time."""
    made = Lines()
    made.part = 0.5
    for task, changed in enumerate(since):
        made.changed(task, changed)
    return made


def test_it_is_not_due_for_nothing() -> None:
    assert lines().due(edited=10, tasks=4, interval=INTERVAL) == math.inf


def test_where_all_change_all_the_time_it_is_edited_at_the_interval() -> None:
    due = lines(*[10.0] * 16).due(edited=10, tasks=16, interval=INTERVAL)
    assert due == pytest.approx(10 + INTERVAL, abs=0.12), "but for the time that a call takes"


def test_the_fewer_change_the_longer_it_waits_but_not_for_ever() -> None:
    dues = [lines(*[10.0] * count).due(edited=10, tasks=50, interval=INTERVAL) for count in (50, 25, 5, 3, 1)]
    assert dues == sorted(dues)
    assert dues[0] < dues[2] < dues[3]
    assert dues[-1] == 10 + 2 * AGE


def test_the_oldest_output_of_a_line_counts() -> None:
    changing = lines(10, 10)
    before = changing.due(edited=10, tasks=2, interval=INTERVAL)
    changing.changed(0, 11)
    assert changing.due(edited=10, tasks=2, interval=INTERVAL) == before
    changing.changed(2, 11)
    assert changing.due(edited=10, tasks=2, interval=INTERVAL) == before, "it isn't too old by then"


def test_what_did_not_get_to_slack_is_as_old_as_before() -> None:
    changing = lines(10, 11)
    before = changing.due(edited=10, tasks=2, interval=INTERVAL)
    taken = changing.take()
    assert changing.due(edited=10, tasks=2, interval=INTERVAL) == math.inf
    changing.changed(0, 12)
    changing.put_back(taken)
    assert changing.due(edited=10, tasks=2, interval=INTERVAL) == before


def test_without_a_roll_up_nothing_is_remembered() -> None:
    unseen = lines(10)
    unseen.end()
    unseen.changed(1, 11)
    assert unseen.take() == {}


def test_one_that_was_never_edited_here_is_due() -> None:
    assert lines(10).due(edited=-math.inf, tasks=4, interval=INTERVAL) == 10


@given(
    changes=st.lists(st.floats(min_value=0, max_value=20), min_size=1, max_size=40),
    silent=st.integers(min_value=0, max_value=40),
    interval=st.floats(min_value=0.5, max_value=20),
)
def test_no_more_than_five_percent_of_the_time_of_all_lines_is_too_old(
    changes: list[float], silent: int, interval: float
) -> None:
    tasks, age = len(changes) + silent, 0.95 * interval
    due = lines(*changes).due(edited=0, tasks=tasks, interval=interval)
    seen = due + 0.1
    too_old = sum(max(0.0, seen - changed - age) for changed in changes)
    assert too_old <= 0.05 * tasks * seen
    assert seen - min(changes) >= min(age, 2 * age - 0.1) - 1e-9, "no edit is wasted"
    assert due - min(changes) <= 2 * age + 1e-9, "and no line forgotten"
