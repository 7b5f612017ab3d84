"""The bot as its own process, as an operator runs it."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from tests.support.cloudcoding import API_KEY, Event, Fail, Out, Raw, Wait
from tests.support.world import GITHUB_TOKEN, World, world

PAT = "github_pat_" + "".join(f"{number:02}Ab" for number in range(18))


@dataclass(slots=True)
class Process:
    url: str
    running: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def ready(self) -> None:
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.running.send_signal(how)
        async with asyncio.timeout(30):
            output, _ = await self.running.communicate()
        self.lines += output.decode().splitlines()
        return int(self.running.returncode or 0)


@asynccontextmanager
async def serving(it: World, **environment: str) -> AsyncIterator[Process]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = {
        name: os.environ[name] for name in ("PATH", "HOME", "VIRTUAL_ENV", "PYTHONPATH") if name in os.environ
    }
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "serve",
        env={**path, **it.environment, "PORT": str(port), **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    process = Process(f"http://127.0.0.1:{port}", running)
    it.slack.bot_url = f"{process.url}/slack/events"
    try:
        await process.ready()
        yield process
    finally:
        if running.returncode is None:
            running.kill()
            await running.communicate()


async def test_its_log_is_json_without_secrets_and_it_ends_well(tmp_path: Path) -> None:
    async with world(tmp_path, LOG_LEVEL="debug", SHUTDOWN_GRACE="0.2") as it, serving(it) as process:
        it.serve(
            Out(f"token {GITHUB_TOKEN}\n"),
            Event(f"custom-{PAT}", {PAT: PAT}),
            Raw(f"data: {{{PAT}\n\n".encode()),
            Event("custom", {"task_name": PAT, "stdout": "x\n"}),
            Fail(None, f"bad {API_KEY} {PAT}"),
        )
        await it.code(f"branch={PAT} use {PAT}")
        await it.shows(await it.root(), "Failed", "[redacted]")
        it.cloud.fail_next(422, body={"detail": f"no {API_KEY} {PAT}"})
        await it.code(f"again {PAT}")
        await it.shows(await it.root(1), "Failed", "[redacted]")
        await it.code(f"repo=x/{PAT}/y nothing")
        await it.told("ann", "[redacted]")
        it.slack.fail("chat.update", error=f"odd_{PAT}", times=2)
        go_on = asyncio.Event()
        it.serve(Out("half\n"), Wait(go_on))
        await it.code("last")
        root = await it.root(2)
        await it.says(root, "half")
        it.serve()
        assert await process.end() == 0
        await it.shows(root, "Interrupted", "[Retry]")
    events = [json.loads(line) for line in process.lines]
    assert {"bot.started", "run.started", "run.ended", "bot.stopped"} <= {event["event"] for event in events}
    log = "\n".join(process.lines)
    for secret in (PAT, API_KEY, GITHUB_TOKEN, it.slack.bot_token, it.slack.signing_secret):
        pieces = {secret[at : at + 12] for at in range(max(1, len(secret) - 11))}
        assert not [piece for piece in pieces if piece in log]
    assert "Traceback" not in log
