"""When a process may believe that it lives, and that others don't."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.lease import BEAT, DEAD, Lease


def beat(lease: Lease, at: float, took: float = 0.0) -> None:
    lease.begin(at)
    lease.succeed(at, at + took)


def test_it_may_judge_others_after_as_long_as_they_may_be_silent() -> None:
    lease = Lease(0)
    for time in (0, 5, 10):
        beat(lease, time)
        assert not lease.may_judge(time)
    beat(lease, 15)
    assert lease.may_judge(15)
    assert lease.due == 20


def test_after_the_database_was_away_it_must_listen_anew() -> None:
    lease = Lease(0)
    for time in (0, 5, 10, 15):
        beat(lease, time)
    lease.begin(20)
    lease.fail(22)
    assert not lease.may_judge(22)
    beat(lease, 27)
    assert not lease.may_judge(41.9)


def test_without_the_database_there_is_no_doubt() -> None:
    lease = Lease(0)
    for time in range(0, 600, 5):
        lease.begin(time)
        lease.fail(time)
        assert not lease.doubtful(time)


def test_who_was_frozen_is_in_doubt_until_a_beat_went_through() -> None:
    lease = Lease(0)
    beat(lease, 0)
    assert not lease.doubtful(15)
    assert lease.doubtful(15.1)
    lease.begin(30)
    lease.fail(32)
    assert lease.doubtful(32)
    beat(lease, 37)
    assert not lease.doubtful(37)
    assert not lease.may_judge(37)


def test_who_was_frozen_while_a_beat_was_under_way_is_still_in_doubt() -> None:
    lease = Lease(0)
    beat(lease, 0)
    beat(lease, 5, took=60)
    assert lease.doubtful(65)
    beat(lease, 65)
    assert not lease.doubtful(65)


STEPS = st.lists(st.tuples(st.floats(0, 40), st.floats(0, 40), st.booleans()), max_size=12)


@settings(max_examples=200)
@given(STEPS)
def test_nobody_is_taken_for_dead_without_doubting_it_first(steps: list[tuple[float, float, bool]]) -> None:
    """While the database answers: whoever may look dead to others doesn't send anything.

    Each step: a pause before a beat, how long that took, and whether the process looks in its middle.
    """
    lease, now, stored = Lease(0.0), 0.0, 0.0
    for pause, took, look in steps:
        now += pause
        if now - stored > DEAD:
            assert lease.doubtful(now)
        begun = now
        lease.begin(begun)
        stored = begun  # at the earliest
        now += took
        if look and now - stored > DEAD:
            assert lease.doubtful(now)
        lease.succeed(begun, now)
        if now - stored > DEAD:
            assert lease.doubtful(now)
        assert not (lease.doubtful(now) and lease.may_judge(now))
        assert lease.due == begun + BEAT
