"""A terminal's screen: what is on it, where the cursor is, and what writing and scrolling do.

Rows are strings (see ``page``), so a run of text costs a slice, not a step for each character. Colours are not kept.
"""

import re

from bot.core.terminal.cells import PAD, WRAPPED, Cells, cut, rest
from bot.core.terminal.page import Page

HISTORY = 400  # rows kept of those that scrolled out: more than a message can show

_CELL = re.compile(f".{PAD}?", re.DOTALL)


class Screen:
    """A screen of ``columns`` by ``rows`` with its scrollback, and the alternate screen of full-screen programs.

    ``x`` and ``y`` are the cursor's 0-based column and row. ``x == columns`` means that the last column was just
    written: the next character wraps, as on every terminal since the VT100. ``top`` and ``bottom`` are
    the first and last row of the region that scrolls.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._cells = Cells()
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
        return self.y == self.bottom == self.rows - 1 and not self.top

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
        if run:  # there may have been nothing but marks
            self.put(run)

    def put(self, cells: str) -> None:
        """Write cells at the cursor."""
        x = self.x
        end = x + len(cells)
        if end > self.columns or self.insert:
            self._put_slowly(cells)
            return
        at = self.y - self.rows
        row = self._lines[at]
        if len(row) == x:
            self._lines[at] = row + cells
        elif len(row) < x:
            self._lines[at] = row.ljust(x) + cells
        elif len(row) <= end and not x:
            self._lines[at] = cells
        else:
            self._lines[at] = cut(row, x) + cells + rest(row, end)
        self.x = end

    def _put_slowly(self, run: str) -> None:
        """The same where the run doesn't fit into the row, or moves what stands there to the right."""
        if not self.autowrap:
            self._put_clipped(run)
            return
        while run:
            room = self.columns - self.x
            if run[room : room + 1] == PAD:
                room -= 1  # a wide character isn't divided
            self._put_fitting(run[:room])
            run = run[room:]
            if run:
                self.row = cut(self.row, self.x) + WRAPPED
                self.feed()
                self.x = 0

    def _put_clipped(self, run: str) -> None:
        """Without autowrap what comes after the last column is written over it."""
        room = max(self.columns - self.x, 1)
        if run.isascii() and len(run) > room:
            run = run[: room - 1] + run[-1]
        for cell in _CELL.findall(run):
            self.x = min(self.x, self.columns - len(cell))
            self._put_fitting(cell)

    def _put_fitting(self, cells: str) -> None:
        if self.insert:
            self.insert_blanks(len(cells))
        row, x = self.row, self.x
        self.x = x + len(cells)
        self.row = cut(row, x) + cells + rest(row, self.x)

    def erase_right(self) -> None:
        """Erase the cursor's row from the cursor on."""
        at = self.y - self.rows
        row = self._lines[at]
        if self.x < len(row):
            self._lines[at] = cut(row, self.x) if self.x else ""

    def insert_blanks(self, count: int) -> None:
        """Blanks at the cursor; what stands there moves right, and out at the edge."""
        row = self.row.removesuffix(WRAPPED)
        moved = cut(row, self.x) + " " * min(count, self.columns) + rest(row, self.x)
        self.row = cut(moved, min(self.columns, len(moved)))

    def repeat(self, count: int) -> None:
        """Write the character before the cursor again; at most a row of it, so that a few bytes can't become megabytes."""
        self._put_slowly(self._before()[1] * min(count, self.columns))

    def _mark(self, marks: str) -> None:
        """Put zero-width characters onto the character before the cursor."""
        x, cell = self._before()
        if cell:
            row = self.row
            self.row = row[:x].ljust(x) + self._cells.add_marks(cell[0], marks) + row[x + 1 :]

    def _before(self) -> tuple[int, str]:
        """The column and the cells of the character before the cursor; no cells at the row's start."""
        row, end = self.row.removesuffix(WRAPPED), self.x
        if not end:
            return 0, ""
        x = end - 2 if row[end - 1 : end] == PAD else end - 1
        return x, row[x : x + 2] if row[x + 1 : x + 2] == PAD else row[x:end] or " "

    # --- scrolling

    def feed(self) -> None:
        """To the next row, same column; at the bottom margin the region scrolls."""
        if self.y == self.bottom:
            if self.scrolls:
                self._lines.append("")
            else:
                self.scroll_up(1)
        elif self.y < self.rows - 1:
            self.y += 1

    def scroll_up(self, count: int) -> None:
        """Scroll the region. What leaves at the screen's top is kept, as in xterm."""
        if self.top:
            self.delete_rows(self.top, count)
        else:
            end = len(self._lines) - self.rows + self.bottom + 1
            self._lines[end:end] = [""] * min(count, self.bottom + 1)

    def delete_rows(self, first: int, count: int) -> None:
        """Delete rows; those below, up to the bottom margin, move up, and blank ones come in."""
        count = min(count, self.bottom - first + 1)
        base = len(self._lines) - self.rows
        end = base + self.bottom + 1
        self._lines[end:end] = [""] * count
        del self._lines[base + first : base + first + count]

    def insert_rows(self, first: int, count: int) -> None:
        """Insert blank rows; those below, up to the bottom margin, move down and out."""
        count = min(count, self.bottom - first + 1)
        base = len(self._lines) - self.rows
        end = base + self.bottom + 1
        del self._lines[end - count : end]
        self._lines[base + first : base + first] = [""] * count

    def blank(self, first: int, end: int) -> None:
        """Empty the rows from ``first`` up to, not including, ``end``."""
        base = len(self._lines) - self.rows
        self._lines[base + first : base + end] = [""] * (end - first)
