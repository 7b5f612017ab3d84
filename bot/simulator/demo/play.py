"""The demo from its first line to its summary."""

import asyncio
import contextlib
import io
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console

from bot.simulator.agent.repositories import RepositoryError
from bot.simulator.demo.audience import CHANNEL, Audience, Reporter, spectator
from bot.simulator.demo.scenes import ANY_AGENTS, SCENES, Play, SceneError
from bot.simulator.demo.stage import Stage, StageError, stage
from bot.simulator.demo.typed import serve
from bot.simulator.demo.view import root_view, thread_view
from bot.simulator.slack import LocalSlack, Message

_TERMINATED, _INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT
READING = 2.5  # seconds after each scene
_PICTURE_COLUMNS, _PICTURE_ROWS = 110, 8  # room for lines of the agent's 100 columns


@dataclass(frozen=True, slots=True)
class Choices:
    """What was asked for on the command line."""

    repo: str | None = None
    agent_command: str | None = None
    serve: bool = False
    fast: bool = False
    picture: Path | None = None


def run(choices: Choices, out: TextIO) -> int:
    """Play, or serve until interrupted; returns the exit status."""
    console = Console(file=out, highlight=False)
    try:
        return asyncio.run(_run(choices, console))
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except asyncio.CancelledError:
        status = _TERMINATED
    _say(console, "\nEverything is down again.")
    return 0 if choices.serve else status


async def _run(choices: Choices, console: Console) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    _say(console, "Starting the bot, a local Slack and a local agent …")
    try:
        async with stage(choices.repo, choices.agent_command, fast=choices.fast) as up:
            if choices.serve:
                async with _watching(up.slack, console, live=False) as audience:
                    await serve(up, audience, sys.stdin, lambda text: _say(console, text))
            return await _play(up, choices, console)
    except (StageError, RepositoryError) as error:
        _say(console, f"The demo could not be set up. {error}")
        return 1


async def _play(up: Stage, choices: Choices, console: Console) -> int:
    began = time.monotonic()
    album = Album(up.slack)
    try:
        async with _watching(up.slack, console, live=console.is_terminal) as audience:
            play = Play(
                up,
                audience,
                own_agent=choices.agent_command is None,
                pace=0.0 if choices.fast else 1.0,
                snapshot=album.add,
            )
            for scene in SCENES:
                if play.own_agent or scene in ANY_AGENTS:
                    await scene(play)
                    await play.pause(READING)
    except SceneError as error:
        _say(console, f"\nThe demo failed. {error}\n\nThe end of the bot's log:\n{up.log_tail()}")
        return 1
    _summary(play, console, time.monotonic() - began)
    if choices.picture:
        album.save(choices.picture)
        _say(console, f"\nThe picture is in {choices.picture}.")
    return 0


@asynccontextmanager
async def _watching(slack: LocalSlack, console: Console, *, live: bool) -> AsyncIterator[Audience]:
    """Who watches: a person at a terminal, or else a log."""
    if live:
        async with spectator(slack, console) as person:
            yield person
    else:
        reporter = Reporter(slack, lambda line: _say(console, line))
        slack.workspace.hub.listen(reporter.changed)
        yield reporter
        reporter.write = lambda _: None  # what comes after the last scene is nobody's business


def _summary(play: Play, console: Console, seconds: float) -> None:
    slack = play.slack
    slowest = max(delivery.seconds for delivery in slack.deliveries)
    facts = {
        "Requests from Slack": f"{len(slack.deliveries)}, the slowest acknowledged after {slowest * 1000:.0f} ms",
        "Runs at the service": str(len(play.stage.cloud.requests)),
        "Messages posted": str(slack.counts["chat.postMessage"]),
        "Edits": str(slack.counts["chat.update"]),
        "Rate limits (429) met": str(sum(slack.limited.values())),
        "Until the first message": f"at most {max(play.to_message) * 1000:.0f} ms",
        "Until the first output": f"at most {max(play.to_output):.1f} s",
    }
    if play.to_stop is not None:
        facts["From the button to Stopped"] = f"{play.to_stop * 1000:.0f} ms"
    _say(console, f"\nEverything was as it should be, after {seconds:.0f} s.")
    for name, value in facts.items():
        _say(console, f"  {name:<27} {value}")
    _say(
        console,
        "\nWhat next?\n"
        "  python -m bot demo --serve    try it yourself: type requests, or point another bot at it\n"
        "  README.md, “Use it in your Slack”: three tokens and a manifest",
    )


def _say(console: Console, text: str) -> None:
    """Text as it is: neither markup nor wrapped."""
    console.print(text, markup=False, emoji=False, soft_wrap=True)


@dataclass(slots=True)
class Album:
    """Pictures of a thread at several moments, one above the other."""

    slack: LocalSlack
    _console: Console = field(
        default_factory=lambda: Console(
            record=True,
            width=_PICTURE_COLUMNS,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
            legacy_windows=False,
        )
    )

    def add(self, root: Message) -> None:
        """What is to be seen now."""
        self._console.print(
            root_view(self.slack, CHANNEL, root), thread_view(self.slack, root, _PICTURE_ROWS)
        )

    def save(self, path: Path) -> None:
        """Write them as SVG."""
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(parents=True)
        path.write_text(self._console.export_svg(title=CHANNEL))
