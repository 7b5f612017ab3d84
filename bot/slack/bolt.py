"""Bolt's app with all listeners."""

import logging

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.runs.commands import Commands
from bot.runs.intake import Intake
from bot.slack.forms import Forms
from bot.slack.identity import Identity
from bot.slack.listeners import actions, commands, lifecycle, messages, shortcuts, views
from bot.slack.messenger import SlackMessenger


def bolt_app(
    client: AsyncWebClient,
    *,
    identity: Identity,
    messenger: SlackMessenger,
    intake: Intake,
    whole_text: Commands,
    forms: Forms,
) -> AsyncApp:
    """The app. Signatures are verified before Bolt, by the endpoint; in Socket Mode there are none.

    With ``process_before_response`` the acknowledgement follows the listener, which only claims and stores: a
    listener that fails answers 5xx, so that Slack delivers the event again, and no poll delays the answer.
    """

    async def authorize() -> (
        AuthorizeResult
    ):  # Bolt looks at its arguments' names: a method's `self` confuses it
        return identity.authorization()

    # Without the token, which Bolt takes from `authorize`: given both, it warns at every start.
    tokenless = AsyncWebClient(base_url=client.base_url, session=client.session, timeout=client.timeout)
    app = AsyncApp(
        client=tokenless,
        logger=logging.getLogger("slack_bolt"),
        authorize=authorize,
        process_before_response=True,
        raise_error_for_unhandled_request=True,
        request_verification_enabled=False,
    )
    commands.register(app, intake, forms)
    messages.register(app, intake, identity)
    views.register(app, intake, forms)
    shortcuts.register(app, forms)
    actions.register(app, intake, whole_text, forms)
    lifecycle.register(app, identity, messenger)
    return app
