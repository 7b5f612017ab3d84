"""What is posted below the final states: complete logs, the agent's answer, and the mention that notifies.

How many of these messages Slack has is stored after each of them, so that another process goes on where this one died.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

import structlog

from bot.core.markdown import harmless, split
from bot.core.redact import Secrets
from bot.core.run import RunState
from bot.core.terminal import Tail
from bot.core.text import file_name
from bot.errors import SlackError, SlackLimited, SlackUnavailable, StoreUnavailable
from bot.model import Place
from bot.runs.board import thread_of
from bot.runs.editor import Editor
from bot.runs.frames import AnswerFrame, Frame, NoteFrame
from bot.runs.live import LiveRun
from bot.runs.ports import Messenger
from bot.store.records import Outcome, Run
from bot.store.store import Store
from bot.words import notes

log = structlog.get_logger("bot.run")

ANSWER_CHARS = 8_000  # of a message's 12,000 for Markdown: entities and the like count too
NOTIFY_AFTER = 60  # seconds; a run that is over sooner is still on the screen of whoever asked
UPLOAD_PAUSES = (2.0, 4.0, 8.0, 16.0, 30.0)  # seconds between tries, while Slack or the database is away

Send = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Log:
    """A task's complete output, to be attached; ``name`` is redacted.

    With ``file`` another process has uploaded it as that, and may have shown it.
    """

    task: int
    name: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How a run ended, and what is to be said of it. ``elapsed`` in whole seconds."""

    state: RunState
    elapsed: int
    outcome: Outcome
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class _Thread:
    """Where a run's messages go; with ``since`` another process may have posted some there, not before then."""

    run: Run
    since: float | None

    @property
    def place(self) -> Place:
        return thread_of(self.run)

    def key(self, part: str) -> str:
        """The name of a message, by which it is found where nobody knows whether it was posted."""
        return f"{self.run.id}:{part}"


def needs_log(shown: Tail) -> bool:
    """Whether a message could not hold all of a task's output."""
    return bool(shown.hidden or shown.cut)


def report_of(live: LiveRun) -> Report:
    """The report on a run that has ended in this process."""
    logs = (Log(task.record.id, task.name) for task in live.tasks.values() if needs_log(task.tail()))
    return Report(live.state, live.elapsed, outcome_of(live), tuple(logs))


def outcome_of(live: LiveRun) -> Outcome:
    """What is stored of it."""
    push = live.pushes[-1] if live.pushes else ""
    name = "" if live.run.invocation.tasks else next(iter(live.tasks.values())).name
    return Outcome(live.answers, push, live.links, name)


class Closing:
    """Posts the end of runs into their threads. A part that Slack refuses is logged and the next one tried."""

    def __init__(self, editor: Editor, messenger: Messenger, store: Store, secrets: Secrets) -> None:
        self._editor = editor
        self._messenger = messenger
        self._store = store
        self._output = store.output
        self._secrets = secrets
        self._posted: dict[str, int] = {}  # how many parts of a run, while the database does not take that

    async def post(self, run: Run, report: Report, done: int = 0, since: float | None = None) -> bool:
        """All that belongs below the run's final states but what is ``done``, in the order in which it is read.

        With ``since`` (Unix seconds) another process may have posted more of it than is known, not before then.
        Returns false, and posts nothing more, where the run is another process's now.
        """
        parts = self._parts(_Thread(run, since), report)
        mine = await self._is_mine(run)
        for number in range(max(done, self._posted.get(run.id, 0)), len(parts)):
            if not mine:
                break
            await parts[number]()
            mine = await self._count(run, number + 1)
        self._posted.pop(run.id, None)
        return mine

    def _parts(self, to: _Thread, report: Report) -> list[Send]:
        """The messages in their order, which is the same in every process."""
        parts: list[Send] = [partial(self._attach, to, log) for log in report.logs]
        texts = [f"**{name}**\n\n{answer}" if name else answer for name, answer in report.outcome.answers]
        answers = [part for text in texts for part in split(harmless(text), ANSWER_CHARS)]
        parts += [partial(self._send, to, f"answer:{n}", AnswerFrame(part)) for n, part in enumerate(answers)]
        if report.outcome.push:
            parts.append(partial(self._send, to, "push", NoteFrame(notes.pushed(report.outcome.push))))
        if report.elapsed > NOTIFY_AFTER and report.state is not RunState.STOPPED:
            parts.append(partial(self._mention, to, report))
        return parts

    async def _is_mine(self, run: Run) -> bool:
        try:
            return run.id in await self._store.ends.mine([run.id])
        except StoreUnavailable:
            return True  # while the database is away, nobody else can have taken it over

    async def _count(self, run: Run, parts: int) -> bool:
        self._posted[run.id] = parts
        try:
            return await self._store.ends.count(run.id, parts)
        except StoreUnavailable:
            return True

    async def _mention(self, to: _Thread, report: Report) -> None:
        """Call the run's requester."""
        run = to.run
        if await self._mention_wanted(run):
            repo = self._secrets.redact(run.invocation.options.repo or "")
            note = notes.finished(run.requester, repo, report.state, report.elapsed)
            await self._send(to, "mention", NoteFrame(note))

    async def _mention_wanted(self, run: Run) -> bool:
        """Whether its requester wants to be called, and isn't there already.

        Who has asked for more in this thread since the run was taken on, be it waiting or over, is.
        """
        try:
            settings = await self._store.users.settings(run.workspace, run.requester)
            return settings.notify and not await self._store.runs.asked_again(run)
        except StoreUnavailable:
            return True  # one mention too many is better than one too few

    async def _send(self, to: _Thread, part: str, frame: Frame) -> None:
        key = to.key(part)
        await self._guard(part, lambda: self._editor.deliver(to.place, frame, key=key, since=to.since))

    async def _attach(self, to: _Thread, output: Log) -> None:
        """The complete output as a file, where the message could not hold it."""
        part = f"log:{output.task}"
        attached = await self._guard(part, lambda: self._share(to, output))
        if not attached:
            await self._send(to, part, NoteFrame(notes.log_not_attached(output.name)))
        elif await self._is_incomplete(output):
            await self._send(to, part, NoteFrame(notes.output_dropped(output.name)))

    async def _is_incomplete(self, output: Log) -> bool:
        try:
            return await self._output.dropped(output.task) > 0
        except StoreUnavailable:
            return False  # the log says it as well

    async def _share(self, to: _Thread, output: Log) -> None:
        """Show it in the thread. Which file it is, is stored before: names and sizes of several may be equal."""
        file = output.file
        for pause in (*UPLOAD_PAUSES, None):
            try:
                if not file or not await self._messenger.is_shared(file):
                    file = await self._upload(output)
                    if file and await self._store.ends.uploaded(output.task, file):
                        await self._messenger.share(to.place, _file_name(output), file)
            except (SlackLimited, SlackUnavailable, StoreUnavailable) as error:
                if pause is None:
                    raise
                wanted = error.retry_after if isinstance(error, SlackLimited) else 0.0
                await asyncio.sleep(max(pause, wanted))
            else:
                return

    async def _upload(self, output: Log) -> str | None:
        """The file, which nobody sees yet; none of no output."""
        await self._output.flush()
        size = await self._output.size(output.task)
        if size == 0:
            return None
        return await self._messenger.upload(_file_name(output), size, self._output.read(output.task))

    async def _guard(self, part: str, send: Callable[[], Awaitable[object]]) -> bool:
        try:
            await send()
        except (SlackError, StoreUnavailable) as error:
            log.warning("run.part_not_posted", part=part, error=str(error))
            return False
        return True


def _file_name(output: Log) -> str:
    return file_name(output.name, ".log")
