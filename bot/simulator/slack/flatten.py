"""What a reader sees of blocks and texts, as lines of plain text: for assertions and for the demo's terminal."""

import re
from collections.abc import Callable, Mapping

from bot.simulator.slack.model import Blocks, Json

_REFERENCE = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
NO_NAMES: Mapping[str, str] = {}


def unescape(text: str) -> str:
    """The three escapes that Slack knows, undone; every other ``&name;`` is literal."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def visible(text: str, names: Mapping[str, str] = NO_NAMES) -> str:
    """A mrkdwn text with its references resolved (``<@U1>`` → ``@ann``) and its escapes undone.

    ``names`` maps ids of users and channels to their names. Marks such as ``*`` and backticks stay.
    """

    def resolve(match: re.Match[str]) -> str:
        sigil, target, label = match.groups()
        if sigil == "!":
            return label or f"@{target.partition('^')[0]}"
        if sigil in {"@", "#"}:
            return f"{sigil}{names.get(target, label or target)}"
        return label or target

    return unescape(_REFERENCE.sub(resolve, text))


def flatten(blocks: Blocks, names: Mapping[str, str] = NO_NAMES) -> str:
    """The visible text of blocks, top to bottom. Buttons are ``[Label]``, menus ``[Label ▾]``, images ``[image: …]``."""
    return "\n".join(line for block in blocks if (line := _block(block, names)))


def _block(block: Json, names: Mapping[str, str]) -> str:
    render = _BLOCKS.get(block["type"])
    return render(block, names) if render else f"[{block['type']}]"


def _text(value: Json, names: Mapping[str, str]) -> str:
    return visible(value["text"], names) if value["type"] == "mrkdwn" else unescape(value["text"])


def _section(block: Json, names: Mapping[str, str]) -> str:
    texts = ([block["text"]] if "text" in block else []) + block.get("fields", [])
    lines = [_text(item, names) for item in texts]
    if "accessory" in block:
        lines[-1] += f" {_element(block['accessory'], names)}"
    return "\n".join(lines)


def _context(block: Json, names: Mapping[str, str]) -> str:
    return " ".join(
        _element(item, names) if item["type"] == "image" else _text(item, names) for item in block["elements"]
    )


def _input(block: Json, names: Mapping[str, str]) -> str:
    return f"{_text(block['label'], names)}: {_element(block['element'], names)}"


def _element(element: Json, names: Mapping[str, str]) -> str:
    kind = element["type"]
    if kind == "button":
        return f"[{_text(element['text'], names)}]"
    if kind == "image":
        return f"[image: {element['alt_text']}]"
    if kind == "plain_text_input":
        return f"[{element.get('initial_value', '')}]"
    if kind in {"checkboxes", "radio_buttons"}:
        return " ".join(f"[ ] {_text(option['text'], names)}" for option in element["options"])
    if kind == "overflow":
        return "[…]"
    return f"[{_chosen(element, names)} ▾]"


def _chosen(element: Json, names: Mapping[str, str]) -> str:
    if "initial_option" in element:
        return _text(element["initial_option"]["text"], names)
    return _text(element["placeholder"], names) if "placeholder" in element else ""


def _rich_text(block: Json, names: Mapping[str, str]) -> str:
    return "\n".join(_rich_part(part, names) for part in block["elements"])


def _rich_part(part: Json, names: Mapping[str, str]) -> str:
    if part["type"] == "rich_text_list":
        offset = part.get("offset", 0)
        marks = (
            f"{offset + number}." if part["style"] == "ordered" else "•"
            for number in range(1, len(part["elements"]) + 1)
        )
        indent = "  " * part.get("indent", 0)
        return "\n".join(
            f"{indent}{mark} {_rich_part(item, names)}"
            for mark, item in zip(marks, part["elements"], strict=True)
        )
    joined = "".join(_inline(item, names) for item in part["elements"])
    if part["type"] == "rich_text_quote":
        return "\n".join(f"> {line}" for line in joined.split("\n"))
    # A section's closing line break makes no line of its own: the next part starts below it anyway.
    return joined.removesuffix("\n") if part["type"] == "rich_text_section" else joined


def _inline(item: Json, names: Mapping[str, str]) -> str:
    kind = item["type"]
    if kind in _INLINE:
        return str(_INLINE[kind](item))
    target = str(item[f"{kind}_id"])
    return f"{'#' if kind == 'channel' else '@'}{names.get(target, target)}"


_INLINE: Mapping[str, Callable[[Json], object]] = {
    "text": lambda item: item["text"],
    "link": lambda item: item.get("text") or item["url"],
    "emoji": lambda item: f":{item['name']}:",
    "date": lambda item: item.get("fallback") or item["timestamp"],
    "broadcast": lambda item: f"@{item['range']}",
    "color": lambda item: item["value"],
}
_BLOCKS: Mapping[str, Callable[[Json, Mapping[str, str]], str]] = {
    "section": _section,
    "header": lambda block, names: _text(block["text"], names),
    "context": _context,
    "actions": lambda block, names: " ".join(_element(item, names) for item in block["elements"]),
    "divider": lambda _block, _names: "---",
    "image": lambda block, _names: f"[image: {block['alt_text']}]",
    "input": _input,
    "rich_text": _rich_text,
    "markdown": lambda block, _names: str(block["text"]),
}
