"""The whole bot between a local Slack and a scripted service, over real HTTP."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.app import Bot, running_bot
from bot.clock import Clock
from bot.settings import Settings
from bot.simulator.cloudcoding import CloudCodingServer
from bot.simulator.slack import LocalSlack, Message
from tests.store import databases
from tests.store.databases import SomeDatabase
from tests.support.cloudcoding import API_KEY, Scripts, Step, cloud

GITHUB_TOKEN = "ghp_" + "t0ken" * 8
REPO = "acme/api"


@dataclass(slots=True)
class Time:
    """A clock that goes on by itself, and that a test can set forward."""

    ahead: float = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(wall=lambda: time.time() + self.ahead, monotonic=lambda: time.monotonic() + self.ahead)


@dataclass(slots=True)
class World:
    """What a scenario acts on and looks at."""

    slack: LocalSlack
    cloud: CloudCodingServer
    scripts: Scripts
    folder: Path
    database: SomeDatabase
    environment: dict[str, str]
    time: Time = field(default_factory=Time)
    bot: Bot | None = None

    @asynccontextmanager
    async def running(self, *, web: bool = True, **environment: str) -> AsyncIterator[Bot]:
        """Start the bot, or without ``web`` a worker; a scenario can do so again and again on the same database."""
        # A type checker knows an initialiser for fields of their own types alone.
        build: Callable[..., Settings] = Settings
        given = {name.lower(): value for name, value in (self.environment | environment).items()}
        settings = build(**given)
        async with running_bot(settings, self.time.clock, web=web) as bot:
            self.bot = bot
            if web:
                self.slack.bot_url = f"http://127.0.0.1:{bot.port}/slack/events"
            yield bot

    def serve(self, *steps: Step) -> None:
        """What the service does on the next request."""
        self.scripts.add(*steps)

    async def code(self, text: str, *, user: str = "ann", channel: str = "#team") -> None:
        """``/code text``; the acknowledgement must be good, and have nothing to say but where the machine is busy."""
        delivery = await self.slack.command(user, channel, "/code", text)
        assert delivery.accepted, delivery
        assert not delivery.body or "not stored yet" in str(delivery.body), delivery.body

    async def root(self, number: int = 0, channel: str = "#team") -> Message:
        """The bot's root message of the ``number``-th request in the channel."""
        return await self.slack.wait_for(lambda: self.roots(channel)[number])

    def roots(self, channel: str = "#team") -> list[Message]:
        return [message for message in self.slack.messages(channel) if message.bot_id]

    def thread(self, root: Message, channel: str = "#team") -> list[Message]:
        """The bot's messages in a thread."""
        return [message for message in self.slack.messages(channel, root.ts) if message.bot_id]

    async def shows(self, message: Message, *texts: str) -> str:
        """Wait until a message shows all of these; returns everything it shows."""
        await self.slack.wait_for(lambda: all(text in self.slack.visible(message) for text in texts))
        return str(self.slack.visible(message))

    async def says(self, root: Message, *texts: str, channel: str = "#team") -> Message:
        """Wait for a message of the bot in the thread that shows all of these."""

        def find() -> Message | None:
            found = (m for m in self.thread(root, channel) if all(t in self.slack.visible(m) for t in texts))
            return next(found, None)

        return await self.slack.wait_for(find)

    async def told(self, user: str, text: str, channel: str = "#team") -> Any:
        """Wait for an answer to this person alone."""

        def find() -> Any:
            return next((e for e in self.slack.ephemerals(user, channel) if text in e.text), None)

        return await self.slack.wait_for(find)

    def body(self, number: int = -1) -> dict[str, Any]:
        """What the service was sent."""
        sent: dict[str, Any] = self.cloud.requests[number].body
        return sent


@asynccontextmanager
async def world(
    tmp_path: Path, *, framing: str = "envelope", local: LocalSlack | None = None, **environment: str
) -> AsyncIterator[World]:
    """A local Slack and a service, and the environment of a bot that uses them and a database of its own."""
    scripts = Scripts()
    with databases.of_scenario(tmp_path) as database:
        async with local or LocalSlack(limits=None) as slack, cloud(scripts, framing=framing) as service:
            settings = {
                "SLACK_BOT_TOKEN": slack.bot_token,
                "SLACK_SIGNING_SECRET": slack.signing_secret,
                "SLACK_API_URL": slack.api_url,
                "CLOUDCODING_API_KEY": API_KEY,
                "CLOUDCODING_API_URL": service.url,
                "CLOUDCODING_DEFAULT_REPO": REPO,
                "GITHUB_TOKEN": GITHUB_TOKEN,
                "DATABASE_URL": database.url,
                "PORT": "0",
                **environment,
            }
            yield World(slack, service, scripts, tmp_path, database, settings)
