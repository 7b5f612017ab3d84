"""Which message may be sent to Slack now, under Slack's limits.

About 50 edits a minute are shared by all live messages of a workspace. So a message only *offers* that it has
something new; what it shows is made when its turn comes. In each lane (one budget: a method, or a method and a
channel) the order is

1. final frames, then first frames; owners take turns, so that twenty tasks don't keep a lone one waiting;
2. live output, by how much an edit would help: ``W = w · (A²/2 + A·rest)``, where A is the age of the oldest output
   that isn't shown, ``rest`` how long the message would then stay up to date, and w = 1 / (its owner's live messages);
3. a ticking clock, when there is budget to spare.

W is the Whittle index of the problem. A cycle is clean for ``rest`` and then stale until age A, when an edit is
paid: it costs A²/2 + price and takes rest + A, and cost over time is least where price = A²/2 + A·rest. The price
of an edit is found likewise: of R edits a second, n messages get one each in n/R seconds, hence ½(n/R)². It falls
to nothing as the bucket fills, since tokens that overflow are lost. Half of the bucket is kept for the first two
kinds, so that they are never late.
"""

from collections.abc import Callable, Hashable
from typing import Generic

from bot.core.budget import Bucket, Budget
from bot.core.lane import Flight, K, Lane, Message, Owner, Priority

__all__ = ["EDIT_LANE", "EditScheduler", "Priority", "post_lane", "slack_budget"]

EDIT_LANE = "chat.update"  # one for the whole workspace

_EDITS = Budget(rate=49 / 60, burst=10)  # Tier 3, "50+ per minute", and 2 % below it
_POSTS = Budget(rate=0.98, burst=5)  # "about one a second for each channel", and 2 % below it
_LONGEST_BACKOFF = 30.0  # seconds; the first is 1


def post_lane(channel: str) -> str:
    """The lane of ``chat.postMessage``, which Slack counts by channel."""
    return f"chat.postMessage:{channel}"


def slack_budget(lane: str) -> Budget:
    """What Slack is believed to allow in that lane."""
    return _EDITS if lane == EDIT_LANE else _POSTS


class EditScheduler(Generic[K]):
    """Decides, and is told what came of it. Pure: the caller says what time it is, in seconds that never go back.

    ``due`` names a message to send; it is in flight, and not named again, until exactly one of ``sent``,
    ``skipped``, ``limited``, ``failed`` and ``forget`` is called for it. What is offered meanwhile comes after that.
    """

    def __init__(self, budget_for: Callable[[str], Budget] = slack_budget) -> None:
        self._budget_for = budget_for
        self._lanes: dict[str, Lane[K]] = {}
        self._messages: dict[K, Message[K]] = {}
        self._owners: dict[Hashable, Owner] = {}

    def offer(self, message: K, priority: Priority, lane: str, now: float, *, owner: Hashable = None) -> None:
        """Say that a message has something new to show. Cheap, and may be repeated for every chunk of output.

        The lane may change from offer to offer; the owner (by default the message itself) is that of the first.
        """
        known = self._messages.get(message)
        if known is None:
            known = self._messages[message] = self._welcome(message, lane, owner, now)
        elif known.lane is not self._lanes.get(lane):
            known.lane.waiting.pop(message, None)
            known.lane = self._lane(lane, now)
        if priority is Priority.LIVE:
            known.rhythm.output(now)
        known.want(priority, now)
        _queue(known)

    def due(self, now: float) -> K | None:
        """A message that is to be sent now, if there is one."""
        for name, lane in self._lanes.items():
            message = lane.choose(now)
            if message is not None and message.wants is not None:
                self._lanes[name] = self._lanes.pop(name)  # lanes take turns
                epoch = lane.bucket.take(now)
                message.flight = Flight(lane.bucket, epoch, message.wants, message.since)
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
            flight.bucket.passed(flight.epoch, now)
            known.failures = 0
            _queue(known)

    def skipped(self, message: K, now: float) -> None:
        """Nothing was sent after all, since Slack has that frame already."""
        landed = self._land(message)
        if landed is not None:
            known, flight = landed
            flight.bucket.give_back(now)
            _queue(known)

    def limited(self, message: K, retry_after: float, now: float) -> None:
        """Slack refused the call for ``retry_after`` seconds: the whole lane is silent until then."""
        landed = self._land(message)
        if landed is not None:
            known, flight = landed
            flight.bucket.refused(flight.epoch, retry_after, now)
            known.want(flight.priority, flight.since)
            _queue(known)

    def failed(self, message: K, now: float) -> None:
        """The call failed for a reason that may pass: this message tries again after 1, 2, 4 … 30 s."""
        landed = self._land(message)
        if landed is not None:
            known, flight = landed
            flight.bucket.failed()
            known.not_before = now + min(_LONGEST_BACKOFF, 2.0**known.failures)
            known.failures = min(known.failures + 1, 10)
            known.want(flight.priority, flight.since)
            _queue(known)

    def forget(self, message: K) -> None:
        """It is gone, or shows what it will show for good: nothing of it is sent any more."""
        landed = self._land(message)
        if landed is not None:
            landed[1].bucket.failed()
        known = self._messages.pop(message, None)
        if known is not None:
            known.lane.waiting.pop(message, None)
            known.owner.messages -= 1
            if not known.owner.messages:
                del self._owners[known.owner.key]

    def _land(self, message: K) -> tuple[Message[K], Flight] | None:
        known = self._messages.get(message)
        if known is None or known.flight is None:
            return None
        flight, known.flight = known.flight, None
        return known, flight

    def _welcome(self, message: K, lane: str, owner: Hashable, now: float) -> Message[K]:
        key = message if owner is None else owner
        # A newcomer counts as just served, else one that keeps coming back would always be first.
        shared = self._owners.setdefault(key, Owner(key, served=now))
        shared.messages += 1
        return Message(message, shared, self._lane(lane, now))

    def _lane(self, name: str, now: float) -> Lane[K]:
        lane = self._lanes.get(name)
        if lane is None:
            self._drop_unused_lanes(now)  # there is one for each channel ever written to
            lane = self._lanes[name] = Lane(Bucket(self._budget_for(name), now))
        return lane

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
        message.lane.waiting.pop(message.key, None)
    else:
        message.lane.waiting[message.key] = message
