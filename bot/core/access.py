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
        """The first reason why this person may not work on ``repo`` (``None``: any) in this channel."""
        reasons = (
            (person.is_bot, Denied.BOT),
            (person.deleted, Denied.DEACTIVATED),
            (person.is_stranger, Denied.STRANGER),
            (person.is_guest, Denied.GUEST),
            (not _listed(person.id, self.users), Denied.USER),
            (not _listed(channel, self.channels), Denied.CHANNEL),
            (repo is not None and not _listed(repo, self.repos), Denied.REPO),
        )
        return next((reason for applies, reason in reasons if applies), None)


def _listed(value: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns means this value; an empty list means all. Case doesn't count: GitHub's doesn't."""
    patterns = tuple(patterns)
    return not patterns or any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), value, re.IGNORECASE) for pattern in patterns
    )
