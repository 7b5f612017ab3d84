"""A process dies while replies wait for its run: they wait on, and say so, until somebody decides."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.simulator.slack import Message
from tests.scenarios.test_takeover import Stage, play, stage
from tests.support.cloudcoding import Cut, Out, Say, Wait
from tests.support.world import World

HELD = "Waits: the run before it was interrupted."
LONG_ENOUGH = 1.5  # seconds in which a dispatcher has looked by itself, for a run that it must not start


@dataclass(slots=True)
class Scene:
    """What the dead process has left: an interrupted run, and two replies that wait for it."""

    on: Stage
    root: Message
    first: Message
    second: Message

    @property
    def it(self) -> World:
        return self.on.it

    def asked(self) -> list[str]:
        """What the service was asked, in order."""
        return [str(request.body["messages"][-1]["content"]) for request in self.it.cloud.requests]

    async def held(self) -> None:
        """Both say that they wait, and are not sent."""
        sent = len(self.it.cloud.requests)
        await self.it.shows(self.first, "Queued · 1st", HELD, "[Send now]", "[Drop]")
        await self.it.shows(self.second, "Queued · 2nd", HELD, "[Send now]", "[Drop]")
        await asyncio.sleep(LONG_ENOUGH)
        assert len(self.it.cloud.requests) == sent
        assert HELD in self.it.slack.visible(self.first)

    async def released(self, message: Message, *texts: str) -> None:
        """It says no more that it waits for somebody, but these."""
        await self.it.slack.wait_for(lambda: HELD not in self.it.slack.visible(message))
        await self.it.shows(message, *texts)

    async def say(self, text: str) -> Message:
        """A reply, and the message that shows how it stands."""
        before = {message.ts for message in self.it.thread(self.root)}
        await self.it.slack.say("ben", "#team", text, thread_ts=self.root.ts)
        new = lambda: [m for m in self.it.thread(self.root) if m.ts not in before]  # noqa: E731  short, and used once
        return (await self.it.slack.wait_for(new))[0]


@asynccontextmanager
async def left_behind(folder: Path, **environment: Any) -> AsyncIterator[Scene]:
    async with stage(folder, **environment) as on:
        it = on.it
        async with it.running():
            root = await play(it, Out("half of it\n"), Wait(asyncio.Event()), text="go")
            await it.says(root, "half of it")
            await on.until(
                lambda: on.database.rows("SELECT ts FROM tasks WHERE ts IS NOT NULL AND chunk_count > 0")
            )
            scene = Scene(on, root, root, root)
            scene.first, scene.second = await scene.say("first"), await scene.say("second")
            await on.until(lambda: on.column("ready") == [True] * 3)
            assert HELD not in it.slack.visible(scene.first)
        yield scene


async def test_after_a_death_waiting_replies_wait_on_and_say_so_also_after_the_next_one(
    tmp_path: Path,
) -> None:
    async with left_behind(tmp_path, MAX_CONCURRENT_RUNS="1") as scene:
        it = scene.it
        for _ in range(2):
            async with it.running():
                await it.shows(scene.root, "Interrupted", "[Retry]")
                await it.says(scene.root, "Interrupted", "half of it")
                await scene.held()
                # They are in nobody's way.
                number = len(it.roots())
                other = await play(it, Out("elsewhere\n"), text="another")
                await it.says(other, "Done", "elsewhere")
                assert number + 1 == len(it.roots())
        assert scene.asked() == ["go", "another", "another"]
        assert len(it.thread(scene.root)) == 3


async def test_a_retry_goes_first_and_the_replies_after_it(tmp_path: Path) -> None:
    async with left_behind(tmp_path) as scene:
        it, go_on = scene.it, asyncio.Event()
        async with it.running():
            await scene.held()
            it.serve(Out("whole\n"), Say("answer to go"), Wait(go_on))
            it.serve(Out("first done\n"))
            it.serve(Out("second done\n"))
            await it.slack.press("ann", scene.root, "Retry")
            await it.says(scene.root, "Running", "whole")
            await scene.released(scene.first, "Queued · 1st", "[Send now]")
            await scene.released(scene.second, "Queued · 2nd", "[Send now]")
            go_on.set()
            await it.shows(scene.second, "Done", "second done")
            await it.shows(scene.first, "Done", "first done")
            await it.shows(scene.root, "Done")
        assert scene.asked() == ["go", "go", "first", "second"]


async def test_one_that_is_sent_now_goes_first_and_the_others_after_it(tmp_path: Path) -> None:
    async with left_behind(tmp_path) as scene:
        it, go_on = scene.it, asyncio.Event()
        async with it.running():
            await scene.held()
            it.serve(Out("second done\n"), Wait(go_on))
            it.serve(Out("first done\n"))
            await it.slack.press("ben", scene.second, "Send now")
            await it.shows(scene.second, "Running", "second done")
            await scene.released(scene.first, "Queued · 1st", "[Send now]")
            go_on.set()
            await it.shows(scene.first, "Done", "first done")
        assert scene.asked() == ["go", "second", "first"]
        assert "Interrupted" in it.slack.visible(scene.root)


async def test_a_new_reply_comes_last_and_lets_the_others_go_on(tmp_path: Path) -> None:
    async with left_behind(tmp_path) as scene:
        it, go_on = scene.it, asyncio.Event()
        async with it.running():
            await scene.held()
            it.serve(Out("first done\n"), Wait(go_on))
            it.serve(Out("second done\n"))
            it.serve(Out("third done\n"))
            third = await scene.say("third")
            assert "Queued · 3rd" in it.slack.visible(third)
            await it.shows(scene.first, "Running", "first done")
            await scene.released(scene.second, "Queued · 1st")
            go_on.set()
            await it.shows(third, "Done", "third done")
        assert scene.asked() == ["go", "first", "second", "third"]
        assert not any(HELD in it.slack.visible(message) for message in it.thread(scene.root))


async def test_who_may_not_use_the_bot_decides_nothing(tmp_path: Path) -> None:
    async with left_behind(tmp_path) as scene:
        it = scene.it
        async with it.running():
            await scene.held()
            await it.slack.say("guest", "#team", "go on", thread_ts=scene.root.ts)
            await it.told("guest", "Guests can't start runs here")
            await scene.held()
            assert len(it.thread(scene.root)) == 3


async def test_where_all_are_dropped_the_next_reply_starts_at_once(tmp_path: Path) -> None:
    async with left_behind(tmp_path) as scene:
        it = scene.it
        async with it.running():
            await scene.held()
            await it.slack.press("ann", scene.first, "Drop")
            await it.shows(scene.first, "Stopped", "Dropped by @ann")
            await it.shows(scene.second, "Queued · 1st", HELD)
            await it.slack.press("ann", scene.second, "Drop")
            await it.shows(scene.second, "Stopped")
            it.serve(Out("third done\n"))
            third = await scene.say("third")
            await it.shows(third, "Done", "third done")
        assert scene.asked() == ["go", "third"]
        assert not any("Queued" in str(version.blocks) for version in third.versions)


async def test_a_stream_that_was_cut_holds_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it, cut = on.it, asyncio.Event()
        async with it.running():
            root = await play(it, Out("half of it\n"), Wait(cut), Cut(), text="go")
            await it.says(root, "half of it")
            scene = Scene(on, root, root, root)
            waiting = await scene.say("and then")
            it.serve(Out("the rest\n"))
            cut.set()
            await it.shows(waiting, "Done", "the rest")
            await it.shows(root, "Interrupted")
