"""Who may do what: a table of reasons to say no, asked from the top.

Only full members of the workspace may start, continue, stop or retry runs. Operators narrow that further by
lists in which ``*`` stands for any characters.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bot.model import Person


class Denied(StrEnum):
    """Why someone may not; each has its own sentence."""

    BOT = "bot"
    DEACTIVATED = "deactivated"
    STRANGER = "stranger"
    GUEST = "guest"
    USER = "user"
    CHANNEL = "channel"
    REPO = "repo"


@dataclass(frozen=True, slots=True)
class Policy:
    """What operators allow: user ids, channel ids and ``owner/name``; an empty list allows all."""

    users: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    repos: tuple[str, ...] = ()

    def denies(self, person: Person, channel: str, repo: str | None) -> Denied | None:
        """The first reason why this person may not work on ``repo`` (``None``: any) in this channel (empty: any)."""
        reasons = (
            (person.is_bot, Denied.BOT),
            (person.deleted, Denied.DEACTIVATED),
            (person.is_stranger, Denied.STRANGER),
            (person.is_guest, Denied.GUEST),
            (not _listed(person.id, self.users), Denied.USER),
            (bool(channel) and not _listed(channel, self.channels), Denied.CHANNEL),
            (repo is not None and not self.opens(repo), Denied.REPO),
        )
        return next((reason for applies, reason in reasons if applies), None)

    def opens(self, repo: str) -> bool:
        """Whether runs may work on this repository, whoever asks."""
        return _listed(repo, self.repos)


class Exceeded(StrEnum):
    """Which limit leaves no room for another run."""

    USER = "user"
    CHANNEL = "channel"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Usage:
    """How many earlier runs count: unended ones of the person and of the channel, and the person's of a day."""

    user: int = 0
    channel: int = 0
    day: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """How many runs one may have at once, a channel may have at once, and one may begin within 24 hours."""

    user: int | None = None
    channel: int | None = None
    day: int | None = None

    @property
    def any(self) -> bool:
        """Whether there is one at all: else nobody need count."""
        return not (self.user is None and self.channel is None and self.day is None)

    def exceeded(self, usage: Usage) -> tuple[Exceeded, int] | None:
        """The first limit that is reached, and its number."""
        reached = (
            (Exceeded.USER, self.user, usage.user),
            (Exceeded.CHANNEL, self.channel, usage.channel),
            (Exceeded.DAY, self.day, usage.day),
        )
        return next(
            ((which, most) for which, most, used in reached if most is not None and used >= most), None
        )


def _listed(value: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns means this value; an empty list means all. Case doesn't count: GitHub's doesn't."""
    patterns = tuple(patterns)
    return not patterns or any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), value, re.IGNORECASE) for pattern in patterns
    )
