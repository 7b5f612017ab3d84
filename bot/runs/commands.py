"""What whole-text commands and buttons do: help, status, stop, drop, send now, retry, repo, settings."""

from dataclasses import dataclass, replace
from functools import partial

from bot.clock import Clock
from bot.core.access import Denied
from bot.core.command import WholeTextCommand, Word
from bot.core.run import RunState, TaskState
from bot.model import Audience, Invocation, TaskPrompt
from bot.runs.admission import Admission
from bot.runs.lookout import Lookout
from bot.runs.ports import Notice, NoticeRow
from bot.runs.queue import Queue, Sent
from bot.runs.summary import Summaries
from bot.runs.supervisor import Supervisor
from bot.store.records import NewRun, Run
from bot.store.store import Store
from bot.words import notes, replies

LISTED = 20  # runs that `status` shows; more would not fit on a phone


@dataclass(slots=True)
class Commands:
    """Each answers one person, and nobody else."""

    store: Store
    queue: Queue
    admission: Admission
    lookout: Lookout
    supervisor: Supervisor
    summaries: Summaries
    clock: Clock
    default_repo: str | None
    readme: str | None = None  # the address that `help` points to

    async def carry_out(self, command: WholeTextCommand, audience: Audience) -> None:
        """Do what a whole-text command asks, and answer."""
        match command:
            case WholeTextCommand(Word.HELP):
                await self._tell(audience, replies.help_text(await self._repo(audience), readme=self.readme))
            case WholeTextCommand(Word.STATUS):
                await self.admission.tell(audience, await self._status(audience))
            case WholeTextCommand(Word.STOP, None):
                await self._stop_own(audience)
            case WholeTextCommand(Word.STOP, run_id):
                if await self.stop(run_id or "", audience):
                    await self._tell(audience, replies.stopping(run_id or ""))
            case WholeTextCommand(Word.RETRY, run_id):
                await self.retry(run_id or "", audience, only_failed=False)
            case WholeTextCommand(Word.REPO, repo):
                await self._channel_repo(repo, audience)
            case WholeTextCommand(Word.SETTINGS):
                await self._settings(audience)
            case _:
                await self._tell(audience, replies.not_offered(command.word.value))

    async def _tell(self, audience: Audience, text: str) -> None:
        await self.admission.tell(audience, Notice(text))

    async def _repo(self, audience: Audience) -> str | None:
        return await self.store.channels.repo(audience.workspace, audience.channel) or self.default_repo

    async def _channel_repo(self, repo: str | None, audience: Audience) -> None:
        if repo is None:
            await self._tell(audience, replies.repo_is(await self._repo(audience)))
            return
        new = None if repo == "none" else repo
        refusal = await self.admission.refusal(audience, new)
        if refusal is not None:
            await self._tell(audience, refusal)
            return
        now = self.clock.wall()
        await self.store.channels.set_repo(audience.workspace, audience.channel, new, audience.user, now)
        await self._tell(audience, replies.repo_set(new) if new else replies.repo_cleared())

    async def _settings(self, audience: Audience) -> None:
        mine = await self.store.users.settings(audience.workspace, audience.user)
        text = replies.settings(
            mine.options.repo, mine.options.branch, mine.options.model, self.default_repo, mine.notify
        )
        await self.admission.tell(audience, Notice(text, edit_settings=True))

    async def _status(self, audience: Audience) -> Notice:
        runs = await self.store.queue.unended(audience.workspace)
        if not runs:
            return Notice(replies.status([]))
        # A private channel's runs are nobody's business elsewhere: only counted, unless asked from there. To guests
        # and strangers any other channel is a private one.
        refused = await self.admission.refused(audience, None)
        seen = {audience.channel}
        if refused is None or refused.reason in {Denied.USER, Denied.CHANNEL}:
            seen |= await self.admission.public(audience.workspace, {run.channel for run in runs})
        shown = [run.run for run in runs if run.channel in seen]
        async with self.admission.one_of(self.admission.telling):
            listed = await self.store.queue.these(shown[:LISTED])
            rows = [await self._row(run, audience) for run in listed]
        running = sum(run.state is RunState.RUNNING for run in runs)
        if len(rows) < len(runs):
            rows.append(NoticeRow(replies.more_runs(len(runs) - len(rows))))
        return Notice(replies.load(running, len(runs) - running), rows=tuple(rows))

    async def _row(self, run: Run, audience: Audience) -> NoticeRow:
        may_stop = await self._refusal(run, audience) is None
        return NoticeRow(replies.status([await self.summaries.of(run)]), stop=run.id if may_stop else None)

    async def _stop_own(self, audience: Audience) -> None:
        """`stop` without a name: the asker's own run here, if there is just one."""
        runs = await self.store.queue.listing(audience.workspace)
        own = [run for run in runs if run.channel == audience.channel and run.requester == audience.user]
        if len(own) == 1:
            if await self.stop(own[0].id, audience):
                await self._tell(audience, replies.stopping(own[0].id))
        elif own:
            await self._tell(audience, replies.stop_which([await self.summaries.of(run) for run in own]))
        else:
            await self._tell(audience, replies.nothing_running())

    async def stop(self, run_id: str, audience: Audience) -> bool:
        """Stop a run; whoever can't is told why. The run's own message says who stopped it."""
        obstacle = await self.stop_quietly(run_id, audience)
        if obstacle is not None:
            await self._tell(audience, obstacle)
        return obstacle is None

    async def stop_quietly(self, run_id: str, audience: Audience) -> str | None:
        """Stop a run, or say in a sentence why it can't be; the audience needs no channel."""
        run = await self.store.runs.find(audience.workspace, run_id.lower())
        if run is None:
            return replies.run_not_found(run_id)
        refusal = await self._refusal(run, audience)
        if refusal is not None or await self.queue.stop(run, audience.user):
            return refusal
        run = await self.store.runs.get(run.id) or run
        # Where it hasn't ended, somebody was quicker, and it is being stopped.
        return replies.stale_button(run.state) if run.state.ended else None

    async def stop_task(self, run_and_task: str, audience: Audience) -> None:
        """Stop one task of a parallel run: ``RUN/TASK``, as its button says it."""
        run_id, _, task = run_and_task.partition("/")
        run = await self._find(run_id, audience)
        if run is None or not task.isdecimal() or await self._may_not(run, audience):
            return
        if not await self.queue.stop_task(run, int(task), audience.user):
            run = await self.store.runs.get(run.id) or run
            await self._tell(
                audience, replies.stale_button(run.state) if run.state.ended else notes.task_over()
            )

    async def drop(self, run_id: str, audience: Audience) -> None:
        """Take a waiting reply back. Its own message says who did that."""
        run = await self._find(run_id, audience)
        if run is None or await self._may_not(run, audience):
            return
        if not await self.queue.drop(run, notes.dropped_by(audience.user)):
            await self._waits_no_more(run, audience)

    async def send_now(self, run_id: str, audience: Audience) -> None:
        """Put a waiting reply first in its thread and stop what runs there; what that run's message doesn't tell is told."""
        run = await self._find(run_id, audience)
        if run is None or await self._may_not(run, audience):
            return
        match await self.queue.send_now(run, audience.user):
            case Sent.TOO_LATE:
                await self._waits_no_more(run, audience)
            case Sent.ENDING:
                await self._tell(audience, replies.sent_first_after_end())
            case Sent.STARTING | Sent.NO_ROOM as sent:
                await self._tell(audience, replies.sent_first(free=sent is Sent.STARTING))
            case Sent.STOPPED:
                pass

    async def _waits_no_more(self, run: Run, audience: Audience) -> None:
        run = await self.store.runs.get(run.id) or run
        await self._tell(audience, replies.reply_started(run.state))

    async def _find(self, run_id: str, audience: Audience) -> Run | None:
        run = await self.store.runs.find(audience.workspace, run_id.lower())
        if run is None:
            await self._tell(audience, replies.run_not_found(run_id))
        return run

    async def _may_not(self, run: Run, audience: Audience) -> bool:
        """Whether this person may not work on that run; they are told."""
        refusal = await self._refusal(run, audience)
        if refusal is not None:
            await self._tell(audience, refusal)
        return refusal is not None

    async def _refusal(self, run: Run, audience: Audience) -> str | None:
        there = replace(audience, channel=run.channel)
        return await self.admission.refusal(there, run.invocation.options.repo)

    async def retry(self, run_id: str, audience: Audience, *, only_failed: bool) -> None:
        """Run the same request again, or only its failed tasks; once, however many people press at a time."""
        run = await self._find(run_id, audience)
        if run is None or await self._may_not(run, audience):
            return
        newest = await self.store.runs.newest_attempt(run.conversation, run.turn) or run
        overtaken = newest.id != run.id and newest.started_at is not None
        if not newest.state.ended or overtaken:
            await self._tell(audience, replies.stale_button(newest.state))
            return
        invocation = await self._failed_tasks(run) if only_failed else run.invocation
        if invocation is None:
            await self._tell(audience, replies.nothing_failed())
            return
        again = self._again(run, invocation, newest.attempt + 1, audience)
        claim = f"retry:{newest.id}"
        take = partial(self.store.runs.take, again, claim)
        taken = await self.lookout.take(audience, claim, take, pressed=True)
        if taken is None:
            await self._tell(audience, replies.retried())
            return
        self.supervisor.start(f"admit {taken.id}", self.admission.admit(taken, audience))

    def _again(self, run: Run, invocation: Invocation, attempt: int, audience: Audience) -> NewRun:
        return NewRun(
            workspace=run.workspace,
            channel=run.channel,
            requester=audience.user,
            invocation=invocation,
            conversation=run.conversation,
            thread_ts=run.thread_ts,
            in_thread=run.in_thread,
            request_ts=run.request_ts,
            turn=run.turn,
            attempt=attempt,
            # A reply's one message also holds its output, which a new attempt doesn't overwrite.
            status_ts=run.status_ts if not run.in_thread or run.invocation.tasks else None,
            focus=run.focus,
        )

    async def _failed_tasks(self, run: Run) -> Invocation | None:
        tasks = await self.store.runs.tasks(run.id)
        failed = {task.name for task in tasks if task.state is TaskState.FAILED}
        left: tuple[TaskPrompt, ...] = tuple(task for task in run.invocation.tasks if task.name in failed)
        return replace(run.invocation, tasks=left) if left else None
