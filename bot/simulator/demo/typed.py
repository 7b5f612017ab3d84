"""``demo --serve``: what a person types becomes what ann does in #team."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import TextIO

from bot.simulator.demo.audience import CHANNEL, Audience
from bot.simulator.demo.scenes import WHO
from bot.simulator.demo.stage import Stage
from bot.simulator.slack import Message
from bot.simulator.slack.desk import RefusedError

_HELP = """\
  /code …         as ann in #team; \\n begins a new line:  /code parallel\\na: count the lines\\nb: run the tests
  > text          a reply in the newest run's thread
  ! Stop          press that button of the newest run's message
Ctrl-C ends everything."""


async def serve(up: Stage, audience: Audience, typed: TextIO, say: Callable[[str], None]) -> None:
    """Stay up until cancelled; take lines from ``typed`` where that is a terminal."""
    say(f"\nThe bot is up at {up.bot_url} (/healthz, /readyz, /metrics).")
    say("Another bot finds the same Slack and the same service with:\n")
    for name, value in {**up.environment, "SLACK_APP_TOKEN": up.slack.app_token}.items():
        # The app-level token switches a bot to Socket Mode, in which it needs no address of its own.
        say(f"  export {name}={value}")
    body = f'{{"repo_url": "https://github.com/{up.repo}", "github_token": "x", "messages": [{{"type": "human", "content": "count the lines"}}]}}'
    key = up.environment["CLOUDCODING_API_KEY"]
    say("\nThe service alone:\n")
    say(f"  curl -N {up.cloud.url}/invoke/stdout -H 'x-api-key: {key}' --json '{body}'")
    if not typed.isatty():
        say("\nCtrl-C ends everything.")
        await asyncio.Event().wait()
    say(f"\nType:\n{_HELP}\n")
    async for line in _lines(typed):
        try:
            await obey(up, audience, line)
        except (RefusedError, LookupError) as error:
            say(f"That can't be done: {error}" if isinstance(error, RefusedError) else "There is no run yet.")
    await asyncio.Event().wait()


async def obey(up: Stage, audience: Audience, line: str) -> None:
    """Do what one line says. Raises ``LookupError`` where it needs a run and there is none, and ``RefusedError``."""
    text = line.replace("\\n", "\n").strip()
    if text.startswith(">"):
        text = text[1:].strip()
        audience.act(WHO, f"{text}  (in the thread)")
        await up.slack.say(WHO, CHANNEL, text, thread_ts=_newest(up).ts)
    elif text.startswith("!"):
        audience.act(WHO, f"presses [{text[1:].strip()}]")
        await up.slack.press(WHO, _newest(up), text[1:].strip())
    elif text:
        command = text.removeprefix("/code").strip() if text.split(maxsplit=1)[0] == "/code" else text
        audience.act(WHO, f"/code {command}")
        await up.slack.command(WHO, CHANNEL, "/code", command)


def _newest(up: Stage) -> Message:
    return [message for message in up.slack.messages(CHANNEL) if message.bot_id][-1]


async def _lines(typed: TextIO) -> AsyncIterator[str]:
    """Lines as they are typed, until Ctrl-D."""
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    loop, descriptor = asyncio.get_running_loop(), typed.fileno()
    loop.add_reader(descriptor, lambda: pieces.put_nowait(os.read(descriptor, 2**16)))
    begun = b""
    try:
        while piece := await pieces.get():
            *lines, begun = (begun + piece).split(b"\n")
            for line in lines:
                yield line.decode(errors="replace")
    finally:
        loop.remove_reader(descriptor)
