"""Processes that edit in one workspace: their parts of its budget, and the silence that one of them is asked for."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.clock import Clock
from bot.core.schedule import EditScheduler, edit_lane
from bot.model import MessageRef, Place
from bot.runs.bus import SELDOM, Bus
from bot.runs.editor import END, Editor
from bot.runs.live_message import LiveMessage
from bot.runs.shares import BEGINNER, Shares, share
from bot.runs.supervisor import Supervisor
from bot.simulator.cloudcoding import Stream
from bot.store.migrate import migrate
from bot.store.store import Store
from tests.runs.test_editor import FakeSlack, Screen
from tests.support.cloudcoding import Out
from tests.support.world import world

NUMBERS = st.integers(0, 100)


@given(st.lists(NUMBERS, min_size=1, max_size=9))
def test_together_those_who_edit_take_no_more_than_there_is_and_nobody_has_nothing(edit: list[int]) -> None:
    parts = [share(mine, sum(edit) - mine, len(edit)) for mine in edit]
    assert all(0 < part <= 1 for part in parts)
    assert sum(part for number, part in zip(edit, parts, strict=True) if number > 0) <= 1 + 1e-9
    for number, part in zip(edit, parts, strict=True):
        if number and number == sum(edit):
            assert part == 1, "who is alone there has it all"
        elif any(edit) and not number:
            assert part <= BEGINNER, "who doesn't edit keeps little from others"


class Scheduler(EditScheduler[LiveMessage]):
    """Remembers what it was told of other processes."""

    def __init__(self) -> None:
        super().__init__()
        self.shares: dict[str, float] = {}
        self.usual = 1.0
        self.pauses: dict[str, float] = {}

    def set_shares(self, shares: Mapping[str, float], usual: float, now: float) -> None:
        self.shares, self.usual = dict(shares), usual
        super().set_shares(shares, usual, now)

    def pause(self, lane: str, seconds: float, now: float) -> None:
        self.pauses[lane] = seconds
        super().pause(lane, seconds, now)


@dataclass
class Process:
    """A process whose editor sends nothing, so that its messages go on having something to show."""

    store: Store
    ahead: float = 0.0
    supervisor: Supervisor = field(default_factory=Supervisor)
    scheduler: Scheduler = field(default_factory=Scheduler)

    def __post_init__(self) -> None:
        self.clock = Clock(wall=lambda: 1_000_000.0 + self.ahead)
        self.editor = Editor(FakeSlack(), self.clock, self.scheduler)
        self.bus = Bus(self.store, self.store.owner, self.clock, signs=False)
        self.shares = Shares(self.store, self.editor, self.bus, self.supervisor, self.clock)

    def edits(self, workspace: str, messages: int) -> list[LiveMessage]:
        place = Place(workspace, "C1")
        found = [
            self.editor.open(place, Screen("x"), ref=MessageRef("C1", str(number)))
            for number in range(messages)
        ]
        for message in found:
            message.touch()
        return found

    async def beat(self) -> None:
        """Tell and look once."""
        await _until_it_waits(self.shares.run())

    async def hear(self) -> None:
        """Carry out what others have told."""
        await _until_it_waits(self.bus.run())


async def _until_it_waits(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.create_task(work)
    await asyncio.sleep(0.2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def processes(folder: Path, *names: str) -> AsyncIterator[list[Process]]:
    url = f"sqlite:///{folder / 'bot.db'}"
    await migrate(url)
    async with AsyncExitStack() as stack:
        stores = [await Store.open(url, owner=name) for name in names]
        for store in stores:
            stack.push_async_callback(store.close)
            await store.workers.join("host", "worker")
        found = [Process(store) for store in stores]
        for process in found:
            stack.push_async_callback(process.supervisor.close)
        yield found


async def test_each_has_a_part_by_its_messages_and_the_whole_once_the_others_are_gone(tmp_path: Path) -> None:
    async with processes(tmp_path, "a", "b") as (a, b):
        assert a.scheduler.usual < 1, "careful while it doesn't know who is there"
        a.edits("T1", 3)
        a.edits("T2", 1)
        await a.beat()
        assert a.scheduler.shares == {"T1": 1.0, "T2": 1.0}
        assert a.scheduler.usual == 0.5
        b.edits("T1", 1)
        await b.beat()
        assert b.scheduler.shares == {"T1": share(1, 3, 2), "T2": share(0, 1, 2)}
        await a.beat()
        assert a.scheduler.shares == {"T1": share(3, 1, 2), "T2": 1.0}
        await b.store.workers.leave()
        await a.beat()
        assert a.scheduler.shares == {"T1": 1.0, "T2": 1.0}
        assert a.scheduler.usual == 1


async def test_ends_have_a_larger_part_than_output(tmp_path: Path) -> None:
    async with processes(tmp_path, "a", "b") as (a, b):
        a.edits("T1", 2)
        ends = [asyncio.create_task(message.finish()) for message in b.edits("T1", 2)]
        await asyncio.sleep(0)
        await a.beat()
        await b.beat()
        assert b.scheduler.shares == {"T1": share(2 * END, 2, 2)}
        for end in ends:
            end.cancel()


@pytest.mark.parametrize(("later", "left"), [(0.0, 30.0), (10.0, 20.0), (-99.0, 30.0), (31.0, None)])
async def test_a_refusal_of_one_keeps_all_of_them_silent(
    tmp_path: Path, later: float, left: float | None
) -> None:
    async with processes(tmp_path, "a", "b") as (a, b):
        lane = edit_lane("T1")
        a.editor.on_limited(lane, 30.0)
        await asyncio.sleep(0.2)
        b.ahead = later
        await b.hear()
        assert b.scheduler.pauses == ({} if left is None else {lane: left})
        assert a.scheduler.pauses == {}


class Pause:
    """A step of the service that takes a moment."""

    async def take(self, stream: Stream) -> None:
        del stream
        await asyncio.sleep(0.1)


@pytest.mark.slow
async def test_what_one_process_is_told_by_slack_silences_the_other(tmp_path: Path) -> None:
    async with world(tmp_path) as it, AsyncExitStack() as stack:
        for prompt in ("one", "two"):
            await stack.enter_async_context(it.running())
            it.serve(*(step for n in range(400) for step in (Out(f"{n}\n"), Pause())))
            await it.code(prompt)
        await asyncio.sleep(SELDOM)  # until the first one has noticed the second
        it.slack.fail("chat.update", error="ratelimited", retry_after=3)
        await it.slack.wait_for(lambda: it.slack.limited["chat.update"])
        await asyncio.sleep(1)  # for what it takes to tell
        before = it.slack.counts["chat.update"]
        await it.slack.wait_for(lambda: it.slack.counts["chat.update"] > before + 1, 15)
        at = [call.at for call in it.slack.calls if call.method == "chat.update"]
        assert max(later - earlier for earlier, later in pairwise(at)) > 1.9
