"""Four searches for secrets in a text that is still growing.

Each decides for every place of the text: "a secret begins here", "none does", or "undecided: the text ends too
early". A decision depends on the text alone, never on how it was cut into pieces on its way.
"""

import re
from collections.abc import Iterator
from typing import Protocol

from bot.core.known import KnownValues, Span
from bot.core.shapes import (
    COMPLETE,
    KEY_BEGIN,
    KEY_EDGE_MOST,
    KEY_EDGE_UNFINISHED,
    KEY_EDGE_WITHIN,
    KEY_END,
    LONGEST_OPENING,
    LONGEST_UNFINISHED,
    OPENINGS,
    REST,
    START,
    TOKEN,
    UNFINISHED,
    WITHIN,
)

KEY_MOST = 16 * 1024
_USUAL_TRIES = 16  # places in one chunk of ordinary text at which a token might begin
CONTEXT = 64  # how much of the text before a place its decision may need

_ESCAPE_BEFORE = re.compile(
    r"(?:\x1b(?:\[[0-?]{0,40}[ -/]{0,4}[@-~]|[ -/]{0,2}[0-~])|\[[0-9;]{0,40}m|\\[abefnrtv]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})\Z"
)

# No host is longer than 253 characters: what goes on past this without an end holds credentials.
_AUTHORITY_MOST = 256
_AUTHORITY = re.compile(rf"(?<=://)[^\s/\\\"'`<>\x00-\x1f\x7f]{{1,{_AUTHORITY_MOST}}}")
_AUTHORITY_REST = re.compile(r"[^\s/\\\"'`<>\x00-\x1f\x7f]*")
_QUERY = re.compile(r"[^@:?#]*(?::\d*)?[?#]")
_LONE_USER_SECRET = 20  # https://TOKEN@host; names such as git@ are shorter


class Scanner(Protocol):
    """Finds one kind of secret. ``settled`` is the place before which no further span of its will begin."""

    settled: int

    def scan(self, text: str, *, final: bool) -> Iterator[Span]:
        """The spans that the text shows now, going on from ``settled``; ``final`` where no more will come."""
        ...


class Values:
    """Known values."""

    def __init__(self, known: KnownValues) -> None:
        self.settled = 0
        self._known = known

    def scan(self, text: str, *, final: bool) -> Iterator[Span]:
        """See ``Scanner``."""
        undecided = len(text) if final else self._known.unfinished(text, self.settled)
        yield from self._known.find(text, self.settled, undecided)
        self.settled = undecided


class Tokens:
    """Tokens by their shape."""

    def __init__(self) -> None:
        self.settled = 0
        self._rest: re.Pattern[str] | None = None  # what the token just masked may go on with

    def scan(self, text: str, *, final: bool) -> Iterator[Span]:
        """See ``Scanner``."""
        place = self.settled
        if self._rest:
            place = _run(self._rest, text, place)
            yield self.settled, place
            if place == len(text) and not final:
                self.settled = place
                return
            self._rest = None
        if not _may_hold_token(text[place:]):
            self.settled = self._unfinished(text, max(place, len(text) - LONGEST_OPENING), final=final)
            return
        undecided = self._unfinished(text, place, final=final)
        tries = 0
        while (start := _start_of_token(tries).search(text, place)) and start.start() < undecided:
            tries += 1
            token = TOKEN.match(text, start.start()) if _begins_word(text, start.start()) else None
            place = start.start() + 1
            if token and token.lastgroup:
                rest = REST[token.lastgroup]
                place = _run(rest, text, token.end())
                yield token.start(f"{token.lastgroup}_body"), place
                if place == len(text):
                    self._rest = rest
                if place > undecided:
                    undecided = self._unfinished(text, place, final=final)
        self.settled = undecided

    @staticmethod
    def _unfinished(text: str, place: int, *, final: bool) -> int:
        """The first place from ``place`` on where a token may have begun that isn't complete, or the end."""
        if final or text[-1:] not in WITHIN:  # as after most lines
            return len(text)
        place = max(place, len(text) - LONGEST_UNFINISHED)
        while (match := UNFINISHED.search(text, place)) and match.start() < len(text):
            if _begins_word(text, match.start()):
                return match.start()
            place = match.start() + 1
        return len(text)


class Credentials:
    """Passwords in URLs, and user names there that are long enough to be tokens.

    The authority (``user:password@host:port``) is held until the character after it shows what it is.
    """

    def __init__(self) -> None:
        self.settled = 0
        self._overlong = False

    def scan(self, text: str, *, final: bool) -> Iterator[Span]:
        """See ``Scanner``."""
        place = self.settled
        if self._overlong:
            place = _run(_AUTHORITY_REST, text, place)
            yield self.settled, place
            self._overlong = place == len(text)
        if text.find("://", max(0, place - 3)) < 0:  # found sooner so than by looking back from every place
            self.settled = len(text)
            return
        while match := _AUTHORITY.search(text, place):
            start, place = match.span()
            if place - start == _AUTHORITY_MOST:
                colon = text.find(":", start, place)
                place = _run(_AUTHORITY_REST, text, place)
                yield (start if colon < 0 else colon + 1), place
                self._overlong = place == len(text)
            elif place == len(text) and not final:
                self.settled = start
                return
            else:
                yield from _credentials(match[0], start)
        self.settled = len(text)


def _credentials(authority: str, offset: int) -> Iterator[Span]:
    """Where in a complete authority, which begins at ``offset``, its secrets are."""
    userinfo, at, _host = authority.rpartition("@")
    if not at or _QUERY.match(authority):  # the @ of host?mail=me@example.org is none
        return
    user, _colon, password = userinfo.partition(":")
    if len(user) >= _LONE_USER_SECRET:
        yield offset, offset + len(user)
    if password:
        yield offset + len(user) + 1, offset + len(userinfo)


class PrivateKeys:
    """Private keys in PEM, from their first line to their last, however they are broken into lines."""

    def __init__(self) -> None:
        self.settled = 0
        self._left = 0  # how many more characters the key that has begun may have

    def scan(self, text: str, *, final: bool) -> Iterator[Span]:
        """See ``Scanner``."""
        place = self.settled
        undecided = len(text) if final else _unfinished_edge(text, place)
        while True:
            if self._left:
                stop = self._stop(text, place, undecided)
                yield place, stop
                place = stop
            if self._left:
                self.settled = place
                return
            begin = KEY_BEGIN.search(text, place)
            if not begin:
                break
            place = begin.end()
            if "PRIVATE KEY" in begin[0]:
                yield begin.span()
                self._left = KEY_MOST
        self.settled = max(place, undecided)

    def _stop(self, text: str, place: int, undecided: int) -> int:
        """How far from ``place`` the key is known to reach; updates how much may be left of it."""
        limit = place + self._left
        end = KEY_END.search(text, place, limit + KEY_EDGE_MOST)
        if end and end.start() < limit:
            self._left = 0
            return end.end()
        stop = max(place, min(undecided, limit))
        self._left = limit - stop
        return stop


def _unfinished_edge(text: str, place: int) -> int:
    """The first place from ``place`` on where a key's first or last line may have begun, or the end."""
    if text[-1:] not in KEY_EDGE_WITHIN:
        return len(text)
    match = KEY_EDGE_UNFINISHED.search(text, max(place, len(text) - KEY_EDGE_MOST))
    return match.start() if match else len(text)


def _may_hold_token(text: str) -> bool:
    """Whether the whole opening of a token is in it; takes a third of the time of ``START``."""
    lowered = text.lower()
    for opening in OPENINGS:  # noqa: SIM110  any() takes longer
        if opening in lowered:
            return True
    return False


def _start_of_token(tries: int) -> re.Pattern[str]:
    """What to search with, after so many places in one text."""
    return START if tries < _USUAL_TRIES else COMPLETE


def _run(characters: re.Pattern[str], text: str, place: int) -> int:
    """Where a run of ``characters`` that begins at ``place`` ends."""
    match = characters.match(text, place)
    return match.end() if match else place


def _begins_word(text: str, place: int) -> bool:
    """Whether a token may begin here: not in the middle of a word, unless the letter before ends an escape."""
    before = text[place - 1 : place]
    if not (before.isascii() and before.isalnum()):
        return True
    if before.islower() and text[place].isupper():  # awsSecretAccessKey
        return True
    return _ESCAPE_BEFORE.search(text, max(0, place - CONTEXT), place) is not None
