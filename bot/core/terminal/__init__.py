"""What a terminal would show of a program's output, in bounded memory however much of it there is.

::

    chunks → ansi.Settler → runs and controls → PROGRAMS → screen.Screen → page.Page → Tail
                                                                     text as cells.Cells

Speed comes from doing nothing a character at a time: colours and titles are cut out by one substitution, what is
left is split into runs and controls by one regex, and a run becomes part of a row by slicing. Lines that would only
scroll through the screen and its history are counted, not written.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.core.terminal.ansi import (
    ESC,
    LONGEST_CHUNK,
    RESET,
    Settler,
    in_seven_bits,
    split,
    without_idle_erasing,
)
from bot.core.terminal.cells import is_plain
from bot.core.terminal.page import GAP
from bot.core.terminal.programs import PROGRAMS
from bot.core.terminal.screen import Screen

_LONGEST_LINE = 400  # characters of one line among others
_BATCH = 4096  # characters; many small chunks cost little more than one large one


@dataclass(frozen=True, slots=True)
class Tail:
    """The last lines of some output.

    ``hidden`` is how many earlier lines are not in ``text``; ``cut`` whether some line in it was shortened.
    """

    text: str
    hidden: int = 0
    cut: bool = False


class Terminal:
    """A terminal of ``columns`` by ``rows`` (at least 2 by 1) that is fed output and can be looked at at any time."""

    def __init__(self, columns: int = 100, rows: int = 40) -> None:
        if columns < 2 or rows < 1:  # noqa: PLR2004  a wide character needs two
            raise ValueError(f"no terminal has {columns} columns and {rows} rows")
        self._settler = Settler()
        self._screen = Screen(columns, rows)
        self._waiting = ""  # output that is not carried out before someone looks, or there is enough of it

    def feed(self, text: str) -> None:
        """Take the next chunk of output, cut wherever it was. Whatever it holds, nothing is raised."""
        self._waiting += text
        if len(self._waiting) >= _BATCH:
            self._catch_up()

    def _catch_up(self) -> None:
        text, self._waiting = self._waiting, ""
        for start in range(0, len(text), LONGEST_CHUNK):
            chunk = text[start : start + LONGEST_CHUNK]
            plain = is_plain(chunk)
            if not plain:
                chunk = in_seven_bits(chunk)
            settled = self._settler.settle(chunk)
            if RESET in settled:
                settled = settled[settled.rindex(RESET) :]  # of what came before nothing stays
            if ESC in settled and self._screen.scrolls:
                settled = without_idle_erasing(settled)
            if ESC not in settled:
                settled = self._skip(settled.replace("\r\n", "\n"))
            self._carry_out(settled, self._screen.put if plain else self._screen.put_text)
            self._screen.page.tidy()

    @property
    def line_count(self) -> int:
        """How many lines there are so far, those that scrolled out too, trailing blank ones not.

        A line that the terminal wrapped is one line. On the alternate screen: that screen's.
        """
        self._catch_up()
        return self._screen.page.count

    def tail(self, rows: int, chars: int) -> Tail:
        """The last lines, whole, as far as ``rows`` lines and ``chars`` characters (line feeds count) allow.

        A line that is too long to stand among others, or to fit at all, is cut in the middle.
        """
        count = self.line_count
        if rows < 1 or chars < 1:
            return Tail("", count)
        lines: list[str] = []  # from the last one backwards
        shown: list[str] = []
        cut = False
        room = chars + 1
        for cells, whole in self._screen.page.backwards():
            line = self._screen.text(cells)
            short = _shorten(line, min(chars, _LONGEST_LINE))
            room -= len(short) + 1
            if len(shown) == rows or room < 0:
                break
            lines.append(line)
            shown.append(short)
            cut = cut or not whole
        if len(lines) == 1:
            shown = [_shorten(lines[0], chars)]
        return Tail("\n".join(reversed(shown)), count - len(shown), cut or shown != lines)

    def last_line(self) -> str:
        """The last line that isn't blank, without blanks around it; empty where there is none."""
        self._catch_up()
        for cells, _ in self._screen.page.backwards():
            return self._screen.text(cells).strip()
        return ""

    def screen(self) -> list[str]:
        """The rows on the screen, without blanks at their ends."""
        self._catch_up()
        return self._screen.display()

    def _skip(self, text: str) -> str:
        """What is left to carry out of ``text``, which has no sequences, once lines that no one will see are counted."""
        page = self._screen.page
        if text.count("\n") <= page.kept or not self._screen.scrolls or "\v" in text or "\f" in text:
            return text
        first, rest = text.split("\n", 1)
        unseen, *last = rest.rsplit("\n", page.kept)
        self._carry_out(first + "\n", self._screen.put_text)
        seen = "\n".join(last)
        return seen if page.skip(unseen) else rest

    def _carry_out(self, settled: str, put: Callable[[str], None]) -> None:
        screen = self._screen
        parts = split(settled)
        for run, controls in zip(parts[::2], parts[1::2], strict=False):
            if run:
                put(run)
            act, numbers, more = PROGRAMS[controls]
            act(screen, numbers)
            if more:
                for act, numbers in more:
                    act(screen, numbers)
        if parts[-1]:
            put(parts[-1])


def _shorten(line: str, limit: int) -> str:
    if len(line) <= limit:
        return line
    if limit <= len(GAP):
        return line[:limit]
    kept = limit - len(GAP)
    return line[: kept - kept // 2] + GAP + line[len(line) - kept // 2 :]
