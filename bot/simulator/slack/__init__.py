"""A local Slack: a real HTTP server on loopback that answers, limits, refuses and delivers as Slack does."""

from bot.simulator.slack.flatten import flatten
from bot.simulator.slack.limits import Answer, Limits, Rate
from bot.simulator.slack.model import Ephemeral, File, Message, Times, Version, View
from bot.simulator.slack.server import LocalSlack

__all__ = [
    "Answer",
    "Ephemeral",
    "File",
    "Limits",
    "LocalSlack",
    "Message",
    "Rate",
    "Times",
    "Version",
    "View",
    "flatten",
]
