"""How many calls Slack lets through: a token bucket that learns from Slack's answers.

Slack publishes a rate for each method and no burst, so both are beliefs: a refusal (HTTP 429) lowers them, and
success raises them again, slowly, up to what was assumed at first.
"""

from dataclasses import dataclass

ENOUGH = 1e-6  # how much of a token may be missing, so that rounding never makes a call wait for ever

_BURST_KEPT = 0.5  # of the believed burst, after a refusal
_RATE_KEPT = 0.9  # of the believed rate, after a refusal
_LOWEST_RATE = 0.02  # of the nominal rate: below that, Retry-After alone sets the pace
_REGAINED = 0.01  # of the nominal figures, for each
_REGAIN_EVERY = 10.0  # seconds of success
_SHORTEST_SILENCE = 1.0  # seconds: Slack counts Retry-After in whole ones, so 0 would only mean "very soon"


@dataclass(frozen=True, slots=True)
class Budget:
    """A steady ``rate`` in calls a second, and a ``burst`` of calls (at least 1) that may go at once."""

    rate: float
    burst: float


class Bucket:
    """The tokens of one budget: each call takes one, and they come back at the believed rate.

    Times are seconds on any clock that never goes back. After a refusal nothing may be sent until Slack's
    ``Retry-After`` is over, and then one call at a time until one of them was let through.
    """

    def __init__(self, nominal: Budget, now: float) -> None:
        self.nominal = nominal
        self.rate = nominal.rate
        self.burst = nominal.burst
        self.epoch = 0  # how many refusals were learned from
        self._tokens = nominal.burst
        self._as_of = now  # when there were that many tokens; in the future while Slack wants silence
        self._in_flight = 0
        self._one_at_a_time = False
        self._regained = now

    def level(self, now: float) -> float:
        """How many tokens there are."""
        return min(self.burst, self._tokens + max(0.0, now - self._as_of) * self.rate)

    def may_send(self, now: float) -> bool:
        """Whether a call may go out, if there are tokens for it."""
        return self._as_of <= now and not (self._one_at_a_time and self._in_flight)

    def time_of(self, level: float, now: float) -> float | None:
        """When a call that needs ``level`` tokens may go out; ``None``: not before a call in flight is answered."""
        if self._one_at_a_time and self._in_flight:
            return None
        return max(now, self._as_of, self._as_of + (level - self._tokens) / self.rate)

    def take(self, now: float) -> int:
        """Send one call; returns the epoch, to be told with its answer."""
        self._set_level(self.level(now) - 1, now)
        self._in_flight += 1
        return self.epoch

    def give_back(self, now: float) -> None:
        """A call was taken but never sent."""
        self._in_flight -= 1
        self._set_level(self.level(now) + 1, now)

    def failed(self) -> None:
        """The call had no answer that tells anything about the budget."""
        self._in_flight -= 1

    def passed(self, epoch: int, now: float) -> None:
        """The call of that epoch was let through."""
        self._in_flight -= 1
        if epoch != self.epoch:
            return  # sent before the last refusal: says nothing about what holds since
        self._one_at_a_time = False
        if now - self._regained >= _REGAIN_EVERY:
            self._regained = now
            self._believe(
                self.rate + _REGAINED * self.nominal.rate, self.burst + _REGAINED * self.nominal.burst, now
            )

    def refused(self, epoch: int, retry_after: float, now: float) -> None:
        """The call of that epoch got a 429; nothing may be sent for ``retry_after`` seconds."""
        self._in_flight -= 1
        if epoch == self.epoch:  # calls that flew together are refused together: one lesson, not many
            self.epoch += 1
            self._one_at_a_time = True
            self._believe(self.rate * _RATE_KEPT, self.burst * _BURST_KEPT, now)
        # One token will be there when the silence ends, for the call that then flies alone.
        self._tokens = 1.0
        self._as_of = max(self._as_of, now + max(retry_after, _SHORTEST_SILENCE))
        self._regained = self._as_of  # a silence is no success

    def at_rest(self, now: float) -> bool:
        """Whether a new bucket would be no different."""
        return (
            not self._in_flight
            and not self._one_at_a_time
            and self.rate == self.nominal.rate
            and self.level(now) >= self.nominal.burst
        )

    def _set_level(self, tokens: float, now: float) -> None:
        if now >= self._as_of:  # during a silence the level is fixed: what was taken before it is forgotten
            self._tokens, self._as_of = tokens, now

    def _believe(self, rate: float, burst: float, now: float) -> None:
        self._set_level(self.level(now), now)
        self.rate = min(self.nominal.rate, max(rate, _LOWEST_RATE * self.nominal.rate))
        self.burst = min(self.nominal.burst, max(burst, 1.0))
