"""Our own sentences, written in mrkdwn, as rich text elements.

Messages that show a prompt or output are rich text throughout, because rich text parses nothing and because Slack
refuses to turn a message with rich text into one without. So the notes in them must be rich text, too.
"""

import re
from typing import Any

from bot.core.text import clean, unescape

Element = dict[str, Any]

_MARKUP = re.compile(
    r"`(?P<code>[^`\n]+)`|<@(?P<user>[UW][A-Z0-9]+)>|<(?P<url>https?://[^|<>\s]+)\|(?P<label>[^<>\n]+)>"
)


def text(content: str, **style: bool) -> list[Element]:
    """Plain text as it is, cleaned; no element for an empty one, which Slack refuses. Styles: bold, italic, code."""
    shown = clean(content)
    if not shown:
        return []
    return [{"type": "text", "text": shown, "style": style} if style else {"type": "text", "text": shown}]


def emoji(name: str) -> Element:
    """An emoji by Slack's name for it."""
    return {"type": "emoji", "name": name}


def user(user_id: str) -> Element:
    """A mention, shown as the user's name."""
    return {"type": "user", "user_id": user_id}


def rich(mrkdwn: str) -> list[Element]:
    """The elements of a sentence of ours; of mrkdwn's markup it knows code spans, mentions and labelled links."""
    elements: list[Element] = []
    start = 0
    for match in _MARKUP.finditer(mrkdwn):
        elements += text(unescape(mrkdwn[start : match.start()]))
        elements += _marked(match)
        start = match.end()
    return elements + text(unescape(mrkdwn[start:]))


def _marked(match: re.Match[str]) -> list[Element]:
    if match["code"]:
        return text(unescape(match["code"]), code=True)
    if match["user"]:
        return [user(match["user"])]
    return [
        {"type": "link", "url": unescape(match["url"]), "text": clean(unescape(match["label"])) or "link"}
    ]


def plain(mrkdwn: str) -> str:
    """A sentence of ours without its markup; mentions are left out."""
    return "".join(element.get("text", "") for element in rich(mrkdwn))
