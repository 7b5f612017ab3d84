"""Who people are, as far as access depends on it: asked of Slack, and remembered for five minutes."""

import asyncio
from collections import OrderedDict
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.model import Person
from bot.slack.api import insist

REMEMBERED = 300.0  # seconds
MOST = 5_000  # people; the one that was looked up longest ago is forgotten first

SLACKBOT = "USLACKBOT"


class People:
    """A cache of up to ``most`` users; several requests for one user at once share one call."""

    def __init__(self, client: AsyncWebClient, clock: Clock, most: int = MOST) -> None:
        self._client = client
        self._clock = clock
        self._most = most
        self._known: OrderedDict[str, tuple[float, Person]] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Person]] = {}

    async def get(self, workspace: str, user: str) -> Person:
        """That user. Raises one of the SlackErrors where Slack doesn't say."""
        now = self._clock.monotonic()
        known = self._known.get(user)
        if known is not None and now - known[0] < REMEMBERED:
            return known[1]
        asking = self._asking.get(user)
        if asking is None:
            asking = self._asking[user] = asyncio.create_task(self._ask(workspace, user), name="users.info")
            asking.add_done_callback(lambda _: self._asking.pop(user, None))
        return await asyncio.shield(asking)

    async def _ask(self, workspace: str, user: str) -> Person:
        answer = await insist(self._client, "users.info", user=user)
        person = _person(workspace, user, answer.get("user"))
        self._known[user] = (self._clock.monotonic(), person)
        self._known.move_to_end(user)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return person

    def forget(self, user: str) -> None:
        """Ask again next time."""
        self._known.pop(user, None)


def _person(workspace: str, user: str, said: Any) -> Person:
    facts: dict[str, Any] = said if isinstance(said, dict) else {}
    profile = facts.get("profile")
    names = profile if isinstance(profile, dict) else {}
    enterprise = facts.get("enterprise_user")
    homes = {facts.get("team_id"), *(enterprise.get("teams") or () if isinstance(enterprise, dict) else ())}
    homes.add(enterprise.get("enterprise_id") if isinstance(enterprise, dict) else None)
    homes.discard(None)
    return Person(
        id=user,
        name=names.get("display_name") or names.get("real_name") or facts.get("name") or user,
        team=facts.get("team_id") or workspace,
        is_bot=bool(facts.get("is_bot") or facts.get("is_workflow_bot") or user == SLACKBOT),
        is_guest=bool(facts.get("is_restricted") or facts.get("is_ultra_restricted")),
        is_stranger=bool(facts.get("is_stranger")) or (bool(homes) and workspace not in homes),
        deleted=bool(facts.get("deleted")),
    )
