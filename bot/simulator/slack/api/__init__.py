"""The Web API: one module for each family of methods, each with its own table."""

from bot.simulator.slack.api import agents, chat, conversations, files, identity, reactions, views
from bot.simulator.slack.api.call import ApiError, Call, Method

METHODS: dict[str, Method] = {
    **agents.METHODS,
    **chat.METHODS,
    **conversations.METHODS,
    **files.METHODS,
    **identity.METHODS,
    **reactions.METHODS,
    **views.METHODS,
}

__all__ = ["METHODS", "ApiError", "Call", "Method"]
