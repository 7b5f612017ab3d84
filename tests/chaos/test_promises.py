"""Each promise of the bot, with real processes that are killed, frozen and stopped at the worst moment.

The random rounds of ``python -m tests.chaos`` look for what nobody thought of; here is what somebody did.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.slack import LocalSlack, Message
from bot.simulator.slack.hub import Change, Kind
from tests.chaos.cluster import Cluster, cluster
from tests.chaos.databases import Chaotic, database
from tests.chaos.process import BotProcess
from tests.store.databases import server
from tests.support.cloudcoding import Out, Say, Silent, Step, Wait
from tests.support.world import World, world

RECOVERED = 22.0  # seconds within which a survivor has said what became of a dead process's runs
AT_ONCE = 8.0  # the same where the machine itself tells of the death
FROZEN = 12.0  # seconds: longer than a process may be silent without looking whether it lost its runs

SEVERAL = "sqlite" if server() is None else "postgres"  # what several processes are for
both = pytest.mark.parametrize(
    "kind",
    [
        "sqlite",
        pytest.param(
            "postgres",
            marks=pytest.mark.skipif(server() is None, reason="no PostgreSQL server: see TEST_DATABASE_URL"),
        ),
    ],
)


@dataclass(slots=True)
class Stage:
    """A world, its bot processes, and their database."""

    it: World
    bots: Cluster
    database: Chaotic

    def run(self) -> dict[str, Any]:
        """The newest run's state, owner and messages, as stored."""
        columns = ("state", "owner", "status_ts")
        rows = self.database.rows(f"SELECT {', '.join(columns)} FROM runs ORDER BY seq DESC")
        return dict(zip(columns, rows[0], strict=True)) if rows else dict.fromkeys(columns)

    async def stored(self, **expected: str) -> None:
        """Wait until the newest run is stored so."""
        await eventually(lambda: expected.items() <= self.run().items())

    async def several(self, number: int) -> list[BotProcess]:
        """That many processes, of which the first is asked from now on."""
        found = await asyncio.gather(*(self.bots.start() for _ in range(number)))
        self.bots.door.only = found[0]
        return found

    async def begun(self, *steps: Step, text: str = "go") -> tuple[Message, Message]:
        """A run that streams: its root message, and its task's, which shows what came; both are stored."""
        self.it.serve(Out("half of it\n"), *steps)
        before = len(self.it.roots())
        await self.it.code(text)
        root = await self.it.root(before)
        task = await self.it.says(root, "half of it")
        await eventually(lambda: self._known(task))
        return root, task

    def _known(self, task: Message) -> bool:
        return bool(self.database.rows(f"SELECT id FROM tasks WHERE ts = '{task.ts}' AND chunk_count > 0"))


@asynccontextmanager
async def stage(
    folder: Path, kind: str = "sqlite", *, local: LocalSlack | None = None, **environment: str
) -> AsyncIterator[Stage]:
    """Everything but a process."""
    async with (
        database(kind, folder) as stored,
        world(folder, local=local, **{"DATABASE_URL": stored.url, **environment}) as it,
        cluster(it.slack, it.environment, folder) as bots,
    ):
        if kind != "sqlite":
            await bots.migrate()
        yield Stage(it, bots, stored)


async def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """For what happens in another process and is told to nobody: ask until it is so."""
    until = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < until, "it did not come about"
        await asyncio.sleep(0.05)


async def seen(it: World, message: Message, *texts: str, seconds: float = 10.0) -> str:
    """Wait until a message shows all of these."""
    await it.slack.wait_for(lambda: all(text in it.slack.visible(message) for text in texts), seconds)
    return str(it.slack.visible(message))


@contextmanager
def when_posted(
    slack: LocalSlack, what: Callable[[Message], bool], then: Callable[[], None]
) -> Iterator[None]:
    """Do something between the moment Slack has a message of the bot and the moment it says so; once."""
    done = False

    def look(change: Change) -> None:
        nonlocal done
        message = change.subject
        if done or change.kind is not Kind.POSTED or not isinstance(message, Message):
            return
        if message.bot_id and what(message):
            done = True
            then()

    slack.workspace.hub.listen(look)
    yield
    assert done, "no such message was posted"


def texts(it: World) -> list[str]:
    """What the bot's messages in #team show, in and out of threads."""
    history = it.slack.workspace.history
    return [it.slack.visible(message) for message in history if message.bot_id and not message.deleted]


def count(it: World, text: str) -> int:
    """How many of the bot's messages show this."""
    return len([shown for shown in texts(it) if text in shown])


# "A command is acknowledged at once, whatever the state of the database, Slack or the service."


async def test_a_command_is_acknowledged_at_once_whatever_the_state_of_everything(tmp_path: Path) -> None:
    local = LocalSlack(limits=None, ack_seconds=1.5)
    async with stage(tmp_path, local=local) as on:
        await on.bots.start()
        on.it.serve(Silent(), Wait(asyncio.Event()))
        await on.it.code("the service says nothing")
        on.it.slack.fail("*", timeout=3, times=None)
        await on.it.code("Slack says nothing")
        await on.database.away(silent=True)
        assert (await on.it.slack.command("ann", "#team", "/code", "the database says nothing")).accepted
        on.it.slack.heal()
        await on.database.back()


@pytest.mark.slow
async def test_while_the_database_is_away_a_command_is_answered_and_streams_go_on(tmp_path: Path) -> None:
    async with stage(tmp_path, SEVERAL) as on:
        await on.bots.start()
        go_on = asyncio.Event()
        root, task = await on.begun(Wait(go_on), Out("all of it\n"), Say("It is done."))
        await on.database.away(silent=False)
        await on.it.code("too early", user="ben")
        await on.it.told("ben", "too early")
        go_on.set()
        await seen(on.it, task, "all of it")
        await on.database.back()
        await seen(on.it, root, "Done", seconds=30)
        await on.stored(state="done")
        assert "half of it\nall of it" in await seen(on.it, task, "Done")
        assert len(on.it.cloud.requests) == 1


# "A request that Slack delivers twice, or to two processes, runs once."


@pytest.mark.slow
@both
async def test_a_request_that_slack_delivers_to_two_processes_runs_once(tmp_path: Path, kind: str) -> None:
    async with stage(tmp_path, kind) as on:
        await asyncio.gather(on.bots.start(), on.bots.start())
        on.bots.door.to_all = True
        on.it.serve(Out("once\n"))
        on.it.serve(Out("once\n"))
        await on.it.code("a command")
        await on.it.slack.say("ben", "#shared", "@code a mention")
        await seen(on.it, await on.it.root(), "Done")
        await seen(on.it, await on.it.root(0, "#shared"), "Done")
        on.bots.door.to_all = False
        for delivery in list(on.it.slack.deliveries)[:2]:
            for number in (1, 2):
                assert (await on.it.slack.redeliver(delivery, number=number)).accepted
        assert len(on.it.cloud.requests) == 2
        assert len(on.it.roots()) == len(on.it.roots("#shared")) == 1


# "A run that was taken on is never silently lost: after a crash its messages say `Interrupted`, keep what had
# arrived, and offer `Retry`. A paid request is never sent a second time by itself."


async def test_after_a_crash_a_run_is_interrupted_keeps_what_had_arrived_and_offers_retry(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        first = await on.bots.start()
        root, task = await on.begun(Wait(asyncio.Event()))
        await first.kill()
        await on.bots.start()
        await seen(on.it, task, "Interrupted", "half of it")
        await seen(on.it, root, "Interrupted", "[Retry]")
        assert len(on.it.cloud.requests) == 1
        on.it.serve(Out("whole\n"))
        await on.it.slack.press("ann", root, "Retry")
        await seen(on.it, root, "Done")
        assert len(on.it.cloud.requests) == 2


@pytest.mark.parametrize("part", ["root", "task"])
async def test_a_crash_between_a_post_and_its_being_stored_posts_nothing_twice(
    tmp_path: Path, part: str
) -> None:
    async with stage(tmp_path) as on:
        first = await on.bots.start()
        go_on = asyncio.Event()
        on.it.serve(Out("half of it\n"), Wait(go_on), Say("It is done."))
        with when_posted(on.it.slack, lambda message: message.in_thread == (part == "task"), first.shoot):
            await on.it.code("go")
            await first.ended(10)
        await on.bots.start()
        go_on.set()
        end = "Done · task ·" if part == "root" else "Interrupted · task ·"
        await on.it.slack.wait_for(lambda: count(on.it, end), 10)
        await on.it.slack.wait_for(lambda: count(on.it, end.partition(" ")[0]) == 2)  # the root says so, too
        assert len(on.it.roots()) == 1
        assert count(on.it, " · task · ") == 1
        assert len(on.it.cloud.requests) <= 1  # none where it died before it could ask


async def test_a_run_that_ended_just_before_a_crash_shows_its_end_and_its_answer_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        first = await on.bots.start()
        go_on = asyncio.Event()
        root, task = await on.begun(Wait(go_on), Out("all of it\n"), Say("It is done."))
        on.it.slack.fail("chat.update", status=503, times=None)
        go_on.set()
        await on.stored(state="done")
        await first.kill()
        on.it.slack.heal()
        await on.bots.start()
        await seen(on.it, root, "Done", "[Retry]")
        await seen(on.it, task, "Done", "all of it")
        await on.it.says(root, "It is done.")
        await asyncio.sleep(1)  # for an answer too many
        assert count(on.it, "It is done.") == 1
        assert len(on.it.cloud.requests) == 1


async def test_a_post_that_times_out_after_slack_had_stored_it_is_not_doubled(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.bots.start()
        for wanted in (_in_channel, _in_thread):
            on.it.slack.fail("chat.postMessage", timeout=0.2, applied=True, when=wanted)
        on.it.serve(Out("all of it\n"), Say("It is done."))
        await on.it.code("go")
        root = await on.it.root()
        await eventually(lambda: on.run()["state"] == "done", 20)
        await on.it.says(root, "It is done.")
        await asyncio.sleep(1)  # for one too many
        assert len(on.it.roots()) == 1
        assert count(on.it, "all of it") == 1
        assert count(on.it, "It is done.") == 1


def _in_thread(args: Mapping[str, Any]) -> bool:
    return bool(args.get("thread_ts"))


def _in_channel(args: Mapping[str, Any]) -> bool:
    return not _in_thread(args)


@pytest.mark.slow
@both
async def test_a_process_that_starts_leaves_the_runs_of_a_living_one_alone(tmp_path: Path, kind: str) -> None:
    async with stage(tmp_path, kind) as on:
        await on.bots.start()
        go_on = asyncio.Event()
        root, task = await on.begun(Wait(go_on), Out("all of it\n"))
        await on.bots.start()
        await asyncio.sleep(1)  # for what it would do wrong
        assert "Running" in on.it.slack.visible(root)
        go_on.set()
        await seen(on.it, task, "Done", "all of it")
        await seen(on.it, root, "Done")


@pytest.mark.slow
async def test_on_sqlite_a_survivor_says_at_once_what_became_of_a_dead_process_s_runs(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        first, second = await on.several(2)
        root, task = await on.begun(Wait(asyncio.Event()))
        await first.kill()
        on.bots.door.only = second
        await seen(on.it, task, "Interrupted", "half of it", seconds=AT_ONCE)
        await seen(on.it, root, "Interrupted", "[Retry]")
        assert len(on.it.cloud.requests) == 1


@pytest.mark.slow
async def test_a_survivor_takes_over_and_a_process_that_was_frozen_edits_nothing_more(tmp_path: Path) -> None:
    async with stage(
        tmp_path, SEVERAL, MAX_CONCURRENT_RUNS="1"
    ) as on:  # so that each has the run that it is asked for
        frozen = await on.bots.start()
        go_on = asyncio.Event()
        root, task = await on.begun(Wait(go_on), Out("all of it\n"), Wait(asyncio.Event()))
        dead = on.bots.door.only = await on.bots.start()
        others = await on.begun(Wait(asyncio.Event()), text="another")
        survivor = await on.bots.start()
        frozen.freeze()
        await dead.kill()
        on.bots.door.only = survivor
        for root_, task_ in ((root, task), others):
            await seen(on.it, task_, "Interrupted", "half of it", seconds=RECOVERED)
            await seen(on.it, root_, "Interrupted", "[Retry]")
        go_on.set()
        versions = len(root.versions), len(task.versions)
        frozen.thaw()
        await eventually(lambda: on.it.cloud.running == 0, 15)
        await asyncio.sleep(1)  # for an edit too many
        assert (len(root.versions), len(task.versions)) == versions
        assert "all of it" not in on.it.slack.visible(task)
        assert {state for (state,) in on.database.rows("SELECT state FROM runs")} == {"interrupted"}
        assert len(on.it.cloud.requests) == 2


@pytest.mark.slow
async def test_a_process_that_was_frozen_alone_goes_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        only = await on.bots.start()
        go_on = asyncio.Event()
        root, task = await on.begun(Wait(go_on), Out("all of it\n"), Say("It is done."))
        only.freeze()
        go_on.set()
        await asyncio.sleep(FROZEN)
        only.thaw()
        await seen(on.it, task, "Done", "half of it", "all of it")
        await seen(on.it, root, "Done")
        await on.it.says(root, "It is done.")
        assert len(on.it.cloud.requests) == 1
        assert len(on.it.thread(root)) == 2


# "`Stop` closes the upstream connection within a second and says who stopped it."


@pytest.mark.slow
@both
async def test_stop_reaches_the_run_whichever_process_is_told(tmp_path: Path, kind: str) -> None:
    async with stage(tmp_path, kind) as on:
        _first, second = await on.several(2)
        root, task = await on.begun(Wait(asyncio.Event()))
        (request,) = on.it.cloud.requests
        on.bots.door.only = second
        pressed = asyncio.get_running_loop().time()
        await on.it.slack.press("ben", root, "Stop")
        async with asyncio.timeout(10):
            await request.disconnected.wait()
        assert request.disconnected_at is not None
        assert request.disconnected_at - pressed < 2  # a second, and this machine's own delays
        await seen(on.it, root, "Stopped", "@ben")
        await seen(on.it, task, "Stopped", "half of it")


# "On SIGTERM the bot takes no new work, lets running ones finish for `SHUTDOWN_GRACE` seconds, then marks what is
# left `Interrupted`, and exits 0 within 30 s."


@pytest.mark.slow
async def test_on_sigterm_it_takes_no_new_work_and_lets_running_ones_finish(tmp_path: Path) -> None:
    async with stage(tmp_path, SHUTDOWN_GRACE="20") as on:
        process = await on.bots.start()
        go_on = asyncio.Event()
        root, task = await on.begun(Wait(go_on), Out("all of it\n"), Say("It is done."))
        process.terminate()
        await process.logged("bot.draining")
        await on.it.slack.command("ben", "#team", "/code", "one more")
        await on.it.told("ben", "one more")
        go_on.set()
        assert await process.ended(30) == 0
        assert "Done" in on.it.slack.visible(root)
        assert "all of it" in on.it.slack.visible(task)
        assert count(on.it, "It is done.") == 1
        assert len(on.it.cloud.requests) == 1


@pytest.mark.slow
async def test_on_sigterm_what_does_not_finish_in_time_is_interrupted(tmp_path: Path) -> None:
    async with stage(tmp_path, SHUTDOWN_GRACE="0.5") as on:
        process = await on.bots.start()
        root, task = await on.begun(Wait(asyncio.Event()))
        process.terminate()
        assert await process.ended(30) == 0
        shown = on.it.slack.visible(root), on.it.slack.visible(task)
        assert all("Interrupted" in text for text in shown)
        assert "[Retry]" in shown[0]
        assert "half of it" in shown[1]


@pytest.mark.slow
async def test_a_second_sigterm_ends_it_at_once_and_the_next_process_says_so(tmp_path: Path) -> None:
    async with stage(tmp_path, SHUTDOWN_GRACE="60") as on:
        process = await on.bots.start()
        root, task = await on.begun(Wait(asyncio.Event()))
        process.terminate()
        await process.logged("bot.draining")
        process.terminate()
        assert await process.ended(10) in {0, -signal.SIGTERM}
        await on.bots.start()
        await seen(on.it, task, "Interrupted", "half of it")
        await seen(on.it, root, "Interrupted", "[Retry]")
        assert len(on.it.cloud.requests) == 1


@pytest.mark.slow
async def test_a_deploy_with_overlap_loses_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path, SEVERAL, SHUTDOWN_GRACE="20") as on:
        old = await on.bots.start()
        old.terminate()
        await old.logged("bot.draining")
        new = await on.bots.start()
        assert await old.ended(30) == 0
        assert on.bots.open == [new]
        on.it.serve(Out("by the new one\n"))
        await on.it.code("go")
        await seen(on.it, await on.it.root(), "Done")


# "Only full members of the workspace may start, continue or stop runs: no guests, no people of other organisations,
# no bots. The refusal says why, to that user alone."


@pytest.mark.slow
async def test_only_full_members_may_start_and_stop_runs_also_after_a_restart(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        first = await on.bots.start()
        root, _ = await on.begun(Wait(asyncio.Event()))
        await first.kill()
        await on.bots.start()
        await seen(on.it, root, "[Retry]")
        for user in ("guest", "ben"):
            on.it.serve(Out("whole\n"))
            await on.it.slack.press(user, root, "Retry")
            if user == "guest":
                await on.it.slack.wait_for(lambda: on.it.slack.ephemerals("guest", "#team"))
                assert len(on.it.cloud.requests) == 1
        await seen(on.it, root, "Done")
        assert len(on.it.cloud.requests) == 2
