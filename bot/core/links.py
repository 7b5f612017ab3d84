"""What a stream of text mentions that deserves a button: pull requests, commits, branches, deployments."""

import re
from collections import Counter

from bot.core.addresses import GITHUB, LABEL, Guide, Kind, Target
from bot.core.text import shorten_middle
from bot.model import Link

_MOST_LINKS = 5
_MOST_OF_A_KIND = 2  # but for pull requests: logs are full of commits
_WHERE = 40  # characters of a repository's name in a label
_MOST_BESIDE = 4  # of the repository's own that aren't pull requests: one button is left for one elsewhere

_LONGEST = 512  # characters of an address; a longer one is none
_BEGINNING = len("https:/")  # the longest beginning of an address that doesn't show yet that it is one
# An address goes on through colours (and `\x1b[K`, with which grep follows them) up to the next one; the count only
# bounds the work, since the longest address has fewer pieces.
_ADDRESS = re.compile(
    r"https?://(?:[A-Za-gi-z0-9._~:/?#@!$&*+,;=%-]+|h(?!ttps?://)|\x1b\[[0-9;:]{0,32}[mK]){0,600}"
)
_COLOUR = re.compile(r"\x1b\[[0-9;:]{0,32}[mK]")
_COLOUR_BEGUN = re.compile(r"\x1b(?:\[[0-9;:]{0,32})?")


class LinkFinder:
    """Finds links in text that arrives in pieces, cut anywhere; escape sequences may stand around and inside them.

    ``repo`` (``owner/name``) is the repository whose links come first; ``host`` is GitHub's or an enterprise's, and
    ``github.com`` counts as well. Memory is bounded: a few of each kind are kept, and the end of the text as far as an
    address could still go on in the next piece.
    """

    def __init__(self, repo: str | None, host: str = GITHUB) -> None:
        self._guide = Guide(repo, host)
        self._kept: dict[tuple[bool, Kind], list[Target]] = {}
        self._carry = ""

    def feed(self, text: str) -> None:
        """The next piece of the text. An address at its very end counts once more text or ``flush`` shows its end."""
        text = self._carry + text
        start = max(0, len(text) - _BEGINNING)
        if "://" in text:  # most output has none: don't look closer
            for found in _ADDRESS.finditer(text):
                begin, end = found.span()
                after = text[end : end + 1]
                if not after or (after == "\x1b" and _COLOUR_BEGUN.fullmatch(text, end)):
                    if end - begin <= _LONGEST + _BEGINNING:
                        start = begin
                    break
                if end - begin <= _LONGEST:
                    self._read(found[0], after)
                start = max(start, end)
        self._carry = text[start:]

    def flush(self) -> None:
        """The text has ended: an address at its very end is complete."""
        self.feed("\n")

    def found(self) -> tuple[Link, ...]:
        """At most five: the repository's pull requests, then what else is its own, then others', pull requests first.

        Within a kind the order is that in which they were first mentioned. Equal labels of different repositories are
        told apart: ``View PR #42 (acme/api)``.
        """
        kept = sorted(self._kept.items(), key=lambda item: (not item[0][0], item[0][1]))
        listed = [target for _, targets in kept for target in targets]
        opened = {target.place.casefold() for target in listed if target.kind is Kind.PULL_REQUEST}
        pulls: list[Target] = []
        beside: list[Target] = []
        others: list[Target] = []
        for target in listed:
            if target.kind is Kind.NEW_PULL_REQUEST and target.place.casefold() in opened:
                continue  # the branch was pushed, and then the pull request was opened
            (others if not target.own else pulls if target.kind is Kind.PULL_REQUEST else beside).append(
                target
            )
        listed = [*pulls, *beside[:_MOST_BESIDE], *others][:_MOST_LINKS]
        times = Counter(target.link.label for target in listed)
        return tuple(self._link(target, times[target.link.label]) for target in listed)

    def _read(self, address: str, after: str) -> None:
        if "\x1b" in address:
            address = _COLOUR.sub("", address)
        if after == "[" or (after.isalnum() and not after.isascii()):
            address += after  # it goes on, and so can't be told
        if target := self._guide.read(address):
            self._keep(target)

    def _keep(self, target: Target) -> None:
        kept = self._kept.setdefault((target.own, target.kind), [])
        if same := [other for other in kept if other.merged(target)]:
            for other in same:
                target = other.merged(target) or target
            kept[:] = [target if other is same[0] else other for other in kept if other not in same[1:]]
        elif len(kept) < (_MOST_LINKS if target.kind is Kind.PULL_REQUEST else _MOST_OF_A_KIND):
            kept.append(target)

    def _link(self, target: Target, times: int) -> Link:
        label, where = target.link.label, self._guide.where(target)
        elsewhere = where.startswith(f"{GITHUB}/")  # where the bot's GitHub is an enterprise's
        if elsewhere or (times > 1 and not target.own):
            place = f" ({shorten_middle(where, _WHERE)})"
            label = shorten_middle(label, LABEL - len(place)) + place
        return Link(label, target.link.url)
