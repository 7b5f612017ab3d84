"""A run in one line, for the lists that people see."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.clock import Clock
from bot.core.permalink import permalink
from bot.core.redact import Secrets
from bot.core.run import RunState
from bot.store.records import Run
from bot.store.store import Store
from bot.words import replies


@dataclass(frozen=True, slots=True)
class Summaries:
    """Makes them; ``site`` is the address of a workspace's Slack, for links to messages."""

    store: Store
    secrets: Secrets
    clock: Clock
    site: Callable[[str], str]

    async def of(self, run: Run) -> replies.RunSummary:
        """How the run stands now, redacted."""
        asked = run.invocation.prompt or ", ".join(task.name for task in run.invocation.tasks)
        return replies.RunSummary(
            run=run.id,
            state=run.state,
            requester=run.requester,
            prompt=self.secrets.redact(f"{run.focus}: {asked}" if run.focus else asked),
            repo=run.invocation.options.repo,
            position=await self.store.queue.place(run) if run.state is RunState.QUEUED else None,
            elapsed=self._elapsed(run),
            link=self._link(run),
            ended_at=run.ended_at,
        )

    def _elapsed(self, run: Run) -> int | None:
        if run.started_at is None:
            return None
        until = self.clock.wall() if run.ended_at is None else run.ended_at
        return max(0, int(until - run.started_at))

    def _link(self, run: Run) -> str | None:
        """The address of the message that shows the run, once there is one."""
        if run.status_ts is None:
            return None
        thread_ts = run.thread_ts if run.in_thread else None
        return permalink(self.site(run.workspace), run.channel, run.status_ts, thread_ts)
