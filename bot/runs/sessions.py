"""Slack's agent sessions, where the workspace has them: its own sign that the agent is at work, and its own Stop.

Everything works without them; where Slack refuses the first call, none is made again.
"""

import asyncio
from collections.abc import Callable

import structlog

from bot.core.run import RunState
from bot.errors import SlackError, SlackLimited, SlackUnavailable
from bot.runs.board import thread_of
from bot.runs.ports import Messenger, SessionStatus
from bot.runs.supervisor import Supervisor
from bot.store.records import Run

log = structlog.get_logger("bot.session")

RENEW = 50 * 60.0  # seconds; Slack takes ``processing`` back after an hour


class Sessions:
    """Tells Slack which threads the agent is working in, where the app is ``declared`` an agent."""

    def __init__(
        self, messenger: Messenger, supervisor: Supervisor, declared: Callable[[], bool] = lambda: True
    ) -> None:
        self._messenger = messenger
        self._supervisor = supervisor
        self._declared = declared
        self._offered = True
        self._processing: dict[str, asyncio.Task[None]] = {}

    def started(self, run: Run) -> None:
        """The agent is at work in the run's thread until ``ended``."""
        if self._offered and self._declared() and run.thread_ts is not None:
            self._processing[run.id] = self._supervisor.start(f"session {run.id}", self._process(run))

    def ended(self, run: Run, state: RunState) -> None:
        """It waits for a reply, or was sent away; also where another process had started it."""
        self.forget(run)
        if self._offered and self._declared() and run.thread_ts is not None:
            status = SessionStatus.CLOSED if state is RunState.STOPPED else SessionStatus.ACTIVE
            self._supervisor.start(f"session {run.id}", self._set(run, status))

    def forget(self, run: Run) -> None:
        """Say nothing more of it: another process does."""
        processing = self._processing.pop(run.id, None)
        if processing is not None:
            processing.cancel()

    async def _process(self, run: Run) -> None:
        while self._offered:
            await self._set(run, SessionStatus.PROCESSING)
            await asyncio.sleep(RENEW)

    async def _set(self, run: Run, status: SessionStatus) -> None:
        if not self._offered:
            return
        try:
            await self._messenger.set_session(thread_of(run), status)
        except (SlackLimited, SlackUnavailable) as error:
            log.debug("session.not_set", run=run.id, error=str(error))
        except SlackError as error:
            log.info("session.not_offered", code=error.code)
            self._offered = False
