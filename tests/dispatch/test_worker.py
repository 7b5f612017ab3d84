"""procrastinate's worker, as far as it comes and goes."""

import asyncio
import gc
from contextlib import suppress
from typing import Any

from bot.dispatch.worker import JobWorker
from bot.store import dialect
from tests.store.databases import Schema


async def start(_run: str, _job: int) -> None:
    raise AssertionError


async def vacancy() -> None:
    """There is always room."""


async def registered(schema: Schema, count: int) -> None:
    async with asyncio.timeout(10):
        while schema.rows("SELECT count(*) FROM procrastinate_workers") != [(count,)]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_it_takes_leave_also_when_it_is_cancelled_while_it_does(schema: Schema) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    worker = JobWorker(dialect.connecting(schema.url), start, vacancy)
    working = asyncio.create_task(worker.run())
    await registered(schema, 1)
    await worker.stop()
    for _ in range(10):  # until it is waiting for the server
        await asyncio.sleep(0)
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    await registered(schema, 0)
    gc.collect()  # a task's error that nobody asked for is told then
    assert not complaints
