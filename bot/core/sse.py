"""Server-sent events out of a byte stream, by the rules of the WHATWG HTML standard, section 9.2.6.

Bytes are split in bulk, never one by one, since a chatty run sends many thousands of small events. Two things
go beyond the standard: an event has a largest size, and :meth:`SSEDecoder.close` is lenient about a server
that leaves out the last blank line.
"""

import re
from collections.abc import Callable, Iterable
from itertools import compress, count, repeat
from operator import contains
from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"
_LF, _BLANK_LINE = 10, b"\n\n"
_USUAL = re.compile(rb"((?:event: ?([^\n]*)\n)?data: ?+)([^\n]{2,})")  # as nearly all events are
_MOST_KEPT = (
    4096  # bytes of an unfinished event that are read again, with what follows; more are read line by line
)
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
    """Events in a row that are alike in all but their data, and in how these begin and end.

    Each event's data is ``first``, one of ``middles``, ``last``. Where these two are not empty, no middle has a line feed.
    """

    event: str
    middles: list[bytes]
    id: str = ""
    retry: int | None = None
    first: bytes = b""
    last: bytes = b""

    def lines(self) -> bytes:
        """All data, with a line feed between each two."""
        return b"%b%b%b" % (self.first, (self.last + b"\n" + self.first).join(self.middles), self.last)

    def data(self) -> list[bytes]:
        """Each event's."""
        return self.lines().split(b"\n") if self.first else self.middles

    def events(self) -> Iterable[ServerSentEvent]:
        """They, one by one."""
        # Past the named tuple's own constructor, which takes longer than all the rest.
        values = zip(repeat(self.event), self.data(), repeat(self.id), repeat(self.retry), strict=False)
        return map(tuple.__new__, repeat(ServerSentEvent), values)


def byte_each(data: bytes) -> tuple[bytes, bytes]:
    """The first and the last byte of ``data``, of two or more."""
    return data[:1], data[-1:]


def no_edges(_data: bytes) -> tuple[bytes, bytes]:
    """Nothing: events are told apart by their fields alone, and their data needn't be put together again."""
    return b"", b""


class _Form(NamedTuple):
    """What many events have in common: their name, and their bytes before and after their data's middle."""

    name: str
    start: bytes
    end: bytes
    first: bytes
    last: bytes

    def between(self) -> bytes:
        """What stands between the middles of two such events. The longer, the faster it is to split at."""
        return self.end + self.start


class SSEDecoder:
    """Feed it chunks of bytes, cut anywhere; it returns the events that they complete.

    ``feed`` and ``close`` give them one by one, ``feed_runs`` and ``close_runs`` in runs, which cost less than half.

    ``edges`` says how much of some usual data's beginning and end most others have too: the more, the faster they are
    told apart. What it gives is empty on both sides or on neither, and doesn't overlap.

    An event whose lines (comments aside) hold more than ``max_event_bytes`` is skipped up to its blank line and
    counted once in ``dropped``; no more than about that many bytes are ever held, even of a line without end.
    """

    def __init__(
        self,
        max_event_bytes: int = 8 * 2**20,
        edges: Callable[[bytes], tuple[bytes, bytes]] = no_edges,
    ) -> None:
        self.dropped = 0
        self._edges = edges
        self._max_event_bytes = max_event_bytes
        self._most_kept = min(max_event_bytes, _MOST_KEPT)
        # At the edge between two chunks.
        self._start: bytes | None = b""  # what may still be the byte order mark; None once that is settled
        self._skip_lf = False  # the last chunk ended with CR, which has ended its line already
        self._kept = b""  # the beginning of an event, which nobody has read yet
        # The same for an event that has become too long to be kept, of which the lines before are read.
        self._line = bytearray()  # the unfinished line; it grows in place, so that a huge one stays linear
        self._skip_line = False  # the unfinished line is a comment or belongs to a dropped event
        self._form: _Form | None = None  # of most events so far
        # Of the event that is being read line by line.
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
        kept, self._kept = self._kept, b""
        text = kept + self._with_plain_lines(self._without_bom(chunk))
        runs: list[Run] = []
        if self._within:
            end = self._end_of_event(text)
            self._read_part(text[:end], runs)
            text = text[end:]
        end = text.rfind(_BLANK_LINE, max(len(kept) - 1, 0))
        if end >= 0:
            self._read_events(text[:end], runs)
            text = text[end + 2 :]
        if len(text) <= self._most_kept:
            self._kept = text
        else:
            self._read_part(text, runs)
        return runs

    def close_runs(self) -> list[Run]:
        """The stream has ended: the last event, where only its blank line is missing.

        The standard discards an event without its blank line. Here it counts if its last line was ended, so that
        a server's sloppy end costs no output; an event that breaks off within a line is discarded and counted in
        ``dropped``.
        """
        runs: list[Run] = []
        kept, self._kept = self._kept, b""
        self._read_part(kept, runs)
        if self._line:
            self._drop()
            self._line = bytearray()
        self._skip_line = False
        self._dispatch(runs)
        return runs

    @property
    def _within(self) -> bool:
        """Whether an event or a line has begun that is read line by line."""
        return bool(self._size or self._line or self._oversized or self._skip_line)

    def _end_of_event(self, text: bytes) -> int:
        """Where in ``text`` the event ends that is being read: after its blank line, or nowhere yet."""
        if text.startswith(b"\n") and not self._line and not self._skip_line:
            return 1
        found = text.find(_BLANK_LINE)
        return len(text) if found < 0 else found + 2

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

    def _read_events(self, events: bytes, runs: list[Run]) -> None:
        """Read whole events, the last without its blank line.

        Most are one ``data`` line, perhaps after one ``event`` line, and begin and end alike. So one split finds them,
        and what stands between them goes line by line.
        """
        form = self._form_in(events) if len(events) <= self._max_event_bytes else None
        if form:
            self._read_alike(events, form, runs)
        else:
            self._read_each(events + _BLANK_LINE, runs)

    def _form_in(self, events: bytes) -> _Form | None:
        """The last event's form; or the known one, unless that is more general or doesn't occur any more."""
        before = events.rfind(_BLANK_LINE)
        usual = _USUAL.fullmatch(events, before + 2 if before >= 0 else 0)
        known = self._form
        if usual:
            start, name, data = usual.groups()
            first, last = self._edges(data)
            name = (name or b"").decode(errors="replace") or "message"
            form = _Form(name, start + first, last + _BLANK_LINE, first, last)
            clear = first or start.endswith(b" ")  # else a blank after the colon would be taken for data's
            if clear and (not known or form.start.startswith(known.start) or known.between() not in events):
                self._form = form
        return self._form

    def _read_alike(self, events: bytes, form: _Form, runs: list[Run]) -> None:
        """Read whole events, of which most should have that form."""
        start, end = form.start, form.end
        after = b""
        if events.endswith(form.last):
            events = events.removesuffix(form.last)
        else:
            events, found_end, after = events.rpartition(end)
            after += _BLANK_LINE
            if not found_end:
                self._read_each(after, runs)
                return
        if events.startswith(start):
            found = events[len(start) :].split(form.between())
        else:
            before, *found = events.split(form.between())
            self._read_each(before + end, runs)
        self._add_runs(found, form, runs)
        self._read_each(after, runs)

    def _add_runs(self, found: list[bytes], form: _Form, runs: list[Run]) -> None:
        """Add what stands between each start and the end before the next one: one middle, or more than that."""
        done = 0
        for odd in _with_a_line_feed(found):
            middles = found[done:odd]
            middle, _, others = found[odd].partition(form.end)
            if _LF in middle:
                others = form.start + found[odd]
            else:
                middles.append(middle)
            if middles:
                runs.append(Run(form.name, middles, self._last_id, None, form.first, form.last))
            self._read_odd(others + form.end, runs)
            done = odd + 1
        if done < len(found):
            runs.append(Run(form.name, found[done:], self._last_id, None, form.first, form.last))

    def _read_odd(self, events: bytes, runs: list[Run]) -> None:
        """Read whole events, which hardly ever are more than one, and one line."""
        usual = _USUAL.fullmatch(events, 0, len(events) - len(_BLANK_LINE))
        if usual:
            runs.append(
                Run((usual[2] or b"").decode(errors="replace") or "message", [usual[3]], self._last_id)
            )
        else:
            self._read_each(events, runs)

    def _read_part(self, text: bytes, runs: list[Run]) -> None:
        """Read lines, as far as they are whole; the first may go on where the last part ended."""
        end = text.rfind(b"\n") + 1
        if end:
            self._read_each(self._with_held_line(text[:end]), runs)
        self._hold(text[end:])

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


def _with_a_line_feed(pieces: list[bytes]) -> Iterable[int]:
    """Which ones have one."""
    return compress(count(), map(contains, pieces, repeat(_LF)))
