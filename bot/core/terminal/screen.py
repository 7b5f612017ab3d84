"""A terminal's screen: what is on it, where the cursor is, and what writing and scrolling do.

Rows are strings (see ``page``), so a run of text costs a slice, not a step for each character. Colours are not kept.
"""

# ruff: noqa: FURB136, PLR1730  these run for every few bytes, and min() and max() take three times as long

from functools import cache

from bot.core.terminal.cells import PAD, WRAPPED, Cells, cut, rest
from bot.core.terminal.page import Page

HISTORY = 100  # rows kept of those that scrolled out: more than a message can show, of which there may be a thousand


_BLANK = [""]
_MANY = 2_000  # rows


@cache
def _blanks(most: int) -> tuple[str, ...]:
    """So many blanks, at their number; shared by all screens of that width."""
    return tuple(" " * count for count in range(most + 1))


class Screen:
    """A screen of ``columns`` by ``rows`` with its scrollback, and the alternate screen of full-screen programs.

    ``x`` and ``y`` are the cursor's 0-based column and row. ``x == columns`` means that the last column was just
    written: the next character wraps, as on every terminal since the VT100. ``top`` and ``bottom`` are
    the first and last row of the region that scrolls.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells = Cells()
        self._blanks = _blanks(columns)
        self.reset()

    def reset(self) -> None:
        """Everything as at the start: nothing on the screen or before it."""
        self._main: Page | None = None  # while the alternate screen is shown
        self._show(Page(self.rows, HISTORY))
        self.x = self.y = 0
        self.soft_reset()

    def soft_reset(self) -> None:
        """Modes, margins and the saved cursor as at the start; what is shown stays."""
        self.top, self.bottom = 0, self.rows - 1
        self.autowrap, self.insert, self.origin = True, False, False
        self.page.saved = (0, 0)

    def _show(self, page: Page) -> None:
        self.page = page
        self._lines = page.lines

    def to_alternate(self) -> None:
        """Show the alternate screen, blank."""
        self._main = self._main or self.page
        self._show(Page(self.rows, history=0))

    def to_main(self) -> None:
        """Show the main screen again, as it was left."""
        if self._main:
            self._show(self._main)
            self._main = None

    @property
    def row(self) -> str:
        """The cursor's row, as cells."""
        return self._lines[self.y - self.rows]

    @row.setter
    def row(self, cells: str) -> None:
        self._lines[self.y - self.rows] = cells

    @property
    def scrolls(self) -> bool:
        """Whether every line feed scrolls the whole screen."""
        return self.y == self.rows - 1 and self.y == self.bottom and not self.top

    def display(self) -> list[str]:
        """The screen's rows as text, without blanks at their ends."""
        return [self.text(row) for row in self._lines[-self.rows :]]

    def text(self, cells: str) -> str:
        """The text of some cells, without blanks at the end."""
        return self._cells.decode(cells).rstrip()

    # --- writing

    def put_text(self, run: str) -> None:
        """Write printable characters at the cursor."""
        if not run.isascii():
            run, marks = self._cells.encode(run)
            if marks:
                self._mark(marks)
            if not run:  # there was nothing but marks
                return
        self.put(run)

    def put(self, cells: str) -> None:
        """Write cells at the cursor."""
        x = self.x
        end = x + len(cells)
        if end > self.columns:
            if self.autowrap:
                self._put_over(cells)
            else:
                self._put_clipped(cells)
            return
        lines, at = self._lines, self.y - self.rows
        row = lines[at]
        size = len(row)
        if size == x:
            lines[at] = row + cells
        elif size < x:
            lines[at] = f"{row}{self._blanks[x - size]}{cells}"
        elif self.insert:
            self._insert(cells, x)
        elif size <= end and not x:
            lines[at] = cells
        elif row.isascii() or (row[x] != PAD and row[end : end + 1] != PAD):
            lines[at] = row[:x] + cells + row[end:]
        else:
            lines[at] = cut(row, x) + cells + rest(row, end)
        self.x = end

    def _put_over(self, run: str) -> None:
        """The same where the run doesn't fit into the row."""
        lines, columns, x, size, scrolls = self._lines, self.columns, self.x, len(run), self.scrolls
        start, end = 0, columns - x
        while end < size:
            if run[end] == PAD:
                end -= 1  # a wide character isn't divided
            at = self.y - self.rows
            row = lines[at]
            lines[at] = (row if len(row) == x < columns else cut(row, x)) + run[start:end] + WRAPPED
            if scrolls:
                lines.append("")
            else:
                self.feed(1)
            start, x, end = end, 0, end + columns
        if scrolls:  # the row is new
            lines[-1] = run[start:]
            self.x = size - start
        else:
            self.x = 0
            self._put_fitting(run[start:])

    def _put_clipped(self, run: str) -> None:
        """Without autowrap what comes after the last column is written over it."""
        lines, at, columns = self._lines, self.y - self.rows, self.columns
        row, x = lines[at], self.x
        last = columns - (2 if run[-1] == PAD else 1)
        alone = last + len(run) == columns
        if alone and x >= last and len(row) == columns and row[last] != PAD:
            lines[at] = row[:last] + run
            self.x = columns
            return
        if PAD not in run[: last - columns]:  # the last character stands at the edge, whatever comes between
            kept = x if x < last else last
            after = "" if self.insert else row[columns:]
            lines[at] = cut(row, kept) + run[: last - kept] + run[last - columns :] + after
            self.x = columns
            return
        room = columns - self.x
        if run[room : room + 1] == PAD:
            room -= 1
        if room > 0:
            self._put_fitting(run[:room])
        # Of all that is written over the last column only the last character stays, and the blank that a narrow one
        # makes of a wide one's first half.
        over = run[max(room, 0) :]
        wide = over.rfind(PAD)
        for cell in (over[wide - 1 : wide + 1] if wide > 0 else "", over[wide + 1 :][-1:]):
            if cell:
                self.x = min(self.x, columns - len(cell))
                self._put_fitting(cell)

    def _put_fitting(self, cells: str) -> None:
        lines, at, x = self._lines, self.y - self.rows, self.x
        self.x = end = x + len(cells)
        if self.insert:
            self._insert(cells, x)
        else:
            row = lines[at]
            lines[at] = cut(row, x) + cells + rest(row, end) if row else cells.rjust(end)

    def erase_right(self) -> None:
        """Erase the cursor's row from the cursor on."""
        lines, at = self._lines, self.y - self.rows
        row, x = lines[at], self.x
        if x < len(row):
            lines[at] = cut(row, x) if x else ""

    def erase(self, count: int) -> None:
        """Blanks over what stands from the cursor on; nothing moves."""
        lines, at, x, columns = self._lines, self.y - self.rows, self.x, self.columns
        row, end = lines[at], x + count
        if end > columns:
            end = columns
        if x < len(row) and row[x] != PAD and row[end : end + 1] != PAD:
            lines[at] = f"{row[:x]}{self._blanks[end - x]}{row[end:]}"
        elif x == columns or x < len(row):
            lines[at] = cut(row, x) + self._blanks[end - x] + rest(row, end)

    def insert_blanks(self, count: int) -> None:
        """Blanks at the cursor."""
        self._insert(self._blanks[count] if count < self.columns else self._blanks[-1], self.x)

    def _insert(self, cells: str, x: int) -> None:
        """What stands from column ``x`` on moves right, and out at the edge."""
        lines, at, end = self._lines, self.y - self.rows, self.columns - len(cells)
        row = lines[at]
        if x < len(row) and x <= end and row[x] != PAD and row[end : end + 1] != PAD:
            lines[at] = f"{row[:x]}{cells}{row[x:end]}"
        else:
            row = row.removesuffix(WRAPPED)
            row = cut(row, x) + cells + rest(row, x)
            lines[at] = row if len(row) <= self.columns else cut(row, self.columns)

    def repeat(self, count: int) -> None:
        """Write the character before the cursor again; at most a row of it, so that a few bytes can't become megabytes."""
        columns = self.columns
        if self.x == columns and not self.autowrap:  # over itself
            return
        cell = self._before()[1]
        if cell:
            most = columns // len(cell)
            self.put(cell * (count if count < most else most))

    def _mark(self, marks: str) -> None:
        """Put zero-width characters onto the character before the cursor."""
        x, cell = self._before()
        if cell:
            row = self.row
            self.row = row[:x].ljust(x) + self._cells.add_marks(cell, marks) + row[x + len(cell) :]

    def _before(self) -> tuple[int, str]:
        """The column and the cells of the character before the cursor; no cells at the row's start."""
        end, row = self.x, self._lines[self.y - self.rows]
        if not end:
            return 0, ""
        if end <= len(row):
            cell = row[end - 1]
            if cell == PAD:
                return end - 2, row[end - 2 : end]
            if cell != WRAPPED:
                return end - 1, row[end - 1 : end + 1] if row[end : end + 1] == PAD else cell
        return end - 1, " "

    # --- scrolling

    def feed(self, count: int) -> None:
        """To the next row, so many times, same column; at the bottom margin the region scrolls."""
        y, bottom = self.y, self.bottom
        if y < bottom:
            self.y = y + count if y + count < bottom else bottom
            count -= self.y - y
            if count:
                self.feed(count)
        elif y > bottom:  # below the region
            self.y = y + count if y + count < self.rows else self.rows - 1
        elif self.top:
            self.delete_rows(self.top, count)
        elif bottom == self.rows - 1:
            self._lines.extend(_BLANK if count == 1 else _BLANK * count)
        else:
            end = len(self._lines) - self.rows + bottom + 1
            self._lines[end:end] = _BLANK * count

    def scroll_up(self, count: int) -> None:
        """Scroll the region. What leaves at the screen's top is kept, as in xterm."""
        bottom = self.bottom
        if self.top:
            self.delete_rows(self.top, count)
            return
        if count > bottom:
            count = bottom + 1
        if bottom == self.rows - 1:
            self._lines.extend(_BLANK * count)
        else:
            end = len(self._lines) - self.rows + bottom + 1
            self._lines[end:end] = _BLANK * count
        if len(self._lines) > _MANY:  # a list that grows on and on is copied again and again
            self.page.tidy()

    def delete_rows(self, first: int, count: int) -> None:
        """Delete rows; those below, up to the bottom margin, move up, and blank ones come in."""
        lines = self._lines
        base = len(lines) - self.rows
        end = base + self.bottom + 1
        if count == 1:  # half the time of slices
            lines.insert(end, "")
            del lines[base + first]
            return
        most = end - base - first
        if count > most:
            count = most
        lines[end:end] = _BLANK * count
        del lines[base + first : base + first + count]

    def insert_rows(self, first: int, count: int) -> None:
        """Insert blank rows; those below, up to the bottom margin, move down and out."""
        lines = self._lines
        base = len(lines) - self.rows
        if count == 1:  # half the time of slices
            del lines[base + self.bottom]
            lines.insert(base + first, "")
            return
        end = base + self.bottom + 1
        most = end - base - first
        if count > most:
            count = most
        del lines[end - count : end]
        lines[base + first : base + first] = _BLANK * count

    def blank(self, first: int, end: int) -> None:
        """Empty the rows from ``first`` up to, not including, ``end``."""
        base = len(self._lines) - self.rows
        self._lines[base + first : base + end] = [""] * (end - first)
