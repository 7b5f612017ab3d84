"""What Slack's clients make of a text that someone types: escapes, mentions, channels, links."""

import re
from typing import Final

from bot.simulator.slack.model import Blocks
from bot.simulator.slack.workspace import Workspace

_CODE: Final = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
_TOKEN: Final = re.compile(
    r"(?P<url>https?://(?:(?!&[lg]t;)\S)*(?<![.,;:!?)]))|(?<!\S)(?P<sigil>[@#])(?P<name>[\w.-]*\w)"
)
_BROADCASTS: Final = frozenset({"here", "channel", "everyone"})


def compose(workspace: Workspace, text: str, *, labels: bool = False) -> str:
    """The text as Slack stores it. ``labels``: mentions as ``<@U1|ann>``, the form in slash commands.

    Nothing inside backticks becomes a mention or a link; it is only escaped.
    """
    parts = _CODE.split(text)
    return "".join(
        escape(part) if index % 2 else _references(workspace, part, labels=labels)
        for index, part in enumerate(parts)
    )


def escape(text: str) -> str:
    """The three characters that mean something in Slack's texts, escaped."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def rich(text: str) -> Blocks:
    """The block that comes with what a person typed; apps are told to read ``text``."""
    if not text:
        return []
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return [{"type": "rich_text", "elements": [section]}]


def _references(workspace: Workspace, text: str, *, labels: bool) -> str:
    def link(match: re.Match[str]) -> str:
        # The text is escaped already: escaping keeps addresses and names whole, "&" apart, which Slack escapes in links too.
        if match["url"]:
            return f"<{match['url']}>"
        name = match["name"]
        try:
            if match["sigil"] == "#":
                channel = workspace.channel(f"#{name}")
                return f"<#{channel.id}|{channel.name}>"
            if name in _BROADCASTS:
                return f"<!{name}>"
            user = workspace.user(name)
        except KeyError:
            return match[0]
        return f"<@{user.id}|{user.name}>" if labels else f"<@{user.id}>"

    return _TOKEN.sub(link, escape(text))
