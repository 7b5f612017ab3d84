"""Server-sent events out of a byte stream, by the rules of the WHATWG HTML standard, section 9.2.6.

Bytes are split in bulk, never one by one, since a chatty run sends many thousands of small events. Two things
go beyond the standard: an event has a largest size, and :meth:`SSEDecoder.close` is lenient about a server
that leaves out the last blank line.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from bot.core.sselines import LineReader, Run, ServerSentEvent

__all__ = ["Run", "SSEDecoder", "ServerSentEvent"]

_BOM = b"\xef\xbb\xbf"
_BLANK_LINE = b"\n\n"
# As nearly all events begin; the rest of the line, which may be long, is found faster without.
_USUAL = re.compile(rb"(?:event: ?([^\n]*)\n)?data: ?+(?=[^\n]{2})")
_MOST_KEPT = (
    4096  # bytes of an unfinished event that are read again, with what follows; more are read line by line
)


def no_edges(_data: bytes) -> tuple[bytes, bytes]:
    """Nothing: what events have in common is their fields alone."""
    return b"", b""


class _Form(NamedTuple):
    """What many events have in common: their name, and their bytes before and after their data's middle.

    ``head`` is a middle's first byte, with which ``start`` ends; ``first`` and ``last`` are data's, around the middle.
    """

    name: str
    start: bytes
    head: bytes
    first: bytes
    last: bytes
    end: bytes
    between: bytes

    @property
    def special(self) -> bool:
        """Whether other events hardly begin like that."""
        return bool(self.first) or self.name != "message"


class SSEDecoder:
    """Feed it chunks of bytes, cut anywhere; it returns the events that they complete.

    ``feed`` and ``close`` give them one by one, ``feed_runs`` and ``close_runs`` in runs, which cost less than half.

    ``edges`` says how much of some usual data's beginning and end most others have too, which runs then have apart;
    between the two it leaves a byte or more. Events longer than ``max_event_bytes`` are ``dropped`` (see ``LineReader``).
    """

    def __init__(
        self,
        max_event_bytes: int = 8 * 2**20,
        edges: Callable[[bytes], tuple[bytes, bytes]] = no_edges,
    ) -> None:
        self._lines = LineReader(max_event_bytes)
        self._edges = edges
        self._max_event_bytes = max_event_bytes
        self._most_kept = min(max_event_bytes, _MOST_KEPT)
        # At the edge between two chunks.
        self._start: bytes | None = b""  # what may still be the byte order mark; None once that is settled
        self._skip_lf = False  # the last chunk ended with CR, which has ended its line already
        self._kept = b""  # the beginning of an event, which nobody has read yet
        self._form: _Form | None = None  # of most events so far

    @property
    def dropped(self) -> int:
        """How many events were too long, or broke off."""
        return self._lines.dropped

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
        if self._lines.within:
            end = self._lines.end_of_event(text)
            self._lines.read_part(text[:end], runs)
            text = text[end:]
        end = text.rfind(_BLANK_LINE, max(len(kept) - 1, 0))
        if end >= 0:
            self._read_events(text[:end], runs)
            text = text[end + 2 :]
        if len(text) <= self._most_kept:
            self._kept = text
        else:
            self._lines.read_part(text, runs)
        return runs

    def close_runs(self) -> list[Run]:
        """The stream has ended: the last event, where only its blank line is missing.

        The standard discards an event without its blank line. Here it counts if its last line was ended, so that
        a server's sloppy end costs no output; an event that breaks off within a line is discarded and counted in
        ``dropped``.
        """
        runs: list[Run] = []
        kept, self._kept = self._kept, b""
        self._lines.read_part(kept, runs)
        self._lines.close(runs)
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

    def _read_events(self, events: bytes, runs: list[Run]) -> None:
        """Read whole events, the last without its blank line.

        Most are one ``data`` line, perhaps after one ``event`` line, and begin and end alike. So one split finds them,
        and what stands between them is read by itself.
        """
        form = self._form_in(events) if len(events) <= self._max_event_bytes else None
        if form is None:
            self._lines.read(events + _BLANK_LINE, runs)
            return
        found = events.split(form.between)
        after = b""
        if found[0].startswith(form.start):
            found[0] = found[0].removeprefix(form.start)
        else:
            before = found.pop(0)
            self._read_odd(before + (form.end if found else _BLANK_LINE), runs)
        if found and found[-1].endswith(form.last):
            found[-1] = found[-1].removesuffix(form.last)
        elif found:
            after = form.start + found.pop() + _BLANK_LINE
        self._add_runs(found, form, runs)
        if after:
            self._read_odd(after, runs)

    def _form_in(self, events: bytes) -> _Form | None:
        """The known form, if they begin like that; else the last event's, unless the known one is as good."""
        known = self._form
        if known and known.special and events.startswith(known.start):
            return known
        before = events.rfind(_BLANK_LINE)
        usual = _USUAL.match(events, before + 2 if before >= 0 else 0)
        if usual and events.find(b"\n", usual.end()) < 0:
            data = events[usual.end() :]
            first, last = self._edges(data)
            head = data[len(first) :][:1]
            start, end = usual[0] + first + head, last + _BLANK_LINE
            if not known or start.startswith(known.start) or known.between not in events:
                self._form = _Form(_name(usual[1]), start, head, first, last, end, end + start)
        return self._form

    def _add_runs(self, found: list[bytes], form: _Form, runs: list[Run]) -> None:
        """Add what stands between each start and the end before the next one: a middle, or that and other events."""
        name, start, head, first, last, end, _ = form
        middles = head + (b"\r" + head).join(found)
        at = done = 0
        while (odd := middles.find(b"\n", at)) >= 0:
            begin = max(middles.rfind(b"\r", at, odd) + 1, at) + len(head)
            until = middles.find(b"\r", odd) % (len(middles) + 1)  # or the end
            piece = middles[begin:until]
            middle, _, others = piece.partition(end)
            stop = begin + len(middle)
            count = found.index(piece, done) + 1 - done
            done += count
            if b"\n" in middle:  # not even the first is usual
                stop, count, others = begin - len(head) - 1, count - 1, start + piece
            if count:
                runs.append(Run(name, middles[at:stop], count, self._lines.last_id, None, first, last))
            self._read_odd(others + end, runs)
            at = until + 1
        if done < len(found):
            runs.append(Run(name, middles[at:], len(found) - done, self._lines.last_id, None, first, last))

    def _read_odd(self, events: bytes, runs: list[Run]) -> None:
        """Read whole events, which hardly ever are more than one, and one line."""
        usual = _USUAL.match(events)
        if usual and events.find(b"\n", usual.end()) == len(events) - len(_BLANK_LINE):
            data = events[usual.end() : -len(_BLANK_LINE)]
            runs.append(Run(_name(usual[1]), data, 1, self._lines.last_id))
        else:
            self._lines.read(events, runs)


def _name(field: bytes | None) -> str:
    """An event's, by its field, which may be empty or missing."""
    return (field or b"").decode(errors="replace") or "message"
