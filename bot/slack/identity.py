"""Who the bot is in its workspace: what ``auth.test`` says, asked until Slack answers."""

import asyncio

import aiohttp
import structlog
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.deliveries import BotIdentity

log = structlog.get_logger("bot.identity")

ASK_AGAIN = 5.0  # seconds


def _problem(error: Exception) -> str:
    if isinstance(error, SlackApiError) and isinstance(error.response.get("error"), str):
        return f"Slack refused the token ({error.response['error']})"
    return "Slack can't be reached"


class Identity:
    """The bot's own ids, empty until Slack said them. Requests are taken meanwhile; ``ready`` says why not all is well."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self.bot = BotIdentity("")
        self.workspace = ""
        self.problem = "Slack has not accepted the token yet"

    async def learn(self) -> None:
        """Ask Slack, again and again until it answers; a refused token may become valid by an operator's hand."""
        said = ""
        while True:
            try:
                answer = await self._client.auth_test()
            except (SlackApiError, aiohttp.ClientError, OSError, ValueError) as error:
                self.problem = _problem(error)
                if self.problem != said:
                    log.error("identity.unknown", problem=self.problem)
                    said = self.problem
                await asyncio.sleep(ASK_AGAIN)
                continue
            self.bot = BotIdentity(answer.get("user_id") or "", answer.get("bot_id"))
            self.workspace = answer.get("team_id") or ""
            self.problem = ""
            log.info("identity.known", workspace=self.workspace, bot_user=self.bot.user_id)
            return

    def revoked(self) -> None:
        """Slack says that the token is no longer valid."""
        self.problem = "Slack revoked the token"
        log.error("identity.revoked")

    def authorization(self) -> AuthorizeResult:
        """What Bolt wants to know for each request; from memory, so that no acknowledgement waits for Slack."""
        return AuthorizeResult(
            enterprise_id=None,
            team_id=self.workspace or None,
            bot_token=self._client.token,
            bot_id=self.bot.bot_id,
            bot_user_id=self.bot.user_id or None,
        )
