"""Server-sent events out of a byte stream, by the rules of the WHATWG HTML standard, section 9.2.6.

Bytes are split in bulk, never one by one, since a chatty run sends many thousands of small events. Two things
go beyond the standard: an event has a largest size, and :meth:`SSEDecoder.close` is lenient about a server
that leaves out the last blank line.
"""

from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"
_RETRY_DIGITS = 15  # Python refuses to read endless numbers; nobody waits longer than this many digits of ms


class ServerSentEvent(NamedTuple):
    """One dispatched event. A named tuple, because it is made at half a frozen dataclass's cost.

    ``data`` is left as bytes, lines joined by LF, so that a JSON decoder can take it without a copy; whether
    it is valid UTF-8 is for the reader to say. ``id`` is the last one that the stream has set so far.
    ``retry`` is in milliseconds, where this very event carried one.
    """

    event: str = "message"
    data: bytes = b""
    id: str = ""
    retry: int | None = None


class SSEDecoder:
    """Feed it chunks of bytes, cut anywhere; it returns the events that they complete.

    An event whose lines (comments aside) hold more than ``max_event_bytes`` is skipped up to its blank line and
    counted once in ``dropped``; no more than about that many bytes are ever held, even of a line without end.
    """

    def __init__(self, max_event_bytes: int = 8 * 2**20) -> None:
        self.dropped = 0
        self._max_event_bytes = max_event_bytes
        # At the edge between two chunks.
        self._start: bytes | None = b""  # what may still be the byte order mark; None once that is settled
        self._skip_lf = False  # the last chunk ended with CR, which has ended its line already
        self._line = bytearray()  # the unfinished line; it grows in place, so that a huge one stays linear
        self._skip_line = False  # the unfinished line is a comment or belongs to a dropped event
        # Of the event that is being read.
        self._event = ""
        self._data = bytearray()  # each line followed by LF
        self._retry: int | None = None
        self._size = 0
        self._oversized = False
        self._id_buffer = ""
        self._last_id = ""

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that ``chunk`` completes, in order."""
        chunk = self._with_plain_lines(self._without_bom(chunk))
        end = chunk.rfind(b"\n") + 1
        events: list[ServerSentEvent] = []
        if end:
            self._read_lines(self._with_held_line(chunk[:end]), events)
        self._hold(chunk[end:])
        return events

    def close(self) -> list[ServerSentEvent]:
        """The stream has ended: the last event, where only its blank line is missing.

        The standard discards an event without its blank line. Here it counts if its last line was ended, so that
        a server's sloppy end costs no output; an event that breaks off within a line is discarded and counted in
        ``dropped``.
        """
        events: list[ServerSentEvent] = []
        if self._line:
            self._drop()
            self._line = bytearray()
        self._skip_line = False
        self._dispatch(events)
        return events

    def _without_bom(self, chunk: bytes) -> bytes:
        if self._start is None:
            return chunk
        chunk = self._start + chunk
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._start = chunk
            return b""
        self._start = None
        return chunk.removeprefix(_BOM)

    def _with_plain_lines(self, chunk: bytes) -> bytes:
        """``chunk`` with LF for each CR, LF or CRLF; a CRLF cut in two ends its line once, at the CR."""
        if self._skip_lf and chunk:
            self._skip_lf = False
            chunk = chunk.removeprefix(b"\n")
        if b"\r" in chunk:
            self._skip_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

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

    def _read_lines(self, lines: bytes, events: list[ServerSentEvent]) -> None:
        """Read whole lines, each ended by LF.

        Most events are one ``data`` line, perhaps after one ``event`` line: known at a glance once the text is split
        at blank lines. Everything else goes line by line.
        """
        *blocks, rest = lines.split(b"\n\n")
        fresh = not self._size and not self._oversized  # the first block begins an event
        for block in blocks:
            line, name = block, b""
            if block.startswith(b"event: "):
                name, _, line = block.partition(b"\n")
            one_line = line.startswith(b"data: ") and b"\n" not in line
            if one_line and fresh and len(block) <= self._max_event_bytes:
                kind = name[7:].decode(errors="replace") or "message"
                events.append(ServerSentEvent(kind, line[6:], self._last_id))
                continue
            for line in block.split(b"\n"):
                self._read_line(line, events)
            self._dispatch(events)
            fresh = True
        for line in rest.split(b"\n")[:-1]:
            self._read_line(line, events)

    def _read_line(self, line: bytes, events: list[ServerSentEvent]) -> None:
        if not line:
            self._dispatch(events)
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

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        """A blank line: the event is complete, and only counts if it has data."""
        self._last_id = self._id_buffer
        if self._data:
            data = bytes(memoryview(self._data)[:-1])
            events.append(ServerSentEvent(self._event or "message", data, self._last_id, self._retry))
        self._event = ""
        self._data = bytearray()
        self._retry = None
        self._size = 0
        self._oversized = False
