"""What a client keeps of the elements of a view while someone fills them in."""

from collections.abc import Iterator
from typing import Any, Final

from bot.simulator.slack.blocks import elements_of
from bot.simulator.slack.desk import RefusedError
from bot.simulator.slack.flatten import unescape
from bot.simulator.slack.model import Blocks, Json

_SELECTED: Final = {
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
}
LONGEST: Final = 3000


def inputs(blocks: Blocks) -> Iterator[tuple[Json, Json]]:
    """Each block with each of its elements that has a state."""
    for block in blocks:
        for element in elements_of(block):
            if element["type"] not in {"button", "overflow", "image"}:
                yield block, element


def initial(element: Json) -> Json:
    """The state of an element that nobody touched."""
    kind = element["type"]
    if kind == "plain_text_input":
        return {"type": kind, "value": element.get("initial_value") or None}
    if kind in {"checkboxes", "multi_static_select"}:
        return {"type": kind, "selected_options": element.get("initial_options", [])}
    if kind in _SELECTED:
        key, first = _SELECTED[kind]
        return {"type": kind, key: element.get(first)}
    return {"type": kind, "selected_option": element.get("initial_option")}


def filled(element: Json, given: Any, offered: Blocks) -> Json:
    """The state after ``given`` was typed, or picked by label or value from what is ``offered``."""
    kind = element["type"]
    if kind == "plain_text_input":
        return {"type": kind, "value": _typed(element, str(given)) or None}
    if kind in {"checkboxes", "multi_static_select"}:
        return {"type": kind, "selected_options": [_pick(offered, one) for one in given]}
    if kind in _SELECTED:
        return {"type": kind, _SELECTED[kind][0]: given}
    return {"type": kind, "selected_option": None if given is None else _pick(offered, given)}


def options(element: Json) -> Blocks:
    """The options that an element lists itself."""
    groups = [group["options"] for group in element.get("option_groups", [])]
    return [option for group in [element.get("options", []), *groups] for option in group]


def is_empty(state: Json) -> bool:
    """Whether nothing was entered or picked."""
    return all(not value for key, value in state.items() if key != "type")


def _typed(element: Json, text: str) -> str:
    if len(text) > element.get("max_length", LONGEST):
        raise RefusedError(f"the field takes {element.get('max_length', LONGEST)} characters at most")
    if text and len(text) < element.get("min_length", 0):
        raise RefusedError(f"the field takes {element['min_length']} characters at least")
    return text


def _pick(offered: Blocks, wanted: str) -> Json:
    for option in offered:
        if wanted in {option["value"], option["text"]["text"], unescape(option["text"]["text"])}:
            return option
    raise RefusedError(f"no option {wanted!r} among {[option['text']['text'] for option in offered]}")
