"""What the demo plays on: a local Slack, a local agent behind a local Cloud Coding API, and the real bot as a process."""

import asyncio
import contextlib
import os
import secrets
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bot.simulator.agent.local import LocalAgent
from bot.simulator.agent.repositories import Repositories, stand_in
from bot.simulator.cloudcoding import CloudCodingServer
from bot.simulator.demo import PROJECT
from bot.simulator.slack import Limits, LocalSlack

OWN_NAME = "local/slack-coding-bot"
READY_SECONDS = 30.0
STOP_SECONDS = 15.0
LOG_LINES = 15
_POLL = 0.05  # seconds between questions whether the bot is ready
_PASSED_ON = {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"}
_AGENT_PACE = 1.5


class StageError(Exception):
    """The demo can't go on; the message says why, for people."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that is up. ``environment`` are the settings by which a bot finds the two servers."""

    slack: LocalSlack
    cloud: CloudCodingServer
    agent: LocalAgent
    repo: str
    environment: Mapping[str, str]
    bot_url: str
    bot: asyncio.subprocess.Process
    log: Path

    def log_tail(self) -> str:
        """The last lines of the bot's log."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:]) or "(it logged nothing)"


@asynccontextmanager
async def stage(repo: str | None, agent_command: str | None, *, fast: bool) -> AsyncIterator[Stage]:
    """Put up the stage; leaving it takes everything down. ``repo``: a path or URL, this project where it is ``None``.

    Raises ``StageError`` or ``RepositoryError``.
    """
    async with AsyncExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bot-demo-")))
        name, location = await stand_in(repo or _own_source(), scratch)
        name = name if repo else OWN_NAME
        repositories = Repositories(scratch / "github", {name: location})
        agent = LocalAgent(repositories, agent_command, scratch=scratch, pace=0.0 if fast else _AGENT_PACE)
        await stack.enter_async_context(agent)
        api_key = f"local-{secrets.token_hex(8)}"
        cloud = await stack.enter_async_context(CloudCodingServer(agent, api_key=api_key, open_at_once=False))
        slack = await stack.enter_async_context(LocalSlack(limits=Limits()))
        environment = {
            "SLACK_API_URL": slack.api_url,
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_SIGNING_SECRET": slack.signing_secret,
            "CLOUDCODING_API_URL": cloud.url,
            "CLOUDCODING_API_KEY": api_key,
            "CLOUDCODING_DEFAULT_REPO": name,
            "GITHUB_TOKEN": f"local-{secrets.token_hex(8)}",
        }
        log, port = scratch / "bot.log", _free_port()
        bot = await stack.enter_async_context(_bot(environment, port, scratch, log))
        bot_url = f"http://127.0.0.1:{port}"
        up = Stage(slack, cloud, agent, name, environment, bot_url, bot, log)
        await _ready(up)
        slack.bot_url = f"{bot_url}/slack/events"
        yield up


def _own_source() -> str:
    """The checkout of this project; where it was installed as a package, the package."""
    return str(PROJECT if (PROJECT / "pyproject.toml").is_file() else PROJECT / "bot")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def _bot(
    environment: Mapping[str, str], port: int, scratch: Path, log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """``python -m bot serve`` with these settings and none of the user's own: no variables, no ``.env``."""
    own = {name: value for name, value in os.environ.items() if name in _PASSED_ON}
    # In a folder of its own it finds no .env; the path is for a checkout that isn't installed.
    settings = {
        "PORT": str(port),
        "DATABASE_URL": f"sqlite:///{scratch / 'bot.db'}",
        "LOG_FORMAT": "json",
        "SHUTDOWN_GRACE": "0",  # who ends the demo doesn't wait for its runs
        "PYTHONPATH": str(PROJECT),
    }
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "serve",
            cwd=scratch,
            env={**own, **environment, **settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C is for the demo, which then ends the bot
        )
    try:
        yield process
    finally:
        await asyncio.shield(_end(process))


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _ready(up: Stage) -> None:
    """Wait until the bot says that it is ready."""
    said = "nothing"
    with contextlib.suppress(TimeoutError):
        async with aiohttp.ClientSession() as http, asyncio.timeout(READY_SECONDS):
            while up.bot.returncode is None:
                try:
                    async with http.get(f"{up.bot_url}/readyz") as response:
                        if response.ok:
                            return
                        said = (await response.text()).strip()
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(_POLL)
    if up.bot.returncode is not None:
        raise StageError(f"The bot ended at once, with status {up.bot.returncode}:\n{up.log_tail()}")
    raise StageError(f"The bot was not ready within {READY_SECONDS:.0f} s ({said}):\n{up.log_tail()}")
