"""The handle of one Slack message that is edited in place: what it shows, and who waits for it."""

import asyncio
from collections.abc import Callable, Hashable

from bot.core.schedule import Priority
from bot.errors import MessageGone, SlackError
from bot.model import MessageRef, Place
from bot.runs.frames import Frame

_MOST_REJECTIONS = 2  # in a row, of a frame that must arrive


class LiveMessage:
    """One message that is edited in place; made by :meth:`bot.runs.editor.Editor.open`.

    ``ref`` is ``None`` until it was posted. ``gone`` says that nothing of it is sent any more, because Slack
    refused it for good or because it was abandoned. ``render`` may be replaced at any time, and so may ``lines``:
    of how many tasks it shows the last line, where it is a run's roll-up. A ``fixed`` one shows the same for ever.
    """

    def __init__(
        self,
        place: Place,
        render: Callable[[], Frame],
        *,
        offer: Callable[["LiveMessage", Priority], None],
        drop: Callable[["LiveMessage"], None],
        ref: MessageRef | None,
        key: str,
        since: float | None,
        owner: Hashable,
        on_posted: Callable[[MessageRef], None] | None,
    ) -> None:
        self.place = place
        self.owner = owner
        self.render = render
        self.ref = ref
        self.key = key
        self.since = since  # when it may first have been posted, in Unix seconds
        self.unsure = since is not None  # whether Slack may have it although nobody was told so
        self.patience = 0.0  # until then (monotonic), that it isn't found says nothing yet
        self.fixed = False
        self.end = Priority.FINAL  # how urgent its final frame is
        self.lines = 0
        self.gone = False
        self.news: Priority | None = None  # what was offered since the last frame was made
        self.complaints: set[str] = set()  # what was wrong with its frames, so that each is logged once
        self._offer = offer
        self._drop = drop
        self._on_posted = on_posted
        self.quiet = asyncio.Event()  # set while no call of it is in flight
        self.quiet.set()
        self._held = False
        self._kept: Priority | None = None  # what was to be offered meanwhile
        self._shown: Frame | None = None
        self._finishing = False
        self._final_taken = False  # whether the last frame that was made is the final one
        self._rejections = 0
        self._error: SlackError = MessageGone("abandoned")
        self._posted = asyncio.Event()
        self._settled = asyncio.Event()
        if ref is not None:
            self._posted.set()

    def touch(self, priority: Priority = Priority.LIVE) -> None:
        """There is something new to show. Cheap, and never waits; after ``finish`` it does nothing."""
        if not self.gone and not self._finishing:
            self._tell(priority)

    def hold(self) -> None:
        """Send nothing of it until ``release``: another process may still be at it."""
        self._held = True

    def release(self) -> None:
        """Send what there was to send meanwhile."""
        self._held = False
        kept, self._kept = self._kept, None
        if kept is not None and not self.gone:
            self._offer(self, kept)

    def _tell(self, priority: Priority) -> None:
        if self._held:
            self._kept = priority if self._kept is None else min(self._kept, priority)
        else:
            self._offer(self, priority)

    async def posted(self) -> MessageRef:
        """Where the message is, once Slack has its first frame.

        Raises what Slack said (ChannelClosed, SlackUnauthorized, SlackRejected) where it can't be posted, and
        MessageGone where it was abandoned before.
        """
        await self._posted.wait()
        if self.ref is None:
            raise self._error
        return self.ref

    async def finish(self) -> bool:
        """Show for good what ``render`` returns from now on.

        Returns once Slack has it (true), or once it is certain that it can't be shown (false).
        """
        if not self.gone and not self._finishing:
            self._finishing = True
            self._tell(self.end)
        await self._settled.wait()
        return not self.gone

    def abandon(self) -> None:
        """Send nothing more of it, whatever it shows now; a call that is in flight is not called back."""
        if not self._settled.is_set():
            self.give_up(self._error)
            self._drop(self)

    # The rest is the editor's side.

    @property
    def finishing(self) -> bool:
        """Whether ``finish`` was called."""
        return self._finishing

    @property
    def ended(self) -> bool:
        """Whether nothing more will be sent of it."""
        return self._settled.is_set()

    async def settled(self) -> None:
        """Wait until it has ended."""
        await self._settled.wait()

    @property
    def must_arrive(self) -> bool:
        """Whether the last frame that was made is not just one of many: the first one or the final one."""
        return self.ref is None or self._final_taken

    def next_frame(self) -> Frame | None:
        """What to send now; ``None`` where Slack has exactly that already."""
        self.news = None
        self._final_taken = self._finishing
        frame = self.render()
        if frame != self._shown:
            return frame
        self._settle_if_final()
        return None

    def landed(self, frame: Frame, ref: MessageRef) -> None:
        """Slack has that frame, as that message."""
        first = self.ref is None
        self._shown, self._rejections = frame, 0
        self.ref = ref
        self._settle_if_final()
        if first:
            self._appear(ref)

    def found(self, ref: MessageRef) -> None:
        """Slack has it already, as that message; what it shows is out of date."""
        self.unsure = False
        self._appear(ref)

    def rejected(self) -> bool:
        """The last frame can't be shown; returns whether to try once more."""
        self._rejections += 1
        return self._rejections < _MOST_REJECTIONS

    def give_up(self, error: SlackError) -> None:
        """Nothing of it can be shown any more: release everyone who waits."""
        self.gone, self._error = True, error
        self._posted.set()
        self._settled.set()

    def _appear(self, ref: MessageRef) -> None:
        self.ref = ref
        self._posted.set()
        if self._on_posted is not None:
            self._on_posted(ref)

    def _settle_if_final(self) -> None:
        if self._final_taken:
            self._settled.set()
