"""Rules for ``rich_text`` blocks and what may stand in them."""

from bot.simulator.slack.schema import (
    Problems,
    Rule,
    boolean,
    choice,
    integer,
    items,
    record,
    string,
    tagged,
    url,
)

_STYLES = ("bold", "italic", "strike", "code", "underline", "highlight", "client_highlight", "unlink")
_STYLE = record({}, dict.fromkeys(_STYLES, boolean))
_STYLED: dict[str, Rule] = {"style": _STYLE}
_LONG = 13_000  # more is refused for the message as a whole

_TEXT = record({"text": string(_LONG)}, _STYLED, kind="text")
_LINK = record({"url": url()}, {"text": string(_LONG), "unsafe": boolean, **_STYLED}, kind="link")

INLINE: dict[str, Rule] = {
    "text": _TEXT,
    "link": _LINK,
    "emoji": record(
        {"name": string(100)}, {"unicode": string(50), "skin_tone": integer(1, 6), **_STYLED}, kind="emoji"
    ),
    "user": record({"user_id": string(30)}, _STYLED, kind="user"),
    "usergroup": record({"usergroup_id": string(30)}, _STYLED, kind="usergroup"),
    "channel": record({"channel_id": string(30)}, _STYLED, kind="channel"),
    "broadcast": record({"range": choice("here", "channel", "everyone")}, _STYLED, kind="broadcast"),
    "color": record({"value": string(7)}, _STYLED, kind="color"),
    "date": record(
        {"timestamp": integer(0, 10**11), "format": string(200)},
        {"url": url(), "fallback": string(300), **_STYLED},
        kind="date",
    ),
}
_MANY = 10_000  # Slack names no number of its own
_INLINE_LIST = items(tagged(INLINE), _MANY, 0)
_BORDER: dict[str, Rule] = {"border": integer(0, 1)}

SECTION = record({"elements": _INLINE_LIST}, kind="rich_text_section")
QUOTE = record({"elements": _INLINE_LIST}, _BORDER, kind="rich_text_quote")
PREFORMATTED = record(
    {"elements": items(tagged({"text": _TEXT, "link": _LINK}), _MANY, 0)},
    {**_BORDER, "language": string(50)},
    kind="rich_text_preformatted",
)
LIST = record(
    {
        "style": choice("bullet", "ordered"),
        "elements": items(tagged({"rich_text_section": SECTION}), _MANY, 0),
    },
    {"indent": integer(0, 8), "offset": integer(0, 10**6), **_BORDER},
    kind="rich_text_list",
)
_ELEMENTS = items(
    tagged(
        {
            "rich_text_section": SECTION,
            "rich_text_quote": QUOTE,
            "rich_text_preformatted": PREFORMATTED,
            "rich_text_list": LIST,
        }
    ),
    _MANY,
)


def elements(value: object, pointer: str, problems: Problems) -> None:
    """The ``elements`` of a ``rich_text`` block."""
    _ELEMENTS(value, pointer, problems)
