"""Server-sent events out of a byte stream, by the rules of the WHATWG HTML standard, section 9.2.6.

Bytes are split in bulk, never one by one, since a chatty run sends many thousands of small events. Two things
go beyond the standard: an event has a largest size, and :meth:`SSEDecoder.close` is lenient about a server
that leaves out the last blank line.
"""

import re
from collections.abc import Iterable
from itertools import repeat
from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"
_LF, _BLANK_LINE = 10, b"\n\n"
_BEGINNING = re.compile(rb"(?:event: ([^\n]*)\n)?data: ")  # of nearly all events there are
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


class Run(NamedTuple):
    """Events in a row that are alike in all but their data, of which there is one for each event."""

    event: str
    data: list[bytes]
    id: str = ""
    retry: int | None = None

    def events(self) -> Iterable[ServerSentEvent]:
        """They, one by one."""
        # Past the named tuple's own constructor, which takes longer than all the rest.
        values = zip(repeat(self.event), self.data, repeat(self.id), repeat(self.retry), strict=False)
        return map(tuple.__new__, repeat(ServerSentEvent), values)


class SSEDecoder:
    """Feed it chunks of bytes, cut anywhere; it returns the events that they complete.

    ``feed`` and ``close`` give them one by one, ``feed_runs`` and ``close_runs`` in runs, which cost less than half.

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
        return [event for run in self.feed_runs(chunk) for event in run.events()]

    def close(self) -> list[ServerSentEvent]:
        """The events that the end of the stream completes (see ``close_runs``)."""
        return [event for run in self.close_runs() for event in run.events()]

    def feed_runs(self, chunk: bytes) -> list[Run]:
        """The events that ``chunk`` completes, in order."""
        chunk = self._with_plain_lines(self._without_bom(chunk))
        end = chunk.rfind(b"\n") + 1
        runs: list[Run] = []
        if end:
            self._read_lines(self._with_held_line(chunk[:end]), runs)
        self._hold(chunk[end:])
        return runs

    def close_runs(self) -> list[Run]:
        """The stream has ended: the last event, where only its blank line is missing.

        The standard discards an event without its blank line. Here it counts if its last line was ended, so that
        a server's sloppy end costs no output; an event that breaks off within a line is discarded and counted in
        ``dropped``.
        """
        runs: list[Run] = []
        if self._line:
            self._drop()
            self._line = bytearray()
        self._skip_line = False
        self._dispatch(runs)
        return runs

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

    def _read_lines(self, lines: bytes, runs: list[Run]) -> None:
        """Read whole lines, each ended by LF.

        Most events are one ``data`` line, perhaps after one ``event`` line, and most of a stream's begin alike: as
        the last one of these lines does. So one split finds them, and what stands between them goes line by line.
        """
        if self._size or self._oversized:  # first the rest of the event that has begun
            end = 1 if lines.startswith(b"\n") else _after_blank_line(lines)
            self._read_each(lines[:end], runs)
            lines = lines[end:]
        end = lines.rfind(_BLANK_LINE)
        last = lines.rfind(_BLANK_LINE, 0, max(end, 0))
        beginning = _BEGINNING.match(lines, last + 2 if last >= 0 else 0)
        if 0 < end <= self._max_event_bytes and beginning:
            self._read_alike(lines[:end], beginning, runs)
            lines = lines[end + 2 :]
        self._read_each(lines, runs)

    def _read_alike(self, events: bytes, beginning: re.Match[bytes], runs: list[Run]) -> None:
        """Read whole events, the last without its blank line, of which most begin with that."""
        start, name = beginning[0], (beginning[1] or b"").decode(errors="replace") or "message"
        first, *found = (_BLANK_LINE + events).split(_BLANK_LINE + start)
        if first:
            self._read_each(first[2:] + _BLANK_LINE, runs)
        usual = 0
        for odd in [at for at, data in enumerate(found) if _LF in data]:
            if usual < odd:
                runs.append(Run(name, found[usual:odd], self._last_id))
            self._read_each(start + found[odd] + _BLANK_LINE, runs)
            usual = odd + 1
        if usual < len(found):
            runs.append(Run(name, found[usual:], self._last_id))

    def _read_each(self, lines: bytes, runs: list[Run]) -> None:
        for line in lines.split(b"\n")[:-1]:
            self._read_line(line, runs)

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
        self._last_id = self._id_buffer
        if self._data:
            data = bytes(memoryview(self._data)[:-1])
            runs.append(Run(self._event or "message", [data], self._last_id, self._retry))
        self._event = ""
        self._data = bytearray()
        self._retry = None
        self._size = 0
        self._oversized = False


def _after_blank_line(lines: bytes) -> int:
    found = lines.find(_BLANK_LINE)
    return len(lines) if found < 0 else found + 2
