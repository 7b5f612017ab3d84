"""People change their minds: a request's message is edited or deleted.

One that still waits follows its message. One that runs goes on as it was asked, and its author is offered to stop it
for the changed request; that is a turn of its own, so that the conversation's past has what was really sent. Where the
run is over, nothing is offered: whoever wants more writes a reply.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import structlog

from bot.core.command import (
    Aside,
    EmptyRequest,
    ReplyCommand,
    StopReply,
    TaskReply,
    UsageError,
    parse,
    parse_reply,
)
from bot.core.run import RunState
from bot.errors import SlackError, StoreUnavailable
from bot.model import Audience, Invocation, Place
from bot.runs.admission import Admission
from bot.runs.answers import EVENT_WAIT, Answers, Request
from bot.runs.board import combined
from bot.runs.lookout import Lookout
from bot.runs.ports import Messenger, Notice
from bot.runs.queue import Queue
from bot.store.records import NewRun, Run
from bot.store.store import Store
from bot.words import notes, refusals, replies

log = structlog.get_logger("bot.edits")


@dataclass(frozen=True, slots=True)
class _Changed:
    """What a message asks for now; ``focus`` is the task that a ``name: text`` reply continues."""

    invocation: Invocation
    focus: str | None = None

    def differs(self, run: Run) -> bool:
        """Whether this is anything else than what the run was asked."""
        return (self.invocation, self.focus) != (run.invocation, run.focus)


@dataclass(slots=True)
class Edits:
    """Edited and deleted requests. ``unaddressed`` takes the mention of the bot off a message's text."""

    store: Store
    queue: Queue
    admission: Admission
    answers: Answers
    messenger: Messenger
    lookout: Lookout
    unaddressed: Callable[[str], str]

    async def edited(self, request: Request) -> None:
        """A message was edited. Raises StoreUnavailable or TimeoutError so that Slack delivers the event again."""
        async with asyncio.timeout(EVENT_WAIT):
            run = await self._asked_for(request)
            if run is None or run.state.ended:
                return
            if self.queue.draining:
                raise StoreUnavailable("draining")
            asked = await self._read(request.text, run)
            if run.state is RunState.QUEUED:
                await self._while_it_waits(request, run, asked)
            elif await self.answers.claim(request):
                self.answers.start(
                    f"offer {run.id}", replace(request, run=run.id), self._offer(request, run, asked)
                )

    async def deleted(self, request: Request) -> None:
        """A message was deleted: a request that still waits is taken back."""
        async with asyncio.timeout(EVENT_WAIT):
            run = await self._asked_for(request)
            if run is not None and run.state is RunState.QUEUED:
                await self.queue.drop(run, notes.taken_back())

    async def _asked_for(self, request: Request) -> Run | None:
        audience = request.audience
        return await self.store.runs.at_request(audience.workspace, audience.channel, request.ts or "")

    async def _read(self, text: str, run: Run) -> _Changed | ReplyCommand:
        """What a request's message says now; what it leaves unsaid stays as it was."""
        names = await self._names(run)
        asked = parse(text) if names is None else parse_reply(text, names)
        focus: str | None = None
        match asked:
            case Invocation() as invocation:
                pass
            case TaskReply(name=focus, invocation=invocation):
                pass
            case _:
                return asked
        options = invocation.options.over(run.invocation.options)
        return _Changed(replace(invocation, options=options, attachments=run.invocation.attachments), focus)

    async def _names(self, run: Run) -> tuple[str, ...] | None:
        """The names of the thread's tasks; ``None`` where the request isn't a reply, for which `mute` is a prompt."""
        if not run.in_thread or run.turn == 1:
            return None
        return await self.store.conversations.task_names(run.conversation)

    async def _complaint(self, request: Request, run: Run) -> str:
        return self.answers.complaint(request, await self._names(run))

    # --- while it waits

    async def _while_it_waits(self, request: Request, run: Run, asked: _Changed | ReplyCommand) -> None:
        match asked:
            case _Changed() if asked.invocation.options.repo != run.invocation.options.repo:
                # Whether it is open is a question to Slack too, which the acknowledgement doesn't wait for.
                self.answers.start(f"edit {run.id}", request, self._move(request, run, asked))
            case _Changed():
                await self._rewrite(run, asked)
            case UsageError():
                self.answers.say(request, refusals.not_changed(await self._complaint(request, run)))
            case Aside() | StopReply() | EmptyRequest():
                await self.queue.drop(run, notes.taken_back())
            case _:
                pass  # a command is only obeyed when it is sent

    async def _move(self, request: Request, run: Run, changed: _Changed) -> None:
        refusal = await self.admission.refusal(request.audience, changed.invocation.options.repo)
        if refusal is not None:
            self.answers.say(request, refusals.not_changed(refusal))
            return
        await self._rewrite(run, changed)

    async def _rewrite(self, run: Run, changed: _Changed) -> bool:
        if not await self.store.runs.rewrite(run.id, changed.invocation, changed.focus):
            return False
        await self.queue.rewritten(run.id)
        self.queue.wake()
        return True

    # --- while it runs

    async def _offer(self, request: Request, run: Run, asked: _Changed | ReplyCommand) -> None:
        notice = Notice(refusals.edit_goes_on())
        match asked:
            case _Changed():
                if not asked.differs(run):
                    return
                refusal = await self.admission.refusal(request.audience, asked.invocation.options.repo)
                notice = Notice(refusals.rerun_offer(run.id), rerun=run.id)
                if refusal is not None:
                    notice = Notice(refusals.edit_mistake(refusal))
            case UsageError():
                notice = Notice(refusals.edit_mistake(await self._complaint(request, run)))
        await self.admission.tell(request.audience, notice)

    async def rerun(self, run_id: str, audience: Audience) -> None:
        """Start a request anew as its message reads now, and stop what it has started before; once for each change.

        The message is read when the button is pressed: it may have been edited again since the offer.
        """
        offered = await self.store.runs.find(audience.workspace, run_id)
        if offered is None or offered.request_ts is None:
            await self._tell(audience, replies.run_not_found(run_id))
            return
        where = replace(audience, channel=offered.channel)
        newest = (
            await self.store.runs.at_request(offered.workspace, offered.channel, offered.request_ts)
            or offered
        )
        try:
            text = await self.messenger.text(_message_of(offered), offered.request_ts)
        except SlackError as error:
            log.warning("edits.message_not_read", run=run_id, error=str(error))
            await self._tell(audience, refusals.message_unread())
            return
        if text is None:
            await self._tell(audience, refusals.message_gone())
            return
        request = Request(where, "", self.unaddressed(text), ts=offered.request_ts)
        asked = await self._read(request.text, newest)
        match asked:
            case _Changed():
                await self._start_anew(request, newest, asked)
            case UsageError():
                await self._tell(audience, refusals.edit_mistake(await self._complaint(request, newest)))
            case _:
                await self._tell(audience, refusals.edit_goes_on())

    async def _start_anew(self, request: Request, newest: Run, changed: _Changed) -> None:
        audience = request.audience
        obstacle = await self.admission.refusal(audience, changed.invocation.options.repo)
        obstacle = obstacle or await self.admission.no_more_today(replace(newest, requester=audience.user))
        if obstacle is not None:
            await self._tell(audience, obstacle)
            return
        waits = newest.state is RunState.QUEUED
        if not changed.differs(newest) or (waits and await self._rewrite(newest, changed)):
            await self._settle(audience, refusals.already_asked(newest.id))
            return
        # The claim is that of a retry: of one attempt there is one next, however it is asked for.
        claim = f"retry:{newest.id}"
        take = partial(self.store.runs.take, _again(newest, changed, audience), claim)
        taken = await self.lookout.take(audience, claim, take, pressed=True)
        if taken is None:
            await self._settle(audience, refusals.already_asked(newest.id))
            return
        log.info("edits.rerun", run=taken.id, instead_of=newest.id)
        await self._settle(audience, refusals.rerunning(newest.id, taken.id))
        if not newest.state.ended:
            await self.store.runs.put_first(taken.id, "")
            await self.queue.give_way(newest, notes.stopped_for_change(audience.user))
        await self.admission.admit(taken, audience)

    async def _tell(self, audience: Audience, text: str) -> None:
        """Say why nothing was started; the offer stays, to be pressed again."""
        await self.admission.tell(audience, Notice(text))

    async def _settle(self, audience: Audience, text: str) -> None:
        """Say what became of the offer, in its place."""
        await self.admission.tell(audience, Notice(text, replaces=True))


def _message_of(run: Run) -> Place:
    """Where the request's own message stands: a request that opened a thread of the bot's isn't in it."""
    return Place(run.workspace, run.channel, run.thread_ts if run.in_thread else None)


def _again(run: Run, changed: _Changed, audience: Audience) -> NewRun:
    """The next attempt, as a turn of its own.

    It is shown in the same message, unless that has output in it as well.
    """
    again = NewRun(
        workspace=run.workspace,
        channel=run.channel,
        requester=audience.user,
        invocation=changed.invocation,
        conversation=run.conversation,
        thread_ts=run.thread_ts,
        in_thread=run.in_thread,
        request_ts=run.request_ts,
        attempt=run.attempt + 1,
        focus=changed.focus,
    )
    single = run.in_thread and not changed.invocation.tasks
    return again if combined(run) or single else replace(again, status_ts=run.status_ts)
