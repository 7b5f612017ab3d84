"""The token bucket, and what it learns from Slack's answers."""

import pytest

from bot.core.budget import Bucket, Budget

BUDGET = Budget(rate=0.5, burst=4)


def test_a_burst_and_then_the_rate() -> None:
    bucket = Bucket(BUDGET, now=100)
    for _ in range(4):
        assert bucket.level(100) >= 1
        bucket.take(100)
    assert bucket.level(100) == 0
    assert bucket.time_of(1, now=100) == 102
    assert bucket.level(102) == 1
    assert bucket.level(10_000) == 4


def test_a_call_that_was_not_sent_costs_nothing() -> None:
    bucket = Bucket(BUDGET, now=0)
    bucket.take(0)
    bucket.give_back(0)
    assert bucket.at_rest(0)


def test_a_refusal_means_silence_and_then_one_call_at_a_time() -> None:
    bucket = Bucket(BUDGET, now=0)
    epoch = bucket.take(0)
    bucket.refused(epoch, retry_after=30, now=1)
    assert not bucket.may_send(30.9)
    assert bucket.time_of(1, now=5) == 31
    assert bucket.may_send(31)
    probe = bucket.take(31)
    assert not bucket.may_send(1_000)
    assert bucket.time_of(1, now=1_000) is None
    bucket.passed(probe, now=32)
    assert bucket.may_send(32)
    assert bucket.rate == pytest.approx(0.45)
    assert bucket.burst == 2


def test_a_token_given_back_during_a_silence_does_not_end_it() -> None:
    bucket = Bucket(BUDGET, now=0)
    bucket.take(0)
    bucket.refused(bucket.take(0), retry_after=10, now=1)
    bucket.give_back(2)
    assert not bucket.may_send(9)
    assert bucket.level(10) == 1


def test_calls_that_flew_together_teach_one_lesson() -> None:
    bucket = Bucket(BUDGET, now=0)
    together = [bucket.take(0) for _ in range(4)]
    bucket.refused(together[0], retry_after=10, now=1)
    bucket.refused(together[1], retry_after=20, now=1)
    bucket.passed(together[2], now=1)
    bucket.refused(together[3], retry_after=5, now=2)
    assert bucket.rate == pytest.approx(0.45)
    assert bucket.time_of(1, now=2) == 21
    bucket.take(21)
    assert not bucket.may_send(21), "the one that passed was sent before the refusal and proves nothing"


def test_an_unanswered_call_neither_ends_nor_blocks_the_caution() -> None:
    bucket = Bucket(BUDGET, now=0)
    bucket.refused(bucket.take(0), retry_after=10, now=0)
    bucket.take(10)
    bucket.failed()
    assert bucket.may_send(10)
    assert bucket.time_of(1, now=10) == pytest.approx(10 + 1 / 0.45)


def test_belief_returns_with_success_and_not_with_time() -> None:
    bucket = Bucket(BUDGET, now=0)
    bucket.refused(bucket.take(0), retry_after=10, now=0)
    now = 5_000.0
    bucket.passed(bucket.take(now), now)
    assert bucket.rate == pytest.approx(0.455)
    bucket.passed(bucket.take(now + 9), now + 9)
    assert bucket.rate == pytest.approx(0.455)
    for step in range(1, 60):
        bucket.passed(bucket.take(now + 10 * step), now + 10 * step)
    assert (bucket.rate, bucket.burst) == (BUDGET.rate, BUDGET.burst)
    assert not bucket.at_rest(now + 590)
    assert bucket.at_rest(now + 600)


def test_belief_has_a_floor() -> None:
    bucket = Bucket(BUDGET, now=0)
    now = 0.0
    for _ in range(100):
        bucket.refused(bucket.take(now), retry_after=0, now=now)
        now += 1
        assert bucket.may_send(now)
    assert bucket.rate == pytest.approx(0.01)
    assert bucket.burst == 1
