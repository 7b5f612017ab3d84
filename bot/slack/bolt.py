"""Bolt's app with all listeners."""

import logging

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot.runs.commands import Commands
from bot.runs.edits import Edits
from bot.runs.intake import Intake
from bot.runs.suggestions import Suggestions
from bot.slack.forms import Forms
from bot.slack.home import HomeTabs
from bot.slack.identity import Identity
from bot.slack.listeners import actions, commands, home, lifecycle, messages, settings, shortcuts, views
from bot.slack.messenger import SlackMessenger
from bot.slack.settings_form import SettingsForm


def bolt_app(
    client: AsyncWebClient,
    *,
    identity: Identity,
    messenger: SlackMessenger,
    intake: Intake,
    edits: Edits,
    suggestions: Suggestions,
    whole_text: Commands,
    forms: Forms,
    home_tabs: HomeTabs,
    settings_form: SettingsForm,
) -> AsyncApp:
    """The app. Signatures are verified before Bolt, by the endpoint; in Socket Mode there are none.

    With ``process_before_response`` the acknowledgement follows the listener, which only claims and stores: a
    listener that fails answers 5xx, so that Slack delivers the event again, and no poll delays the answer.
    """

    # A function, since Bolt looks at the names of its arguments: a method's `self` confuses it.
    async def authorize() -> AuthorizeResult:
        return identity.authorization()

    # Its warnings are about how it is set up, such as a token beside `authorize`.
    logger = logging.getLogger("slack_bolt")
    logger.setLevel(logging.ERROR)
    app = AsyncApp(
        client=client,
        logger=logger,
        authorize=authorize,
        process_before_response=True,
        raise_error_for_unhandled_request=True,
        request_verification_enabled=False,
    )
    commands.register(app, intake, forms)
    messages.register(app, intake, edits, identity)
    views.register(app, intake, forms)
    shortcuts.register(app, forms)
    home.register(
        app,
        identity=identity,
        intake=intake,
        commands=whole_text,
        home_tabs=home_tabs,
        suggestions=suggestions,
    )
    settings.register(app, settings_form)
    actions.register(app, intake, edits, whole_text, forms)
    lifecycle.register(app, identity, messenger)
    return app
