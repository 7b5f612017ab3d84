"""The token bucket, and what it learns from Slack's answers."""

import math
from dataclasses import dataclass
from itertools import pairwise

import pytest

from bot.core.budget import ENOUGH, Bucket, Budget

BUDGET = Budget(rate=0.5, burst=4)
DOCUMENTED = Budget(49.85 / 60, 9.5)


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
    assert bucket.rate == pytest.approx(0.25)
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
    assert bucket.rate == pytest.approx(0.25)
    assert bucket.time_of(1, now=2) == 21
    bucket.take(21)
    assert not bucket.may_send(21), "the one that passed was sent before the refusal and proves nothing"


def test_an_unanswered_call_neither_ends_nor_blocks_the_caution() -> None:
    bucket = Bucket(BUDGET, now=0)
    bucket.refused(bucket.take(0), retry_after=10, now=0)
    bucket.take(10)
    bucket.failed()
    assert bucket.may_send(10)
    assert bucket.time_of(1, now=10) == pytest.approx(10 + 1 / 0.25)


def test_belief_returns_with_success_and_not_with_time() -> None:
    bucket = Bucket(BUDGET, now=0)
    bucket.refused(bucket.take(0), retry_after=10, now=0)
    now = 5_000.0
    bucket.passed(bucket.take(now), now)
    assert bucket.rate == pytest.approx(0.375), "half of the way, up to nine tenths of what was too much"
    bucket.passed(bucket.take(now + 9), now + 9)
    assert bucket.rate == pytest.approx(0.375)
    rates = [bucket.rate]
    for step in range(1, 40):
        bucket.passed(bucket.take(now + 10 * step), now + 10 * step)
        rates.append(bucket.rate)
    assert max(later / rate for rate, later in pairwise(rates) if rate > 0.45) == pytest.approx(1.02)
    assert (bucket.rate, bucket.burst) == (BUDGET.rate, BUDGET.burst)
    assert not bucket.at_rest(now + 390)
    assert bucket.at_rest(now + 400)


def test_one_refusal_that_says_nothing_of_the_budget_is_soon_forgotten() -> None:
    bucket = Bucket(DOCUMENTED, now=0)
    for begin in (0, 600):  # with little to send between them
        bucket.refused(bucket.take(begin), retry_after=2, now=begin)
        assert bucket.rate == pytest.approx(DOCUMENTED.rate / 2, rel=0.02)
        assert not spend_all(bucket, Slack(DOCUMENTED, 9.5, begin), begin, 35)
        assert bucket.rate > 0.85 * DOCUMENTED.rate
        for second in range(begin + 40, begin + 600, 10):
            bucket.passed(bucket.take(second), second)


def test_what_was_granted_just_before_a_refusal_is_not_doubted() -> None:
    bucket, slack = Bucket(DOCUMENTED, 0), Slack(Budget(50 / 60, 10), 10)
    assert not spend_all(bucket, slack, 0, 44)
    bucket.refused(bucket.take(46), retry_after=2, now=46)
    assert bucket.rate >= 0.75 * DOCUMENTED.rate
    assert not spend_all(bucket, slack, 48, 30)


@pytest.mark.parametrize("after", [30, 60, 120])
def test_a_budget_that_halves_is_found_although_more_was_granted_before(after: int) -> None:
    bucket, slack = Bucket(DOCUMENTED, 0), Slack(Budget(50 / 60, 10), 10)
    assert not spend_all(bucket, slack, 0, after)
    slack.budget = Budget(25 / 60, 9.5)
    refusals = spend_all(bucket, slack, after, 300)
    assert max(sum(at <= other < at + 60 for other in refusals) for at in refusals) <= 3
    assert 0.8 < bucket.rate * 60 / 25 < 1.35


def test_refusals_that_told_nothing_are_forgiven_as_far_as_the_last_call_that_passed() -> None:
    bucket = Bucket(BUDGET, now=0)
    bucket.passed(bucket.take(0), 0)
    bucket.refused(bucket.take(1), 2, now=1)
    bucket.refused(bucket.take(3), 2, now=3)
    bucket.forgive(now=3)
    assert bucket.rate == pytest.approx(0.95 * BUDGET.rate)
    assert bucket.burst == pytest.approx(0.95 * BUDGET.burst)
    bucket.refused(bucket.take(5), 2, now=5)
    bucket.forgive(now=5)
    assert bucket.rate == pytest.approx(0.95 * BUDGET.rate), "once for a silence, however long it lasts"
    assert not bucket.may_send(6.9), "Slack's silence is obeyed all the same"
    bucket.passed(bucket.take(7), 7)
    lower = bucket.rate
    bucket.forgive(now=8)
    assert bucket.rate == lower, "nothing is left to be forgiven"
    bucket.refused(bucket.take(9), 2, now=9)
    assert bucket.rate < 0.9 * lower


def test_a_silence_that_lasts_longer_than_slack_said_teaches_little() -> None:
    bucket = Bucket(DOCUMENTED, now=0)
    for second in range(0, 10, 2):
        assert bucket.may_send(second)
        bucket.refused(bucket.take(second), retry_after=2, now=second)
    assert bucket.rate > 0.3 * DOCUMENTED.rate
    assert not spend_all(bucket, Slack(DOCUMENTED, 9.5, 10), 10, 35)
    assert bucket.rate > 0.8 * DOCUMENTED.rate


@dataclass
class Slack:
    """A bucket that grants something else than is believed."""

    budget: Budget
    tokens: float = 0.0
    as_of: float = 0.0

    def call(self, now: float) -> float:
        """Retry-After, or 0."""
        self.tokens = min(self.budget.burst, self.tokens + (now - self.as_of) * self.budget.rate)
        self.as_of = now
        if self.tokens < 1:
            return math.ceil((1 - self.tokens) / self.budget.rate)
        self.tokens -= 1
        return 0.0


def spend_all(bucket: Bucket, slack: Slack, begin: float, seconds: float) -> list[float]:
    """Send whatever may be sent; returns when Slack refused."""
    refusals, now = [], begin
    while now < begin + seconds:
        if bucket.may_send(now) and bucket.level(now) >= 1 - ENOUGH:
            epoch = bucket.take(now)
            retry_after = slack.call(now)
            if retry_after:
                refusals.append(now)
                bucket.refused(epoch, retry_after, now)
            else:
                bucket.passed(epoch, now)
        now = max(now + 0.01, bucket.time_of(1, now) or now)
    return refusals


@pytest.mark.parametrize("per_minute", [30, 20, 10, 5])
@pytest.mark.parametrize("burst", [1, 3, 10])
def test_a_smaller_budget_is_found_within_a_minute_and_kept_to(per_minute: int, burst: int) -> None:
    bucket, slack = Bucket(DOCUMENTED, 0), Slack(Budget(per_minute / 60, burst), burst)
    refusals = spend_all(bucket, slack, 0, 900)
    assert all(later - at > 1 for at, later in pairwise(refusals))
    in_a_minute = [sum(at <= other < at + 60 for other in refusals) for at in refusals]
    assert max(in_a_minute) <= 3
    assert sum(at > 60 for at in refusals) <= 14 * 1.5
    assert 0.5 < bucket.rate * 60 / per_minute < 1.35


def test_a_spurt_teaches_about_the_burst() -> None:
    bucket, slack = Bucket(Budget(0.8, 20), 0), Slack(Budget(0.8, 12), 12)
    (refusal,) = spend_all(bucket, slack, 0, 5)
    assert refusal < 1
    assert bucket.burst == 10
    assert bucket.rate == pytest.approx(0.6)


def test_a_refusal_of_the_second_call_in_a_row_tells_that_there_is_no_burst() -> None:
    bucket, slack = Bucket(DOCUMENTED, 0), Slack(Budget(DOCUMENTED.rate, 1), 1)
    (refusal,) = spend_all(bucket, slack, 0, 1)
    assert refusal < 0.1
    assert 1 <= bucket.burst < 2.1
    calm = [at for begin in range(10, 130, 5) for at in spend_all(bucket, slack, begin, 0.1)]
    assert len(calm) <= 2, "what is saved while nothing is to be sent isn't spent at once"


def test_the_third_refusal_in_a_minute_keeps_less_than_what_was_granted() -> None:
    bucket = Bucket(DOCUMENTED, 0)
    kept = []
    for begin in (0, 10, 20):
        before = bucket.rate
        for at in range(begin, begin + 8, 2):
            bucket.passed(bucket.take(at), at)
        bucket.refused(bucket.take(begin + 9), 1, begin + 9)
        kept.append(bucket.rate / before)
    assert kept[2] == pytest.approx(0.7 * 0.9), kept


def test_a_documented_budget_is_not_exceeded_for_a_quarter_of_an_hour_and_a_larger_one_found_slowly() -> None:
    for real, refused in ((50, 0), (100, 0)):
        bucket, slack = Bucket(DOCUMENTED, 0), Slack(Budget(real / 60, 10), 10)
        assert len(spend_all(bucket, slack, 0, 850)) == refused
        assert bucket.rate == DOCUMENTED.rate
    assert not spend_all(bucket, slack, 850, 400)
    assert 60 < bucket.rate * 60 < 80, "slowly"
    assert spend_all(bucket, slack, 1250, 600)
    assert bucket.rate >= DOCUMENTED.rate, "what is documented is not doubted for having tried more"


def test_vain_tries_for_more_are_rare() -> None:
    bucket, slack = Bucket(DOCUMENTED, 0), Slack(Budget(50 / 60, 10), 10)
    refusals = spend_all(bucket, slack, 0, 4 * 3600)
    assert 1 <= len(refusals) <= 6
    assert refusals[0] > 900


def test_a_little_used_budget_is_not_thought_larger() -> None:
    bucket = Bucket(DOCUMENTED, 0)
    for second in range(0, 20_000, 4):
        bucket.passed(bucket.take(second), second)
    assert bucket.rate == DOCUMENTED.rate


def test_a_share_of_a_budget() -> None:
    bucket = Bucket(BUDGET, now=0, share=0.5)
    assert (bucket.rate, bucket.burst, bucket.level(0)) == (0.25, 2, 2)
    bucket.give_share(0.1, now=0)
    assert bucket.rate == pytest.approx(0.05)
    assert bucket.burst == 1
    bucket.give_share(1, now=0)
    assert (bucket.rate, bucket.burst) == (0.5, 4)
    assert bucket.level(0) == 1, "a larger part brings no tokens"
    assert bucket.at_rest(20)


def test_what_was_saved_outlasts_a_smaller_part_as_far_as_that_has_room() -> None:
    bucket = Bucket(BUDGET, now=0, share=0.9)
    for part in (0.5, 0.9, 0.3, 0.9):
        bucket.give_share(part, now=0)
    assert bucket.level(0) == pytest.approx(0.3 * 4)


def test_belief_has_a_floor() -> None:
    bucket = Bucket(BUDGET, now=0)
    now = 0.0
    for _ in range(100):
        bucket.refused(bucket.take(now), retry_after=0, now=now)
        now += 1
        assert bucket.may_send(now)
    assert bucket.rate == pytest.approx(0.01)
    assert bucket.burst == 1
