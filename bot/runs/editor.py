"""Carries frames to Slack as the scheduler allows; one editor for each workspace.

Nobody waits for Slack here, and nothing queues up: a message is marked as having something new, and its frame is
made when it may be sent, so that it shows the newest state however long that took.
"""

import asyncio
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import TypeAlias
from weakref import WeakValueDictionary

import structlog

from bot.clock import Clock
from bot.core.schedule import EDIT_LANE, EditScheduler, Priority, post_lane
from bot.errors import (
    ChannelClosed,
    MessageGone,
    SlackError,
    SlackLimited,
    SlackRejected,
    SlackUnauthorized,
    SlackUnavailable,
)
from bot.model import MessageRef, Place
from bot.runs.frames import Frame
from bot.runs.live_message import LiveMessage
from bot.runs.ports import Poster

__all__ = ["Editor", "LiveMessage"]

log = structlog.get_logger("bot.edit")

_MOST_IN_FLIGHT = 8  # calls at once: enough to use up the budget even while Slack takes seconds to answer

Scheduler: TypeAlias = EditScheduler[LiveMessage]


class Editor:
    """Sends what its messages have to show, one call at a time for each and never faster than Slack allows."""

    def __init__(self, messenger: Poster, clock: Clock, scheduler: Scheduler | None = None) -> None:
        self._messenger = messenger
        self._clock = clock
        self._scheduler: Scheduler = EditScheduler() if scheduler is None else scheduler
        self._in_flight: set[LiveMessage] = set()
        self._finals: set[LiveMessage] = set()
        self._turns: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()
        self._wake = asyncio.Event()

    def open(
        self,
        place: Place,
        render: Callable[[], Frame],
        *,
        ref: MessageRef | None = None,
        owner: Hashable = None,
        on_posted: Callable[[MessageRef], None] | None = None,
    ) -> LiveMessage:
        """A message that will show what ``render`` returns; nothing happens before its first ``touch``.

        With ``ref`` it exists already; else its first frame is posted, and ``on_posted`` told where. Both
        callables must be quick. Messages of one ``owner`` share its turns where many wait.
        """
        return LiveMessage(
            place, render, offer=self._offer, drop=self._drop, ref=ref, owner=owner, on_posted=on_posted
        )

    async def deliver(self, place: Place, frame: Frame) -> MessageRef:
        """Post one message that is never edited; those for one place appear in the order of the calls.

        Raises ChannelClosed, SlackUnauthorized or SlackRejected where it can't ever be posted.
        """
        message = self.open(place, lambda: frame, owner=place)
        self._finals.add(message)  # already while it waits for its turn, so that close() knows of it
        turn = self._turns.setdefault(place, asyncio.Lock())
        try:
            async with turn:
                await message.finish()
            return await message.posted()
        finally:
            message.abandon()  # the caller no longer waits: don't post it behind their back

    async def run(self) -> None:
        """Send until cancelled; calls in flight are then cancelled too, and offered again by the next ``run``."""
        try:
            async with asyncio.TaskGroup() as sends:
                while True:
                    self._wake.clear()
                    self._start_due(sends)
                    await self._sleep()
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
            priority = Priority.FINAL
            self._finals.add(message)
        elif message.ref is None:
            priority = min(priority, Priority.FIRST)
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
        self._scheduler.offer(message, priority, _lane(message), self._now(), owner=message.owner)

    def _now(self) -> float:
        return self._clock.monotonic()

    async def _sleep(self) -> None:
        """Until there is news, a call was answered, or the scheduler wants to be asked again."""
        full = len(self._in_flight) >= _MOST_IN_FLIGHT
        now = self._now()
        time = None if full else self._scheduler.next_time(now)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if time is None else time - now):
                await self._wake.wait()

    def _start_due(self, sends: asyncio.TaskGroup) -> None:
        while len(self._in_flight) < _MOST_IN_FLIGHT:
            message = self._scheduler.due(self._now())
            if message is None:
                return
            frame = self._frame(message)
            if frame is not None:
                self._in_flight.add(message)
                sends.create_task(self._send(message, frame), name="edit")

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
        if message.ended:
            self._drop(message)
        self._wake.set()

    async def _call(self, message: LiveMessage, frame: Frame) -> None:
        ref = message.ref
        if ref is None:
            ref = await self._messenger.post(message.place, frame)
        else:
            await self._messenger.update(message.place, ref, frame)
        message.landed(frame, ref)

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
    return post_lane(message.place.channel) if message.ref is None else EDIT_LANE


def _where(message: LiveMessage) -> dict[str, str | None]:
    return {"channel": message.place.channel, "ts": message.ref.ts if message.ref else None}
