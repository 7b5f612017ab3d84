"""Requests come in: parse → claim and store → (acknowledge) → admit.

Callers acknowledge when a method returns. What comes after that is started here and held by the supervisor.
"""

import asyncio
from collections.abc import Collection, Coroutine
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot import words
from bot.clock import Clock
from bot.core.command import (
    Aside,
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
from bot.core.run import RunState
from bot.core.slacktext import plain
from bot.core.text import escape
from bot.errors import StoreUnavailable
from bot.model import Attachment, Audience, Invocation, Options
from bot.runs.admission import Admission
from bot.runs.commands import Commands
from bot.runs.ports import Notice
from bot.runs.queue import Queue
from bot.runs.supervisor import Supervisor
from bot.store.records import Conversation, NewRun, Run
from bot.store.store import Store

log = structlog.get_logger("bot.intake")

ACK_WAIT = 0.05  # seconds that a command's acknowledgement may wait for the database
EVENT_WAIT = 2.0  # seconds for an event's, which Slack redelivers; it gives up after 3


@dataclass(frozen=True, slots=True)
class Request:
    """Something that a person wrote to the bot. ``claim`` is unique to it, however often Slack delivers it.

    ``ts`` is its message, where it is one; ``addressed`` whether it names the bot or is written to it directly.
    """

    audience: Audience
    claim: str
    text: str
    ts: str | None = None
    addressed: bool = True
    attachments: tuple[Attachment, ...] = ()


@dataclass(slots=True)
class Intake:
    """The one door for requests, whatever their form."""

    store: Store
    queue: Queue
    admission: Admission
    commands: Commands
    supervisor: Supervisor
    clock: Clock
    defaults: Options

    async def command(self, request: Request) -> None:
        """A slash command. Slack doesn't redeliver it, and waits at most 3 s for the acknowledgement.

        It is stored before this returns; where the database takes longer than a person would notice, the
        acknowledgement doesn't wait for it, and the person is told if it fails.
        """
        work = self.supervisor.start("command", self._guarded(request, self._begin_or_answer(request)))
        await asyncio.wait({work}, timeout=ACK_WAIT)

    async def form(self, request: Request, invocation: Invocation) -> None:
        """A submitted form: a command whose text has been read already.

        The form showed the defaults: what was taken out of it is not wanted.
        """
        work = self.supervisor.start("form", self._guarded(request, self._start(request, invocation)))
        await asyncio.wait({work}, timeout=ACK_WAIT)

    async def message(self, request: Request) -> None:
        """A message. Returns once it is stored; raises StoreUnavailable so that Slack delivers it again.

        What isn't written to the bot and isn't in one of its threads is none of its business.
        """
        audience = request.audience
        conversation = None
        async with asyncio.timeout(EVENT_WAIT):
            if audience.thread_ts is not None:
                conversation = await self.store.conversations.at(
                    audience.workspace, audience.channel, audience.thread_ts
                )
            if conversation is None and not request.addressed:
                return
            if self.queue.draining:
                raise StoreUnavailable("draining")
            if conversation is None:
                await self._begin_or_answer(request)
            else:
                await self._reply(request, conversation)

    async def session_stopped(self, request: Request) -> None:
        """Slack's own Stop of an agent's session: as ``stop`` in its thread."""
        audience = request.audience
        thread = audience.thread_ts or ""
        conversation = await self.store.conversations.at(audience.workspace, audience.channel, thread)
        if conversation is not None:
            await self._once(request, self._stop_thread(request, conversation))

    def button(self, request: Request, action: Coroutine[Any, Any, object]) -> None:
        """A button was pressed; whatever it does comes after the acknowledgement."""
        self.supervisor.start("button", self._guarded(request, action))

    async def edited(self, request: Request) -> None:
        """A request's message was edited: one that still waits is changed."""
        run = await self._waiting(request)
        if run is None:
            return
        names = await self.store.conversations.task_names(run.conversation)
        match parse_reply(request.text, names):
            case Invocation() as invocation:
                await self._rewrite(request, run, invocation, focus=None)
            case TaskReply(name=name, invocation=invocation):
                await self._rewrite(request, run, invocation, focus=name)
            case UsageError():
                self._answer(request, words.not_changed(self._complaint(request, names)))
            case WholeTextCommand() | Mute() | Unmute():
                pass  # a command is only obeyed when it is sent
            case Aside() | StopReply() | EmptyRequest():
                await self.queue.drop(run, words.taken_back())

    async def _rewrite(self, request: Request, run: Run, invocation: Invocation, focus: str | None) -> None:
        options = invocation.options.over(run.invocation.options)
        changed = replace(invocation, options=options, attachments=run.invocation.attachments)
        if options.repo != run.invocation.options.repo:
            refusal = await self.admission.refusal(request.audience, options.repo)
            if refusal is not None:
                self._answer(request, words.not_changed(refusal))
                return
        if await self.store.runs.rewrite(run.id, changed, focus):
            self.queue.wake()

    async def deleted(self, request: Request) -> None:
        """A request's message was deleted: one that still waits is taken back."""
        run = await self._waiting(request)
        if run is not None:
            await self.queue.drop(run, words.taken_back())

    async def _waiting(self, request: Request) -> Run | None:
        audience = request.audience
        run = await self.store.runs.at_request(audience.workspace, audience.channel, request.ts or "")
        return run if run is not None and run.state is RunState.QUEUED else None

    async def _begin_or_answer(self, request: Request) -> None:
        """A request that starts a conversation, or a whole-text command."""
        match parse(request.text):
            case Invocation() as invocation:
                await self._begin(request, invocation)
            case WholeTextCommand() as command:
                await self._command(request, command)
            case UsageError():
                await self._answer_once(request, self._complaint(request))
            case EmptyRequest():
                await self._answer_once(request, words.empty_request(), open_form=True)

    def _complaint(self, request: Request, names: Collection[str] | None = None) -> str:
        """What is wrong with a request. Words are shortened where they are quoted: so without secrets from the start."""
        safe = escape(self._typed(request))
        parsed = parse(safe) if names is None else parse_reply(safe, names)
        return parsed.message if isinstance(parsed, UsageError) else words.unreadable()

    def _typed(self, request: Request) -> str:
        """What someone wrote, as it may be given back to them."""
        return self.admission.secrets.redact(plain(request.text))

    async def _command(self, request: Request, command: WholeTextCommand) -> None:
        if await self.store.claims.claim(request.claim, self.clock.wall()):
            work = self.commands.carry_out(command, request.audience)
            self.supervisor.start(f"command {command.word.value}", self._guarded(request, work))

    async def defaults_at(self, audience: Audience) -> Options:
        """What a request there says by saying nothing: the channel's options, then the user's, then the operator's."""
        return await self._resolved(Options(), audience)

    async def _resolved(self, said: Options, audience: Audience) -> Options:
        repo = await self.store.channels.repo(audience.workspace, audience.channel)
        own = (await self.store.users.settings(audience.workspace, audience.user)).options
        nearer = said.over(Options(repo=repo))
        if own.repo is not None and nearer.repo not in {None, own.repo}:
            own = replace(own, branch=None)  # a branch of one repository means nothing in another
        return nearer.over(own).over(self.defaults)

    async def _begin(self, request: Request, invocation: Invocation) -> None:
        options = await self._resolved(invocation.options, request.audience)
        await self._start(request, replace(invocation, options=options))

    async def _start(self, request: Request, invocation: Invocation) -> None:
        audience = request.audience
        if invocation.options.repo is None:
            await self._answer_once(request, words.no_repository(), open_form=True)
            return
        await self._take(
            request,
            NewRun(
                workspace=audience.workspace,
                channel=audience.channel,
                requester=audience.user,
                invocation=replace(invocation, attachments=request.attachments),
                thread_ts=audience.thread_ts,
                in_thread=audience.thread_ts is not None,
                request_ts=request.ts,
            ),
        )

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
            case Aside():
                pass
            case StopReply():
                await self._once(request, self._stop_thread(request, conversation))
            case Mute() | Unmute():
                await self._once(request, self._mute(request, conversation, muted=isinstance(parsed, Mute)))
            case WholeTextCommand() as command:
                await self._command(request, command)
            case UsageError():
                await self._answer_once(request, self._complaint(request, names))
            case EmptyRequest():
                pass

    async def _continue(
        self, request: Request, conversation: Conversation, invocation: Invocation, focus: str | None = None
    ) -> None:
        audience = request.audience
        options = invocation.options.over(conversation.options)
        await self._take(
            request,
            NewRun(
                workspace=audience.workspace,
                channel=audience.channel,
                requester=audience.user,
                invocation=replace(invocation, options=options, attachments=request.attachments),
                conversation=conversation.id,
                thread_ts=audience.thread_ts,
                in_thread=True,
                request_ts=request.ts,
                focus=focus,
            ),
        )

    async def _take(self, request: Request, new: NewRun) -> None:
        run = await self.store.runs.take(new, request.claim, self.clock.wall())
        if run is None:
            log.info("intake.duplicate")
            return
        log.info("intake.taken", run=run.id, workspace=run.workspace, channel=run.channel, user=run.requester)
        work = self.admission.admit(run, request.audience)
        self.supervisor.start(f"admit {run.id}", self._guarded(request, work))

    async def _once(self, request: Request, work: Coroutine[Any, Any, None]) -> None:
        """Do what a control word asks, unless that was done for an earlier delivery."""
        if await self.store.claims.claim(request.claim, self.clock.wall()):
            self.supervisor.start("control", self._guarded(request, work))
        else:
            work.close()

    async def _stop_thread(self, request: Request, conversation: Conversation) -> None:
        """Stop what is going on in a thread, and drop what waits there."""
        audience = request.audience
        refusal = await self.admission.refusal(audience, None)
        if refusal is not None:
            self._answer(request, refusal)
            return
        waiting = await self.store.runs.waiting_in(conversation.id)
        running = await self.store.runs.running_in(conversation.id)
        for run in waiting:
            await self.queue.drop(run, words.dropped(audience.user))
        if running is not None:
            await self.queue.stop(running, audience.user)
        elif not waiting:
            self._answer(request, words.nothing_running())

    async def _mute(self, request: Request, conversation: Conversation, *, muted: bool) -> None:
        refusal = await self.admission.refusal(request.audience, None)
        if refusal is None:
            await self.store.conversations.set_muted(conversation.id, muted)
        self._answer(request, refusal or (words.muted() if muted else words.unmuted()))

    def _answer(self, request: Request, text: str, *, open_form: bool = False) -> None:
        """Answer this one person, after the acknowledgement."""
        notice = Notice(text, open_form, request.text if open_form else "")
        self.supervisor.start("answer", self.admission.tell(request.audience, notice))

    async def _answer_once(self, request: Request, text: str, *, open_form: bool = False) -> None:
        """The same, for what Slack may deliver again. A command it doesn't, so that its mistakes need no database."""
        if request.ts is None or await self.store.claims.claim(request.claim, self.clock.wall()):
            self._answer(request, text, open_form=open_form)

    async def _guarded(self, request: Request, work: Coroutine[Any, Any, object]) -> None:
        """Whatever happens behind a request, its author hears of it."""
        told = self._typed(request)
        if self.queue.draining:
            work.close()
            self._answer(request, words.draining(told))
            return
        try:
            await work
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("intake.store_unavailable", error=str(error))
            self._answer(request, words.store_unavailable(told))
        except Exception:
            log.exception("intake.failed")
            self._answer(request, words.unexpected(told))
