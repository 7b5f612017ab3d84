"""Text as terminal cells: strings in which the index of a character is its column.

Most text is that already. Two things are not, and are encoded so that rows of a screen can stay plain strings,
cut and joined by slices:

* A wide character (East Asian wide or fullwidth, most emoji) takes two columns: it is followed by ``PAD``.
* A character with marks on it (combining accents, variation selectors, what a zero-width joiner ties to it) takes
  the columns of its first character: it is replaced by one code point of the last private use plane, which stands for
  the whole cluster. Code points of that plane in the input become U+FFFD, so that they can't be mistaken for one.

Widths are those of a terminal that looks at each code point alone, as xterm does: a family emoji is as wide as
its members together.
"""

import re
import sys
import unicodedata

PAD = "\0"
WRAPPED = "\n"  # after the last cell of a row whose line goes on in the next row
REPLACEMENT = "\ufffd"

_MARK = "\1"  # goes before each zero-width character while text is being encoded
_FIRST_CODE, _MOST_CLUSTERS = 0x100000, 10_000
_LONGEST_CLUSTER = 16  # code points; a family emoji with skin tones has its joiners spread over several cells
_MOST_WIDTHS = 20_000
_SHORT = 4  # characters, which one by one take less time than by a regex
_JOINERS = "\u200c\u200d"
_SOFT_HYPHEN = "\u00ad"
_EMOJI, _IDEOGRAPHS = range(0x1F300, 0x1FB00), range(0x20000, 0x3FFFE)
_JAMO_MEDIAL_AND_FINAL = range(0x1160, 0x1200)

# Everything outside of these ranges is looked up; they hold what logs are made of: European scripts, punctuation,
# arrows, box drawing, blocks, braille, and the symbols that are not emoji.
_PLAIN = (
    " -~\u00a0-\u02ff\u0370-\u0377\u0384-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u2190-\u2319\u2400-\u2426"
    "\u2440-\u244a\u2460-\u25fc\u2600-\u2613\u2701-\u2704\u2706-\u2709\u270c-\u2727\u2729-\u274b\u2758-\u2794"
    "\u2800-\u2b1a\ue000-\uf8ff"
)
_ODD = re.compile(f"[^\\x00-\x1f\x7f{_PLAIN}]")
_CLUSTER = re.compile(f"([^{_MARK}])({PAD}?)((?:{_MARK}.)+)", re.DOTALL)
_CODE = re.compile(f"[{chr(_FIRST_CODE)}-{chr(sys.maxunicode)}]")
_LEADING_MARKS = re.compile(f"(?:{_MARK}.)+", re.DOTALL)


def cells_of(char: str) -> str:
    """The cells of one printable character; empty for invisible ones, ``_MARK`` and itself for zero-width ones."""
    code, category = ord(char), unicodedata.category(char)
    if category == "Cs" or code >= _FIRST_CODE:
        return REPLACEMENT
    if category in {"Mn", "Me"} or char in _JOINERS or code in _JAMO_MEDIAL_AND_FINAL:
        return _MARK + char
    if category in {"Cf", "Zl", "Zp"} and char != _SOFT_HYPHEN:
        return ""  # also keeps marks for right-to-left text from reordering what is around the output
    if category == "Cn":  # newer than this Python's tables: told by the block it is in
        wide = code in _EMOJI or code in _IDEOGRAPHS
    else:
        wide = unicodedata.east_asian_width(char) in "WF"
    return char + PAD if wide else char


def is_plain(text: str) -> bool:
    """Whether the runs of ``text`` are cells as they are (and there are no C1 controls)."""
    return text.isascii() or not _ODD.search(text)


def cut(row: str, end: int) -> str:
    """``row`` up to column ``end``, filled with blanks; a wide character that is cut in half becomes blank."""
    if len(row) > end:
        return row[:end] if row[end] != PAD else row[: end - 1] + " "
    return row.removesuffix(WRAPPED).ljust(end)


def rest(row: str, start: int) -> str:
    """``row`` from column ``start`` on, with the same care."""
    cells = row[start:]
    return " " + cells[1:] if cells[:1] == PAD else cells


class _Widths(dict[int, str]):
    """``cells_of`` as a bounded table for ``str.translate``."""

    def __missing__(self, code: int) -> str:
        if len(self) >= _MOST_WIDTHS:
            self.clear()
        self[code] = cells = cells_of(chr(code))
        return cells


_WIDTHS = _Widths()


class Cells:
    """Encodes text as cells and back; remembers the clusters it has met, up to a bound after which marks are dropped."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}  # the cells of each cluster
        self._clusters: dict[int, str] = {}  # the other way round, by code point

    def encode(self, text: str) -> tuple[str, str]:
        """Printable ``text`` as cells, and the marks before its first cell, which belong to what is already there."""
        if len(text) > _SHORT:
            return self._encode(text)
        if len(text) == 1:
            cells = _WIDTHS[ord(text)]
            return ("", text) if cells[:1] == _MARK else (cells, "")
        known = self._codes.get(text)
        if known:
            return known, ""
        before = cells = marks = ""  # ``cells``: the last character's
        for char in text:
            more = _WIDTHS[ord(char)]
            if more >= " ":
                before += cells
                cells = more
            elif more:  # a mark
                if cells:
                    cells = self._add_mark(cells, char)
                else:
                    marks += char
        return before + cells, marks

    def _encode(self, text: str) -> tuple[str, str]:
        cells = text.translate(_WIDTHS)
        if _MARK not in cells:
            return cells, ""
        marks = ""
        if cells[0] == _MARK:
            leading = _LEADING_MARKS.match(cells)
            marks = leading[0][1::2] if leading else ""
            cells = cells[2 * len(marks) :]
        return _CLUSTER.sub(self._join, cells) if cells else "", marks

    def add_marks(self, cells: str, marks: str) -> str:
        """The cells of one character with ``marks`` on it."""
        for mark in marks:
            # One at a time, so that the table is the same however the output was cut into chunks.
            cells = self._add_mark(cells, mark)
        return cells

    def decode(self, row: str) -> str:
        """The text of some cells."""
        if row.isascii():
            return row
        text = row.replace(PAD, "")
        return text.translate(self._clusters) if _CODE.search(text) else text

    def _join(self, match: re.Match[str]) -> str:
        base, pad, marks = match.groups()
        return self.add_marks(base + pad, marks[1::2])

    def _add_mark(self, cells: str, mark: str) -> str:
        char = cells[0]
        cluster = self._clusters.get(ord(char), char) + mark
        if len(cluster) > _LONGEST_CLUSTER:
            return cells
        return self._codes.get(cluster) or self._add_cluster(cluster, cells)

    def _add_cluster(self, cluster: str, cells: str) -> str:
        """The cells of a new cluster, in place of ``cells``; these stay where there is no more room."""
        count = len(self._codes)
        if count == _MOST_CLUSTERS:
            return cells
        code = _FIRST_CODE + count
        self._clusters[code] = cluster
        self._codes[cluster] = marked = chr(code) + cells[1:]
        return marked
