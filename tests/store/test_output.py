"""The complete output of tasks: every byte of it, or a line that says what was dropped."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Self, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url
from structlog.testing import capture_logs
from structlog.typing import EventDict

from bot.errors import StoreUnavailable
from bot.store.database import Work
from bot.store.opening import open_database
from bot.store.output import OutputWriter
from bot.store.runs import Runs
from bot.store.sqlite import SqliteDatabase
from bot.store.store import Store
from tests.store.databases import SomeDatabase
from tests.store.requests import NOW, asked, parallel, running

T = TypeVar("T")
KIB = 1024
GAP = re.compile(r"\n\[… ([\d,]+) bytes of output were dropped here …\]\n")


async def _task(store: Store) -> int:
    [task] = await store.runs.tasks((await running(store)).id)
    return task.id


async def _read(output: OutputWriter, task: int) -> str:
    data = b"".join([piece async for piece in output.read(task)])
    assert await output.size(task) == len(data)
    return data.decode()


def _dropped(text: str) -> int:
    return sum(int(number.replace(",", "")) for number in GAP.findall(text))


async def test_output_comes_back_as_it_was(store: Store) -> None:
    task, other = await _task(store), await _task(store)
    text = "a line\r\n\x1b[31mred\x1b[0m é 漢字 🎉\0\n"
    store.output.append(task, "")
    for character in text:
        store.output.append(task, character)
        await store.output.flush()
    store.output.append(other, "half \ud83d")
    await store.output.flush()
    assert await _read(store.output, task) == text
    assert await _read(store.output, other) == "half ?"
    assert await store.output.tail(task, 3) == text[-3:]
    assert await store.output.tail(task, 1000) == text
    assert await store.output.tail(task, 0) == ""


async def test_a_task_without_output(store: Store) -> None:
    task = await _task(store)
    await store.output.flush()
    assert await _read(store.output, task) == ""
    assert await store.output.tail(task, 10) == ""
    assert await store.output.size(12345) == 0


async def test_many_small_pieces_and_one_that_is_huge(store: Store) -> None:
    task = await _task(store)
    lines = [f"line {number}\n" for number in range(50_000)]
    for line in lines:
        store.output.append(task, line)
    huge = "漢" * 1_000_000
    store.output.append(task, huge)
    await store.output.flush()
    assert await _read(store.output, task) == "".join(lines) + huge
    assert await store.output.tail(task, 70_000) == huge[:70_000]


async def test_output_of_a_task_that_is_gone_does_not_hold_up_others(store: Store) -> None:
    task = await _task(store)
    store.output.append(12345, "nobody's")
    await store.output.flush()
    store.output.append(12345, "nobody's")
    store.output.append(task, "mine")
    await store.output.flush()
    assert await _read(store.output, task) == "mine"
    assert await store.output.size(12345) == 0


@dataclass
class Memory:
    """A database in memory with two running tasks."""

    cap: int
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __enter__(self) -> Self:
        self.database = self.runner.run(open_database("sqlite://", patience=1))
        self.output = OutputWriter(self.database, cap=self.cap)
        self.tasks = self.runner.run(self._two())
        return self

    async def _two(self) -> list[int]:
        runs = Runs(self.database, Random(1))
        run = await runs.take(asked(invocation=parallel("a", "b")), None, NOW)
        assert run is not None
        return [task.id for task in await runs.tasks(run.id)]

    def __exit__(self, *_: object) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


@settings(max_examples=8, deadline=None)
@given(
    pieces=st.lists(
        st.tuples(
            st.integers(0, 1),
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), max_size=60),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_what_is_kept_and_what_is_said(pieces: list[tuple[int, str, bool]]) -> None:
    cap = 320
    with Memory(cap) as memory:
        texts = ["", ""]
        for which, piece, flush in pieces:
            memory.output.append(memory.tasks[which], piece * 3)
            texts[which] += piece * 3
            if flush:
                memory.runner.run(memory.output.flush())
        memory.runner.run(memory.output.flush())
        for task, text in zip(memory.tasks, texts, strict=True):
            read = memory.runner.run(_read(memory.output, task))
            assert memory.runner.run(memory.output.tail(task, 50)) == read[-50:]
            _check(read, text, cap)


def _check(read: str, text: str, cap: int) -> None:
    total = len(text.encode())
    if total <= cap:
        assert read == text
        return
    head, said, tail = GAP.split(read)
    kept = len(head.encode()) + len(tail.encode())
    block = 4 * (cap // 16)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert int(said.replace(",", "")) == total - kept
    assert cap // 2 - block < len(head.encode()) <= cap // 2
    assert cap - block <= kept <= cap


def test_small_chunks_make_room_for_large_ones() -> None:
    cap = 2 * KIB
    with Memory(cap) as memory:
        task = memory.tasks[0]
        text = "".join(f"{number}," for number in range(700))
        for start in range(0, len(text), 30):
            memory.output.append(task, text[start : start + 30])
            memory.runner.run(memory.output.flush())
        memory.output.append(task, "z" * 10 * cap)
        memory.runner.run(memory.output.flush())
        _check(memory.runner.run(_read(memory.output, task)), text + "z" * 10 * cap, cap)


def test_the_newest_piece_is_kept_whatever_the_cap() -> None:
    with Memory(1) as memory:
        memory.output.append(memory.tasks[0], "ab🎉")
        memory.runner.run(memory.output.flush())
        assert memory.runner.run(_read(memory.output, memory.tasks[0])).endswith("]\n🎉")


async def test_what_could_not_be_stored_is_stored_later(store: Store, database: SomeDatabase) -> None:
    task = await _task(store)
    store.output.append(task, "one ")
    with database.locked(), pytest.raises(StoreUnavailable):
        await store.output.flush()
    store.output.append(task, "two")
    await store.output.flush()
    assert await _read(store.output, task) == "one two"


async def test_memory_is_bounded_while_the_database_is_away(database: SomeDatabase) -> None:
    opened = await open_database(database.url, patience=0.3)
    store = Store(opened, Random(1))
    task, small = await _task(store), await _task(store)
    output = OutputWriter(opened, memory=512 * KIB)
    text = "".join(f"{number:07}\n" for number in range(256 * KIB))
    with database.locked():
        output.append(small, "untouched")
        for start in range(0, len(text), 64 * KIB):
            output.append(task, text[start : start + 64 * KIB])
        with pytest.raises(StoreUnavailable):
            await output.flush()
    await output.flush()
    read = await _read(output, task)
    kept = len(GAP.sub("", read))
    assert 448 * KIB <= kept <= 512 * KIB
    assert _dropped(read) == len(text) - kept
    assert text.startswith(read[: 64 * KIB])
    assert text.endswith(read[-64 * KIB :])
    assert await _read(output, small) == "untouched"
    await opened.close()


async def test_what_memory_and_cap_dropped_is_said_together(database: SomeDatabase) -> None:
    opened = await open_database(database.url, patience=0.3)
    task = await _task(Store(opened, Random(1)))
    output = OutputWriter(opened, cap=64 * KIB, memory=68 * KIB)
    total = 160 * KIB
    with database.locked():
        output.append(task, "x" * total)
        with pytest.raises(StoreUnavailable):
            await output.flush()
    for _ in range(20):
        output.append(task, "y" * 4 * KIB)
        total += 4 * KIB
        await output.flush()
        read = await _read(output, task)
        assert _dropped(read) + len(GAP.sub("", read)) == total
    await opened.close()


async def test_without_a_middle_nothing_is_dropped() -> None:
    database = await open_database("sqlite://", patience=1)
    mine = Store(database, Random(1))
    task = await _task(mine)
    output = OutputWriter(database, memory=10)
    output.append(task, "x" * 64 * KIB)
    await output.flush()
    assert await output.size(task) == 64 * KIB
    await mine.close()


class _Unsure(SqliteDatabase):
    """A database whose connection is lost right after a commit."""

    losses = 0

    async def write_output(self, work: Work[T]) -> T:
        result = await super().write_output(work)
        if self.losses:
            self.losses -= 1
            raise StoreUnavailable("the connection was lost")
        return result


async def test_a_commit_that_seemed_to_fail_is_not_repeated(file: Path) -> None:
    database = await _Unsure.open(make_url(f"sqlite:///{file}"), patience=1)
    task = await _task(Store(database, Random(1)))
    output = OutputWriter(database)
    database.losses = 2
    for text in ("one ", "two ", "three"):
        output.append(task, text)
        with suppress(StoreUnavailable):
            await output.flush()
    assert await _read(output, task) == "one two three"
    await database.close()


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 30])
async def test_a_cancelled_flush_loses_and_repeats_nothing(store: Store, steps: int) -> None:
    task = await _task(store)
    text = Random(steps).randbytes(300 * KIB).hex()
    store.output.append(task, text)
    flushing = asyncio.create_task(store.output.flush())
    for _ in range(steps):
        await asyncio.sleep(0)
    flushing.cancel()
    with suppress(asyncio.CancelledError):
        await flushing
    store.output.append(task, "end")
    await store.output.flush()
    assert await _read(store.output, task) == text + "end"


@pytest.fixture
async def quick(database: SomeDatabase) -> AsyncIterator[Store]:
    store = await Store.open(database.url, patience=0.3)
    store.output = OutputWriter(store._database, interval=0.01)
    yield store
    await store.close()


async def _until(condition: Awaitable[None]) -> None:
    async with asyncio.timeout(10):
        await condition


async def _stored(store: Store, task: int, size: int) -> None:
    while await store.output.size(task) < size:
        pass


async def _logged(store: Store, logs: list[EventDict]) -> None:
    while not logs:
        await store.ping(5)


async def test_output_is_stored_in_the_background(quick: Store, database: SomeDatabase) -> None:
    task = await _task(quick)
    with capture_logs() as logs:
        running_ = asyncio.create_task(quick.output.run())
        with database.locked():
            quick.output.append(task, "x" * 2 * KIB * KIB)
            await _until(_logged(quick, logs))
        await _until(_stored(quick, task, 2 * KIB * KIB))
        quick.output.append(task, "end")
        await _until(_stored(quick, task, 2 * KIB * KIB + 3))
        running_.cancel()
        with suppress(asyncio.CancelledError):
            await running_
    assert [log["event"] for log in logs] == ["output.waits"]
    assert (await quick.output.tail(task, 4)) == "xend"


async def test_a_flood_is_held_up_so_that_nothing_is_dropped(database: SomeDatabase) -> None:
    opened = await open_database(database.url, patience=0.3)
    task = await _task(Store(opened, Random(1)))
    output = OutputWriter(opened, memory=512 * KIB, interval=0.01)
    running_ = asyncio.create_task(output.run())
    text = "".join(f"{number:07}\n" for number in range(512 * KIB))
    for start in range(0, len(text), 64 * KIB):
        output.append(task, text[start : start + 64 * KIB])
        await _until(output.room())
    await output.flush()
    with database.locked():  # while nothing can be stored, nobody waits for room
        output.append(task, "x" * 400 * KIB)
        await _until(output.room())
    running_.cancel()
    with suppress(asyncio.CancelledError):
        await running_
    await output.flush()
    assert await output.dropped(task) == 0
    assert await _read(output, task) == text + "x" * 400 * KIB
    await opened.close()
