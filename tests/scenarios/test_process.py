"""``python -m bot serve`` as a host runs it: started wrongly, stopped, killed, and with everything around it slow."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.simulator.cloudcoding import Stream
from bot.simulator.slack import LocalSlack, Message
from tests.support.cloudcoding import API_KEY, Out, Say, Silent, Wait
from tests.support.world import GITHUB_TOKEN, World, world

REPOSITORY = Path(__file__).parents[2]
TYPED_TOKEN = "ghp_" + "typed" * 8  # in a prompt


class Process:
    """A bot in a process of its own; ``lines`` is what it wrote to standard output so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        self.lines: list[dict[str, Any]] = []
        self.errors = ""
        self.port = 0

    @classmethod
    async def start(
        cls, environment: Mapping[str, str], directory: Path, command: str = "serve"
    ) -> "Process":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            command,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **environment},
            cwd=directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        async for line in self._process.stdout:
            self.lines.append(json.loads(line))  # every line is a JSON object, or this fails
            self._news.set()
        self.errors = (await self._process.stderr.read()).decode()
        await self._process.wait()

    async def logged(self, event: str) -> dict[str, Any]:
        """Wait for an event in the log."""
        async with asyncio.timeout(10):
            while True:
                self._news.clear()
                for line in self.lines:
                    if line["event"] == event:
                        return line
                if self._reading.done():
                    raise AssertionError(f"it ended: {self.lines} {self.errors}")
                await asyncio.wait(
                    {self._reading, asyncio.ensure_future(self._news.wait())},
                    return_when=asyncio.FIRST_COMPLETED,
                )

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    async def ended(self, seconds: float = 10) -> int:
        """Wait for its end; returns the exit status."""
        async with asyncio.timeout(seconds):
            await asyncio.shield(self._reading)  # it goes on reading for whoever asks again
        code = self._process.returncode
        assert code is not None
        return code

    async def kill(self) -> None:
        """As if the power had failed."""
        self.send(signal.SIGKILL)
        assert await self.ended() == -signal.SIGKILL

    def keeps_secrets(self, *more: str) -> None:
        """Nothing that it wrote holds a secret or a traceback."""
        written = json.dumps(self.lines) + self.errors
        for secret in ("xoxb-local", "xapp-local", "local-signing-secret", API_KEY, GITHUB_TOKEN, *more):
            assert secret not in written
        assert "Traceback" not in written


@asynccontextmanager
async def serving(it: World, **environment: str) -> AsyncIterator[Process]:
    """A bot process that takes Slack's requests; killed at the end if it still runs."""
    process = await Process.start({**it.environment, "LOG_LEVEL": "debug", **environment}, it.folder)
    try:
        process.port = (await process.logged("bot.started"))["port"]
        await process.logged("identity.known")
        it.slack.bot_url = f"http://127.0.0.1:{process.port}/slack/events"
        yield process
    finally:
        it.slack.bot_url = None
        if process._process.returncode is None:
            process.send(signal.SIGKILL)
        await process.ended()
        process.keeps_secrets(TYPED_TOKEN)


async def failed_start(environment: Mapping[str, str], directory: Path) -> tuple[int, list[str]]:
    """The exit status of a start that fails, and its complaints."""
    process = await Process.start(environment, directory)
    code = await process.ended()
    process.keeps_secrets("pasted-into")
    return code, [*process.errors.splitlines(), *(json.dumps(line) for line in process.lines)]


async def get(port: int, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def begun(it: World, *steps: Any, text: str = "go") -> tuple[Message, Message]:
    """A run that streams: its root message and its task's, which shows what came."""
    it.serve(Out("half of it\n"), *steps)
    number = len(it.roots())
    await it.code(text)
    root = await it.root(number)
    return root, await it.says(root, "half of it")


def shown(it: World) -> int:
    """How many runs' messages the bot has stored: Slack has a message a little before the bot knows of it."""
    return len(it.database.rows("SELECT 1 FROM runs WHERE status_ts IS NOT NULL"))


async def eventually(condition: Callable[[], Any]) -> None:
    """For what happens in the other process and is told to nobody: ask until it is so."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  there is no event that this could wait for
            await asyncio.sleep(0.01)


# Starting


@pytest.mark.one_database
async def test_each_missing_setting_is_one_line(tmp_path: Path) -> None:
    code, lines = await failed_start({}, tmp_path)
    assert code == 2
    for name in ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "CLOUDCODING_API_KEY"):
        assert len([line for line in lines if name in line]) == 1
    assert len(lines) == 3


@pytest.mark.one_database
async def test_each_wrong_setting_is_one_line_without_its_value(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        wrong = {
            "PORT": "xoxb-pasted-into-it",
            "SHUTDOWN_GRACE": "-1",
            "DATABASE_URL": "mysql://pasted-into/x",
        }
        code, lines = await failed_start(it.environment | wrong, tmp_path)
    assert code == 2
    assert [line.split()[0] for line in sorted(lines)] == ["DATABASE_URL", "PORT", "SHUTDOWN_GRACE"]


async def test_a_port_in_use_is_one_line_and_leaves_its_owner_s_runs_alone(tmp_path: Path) -> None:
    async with world(tmp_path) as it, serving(it) as process:
        go_on = asyncio.Event()
        root, task = await begun(it, Wait(go_on))
        code, (line,) = await failed_start(it.environment | {"PORT": str(process.port)}, tmp_path)
        assert code == 1
        assert str(process.port) in line
        go_on.set()
        await it.shows(task, "Done")
        await it.shows(root, "Done")


@pytest.mark.one_database
async def test_a_database_that_is_of_no_use_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "corrupt").write_bytes(b"SQLite format 3\0" + b"not really" * 1000)
    with closing(sqlite3.connect(tmp_path / "newer")) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")
        database.commit()
    async with world(tmp_path) as it:
        for path in ("missing/bot.db", "directory", "corrupt", "newer"):
            code, lines = await failed_start(
                it.environment | {"DATABASE_URL": f"sqlite:///{tmp_path / path}"}, tmp_path
            )
            assert code == 1, path
            (line,) = lines
            assert "database" in line


# Serving


async def test_it_is_ready_once_slack_accepts_the_token(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.slack.fail("auth.test", error="invalid_auth", times=1)
        process = await Process.start(it.environment, tmp_path)
        try:
            port = (await process.logged("bot.started"))["port"]
            await process.logged("identity.unknown")
            assert (await get(port, "/healthz"))[0] == 200
            status, text = await get(port, "/readyz")
            assert status == 503
            assert "invalid_auth" in text
            await process.logged("identity.known")
            assert (await get(port, "/readyz"))[0] == 200
            process.send(signal.SIGINT)
            assert await process.ended() == 0
            process.keeps_secrets()
        finally:
            if process._process.returncode is None:
                await process.kill()


async def test_a_run_from_end_to_end(tmp_path: Path) -> None:
    # What Bolt would read from the environment by itself, and the log must not show.
    more = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "pasted-into-it", "LOG_FORMAT": "json"}
    async with world(tmp_path) as it, serving(it, **more) as process:
        go_on = asyncio.Event()
        root, task = await begun(it, Wait(go_on), Say(f"Your {TYPED_TOKEN}."), text=f"use {TYPED_TOKEN}")
        _, text = await get(process.port, "/metrics")
        figures = {
            sample.name: sample
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        assert figures["bot_runs_running"].value == 1
        assert figures["process_resident_memory_bytes"].value > 0
        go_on.set()
        await it.shows(task, "Done", "half of it")
        await it.shows(root, "Done")
        await it.says(root, "Your [redacted].")
        reply = await it.slack.say("ben", "#team", "a reply", thread_ts=root.ts)
        await it.slack.wait_for(lambda: reply.reactions.get("x"))  # the test has no script for it
        await it.slack.press("ben", root, "Retry")
        process.send(signal.SIGTERM)
        assert await process.ended() == 0
        assert (await it.slack.command("ann", "#team", "/code", "too late")).status is None
        process.keeps_secrets("pasted-into-it")
        levels = {line["level"] for line in process.lines}
        assert levels <= {"debug", "info"}, [line for line in process.lines if line["level"] == "warning"]
        assert not process.errors


# Stopping


async def test_running_ones_may_finish(tmp_path: Path) -> None:
    async with world(tmp_path) as it, serving(it, SHUTDOWN_GRACE="20") as process:
        go_on = asyncio.Event()
        root, task = await begun(it, Wait(go_on), Out("all of it\n"))
        process.send(signal.SIGTERM)
        await process.logged("bot.draining")
        await shows_draining(process)
        await it.slack.command("ben", "#team", "/code", "one more")
        await it.told("ben", "one more")
        go_on.set()
        assert await process.ended() == 0
        await it.shows(task, "Done", "all of it")
        await it.shows(root, "Done")
        assert len(it.cloud.requests) == 1


async def shows_draining(process: Process) -> None:
    status, text = await get(process.port, "/readyz")
    assert (status, "draining" in text) == (503, True)
    assert (await get(process.port, "/healthz"))[0] == 200


async def test_what_does_not_finish_is_interrupted(tmp_path: Path) -> None:
    async with world(tmp_path) as it, serving(it, SHUTDOWN_GRACE="0.2") as process:
        root, task = await begun(it, Wait(asyncio.Event()))
        process.send(signal.SIGTERM)
        assert await process.ended() == 0
        assert "half of it" in await it.shows(task, "Interrupted")
        await it.shows(root, "Interrupted", "[Retry]")
        async with serving(it):
            it.serve(Out("whole\n"))
            await it.slack.press("ann", root, "Retry")
            await it.shows(root, "Done")
        assert len(it.cloud.requests) == 2


@pytest.mark.slow
async def test_it_stops_in_time_while_slack_hangs(tmp_path: Path) -> None:
    async with world(tmp_path) as it, serving(it, SHUTDOWN_GRACE="0") as process:
        await begun(it, Wait(asyncio.Event()))
        it.slack.fail("*", timeout=60, times=None)
        process.send(signal.SIGTERM)
        assert await process.ended(25) == 0
        it.slack.heal()


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with serving(it, SHUTDOWN_GRACE="60") as process:
            root, task = await begun(it, Wait(asyncio.Event()))
            process.send(signal.SIGTERM)
            await process.logged("bot.draining")
            process.send(signal.SIGTERM)
            assert await process.ended() == 0
        async with serving(it):
            await it.shows(task, "Interrupted", "half of it")
            await it.shows(root, "Interrupted", "[Retry]")
        assert len(it.cloud.requests) == 1


# Dying


@pytest.mark.one_database  # on a server it takes 15 seconds until a process counts as dead
async def test_after_a_kill_runs_are_interrupted_and_waiting_ones_start(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        async with serving(it, MAX_CONCURRENT_RUNS="1") as process:
            root, task = await begun(it, Wait(asyncio.Event()))
            delivery = await it.slack.command("ben", "#team", "/code", "the second")
            waiting = await it.root(1)
            await it.shows(waiting, "Queued")
            await eventually(lambda: shown(it) == 2)
            await process.kill()
        await it.slack.wait_for(lambda: it.cloud.running == 0)
        it.serve(Out("by itself\n"))
        async with serving(it, MAX_CONCURRENT_RUNS="1"):
            await it.shows(task, "Interrupted", "half of it")
            await it.shows(root, "Interrupted", "[Retry]")
            await it.says(waiting, "Done", "by itself")
            for _ in range(2):
                assert (await it.slack.redeliver(delivery)).accepted
            it.serve(Out("whole\n"))
            await it.slack.press("ann", root, "Retry")
            await it.shows(root, "Done")
        assert asked(it) == ["go", "the second", "go"]
        assert len(it.roots()) == 2


async def test_a_command_that_is_delivered_twice_runs_once_also_across_a_restart(tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.serve(Out("once\n"))
        async with serving(it) as process:
            delivery = await it.slack.command("ann", "#team", "/code", "go")
            await asyncio.gather(*(it.slack.redeliver(delivery) for _ in range(5)))
            root = await it.root()
            await it.shows(root, "Done")
            await process.kill()
        async with serving(it) as process:
            await asyncio.gather(*(it.slack.redeliver(delivery) for _ in range(5)))
            await process.logged("intake.duplicate")
        assert len(it.cloud.requests) == 1
        assert len(it.roots()) == 1


# Everything around it is slow


CHANNELS = ("#team", "#open", "#private", "#shared", "@ann")  # in each Slack takes one message a second


class Chatter:
    """Goes on and on until a test has seen enough."""

    def __init__(self) -> None:
        self.enough = asyncio.Event()

    async def take(self, stream: Stream) -> None:
        number = 0
        while not self.enough.is_set():
            number += 1
            await stream.stdout(f"line {number}\n")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def busy(tmp_path: Path) -> AsyncIterator[World]:
    """Ten runs stream; whatever is not acknowledged within one second counts as refused."""
    local = LocalSlack(limits=None, ack_seconds=1, retry_delays=(0, *[0.5] * 20))
    chatter = Chatter()
    async with world(tmp_path, local=local) as it, serving(it) as process:
        for number in range(10):
            it.serve(chatter)
            await it.code("chatter", channel=CHANNELS[number % 5])
        await it.slack.wait_for(lambda: it.cloud.running == 10, 10)
        yield it
        chatter.enough.set()
        await process.kill()


def asked(it: World) -> list[str]:
    """The prompts that the service was sent."""
    return [request.body["messages"][-1]["content"] for request in it.cloud.requests if request.body]


async def started(it: World, text: str) -> None:
    """Wait for its request: what Slack shows of it shares the budget of edits with ten runs."""
    await eventually(lambda: text in asked(it))


async def test_acknowledgements_wait_for_nothing(tmp_path: Path) -> None:
    async with busy(tmp_path) as it:
        await while_slack_hangs(it)
        await while_the_service_hangs(it)
        await while_the_database_is_locked(it, 0.5)
        await while_the_database_is_locked(it, 3.5)


async def while_slack_hangs(it: World) -> None:
    for method in ("chat.postMessage", "chat.update", "chat.postEphemeral", "users.info", "response_url"):
        it.slack.fail(method, timeout=3, times=None)
    it.serve(Out("ok\n"))
    it.serve(Out("ok\n"))
    await it.code("a slow command", user="ben", channel="#private")
    await it.code("status")
    await it.code("repo=foo a mistake")
    await it.slack.say("ben", "#shared", "@code a slow mention")
    await it.code("stop r-zzzz")
    assert all(delivery.accepted for delivery in it.slack.deliveries)
    it.slack.heal()
    await it.told("ann", "`repo=foo` is not a repository")
    await started(it, "a slow command")
    await started(it, "a slow mention")


async def while_the_service_hangs(it: World) -> None:
    go_on = asyncio.Event()
    for channel in CHANNELS[:3]:
        it.serve(Silent(), Wait(go_on), Out("at last\n"))
        await it.code(f"silent in {channel[1:]}", channel=channel)
    await it.slack.wait_for(lambda: it.cloud.running == 13, 10)
    await it.code("status")
    await it.told("ann", "Running")
    go_on.set()
    for channel in CHANNELS[:3]:
        await started(it, f"silent in {channel[1:]}")


async def while_the_database_is_locked(it: World, seconds: float) -> None:
    """A command is started, or given back to its author; a message, which Slack redelivers, is started."""
    command, mention = f"a command for {seconds} s", f"a mention for {seconds} s"
    it.serve(Out("ok\n"))
    it.serve(Out("ok\n"))
    with ExitStack() as lock:
        lock.enter_context(it.database.locked())
        asyncio.get_running_loop().call_later(seconds, lock.close)
        assert (await it.slack.command("ben", "#private", "/code", command)).accepted
        await it.slack.say("ben", "#shared", f"@code {mention}")
        await started(it, mention)

    def given_back() -> int:
        told = [told.text for told in it.slack.ephemerals("ben") if command in told.text]
        return len([text for text in told if "not started" in text])

    await eventually(lambda: command in asked(it) or given_back())
    assert asked(it).count(mention) == 1
    assert asked(it).count(command) + given_back() == 1
