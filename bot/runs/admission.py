"""Between a stored request and the queue: whether this person may do this here, and whether it can be shown.

This comes after the acknowledgement, since it asks Slack. Until a run was admitted it is ``queued`` but not
``ready``, so that after a crash it is simply admitted again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import chain, repeat

import structlog

from bot.clock import Clock
from bot.core.access import Denied, Exceeded, Limits, Policy, Usage
from bot.core.redact import Secrets
from bot.core.run import RunState
from bot.errors import BotError, ChannelClosed, SlackError, SlackLimited, SlackUnavailable, StoreUnavailable
from bot.model import Audience, Place
from bot.runs.board import Board
from bot.runs.ports import Home, Messenger, Notice, Reaction
from bot.runs.precedence import Precedence
from bot.runs.queue import Queue
from bot.runs.reactions import Reactions
from bot.runs.supervisor import Supervisor
from bot.store.records import Run
from bot.store.store import Store
from bot.words import refusals

log = structlog.get_logger("bot.admission")


DAY = 86_400.0  # seconds
LAST = 2**31 - 1  # a place in the order of runs that comes after all of them
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds, while the database is away; the last one from then on
ANSWER_PAUSES = (*PAUSES, 60.0, 120.0)  # seconds, while Slack is away: what is told hours later misleads
FEW = 2  # runs at a time whose admission asks the database, and as many that store theirs: no crowd holds up the next
ANSWERS = 4  # at a time, which also wait for Slack
LEARNING = 2.0  # seconds that an answer waits for Slack to say which channels are public
# Reasons that lie in the person or the place, and so hold for the next message too.
LASTING = frozenset({Denied.DEACTIVATED, Denied.STRANGER, Denied.GUEST, Denied.USER, Denied.CHANNEL})


@dataclass(frozen=True, slots=True)
class Refused:
    """The sentence that tells someone why they may not, and the reason; ``None`` where Slack wouldn't say who they are."""

    text: str
    reason: Denied | None = None


@dataclass(slots=True)
class Admission:
    """Admits stored runs to the queue, or says to their requester why not."""

    store: Store
    messenger: Messenger
    board: Board
    queue: Queue
    reactions: Reactions
    home: Home
    supervisor: Supervisor
    precedence: Precedence
    policy: Policy
    secrets: Secrets
    limits: Limits
    clock: Clock
    joined: set[str] = field(default_factory=set)
    looking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(FEW))
    storing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(FEW))
    telling: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(ANSWERS))

    async def refusal(self, audience: Audience, repo: str | None) -> str | None:
        """The sentence that tells this person why they may not, or ``None`` where they may."""
        refused = await self.refused(audience, repo)
        return refused.text if refused is not None else None

    async def refused(self, audience: Audience, repo: str | None) -> Refused | None:
        """The same with its reason."""
        try:
            person = await self.messenger.person(audience.workspace, audience.user)
        except (SlackLimited, SlackUnavailable):
            return Refused(refusals.unknown_person())
        except SlackError as error:
            log.warning("access.unknown_person", error=str(error))
            return Refused(refusals.unknown_person())
        if audience.is_stranger:
            person = replace(person, is_stranger=True)
        denied = self.policy.denies(person, audience.channel, repo)
        if denied is None:
            return None
        log.info("access.denied", reason=denied.value, user=audience.user)
        return Refused(refusals.denied(denied, repo), denied)

    async def refuse(self, audience: Audience, refused: Refused, *, addressed: bool) -> None:
        """Tell someone why they may not. Who isn't speaking to the bot is told once in a thread; bots are never told."""
        if refused.reason is Denied.BOT:
            return
        if not addressed and refused.reason in LASTING:
            where = f"{audience.workspace}:{audience.channel}:{audience.thread_ts}"
            claim = f"refused:{where}:{audience.user}:{refused.reason}"
            if not await self.store.claims.claim(claim, self.clock.wall()):
                return
        await self.tell(audience, Notice(refused.text))

    async def no_more_today(self, run: Run) -> str | None:
        """The sentence that says so, where the run's requester has begun as many as one may."""
        usage = await self.store.runs.usage(replace(run, seq=LAST), self.clock.wall() - DAY)
        exceeded = self.limits.exceeded(Usage(day=usage.day))
        return refusals.limited(*exceeded) if exceeded is not None else None

    async def admit(self, run: Run, audience: Audience, *, addressed: bool = True) -> None:
        """Check, show, and hand to the queue; a run that may not be or can't be shown is dropped.

        It is stored already, so that a database that goes away now only delays it. Each step may be repeated.
        ``addressed`` is false for a reply that doesn't name the bot.
        """
        structlog.contextvars.bind_contextvars(run=run.id, workspace=run.workspace)
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            try:
                await self._admit(run, audience, addressed=addressed)
            except StoreUnavailable:
                log.warning("admission.store_unavailable", pause=pause)
                await asyncio.sleep(pause)
            else:
                return

    async def _admit(self, run: Run, audience: Audience, *, addressed: bool) -> None:
        refused = await self.refused(audience, run.invocation.options.repo)
        if refused is not None:
            text = refusals.with_request(refused.text, self._asked(run))
            if await self._drop(run, text):
                await self.refuse(audience, replace(refused, text=text), addressed=addressed)
            return
        exceeded = await self._exceeded(run)
        if exceeded is not None:
            log.info("access.limited", limit=exceeded[0].value, user=run.requester)
            await self._refuse(
                run, audience, refusals.with_request(refusals.limited(*exceeded), self._asked(run))
            )
            return
        try:
            await self._show(run)
        except ChannelClosed as error:
            log.info("admission.channel_closed", code=error.code)
            await self._refuse(
                run, audience, refusals.channel_closed(error.code, run.channel, self._asked(run))
            )
            return
        except SlackError as error:
            log.error("admission.not_shown", error=str(error))
            await self._refuse(run, audience, refusals.cannot_post(self._asked(run)))
            return
        self.home.changed(run.workspace, run.requester)
        self.queue.wake()

    async def _exceeded(self, run: Run) -> tuple[Exceeded, int] | None:
        """The limit that leaves no room for this run, and its number."""
        if not self.limits.any:
            return None
        async with self.one_of(self.looking):
            usage = await self.store.runs.usage(run, self.clock.wall() - DAY)
        return self.limits.exceeded(usage)

    @asynccontextmanager
    async def one_of(self, few: asyncio.Semaphore) -> AsyncIterator[None]:
        """A step that few take at a time, and that lets those requests go first that aren't acknowledged yet."""
        async with few:
            await self.precedence.lull()
            yield

    async def _show(self, run: Run) -> None:
        async with self.one_of(self.looking):
            newest, place = await self.queue.stands(run)
        if newest is None or newest.state.ended:
            return  # taken back while Slack was asked about its requester
        run = newest
        self.reactions.set(run, Reaction.TAKEN if place is None else Reaction.WAITING)
        message = self.board.show(run, place)
        if message.ref is None:
            try:
                ref = await message.posted()
            except ChannelClosed:
                # A public channel that the bot may not post to before it has joined it.
                if not await self._join(run):
                    raise
                self.board.forget(run)
                ref = await self.board.show(run, place).posted()
        else:
            ref = message.ref
        async with self.storing:  # it is shown, and may start: from now on it waits for nobody
            posted = await self.store.runs.posted(run.id, ref.ts, run.thread_ts or ref.ts)
        if posted is None:
            self.board.forget(run)  # another process has taken it over
        if run.channel not in self.joined:
            # Without membership Slack doesn't deliver the replies in the thread.
            self.supervisor.start(f"join {run.channel}", self._join(run))

    async def _join(self, run: Run) -> bool:
        return await self._join_channel(Place(run.workspace, run.channel))

    async def _join_channel(self, place: Place) -> bool:
        joined = await self.messenger.join(place)
        if joined:
            self.joined.add(place.channel)
        return joined

    async def public(self, workspace: str, channels: Iterable[str]) -> set[str]:
        """Which of these channels, in which there are runs, everybody may see.

        Ids don't tell: a channel is public where the bot could join it. What isn't known since the start is tried here.
        """
        named = {channel for channel in channels if channel.startswith("C")}
        trying = [
            self.supervisor.start(f"join {channel}", self._join_channel(Place(workspace, channel)))
            for channel in named - self.joined
        ]
        if trying:
            await asyncio.wait(trying, timeout=LEARNING)
        return named & self.joined

    async def _refuse(self, run: Run, audience: Audience, text: str) -> None:
        if await self._drop(run, text):
            await self.tell(audience, Notice(text))

    async def _drop(self, run: Run, text: str) -> bool:
        """Take it back unseen; false where another process has taken it over, or it has ended."""
        self.board.forget(run)
        now = self.clock.wall()
        ended = await self.store.runs.end(run.id, RunState.STOPPED, now, note=text, own=True, settled=True)
        self.home.changed(run.workspace, run.requester)
        return ended

    async def tell(self, audience: Audience, notice: Notice) -> None:
        """Answer one person, when Slack is there again; where even that fails, the log has it."""
        for pause in ANSWER_PAUSES:
            if await self._told(audience, notice):
                return
            await asyncio.sleep(pause)
        log.warning("answer.not_delivered", user=audience.user, error="Slack was away for too long")

    async def _told(self, audience: Audience, notice: Notice) -> bool:
        """Try to answer; false where that may go well another time."""
        try:
            async with self.one_of(self.telling):
                # What they typed is given back to them, and may hold a token.
                rows = tuple(replace(row, text=self.secrets.redact(row.text)) for row in notice.rows)
                safe = replace(notice, text=self.secrets.redact(notice.text), rows=rows)
                await self.messenger.tell(audience, safe)
        except (SlackLimited, SlackUnavailable) as error:
            log.info("answer.delayed", user=audience.user, error=str(error))
            return False
        except BotError as error:
            log.warning("answer.not_delivered", user=audience.user, error=str(error))
        return True

    def _asked(self, run: Run) -> str:
        """What the user typed, as far as it is given back with a refusal."""
        if not run.invocation.tasks:
            return self.secrets.redact(run.invocation.prompt)
        lines = [f"{task.name}: {task.prompt}" for task in run.invocation.tasks]
        return self.secrets.redact("\n".join(["parallel", *lines]))
