"""Between a stored request and the queue: whether this person may do this here, and whether it can be shown.

This comes after the acknowledgement, since it asks Slack. Until a run was admitted it is ``queued`` but not
``ready``, so that after a crash it is simply admitted again.
"""

import asyncio
from dataclasses import dataclass, field, replace

import structlog

from bot import words
from bot.clock import Clock
from bot.core.access import Limits, Policy
from bot.core.redact import Secrets
from bot.core.run import RunState
from bot.errors import BotError, ChannelClosed, SlackError, SlackLimited, SlackUnavailable, StoreUnavailable
from bot.model import Audience, Place
from bot.runs.board import Board
from bot.runs.ports import Home, Messenger, Notice, Reaction
from bot.runs.queue import Queue
from bot.runs.reactions import Reactions
from bot.runs.supervisor import Supervisor
from bot.store.records import Run
from bot.store.store import Store

log = structlog.get_logger("bot.admission")


DAY = 86_400.0  # seconds
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # seconds, while the database is away


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
    policy: Policy
    secrets: Secrets
    limits: Limits
    clock: Clock
    joined: set[str] = field(default_factory=set)

    async def refusal(self, audience: Audience, repo: str | None) -> str | None:
        """The sentence that tells this person why they may not, or ``None`` where they may."""
        try:
            person = await self.messenger.person(audience.workspace, audience.user)
        except (SlackLimited, SlackUnavailable):
            return words.unknown_person()
        except SlackError as error:
            log.warning("access.unknown_person", error=str(error))
            return words.unknown_person()
        if audience.is_stranger:
            person = replace(person, is_stranger=True)
        denied = self.policy.denies(person, audience.channel, repo)
        if denied is not None:
            log.info("access.denied", reason=denied.value, user=audience.user)
            return words.denied(denied, repo)
        return None

    async def admit(self, run: Run, audience: Audience) -> None:
        """Check, show, and hand to the queue; a run that may not be or can't be shown is dropped.

        It is stored already, so that a database that goes away now only delays it. Each step may be repeated.
        """
        structlog.contextvars.bind_contextvars(run=run.id, workspace=run.workspace)
        for pause in PAUSES:
            try:
                await self._admit(run, audience)
            except StoreUnavailable:
                log.warning("admission.store_unavailable", pause=pause)
                await asyncio.sleep(pause)
            else:
                return
        await self._admit(run, audience)

    async def _admit(self, run: Run, audience: Audience) -> None:
        refusal = await self.refusal(audience, run.invocation.options.repo)
        if refusal is not None:
            await self._refuse(run, audience, words.with_request(refusal, self._asked(run)))
            return
        exceeded = self.limits.exceeded(await self.store.runs.usage(run, self.clock.wall() - DAY))
        if exceeded is not None:
            log.info("access.limited", limit=exceeded[0].value, user=run.requester)
            await self._refuse(run, audience, words.with_request(words.limited(*exceeded), self._asked(run)))
            return
        try:
            await self._show(run)
        except ChannelClosed as error:
            log.info("admission.channel_closed", code=error.code)
            await self._refuse(run, audience, words.not_in_channel(self._asked(run)))
            return
        except SlackError as error:
            log.error("admission.not_shown", error=str(error))
            await self._refuse(run, audience, words.cannot_post(self._asked(run)))
            return
        self.home.changed(run.workspace, run.requester)
        self.queue.wake()

    async def _show(self, run: Run) -> None:
        place = await self.queue.place(run)
        newest = await self.store.runs.get(run.id)
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
        await self.store.runs.posted(run.id, ref.ts, run.thread_ts or ref.ts)
        if run.channel not in self.joined:
            # Without membership Slack doesn't deliver the replies in the thread.
            self.supervisor.start(f"join {run.channel}", self._join(run))

    async def _join(self, run: Run) -> bool:
        joined = await self.messenger.join(Place(run.workspace, run.channel))
        if joined:
            self.joined.add(run.channel)
        return joined

    async def _refuse(self, run: Run, audience: Audience, text: str) -> None:
        self.board.forget(run)
        await self.store.runs.end(run.id, RunState.STOPPED, self.clock.wall(), note=text)
        self.home.changed(run.workspace, run.requester)
        await self.tell(audience, Notice(text))

    async def tell(self, audience: Audience, notice: Notice) -> None:
        """Answer one person; where even that fails, the log has it."""
        try:
            # What they typed is given back to them, and may hold a token.
            rows = tuple(replace(row, text=self.secrets.redact(row.text)) for row in notice.rows)
            safe = replace(notice, text=self.secrets.redact(notice.text), rows=rows)
            await self.messenger.tell(audience, safe)
        except BotError as error:
            log.warning("answer.not_delivered", user=audience.user, error=str(error))

    def _asked(self, run: Run) -> str:
        """What the user typed, as far as it is given back with a refusal."""
        if not run.invocation.tasks:
            return self.secrets.redact(run.invocation.prompt)
        lines = [f"{task.name}: {task.prompt}" for task in run.invocation.tasks]
        return self.secrets.redact("\n".join(["parallel", *lines]))
