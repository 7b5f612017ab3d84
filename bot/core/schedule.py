"""Which message may be sent to Slack now, under Slack's limits.

About 50 edits a minute are shared by all live messages of a workspace. So a message only *offers* that it has
something new; what it shows is made when its turn comes. In each lane (one budget: a method in a workspace, for posts
in a channel) the order is

1. the ends of runs whose process died, then final frames, then first frames; owners take turns, so that twenty tasks
   don't keep a lone one waiting;
2. a roll-up whose lines have been too old for as long as may be;
3. live output, by how much an edit would help: ``W = w · (A²/2 + A·rest)``, where A is the age of the oldest output
   that isn't shown, ``rest`` how long the message would then stay up to date, and w = 1 / (its owner's live messages);
4. a ticking clock, when there is budget to spare.

**The index.** A cycle is clean for ``rest`` and then stale until age A, when an edit is paid: it costs A²/2 + price
and takes rest + A, and cost over time is least where price = A²/2 + A·rest. That makes W the Whittle index of the
problem: one number for each message, whatever the others do. A message that has just gone quiet is worth more than
one in the middle of a burst.

**The price of an edit** is found likewise. Of R edits a second, n messages get one each in n/R seconds, hence
½(n/R)²; with weights the round is Σ√w / R. All live messages count, not only those that wait now. Seven tenths of
that are asked, and less only in the upper third of what may be spent, down to nothing where tokens would be lost:
so what was saved in a lull is spent over the next minute, not at once, and is worth more. That, and the two below,
is where this beats paying the square of the bucket's emptiness with half of the burst kept and a rate 2 % too low, by
3 to 7 % under steady load and mostly by more where output comes and goes.

**What is kept.** Urgent frames may use the whole bucket, live output not the last four tokens of ten, or as many as there
are messages that will end, or more where there are dozens; five where there are no more than eight messages and the
burst is not in doubt, so that four tasks and their run can all end at once. Many that end at once can't all be told at
once (k ends take (k - tokens) / R seconds whoever sends them), so more isn't kept for that. The safety margin is half a
token of the burst, which covers calls that overtake each other on the way, and only 0.3 % of the rate.

**Roll-ups.** One edit of a run's root refreshes the last line of all its tasks, so it is worth far more than the edit
of any of them, and comes first, as seldom as keeps its lines fresh for 95 % of the time; :mod:`bot.core.rollup` has
the rule, and how the edits are split. It may use four fifths of what is kept for ends, which it tells as well.

**Fairness.** Each owner's messages have w = 1/n: n messages of one run together weigh √n in the round, a lone one 1.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import Generic

from bot.core.budget import Bucket, Budget
from bot.core.lane import Flight, K, Lane, Message, Owner, Priority
from bot.core.rollup import rollup_part

__all__ = ["EditScheduler", "Priority", "edit_lane", "post_lane", "rollup_part", "slack_budget"]

_UPDATE, _POST = "chat.update", "chat.postMessage"
_EDITS = Budget(rate=49.85 / 60, burst=9.5)  # Tier 3, "50+ per minute"; its burst is reported as ten
_POSTS = Budget(rate=0.995, burst=5)  # "about one a second for each channel", short bursts allowed
_TOGETHER = 1.5  # seconds in which refusals of several budgets have one cause
_LONGEST_BACKOFF = 30.0  # seconds; the first is 1


def edit_lane(workspace: str) -> str:
    """The lane of ``chat.update``, which Slack counts by workspace."""
    return f"{_UPDATE} {workspace}"


def post_lane(workspace: str, channel: str) -> str:
    """The lane of ``chat.postMessage``, which Slack counts by channel."""
    return f"{_POST} {workspace} {channel}"


def slack_budget(lane: str) -> Budget:
    """What Slack is believed to allow in that lane."""
    return _EDITS if lane.startswith(_UPDATE) else _POSTS


class EditScheduler(Generic[K]):
    """Decides, and is told what came of it. Pure: the caller says what time it is, in seconds that never go back.

    ``budget_for`` says what is believed of a lane, ``part_for`` which part (0 < part < 1) of its run's edits a roll-up
    of so many tasks takes.

    ``due`` names a message to send; it is in flight, and not named again, until exactly one of ``sent``,
    ``skipped``, ``limited``, ``failed`` and ``forget`` is called for it. What is offered meanwhile comes after that.
    """

    def __init__(
        self,
        budget_for: Callable[[str], Budget] = slack_budget,
        part_for: Callable[[int], float] = rollup_part,
    ) -> None:
        self._budget_for = budget_for
        self._part_for = part_for
        self._shares: dict[str, float] = {}
        self._usual_share = 1.0
        self._lanes: dict[str, Lane[K]] = {}
        self._messages: dict[K, Message[K]] = {}
        self._owners: dict[Hashable, Owner] = {}

    def set_share(self, workspace: str, fraction: float, now: float) -> None:
        """From now on so much (0 < ``fraction`` ≤ 1) of that workspace's edits is ours, the rest other processes'."""
        name = edit_lane(workspace)
        self._shares[name] = fraction
        if name in self._lanes:
            self._lanes[name].bucket.give_share(fraction, now)
            self._lanes[name].changed()

    def set_shares(self, shares: Mapping[str, float], usual: float, now: float) -> None:
        """The same for these workspaces; of all others ``usual`` is ours."""
        self._usual_share = usual
        self._shares = {edit_lane(workspace): fraction for workspace, fraction in shares.items()}
        for name, lane in self._lanes.items():
            lane.bucket.give_share(self._share(name), now)
            lane.changed()

    def pause(self, lane: str, seconds: float, now: float) -> None:
        """Another process was refused in that lane: it is silent for so long."""
        paused = self._lane(lane, now)
        paused.bucket.pause(seconds, now)
        paused.changed()

    def busy(self) -> list[K]:
        """The messages that have live output, or something that isn't with Slack."""
        return [
            key
            for key, message in self._messages.items()
            if message.printing or message.wants is not None or message.flight is not None
        ]

    def offer(
        self, message: K, priority: Priority, lane: str, now: float, *, owner: Hashable = None, lines: int = 0
    ) -> None:
        """Say that a message has something new to show. Cheap, and may be repeated for every chunk of output.

        The lane may change from offer to offer, as it does when a message has been posted; what it wanted of the
        other lane is forgotten. The owner (by default the message itself) is that of the first offer. ``lines`` is
        given for a roll-up: of how many tasks it shows the last line.
        """
        known = self._messages.get(message)
        if known is None:
            known = self._messages[message] = self._welcome(message, lane, owner, now)
        elif known.lane is not self._lanes.get(lane):
            self._move(known, lane, now)
        if not lines and priority is not Priority.IDLE:
            known.owner.lines.changed(message, now)
        if priority is Priority.LIVE:
            known.rhythm.output(now)
            known.lane.begin(known, lines, self._part_for(lines) if lines else 0.0)
        elif priority <= Priority.FINAL:
            known.lane.end(known)
        known.want(priority, now)
        _queue(known)

    def due(self, now: float) -> K | None:
        """A message that is to be sent now, if there is one."""
        for name, lane in self._lanes.items():
            message = lane.choose(now)
            if message is not None and message.wants is not None:
                self._lanes[name] = self._lanes.pop(name)  # lanes take turns
                epoch = lane.bucket.take(now)
                lines = message.owner.lines.take() if message.lines else {}
                message.flight = Flight(lane, epoch, message.wants, message.since, lines)
                message.wants = None
                message.edited = message.owner.served = now
                _queue(message)
                return message.key
        return None

    def next_time(self, now: float) -> float | None:
        """When to ask ``due`` again if nothing happens meanwhile; ``None``: no need to."""
        times = (lane.next_time(now) for lane in self._lanes.values())
        return min((time for time in times if time is not None), default=None)

    def sent(self, message: K, now: float) -> None:
        """Slack let the call through."""
        landed = self._land(message)
        if landed is not None:
            known, flight = landed
            flight.lane.bucket.passed(flight.epoch, now)
            known.failures = 0
            _queue(known)

    def skipped(self, message: K, now: float) -> None:
        """Nothing was sent after all, since Slack has that frame already."""
        landed = self._land(message)
        if landed is not None:
            known, flight = landed
            flight.lane.bucket.give_back(now)
            _queue(known)

    def limited(self, message: K, retry_after: float, now: float) -> None:
        """Slack refused the call for ``retry_after`` seconds: the whole lane is silent until then."""
        landed = self._land(message)
        if landed is not None:
            known, flight = landed
            flight.lane.bucket.refused(flight.epoch, retry_after, now)
            self._forgive(flight.lane, now)
            known.want(flight.priority, flight.since)
            known.owner.lines.put_back(flight.lines)
            _queue(known)

    def failed(self, message: K, now: float) -> None:
        """The call failed for a reason that may pass: this message tries again after 1, 2, 4 … 30 s."""
        landed = self._land(message)
        if landed is not None:
            known, flight = landed
            flight.lane.bucket.failed()
            known.not_before = now + min(_LONGEST_BACKOFF, 2.0**known.failures)
            known.failures = min(known.failures + 1, 10)
            known.want(flight.priority, flight.since)
            known.owner.lines.put_back(flight.lines)
            _queue(known)

    def forget(self, message: K) -> None:
        """It is gone, or shows what it will show for good: nothing of it is sent any more."""
        landed = self._land(message)
        if landed is not None:
            landed[1].lane.bucket.failed()
        known = self._messages.pop(message, None)
        if known is not None:
            known.lane.leave(known)
            known.lane.end(known)
            known.owner.messages -= 1
            if not known.owner.messages:
                del self._owners[known.owner.key]

    def _forgive(self, refused: Lane[K], now: float) -> None:
        """Where others were refused at that time, too, it is a mood of Slack's, of which no budget learns."""
        refused.refused = now
        together = [lane for lane in self._lanes.values() if now - lane.refused < _TOGETHER]
        if len(together) > 1:
            for lane in together:
                lane.bucket.forgive(now)
                lane.changed()

    def _land(self, message: K) -> tuple[Message[K], Flight] | None:
        known = self._messages.get(message)
        if known is None or known.flight is None:
            return None
        flight, known.flight = known.flight, None
        flight.lane.changed()
        return known, flight

    def _welcome(self, message: K, lane: str, owner: Hashable, now: float) -> Message[K]:
        key = message if owner is None else owner
        # A newcomer counts as just served, else one that keeps coming back would always be first.
        shared = self._owners.setdefault(key, Owner(key, served=now))
        shared.messages += 1
        return Message(message, shared, self._lane(lane, now))

    def _move(self, known: Message[K], lane: str, now: float) -> None:
        known.lane.leave(known)
        known.lane.end(known)
        known.lane = self._lane(lane, now)
        known.wants = None

    def _lane(self, name: str, now: float) -> Lane[K]:
        lane = self._lanes.get(name)
        if lane is None:
            self._drop_unused_lanes(now)  # there is one for each channel ever written to
            bucket = Bucket(self._budget_for(name), now, self._share(name))
            lane = self._lanes[name] = Lane(bucket)
        return lane

    def _share(self, lane: str) -> float:
        """Posts aren't shared: those in one channel are mostly one process's."""
        return self._shares.get(lane, self._usual_share) if lane.startswith(_UPDATE) else 1.0

    def _drop_unused_lanes(self, now: float) -> None:
        used = {id(message.lane) for message in self._messages.values()}
        self._lanes = {
            name: lane
            for name, lane in self._lanes.items()
            if id(lane) in used or not lane.bucket.at_rest(now)
        }


def _queue(message: Message[K]) -> None:
    """Let it wait in its lane if it has something to show and isn't in flight."""
    if message.wants is None or message.flight is not None:
        message.lane.leave(message)
    else:
        message.lane.wait(message)
