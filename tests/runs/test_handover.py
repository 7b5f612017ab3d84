"""A waiting run's message passes from one process to another: the last to show it is the one that has the run."""
# ruff: noqa: ARG002  the port's methods

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.clock import Clock
from bot.core.redact import Secrets
from bot.core.run import RunState
from bot.model import MessageRef, Place
from bot.runs.board import Board, still_frame
from bot.runs.editor import Editor
from bot.runs.frames import Frame
from bot.store.records import Run
from bot.store.store import Store
from tests.store.requests import taken

SECRETS = Secrets(())


@dataclass
class SlowSlack:
    """Shows a frame when the test lets it."""

    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    called: asyncio.Event = field(default_factory=asyncio.Event)
    shown: list[Frame] = field(default_factory=list)

    async def post(self, place: Place, frame: Frame, key: str = "") -> MessageRef:
        raise AssertionError

    async def find(self, place: Place, key: str, since: float) -> MessageRef | None:
        raise AssertionError

    async def update(self, place: Place, ref: MessageRef, frame: Frame) -> None:
        self.called.set()
        await self.go_on.wait()
        self.shown.append(frame)


@asynccontextmanager
async def waiting_run() -> AsyncIterator[tuple[SlowSlack, Board, Run]]:
    slack = SlowSlack()
    editor = Editor(slack, Clock())
    store = await Store.open("sqlite://")
    run = await taken(store)
    posted = await store.runs.posted(run.id, "1.0", "1.0")
    assert posted is not None
    sending = asyncio.create_task(editor.run())
    yield slack, Board(editor, SECRETS), posted
    sending.cancel()
    await asyncio.wait({sending})
    await store.close()


async def test_who_lets_go_has_nothing_on_its_way_any_more() -> None:
    async with waiting_run() as (slack, board, run):
        board.show(run, 3)
        await slack.called.wait()
        board.show(run, 2)
        letting_go = asyncio.create_task(board.let_go(run.id))
        await asyncio.sleep(0.01)
        assert not letting_go.done()
        slack.go_on.set()
        await letting_go
        assert len(slack.shown) == 1
        await asyncio.sleep(0.01)
        assert len(slack.shown) == 1
        await board.let_go(run.id)  # which is nothing to it any more


async def test_who_takes_over_sends_nothing_before() -> None:
    async with waiting_run() as (slack, board, run):
        slack.go_on.set()
        board.hold(run.id)
        message = board.take(run)
        for state in (RunState.RUNNING, RunState.DONE):
            message.render = lambda state=state: still_frame(SECRETS, run, state)  # type: ignore[misc]
            message.touch()
        finishing = asyncio.create_task(message.finish())
        await asyncio.sleep(0.01)
        assert not slack.shown
        board.release(run.id)
        assert await finishing
        assert slack.shown == [still_frame(SECRETS, run, RunState.DONE)]
        board.release(run.id)
