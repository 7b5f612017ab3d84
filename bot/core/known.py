"""Known secret values, compiled so that a stream can be searched for all of them at once."""

import base64
import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from urllib.parse import quote

SHORTEST = 6
PIECE = 256

Span = tuple[int, int]


class KnownValues:
    """A set of values in all the forms in which they may be written.

    Each value is found as it is, as JSON or a URL would escape it, and in base64 (also in the middle of some,
    as in a Basic authorization). A value of several lines is matched line by line. Values and lines shorter than
    ``SHORTEST`` characters are ignored: masking them would make texts unreadable and give the value away. Long
    forms are cut into pieces of ``PIECE`` characters, which bounds what a stream must hold back.
    """

    def __init__(self, values: Iterable[str]) -> None:
        forms = {piece for value in values for form in _forms(value) for piece in _pieces(form)}
        self._sorted = sorted(forms)
        self._first = frozenset(form[0] for form in forms)
        self._within = frozenset(char for form in forms for char in form[:-1])
        self._longest = max(map(len, forms), default=0)
        self._pattern = re.compile(_any_of(forms)) if forms else None

    def find(self, text: str, start: int, end: int) -> Iterator[Span]:
        """Where values begin from ``start`` to before ``end``: at each place the longest; they may overlap."""
        if self._pattern is None:
            return
        while (match := self._pattern.search(text, start)) and match.start() < end:
            yield match.span()
            start = match.start() + 1

    def unfinished(self, text: str, start: int) -> int:
        """The first place from ``start`` on whose rest is the beginning of a longer value, or the text's end."""
        if text[-1:] not in self._within:  # as after most lines
            return len(text)
        for place in range(max(start, len(text) - self._longest + 1), len(text)):
            if text[place] in self._first:
                rest = text[place:]
                after = bisect_right(self._sorted, rest)
                if after < len(self._sorted) and self._sorted[after].startswith(rest):
                    return place
        return len(text)


def _forms(value: str) -> Iterator[str]:
    """The ways in which a value is written; those of a value too short to be masked are left out."""
    for line in map(str.strip, value.splitlines()):
        if len(line) < SHORTEST or line.startswith("-----"):  # a key's first line belongs to every key
            continue
        yield line
        yield json.dumps(line)[1:-1]
        yield json.dumps(line, ensure_ascii=False)[1:-1]
        percent = quote(line, safe="", errors="surrogatepass")
        yield percent
        yield re.sub("%..", lambda code: code[0].lower(), percent)
        yield from _base64_forms(line.encode(errors="surrogatepass"))


def _base64_forms(value: bytes) -> Iterator[str]:
    """How a value looks in base64, wherever in a group of three bytes it begins: the letters that it alone decides."""
    yield base64.b64encode(value).decode().rstrip("=")
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + value).decode()
        own = encoded[math.ceil(8 * shift / 6) : 8 * (shift + len(value)) // 6]
        yield own
        yield own.replace("+", "-").replace("/", "_")


def _pieces(form: str) -> Iterator[str]:
    """A form in pieces that are short enough to be held back whole; the last may overlap the one before."""
    for step in range(0, len(form), PIECE):
        start = min(step, len(form) - SHORTEST)
        yield form[start : start + PIECE]


def _any_of(words: Iterable[str]) -> str:
    """A pattern for the longest of ``words`` at a place, as a tree by first letters so that many cost little."""
    tails: dict[str, list[str]] = {}
    complete = False
    for word in words:
        complete = complete or not word
        if word:
            tails.setdefault(word[0], []).append(word[1:])
    branches = [re.escape(first) + _any_of(rest) for first, rest in tails.items()]
    if not branches:
        return ""
    pattern = "|".join(branches)
    return f"(?:{pattern}){'?' if complete else ''}" if complete or len(branches) > 1 else pattern
