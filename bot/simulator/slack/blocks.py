"""Block Kit as Slack checks it: the blocks of messages, modals and homes, with the reasons for a refusal."""

from typing import Any, Final

from bot.simulator.slack import rich_text
from bot.simulator.slack.elements import (
    AS_ACCESSORY,
    IDENTIFIER,
    IN_ACTIONS,
    IN_CONTEXT,
    IN_INPUT,
    plain_text,
    text,
)
from bot.simulator.slack.model import Blocks, Json
from bot.simulator.slack.schema import (
    Problems,
    Rule,
    boolean,
    both,
    has_one_of,
    items,
    record,
    string,
    tagged,
    unique,
    url,
)

MESSAGE_BLOCKS: Final = 50
VIEW_BLOCKS: Final = 100
MESSAGE_CHARACTERS: Final = 13_000
MARKDOWN_CHARACTERS: Final = 12_000


def _block(kind: str, required: dict[str, Rule], optional: dict[str, Rule] | None = None) -> Rule:
    return record(required, {"block_id": IDENTIFIER, **(optional or {})}, kind=kind)


_SECTION = both(
    _block(
        "section",
        {},
        {"text": text(3000), "fields": items(text(2000), 10), "accessory": AS_ACCESSORY, "expand": boolean},
    ),
    has_one_of("text", "fields"),
)
_IMAGE = _block("image", {"alt_text": string(2000), "image_url": url()}, {"title": plain_text(2000)})

_COMMON: dict[str, Rule] = {
    "section": _SECTION,
    "header": _block("header", {"text": plain_text(150)}),
    "context": _block("context", {"elements": items(IN_CONTEXT, 10)}),
    "actions": _block(
        "actions", {"elements": both(items(IN_ACTIONS, 25), unique("action_id", "duplicate action_id"))}
    ),
    "divider": _block("divider", {}),
    "image": _IMAGE,
    "rich_text": _block("rich_text", {"elements": rich_text.elements}),
    "input": _block(
        "input",
        {"label": plain_text(2000), "element": IN_INPUT},
        {"hint": plain_text(2000), "optional": boolean, "dispatch_action": boolean},
    ),
}
_MARKDOWN = _block("markdown", {"text": string(MARKDOWN_CHARACTERS)})

_UNIQUE_IDS = unique("block_id", "duplicate block_id")
_MESSAGE = both(items(tagged({**_COMMON, "markdown": _MARKDOWN}), MESSAGE_BLOCKS, 0), _UNIQUE_IDS)
_VIEW_BLOCKS = both(items(tagged(_COMMON), VIEW_BLOCKS, 0), _UNIQUE_IDS)

_VIEW_SHARED: dict[str, Rule] = {
    "callback_id": string(255, 0),
    "private_metadata": string(3000, 0),
    "external_id": string(255, 0),
}
_MODAL = record(
    {"title": plain_text(24), "blocks": _VIEW_BLOCKS},
    {
        **_VIEW_SHARED,
        "submit": plain_text(24),
        "close": plain_text(24),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "submit_disabled": boolean,
    },
    kind="modal",
)
_HOME = record({"blocks": _VIEW_BLOCKS}, _VIEW_SHARED, kind="home")


def message_problems(blocks: object) -> Problems:
    """What Slack finds wrong with a message's ``blocks``; empty where nothing is."""
    problems: Problems = []
    _MESSAGE(blocks, "/blocks", problems)
    if not problems and isinstance(blocks, list):
        markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
        if markdown > MARKDOWN_CHARACTERS:
            problems.append(f"must be less than {MARKDOWN_CHARACTERS + 1} characters [json-pointer:/blocks]")
    return problems


def view_problems(view: object, kind: str) -> Problems:
    """What Slack finds wrong with a ``modal`` or ``home`` view."""
    problems: Problems = []
    if isinstance(view, dict) and view.get("type") != kind:
        return [f"must be a valid enum value [json-pointer:/view/type]: expected {kind}"]
    (_MODAL if kind == "modal" else _HOME)(view, "/view", problems)
    if problems or not isinstance(view, dict) or "submit" in view or kind == "home":
        return problems
    if any(block["type"] == "input" for block in view["blocks"]):
        problems.append("missing required field: submit [json-pointer:/view]")
    return problems


def characters(value: Any) -> int:
    """The characters of all texts in some blocks, buttons' labels and menus' entries included."""
    if isinstance(value, list):
        return sum(characters(item) for item in value)
    if isinstance(value, dict):
        own = value.get("text")
        return (len(own) if isinstance(own, str) else 0) + sum(
            characters(item) for item in value.values() if isinstance(item, dict | list)
        )
    return 0


def has_rich_text(blocks: Blocks) -> bool:
    """Whether a message belongs to the family of rich text."""
    return any(block["type"] == "rich_text" for block in blocks)


def elements_of(block: Json) -> Blocks:
    """The interactive elements of one block."""
    if block["type"] == "actions":
        return list(block["elements"])
    if block["type"] == "input":
        return [block["element"]]
    return [block["accessory"]] if "accessory" in block else []


def with_ids(blocks: Blocks, prefix: str) -> Blocks:
    """The blocks with the ``block_id`` and ``action_id`` that Slack gives where an app gave none."""
    filled: Blocks = []
    for index, block in enumerate(blocks):
        copy = {**block, "block_id": block.get("block_id", f"{prefix}{index}")}
        for key in ("elements", "element", "accessory"):
            if key not in copy or copy["type"] not in {"actions", "input", "section"}:
                continue
            inner = copy[key]
            copy[key] = (
                [_with_action_id(item, f"{prefix}{index}.{place}") for place, item in enumerate(inner)]
                if isinstance(inner, list)
                else _with_action_id(inner, f"{prefix}{index}.{key}")
            )
        filled.append(copy)
    return filled


def _with_action_id(element: Json, name: str) -> Json:
    return element if element["type"] == "image" else {**element, "action_id": element.get("action_id", name)}
