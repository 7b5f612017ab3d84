"""A TCP proxy in front of a server that must not be touched itself: cut, frozen, restored."""

import asyncio
from types import TracebackType
from typing import Self

_PIECE = 65_536


class Proxy:
    """Passes bytes between a free port on loopback and ``host:port``.

    ``cut`` breaks all connections and refuses new ones, ``freeze`` keeps them and lets no byte pass, ``restore`` ends both.
    """

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._cut = False
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        passing = set(self._passing)
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """The server is gone."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    def freeze(self) -> None:
        """Nothing arrives any more, on either side."""
        self._flowing.clear()

    def restore(self) -> None:
        """All is well again; what was broken stays broken."""
        self._cut = False
        self._flowing.set()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        self._writers.add(writer)
        try:
            if not self._cut:
                await self._connect(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # either side went away, or everything ends
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._passing.discard(task)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(*self._to)
        self._writers.add(to_server)
        ways = [
            asyncio.create_task(self._pass(reader, to_server)),
            asyncio.create_task(self._pass(from_server, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            to_server.transport.abort()  # before anything is waited for, where a cancellation could strike
            self._writers.discard(to_server)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(_PIECE):
            await self._flowing.wait()
            writer.write(piece)
            await writer.drain()
