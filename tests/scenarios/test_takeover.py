"""One process goes on where another one stopped: what Slack shows in the end is what one process would have shown."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.slack import Message
from bot.store.migrate import migrate
from bot.store.store import Store
from tests.store.databases import File, SomeDatabase
from tests.support.cloudcoding import Fail, Out, Say, Step, Wait
from tests.support.world import World, world

DAY = 86_400.0
ANSWER = "\n\n".join(f"Paragraph {number}. " + "word " * 150 for number in range(25))  # three messages
OUTPUT = "".join(f"line {number} of a long log\n" for number in range(3000))
PULL = "https://github.com/acme/api/pull/42"


@dataclass(slots=True)
class Stage:
    """A world, and its database as others see it."""

    it: World
    database: SomeDatabase

    def column(self, name: str) -> list[Any]:
        """That column of all runs, oldest first."""
        return [value for (value,) in self.database.rows(f"SELECT {name} FROM runs ORDER BY seq")]

    async def until(self, condition: Callable[[], Any]) -> None:
        """For what happens in the database."""
        async with asyncio.timeout(15):
            while not await asyncio.to_thread(condition):  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0.05)

    async def settled(self) -> None:
        """Wait until everything about all runs' ends is with Slack."""
        await self.until(lambda: self.column("settled") and all(self.column("settled")))


@asynccontextmanager
async def stage(folder: Path, **environment: Any) -> AsyncIterator[Stage]:
    async with world(folder, **environment) as it:
        if isinstance(it.database, File):
            await migrate(it.database.url)
        yield Stage(it, it.database)


@asynccontextmanager
async def another_process(on: Stage) -> AsyncIterator[Store]:
    """Another process, as far as the database knows."""
    store = await Store.open(on.database.url, owner="another")
    await store.workers.join("host", "worker")
    yield store
    await store.workers.leave()
    await store.close()


def texts(it: World, *, without: str = "") -> list[str]:
    """What the bot's messages show, without what differs between two runs of the same request."""
    history = [message for message in it.slack.workspace.history if message.bot_id and not message.deleted]
    shown = [re.sub(r"r-\w+|\d+:\d\d|\d+ s\b|\d+s\b", "…", it.slack.visible(message)) for message in history]
    return sorted(text.replace(without, "") for text in shown)


async def play(it: World, *steps: Step, text: str) -> Message:
    it.serve(*steps)
    number = len(it.roots())
    await it.code(text)
    return await it.root(number)


PARALLEL = "parallel\nweb: build the site\napi: fix the tests"
PARALLEL_STEPS = (
    Out("working\n", "web"),
    Out(f"\x1b[31mbroken\x1b[0m, see {PULL}\n", "api"),
    Out(OUTPUT, "web"),
    Fail("api", "3 tests failed"),
    Say("The site is *built*.", task="web", run_id="one"),
    Say("Two are red.", task="api", run_id="two"),
)
SINGLE_STEPS = (Out(OUTPUT), Out(f"opened {PULL}\n"), Say(ANSWER))


@pytest.mark.parametrize(("text", "steps"), [(PARALLEL, PARALLEL_STEPS), ("fix it", SINGLE_STEPS)])
async def test_an_end_that_slack_did_not_hear_of_is_told_by_the_next_process(
    tmp_path: Path, text: str, steps: tuple[Step, ...]
) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            await play(it, *steps, text=text)
            await on.settled()
        expected, files = texts(it), [file.size for file in it.slack.files if file.completed]
        assert any("View PR #42" in shown for shown in expected)
    (tmp_path / "again").mkdir()
    async with stage(tmp_path / "again") as on:
        it = on.it
        async with it.running():
            go_on = asyncio.Event()
            root = await play(it, steps[0], Wait(go_on), *steps[1:], text=text)
            await it.slack.wait_for(lambda: len(it.thread(root)) == (2 if text == PARALLEL else 1))
            await on.until(lambda: None not in {ts for (ts,) in on.database.rows("SELECT ts FROM tasks")})
            for method in ("chat.update", "chat.postMessage", "files.getUploadURLExternal"):
                it.slack.fail(method, status=503, times=None)
            go_on.set()
            await on.until(lambda: on.column("ended_at") != [None])
        it.slack.heal()
        assert on.column("settled") == [False]
        async with it.running():
            await on.settled()
        assert texts(it) == expected
        assert [file.size for file in it.slack.files if file.completed] == files
        assert len(it.cloud.requests) == 1


async def test_a_message_that_the_next_process_posted_is_known_from_then_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            in_threads = lambda args: "thread_ts" in args  # noqa: E731  short, and used once
            it.slack.fail("chat.postMessage", status=503, times=None, when=in_threads)
            root = await play(it, Out("half of it\n"), Wait(asyncio.Event()), text="go")
            await on.until(lambda: on.database.rows("SELECT id FROM tasks WHERE chunk_count > 0"))
        it.slack.heal()
        async with it.running():
            task = await it.says(root, "Interrupted", "half of it")
            await on.settled()
            await on.until(lambda: on.database.rows("SELECT ts FROM tasks") == [(task.ts,)])


@pytest.mark.slow
async def test_the_ends_of_all_runs_are_told_before_any_details(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            go_on = asyncio.Event()
            for number in range(5):
                done = number < 2
                root = await play(
                    it, Out("half of it\n"), Wait(go_on if done else asyncio.Event()), text=f"{number}"
                )
                await it.says(root, "half of it")
            await on.until(lambda: None not in {ts for (ts,) in on.database.rows("SELECT ts FROM tasks")})
            it.slack.fail("chat.update", status=503, times=None)
            go_on.set()
            await on.until(lambda: on.column("state") == ["done"] * 2 + ["running"] * 3)
        it.slack.heal()
        calls = len(it.slack.calls)
        async with it.running():
            await on.settled()
        edited = [call.args["ts"] for call in it.slack.calls[calls:] if call.method == "chat.update"]
        assert set(edited[:5]) == {root.ts for root in it.roots()}
        assert len(edited) == 10


async def test_closing_messages_that_slack_has_are_not_posted_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            # Of the answer's parts only the first one gets through.
            def further(args: dict[str, Any]) -> bool:
                return "word" in str(args) and "Paragraph 0." not in str(args)

            it.slack.fail("chat.postMessage", status=503, times=None, when=further)
            root = await play(it, Out("short\n"), Say(ANSWER), text="go")
            await it.says(root, "Paragraph 0.")
            await on.until(lambda: on.column("parts") == [1])
        it.slack.heal()
        async with it.running():
            await on.settled()
        shown = "\n".join(it.slack.visible(message) for message in it.thread(root))
        for number in range(25):
            assert shown.count(f"Paragraph {number}.") == 1
        assert len(it.thread(root)) == 1 + 3


async def test_what_was_stopped_while_it_waited_says_so_after_a_restart(tmp_path: Path) -> None:
    async with stage(tmp_path, MAX_CONCURRENT_RUNS="1") as on:
        it = on.it
        async with it.running():
            await play(it, Out("working\n"), Wait(asyncio.Event()), text="first")
            await it.code("second")
            waiting = await it.root(1)
            await it.shows(waiting, "Queued")
            await on.until(lambda: on.column("ready") == [True, True])
            it.slack.fail("chat.update", status=503, times=None)
            await it.slack.press("ben", waiting, "Stop")
            await on.until(lambda: on.column("state")[1] == "stopped")
        it.slack.heal()
        async with it.running():
            await it.shows(waiting, "Stopped", "@ben")
            await on.settled()
        assert len(it.cloud.requests) == 1


async def test_what_nobody_was_told_for_a_day_is_not_told_any_more(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            go_on = asyncio.Event()
            root = await play(it, Out("working\n"), Wait(go_on), Say("It is done."), text="go")
            await it.says(root, "working")
            for method in ("chat.update", "chat.postMessage"):
                it.slack.fail(method, status=503, times=None)
            go_on.set()
            await on.until(lambda: on.column("state") == ["done"])
        it.slack.heal()
        before = texts(it)
        it.time.ahead += DAY + 60
        async with it.running():
            await on.settled()
        assert texts(it) == before


@pytest.mark.slow
async def test_an_end_while_the_database_is_away_is_stored_later_and_told_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            go_on = asyncio.Event()
            root = await play(
                it, Out("half of it\n"), Wait(go_on), Out("all\n"), Say("It is done."), text="go"
            )
            task = await it.says(root, "half of it")
            await on.until(lambda: on.database.rows("SELECT ts FROM tasks WHERE ts IS NOT NULL"))
            with on.database.locked():
                go_on.set()
                await it.says(root, "It is done.")
                await it.shows(task, "Done", "all")
                await it.shows(root, "Done")
                assert on.column("state") == ["running"]
            await on.settled()
            assert on.column("state") == ["done"]
        before = texts(it)
        async with it.running():
            await asyncio.sleep(1)  # for an answer too many
        assert texts(it) == before


@pytest.mark.slow
async def test_two_processes_and_the_one_that_is_left_takes_over(tmp_path: Path) -> None:
    async with stage(tmp_path, MAX_CONCURRENT_RUNS="1") as on:
        it = on.it
        async with AsyncExitStack() as first, AsyncExitStack() as second:
            await first.enter_async_context(it.running())
            go_on = asyncio.Event()
            root = await play(it, Out("half of it\n"), Wait(asyncio.Event()), text="one")
            task = await it.says(root, "half of it")
            await second.enter_async_context(it.running())
            other = await play(it, Out("begun\n"), Wait(go_on), Say("It is done."), text="two")
            await it.says(other, "begun")
            await on.until(
                lambda: (
                    len(on.database.rows("SELECT ts FROM tasks WHERE ts IS NOT NULL AND chunk_count > 0"))
                    == 2
                )
            )
            assert len(set(on.column("owner"))) == 2
            await first.aclose()
            await it.shows(task, "Interrupted", "half of it")
            await it.shows(root, "Interrupted", "[Retry]")
            go_on.set()
            await it.says(other, "It is done.")
            await it.shows(other, "Done")
            await on.settled()
        assert len(it.cloud.requests) == 2
        assert on.database.rows("SELECT id FROM workers") == []


async def test_who_lost_a_run_lets_go_of_its_stream_and_says_nothing_more(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running(), another_process(on) as other:
            go_on = asyncio.Event()
            root = await play(it, Out("half of it\n"), Wait(go_on), Out("all of it\n"), Say("No."), text="go")
            task = await it.says(root, "half of it")
            await on.until(lambda: on.database.rows("SELECT ts FROM tasks WHERE ts IS NOT NULL"))
            owner = on.column("owner")[0]
            assert await other.workers.take_over(owner, it.time.clock.wall(), "It died.", None) == on.column(
                "id"
            )
            versions = len(root.versions), len(task.versions)
            it.time.ahead += 16  # as if it had been frozen for so long
            go_on.set()
            await on.until(lambda: it.cloud.running == 0)
            # It is one of the living again, and takes new runs.
            again = await play(it, Out("new\n"), text="another")
            await it.says(again, "Done", "new")
            assert (len(root.versions), len(task.versions)) == versions
            assert len(it.thread(root)) == 1
            assert on.column("state") == ["interrupted", "done"]
            assert on.column("owner")[0] == "another"
            assert len(on.database.rows("SELECT id FROM workers")) == 2


async def test_who_lost_a_run_while_the_service_was_busy_does_not_try_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        it.cloud.fail_next(503, retry_after=1)
        async with it.running(), another_process(on) as other:
            await it.code("go")
            await on.until(lambda: it.cloud.requests)
            await on.until(lambda: on.column("status_ts")[0])
            (owner,) = on.column("owner")
            assert await other.workers.take_over(owner, it.time.clock.wall(), "It died.", None)
            with on.database.locked():  # so that it can't learn of that
                it.time.ahead += 16  # as if it had been frozen for so long
                await asyncio.sleep(1.5)  # longer than the service asked for
            await on.until(lambda: len(on.database.rows("SELECT id FROM workers")) == 2)  # it lives again
            assert len(it.cloud.requests) == 1
            assert on.column("state") == ["interrupted"]


async def test_who_was_frozen_and_lost_nothing_goes_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            go_on = asyncio.Event()
            root = await play(it, Out("half of it\n"), Wait(go_on), Out("all of it\n"), text="go")
            task = await it.says(root, "half of it")
            it.time.ahead += 60
            go_on.set()
            await it.shows(task, "Done", "all of it")
            await it.shows(root, "Done")


async def test_a_request_that_is_stored_just_when_its_process_ends_is_the_next_one_s(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        it.serve(Out("after all\n"))
        async with it.running() as bot:
            with on.database.locked():
                assert (await it.slack.command("ann", "#team", "/code", "just in time")).accepted
                drained = asyncio.create_task(bot.drain(0))
                await asyncio.sleep(0.1)  # it has begun
            await on.until(lambda: on.column("state") == ["queued"])
            await drained
        async with it.running():
            await it.says(await it.root(), "Done", "after all")
            await on.settled()
        assert not [told for told in it.slack.ephemerals("ann") if "not started" in told.text]
        assert len(it.roots()) == 1


async def test_what_was_stopped_before_anybody_stored_where_it_is_shown_says_so_and_has_its_thread(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running(MAX_CONCURRENT_RUNS="1"):
            await play(it, Wait(asyncio.Event()), text="first")
            await it.code("second")
            second = await it.root(1)
            await it.shows(second, "Queued")
            await on.until(lambda: on.column("state") == ["running", "queued"])
        # As it is where its process posted the message, and another one stopped it and died with the database away.
        on.database.rows(
            "UPDATE runs SET state = 'stopped', note = 'Stopped.', ended_at = created_at, status_ts = NULL, ready = false, owner = NULL WHERE state = 'queued'"
        )
        on.database.rows("UPDATE conversations SET thread_ts = NULL WHERE thread_ts = %s", [second.ts])
        async with it.running():
            await it.shows(second, "Stopped")
            await on.until(lambda: second.ts in on.column("status_ts"))
            it.serve(Out("it goes on\n"))
            await it.slack.say("ann", "#team", "and now?", thread_ts=second.ts)
            await it.says(second, "it goes on")
        assert len(it.roots()) == 2
