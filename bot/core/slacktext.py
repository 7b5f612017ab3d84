"""Slack's raw text: what people meant by it.

In what Slack delivers, ``&``, ``<`` and ``>`` are entities, and mentions, channels and links stand in angle
brackets (https://docs.slack.dev/messaging/formatting-message-text).
"""

import re

_TOKEN = re.compile(
    r"<(?P<target>"
    r"@[UWB][A-Z0-9]+"
    r"|\#[CGD][A-Z0-9]+"
    r"|!(?:here|channel|everyone|group|subteam\^[A-Z0-9]+|date\^[^<>|\n]*)"
    r"|(?:[A-Za-z][A-Za-z0-9+.-]*://|mailto:|tel:)[^<>|\s]*"
    r")(?:\|(?P<label>[^<>\n]*))?>"
    r"|&(?:amp|lt|gt);"
)
_ENTITY = re.compile(r"&(?:amp|lt|gt);")
_CHARACTERS = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_SCHEME = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|mailto:)")


def plain(text: str) -> str:
    """What the user typed, from Slack's raw ``text``; to be applied exactly once.

    A link becomes its URL, or its label where Slack made the link out of a typed ``acme.web``. Mentions and
    channels stay readable (``@ann``, ``#general``, ``@here``). Other angle brackets stay as they are, and so
    does the number of lines.
    """
    return _TOKEN.sub(_meaning, text)


def without_mention(text: str, bot_user_id: str) -> str:
    """Slack's raw ``text`` without its first mention of the bot, which is what addresses it.

    A leading mention goes together with the comma or colon after it. Line breaks stay, so that errors can
    number the lines as the user sees them.
    """
    mention = rf"(?P<before>[ \t]*)<@{re.escape(bot_user_id)}(?:\|[^<>\n]*)?>(?P<after>[ \t]*)"
    found = re.search(mention, text)
    if found is None:
        return text
    left, right = text[: found.start()], text[found.end() :]
    if not left.strip():
        return left + re.sub(r"\A[,:][ \t]*", "", right)
    if left.endswith("\n"):
        return left + found["before"] + right
    spaced = (found["before"] or found["after"]) and right and right[0] not in "\n,.;:!?"
    return f"{left} {right}" if spaced else left + right


def _meaning(token: re.Match[str]) -> str:
    if token["target"] is None:
        return _CHARACTERS[token[0]]
    target, label = _decoded(token["target"]), _decoded(token["label"] or "")
    match target[0]:
        case "@" | "#":
            return target[0] + (label.removeprefix(target[0]) or target[1:])
        case "!" if target.startswith("!date"):
            return label
        case "!":
            return "@" + (label.removeprefix("@") or target[1:].removeprefix("subteam^"))
    typed = _SCHEME.sub("", target, count=1).rstrip("/").casefold() == label.rstrip("/").casefold()
    return label if label and (typed or target.startswith("tel:")) else target


def _decoded(text: str) -> str:
    return _ENTITY.sub(lambda entity: _CHARACTERS[entity[0]], text)
