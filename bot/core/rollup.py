"""When a run's roll-up is edited, which shows the last line of each of its tasks.

What counts is how old those lines are for 95 % of the time of all of them. So the roll-up isn't edited regularly, but
as late as that allows: when since its last edit lines were too old for 4.7 % of the time of all lines. A line that didn't
change isn't old, and those that have changed may wait for one another. Where all print all the time that comes to an
interval; where only some do it is longer, and what is saved is for the tasks' own messages. With sixteen tasks, a third
of which print in bursts, a third steadily and a third seldom (the benchmark's "mixed", three minutes), an interval takes
56 edits for lines that are at most 2.5 s old (p95), this rule 53, and the best one that knows the future 43. Rules that
weigh what an edit gains, or wait for a number of lines to be too old, take as many as this one.

**How old is too old** follows from the part of its run's edits that a roll-up takes where all lines change all the
time. A quarter with four tasks makes a line at most 4.5 s old, and the tasks' own messages a third older than without
it. With 16 it takes 0.45, for just below 2.5 s, and they are 1.6 times as old under steady load. With 50 it takes
0.28, for 4 s and 1.2 times: nobody reads so many lines faster.

**What can't be had.** In that mixed trace 2.5 s cost the tasks' messages more than elsewhere: they are 5.9 s old on
average, and 2.2 s without a roll-up. There are 157 edits; 16 are ends, 53 the roll-up's, and 88 are left. If those
could be moved to any time, and were spent at one price throughout, it would still be 4.8 s; but most of the work is in
the first half, while all tasks live. A scheduler that knows the future can't be below 1.8 s. To get them down to 4 s,
lines must be allowed 4.5 s: that is what a quarter of the edits gives.
"""

import math
from collections.abc import Hashable
from itertools import accumulate

__all__ = ["Lines", "rollup_part"]

_FEW, _MANY = 4, 16  # tasks
_QUARTER, _GROWTH, _DECLINE = 0.25, 0.424, 0.42  # 0.45 of the edits at sixteen, 0.28 at fifty
_FRESH = 0.95  # of the time of all lines none is to be older than it should be
_MARGIN = 0.003  # of that time, for edits that come a little late
_LEAD = 0.1  # seconds that a call takes, while lines get older
_OLDEST = 2.0  # times as old as they should be: then no line waits for others, however few changed


def rollup_part(lines: int) -> float:
    """Which part of its run's edits a roll-up of so many tasks takes, where all of them print all the time."""
    part: float
    if lines < _FEW:
        part = 1 / (lines + 1)  # like each of the tasks' messages
    elif lines <= _MANY:
        part = _QUARTER * pow(lines / _FEW, _GROWTH)
    else:
        part = max(_QUARTER, rollup_part(_MANY) * pow(_MANY / lines, _DECLINE))
    return part


class Lines:
    """Of which tasks a roll-up doesn't show the last line, and since when; ``part`` is 0 where there is no roll-up."""

    def __init__(self) -> None:
        self.part = 0.0
        self._unshown: dict[Hashable, float] = {}
        # Of ``due``, while nothing has changed.
        self._answer: tuple[tuple[float, int, float], float] | None = None

    def changed(self, task: Hashable, now: float) -> None:
        """That task has a new one."""
        if self.part and task not in self._unshown:
            self._unshown[task] = now
            self._answer = None

    def take(self) -> dict[Hashable, float]:
        """All are on their way to Slack."""
        taken, self._unshown = self._unshown, {}
        self._answer = None
        return taken

    def put_back(self, taken: dict[Hashable, float]) -> None:
        """They didn't get there."""
        self._unshown |= taken
        self._answer = None

    def end(self) -> None:
        """There is no roll-up any more."""
        self.part = 0.0
        self._unshown.clear()
        self._answer = None

    def due(self, edited: float, tasks: int, interval: float) -> float:
        """When the roll-up is to be edited again, if nothing else changes; infinity: not for what has changed.

        ``tasks`` print; if all did so all the time, there would be an edit every ``interval`` seconds.
        """
        asked = edited, tasks, interval
        if self._answer is None or self._answer[0] != asked:
            self._answer = asked, self._due(edited, tasks, interval)
        return self._answer[1]

    def _due(self, edited: float, tasks: int, interval: float) -> float:
        if not self._unshown:
            return math.inf
        since = sorted(self._unshown.values())
        if edited == -math.inf:
            return since[0]
        age = _FRESH * interval
        late = [max(edited, changed + age - _LEAD) for changed in since]
        allowed = (1 - _FRESH - _MARGIN) * max(1, tasks)  # line-seconds for each second
        # At t the lines were late for as many seconds as the most of count · t - sum(those that were late first).
        times = (
            (begins - allowed * edited) / (count - allowed)
            for count, begins in enumerate(accumulate(late), start=1)
            if count > allowed
        )
        return min(since[0] + _OLDEST * age, min(times, default=math.inf))
