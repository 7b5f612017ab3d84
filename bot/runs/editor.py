"""Carries frames to Slack as the scheduler allows, of all workspaces, each with its own budgets.

Nobody waits for Slack here, and nothing queues up: a message is marked as having something new, and its frame is
made when it may be sent, so that it shows the newest state however long that took.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Mapping
from contextlib import suppress
from secrets import token_hex
from typing import TypeAlias
from weakref import WeakValueDictionary

import structlog

from bot.clock import Clock
from bot.core.schedule import EditScheduler, Priority, edit_lane, post_lane
from bot.errors import (
    ChannelClosed,
    MessageGone,
    SlackError,
    SlackLimited,
    SlackRejected,
    SlackUnauthorized,
    SlackUnavailable,
    SlackUnsure,
)
from bot.model import MessageRef, Place
from bot.runs.frames import Frame
from bot.runs.live_message import LiveMessage
from bot.runs.ports import Poster

__all__ = ["Editor", "LiveMessage"]

log = structlog.get_logger("bot.edit")

END = 12
"""As how many messages with live output one counts that is to show its end, where processes share a workspace's edits."""

_PATIENCE = 2.0  # seconds after a lost answer in which Slack may yet be about to store what was posted
_MOST_IN_FLIGHT = 8  # calls at once: enough to use up the budget even while Slack takes seconds to answer

Scheduler: TypeAlias = EditScheduler[LiveMessage]


async def _at_once() -> None:
    """Nothing goes before."""


class Editor:
    """Sends what its messages have to show, one call at a time for each and never faster than Slack allows.

    Each call waits for a ``lull``, in which nothing that is more urgent would have to wait for it.
    """

    def __init__(
        self,
        messenger: Poster,
        clock: Clock,
        scheduler: Scheduler | None = None,
        lull: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        self._messenger = messenger
        self._clock = clock
        self._scheduler: Scheduler = EditScheduler() if scheduler is None else scheduler
        self._in_flight: set[LiveMessage] = set()
        self._finals: set[LiveMessage] = set()
        self._turns: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()
        self._lull = lull
        self._wake = asyncio.Event()
        self._blind: dict[str, float] = {}  # workspace -> until when Slack lets nobody look for messages
        self._held = False
        self.permitted: Callable[[], bool] = lambda: True
        self.on_limited: Callable[[str, float], None] = lambda _lane, _seconds: None
        self.on_skipped: Callable[[], None] = lambda: None

    def open(
        self,
        place: Place,
        render: Callable[[], Frame],
        *,
        ref: MessageRef | None = None,
        key: str = "",
        since: float | None = None,
        owner: Hashable = None,
        on_posted: Callable[[MessageRef], None] | None = None,
    ) -> LiveMessage:
        """A message that will show what ``render`` returns; nothing happens before its first ``touch``.

        With ``ref`` it exists already; else its first frame is posted, and ``on_posted`` told where. Both
        callables must be quick. Messages of one ``owner`` share its turns where many wait.

        ``key`` (no secret) names the message for good, so that it is found where the answer to its post was lost.
        With ``since`` (Unix seconds) another process may have posted it, not before then: it is looked for first.
        """
        return LiveMessage(
            place,
            render,
            offer=self._offer,
            drop=self._drop,
            ref=ref,
            key=key or token_hex(8),
            since=since,
            owner=owner,
            on_posted=on_posted,
        )

    async def deliver(
        self, place: Place, frame: Frame, *, key: str = "", since: float | None = None
    ) -> MessageRef:
        """Post one message that is never edited; those for one place appear in the order of the calls.

        ``key`` and ``since`` are as for ``open``. Raises ChannelClosed, SlackUnauthorized or SlackRejected where it
        can't ever be posted.
        """
        message = self.open(place, lambda: frame, key=key, since=since, owner=place)
        message.fixed = True
        self._finals.add(message)  # already while it waits for its turn, so that close() knows of it
        turn = self._turns.setdefault(place, asyncio.Lock())
        try:
            async with turn:
                await message.finish()
            return await message.posted()
        finally:
            message.abandon()  # the caller no longer waits: don't post it behind their back

    def set_share(self, workspace: str, fraction: float) -> None:
        """From now on so much (0 < ``fraction`` <= 1) of the workspace's edits is ours; the rest is other processes'."""
        self._scheduler.set_share(workspace, fraction, self._now())
        self._wake.set()

    def set_shares(self, shares: Mapping[str, float], usual: float) -> None:
        """The same for these workspaces; of all others ``usual`` is ours."""
        self._scheduler.set_shares(shares, usual, self._now())
        self._wake.set()

    def pause(self, lane: str, seconds: float) -> None:
        """Another process was told to slow down: nothing of that lane is sent for so long."""
        self._scheduler.pause(lane, seconds, self._now())
        self._wake.set()

    def busy(self) -> Counter[str]:
        """Workspace -> how many messages there need edits: with live output or something to show; ends count ``END``."""
        found: Counter[str] = Counter()
        for message in self._scheduler.busy():
            found[message.place.workspace] += END if message.finishing else 1
        return found

    def resume(self) -> None:
        """Sending may be ``permitted`` again, which is asked before each call."""
        self._wake.set()

    async def run(self) -> None:
        """Send until cancelled; calls in flight are then cancelled too, and offered again by the next ``run``."""
        try:
            async with asyncio.TaskGroup() as sends:
                while True:
                    self._wake.clear()
                    await self._lull()
                    now = self._now()
                    if not self._start_one(sends, now):
                        await self._sleep(now)
        finally:
            for message in tuple(self._in_flight):  # those whose call was cancelled
                self._scheduler.failed(message, self._now())
                self._answered(message)

    async def close(self, timeout: float) -> None:  # noqa: ASYNC109  a limit, after which it is not an error
        """Wait, at most that many seconds, until every final frame is with Slack; ``run`` must still be going."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._finals:
                    await next(iter(self._finals)).settled()

    def _offer(self, message: LiveMessage, priority: Priority) -> None:
        """A message has something to show."""
        if message.finishing:
            priority = message.end
            self._finals.add(message)
        self._schedule(message, priority)
        if message.news is None or priority < message.news:  # else the loop knows already
            message.news = priority
            self._wake.set()

    def _drop(self, message: LiveMessage) -> None:
        """Nothing more is to be sent of a message."""
        self._finals.discard(message)
        if message not in self._in_flight:  # its answer still matters, to all who share the lane
            self._scheduler.forget(message)

    def _schedule(self, message: LiveMessage, priority: Priority) -> None:
        if message.ref is None:
            priority = min(priority, Priority.FIRST)
        lane, lines = _lane(message), message.lines
        self._scheduler.offer(message, priority, lane, self._now(), owner=message.owner, lines=lines)

    def _now(self) -> float:
        return self._clock.monotonic()

    async def _sleep(self, now: float) -> None:
        """Until there is news, a call was answered, or the scheduler wants to be asked again."""
        full = self._held or len(self._in_flight) >= _MOST_IN_FLIGHT
        time = None if full else self._scheduler.next_time(now)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if time is None else time - now):
                await self._wake.wait()

    def _start_one(self, sends: asyncio.TaskGroup, now: float) -> bool:
        """Begin the next call; false where none is due, or none may be made now."""
        if len(self._in_flight) >= _MOST_IN_FLIGHT:
            return False
        self._held = not self.permitted()
        message = None if self._held else self._scheduler.due(now)
        if message is None:
            return False
        frame = self._frame(message)
        if frame is not None:
            self._in_flight.add(message)
            message.quiet.clear()
            sends.create_task(self._send(message, frame), name="edit")
        return True

    def _frame(self, message: LiveMessage) -> Frame | None:
        """What to send of a message that is due; ``None``: nothing."""
        try:
            frame = message.next_frame()
        except Exception as error:  # noqa: BLE001  whatever is wrong with one message, the others go on
            self._scheduler.skipped(message, self._now())
            self._unfit(message, SlackRejected("render_failed"), cause=error)
            return None
        if frame is None:
            self._scheduler.skipped(message, self._now())
            self.on_skipped()
            if message.ended:
                self._drop(message)
        return frame

    async def _send(self, message: LiveMessage, frame: Frame) -> None:
        """One call, and what its answer means."""
        lane = _lane(message)
        try:
            await self._call(message, frame)
        except SlackLimited as error:
            log.warning("edit.limited", lane=lane, retry_after=error.retry_after)
            self._scheduler.limited(message, error.retry_after, self._now())
            self.on_limited(lane, error.retry_after)
        except (MessageGone, ChannelClosed, SlackUnauthorized) as error:
            self._scheduler.sent(message, self._now())
            self._give_up(message, error)
        except SlackRejected as error:
            self._scheduler.sent(message, self._now())
            self._unfit(message, error)
        except Exception as error:  # a bug in one call must not end all the others
            self._scheduler.failed(message, self._now())
            log.warning("edit.failed", **_where(message), exc_info=not isinstance(error, SlackUnavailable))
        else:
            self._scheduler.sent(message, self._now())
            if message.news is not None and lane != _lane(message):
                self._schedule(message, message.news)  # offered as a post, which it no longer is
        self._answered(message)

    def _answered(self, message: LiveMessage) -> None:
        self._in_flight.discard(message)
        message.quiet.set()
        if message.ended:
            self._drop(message)
        self._wake.set()

    async def _call(self, message: LiveMessage, frame: Frame) -> None:
        ref = message.ref
        if ref is not None:
            await self._messenger.update(message.place, ref, frame)
        elif message.unsure and (ref := await self._find(message)) is not None:
            log.info("edit.found", channel=ref.channel, ts=ref.ts)
            if not message.fixed:  # it shows an older frame, or another process's
                message.found(ref)
                self._offer(message, Priority.FIRST)
                return
        else:
            ref = await self._post(message, frame)
        message.landed(frame, ref)

    async def _post(self, message: LiveMessage, frame: Frame) -> MessageRef:
        if message.since is None:
            message.since = self._clock.wall()
        try:
            return await self._messenger.post(message.place, frame, message.key)
        except BaseException as error:
            if isinstance(error, SlackUnsure) or not isinstance(error, SlackError):
                message.unsure, message.patience = True, self._now() + _PATIENCE
            raise

    async def _find(self, message: LiveMessage) -> MessageRef | None:
        """The message, if Slack has it; raises SlackUnavailable while nobody can say."""
        place, now = message.place, self._now()
        if now < self._blind.get(place.workspace, now):
            raise SlackUnavailable("look_limited")
        try:
            ref = await self._messenger.find(place, message.key, message.since or 0.0)
        except SlackLimited as error:  # which is about reading, and must not keep others from posting
            self._blind[place.workspace] = self._now() + error.retry_after
            raise SlackUnavailable("look_limited") from error
        except SlackUnavailable:
            raise
        except SlackError as error:
            # It will never be known. Where the post is refused, too, that tells more; else twice is better than never.
            log.warning("edit.cannot_look", code=error.code, **_where(message))
            ref = None
        if ref is None and self._now() < message.patience:
            raise SlackUnavailable("not_there_yet")
        message.unsure = False
        return ref

    def _unfit(self, message: LiveMessage, error: SlackRejected, cause: Exception | None = None) -> None:
        """A frame can't be shown. Live output has a next one; a frame that must arrive is made and sent again."""
        if error.code not in message.complaints:
            message.complaints.add(error.code)
            log.error("edit.rejected", code=error.code, **_where(message), exc_info=cause)
        if not message.must_arrive:
            return
        if message.rejected():
            self._offer(message, Priority.FIRST)
        else:
            self._give_up(message, error)

    def _give_up(self, message: LiveMessage, error: SlackError) -> None:
        log.warning("edit.gone", code=error.code, **_where(message))
        message.give_up(error)
        self._drop(message)


def _lane(message: LiveMessage) -> str:
    place = message.place
    return post_lane(place.workspace, place.channel) if message.ref is None else edit_lane(place.workspace)


def _where(message: LiveMessage) -> dict[str, str | None]:
    return {"channel": message.place.channel, "ts": message.ref.ts if message.ref else None}
