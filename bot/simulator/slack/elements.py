"""Rules for composition objects (texts, options, confirmations) and interactive elements of Block Kit."""

from bot.simulator.slack.schema import (
    Rule,
    boolean,
    both,
    choice,
    has_one_of,
    integer,
    items,
    record,
    string,
    tagged,
    unique,
    url,
)

IDENTIFIER = string(255)
CONVERSATION_KINDS = items(choice("im", "mpim", "private", "public"), 4)


def plain_text(maximum: int) -> Rule:
    """A ``plain_text`` object."""
    return record({"text": string(maximum)}, {"emoji": boolean}, kind="plain_text")


def mrkdwn(maximum: int) -> Rule:
    """A ``mrkdwn`` object."""
    return record({"text": string(maximum)}, {"verbatim": boolean}, kind="mrkdwn")


def text(maximum: int) -> Rule:
    """A text object of either kind."""
    return tagged({"plain_text": plain_text(maximum), "mrkdwn": mrkdwn(maximum)})


CONFIRM = record(
    {"title": plain_text(100), "text": text(300)},
    {"confirm": plain_text(30), "deny": plain_text(30), "style": choice("primary", "danger")},
)


def option(label: Rule, extra: dict[str, Rule] | None = None) -> Rule:
    """One entry of a menu, of radio buttons or of checkboxes."""
    return record({"text": label, "value": string(150)}, {"description": plain_text(75), **(extra or {})})


PLAIN_OPTION = option(plain_text(75))
RICH_OPTION = option(text(75))
OPTION_GROUP = record({"label": plain_text(75), "options": items(PLAIN_OPTION, 100)})
DISPATCH = record({}, {"trigger_actions_on": items(choice("on_enter_pressed", "on_character_entered"), 2)})

BUTTON = record(
    {"text": plain_text(75)},
    {
        "action_id": IDENTIFIER,
        "value": string(2000, 0),
        "url": url(),
        "style": choice("primary", "danger"),
        "confirm": CONFIRM,
        "accessibility_label": string(75),
    },
    kind="button",
)
OVERFLOW = record(
    {"options": items(option(plain_text(75), {"url": url()}), 5)},
    {"action_id": IDENTIFIER, "confirm": CONFIRM},
    kind="overflow",
)
PLAIN_TEXT_INPUT = record(
    {},
    {
        "action_id": IDENTIFIER,
        "placeholder": plain_text(150),
        "initial_value": string(3000, 0),
        "multiline": boolean,
        "min_length": integer(0, 3000),
        "max_length": integer(1, 3000),
        "dispatch_action_config": DISPATCH,
        "focus_on_load": boolean,
    },
    kind="plain_text_input",
)


def _menu(
    kind: str, required: dict[str, Rule] | None = None, optional: dict[str, Rule] | None = None
) -> Rule:
    shared: dict[str, Rule] = {
        "action_id": IDENTIFIER,
        "placeholder": plain_text(150),
        "confirm": CONFIRM,
        "focus_on_load": boolean,
    }
    if kind.startswith("multi_"):
        shared["max_selected_items"] = integer(1, 100)
    return record(required or {}, {**shared, **(optional or {})}, kind=kind)


def _choices(kind: str, label: Rule, initial: dict[str, Rule]) -> Rule:
    optional: dict[str, Rule] = {"action_id": IDENTIFIER, "confirm": CONFIRM, "focus_on_load": boolean}
    return record({"options": items(label, 10)}, {**optional, **initial}, kind=kind)


_STATIC: dict[str, Rule] = {
    "options": both(items(PLAIN_OPTION, 100), unique("value", "duplicate option value")),
    "option_groups": items(OPTION_GROUP, 100),
}
_ONE_LIST = has_one_of("options", "option_groups")
_FILTER = record(
    {},
    {
        "include": CONVERSATION_KINDS,
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
)
_CONVERSATIONS: dict[str, Rule] = {"default_to_current_conversation": boolean, "filter": _FILTER}
_URL_ENABLED: dict[str, Rule] = {"response_url_enabled": boolean}

MENUS: dict[str, Rule] = {
    "static_select": both(
        _menu("static_select", optional={**_STATIC, "initial_option": PLAIN_OPTION}), _ONE_LIST
    ),
    "multi_static_select": both(
        _menu("multi_static_select", optional={**_STATIC, "initial_options": items(PLAIN_OPTION, 100)}),
        _ONE_LIST,
    ),
    "external_select": _menu(
        "external_select", optional={"initial_option": PLAIN_OPTION, "min_query_length": integer(0, 255)}
    ),
    "users_select": _menu("users_select", optional={"initial_user": string(30)}),
    "channels_select": _menu("channels_select", optional={"initial_channel": string(30), **_URL_ENABLED}),
    "conversations_select": _menu(
        "conversations_select",
        optional={"initial_conversation": string(30), **_CONVERSATIONS, **_URL_ENABLED},
    ),
}
CHOICES: dict[str, Rule] = {
    "checkboxes": _choices("checkboxes", RICH_OPTION, {"initial_options": items(RICH_OPTION, 10)}),
    "radio_buttons": _choices("radio_buttons", RICH_OPTION, {"initial_option": RICH_OPTION}),
}
IMAGE_ELEMENT = record({"alt_text": string(2000)}, {"image_url": url()}, kind="image")

IN_ACTIONS = tagged({"button": BUTTON, "overflow": OVERFLOW, **MENUS, **CHOICES})
AS_ACCESSORY = tagged({"button": BUTTON, "overflow": OVERFLOW, "image": IMAGE_ELEMENT, **MENUS, **CHOICES})
IN_INPUT = tagged({"plain_text_input": PLAIN_TEXT_INPUT, **MENUS, **CHOICES})
IN_CONTEXT = tagged({"image": IMAGE_ELEMENT, "plain_text": plain_text(3000), "mrkdwn": mrkdwn(3000)})
