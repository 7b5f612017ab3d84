"""Pull requests that are mentioned in a stream of text, for buttons such as ``View PR #42``."""

import re
from collections import Counter
from dataclasses import dataclass

from bot.model import Link

_MOST_LINKS = 5
_LONGEST = len("https://www.") + len("/") + 39 + len("/") + 100 + len("/pull/") + 10  # plus the host


@dataclass(frozen=True, slots=True)
class _PullRequest:
    repo: str
    number: int

    @property
    def key(self) -> tuple[str, int]:
        """GitHub's names differ by more than case."""
        return self.repo.casefold(), self.number


class LinkFinder:
    """Finds the addresses of pull requests in text that arrives in pieces, cut anywhere.

    ``repo`` (``owner/name``) is the repository whose pull requests come first; ``host`` is GitHub's. Memory is
    bounded: of the repository's own and of others' the first five are kept, and the end of the text as far as an
    address could still go on in the next piece.
    """

    def __init__(self, repo: str | None, host: str = "github.com") -> None:
        self._repo = repo.casefold() if repo else None
        self._host = host
        self._address = re.compile(
            rf"https?://(?:www\.)?{re.escape(host)}/"
            r"(?P<repo>[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100})/pull/(?P<number>[1-9][0-9]{0,9})(?![0-9A-Za-z_])"
        )
        self._longest = _LONGEST + len(host)
        self._own: dict[tuple[str, int], _PullRequest] = {}
        self._others: dict[tuple[str, int], _PullRequest] = {}
        self._carry = ""

    def feed(self, text: str) -> None:
        """The next piece of the text. An address at its very end counts once more text or ``flush`` shows its end."""
        text = self._carry + text
        start = max(0, len(text) - self._longest)
        if "/pull/" in text:  # most output has none: don't look closer
            for found in self._address.finditer(text):
                if found.end() == len(text):
                    start = found.start()
                    break
                self._keep(found)
                start = max(start, found.end())
        self._carry = text[start:]

    def flush(self) -> None:
        """The text has ended: an address at its very end is complete."""
        self.feed("\n")

    def found(self) -> tuple[Link, ...]:
        """At most five, the repository's own first, each kind in the order in which it was first mentioned.

        Equal numbers of different repositories are told apart: ``View PR #42 (acme/api)``.
        """
        kept = (*self._own.values(), *self._others.values())[:_MOST_LINKS]
        times = Counter(pull.number for pull in kept)
        return tuple(self._link(pull, named=times[pull.number] > 1) for pull in kept)

    def _keep(self, found: re.Match[str]) -> None:
        pull = _PullRequest(found["repo"], int(found["number"]))
        kept = self._own if pull.repo.casefold() == self._repo else self._others
        if len(kept) < _MOST_LINKS:
            kept.setdefault(pull.key, pull)

    def _link(self, pull: _PullRequest, *, named: bool) -> Link:
        label = f"View PR #{pull.number}"
        if named and pull.repo.casefold() != self._repo:
            label += f" ({pull.repo})"
        return Link(label, f"https://{self._host}/{pull.repo}/pull/{pull.number}")
