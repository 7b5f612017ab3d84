"""Bot processes beside one local Slack and one database, and all that can happen to them.

::

    async with world(tmp_path) as it, cluster(it.slack, it.environment, tmp_path) as bots:
        first = await bots.start()
        ...
        await first.kill()
        await bots.start()
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from bot.simulator.slack import LocalSlack
from tests.chaos.door import Door
from tests.chaos.process import TAIL, BotProcess, NotStartedError


class Cluster:
    """The processes, oldest first, and the door that Slack's requests come through. Made by ``cluster``."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.processes: list[BotProcess] = []
        self.door = Door(lambda: self.open)
        self._environment = {**environment, "PORT": "0", "LOG_LEVEL": "debug", "LOG_FORMAT": "json"}
        self._folder = folder
        self._number = 0

    @property
    def alive(self) -> list[BotProcess]:
        """Those that haven't ended."""
        return [process for process in self.processes if process.alive]

    @property
    def open(self) -> list[BotProcess]:
        """Those to which a router sends requests: they listen, and weren't told to end, unless no other is left."""
        listening = [process for process in self.alive if process.role == "serve" and process.port]
        return [process for process in listening if process.at("terminated") is None] or listening

    async def begin(self, role: str = "serve", **environment: str) -> BotProcess:
        """Start one more, a ``serve``, a ``worker``, or a ``web``, which only serves; returns before it is up."""
        self._number += 1
        name = f"{role}-{self._number}"
        if role == "web":
            role, environment = "serve", {"EMBEDDED_WORKER": "false", **environment}
        process = await BotProcess.start(name, role, self._environment | environment, self._folder)
        self.processes.append(process)
        return process

    async def start(self, role: str = "serve", **environment: str) -> BotProcess:
        """Start one more; returns when it is up."""
        process = await self.begin(role, **environment)
        await process.up()
        return process

    async def migrate(self) -> None:
        """The release phase: bring the tables up to date."""
        release = await self.begin("migrate")
        if await release.ended(60) != 0:
            raise NotStartedError(release.tail())

    async def kill(self) -> None:
        """End all of them at once; SIGKILL also ends what is frozen."""
        living = self.alive
        for process in living:
            process.shoot()
        await asyncio.gather(*(process.ended(10) for process in living))

    def tails(self, lines: int = TAIL) -> str:
        """The ends of all logs."""
        return "\n".join(process.tail(lines) for process in self.processes)


@asynccontextmanager
async def cluster(
    slack: LocalSlack, environment: Mapping[str, str], folder: Path, *, show: bool = True
) -> AsyncIterator[Cluster]:
    """No process yet. None is left at the end, and where a check failed the ends of their logs are printed."""
    it = Cluster(environment, folder)
    async with it.door:
        slack.bot_url = it.door.url
        try:
            yield it
        except BaseException:
            if show:
                sys.stdout.write(it.tails() + "\n")
            raise
        finally:
            slack.bot_url = None
            await it.kill()
