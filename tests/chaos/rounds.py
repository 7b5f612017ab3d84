"""One round: twenty jobs asked of real processes while things go wrong, and then the judge."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.simulator.cloudcoding import CloudCodingServer
from bot.simulator.slack import LocalSlack, Message
from bot.simulator.slack.desk import RefusedError
from bot.words import labels
from tests.chaos.agent import Agent
from tests.chaos.cluster import Cluster, cluster
from tests.chaos.databases import Chaotic, database
from tests.chaos.door import NOBODY
from tests.chaos.evidence import Asked, Decision, Evidence, Outage, Press, StoredRun, stored_runs
from tests.chaos.judge import OVER, Verdict, Wrong, judge
from tests.chaos.plan import Fault, Job, Plan, plan
from tests.chaos.process import BotProcess, NotStartedError
from tests.support.cloudcoding import API_KEY
from tests.support.world import GITHUB_TOKEN, REPO

RETRIES = (0.0, 5.0, 20.0)  # seconds: as often as Slack tries again, and sooner
GRACE, IDLE = 4, 14  # seconds: SHUTDOWN_GRACE, CLOUDCODING_IDLE_TIMEOUT
PATIENCE = 60.0  # seconds for what was asked to come to an end, after all faults are over
LEFT = 30.0  # seconds for all messages to say so
DOUBLES = 1.0  # seconds more for a post too many
THREAD = 15.0  # seconds within which a job must be seen, to be replied to
INSISTENT = 20  # times that a command is typed, a second apart, while no process is up
LOOK = 0.5
TAIL = 8  # lines of each process's log that are shown where something did not hold


@dataclass(frozen=True, slots=True)
class Setup:
    """What a round is played with: ``roles`` as ``Cluster.begin`` has them; faults ``without`` those kinds."""

    database: str
    roles: tuple[str, ...]
    jobs: int
    without: frozenset[str] = frozenset()


@dataclass(slots=True)
class Outcome:
    """A round that is over. ``settled`` is how many seconds after the last stream all messages were right, at last."""

    seed: str
    plan: Plan
    verdict: Verdict
    settled: float
    seconds: float
    tails: str = ""


@dataclass(slots=True)
class Round:
    """One that is being played."""

    setup: Setup
    plan: Plan
    slack: LocalSlack
    agent: Agent
    bots: Cluster
    database: Chaotic
    slots: list[BotProcess] = field(default_factory=list)
    asked: dict[str, Asked] = field(default_factory=dict)
    outages: list[Outage] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    _turns: list[asyncio.Lock] = field(default_factory=list)
    _databases_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def play(self) -> tuple[Verdict, float]:
        """All of it; returns what the judge says, and after how many seconds."""
        self.slots = list(await asyncio.gather(*(self.bots.begin(role) for role in self.setup.roles)))
        await asyncio.gather(*(process.up() for process in self.slots))
        self._turns = [asyncio.Lock() for _ in self.slots]
        async with asyncio.TaskGroup() as group:
            for job in self.plan.jobs:
                group.create_task(self._ask(job))
            for fault in self.plan.faults:
                group.create_task(self._go_wrong(fault))
        await self._heal()
        await self._end()
        return await self._judged()

    # People

    async def _ask(self, job: Job) -> None:
        await asyncio.sleep(job.at)
        asked = Asked(job)
        mention = "" if job.way in {"direct", "reply"} else "@code "
        if job.way == "command":
            self.asked[job.key] = asked
            await self._command(asked)
        else:
            thread = await self._thread(job.after) if job.after is not None else None
            if job.after is not None and thread is None:
                return  # there is nothing to reply to
            self.asked[job.key] = asked
            asked.message = await self.slack.say(job.user, job.channel, mention + job.text, thread_ts=thread)
        if job.stop is not None:
            await asyncio.sleep(job.stop)
            await self._stop(asked)

    async def _command(self, asked: Asked) -> None:
        """Type it, and again for as long as there is nobody who could have taken it."""
        job = asked.job
        for _ in range(INSISTENT):
            asked.delivery = await self.slack.command(job.user, job.channel, "/code", job.text)
            if asked.delivery.body != NOBODY:
                return
            await asyncio.sleep(1)

    async def _thread(self, key: str) -> str | None:
        """The thread of a job's messages, as soon as there is one."""
        until = time.monotonic() + THREAD
        while time.monotonic() < until:
            message = self._status(key)
            if message is not None:
                return message.thread_ts or message.ts
            await asyncio.sleep(LOOK)
        return None

    def _status(self, key: str) -> Message | None:
        """The oldest message of the bot that speaks of a job."""
        shown = (m for m in self.slack.workspace.history if m.bot_id and not m.deleted)
        return next((message for message in shown if key in self.slack.visible(message)), None)

    async def _stop(self, asked: Asked) -> None:
        message = self._status(asked.job.key)
        if message is None or "[Stop]" not in self.slack.visible(message):
            return
        at, began = time.time(), asyncio.get_running_loop().time()
        try:
            delivery = await self.slack.press(asked.job.user, message, "Stop")
        except RefusedError:
            return
        asked.stops.append(Press(at, began, asked.job.user, delivery.accepted))

    # Faults

    async def _go_wrong(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at)
        begin = time.time()
        match fault.what:
            case "kill" | "freeze" | "drain":
                async with self._turns[fault.process]:
                    begin = time.time()
                    await self._process(fault)
            case "database":
                async with self._databases_turn:
                    begin = time.time()
                    await self.database.away(silent=fault.harder)
                    await asyncio.sleep(fault.seconds)
                    await self.database.back()
            case _:
                await self._slack_fails(fault)
        self.outages.append(Outage(fault.what, begin, time.time()))

    async def _process(self, fault: Fault) -> None:
        process, role = self.slots[fault.process], self.setup.roles[fault.process]
        if fault.what == "freeze":
            process.freeze()
            await asyncio.sleep(fault.seconds)
            process.thaw()
            return
        overlaps = fault.what == "drain" and len(self.slots) > 1
        if overlaps:
            await self._replace(fault.process, role)
        if fault.what == "kill":
            await process.kill()
            await asyncio.sleep(fault.seconds)
        else:
            process.terminate()
            if fault.harder:
                await asyncio.sleep(fault.seconds)
                process.terminate()
            await process.ended(30)
        if not overlaps:
            await self._replace(fault.process, role)

    async def _replace(self, slot: int, role: str) -> None:
        """Start another one in its place, as a host does until one stays up."""
        while True:
            self.slots[slot] = process = await self.bots.begin(role)
            try:
                await process.up()
            except NotStartedError:
                if process.alive:
                    raise
                await asyncio.sleep(LOOK)  # it found no database, for example
            else:
                return

    async def _slack_fails(self, fault: Fault) -> None:
        how: dict[str, dict[str, Any]] = {
            "limited": {"method": "*", "error": "ratelimited", "retry_after": 2},
            "broken": {"method": "*", "status": 503},
            "hangs": {"method": "*", "timeout": 11},
            "forgets": {"method": "chat.postMessage", "status": 503, "applied": True},
        }
        armed = self.slack.fail(**how[fault.what], times=None)
        await asyncio.sleep(fault.seconds)
        self.slack.api.faults.armed.remove(armed)

    # The end

    async def _heal(self) -> None:
        """Nothing is wrong any more, and every process is up."""
        self.slack.heal()
        await self.database.back()
        for slot, process in enumerate(self.slots):
            process.thaw()
            if not process.alive:
                await self._replace(slot, self.setup.roles[slot])

    async def _end(self) -> None:
        """Wait until everything that was asked has come to its end, but not for ever."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            courier = self.slack.courier
            streaming = any(p.gone is None for ps in self.agent.performances.values() for p in ps)
            runs = await asyncio.to_thread(stored_runs, self.database)
            under_way = courier._sending or courier._retrying
            if not under_way and not streaming and all(run.state in OVER for run in runs):
                return
            await self._decide(runs)
            await asyncio.sleep(LOOK)

    async def _decide(self, runs: list[StoredRun]) -> None:
        """Somebody sends the first reply of each conversation in which nothing goes on without that."""
        held = [run for run in runs if run.held and run.state == "queued"]
        for run in {run.conversation: run for run in reversed(held)}.values():
            shown = (m for m in self.slack.workspace.history if m.ts == run.status_ts)
            at, message = time.time(), next(shown, None)
            if message is None:
                continue
            with suppress(RefusedError):  # its message doesn't have the button yet
                await self.slack.press(self.asked[run.key].job.user, message, labels.SEND_NOW)
                self.decisions.append(Decision(run.conversation, at))

    async def _judged(self) -> tuple[Verdict, float]:
        began = time.monotonic()
        while True:
            verdict, seconds = await self.verdict(), time.monotonic() - began
            if not verdict.complaints or seconds > LEFT:
                break
            await asyncio.sleep(LOOK)
        await asyncio.sleep(DOUBLES)
        return await self.verdict(), seconds

    async def verdict(self) -> Verdict:
        """What the judge says now."""
        alone = self.setup.database == "sqlite" and len(self.setup.roles) == 1
        return judge(await self.evidence(), recovers_at_start=alone)

    async def evidence(self) -> Evidence:
        """What is known now."""
        rows = await asyncio.to_thread(stored_runs, self.database)
        return Evidence(
            self.slack, self.agent, self.bots, list(self.asked.values()), self.outages, rows, self.decisions
        )


async def play(setup: Setup, seed: str, folder: Path) -> Outcome:
    """One round of that seed, in an empty folder. One that can't be played to its end is a complaint, too."""
    began = time.monotonic()
    planned = plan(seed, len(setup.roles), setup.jobs).without(setup.without)
    verdict, settled, tails = Verdict(), 0.0, ""
    try:
        async with round_of(setup, planned, folder) as it:
            verdict, settled = await it.play()
            tails = it.bots.tails(TAIL) if verdict.complaints else ""
    except Exception:  # noqa: BLE001  the other rounds go on
        verdict.complaints.append((Wrong.OTHER, f"the round broke off\n{traceback.format_exc()}"))
    return Outcome(seed, planned, verdict, settled, time.monotonic() - began, tails)


@asynccontextmanager
async def round_of(setup: Setup, planned: Plan, folder: Path) -> AsyncIterator[Round]:
    """All that a round needs, with up-to-date tables and no process yet."""
    async with AsyncExitStack() as stack:
        agent = Agent(job.part for job in planned.jobs)
        slack = await stack.enter_async_context(LocalSlack(limits=None, retry_delays=RETRIES))
        cloud = await stack.enter_async_context(CloudCodingServer(agent, api_key=API_KEY, open_at_once=False))
        stored = await stack.enter_async_context(database(setup.database, folder))
        environment = {
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_SIGNING_SECRET": slack.signing_secret,
            "SLACK_API_URL": slack.api_url,
            "CLOUDCODING_API_KEY": API_KEY,
            "CLOUDCODING_API_URL": cloud.url,
            "CLOUDCODING_DEFAULT_REPO": REPO,
            "CLOUDCODING_IDLE_TIMEOUT": str(IDLE),
            "GITHUB_TOKEN": GITHUB_TOKEN,
            "DATABASE_URL": stored.url,
            "SHUTDOWN_GRACE": str(GRACE),
        }
        bots = await stack.enter_async_context(cluster(slack, environment, folder))
        await bots.migrate()
        yield Round(setup, planned, slack, agent, bots, stored)
