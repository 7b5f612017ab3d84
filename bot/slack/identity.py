"""Who the bot is in its workspace: what ``auth.test`` says, asked until Slack answers."""

import asyncio

import structlog
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import SlackError, SlackLimited, SlackUnavailable
from bot.slack.api import respond, scopes
from bot.slack.deliveries import BotIdentity

log = structlog.get_logger("bot.identity")

ASK_AGAIN = 0.5  # seconds until it is asked a second time; then twice as long each time
LONGEST_PAUSE = 15.0  # seconds
SITE = "https://slack.com"  # leads people to the workspace that they used last


def _problem(error: SlackError) -> str:
    if isinstance(error, SlackUnavailable | SlackLimited):
        return "Slack can't be reached"
    return f"Slack refused the token ({error.code})"


class Identity:
    """The bot's own ids, empty until Slack said them. Requests are taken meanwhile; ``ready`` says why not all is well."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self.bot = BotIdentity("")
        self.workspace = ""
        self._site = SITE
        self._scopes: frozenset[str] | None = None
        self.problem = "Slack has not accepted the token yet"

    async def learn(self) -> None:
        """Ask Slack, again and again until it answers; a refused token may become valid by an operator's hand."""
        said, pause = "", ASK_AGAIN
        while True:
            try:
                response = await respond(self._client, "auth.test")
            except SlackError as error:
                self.problem = _problem(error)
                if self.problem != said:
                    log.error("identity.unknown", problem=self.problem)
                    said = self.problem
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            answer = response.data if isinstance(response.data, dict) else {}
            self._scopes = scopes(response)
            self.bot = BotIdentity(answer.get("user_id") or "", answer.get("bot_id"))
            self.workspace = answer.get("team_id") or ""
            self._site = answer.get("url") or SITE
            self.problem = ""
            log.info("identity.known", workspace=self.workspace, bot_user=self.bot.user_id)
            return

    def revoked(self) -> None:
        """Slack says that the token is no longer valid."""
        self.problem = "Slack revoked the token"
        log.error("identity.revoked")

    def may(self, scope: str) -> bool:
        """Whether the token has a scope, as far as Slack said which ones it has."""
        return self._scopes is None or scope in self._scopes

    def site(self, workspace: str) -> str:
        """The address of the workspace's Slack, with which the addresses of its messages begin."""
        return self._site if workspace == self.workspace else SITE

    def authorization(self) -> AuthorizeResult:
        """What Bolt wants to know for each request; from memory, so that no acknowledgement waits for Slack."""
        return AuthorizeResult(
            enterprise_id=None,
            team_id=self.workspace or None,
            bot_token=self._client.token,
            bot_id=self.bot.bot_id,
            bot_user_id=self.bot.user_id or None,
        )
