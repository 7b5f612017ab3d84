"""Requests come in: parse → claim and store → (acknowledge) → admit.

Callers acknowledge when a method returns. What comes after that is started here and held by the supervisor.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from bot.clock import Clock
from bot.core.command import (
    EmptyRequest,
    Mute,
    StopReply,
    TaskReply,
    Unmute,
    UsageError,
    WholeTextCommand,
    parse,
    parse_reply,
)
from bot.errors import StoreUnavailable
from bot.model import Audience, Invocation, Options
from bot.runs.admission import Admission
from bot.runs.answers import EVENT_WAIT, Answers, Request, Work
from bot.runs.commands import Commands
from bot.runs.lookout import AGAIN, Lookout
from bot.runs.ports import Notice
from bot.runs.queue import Queue
from bot.runs.supervisor import Supervisor
from bot.store.records import Conversation, NewRun, Run, UserSettings
from bot.store.store import Store
from bot.words import notes, refusals, replies

log = structlog.get_logger("bot.intake")

ACK_WAIT = 0.5  # seconds that a command's acknowledgement may wait for the database: until then nobody feels it, and nothing is lost


class _NoRepository(Exception):
    """Nothing says which repository a request is about."""


def _opening(request: Request, invocation: Invocation) -> NewRun:
    """The run of a request that opens a conversation; raises _NoRepository."""
    if invocation.options.repo is None:
        raise _NoRepository
    audience = request.audience
    return NewRun(
        workspace=audience.workspace,
        channel=audience.channel,
        requester=audience.user,
        invocation=replace(invocation, attachments=request.attachments),
        thread_ts=audience.thread_ts,
        in_thread=audience.thread_ts is not None,
        request_ts=request.ts,
    )


@dataclass(slots=True)
class Intake:
    """The one door for requests, whatever their form."""

    store: Store
    queue: Queue
    admission: Admission
    commands: Commands
    answers: Answers
    lookout: Lookout
    supervisor: Supervisor
    clock: Clock
    defaults: Options

    async def command(self, request: Request) -> Notice | None:
        """A slash command. Slack doesn't redeliver it, and waits at most 3 s for the acknowledgement.

        It is stored before this returns. Where the database takes longer than a person would notice, the acknowledgement
        doesn't wait for it, but says so: from then on the request could be lost with this process. Returns what has
        to go with the acknowledgement, which is the last word of a process that is sure to arrive.
        """
        if self.queue.draining:
            return Notice(refusals.draining(self.answers.typed(request)))
        work = self.supervisor.start("command", self.answers.guarded(request, self._begin_or_answer(request)))
        await asyncio.wait({work}, timeout=ACK_WAIT)
        return None if work.done() else Notice(refusals.not_stored_yet(self.answers.typed(request)))

    async def form(self, request: Request, invocation: Invocation) -> None:
        """A submitted form: a command whose text has been read already.

        The form showed the defaults: what was taken out of it is not wanted.
        """
        work = self.supervisor.start(
            "form", self.answers.guarded(request, self._begin(request, invocation, complete=True))
        )
        await asyncio.wait({work}, timeout=ACK_WAIT)
        if not work.done():
            self.answers.say(request, refusals.not_stored_yet(self.answers.typed(request)))

    async def message(self, request: Request) -> None:
        """A message. Returns once it is stored; raises StoreUnavailable or TimeoutError so that Slack delivers it again.

        What isn't written to the bot and isn't in one of its threads is none of its business.
        """
        conversation = None
        try:
            async with asyncio.timeout(EVENT_WAIT):
                conversation = await self._conversation(request.audience)
                await self._take_up(request, conversation)
        except (StoreUnavailable, TimeoutError) as error:
            if request.last and (request.addressed or conversation is not None):
                self.supervisor.start("last word", self._last_word(request, error))
                return
            raise
        except Exception as error:
            if not request.addressed and conversation is None:
                raise
            self.answers.failed(request, error)

    async def _last_word(self, request: Request, error: Exception) -> None:
        """Slack delivers it no more: its author hears that it was not started, when that is certain.

        An earlier delivery may have been stored although nobody was told so, and is then carried out.
        """
        told = False
        while True:
            try:
                lost = await self.store.claims.claim(request.claim, self.clock.wall())
            except StoreUnavailable:
                if not told:
                    self.answers.say(request, refusals.not_stored_yet(self.answers.typed(request)))
                told = True
                await asyncio.sleep(AGAIN)
            else:
                break
        if lost:
            self.answers.unavailable(request, error)

    async def _conversation(self, audience: Audience) -> Conversation | None:
        if audience.thread_ts is None:
            return None
        return await self.store.conversations.at(audience.workspace, audience.channel, audience.thread_ts)

    async def _take_up(self, request: Request, conversation: Conversation | None) -> None:
        if conversation is None and not request.addressed:
            conversation = await self._opened(request.audience)
            if conversation is None:
                return
        if self.queue.draining:
            raise StoreUnavailable("draining")
        if conversation is None:
            await self._begin_or_answer(request)
        else:
            await self._reply(request, conversation)

    async def _opened(self, audience: Audience) -> Conversation | None:
        """The conversation of a thread that is being opened: Slack may know of its first message before this bot does."""
        if audience.thread_ts is None:
            return None
        opening = self.store.conversations.opening
        while await opening(audience.workspace, audience.channel):  # noqa: ASYNC110  it may be another process's
            await asyncio.sleep(AGAIN)
        return await self._conversation(audience)

    async def session_stopped(self, request: Request) -> None:
        """Slack's own Stop of an agent's session: as ``stop`` in its thread."""
        async with asyncio.timeout(EVENT_WAIT):
            conversation = await self._conversation(request.audience)
            if conversation is not None:
                await self._if_allowed(request, partial(self._stop_thread, request, conversation))

    def button(self, request: Request, action: Coroutine[Any, Any, object]) -> None:
        """A button was pressed; whatever it does comes after the acknowledgement."""
        self.answers.start("button", request, action)

    async def _begin_or_answer(self, request: Request) -> None:
        """A request that starts a conversation, or a whole-text command."""
        match parse(request.text):
            case Invocation() as invocation:
                await self._begin(request, invocation)
            case WholeTextCommand() as command:
                await self._command(request, command)
            case UsageError():
                await self.answers.say_once(request, self.answers.complaint(request))
            case EmptyRequest():
                await self.answers.say_once(request, refusals.empty_request(), open_form=True)

    async def _command(self, request: Request, command: WholeTextCommand) -> None:
        await self._once(request, partial(self.commands.carry_out, command, request.audience))

    async def defaults_at(self, audience: Audience) -> Options:
        """What a request there says by saying nothing: the channel's options, then the user's, then the operator's."""
        settings, repo = await self.store.users.settings_in(
            audience.workspace, audience.user, audience.channel
        )
        return self._resolved(Options(), settings, repo)

    def _resolved(self, said: Options, settings: UserSettings, repo: str | None) -> Options:
        own = settings.options
        nearer = said.over(Options(repo=repo))
        if own.repo is not None and nearer.repo not in {None, own.repo}:
            own = replace(own, branch=None)  # a branch of one repository means nothing in another
        return nearer.over(own).over(self.defaults)

    async def _begin(self, request: Request, invocation: Invocation, *, complete: bool = False) -> None:
        """Open a conversation. What the request leaves open is as it was set before, unless it is ``complete``."""
        audience = request.audience

        def made(settings: UserSettings, repo: str | None) -> NewRun:
            options = invocation.options
            if not complete:
                options = self._resolved(options, settings, repo)
            return _opening(request, replace(invocation, options=options))

        where = (audience.workspace, audience.user, audience.channel)
        try:
            await self._take(request, partial(self.store.runs.take_as_set, where, made, request.claim))
        except _NoRepository:
            await self.answers.say_once(request, refusals.no_repository(), open_form=True)

    async def _reply(self, request: Request, conversation: Conversation) -> None:
        """A message in one of the bot's threads."""
        names = await self.store.conversations.task_names(conversation.id)
        parsed = parse_reply(request.text, names)
        if conversation.muted and not request.addressed and not isinstance(parsed, Unmute):
            return
        match parsed:
            case Invocation() as invocation:
                await self._continue(request, conversation, invocation)
            case TaskReply(name=name, invocation=invocation):
                await self._continue(request, conversation, invocation, focus=name)
            case StopReply():
                await self._if_allowed(request, partial(self._stop_thread, request, conversation))
            case Mute() | Unmute():
                muted = isinstance(parsed, Mute)
                await self._if_allowed(request, partial(self._mute, request, conversation, muted=muted))
            case WholeTextCommand() as command:
                await self._answered(request, partial(self.commands.carry_out, command, request.audience))
            case UsageError():
                complaint = Notice(self.answers.complaint(request, names))
                await self._answered(request, partial(self.admission.tell, request.audience, complaint))
            case EmptyRequest() if request.addressed:
                await self.answers.say_once(request, refusals.empty_request(), open_form=True)

    async def _answered(self, request: Request, work: Work) -> None:
        """An answer in a thread. People among themselves get it only where they may work with the bot at all."""
        await (self._once if request.addressed else self._if_allowed)(request, work)

    async def _if_allowed(self, request: Request, work: Work) -> None:
        await self._once(request, partial(self.answers.if_allowed, request, work))

    async def _continue(
        self, request: Request, conversation: Conversation, invocation: Invocation, focus: str | None = None
    ) -> None:
        audience = request.audience
        options = invocation.options.over(conversation.options)
        new = NewRun(
            workspace=audience.workspace,
            channel=audience.channel,
            requester=audience.user,
            invocation=replace(invocation, options=options, attachments=request.attachments),
            conversation=conversation.id,
            thread_ts=audience.thread_ts,
            in_thread=True,
            request_ts=request.ts,
            focus=focus,
        )
        await self._take(request, partial(self.store.runs.take, new, request.claim))

    async def _take(self, request: Request, take: Callable[[float], Awaitable[Run | None]]) -> None:
        # A message that was not stored is delivered again and finds itself claimed; a command's author gets it back.
        admit = partial(self._admit, request) if request.ts is not None else None
        run = await self.lookout.take(request.audience, request.claim, take, admit=admit)
        if run is None:
            self.answers.duplicate()
        else:
            self._admit(request, run)

    def _admit(self, request: Request, run: Run) -> None:
        log.info("intake.taken", run=run.id, workspace=run.workspace, channel=run.channel, user=run.requester)
        work = self.admission.admit(run, request.audience, addressed=request.addressed)
        self.answers.go_on(f"admit {run.id}", request, work)

    async def _once(self, request: Request, work: Work) -> None:
        """Do what a command or a control word asks, unless that was done for an earlier delivery."""
        if await self.answers.claim(request):
            self.answers.start("control", request, work())

    async def _stop_thread(self, request: Request, conversation: Conversation) -> None:
        """Stop what is going on in a thread, and drop what waits there."""
        by = request.audience.user
        waiting = await self.store.runs.waiting_in(conversation.id)
        running = await self.store.runs.running_in(conversation.id)
        for run in waiting:
            await self.queue.drop(run, notes.dropped(by))
        if running is not None:
            await self.queue.stop(running, by)
        elif not waiting:
            self.answers.say(request, replies.nothing_running())

    async def _mute(self, request: Request, conversation: Conversation, *, muted: bool) -> None:
        await self.store.conversations.set_muted(conversation.id, muted)
        self.answers.say(request, replies.muted() if muted else replies.unmuted())
