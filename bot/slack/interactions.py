"""Slash commands, buttons, forms and shortcuts as Slack sends them → our values; total, like ``payloads``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from bot.slack.deliveries import (
    ButtonPress,
    FormAction,
    FormSubmitted,
    Ignored,
    OptionsWanted,
    ShortcutUsed,
    SlashCommand,
)
from bot.slack.untyped import Json, items, mapping, string


def parse_command(body: Json) -> SlashCommand | Ignored:
    """A slash command's form fields."""
    workspace = string(body, "team_id") or string(body, "enterprise_id")
    channel, user, trigger = string(body, "channel_id"), string(body, "user_id"), string(body, "trigger_id")
    if not (workspace and channel and user and trigger):
        return Ignored("command without workspace, channel, user or trigger")
    return SlashCommand(
        workspace=workspace,
        channel=channel,
        channel_name=string(body, "channel_name"),
        user=user,
        text=string(body, "text"),
        trigger_id=trigger,
        response_url=string(body, "response_url"),
        command=string(body, "command"),
    )


def parse_action(body: Json) -> ButtonPress | FormAction | Ignored:
    """A ``block_actions`` payload; of several actions the first counts, Slack sends no more than one."""
    action = next(iter(items(body, "actions")), None)
    workspace, user, trigger = (
        _interaction_workspace(body),
        string(body, "user", "id"),
        string(body, "trigger_id"),
    )
    name = string(action, "action_id")
    if not (workspace and user and trigger and name):
        return Ignored("action without workspace, user, trigger or action id")
    view = mapping(body, "view")
    if string(view, "type") == "modal":
        return FormAction(
            workspace=workspace,
            user=user,
            action=name,
            value=_input(action),
            callback_id=string(view, "callback_id"),
            view_id=string(view, "id"),
            view_hash=string(view, "hash"),
            private_metadata=string(view, "private_metadata"),
            values=_values(view),
            trigger_id=trigger,
        )
    return ButtonPress(
        workspace=workspace,
        channel=string(body, "channel", "id") or string(body, "container", "channel_id") or None,
        user=user,
        action=name,
        value=_input(action),
        message_ts=string(body, "container", "message_ts") or string(body, "message", "ts") or None,
        thread_ts=string(body, "container", "thread_ts") or string(body, "message", "thread_ts") or None,
        trigger_id=trigger,
        response_url=string(body, "response_url") or None,
        is_stranger=_stranger_acted(body),
    )


def parse_view(body: Json) -> FormSubmitted | Ignored:
    """A ``view_submission`` payload."""
    view = mapping(body, "view")
    workspace, user, trigger = (
        _interaction_workspace(body),
        string(body, "user", "id"),
        string(body, "trigger_id"),
    )
    if string(body, "type") != "view_submission" or not (workspace and user and trigger):
        return Ignored("view without submission, workspace, user or trigger")
    return FormSubmitted(
        workspace=workspace,
        user=user,
        callback_id=string(view, "callback_id"),
        view_id=string(view, "id"),
        private_metadata=string(view, "private_metadata"),
        values=_values(view),
        trigger_id=trigger,
        is_stranger=_stranger_acted(body),
        response_url=string(next(iter(items(body, "response_urls")), None), "response_url") or None,
    )


def parse_suggestion(body: Json) -> OptionsWanted | Ignored:
    """A ``block_suggestion`` payload."""
    workspace, user, menu = (
        _interaction_workspace(body),
        string(body, "user", "id"),
        string(body, "action_id"),
    )
    if string(body, "type") != "block_suggestion" or not (workspace and user and menu):
        return Ignored("suggestion without workspace, user or action id")
    view = mapping(body, "view")
    return OptionsWanted(
        workspace=workspace,
        user=user,
        menu=menu,
        typed=string(body, "value"),
        private_metadata=string(view, "private_metadata"),
        values=_values(view),
    )


def parse_shortcut(body: Json) -> ShortcutUsed | Ignored:
    """A ``shortcut`` (anywhere) or ``message_action`` (on a message) payload."""
    workspace, user, trigger = (
        _interaction_workspace(body),
        string(body, "user", "id"),
        string(body, "trigger_id"),
    )
    if not (workspace and user and trigger):
        return Ignored("shortcut without workspace, user or trigger")
    return ShortcutUsed(
        workspace=workspace,
        user=user,
        callback_id=string(body, "callback_id"),
        trigger_id=trigger,
        channel=string(body, "channel", "id") or None,
        message_ts=string(body, "message_ts") or string(body, "message", "ts") or None,
        thread_ts=string(body, "message", "thread_ts") or None,
        text=_said(mapping(body, "message")),
        response_url=string(body, "response_url") or None,
    )


def _said(message: Json) -> str:
    """A message's text; an app's alert often has none but that of its attachments."""
    attached = (
        string(item, "text") or string(item, "fallback") or string(item, "title")
        for item in items(message, "attachments")
    )
    return string(message, "text") or "\n".join(filter(None, attached))


def _interaction_workspace(body: Json) -> str:
    candidates = (
        string(body, "view", "app_installed_team_id"),
        string(body, "team", "id"),
        string(body, "user", "team_id"),
        string(body, "view", "team_id"),
        string(body, "enterprise", "id"),
    )
    return next(filter(None, candidates), "")


def _stranger_acted(body: Json) -> bool:
    """Whether the user's team is known and not the installation's; org-wide installations span many teams."""
    home = string(body, "user", "team_id")
    return (
        bool(home) and body.get("is_enterprise_install") is not True and home != _interaction_workspace(body)
    )


def _values(view: Json) -> Mapping[str, str]:
    """A view's inputs by block id; an input block holds one element, which its state may leave out if untouched."""
    state = mapping(view, "state", "values")
    values: dict[str, str] = {}
    for block in items(view, "blocks"):
        block_id = string(block, "block_id")
        if block_id not in state and (given := _initial(mapping(block, "element"))):
            values[block_id] = given
    for block_id, elements in state.items():
        for element in elements.values() if isinstance(elements, Mapping) else ():
            if given := _input(element):
                values[block_id] = given
    return MappingProxyType(values)


def _initial(element: Json) -> str:
    """What an input holds before anyone touches it."""
    single = (
        string(element, "initial_value"),
        string(element, "initial_option", "value"),
        string(element, "initial_conversation"),
    )
    return next(filter(None, single), "")


def _input(element: Any) -> str:
    """What a button carries or an input holds; several chosen options are joined by commas."""
    options = [string(option, "value") for option in items(element, "selected_options")]
    single = (
        string(element, "value"),
        string(element, "selected_option", "value"),
        string(element, "selected_conversation"),
        string(element, "selected_channel"),
        string(element, "selected_user"),
    )
    return next(filter(None, single), "") or ",".join(filter(None, options))
