"""Server-sent events line by line, by the rules of the WHATWG HTML standard, section 9.2.6; and what comes of them.

This is what :mod:`bot.core.sse` leaves to the letter: rare events, and those too long to be looked at again.
"""

from typing import NamedTuple

_RETRY_DIGITS = 15  # Python refuses to read endless numbers; nobody waits longer than this many digits of ms


class ServerSentEvent(NamedTuple):
    """One dispatched event.

    ``data`` is left as bytes, lines joined by LF, so that a JSON decoder can take it without a copy; whether
    it is valid UTF-8 is for the reader to say. ``id`` is the last one that the stream has set so far.
    ``retry`` is in milliseconds, where this very event carried one.
    """

    event: str = "message"
    data: bytes = b""
    id: str = ""
    retry: int | None = None


class Run(NamedTuple):
    """Events in a row that are alike in all but their data, of which all begin and end alike, too.

    Each event's data is ``first``, its middle, ``last``. ``middles`` has ``number`` of them, with a carriage return
    between each two, which can't be in data. All middles begin with the same byte.
    """

    event: str
    middles: bytes
    number: int = 1
    id: str = ""
    retry: int | None = None
    first: bytes = b""
    last: bytes = b""

    def data(self) -> list[bytes]:
        """Each event's."""
        data = self.middles
        if self.first or self.last:
            between = self.last + b"\r" + self.first
            data = b"%b%b%b" % (self.first, data.replace(b"\r", between), self.last)
        return data.split(b"\r")

    def events(self) -> list[ServerSentEvent]:
        """They, one by one."""
        return [ServerSentEvent(self.event, data, self.id, self.retry) for data in self.data()]


class LineReader:
    """Takes lines, each ended by LF; what events they complete it adds to ``runs``.

    An event whose lines (comments aside) hold more than ``max_event_bytes`` is skipped up to its blank line and
    counted once in ``dropped``; no more than about that many bytes are ever held, even of a line without end.
    """

    def __init__(self, max_event_bytes: int) -> None:
        self.dropped = 0
        self.last_id = ""
        self._max_event_bytes = max_event_bytes
        self._line = bytearray()  # the unfinished line; it grows in place, so that a huge one stays linear
        self._skip_line = False  # the unfinished line is a comment or belongs to a dropped event
        # Of the event that is being read.
        self._event = ""
        self._data = bytearray()  # each line followed by LF
        self._retry: int | None = None
        self._size = 0
        self._oversized = False
        self._id_buffer = ""

    @property
    def within(self) -> bool:
        """Whether an event or a line has begun."""
        return bool(self._size or self._line or self._oversized or self._skip_line)

    def end_of_event(self, text: bytes) -> int:
        """Where in ``text``, which comes next, that event ends: after its blank line, or nowhere yet."""
        if text.startswith(b"\n") and not self._line and not self._skip_line:
            return 1
        found = text.find(b"\n\n")
        return len(text) if found < 0 else found + 2

    def read(self, lines: bytes, runs: list[Run]) -> None:
        """Read whole lines, while none is unfinished."""
        for line in lines.split(b"\n")[:-1]:
            self._read_line(line, runs)

    def read_part(self, text: bytes, runs: list[Run]) -> None:
        """Read lines, as far as they are whole; the first may go on where the last part ended."""
        end = text.rfind(b"\n") + 1
        if end:
            self.read(self._with_held_line(text[:end]), runs)
        self._hold(text[end:])

    def close(self, runs: list[Run]) -> None:
        """Nothing follows: the event ends here, unless it breaks off within a line."""
        if self._line:
            self._drop()
            self._line = bytearray()
        self._skip_line = False
        self._dispatch(runs)

    def _hold(self, piece: bytes) -> None:
        """Keep a piece of the unfinished line, as far as it can still matter."""
        if self._skip_line or not piece:
            return
        if not self._line and (self._oversized or piece.startswith(b":")):
            self._skip_line = True
            return
        self._line += piece
        if self._size + len(self._line) > self._max_event_bytes:
            self._drop()
            self._line = bytearray()
            self._skip_line = True

    def _with_held_line(self, lines: bytes) -> bytes:
        """``lines``, whose first one now ends what was held or is being skipped."""
        if self._skip_line:
            self._skip_line = False
            return lines[lines.index(b"\n") + 1 :]
        if self._line:
            self._line += lines
            lines, self._line = bytes(self._line), bytearray()
        return lines

    def _read_line(self, line: bytes, runs: list[Run]) -> None:
        if not line:
            self._dispatch(runs)
        elif not line.startswith(b":"):
            self._size += len(line)
            if self._size > self._max_event_bytes:
                self._drop()
            elif not self._oversized:
                self._read_field(line)

    def _read_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data += value
                self._data += b"\n"
            case b"event":
                self._event = value.decode(errors="replace")
            case b"id" if b"\0" not in value:
                self._id_buffer = value.decode(errors="replace")
            case b"retry" if value.isdigit() and len(value) <= _RETRY_DIGITS:
                self._retry = int(value)
            case _:
                pass

    def _drop(self) -> None:
        """Count the event that is being read as dropped, once, and free what was held of it."""
        if not self._oversized:
            self._oversized = True
            self.dropped += 1
            self._data.clear()

    def _dispatch(self, runs: list[Run]) -> None:
        """A blank line: the event is complete, and only counts if it has data."""
        self.last_id = self._id_buffer
        if self._data:
            data = bytes(memoryview(self._data)[:-1])
            runs.append(Run(self._event or "message", data, 1, self.last_id, self._retry))
        self._event = ""
        self._data = bytearray()
        self._retry = None
        self._size = 0
        self._oversized = False
