"""When Python looks for garbage that reference counts miss, and that a run leaves nothing to it."""

import asyncio
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bot.memory import EVERY, FEW, LATEST, tidy
from bot.runs.live import LiveRun, LiveTask
from bot.runs.live_message import LiveMessage
from bot.runs.runner import Execution
from tests.support.cloudcoding import Out, Say
from tests.support.vtime import virtual_time
from tests.support.world import world

PARTS = (Execution, LiveRun, LiveTask, LiveMessage)


@contextmanager
def no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def collections_in(seconds: float, running: int) -> int:
    counted = 0

    def collect() -> None:
        nonlocal counted
        counted += 1

    task = asyncio.create_task(tidy(lambda: running, collect))
    await asyncio.sleep(seconds)
    task.cancel()
    return counted


@virtual_time
async def test_a_quiet_bot_is_tidied_every_minute() -> None:
    assert await collections_in(10 * EVERY + 1, FEW) == 10


@virtual_time
async def test_a_busy_one_only_when_it_can_t_wait_any_longer() -> None:
    assert await collections_in(LATEST - 1, FEW + 1) == 0
    assert await collections_in(2 * LATEST + 1, FEW + 1) == 2


def of_runs() -> list[object]:
    """What was made for a run and is still there."""
    return [one for one in gc.get_objects() if isinstance(one, PARTS)]


async def test_nothing_of_a_run_is_left_when_it_has_ended(tmp_path: Path) -> None:
    async with world(tmp_path) as w, w.running() as bot:
        with no_collections():
            w.serve(Out("working\n", "api"), Out("there is more\n", "another"), Say("All done."))
            await w.code("parallel\napi: fix the login\nweb: fix the form")
            root = await w.root()
            await w.shows(root, "Done")
            await w.says(root, "All done.")
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    while bot.queue.running or of_runs():  # noqa: ASYNC110  it has nothing to be told by
                        await asyncio.sleep(0.05)
            left = of_runs()
    assert left == []
