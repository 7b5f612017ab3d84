"""How many calls Slack lets through: a token bucket that learns from Slack's answers.

Slack publishes a rate for each method and no burst, and may change both, so they are beliefs.

- A refusal (HTTP 429) silences the bucket for ``Retry-After``; then one call flies alone, until one is let through.
- The believed burst is halved. The rate is, too, at first, unless Slack has just let through more than that: what a
  full burst doesn't explain, it granted. From the second refusal on Slack's own bucket is known to have been
  empty at the one before, so that what it let through since then, by the time, is what it really grants.
  So a budget of two fifths is found with two refusals in half a minute, one of a tenth with three in a minute. Where
  the calls had come in a spurt, the burst is the likelier reason, and more of the rate is kept. The burst is less than
  what was let through beyond the rate, and one: that finds a burst of one at once. From the third refusal in a minute
  on less is kept of either, since so few calls tell little.
  That only holds where every token was needed meanwhile: what nobody asked for wasn't refused. And where nothing was
  let through at all, Slack's silence just lasts longer than it said.
- Where budgets that have nothing to do with one another are refused at a time, none of them is to blame: what that was
  taken to tell is forgiven, but for a twentieth, so that it isn't repeated for ever.
- Success raises the beliefs again every 10 s: by a tenth up to nearly the rate that was refused last, then by 2 %, so
  that a budget which was found is tried anew about once a minute. A refusal that told no rate may have been Slack's
  passing mood: the beliefs go half of the way back each time, and in half a minute it is known which it was.
- Beyond what is documented they rise by half of that, and only after a quarter of an hour's worth of calls that went
  well while every token was needed: whether there is more can't be known without a refusal where there isn't. Each
  one there is followed by twice the patience.
- Calls follow one another, so that of many that are refused only one has to be told: each waits for the answer of
  the one before, though not for longer than tokens take to come, since a slow Slack must not cost any.
"""

from collections import deque
from dataclasses import dataclass

ENOUGH = 1e-6  # how much of a token may be missing, so that rounding never makes a call wait for ever

_BURST_KEPT = 0.5  # of the believed burst, after a refusal
_KEPT_FORGIVEN = 0.95  # of the figures that were believed before a refusal which told nothing
_KEPT_IN_SILENCE = 0.9  # of the believed figures, where the call that flew alone is refused as well
_UNKNOWN_RATE_KEPT = 0.5  # of the believed rate, while nothing is known
_RATE_KEPT_AFTER_SPURT = 0.75
_MOST_OF_BURST = 0.8  # is let through: then it wasn't the burst that was too large
_LEAST_KEPT, _MOST_KEPT = 0.3, 0.9  # of the believed rate, when something is
_THIRD, _KEPT_FROM_THIRD = 3, 0.7  # lesson in the window; of the rate that it tells
_PACED = 0.8  # of the time between two calls, at the believed rate
_WINDOW = 60.0  # seconds back from a refusal that tell of the rate
_SPURT = 5.0  # seconds; more than twice the calls that the rate gives for them are a spurt
_LOWEST_RATE = 0.02  # of the nominal rate: below that, Retry-After alone sets the pace
_HIGHEST = 4.0  # times the nominal budget
_REGAINED_FAST = 0.1  # of the believed figures, up to nine tenths of the rate refused last, if one is known
_REGAINED_OF_LOST = 0.5  # of what is missing to the rate refused last, where none is
_REGAINED, _RAISED = 0.02, 0.01  # of the believed figures, up to the nominal ones and beyond them
_REGAIN_EVERY = 10.0  # seconds of success
_CAUTION = 20.0  # seconds after a silence in which nothing is regained
_SHORT_CAUTION = 10.0  # the same where no rate is known
_PATIENCE = 900.0  # seconds in which every token was needed and no call refused, before trying for more
_SHORTEST_SILENCE = 1.0  # seconds: Slack counts Retry-After in whole ones, so 0 would only mean "very soon"
_LONGEST_TURN = 1.0  # seconds for which a call waits for the answer of the one before


@dataclass(frozen=True, slots=True)
class Budget:
    """A steady ``rate`` in calls a second, and a ``burst`` of calls (at least 1) that may go at once."""

    rate: float
    burst: float


@dataclass(frozen=True, slots=True)
class _Known:
    """What was known before a refusal."""

    believed: Budget
    too_fast: float
    refused: float | None
    patience: float
    lessons: tuple[float, ...]


class Bucket:
    """The tokens of one budget: each call takes one, and they come back at the believed rate.

    Times are seconds on any clock that never goes back. ``share`` is the part of the budget that is ours: the
    beliefs are about the whole, ``rate`` and ``burst`` are the part.
    """

    def __init__(self, nominal: Budget, now: float, share: float = 1.0) -> None:
        self.nominal = nominal
        self.epoch = 0  # how many refusals were learned from
        self._believed = nominal
        self._share = share
        self._tokens = self.burst
        self._as_of = now  # when there were that many tokens; in the future while Slack wants silence
        self._in_flight = 0
        self._one_at_a_time = False
        self._taken = now  # when the last call was
        self._regained = now
        self._strained = 0.0  # seconds of success while every token was needed
        self._patience = _PATIENCE
        self._too_fast = nominal.rate  # the believed rate that was refused last
        self._refused: float | None = None  # when the last lesson was
        self._lessons: tuple[float, ...] = ()  # when those in the window were
        self._measured = False  # whether it told what Slack grants
        self._before: _Known | None = None  # the silence that lasts, if one does
        self._passes: deque[float] = deque()  # when calls were let through, since then and in the window

    @property
    def rate(self) -> float:
        """Calls a second."""
        return self._believed.rate * self._share

    @property
    def burst(self) -> float:
        """Calls at once, at least one."""
        return max(1.0, self._believed.burst * self._share)

    @property
    def doubted(self) -> bool:
        """Whether less is believed than what is documented."""
        return self._believed.burst < self.nominal.burst

    def level(self, now: float) -> float:
        """How many tokens there are."""
        return min(self.burst, self._tokens + max(0.0, now - self._as_of) * self.rate)

    def may_send(self, now: float) -> bool:
        """Whether a call may go out, if there are tokens for it."""
        return self._as_of <= now and not (self._in_flight and now < self._turn_over)

    def time_of(self, level: float, now: float) -> float | None:
        """When a call that needs ``level`` tokens may go out; ``None``: not before a call in flight is answered."""
        if self._in_flight and self._one_at_a_time:
            return None
        turn = self._turn_over if self._in_flight else now
        return max(now, turn, self._as_of, self._as_of + (level - self._tokens) / self.rate)

    def take(self, now: float) -> int:
        """Send one call; returns the epoch, to be told with its answer."""
        self._set_level(self.level(now) - 1, now)
        self._in_flight += 1
        self._taken = now
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
        self._before = None
        self._passes.append(now)
        self._forget_passes(now)
        if self.level(now) <= self.burst / 2 + 1:
            self._strained += 1 / self.rate
        if now - self._regained >= _REGAIN_EVERY:
            self._regained = now
            self._rise(now)

    def refused(self, epoch: int, retry_after: float, now: float) -> None:
        """The call of that epoch got a 429; nothing may be sent for ``retry_after`` seconds."""
        self._in_flight -= 1
        if epoch == self.epoch:  # calls that flew together are refused together: one lesson, not many
            self.epoch += 1
            if self._one_at_a_time:
                self._believe(self._scaled(_KEPT_IN_SILENCE, _KEPT_IN_SILENCE), now)
            else:
                self._learn(now)
            self._one_at_a_time = True
        # One token will be there when the silence ends, for the call that then flies alone.
        self._tokens = 1.0
        self._as_of = max(self._as_of, now + max(retry_after, _SHORTEST_SILENCE))
        caution = _CAUTION if self._measured else _SHORT_CAUTION
        self._regained = self._as_of + caution - _REGAIN_EVERY

    def forgive(self, now: float) -> None:
        """The refusals since a call was let through told nothing of this budget."""
        if self._before is None:
            return
        was = self._before
        self._too_fast, self._refused, self._patience = was.too_fast, was.refused, was.patience
        self._lessons = was.lessons
        self._measured = False
        kept = _KEPT_FORGIVEN
        self._believe(Budget(was.believed.rate * kept, was.believed.burst * kept), now)
        self._regained = self._as_of + _SHORT_CAUTION - _REGAIN_EVERY

    def pause(self, seconds: float, now: float) -> None:
        """Another process was refused for so long: nothing may be sent until then."""
        self._set_level(self.level(now), now)
        self._tokens = min(self._tokens, 1.0)
        self._as_of = max(self._as_of, now + max(seconds, _SHORTEST_SILENCE))

    def give_share(self, share: float, now: float) -> None:
        """From now on that part of the budget is ours, more than 0 and at most 1."""
        level = self.level(now)
        self._share = share
        self._set_level(
            level, now
        )  # what was saved stays: a larger part brings no tokens, so a smaller one takes none
        self._tokens = min(self._tokens, self.burst)

    def at_rest(self, now: float) -> bool:
        """Whether a new bucket would be no different."""
        return (
            not self._in_flight
            and not self._one_at_a_time
            and self._believed == self.nominal
            and self.level(now) >= self.burst
        )

    @property
    def _turn_over(self) -> float:
        """Until when the next call waits for the answer of the last one."""
        return float("inf") if self._one_at_a_time else self._taken + _LONGEST_TURN

    def _set_level(self, tokens: float, now: float) -> None:
        if now >= self._as_of:  # during a silence the level is fixed: what was taken before it is forgotten
            self._tokens, self._as_of = min(tokens, self.burst), now

    def _rise(self, now: float) -> None:
        believed, nominal = self._believed, self.nominal
        if believed.rate >= nominal.rate and self._strained >= self._patience:
            self._believe(self._scaled(1 + _RAISED, 1 + _RAISED), now)
        else:
            regained = 1 + self._regained_part
            better = self._scaled(regained, regained)
            rate = max(believed.rate, min(better.rate, nominal.rate))
            burst = max(believed.burst, min(better.burst, nominal.burst))
            self._believe(Budget(rate, burst), now)

    @property
    def _regained_part(self) -> float:
        """How much of the believed figures may be added at once."""
        if self._believed.rate >= _MOST_KEPT * self._too_fast:
            return _REGAINED
        if self._measured:
            return _REGAINED_FAST
        return _REGAINED_OF_LOST * (self._too_fast / self._believed.rate - 1)

    def _learn(self, now: float) -> None:
        self._before = _Known(self._believed, self._too_fast, self._refused, self._patience, self._lessons)
        kept = self._rate_kept(now)
        if self._believed.rate > self.nominal.rate:  # it was worth a try
            self._patience *= 2
            kept = max(kept, self.nominal.rate / self._believed.rate)
        self._lessons = (*[time for time in self._lessons if time > now - _WINDOW], now)
        if len(self._lessons) >= _THIRD:
            kept *= _KEPT_FROM_THIRD
        self._too_fast = self._believed.rate
        learned = self._scaled(kept, _BURST_KEPT)
        if self._burst_used(now):
            learned = Budget(learned.rate, min(learned.burst, self._burst_told(learned.rate, now)))
        self._believe(learned, now)
        self._refused, self._strained = now, 0.0
        self._passes.clear()

    def _rate_kept(self, now: float) -> float:
        """How much of the believed rate can be true, after a refusal."""
        self._forget_passes(now)
        self._measured = False
        spurt = sum(time > now - _SPURT for time in self._passes)
        if 1 + 2 * self.rate * _SPURT < spurt < _MOST_OF_BURST * self.burst:
            return _RATE_KEPT_AFTER_SPURT
        if self._refused is None or self.level(now) > self.burst / 2:
            return min(_MOST_KEPT, max(_UNKNOWN_RATE_KEPT, self._proven(now) / self.rate))
        self._measured = True
        granted = len(self._passes) / min(_WINDOW, now - self._refused)
        least = _UNKNOWN_RATE_KEPT if self._burst_used(now) else _LEAST_KEPT
        return min(_MOST_KEPT, max(least, granted / self.rate))

    def _proven(self, now: float) -> float:
        """The rate that Slack must have granted of late: what a full burst doesn't explain."""
        return (len(self._passes) - self.burst) / max(_SPURT, now - self._passes[0]) if self._passes else 0.0

    def _burst_used(self, now: float) -> bool:
        """Whether the refused call followed the one before faster than the rate, so that the burst may be to blame."""
        return bool(self._passes) and now - self._passes[-1] < _PACED / self.rate

    def _burst_told(self, rate: float, now: float) -> float:
        """What Slack's burst is less than, after a refusal: one more than it let through beyond the rate."""
        passes = enumerate(reversed(self._passes), start=1)
        return 1 + max((count - rate * (now - time) for count, time in passes), default=0.0)

    def _forget_passes(self, now: float) -> None:
        while self._passes and self._passes[0] < now - _WINDOW:
            self._passes.popleft()

    def _scaled(self, rate: float, burst: float) -> Budget:
        return Budget(self._believed.rate * rate, self._believed.burst * burst)

    def _believe(self, budget: Budget, now: float) -> None:
        self._set_level(self.level(now), now)
        lowest = _LOWEST_RATE * self.nominal.rate
        self._believed = Budget(
            min(_HIGHEST * self.nominal.rate, max(budget.rate, lowest)),
            min(_HIGHEST * self.nominal.burst, max(budget.burst, 1.0)),
        )
        self._tokens = min(self._tokens, self.burst)
