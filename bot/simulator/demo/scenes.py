"""What is played: each scene does something in Slack as a person would, and checks what came of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from bot.simulator.demo.audience import CHANNEL, Audience
from bot.simulator.demo.shown import Part, Shown, read
from bot.simulator.demo.stage import Stage
from bot.simulator.slack import Ephemeral, LocalSlack, Message, View

Found = TypeVar("Found")

SECONDS = 60.0  # that any one thing may take
OTHER_AGENT_SECONDS = 900.0  # the same where another agent works
WHO = "ann"
ENDS = frozenset({"Done", "Failed", "Stopped", "Interrupted"})
_MUCH = 8  # lines of output make a good picture


class SceneError(Exception):
    """Something was not to be seen; the message says what."""


@dataclass(slots=True)
class Play:
    """The stage, who watches, and how long it took until something was to be seen, in seconds.

    ``own_agent``: the built-in agent works, so that it is known what it answers, and when. ``snapshot`` is called with
    the root message of a run that makes a good picture. ``pace`` 0: nobody needs time to read.
    """

    stage: Stage
    audience: Audience
    own_agent: bool
    pace: float
    snapshot: Callable[[Message], None]
    to_message: list[float] = field(default_factory=list)
    to_output: list[float] = field(default_factory=list)
    to_stop: float | None = None

    @property
    def slack(self) -> LocalSlack:
        """The local Slack."""
        return self.stage.slack

    async def request(self, text: str) -> Message:
        """``/code text``; returns the root message."""
        self.audience.act(WHO, f"/code {text}")
        known = len(self.slack.messages(CHANNEL))
        began = time.monotonic()
        delivery = await self.slack.command(WHO, CHANNEL, "/code", text)
        if not delivery.accepted:
            raise SceneError(f"The bot did not acknowledge the command: {delivery.attempts[-1].failure}.")
        root = await self.see("the root message", lambda: self.slack.messages(CHANNEL)[known])
        self.to_message.append(time.monotonic() - began)
        self.audience.look(root)
        await self.see("the first output", lambda: any(self.outputs(root)))
        self.to_output.append(time.monotonic() - began)
        return root

    async def see(self, what: str, predicate: Callable[[], Found | None]) -> Found:
        """The first truthy value of ``predicate``; a ``SceneError`` where it takes too long, or the bot has ended."""
        seconds = SECONDS if self.own_agent else OTHER_AGENT_SECONDS
        seeing = asyncio.create_task(self.slack.wait_for(predicate, seconds), name=f"see {what}")
        ending = asyncio.create_task(self.stage.bot.wait(), name="end of the bot")
        try:
            await asyncio.wait({seeing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not seeing.done():
                raise SceneError(f"The bot ended, with status {ending.result()}, before {what}.")
            return seeing.result()
        except TimeoutError as error:
            raise SceneError(f"Waited in vain for {what}: {error}") from None
        finally:
            seeing.cancel()
            ending.cancel()

    async def pause(self, seconds: float) -> None:
        """Let people read."""
        await asyncio.sleep(seconds * self.pace)

    def shown(self, message: Message) -> Shown:
        """What a message shows now."""
        return read(self.slack, message)

    def thread(self, root: Message) -> list[Shown]:
        """What the bot's messages in a thread show now."""
        shown = map(self.shown, self.slack.messages(CHANNEL, root.ts))
        return [reply for reply in shown if reply.by_bot]

    def outputs(self, root: Message) -> list[list[str]]:
        """The lines of output that each task's message of a thread shows."""
        return [lines for shown in self.thread(root) if (lines := shown.texts(Part.OUTPUT))]

    def answers(self, root: Message) -> list[str]:
        """The agent's answers in a thread."""
        return ["\n".join(lines) for shown in self.thread(root) if (lines := shown.texts(Part.MARKDOWN))]

    async def ended(self, root: Message, *states: str) -> None:
        """Wait until a root message shows that its run has ended, in one of these states."""
        await self.see("the run's end", lambda: self.shown(root).state in ENDS)
        if self.shown(root).state not in states:
            expected = " or ".join(states)
            raise SceneError(f"This run should have ended as {expected}:\n{self.slack.visible(root)}")


async def single(play: Play) -> None:
    """One task, and a reply that waits for its turn and then continues."""
    play.audience.scene("One task, and a reply that waits its turn")
    root = await play.request(f"repo={play.stage.repo} Show the history and count the lines")
    text = "and which modules are the largest?"
    await play.pause(1.0)
    play.audience.act(WHO, f"{text}  (in the thread)")
    reply = await play.slack.say(WHO, CHANNEL, text, thread_ts=root.ts)
    await play.ended(root, "Done")
    await play.see("the answer", lambda: play.answers(root)[0])
    await play.see("the reply's end", lambda: [*reply.reactions] == ["white_check_mark"])
    await play.see("its answer", lambda: play.answers(root)[1])
    if play.own_agent and "You had asked" not in play.answers(root)[1]:
        raise SceneError(f"The reply did not continue the conversation:\n{play.answers(root)[1]}")


async def parallel(play: Play) -> None:
    """Two tasks at once, and a mistake meanwhile."""
    play.audience.scene("Two tasks at once, and a mistake meanwhile")
    tasks = ("quality: compile every module and look for TODOs", "tests: run the quick tests")
    root = await play.request("\n".join(["parallel", *tasks]))
    await play.see("the output of both tasks", lambda: len(play.outputs(root)) == len(tasks))
    await play.pause(2.0)
    await mistake(play)
    await play.see("some more output", lambda: play.shown(root).state in ENDS or _much(play.outputs(root)))
    play.snapshot(root)
    await play.ended(root, "Done")
    await play.see("both answers", lambda: len(play.answers(root)) == len(tasks))
    play.snapshot(root)


async def mistake(play: Play) -> None:
    """What is wrong is answered to its author alone, and nothing is started."""
    requests = len(play.stage.cloud.requests)
    play.audience.act(WHO, "/code repo=foo Fix the login")
    await play.slack.command(WHO, CHANNEL, "/code", "repo=foo Fix the login")
    await play.see("the mistake's answer", lambda: _told(play, "Nothing was started."))
    if len(play.stage.cloud.requests) != requests:
        raise SceneError("A mistaken request was started.")


async def form(play: Play) -> None:
    """A request that is filled in instead of written."""
    play.audience.scene("A request from the form")
    known = len(play.slack.messages(CHANNEL))
    play.audience.act(WHO, "/code")
    await play.slack.command(WHO, CHANNEL, "/code", "")
    view = await play.see("the form", lambda: _open_form(play))
    play.audience.act(WHO, "fills in the prompt, and presses [Run]")
    delivery = await play.slack.submit(WHO, view, {"Prompt": "Count the lines of every module"})
    if not delivery.accepted:
        raise SceneError("The bot did not take the form.")
    root = await play.see("the root message", lambda: play.slack.messages(CHANNEL)[known])
    play.audience.look(root)
    await play.ended(root, "Done")
    await play.see("the answer", lambda: play.answers(root))


async def waiting(play: Play) -> None:
    """Replies that wait behind a run that would go on for ever: one is dropped, the other one sent at once."""
    play.audience.scene("Replies that wait: one is dropped, one sent at once")
    root = await _watch(play)
    first = await _wait_behind(play, root, "and how long are the functions?", "Queued · 1st")
    second = await _wait_behind(play, root, "and show the history", "Queued · 2nd")
    play.audience.act(WHO, "/code status")
    await play.slack.command(WHO, CHANNEL, "/code", "status")
    await play.see("the list of runs", lambda: _told(play, "1 running, 2 waiting"))
    await play.pause(2.0)
    play.audience.act(WHO, "presses [Drop] on the first one")
    await play.slack.press(WHO, first, "Drop")
    await play.ended(first, "Stopped")
    await play.see("the second one's new place", lambda: "Queued · 1st" in play.slack.visible(second))
    await play.pause(1.0)
    play.audience.act(WHO, "presses [Send now] on the second one, and confirms it")
    await play.slack.press(WHO, second, "Send now")
    await play.ended(root, "Stopped")
    await play.ended(second, "Done")
    await play.see("its answer", lambda: play.answers(root))


async def _wait_behind(play: Play, root: Message, text: str, state: str) -> Message:
    """Reply in a busy thread; returns the bot's message that shows how the reply stands."""
    known = {message.ts for message in play.slack.messages(CHANNEL, root.ts)}
    play.audience.act(WHO, f"{text}  (in the thread)")
    await play.slack.say(WHO, CHANNEL, text, thread_ts=root.ts)
    return await play.see(
        f"that it is {state}",
        lambda: next(
            (
                message
                for message in play.slack.messages(CHANNEL, root.ts)
                if message.ts not in known and state in play.slack.visible(message)
            ),
            None,
        ),
    )


async def stop(play: Play) -> None:
    """A run that would go on for ever, stopped by its button."""
    play.audience.scene("A run that is stopped by its button")
    root = await _watch(play)
    play.audience.act(WHO, "presses [Stop], and confirms it: [Stop run]")
    began = time.monotonic()
    await play.slack.press(WHO, root, "Stop")
    await play.ended(root, "Stopped")
    play.to_stop = time.monotonic() - began
    await play.see("who stopped it", lambda: f"Stopped by @{WHO}." in play.slack.visible(root))
    await _idle(play)


async def _watch(play: Play) -> Message:
    """A run that goes on until somebody stops it."""
    root = await play.request("Keep watch over this repository until I stop you")
    await play.see(
        "its first round", lambda: any("round 1" in "\n".join(lines) for lines in play.outputs(root))
    )
    await play.pause(2.0)
    return root


async def _idle(play: Play) -> None:
    """Nothing of a stopped run goes on."""
    request = play.stage.cloud.requests[-1]
    async with asyncio.timeout(SECONDS):
        await request.finished.wait()
    if play.stage.agent.running:
        raise SceneError("The agent still works although the run was stopped.")


def _much(outputs: list[list[str]]) -> bool:
    return all(len(lines) >= _MUCH for lines in outputs)


def _told(play: Play, text: str) -> Ephemeral | None:
    return next((told for told in play.slack.ephemerals(WHO, CHANNEL) if text in told.text), None)


def _open_form(play: Play) -> View | None:
    try:
        return play.slack.modal(WHO)
    except LookupError:
        return None


Scene = Callable[[Play], Awaitable[None]]
SCENES: tuple[Scene, ...] = (single, parallel, form, waiting, stop)
ANY_AGENTS: frozenset[Scene] = frozenset({single, parallel, form})
"""Those that don't depend on how long the agent works: another one may be through before a button can be pressed."""
