"""What somebody asked of the bot, and how they hear of it: whatever happens behind a request, its author is told."""

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from bot.clock import Clock
from bot.core.command import UsageError, parse, parse_reply
from bot.core.slacktext import plain
from bot.core.text import escape
from bot.errors import QueueFull, StoreUnavailable
from bot.meter import Meter
from bot.model import Attachment, Audience
from bot.runs.admission import Admission
from bot.runs.ports import Notice
from bot.runs.queue import Queue
from bot.runs.supervisor import Supervisor
from bot.store.store import Store
from bot.words import refusals, replies

log = structlog.get_logger("bot.intake")

Work = Callable[[], Coroutine[Any, Any, object]]

EVENT_WAIT = 2.0  # seconds that an event's acknowledgement may wait for the database; Slack gives up after 3


@dataclass(frozen=True, slots=True)
class Request:
    """Something that a person wrote to the bot, or a button that they pressed.

    ``claim`` is unique to it, however often Slack delivers it, and ``last`` says that Slack won't do so again. ``ts``
    is its message, where it is one; ``addressed`` whether it names the bot or is written to it directly; ``run`` the
    run that a button is about.
    """

    audience: Audience
    claim: str
    text: str
    ts: str | None = None
    addressed: bool = True
    attachments: tuple[Attachment, ...] = ()
    last: bool = False
    run: str = ""


@dataclass(slots=True)
class Answers:
    """Does the work behind requests after their acknowledgement, and answers those who asked, them alone."""

    store: Store
    queue: Queue
    admission: Admission
    supervisor: Supervisor
    clock: Clock
    meter: Meter

    def start(self, name: str, request: Request, work: Coroutine[Any, Any, object]) -> None:
        """Do ``work`` in the background; where it fails, its author is told, and the log has it once."""
        self.supervisor.start(name, self.guarded(request, work))

    def go_on(self, name: str, request: Request, work: Coroutine[Any, Any, object]) -> None:
        """The same for a request that is stored already: where this process ends, another one goes on with it."""
        self.supervisor.start(name, self._told(request, work))

    async def guarded(self, request: Request, work: Coroutine[Any, Any, object]) -> None:
        """What ``start`` does, to be awaited."""
        if self.queue.draining:
            work.close()
            self.say(request, refusals.draining(self.typed(request)))
        else:
            await self._told(request, work)

    async def _told(self, request: Request, work: Coroutine[Any, Any, object]) -> None:
        if request.run:
            structlog.contextvars.bind_contextvars(run=request.run, workspace=request.audience.workspace)
        try:
            await work
        except (StoreUnavailable, TimeoutError) as error:
            self.unavailable(request, error)
        except Exception as error:  # noqa: BLE001  whatever it is, its author is told
            self.failed(request, error)

    def unavailable(self, request: Request, error: Exception) -> None:
        """The database is away, or the bot is about to be; nothing was started."""
        log.warning("intake.store_unavailable", error=str(error))
        told = self.typed(request)
        if self.queue.draining:
            self.say(request, refusals.draining(told))
        else:
            self.say(request, refusals.store_unavailable(told) if told.strip() else replies.press_failed())

    def failed(self, request: Request, error: Exception) -> None:
        """Something went wrong: the request's author hears that it did, and where nobody foresaw it, the log has it."""
        if isinstance(error, QueueFull):
            log.info("intake.queue_full", workspace=request.audience.workspace)
            self.say(request, refusals.queue_full(self.typed(request)))
            return
        log.error("intake.failed", exc_info=error)
        self.say(request, refusals.unexpected(self.typed(request)))

    async def if_allowed(self, request: Request, work: Work) -> None:
        """Do ``work`` for people who may work here; others are told so."""
        refused = await self.admission.refused(request.audience, None)
        if refused is None:
            await work()
        else:
            await self.admission.refuse(request.audience, refused, addressed=request.addressed)

    def say(self, request: Request, text: str, *, open_form: bool = False) -> None:
        """Answer this one person, after the acknowledgement."""
        notice = Notice(text, open_form, request.text if open_form else "")
        self.supervisor.start("answer", self.admission.tell(request.audience, notice))

    async def say_once(self, request: Request, text: str, *, open_form: bool = False) -> None:
        """The same, for what Slack may deliver again. A command it doesn't, so that its mistakes need no database."""
        if request.ts is None or await self.claim(request):
            self.say(request, text, open_form=open_form)

    async def claim(self, request: Request) -> bool:
        """Whether the request is to be handled now; false: it was, when Slack delivered it before."""
        claimed = await self.store.claims.claim(request.claim, self.clock.wall())
        if not claimed:
            self.duplicate()
        return claimed

    def duplicate(self) -> None:
        """Slack delivered again what was handled already."""
        log.info("intake.duplicate")
        self.meter.duplicates += 1

    def complaint(self, request: Request, names: Collection[str] | None = None) -> str:
        """What is wrong with a request, with the thread's task ``names`` where it is a reply.

        Words are shortened where they are quoted: so without secrets from the start.
        """
        safe = escape(self.typed(request))
        parsed = parse(safe) if names is None else parse_reply(safe, names)
        return parsed.message if isinstance(parsed, UsageError) else refusals.unreadable()

    def typed(self, request: Request) -> str:
        """What someone wrote, as it may be given back to them."""
        return self.admission.secrets.redact(plain(request.text))
