"""What a check needs, and what it found out: one line for an operator."""

from dataclasses import dataclass
from enum import StrEnum

import aiohttp

from bot.clock import Clock
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Examination:
    """What all checks need; ``patience`` is how many seconds each waits for an answer."""

    settings: Settings
    session: aiohttp.ClientSession
    clock: Clock
    patience: float

    @property
    def timeout(self) -> aiohttp.ClientTimeout:
        """The patience as the session wants it."""
        return aiohttp.ClientTimeout(total=self.patience)


class Verdict(StrEnum):
    """How something stands. Only what is ``wrong`` keeps the bot from working."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    UNKNOWN = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """``about`` names what was checked in a word or two; ``words`` say how it stands and what to do."""

    verdict: Verdict
    about: str
    words: str

    def __str__(self) -> str:
        return f"{self.verdict:<13}{self.about:<16}{self.words}"


def ok(about: str, words: str) -> Finding:
    """All is well."""
    return Finding(Verdict.OK, about, words)


def warning(about: str, words: str) -> Finding:
    """The bot works, but somebody should know."""
    return Finding(Verdict.WARNING, about, words)


def wrong(about: str, words: str) -> Finding:
    """The bot won't work, wholly or in part, until this is put right."""
    return Finding(Verdict.WRONG, about, words)


def unknown(about: str, words: str) -> Finding:
    """Not known, and why."""
    return Finding(Verdict.UNKNOWN, about, words)
