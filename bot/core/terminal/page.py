"""The rows of one screen and the last of what scrolled out of it, in bounded memory, with an exact count of lines.

Rows are strings of cells (see ``cells``), as long as what was written to them. One list holds all of them: the last
``rows`` are the screen, those before it have scrolled out. So scrolling is an ``append``, and row ``y`` of the screen is
``lines[y - rows]``. A row whose line goes on in the next one ends with ``WRAPPED``; a *line* is such a row
with all that continue it.
"""

from collections.abc import Iterator

from bot.core.terminal.cells import WRAPPED

GAP = " … "

_AT_ONCE = 64  # rows


class Page:
    """One screen's rows. ``history`` is how many rows are kept of those that scrolled out."""

    def __init__(self, rows: int, history: int) -> None:
        self.rows = rows
        self.lines = [""] * rows
        self.saved = (0, 0)  # the cursor's saved column and row
        self.kept = rows + history
        self._slack = self.kept  # rows are dropped in batches
        self._forget()

    def forget_history(self) -> None:
        """Drop all that scrolled out, uncounted."""
        del self.lines[: -self.rows]
        self._forget()

    def _forget(self) -> None:
        self._dropped = 0  # lines that ended in rows no longer held
        self._filled = 0  # the same, up to the last one that isn't blank
        self._open = False  # whether the last dropped row's line goes on in the first held one
        self._start = ""  # if so, that line's first row

    @property
    def count(self) -> int:
        """How many lines there are, dropped ones too, trailing blank ones not."""
        end = _filled_rows(self.lines)
        if not end:
            return self._filled
        return self._dropped + _ended_lines(self.lines[: end - 1]) + 1

    def backwards(self) -> Iterator[tuple[str, bool]]:
        """The lines that are held, from the last one that isn't blank: their cells, and whether these are all.

        A line that begins in a dropped row is given as its first row, ``GAP``, and the rows held.
        """
        self.trim()
        end = _filled_rows(self.lines)
        while end:
            start = end - 1
            while start and self.lines[start - 1].endswith(WRAPPED):
                start -= 1
            line = "".join(row.removesuffix(WRAPPED) for row in self.lines[start:end])
            whole = bool(start) or not self._open
            yield (line if whole else self._start.removesuffix(WRAPPED) + GAP + line), whole
            end = start

    def trim(self, slack: int = 0) -> None:
        """Drop the rows that are more than ``kept``, as soon as they are more than ``slack``."""
        surplus = len(self.lines) - self.kept
        if surplus > slack:
            self._drop(surplus)

    def tidy(self) -> None:
        """Drop rows when it has become worth it."""
        self.trim(self._slack)

    def skip(self, text: str) -> bool:
        """Count the lines of ``text`` without writing them: the screen's last row is blank and ``kept`` lines will follow.

        ``text`` holds runs and C0 controls, its last line without the line feed. False, with nothing done, where
        only writing it would tell which of its lines are blank in the end.
        """
        filled = len(text.rstrip(" \t\r\n"))
        last = text[text.rfind("\n", 0, filled) + 1 :].partition("\n")[0].rstrip("\r")
        if filled and not (last.isascii() and last.isprintable()):
            return False
        self._drop(len(self.lines) - 1)
        if filled:
            self._filled = self._dropped + text.count("\n", 0, filled) + 1
        self._dropped += text.count("\n") + 1
        return True

    def _drop(self, count: int) -> None:
        rows = self.lines[:count]
        del self.lines[:count]
        filled = _filled_rows(rows)
        if filled:
            self._filled = self._dropped + _ended_lines(rows[: filled - 1]) + 1
        start = len(rows)
        while start and rows[start - 1].endswith(WRAPPED):
            start -= 1
        going_on = start < len(rows)
        if going_on and (start or not self._open):
            self._start = rows[start]
        if rows:
            self._open = going_on
        self._dropped += _ended_lines(rows)


def _filled_rows(rows: list[str]) -> int:
    """How many rows there are up to the last one that isn't blank; many blank ones at a time."""
    end, some = len(rows), _AT_ONCE
    while end and not "".join(rows[max(0, end - some) : end]).strip():
        end, some = max(0, end - some), 2 * some
    while end and not rows[end - 1].strip():
        end -= 1
    return end


def _ended_lines(rows: list[str]) -> int:
    return len(rows) - "".join(rows).count(WRAPPED)
