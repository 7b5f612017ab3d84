"""What is posted below the final states: complete logs, the agent's answer, and the mention that notifies."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from bot import words
from bot.core.markdown import harmless, split
from bot.core.run import RunState
from bot.core.text import file_name
from bot.errors import SlackError, SlackLimited, SlackUnavailable, StoreUnavailable
from bot.runs.board import thread_of
from bot.runs.editor import Editor
from bot.runs.frames import AnswerFrame, NoteFrame
from bot.runs.live import LiveRun, LiveTask
from bot.runs.ports import Messenger
from bot.store.records import Run
from bot.store.store import Store

log = structlog.get_logger("bot.run")

ANSWER_CHARS = 8_000  # of a message's 12,000 for Markdown: entities and the like count too
NOTIFY_AFTER = 60  # seconds; a run that is over sooner is still on the screen of whoever asked
UPLOAD_TRIES = 4


class Closing:
    """Posts the end of runs into their threads. A part that Slack refuses is logged and the next one tried."""

    def __init__(self, editor: Editor, messenger: Messenger, store: Store) -> None:
        self._editor = editor
        self._messenger = messenger
        self._store = store
        self._output = store.output

    async def post(self, run: Run, live: LiveRun) -> None:
        """Everything that belongs below the run's final states, in the order in which it is read."""
        for task in live.tasks.values():
            await self._attach(run, task)
        for name, answer in live.answers:
            await self._answer(run, f"**{name}**\n\n{answer}" if name else answer)
        if live.pushes:
            await self._note(run, words.pushed(live.pushes[-1]))
        long = live.elapsed > NOTIFY_AFTER and live.state is not RunState.STOPPED
        if long and await self._mention_wanted(run):
            await self._note(run, self._mention(run, live))

    async def _mention_wanted(self, run: Run) -> bool:
        """Whether its requester wants to be called, and isn't there already.

        Who has asked for more in this thread since the run was taken on, be it waiting or over, is.
        """
        try:
            settings = await self._store.users.settings(run.workspace, run.requester)
            return settings.notify and not await self._store.runs.asked_again(run)
        except StoreUnavailable:
            return True  # one mention too many is better than one too few

    def _mention(self, run: Run, live: LiveRun) -> str:
        repo = live.secrets.redact(run.invocation.options.repo or "")
        return words.finished(run.requester, repo, live.state, live.elapsed)

    async def _answer(self, run: Run, answer: str) -> None:
        for part in split(harmless(answer), ANSWER_CHARS):
            await self._guard("answer", partial(self._editor.deliver, thread_of(run), AnswerFrame(part)))

    async def _note(self, run: Run, note: str) -> None:
        await self._guard("note", lambda: self._editor.deliver(thread_of(run), NoteFrame(note)))

    async def _attach(self, run: Run, task: LiveTask) -> None:
        """The complete output as a file, where the message could not hold it."""
        shown = task.tail()
        if shown.hidden or shown.cut:
            attached = await self._guard("log", lambda: self._upload(run, task))
            if not attached:
                await self._note(run, words.log_not_attached(task.name))
            elif await self._is_incomplete(task):
                await self._note(run, words.output_dropped(task.name))

    async def _is_incomplete(self, task: LiveTask) -> bool:
        try:
            return await self._output.dropped(task.record.id) > 0
        except StoreUnavailable:
            return False  # the log says it as well

    async def _upload(self, run: Run, task: LiveTask) -> None:
        for tried in range(1, UPLOAD_TRIES + 1):
            try:
                await self._output.flush()
                size = await self._output.size(task.record.id)
                content = self._output.read(task.record.id)
                await self._messenger.upload(thread_of(run), file_name(task.name, ".log"), size, content)
            except (SlackLimited, SlackUnavailable) as error:
                if tried == UPLOAD_TRIES:
                    raise
                await asyncio.sleep(error.retry_after if isinstance(error, SlackLimited) else 2**tried)
            else:
                return

    async def _guard(self, part: str, send: Callable[[], Awaitable[object]]) -> bool:
        try:
            await send()
        except (SlackError, StoreUnavailable) as error:
            log.warning("run.part_not_posted", part=part, error=str(error))
            return False
        return True
