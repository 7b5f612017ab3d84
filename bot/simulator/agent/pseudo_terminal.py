"""A command under a pseudo-terminal: what it prints is what it would show a person, colours and progress bars too."""

import asyncio
import codecs
import contextlib
import errno
import fcntl
import os
import signal
import struct
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Self

COLUMNS, ROWS = 100, 40
CHUNK = 4096  # bytes that are read at once
GRACE = 2.0  # seconds between SIGTERM and SIGKILL
DRAIN = 2.0  # seconds for the rest of the output once the command has ended, should something hold the terminal open


class PseudoTerminal:
    """One running command, the leader of its own process group. Get one by :meth:`start`, and always :meth:`close` it."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, pipe: asyncio.ReadTransport
    ) -> None:
        self.pid = process.pid
        self._process = process
        self._reader = reader
        self._pipe = pipe
        self._ending = asyncio.create_task(self._when_it_ends(), name=f"end of {process.pid}")

    @classmethod
    async def start(cls, command: Sequence[str], *, cwd: Path, env: Mapping[str, str]) -> Self:
        """Start ``command`` in ``cwd``; raises ``OSError`` or ``ValueError`` where it can't be started."""
        master, slave = os.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,  # nobody is there to answer a question
                stdout=slave,
                stderr=slave,
                cwd=cwd,
                env=dict(env),
                start_new_session=True,
            )
        except BaseException:
            os.close(master)
            raise
        finally:
            os.close(slave)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=CHUNK)
        pipe, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(master, "rb", buffering=0)
        )
        return cls(process, reader, pipe)

    async def output(self) -> AsyncIterator[str]:
        """What the command prints, piece by piece, until it has ended; a character is never cut."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while piece := await self._read():
            if text := decoder.decode(piece):
                yield text
        if rest := decoder.decode(b"", final=True):
            yield rest

    async def wait(self) -> int:
        """The exit status; negative: the signal that ended it."""
        return await self._process.wait()

    async def close(self) -> None:
        """End the command and everything it has started, if that still runs: first politely, then not."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._process.wait()
        self._signal(signal.SIGKILL)
        await self._process.wait()
        self._ending.cancel()
        self._pipe.close()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(CHUNK)
        except OSError as error:
            if error.errno == errno.EIO:  # Linux's way to say that nobody has the terminal open any more
                return b""
            raise

    async def _when_it_ends(self) -> None:
        """What a command leaves behind would keep its terminal, and so its output, open for ever."""
        await self._process.wait()
        self._signal(signal.SIGKILL)
        await asyncio.sleep(DRAIN)
        self._pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        # The group outlives its leader as long as a member lives; macOS says EPERM of one that is only a zombie.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
