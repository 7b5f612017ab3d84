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

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, update

from bot.store.database import Database
from bot.store.lists import few_lengths
from bot.store.tables import chunks, runs, tasks

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


# Held where the database knows such locks, all writers in the same order: who looks then writes.
_LOGS = (
    select(*(tasks.c[field.name] for field in fields(_Log)))
    .where(tasks.c.id.in_(bindparam("of", expanding=True)))
    .order_by(tasks.c.id)
    .with_for_update()
)
_OWN_LOGS = _LOGS.where(tasks.c.run.in_(select(runs.c.id).where(runs.c.owner == bindparam("me"))))
_ADD = insert(chunks)
_COUNT = (
    update(tasks)
    .where(tasks.c.id == bindparam("of"))
    .values(chunk_count=bindparam("chunks"), head_count=bindparam("heads"), output_size=bindparam("bytes"))
)


def pack(data: bytes) -> bytes:
    """A chunk's data as it is stored."""
    return zlib.compress(data, _LEVEL)


def store(connection: Connection, batch: Sequence[Chunk], cap: int, owner: str = "") -> None:
    """Store chunks, and drop what a task then has above ``cap`` bytes.

    Chunks of tasks that are gone or another process's than ``owner``, and those that an earlier try did store, are
    passed over.
    """
    logs = _logs(connection, {chunk.task for chunk in batch}, owner)
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
    connection.execute(_ADD, rows)
    for log in logs.values():
        while log.output_size > cap and _drop(connection, log, cap):
            pass
    connection.execute(
        _COUNT,
        [
            {
                "of": log.id,
                "chunks": log.chunk_count,
                "heads": log.head_count,
                "bytes": log.output_size,
            }
            for log in logs.values()
        ],
    )


def size(connection: Connection, task_id: int) -> int:
    """How many bytes ``read`` yields."""
    stored = select(tasks.c.output_size).where(tasks.c.id == task_id)
    gaps = select(chunks.c.dropped).where(chunks.c.task == task_id, chunks.c.dropped > 0)
    said = sum(len(_gap(dropped)) for dropped in connection.execute(gaps).scalars())
    return (connection.execute(stored).scalar_one_or_none() or 0) + said


def dropped(connection: Connection, task_id: int) -> int:
    """How many bytes of the output were not kept."""
    query = select(func.coalesce(func.sum(chunks.c.dropped), 0)).where(chunks.c.task == task_id)
    return int(connection.execute(query).scalar_one())


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


def tail(connection: Connection, task_id: int, chars: int) -> str:
    """The last ``chars`` characters of what ``read`` yields."""
    pieces: list[str] = []
    missing = chars
    of_task = _OUTPUT.where(chunks.c.task == task_id).order_by(chunks.c.position.desc())
    query = of_task
    while missing > 0 and (rows := _rows(connection, query)):
        for _position, dropped, data in rows:
            piece = (_gap(dropped) if dropped else b"") + zlib.decompress(data)
            pieces.append(piece.decode())
            missing -= len(pieces[-1])
        query = of_task.where(chunks.c.position < rows[-1][0])
    return "".join(reversed(pieces))[-chars:] if chars > 0 else ""


def _rows(connection: Connection, query: Select[int, int, bytes]) -> Sequence[Row[int, int, bytes]]:
    return connection.execute(query).all()


def _logs(connection: Connection, of: set[int], owner: str) -> dict[int, _Log]:
    mine = {"me": owner} if owner else {}
    rows = connection.execute(_OWN_LOGS if owner else _LOGS, {"of": few_lengths(of), **mine})
    logs = (_Log(*row) for row in rows)
    return {log.id: log for log in logs}


def _drop(connection: Connection, log: _Log, cap: int) -> bool:
    """Drop the oldest chunks after the kept beginning, until the rest is within ``cap``; false: nothing was left."""
    after_head = (chunks.c.task == log.id, chunks.c.position >= log.head_count)
    oldest = select(chunks.c.position, chunks.c.size, chunks.c.dropped).where(*after_head)
    rows = connection.execute(oldest.order_by(chunks.c.position).limit(_DROPS)).all()
    gone, kept = 0, 0
    while kept < len(rows) - 1 and log.output_size > cap:
        _position, size, dropped = rows[kept]
        gone += size + dropped
        log.output_size -= size
        kept += 1
    if kept == 0:
        return False
    position = rows[kept][0]
    connection.execute(delete(chunks).where(*after_head, chunks.c.position < position))
    next_one = update(chunks).where(chunks.c.task == log.id, chunks.c.position == position)
    connection.execute(next_one.values(dropped=chunks.c.dropped + gone))
    return True


def _gap(dropped: int) -> bytes:
    return f"\n[… {dropped:,} bytes of output were dropped here …]\n".encode()
