"""What each control does to the screen, and the table that says which is which.

Actions take the control's numbers (0: not given; at least two), most look at the first. They are named by what they do;
their docstrings give the names that manuals use (ECMA-48, and DEC's for the VT series).
"""

# ruff: noqa: FURB136  these run for every few bytes, and min() and max() take three times as long

from collections.abc import Callable, Mapping

from bot.core.terminal.ansi import RESET, Numbers
from bot.core.terminal.cells import WRAPPED, cut, rest
from bot.core.terminal.screen import Screen

Action = Callable[[Screen, Numbers], None]

_TAB = 8


# --- moving the cursor


def line_feed(screen: Screen, numbers: Numbers) -> None:
    """LF, VT, FF, NEL: to the start of the next row. A pipe's lines end without CR, and a terminal's have one anyway."""
    screen.feed(numbers[0] or 1)
    screen.x = 0


def carriage_return(screen: Screen, _: Numbers) -> None:
    """CR."""
    screen.x = 0


def clear_line(screen: Screen, _: Numbers) -> None:
    """CR and EL, as before each step of a progress bar."""
    screen.row = ""
    screen.x = 0


def _stay(screen: Screen) -> None:
    """Give up a pending wrap, as movements do."""
    if screen.x == screen.columns:
        screen.x -= 1


def index(screen: Screen, numbers: Numbers) -> None:
    """IND: the next row, same column."""
    _stay(screen)
    screen.feed(numbers[0] or 1)


def reverse_index(screen: Screen, numbers: Numbers) -> None:
    """RI: the row above, same column; at the top margin the region scrolls."""
    top, count = screen.top, numbers[0] or 1
    free = screen.y - top
    if free:
        if 0 < free < count:
            screen.insert_rows(top, count - free)
        up(screen, numbers)
    else:
        screen.insert_rows(top, count)
        if screen.x == screen.columns:
            screen.x -= 1


def left(screen: Screen, numbers: Numbers) -> None:
    """BS, CUB."""
    x = screen.x - (numbers[0] or 1)
    if screen.x == screen.columns:
        x -= 1
    screen.x = x if x > 0 else 0


def right(screen: Screen, numbers: Numbers) -> None:
    """CUF, HPR."""
    x = screen.x + (numbers[0] or 1)
    screen.x = x if x < screen.columns else screen.columns - 1


def up(screen: Screen, numbers: Numbers) -> None:
    """CUU: not beyond the top margin, unless from above it."""
    _stay(screen)
    limit = screen.top if screen.y >= screen.top else 0
    y = screen.y - (numbers[0] or 1)
    screen.y = y if y > limit else limit


def down(screen: Screen, numbers: Numbers) -> None:
    """CUD, VPR: not beyond the bottom margin, unless from below it."""
    _stay(screen)
    limit = screen.bottom if screen.y <= screen.bottom else screen.rows - 1
    y = screen.y + (numbers[0] or 1)
    screen.y = y if y < limit else limit


def next_line(screen: Screen, numbers: Numbers) -> None:
    """CNL."""
    down(screen, numbers)
    screen.x = 0


def previous_line(screen: Screen, numbers: Numbers) -> None:
    """CPL."""
    up(screen, numbers)
    screen.x = 0


def to_column(screen: Screen, numbers: Numbers) -> None:
    """CHA, HPA."""
    column = (numbers[0] or 1) - 1
    screen.x = column if column < screen.columns else screen.columns - 1


def to_row(screen: Screen, numbers: Numbers) -> None:
    """VPA; in origin mode rows count from the top margin."""
    _stay(screen)
    first, last = (screen.top, screen.bottom) if screen.origin else (0, screen.rows - 1)
    y = first + (numbers[0] or 1) - 1
    screen.y = y if y < last else last


def to_position(screen: Screen, numbers: Numbers) -> None:
    """CUP, HVP: row and column."""
    to_row(screen, numbers)
    to_column(screen, numbers[1:])


def tab(screen: Screen, numbers: Numbers) -> None:
    """HT, CHT: to the next multiple of eight. A pending wrap stays."""
    x, columns = screen.x, screen.columns
    if x < columns:
        x = (x // _TAB + (numbers[0] or 1)) * _TAB
        screen.x = x if x < columns else columns - 1


def tab_back(screen: Screen, numbers: Numbers) -> None:
    """CBT."""
    _stay(screen)
    screen.x = max((-(-screen.x // _TAB) - (numbers[0] or 1)) * _TAB, 0)


def save_cursor(screen: Screen, _: Numbers) -> None:
    """DECSC, SCOSC."""
    screen.page.saved = screen.x, screen.y


def restore_cursor(screen: Screen, _: Numbers) -> None:
    """DECRC, SCORC."""
    screen.x, screen.y = screen.page.saved


# --- erasing, inserting, deleting


def erase_in_line(screen: Screen, numbers: Numbers) -> None:
    """EL: from the cursor on (0), up to it (1), or all (2)."""
    if numbers[0] == 0:
        screen.erase_right()
    elif numbers[0] == 1:
        end = screen.x + 1 if screen.x < screen.columns else screen.columns
        screen.row = " " * end + rest(screen.row, end)
    elif numbers[0] == 2:  # noqa: PLR2004  the standard's own number
        screen.row = ""


def erase_in_display(screen: Screen, numbers: Numbers) -> None:
    """ED: from the cursor on (0), up to it (1), all (2), or what has scrolled out (3)."""
    if numbers[0] == 0:
        screen.blank(screen.y + 1, screen.rows)
        erase_in_line(screen, numbers)
    elif numbers[0] == 1:
        screen.blank(0, screen.y)
        erase_in_line(screen, numbers)
    elif numbers[0] == 2:  # noqa: PLR2004  the standard's own number
        screen.blank(0, screen.rows)
    elif numbers[0] == 3:  # noqa: PLR2004  xterm's
        screen.page.forget_history()


def erase_characters(screen: Screen, numbers: Numbers) -> None:
    """ECH: blanks from the cursor on; nothing moves."""
    screen.erase(numbers[0] or 1)


def insert_characters(screen: Screen, numbers: Numbers) -> None:
    """ICH."""
    screen.insert_blanks(numbers[0] or 1)


def delete_characters(screen: Screen, numbers: Numbers) -> None:
    """DCH: what stands after the deleted ones moves left."""
    row = screen.row.removesuffix(WRAPPED)
    screen.row = cut(row, screen.x) + rest(row, screen.x + (numbers[0] or 1))


def insert_lines(screen: Screen, numbers: Numbers) -> None:
    """IL: at the cursor's row, if that is within the margins."""
    if screen.top <= screen.y <= screen.bottom:
        screen.insert_rows(screen.y, numbers[0] or 1)
        screen.x = 0


def delete_lines(screen: Screen, numbers: Numbers) -> None:
    """DL: the same."""
    if screen.top <= screen.y <= screen.bottom:
        screen.delete_rows(screen.y, numbers[0] or 1)
        screen.x = 0


def scroll_up(screen: Screen, numbers: Numbers) -> None:
    """SU."""
    screen.scroll_up(numbers[0] or 1)


def scroll_down(screen: Screen, numbers: Numbers) -> None:
    """SD."""
    screen.insert_rows(screen.top, numbers[0] or 1)


def repeat(screen: Screen, numbers: Numbers) -> None:
    """REP."""
    screen.repeat(numbers[0] or 1)


# --- modes


def set_margins(screen: Screen, numbers: Numbers) -> None:
    """DECSTBM: the first and last row of the region that scrolls."""
    top, bottom = (numbers[0] or 1) - 1, min(numbers[1] or screen.rows, screen.rows) - 1
    if top < bottom:
        screen.top, screen.bottom = top, bottom
        to_position(screen, (0, 0))


def set_modes(screen: Screen, numbers: Numbers) -> None:
    """SM: insert mode is the only one that shows."""
    screen.insert = screen.insert or _INSERT in numbers


def reset_modes(screen: Screen, numbers: Numbers) -> None:
    """RM."""
    screen.insert = screen.insert and _INSERT not in numbers


def set_private_modes(screen: Screen, numbers: Numbers) -> None:
    """DECSET: origin, autowrap, alternate screen."""
    for number in numbers:
        if number == _ORIGIN:
            screen.origin = True
            to_position(screen, (0, 0))
        elif number == _AUTOWRAP:
            screen.autowrap = True
        elif number in _ALTERNATE:
            if number == _ALTERNATE_WITH_CURSOR:
                save_cursor(screen, numbers)
            screen.to_alternate()


def reset_private_modes(screen: Screen, numbers: Numbers) -> None:
    """DECRST."""
    for number in numbers:
        if number == _ORIGIN:
            screen.origin = False
            to_position(screen, (0, 0))
        elif number == _AUTOWRAP:
            screen.autowrap = False
        elif number in _ALTERNATE:
            screen.to_main()
            if number == _ALTERNATE_WITH_CURSOR:
                restore_cursor(screen, numbers)


def reset(screen: Screen, _: Numbers) -> None:
    """RIS."""
    screen.reset()


def soft_reset(screen: Screen, _: Numbers) -> None:
    """DECSTR."""
    screen.soft_reset()


_INSERT, _ORIGIN, _AUTOWRAP = 4, 6, 7
_ALTERNATE_WITH_CURSOR = 1049
_ALTERNATE = {47, 1047, _ALTERNATE_WITH_CURSOR}

ACTIONS: Mapping[str, Action] = {
    "\b": left, "\t": tab, "\n": line_feed, "\v": line_feed, "\f": line_feed, "\r": carriage_return,
    "\x1b7": save_cursor, "\x1b8": restore_cursor, "\x1bD": index, "\x1bE": line_feed, "\x1bM": reverse_index,
    RESET: reset, "!p": soft_reset,
    "A": up, "B": down, "C": right, "D": left, "E": next_line, "F": previous_line, "G": to_column,
    "H": to_position, "I": tab, "Z": tab_back, "`": to_column, "a": right, "d": to_row, "e": down, "f": to_position,
    "s": save_cursor, "u": restore_cursor,
    "J": erase_in_display, "K": erase_in_line, "?J": erase_in_display, "?K": erase_in_line, "X": erase_characters,
    "@": insert_characters, "P": delete_characters, "L": insert_lines, "M": delete_lines,
    "S": scroll_up, "T": scroll_down, "b": repeat,
    "r": set_margins, "h": set_modes, "l": reset_modes, "?h": set_private_modes, "?l": reset_private_modes,
}  # fmt: skip

ADDITIVE = frozenset(
    {left, right, up, down, next_line, previous_line, tab, tab_back, index, line_feed, reverse_index}
    | {insert_characters, delete_characters, insert_lines, delete_lines, scroll_down}
)
"""Several in a row are one with the sum of their numbers."""

CUMULATIVE = frozenset({scroll_up, repeat})
"""Several in a row are no fewer; of any other, a second one with the same numbers changes nothing."""
