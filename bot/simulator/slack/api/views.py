"""Modals and homes."""

from typing import Final

from bot.simulator.slack import payloads
from bot.simulator.slack.api.call import ApiError, Call, Method
from bot.simulator.slack.blocks import view_problems, with_ids
from bot.simulator.slack.hub import Kind
from bot.simulator.slack.model import Json, View
from bot.simulator.slack.workspace import TRIGGER_SECONDS, Trigger, Workspace

DEEPEST: Final = 3


def read_view(call: Call, kind: str) -> Json:
    """The ``view`` argument, checked."""
    view = call.structure("view")
    if view is None:
        raise ApiError("invalid_arguments", ["missing required field: view"])
    return check_view(view, kind)


def check_view(view: object, kind: str) -> Json:
    """Refuse a view that Slack would refuse."""
    problems = view_problems(view, kind)
    if problems or not isinstance(view, dict):
        raise ApiError("invalid_arguments", problems)
    return view


def new_view(workspace: Workspace, user: str, view: Json, *, above: View | None = None) -> View:
    """A view that ``user`` sees, on top of another where there is one."""
    name = workspace.serial("V")
    view = {**view, "blocks": with_ids(view["blocks"], workspace.serial("b"))}
    opened = View(
        id=name,
        user=user,
        view=view,
        hash=workspace.next_ts(),
        root=above.root if above else name,
        previous=above.id if above else None,
        history=[view],
    )
    workspace.views[name] = opened
    workspace.hub.publish(Kind.VIEW, opened)
    return opened


def replace(workspace: Workspace, shown: View, view: Json) -> None:
    """Show something else in its place. What was typed stays where block and action keep their ids."""
    shown.view = {**view, "blocks": with_ids(view["blocks"], workspace.serial("b"))}
    shown.hash = workspace.next_ts()
    shown.errors = {}
    shown.history.append(shown.view)
    kept = {block["block_id"] for block in shown.blocks}
    shown.values = {name: state for name, state in shown.values.items() if name in kept}
    workspace.hub.publish(Kind.VIEW, shown)


def _use_trigger(call: Call) -> Trigger:
    call.need("trigger_id")
    trigger = call.workspace.triggers.get(call.string("trigger_id"))
    if trigger is None:
        raise ApiError("invalid_trigger_id")
    if trigger.used:
        raise ApiError("exchanged_trigger_id")
    if call.workspace.times.monotonic() - trigger.at > TRIGGER_SECONDS:
        raise ApiError("expired_trigger_id")
    trigger.used = True
    return trigger


def _check_external_id(call: Call, view: Json) -> None:
    name = view.get("external_id")
    if name and any(
        other.open and other.view.get("external_id") == name for other in call.workspace.views.values()
    ):
        raise ApiError("duplicate_external_id")


def open_view(call: Call) -> Json:
    """A modal, by right of a trigger."""
    call.need("trigger_id")
    view = read_view(call, "modal")
    _check_external_id(call, view)
    trigger = _use_trigger(call)
    return {"view": payloads.view(call.workspace, new_view(call.workspace, trigger.user, view))}


def push(call: Call) -> Json:
    """A modal on top of the one that the trigger came from."""
    call.need("trigger_id")
    view = read_view(call, "modal")
    _check_external_id(call, view)
    trigger = _use_trigger(call)
    below = call.workspace.views.get(trigger.view or "")
    if below is None or not below.open:
        raise ApiError("not_found")
    stack = [other for other in call.workspace.views.values() if other.open and other.root == below.root]
    if len(stack) >= DEEPEST:
        raise ApiError("push_limit_reached")
    pushed = new_view(call.workspace, trigger.user, view, above=below)
    return {"view": payloads.view(call.workspace, pushed)}


def update(call: Call) -> Json:
    """Other content for an open modal, found by ``view_id`` or ``external_id``."""
    name, external = call.string("view_id"), call.string("external_id")
    if bool(name) == bool(external):
        raise ApiError("invalid_arguments", ["must provide one of `view_id` and `external_id`"])
    found = [
        view
        for view in call.workspace.views.values()
        if view.open and (view.id == name if name else view.view.get("external_id") == external)
    ]
    if not found:
        raise ApiError("not_found")
    _check_hash(call, found[0])
    replace(call.workspace, found[0], read_view(call, "modal"))
    return {"view": payloads.view(call.workspace, found[0])}


def publish(call: Call) -> Json:
    """A user's home."""
    call.need("user_id")
    user = call.workspace.users.get(call.string("user_id"))
    if user is None:
        raise ApiError("invalid_arguments", ["invalid `user_id`"])
    view = read_view(call, "home")
    home = call.workspace.homes.get(user.id)
    if home is None:
        home = new_view(call.workspace, user.id, view)
        del call.workspace.views[home.id]
        call.workspace.homes[user.id] = home
    else:
        _check_hash(call, home)
        replace(call.workspace, home, view)
    return {"view": payloads.view(call.workspace, home)}


def _check_hash(call: Call, shown: View) -> None:
    if call.string("hash") not in {"", shown.hash}:
        raise ApiError("hash_conflict")


METHODS = {
    "views.open": Method(open_view),
    "views.push": Method(push),
    "views.update": Method(update),
    "views.publish": Method(publish),
}
