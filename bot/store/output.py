"""The complete output of tasks: taken at once, stored in batches.

Output is appended as it streams in and must never make the stream wait. It gathers in memory, is sealed into
blocks, and every half second, or sooner where there is much, the blocks are compressed and stored.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from bot.errors import StoreUnavailable
from bot.store import chunks
from bot.store.chunks import Chunk
from bot.store.database import Database

_LOG = structlog.get_logger()

# Characters of a block, at most; so at most 256 KiB.
_BLOCK = 64 * 1024

# A list of pieces becomes a block at this length too, since every piece has a price of its own in memory.
_PIECES = 4096

# Waiting bytes with which the next batch doesn't wait for its time.
_MUCH = 1024 * 1024

# Bytes that are compressed together, and those which the event loop may be held up with.
_BATCH = 1024 * 1024
_AT_ONCE = 32 * 1024

# Blocks below which a task's waiting output has no middle that could be dropped.
_FEWEST = 3

# What one transaction stores, at most: compressed bytes, and chunks.
_TRANSACTION = 256 * 1024
_ROWS = 100


@dataclass(slots=True)
class _Waiting:
    """What of a task's output isn't stored yet: sealed blocks, which are chunks to be, then loose pieces."""

    task: int
    blocks: deque[Chunk] = field(default_factory=deque)
    pieces: list[str] = field(default_factory=list)
    chars: int = 0


class OutputWriter:
    """The output of all tasks of this process, whose name is ``owner``; what isn't its own any more is not stored.

    ``cap`` is the bytes kept of one task: beyond it the middle is dropped, and said. ``memory`` is the bytes that
    may wait altogether while the database is away: beyond it the middle of the longest waiting output is dropped,
    and said. ``interval`` is in seconds.
    """

    def __init__(
        self,
        database: Database,
        *,
        cap: int = 64 * 1024 * 1024,
        memory: int = 32 * 1024 * 1024,
        interval: float = 0.5,
        owner: str = "",
    ) -> None:
        self._database = database
        self._cap = cap
        self._memory = memory
        self._interval = interval
        self._owner = owner
        self._block = max(1, min(_BLOCK, cap // 16))  # what is dropped at the cap is dropped by blocks
        self._waiting: dict[int, _Waiting] = {}
        self._moving: list[Chunk] = []
        self._packed: deque[Chunk] = deque()
        self._bytes = 0
        self._much = asyncio.Event()
        self._moved = asyncio.Event()
        self._failing = False
        self._storing = asyncio.Lock()

    def append(self, task_id: int, text: str) -> None:
        """Add to a task's output. Lone surrogates become ``?``."""
        if not text:
            return
        waiting = self._waiting.get(task_id)
        if waiting is None:
            waiting = self._waiting[task_id] = _Waiting(task_id)
        waiting.pieces.append(text)
        waiting.chars += len(text)
        if waiting.chars >= self._block or len(waiting.pieces) >= _PIECES:
            self._seal(waiting)

    async def run(self) -> None:
        """Store what was appended, batch by batch, until cancelled; ``flush`` what is left then."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._much.wait(), self._interval)
            try:
                await self.flush()
            except StoreUnavailable as error:
                if not self._failing:
                    _LOG.warning("output.waits", error=str(error), bytes=self._bytes)
                self._failing = True
                self._moved.set()
                await asyncio.sleep(self._interval)
            else:
                self._failing = False

    async def room(self) -> None:
        """Wait while much is waiting and the database is storing it, so that a flood is held up at its source.

        While the database is away nobody waits: then the middle is dropped at last.
        """
        while self._bytes > self._memory // 2 and not self._failing:
            self._moved.clear()
            await self._moved.wait()

    async def flush(self) -> None:
        """Return when everything appended before is stored; raises StoreUnavailable, and then it still waits."""
        async with self._storing:
            self._much.clear()
            for waiting in self._waiting.values():
                self._seal(waiting)
            counts = {task_id: len(waiting.blocks) for task_id, waiting in self._waiting.items()}
            while await self._pack(counts):
                await self._store()
            self._waiting = {
                task_id: waiting
                for task_id, waiting in self._waiting.items()
                if waiting.blocks or waiting.pieces
            }

    async def size(self, task_id: int) -> int:
        """The bytes that ``read`` yields; of what is stored, so ``flush`` first."""
        return await self._database.read(lambda connection: chunks.size(connection, task_id))

    async def dropped(self, task_id: int) -> int:
        """How many bytes of a task's output were not kept."""
        return await self._database.read(lambda connection: chunks.dropped(connection, task_id))

    def read(self, task_id: int) -> AsyncIterator[bytes]:
        """A task's stored output in order, as UTF-8, with a line where some was dropped."""
        return chunks.read(self._database, task_id)

    async def tail(self, task_id: int, chars: int) -> str:
        """The last ``chars`` characters of a task's stored output."""
        return await self._database.read(lambda connection: chunks.tail(connection, task_id, chars))

    def _seal(self, waiting: _Waiting) -> None:
        """Make blocks of the loose pieces."""
        text = "".join(waiting.pieces)
        waiting.pieces.clear()
        waiting.chars = 0
        for start in range(0, len(text), self._block):
            data = text[start : start + self._block].encode(errors="replace")
            self._bytes += len(data)
            last = waiting.blocks[-1] if waiting.blocks else None
            if last is not None and last.size + len(data) <= self._block:
                last.data += data
                last.size += len(data)
            else:
                waiting.blocks.append(Chunk(waiting.task, len(data), 0, data))
        if self._bytes >= _MUCH:
            self._much.set()
        while self._bytes > self._memory and self._shed():
            pass

    def _shed(self) -> bool:
        """Drop a block from the middle of the longest waiting output; false where no middle is left."""
        longest = max(self._waiting.values(), key=lambda waiting: len(waiting.blocks)).blocks
        if len(longest) < _FEWEST:
            return False
        middle = len(longest) // 2
        victim = longest[middle]
        del longest[middle]
        longest[middle].dropped += victim.size + victim.dropped
        self._bytes -= victim.size
        return True

    async def _pack(self, counts: dict[int, int]) -> bool:
        """Compress the next batch of blocks, of each task at most ``counts``; false: there is none."""
        # Blocks stay in ``_moving`` until they are in ``_packed``, and there until they are stored: wherever
        # a failure or a cancellation strikes, the next flush goes on from there.
        if not self._packed:
            self._moving = self._moving or self._take(counts)
            if sum(block.size for block in self._moving) > _AT_ONCE:
                self._packed.extend(await asyncio.to_thread(_pack_all, self._moving))
            else:
                self._packed.extend(_pack_all(self._moving))
            self._moving = []
        return bool(self._packed)

    def _take(self, counts: dict[int, int]) -> list[Chunk]:
        """The next blocks in order, out of what waits: about ``_BATCH`` bytes."""
        taken: list[Chunk] = []
        size = 0
        for task_id in list(counts):
            blocks = self._waiting[task_id].blocks
            while counts[task_id] and blocks and size < _BATCH:
                taken.append(blocks.popleft())
                size += taken[-1].size
                counts[task_id] -= 1
            if size >= _BATCH:
                break
            del counts[task_id]
        return taken

    async def _store(self) -> None:
        """Store what is packed, in transactions that nobody has to wait for long."""
        while self._packed:
            batch: list[Chunk] = []
            weight = 0
            for chunk in self._packed:
                weight += len(chunk.data)
                if batch and (weight > _TRANSACTION or len(batch) == _ROWS):
                    break
                batch.append(chunk)
            await self._database.write_output(
                partial(chunks.store, batch=batch, cap=self._cap, owner=self._owner)
            )
            for chunk in batch:
                self._packed.popleft()
                self._bytes -= chunk.size
            self._moved.set()


def _pack_all(blocks: list[Chunk]) -> list[Chunk]:
    return [replace(block, data=chunks.pack(block.data)) for block in blocks]
