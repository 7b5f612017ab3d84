"""The repositories that someone may mean: what the form offers."""

from bot.core.access import Policy
from bot.core.options import as_repository
from bot.model import Audience
from bot.store.store import Store

RECENT = 10  # repositories of the user's own last runs


async def likely(store: Store, audience: Audience) -> list[str]:
    """The channel's repository, then those of the user's last runs."""
    channel = await store.channels.repo(audience.workspace, audience.channel)
    recent = await store.runs.recent_repos(audience.workspace, audience.user, RECENT)
    return [*([channel] if channel else []), *recent]


def named(policy: Policy) -> list[str]:
    """Those that operators allow by name and not by a pattern."""
    return [repo for repo in policy.repos if "*" not in repo and as_repository(repo) == repo]


def offered(known: list[str], typed: str, policy: Policy) -> list[str]:
    """What fits the text that was typed: it itself where it is a repository, then the known ones that are open.

    Each stands there once, however it is spelled: GitHub doesn't tell case.
    """
    itself = as_repository(typed.strip())
    wanted = (itself or typed.strip()).casefold()
    fitting = [repo for repo in known if wanted in repo.casefold() and policy.opens(repo)]
    distinct: dict[str, str] = {}
    for repo in [*([itself] if itself else []), *fitting]:
        distinct.setdefault(repo.casefold(), repo)
    return list(distinct.values())
