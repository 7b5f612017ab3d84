r"""A stream's secrets out, also where the edge of a chunk cuts one.

What is masked: known values (every configured or stored secret), the shapes of well-known tokens, private keys
in PEM, and passwords in URLs. A character is masked if any of these covers it, and every run of masked characters
becomes one ``MASK``; nothing else changes.

How: four scanners (``scanners.py``) read the same text, each with a decision of its own for every place in it: "a
secret begins here", "none does", or "undecided: the text ends too early". What lies before the first undecided
place can be shown, the rest is held until more text decides it. A decision depends on the text alone, never on
how it was cut, so that ``feed`` and ``flush`` together always give what ``Secrets.redact`` gives for the whole.

As little as possible is held:

- A token is masked as soon as it has the least length of its kind; what it goes on with is swallowed as it comes.
- Any character that ends the possibility releases the text before it at once. Progress dots, prompts and the
  like pass without delay.
- ``HELD_MOST`` characters are held at the very most: known values are cut into pieces, and a
  private key without its end is given up after ``KEY_MOST`` characters.

A token counts only where a word begins: not in ``task-ant-…``. What an escape leaves before it (``\x1b[31m``, also
spelt out; ``\n`` in JSON; ``%20`` in a URL) does not hide it.
"""

from collections.abc import Iterable

from bot.core.known import KnownValues, Span
from bot.core.scanners import CONTEXT, Credentials, PrivateKeys, Scanner, Tokens, Values

MASK = "[redacted]"
HELD_MOST = 300


class Secrets:
    """Known values, compiled once and shared by many streams; ``KnownValues`` says which forms are found."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(values)
        self._known = KnownValues(self._values)

    def plus(self, values: Iterable[str]) -> "Secrets":
        """These secrets and some more, such as the token of one run."""
        return Secrets(self._values.union(values))

    def redact(self, text: str) -> str:
        """A whole text with its secrets masked: known values and shapes."""
        return Redactor(self).whole(text)

    def scanners(self) -> tuple[Scanner, ...]:
        """What one stream is searched with."""
        return (Values(self._known), Tokens(), Credentials(), PrivateKeys())


class Redactor:
    """One stream's redaction: ``feed`` what arrives and show what comes back; ``flush`` at the end."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._begin()

    def _begin(self) -> None:
        self._text = ""  # what is held, after up to CONTEXT characters that were shown
        self._shown = 0
        self._masked = -1  # the end of the last masked run
        self._spans: list[Span] = []
        self._scanners = self._secrets.scanners()

    @property
    def held(self) -> int:
        """How many characters are held back now."""
        return len(self._text) - self._shown

    def feed(self, text: str) -> str:
        """What may be shown, now that ``text`` arrived."""
        return self._advance(text, final=False)

    def flush(self) -> str:
        """The rest, at the stream's end; after that a new stream may begin."""
        rest = self._advance("", final=True)
        self._begin()
        return rest

    def whole(self, text: str) -> str:
        """What ``feed`` and then ``flush`` show of all the text that there is, in one pass."""
        return self._advance(text, final=True)

    def _advance(self, text: str, *, final: bool) -> str:
        self._text += text
        for scanner in self._scanners:
            self._spans += scanner.scan(self._text, final=final)
        shown = self._show(min(scanner.settled for scanner in self._scanners))
        self._forget(self._shown - CONTEXT)
        return shown

    def _show(self, settled: int) -> str:
        """The text up to ``settled``, masked. Spans that touch or overlap share one mask."""
        if not self._spans:
            plain, self._shown = self._text[max(self._shown, self._masked) : settled], settled
            return plain
        shown: list[str] = []
        self._spans.sort()
        later = [span for span in self._spans if span[0] >= settled]
        for start, end in self._spans[: len(self._spans) - len(later)]:
            if start > self._masked:
                shown += (self._text[max(self._shown, self._masked) : start], MASK)
                self._shown = start
            self._masked = max(self._masked, end)
        shown.append(self._text[max(self._shown, self._masked) : settled])
        self._shown = settled
        self._spans = later
        return "".join(shown)

    def _forget(self, count: int) -> None:
        """Drop so many characters from the front, if any."""
        if count <= 0:
            return
        self._text = self._text[count:]
        self._shown -= count
        self._masked = max(self._masked - count, -1)
        self._spans = [(start - count, end - count) for start, end in self._spans]
        for scanner in self._scanners:
            scanner.settled -= count
