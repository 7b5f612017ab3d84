"""procrastinate's worker, as far as it comes and goes."""

import asyncio
import gc
from contextlib import suppress
from typing import Any

from bot.dispatch.worker import JobWorker, gone
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


async def test_a_failure_that_comes_after_all_patience_is_nobodys_news() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    ends = asyncio.Event()

    async def frozen() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await ends.wait()
        raise OSError

    working = asyncio.create_task(frozen())
    await asyncio.sleep(0)
    working.cancel()
    await gone(working, patience=0.01)
    ends.set()
    await asyncio.wait({working})
    del working
    await asyncio.sleep(0)
    gc.collect()
    assert not complaints


async def test_nothing_of_it_is_left_where_it_is_cancelled_while_it_connects() -> None:
    """The pool's own tasks survive a cancellation, also that at the end of the process, which would never end then."""
    knocked = asyncio.Event()

    async def silence(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        knocked.set()
        await released.wait()
        writer.close()

    released = asyncio.Event()
    before = asyncio.all_tasks()
    async with await asyncio.start_server(silence, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://bot@127.0.0.1:{port}/test"
        working = asyncio.create_task(JobWorker(dialect.connecting(url), start, vacancy).run())
        await knocked.wait()
        working.cancel()
        await asyncio.sleep(0)
        released.set()
        with suppress(asyncio.CancelledError):
            await working
        left = {task.get_name() for task in asyncio.all_tasks() - before if "jobs" in task.get_name()}
    assert not left
