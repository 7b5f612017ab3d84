"""A response's body as aiohttp receives it, without what its chunks cost.

Servers that stream send an HTTP chunk for each event. aiohttp keeps a book of where each one ended, and looks whether to
go on reading after each; here nobody asks, and both take longer than all the rest of the decoding.
"""

import aiohttp


class Body(aiohttp.StreamReader):
    """aiohttp's reader of a body, of which always all that is there is read."""

    __slots__ = ()

    @classmethod
    def of(cls, response: aiohttp.ClientResponse) -> aiohttp.StreamReader:
        """The response's own reader, made one of these: aiohttp's parser holds it, and can't be given another."""
        content = response.content
        if type(content) is aiohttp.StreamReader:
            content.__class__ = cls
        return content

    def feed_data(self, data: bytes, size: int = 0) -> bool:
        """More of it."""
        if self._waiter is not None or self._size > self._high_water:
            return super().feed_data(data, size)
        self._buffer.append(data)
        self._size += len(data)
        return False

    def begin_http_chunk_receiving(self) -> None:
        """Nothing that matters."""

    def end_http_chunk_receiving(self) -> None:
        """The same."""

    def _read_nowait(self, n: int) -> bytes:
        if n != -1:
            return super()._read_nowait(n)
        pieces = [*self._buffer]
        pieces[:1] = [piece[self._buffer_offset :] for piece in pieces[:1]]
        self._buffer.clear()
        self._size = self._buffer_offset = 0
        self._protocol.resume_reading()  # once for all of them
        return b"".join(pieces)
