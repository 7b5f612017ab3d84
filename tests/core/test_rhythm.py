"""How long a silence will last, from a task's own habits."""

import pytest

from bot.core.rhythm import Rhythm


def printing(*gaps: float) -> tuple[Rhythm, float]:
    rhythm, now = Rhythm(), 0.0
    rhythm.output(now)
    for gap in gaps:
        now += gap
        rhythm.output(now)
    return rhythm, now


def test_nothing_is_known_of_one_that_never_printed() -> None:
    assert Rhythm().rest(50) == 0


def test_a_steady_printer_rests_for_about_its_gap() -> None:
    rhythm, now = printing(*[2.0] * 30)
    assert 1 < rhythm.rest(now) < 3


def test_in_a_burst_the_next_line_is_near_and_after_it_far() -> None:
    rhythm, now = printing(*([0.05] * 19 + [20.0]) * 5)
    assert rhythm.rest(now) < 2
    assert rhythm.rest(now + 1) > 10


def test_a_silence_longer_than_any_before_is_expected_to_last_as_long_again() -> None:
    rhythm, now = printing(1.0, 1.0)
    assert rhythm.rest(now + 500) == 500


@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e9])
def test_gaps_outside_the_bins_count_in_the_outermost(gap: float) -> None:
    rhythm, now = printing(gap)
    assert rhythm.rest(now) > 0


def test_new_habits_replace_old_ones() -> None:
    rhythm, now = printing(*[30.0] * 300, *[0.1] * 1000)
    assert rhythm.rest(now) < 1.5
