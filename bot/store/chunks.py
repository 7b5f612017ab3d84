"""The stored output of tasks: numbered, compressed chunks.

Of output beyond a task's cap the first half of the cap and the newest are kept. A task's row counts its chunks
(``chunk_count``, those that were dropped too), how many of them are the kept beginning (``head_count``), and the
bytes that are stored (``output_size``). A chunk knows how many bytes were ``dropped`` just before it; a line that
says so stands in their place when the output is read.
"""

import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from functools import partial

from sqlalchemy import Row, Select, bindparam, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.database import Database
from bot.store.tables import chunks, tasks

# The zlib level: output is text, for which more effort gains little.
_LEVEL = 3

# How many chunks one query reads; each is at most 256 KiB.
_PAGE = 8

# How many chunks are looked at together when the cap's excess is dropped: numbers only.
_DROPS = 500

_OUTPUT = select(chunks.c.position, chunks.c.dropped, chunks.c.data).limit(_PAGE)


@dataclass(slots=True)
class Chunk:
    """Output on its way into the database: ``size`` bytes of UTF-8, compressed as ``data``.

    ``position`` is its number in the last transaction that tried to store it: one that failed may yet have been
    committed, and is then recognised by it.
    """

    task: int
    size: int
    dropped: int
    data: bytes
    position: int | None = None


@dataclass(slots=True)
class _Log:
    """The bookkeeping of one task's output, as its row has it."""

    id: int
    chunk_count: int
    head_count: int
    output_size: int

    def add(self, chunk: Chunk, cap: int) -> None:
        """Count a chunk, whose position is thereby known."""
        chunk.position = self.chunk_count
        if self.head_count == self.chunk_count and self.output_size + chunk.size <= cap // 2:
            self.head_count += 1
        self.chunk_count += 1
        self.output_size += chunk.size


def pack(data: bytes) -> bytes:
    """A chunk's data as it is stored."""
    return zlib.compress(data, _LEVEL)


async def store(connection: AsyncConnection, batch: Sequence[Chunk], cap: int) -> None:
    """Store chunks, and drop what a task then has above ``cap`` bytes.

    Chunks of tasks that are gone, and chunks that an earlier try did store, are passed over.
    """
    logs = await _logs(connection, {chunk.task for chunk in batch})
    fresh = []
    for chunk in batch:
        log = logs.get(chunk.task)
        if log is not None and (chunk.position is None or chunk.position >= log.chunk_count):
            log.add(chunk, cap)
            fresh.append(chunk)
    if not fresh:
        return
    rows = [
        {"task": c.task, "position": c.position, "size": c.size, "dropped": c.dropped, "data": c.data}
        for c in fresh
    ]
    await connection.execute(insert(chunks), rows)
    for log in logs.values():
        while log.output_size > cap and await _drop(connection, log, cap):
            pass
    await connection.execute(
        update(tasks).where(tasks.c.id == bindparam("of")),
        [
            {
                "of": log.id,
                "chunk_count": log.chunk_count,
                "head_count": log.head_count,
                "output_size": log.output_size,
            }
            for log in logs.values()
        ],
    )


async def size(connection: AsyncConnection, task_id: int) -> int:
    """How many bytes ``read`` yields."""
    stored = select(tasks.c.output_size).where(tasks.c.id == task_id)
    gaps = select(chunks.c.dropped).where(chunks.c.task == task_id, chunks.c.dropped > 0)
    said = sum(len(_gap(dropped)) for dropped in (await connection.execute(gaps)).scalars())
    return ((await connection.execute(stored)).scalar_one_or_none() or 0) + said


async def dropped(connection: AsyncConnection, task_id: int) -> int:
    """How many bytes of the output were not kept."""
    query = select(func.coalesce(func.sum(chunks.c.dropped), 0)).where(chunks.c.task == task_id)
    return int((await connection.execute(query)).scalar_one())


async def read(database: Database, task_id: int) -> AsyncIterator[bytes]:
    """The stored output in order, as UTF-8; every piece is whole characters."""
    last = -1
    while True:
        query = _OUTPUT.where(chunks.c.task == task_id, chunks.c.position > last).order_by(chunks.c.position)
        rows = await database.read(partial(_rows, query=query))
        if not rows:
            return
        last = rows[-1][0]
        for _position, dropped, data in rows:
            if dropped:
                yield _gap(dropped)
            yield zlib.decompress(data)


async def tail(connection: AsyncConnection, task_id: int, chars: int) -> str:
    """The last ``chars`` characters of what ``read`` yields."""
    pieces: list[str] = []
    missing = chars
    of_task = _OUTPUT.where(chunks.c.task == task_id).order_by(chunks.c.position.desc())
    query = of_task
    while missing > 0 and (rows := await _rows(connection, query)):
        for _position, dropped, data in rows:
            piece = (_gap(dropped) if dropped else b"") + zlib.decompress(data)
            pieces.append(piece.decode())
            missing -= len(pieces[-1])
        query = of_task.where(chunks.c.position < rows[-1][0])
    return "".join(reversed(pieces))[-chars:] if chars > 0 else ""


async def _rows(
    connection: AsyncConnection, query: Select[int, int, bytes]
) -> Sequence[Row[int, int, bytes]]:
    return (await connection.execute(query)).all()


async def _logs(connection: AsyncConnection, of: set[int]) -> dict[int, _Log]:
    columns = (tasks.c[field.name] for field in fields(_Log))
    rows = (await connection.execute(select(*columns).where(tasks.c.id.in_(of)))).mappings()
    return {row["id"]: _Log(**row) for row in rows}


async def _drop(connection: AsyncConnection, log: _Log, cap: int) -> bool:
    """Drop the oldest chunks after the kept beginning, until the rest is within ``cap``; false: nothing was left."""
    after_head = (chunks.c.task == log.id, chunks.c.position >= log.head_count)
    oldest = select(chunks.c.position, chunks.c.size, chunks.c.dropped).where(*after_head)
    rows = (await connection.execute(oldest.order_by(chunks.c.position).limit(_DROPS))).all()
    gone, kept = 0, 0
    while kept < len(rows) - 1 and log.output_size > cap:
        _position, size, dropped = rows[kept]
        gone += size + dropped
        log.output_size -= size
        kept += 1
    if kept == 0:
        return False
    position = rows[kept][0]
    await connection.execute(delete(chunks).where(*after_head, chunks.c.position < position))
    next_one = update(chunks).where(chunks.c.task == log.id, chunks.c.position == position)
    await connection.execute(next_one.values(dropped=chunks.c.dropped + gone))
    return True


def _gap(dropped: int) -> bytes:
    return f"\n[… {dropped:,} bytes of output were dropped here …]\n".encode()
