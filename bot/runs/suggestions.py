"""Prompts to begin with, in people's direct messages with the bot, where the app is declared an agent.

Everything works without them; where Slack refuses them as such, they aren't offered again.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from bot.errors import (
    ChannelClosed,
    MessageGone,
    SlackError,
    SlackLimited,
    SlackUnavailable,
    StoreUnavailable,
)
from bot.model import Audience, Options, Place
from bot.runs.admission import Admission
from bot.runs.ports import Messenger, Suggestion
from bot.runs.supervisor import Supervisor
from bot.words import replies

log = structlog.get_logger("bot.suggestions")

REMEMBERED = 5_000  # direct messages whose prompts are known; Slack keeps showing them


class Suggestions:
    """Up to four prompts that make sense to whoever looks, about the repository that their requests are about."""

    def __init__(
        self,
        messenger: Messenger,
        admission: Admission,
        supervisor: Supervisor,
        defaults: Callable[[Audience], Awaitable[Options]],
        declared: Callable[[], bool],
    ) -> None:
        self._messenger = messenger
        self._admission = admission
        self._supervisor = supervisor
        self._defaults = defaults
        self._declared = declared
        self._offered = True
        self._shown: OrderedDict[Place, str | None] = OrderedDict()

    def opened(self, audience: Audience) -> None:
        """Someone looks at their direct messages with the bot. Returns at once."""
        if self._offered and self._declared():
            self._supervisor.start("suggestions", self._suggest(audience))

    async def _suggest(self, audience: Audience) -> None:
        place = Place(audience.workspace, audience.channel, audience.thread_ts)
        try:
            if await self._admission.refusal(audience, None) is not None:
                return
            repo = (await self._defaults(audience)).repo
            if self._shown.get(place, "") == repo:
                return
            prompts = [Suggestion(title, message) for title, message in replies.suggestions(repo)]
            await self._messenger.suggest(place, prompts)
        except (SlackLimited, SlackUnavailable, ChannelClosed, MessageGone, StoreUnavailable) as error:
            log.debug("suggestions.not_set", error=str(error))
        except SlackError as error:
            log.info("suggestions.not_offered", code=error.code)
            self._offered = False
        else:
            self._remember(place, repo)

    def _remember(self, place: Place, repo: str | None) -> None:
        self._shown[place] = repo
        while len(self._shown) > REMEMBERED:
            self._shown.popitem(last=False)
