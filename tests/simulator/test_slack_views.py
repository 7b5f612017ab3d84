"""Modals, homes, menus and shortcuts: opened by triggers, filled in, submitted, answered."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.slack import LocalSlack, Times, View
from bot.simulator.slack.desk import RefusedError
from tests.support.slack import Received, Receiver, client_of, error_of, receiving

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def options(*names: str) -> list[Json]:
    return [{"text": plain(name), "value": name.lower()} for name in names]


def field(block_id: str, label: str, element: Json, **more: Any) -> Json:
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element, **more}


FORM: Json = {
    "type": "modal",
    "callback_id": "new_run",
    "private_metadata": "C0TEAM",
    "title": plain("New run"),
    "submit": plain("Start"),
    "notify_on_close": True,
    "blocks": [
        field(
            "prompt",
            "Prompt",
            {"type": "plain_text_input", "action_id": "text", "max_length": 20, "min_length": 2},
        ),
        field("repo", "Repository", {"type": "external_select", "action_id": "repo"}, optional=True),
        field(
            "model",
            "Model",
            {
                "type": "static_select",
                "action_id": "model",
                "option_groups": [{"label": plain("Claude"), "options": options("Haiku", "Sonnet")}],
            },
            optional=True,
        ),
        field(
            "extras",
            "Extras",
            {"type": "checkboxes", "action_id": "x", "options": options("Fast", "Loud")},
            optional=True,
        ),
        field(
            "where",
            "Where",
            {
                "type": "conversations_select",
                "action_id": "c",
                "initial_conversation": "C0TEAM",
                "response_url_enabled": True,
            },
        ),
        {
            "type": "actions",
            "block_id": "more",
            "elements": [{"type": "button", "action_id": "add", "text": plain("Add task")}],
        },
    ],
}
SMALL: Json = {"type": "modal", "title": plain("Small"), "blocks": []}
HOME: Json = {
    "type": "home",
    "blocks": [
        {"type": "header", "text": plain("Running")},
        {"type": "actions", "elements": [{"type": "button", "action_id": "edit", "text": plain("Edit")}]},
    ],
}


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
async def slack(now: list[float]) -> AsyncIterator[LocalSlack]:
    async with LocalSlack(times=Times(monotonic=lambda: now[0])) as opened:
        yield opened


@pytest.fixture
async def app(slack: LocalSlack) -> AsyncIterator[Receiver]:
    async with receiving(slack) as receiver:
        yield receiver


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    return client_of(slack)


async def trigger(slack: LocalSlack) -> str:
    return str((await slack.shortcut("ann", "new_run")).payload["trigger_id"])


async def opened(slack: LocalSlack, client: AsyncWebClient, view: Json = FORM) -> View:
    await client.views_open(trigger_id=await trigger(slack), view=view)
    return slack.modal("ann")


def answering(app: Receiver, body: Json | None, status: int = 200) -> None:
    async def answer(_: Received) -> web.Response:
        return web.Response(status=status) if body is None else web.json_response(body, status=status)

    app.answer = answer


async def test_a_trigger_opens_one_view_within_three_seconds(
    slack: LocalSlack, client: AsyncWebClient, now: list[float]
) -> None:
    name = await trigger(slack)
    answer = await client.views_open(trigger_id=name, view=FORM)
    assert answer["view"]["private_metadata"] == "C0TEAM"
    assert slack.modal("ann").id == answer["view"]["id"]
    assert (await error_of(client.views_open(trigger_id=name, view=FORM)))["error"] == "exchanged_trigger_id"
    late = await trigger(slack)
    now[0] += 3.1
    assert (await error_of(client.views_open(trigger_id=late, view=FORM)))["error"] == "expired_trigger_id"
    assert (await error_of(client.views_open(trigger_id="1.2", view=FORM)))["error"] == "invalid_trigger_id"
    assert len(slack.views) == 1
    with pytest.raises(LookupError):
        slack.modal("ben")


async def test_a_wrong_view_is_refused_with_the_reason_and_costs_no_trigger(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    name = await trigger(slack)
    refused = await error_of(client.views_open(trigger_id=name, view={**SMALL, "size": "huge"}))
    assert refused["error"] == "invalid_arguments"
    assert refused["response_metadata"]["messages"] == [
        "[ERROR] invalid additional property: size [json-pointer:/view]"
    ]
    missing = await error_of(client.api_call("views.open", params={"trigger_id": name}))
    assert missing["response_metadata"]["messages"] == ["[ERROR] missing required field: view"]
    broken = await error_of(client.api_call("views.open", params={"trigger_id": name, "view": "{"}))
    assert broken["error"] == "invalid_arguments"
    await client.views_open(trigger_id=name, view={**SMALL, "external_id": "mine"})
    twin = client.views_open(trigger_id=await trigger(slack), view={**SMALL, "external_id": "mine"})
    assert (await error_of(twin))["error"] == "duplicate_external_id"


async def test_a_form_is_filled_in_and_submitted(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    view = await opened(slack, client)
    answering(app, {"options": options("acme/api", "acme/web")})
    await slack.fill("ann", view, {"Repository": "acme/api"})
    assert app.received[-1].payload["type"] == "block_suggestion"
    assert app.received[-1].payload["value"] == "acme/api"
    answering(app, None)
    values = {"Prompt": "fix it", "model": "Sonnet", "Extras": ["fast"], "c": "C0PRIVATE"}
    await slack.submit("ann", view, values)
    payload = app.received[-1].payload
    state = payload["view"]["state"]["values"]
    assert payload["type"] == "view_submission"
    assert state["prompt"]["text"] == {"type": "plain_text_input", "value": "fix it"}
    assert state["repo"]["repo"]["selected_option"]["value"] == "acme/api"
    assert state["model"]["model"]["selected_option"]["value"] == "sonnet"
    assert [option["value"] for option in state["extras"]["x"]["selected_options"]] == ["fast"]
    assert state["where"]["c"]["selected_conversation"] == "C0PRIVATE"
    assert payload["response_urls"][0]["channel_id"] == "C0PRIVATE"
    assert not view.open
    with pytest.raises(RefusedError):
        await slack.submit("ann", view)


async def test_what_the_client_refuses_never_reaches_the_app(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    view = await opened(slack, client)
    before = len(app.received)
    for values, reason in (
        ({}, "'Prompt' is required"),
        ({"Prompt": "x"}, "2 characters at least"),
        ({"Prompt": "x" * 21}, "20 characters at most"),
        ({"Colour": "red"}, "no field 'Colour'"),
        ({"Model": "opus"}, "no option 'opus'"),
    ):
        with pytest.raises(RefusedError, match=reason):
            await slack.submit("ann", view, values)
    with pytest.raises(RefusedError, match="tells the app nothing"):
        await slack.choose("ann", view, "Model", "Haiku")
    with pytest.raises(RefusedError, match="ben does not see"):
        await slack.submit("ben", view, {"Prompt": "fix"})
    assert len(app.received) == before
    with pytest.raises(RefusedError, match="no option"):  # the app offers nothing
        await slack.fill("ann", view, {"Repository": "acme/api"})


async def test_the_answer_to_a_submission_is_followed(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    view = await opened(slack, client)
    values = {"Prompt": "fix it"}
    answering(app, {"response_action": "errors", "errors": {"prompt": "Too vague."}})
    await slack.submit("ann", view, values)
    assert (view.errors, view.open) == ({"prompt": "Too vague."}, True)
    answering(app, {"response_action": "errors", "errors": {"nothing": "x"}})
    await slack.submit("ann", view)
    assert "errors must name input blocks" in view.errors[""]
    answering(app, None, status=500)
    await slack.submit("ann", view)
    assert "not acknowledged" in view.errors[""]
    answering(app, {"response_action": "update", "view": {**FORM, "size": 1}})
    await slack.submit("ann", view)
    assert "invalid additional property: size" in view.errors[""]
    answering(app, {"response_action": "update", "view": {**FORM, "title": plain("Again")}})
    await slack.submit("ann", view)
    assert (view.view["title"]["text"], view.errors) == ("Again", {})
    assert view.values["prompt"]["text"]["value"] == "fix it"
    answering(app, {"response_action": "push", "view": SMALL})
    await slack.submit("ann", view)
    assert slack.modal("ann").previous == view.id
    answering(app, {"response_action": "clear"})
    await slack.submit("ann", slack.modal("ann"))
    assert not any(shown.open for shown in slack.views)


async def test_views_are_updated_by_id_or_name_unless_they_changed(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    view = await opened(slack, client, {**SMALL, "external_id": "mine"})
    first = view.hash
    await client.views_update(view_id=view.id, hash=first, view={**SMALL, "external_id": "mine"})
    conflict = client.views_update(view_id=view.id, hash=first, view=SMALL)
    assert (await error_of(conflict))["error"] == "hash_conflict"
    await client.views_update(external_id="mine", view=SMALL)
    assert len(view.history) == 3
    assert (await error_of(client.views_update(external_id="mine", view=SMALL)))["error"] == "not_found"
    both = client.api_call("views.update", json={"view_id": view.id, "external_id": "x", "view": SMALL})
    assert (await error_of(both))["error"] == "invalid_arguments"


async def test_buttons_in_a_modal_can_stack_three(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    view = await opened(slack, client)
    for _ in range(2):
        await slack.press("ann", view, "Add task")
        assert app.received[-1].payload["container"] == {"type": "view", "view_id": view.id}
        await client.views_push(trigger_id=app.received[-1].payload["trigger_id"], view=SMALL)
    await slack.press("ann", view, "Add task")
    pushed = client.views_push(trigger_id=app.received[-1].payload["trigger_id"], view=SMALL)
    assert (await error_of(pushed))["error"] == "push_limit_reached"
    outside = client.views_push(trigger_id=await trigger(slack), view=SMALL)
    assert (await error_of(outside))["error"] == "not_found"


async def test_closing_is_told_only_where_asked_for(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    view = await opened(slack, client)
    await slack.close("ann", view)
    assert app.received[-1].payload["type"] == "view_closed"
    quiet = await opened(slack, client, SMALL)
    assert await slack.close("ann", quiet) is None
    assert not quiet.open


async def test_homes_are_published_and_opened(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    assert await slack.open_home("ann") is None
    await client.views_publish(user_id="U0ANN", view=HOME)
    home = await slack.open_home("ann")
    assert home is slack.home("ann")
    assert slack.visible(home) == "Running\n[Edit]"
    assert app.events("app_home_opened")[1]["view"]["id"] == home.id
    await slack.press("ann", home, "Edit")
    await client.views_publish(user_id="U0ANN", view={**HOME, "blocks": HOME["blocks"][:1]}, hash=home.hash)
    assert slack.visible(home) == "Running"
    stale = client.views_publish(user_id="U0ANN", view=HOME, hash="old")
    assert (await error_of(stale))["error"] == "hash_conflict"
    assert (await error_of(client.views_publish(user_id="U0NOBODY", view=HOME)))[
        "error"
    ] == "invalid_arguments"
    assert slack.views == []


async def test_message_shortcuts_carry_their_message(slack: LocalSlack, app: Receiver) -> None:
    message = await slack.say("ben", "#team", "this is broken")
    await slack.message_shortcut("ann", message, "fix_this")
    payload = app.received[-1].payload
    assert (payload["type"], payload["callback_id"]) == ("message_action", "fix_this")
    assert (payload["message"]["text"], payload["message_ts"]) == ("this is broken", message.ts)


async def test_every_kind_of_menu_has_its_state(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    menus: list[Json] = [
        {"type": "users_select", "action_id": "u"},
        {"type": "channels_select", "action_id": "ch", "initial_channel": "C0TEAM"},
        {"type": "radio_buttons", "action_id": "r", "options": options("A", "B")},
        {"type": "multi_static_select", "action_id": "m", "options": options("A", "B")},
    ]
    blocks = [field(menu["action_id"], menu["action_id"], menu, dispatch_action=True) for menu in menus]
    view = await opened(slack, client, {**SMALL, "submit": plain("Go"), "blocks": blocks})
    await slack.choose("ann", view, "r", "B")
    assert app.received[-1].payload["actions"][0]["selected_option"]["value"] == "b"
    await slack.submit("ann", view, {"u": "U0BEN", "m": ["A", "B"]})
    state = app.received[-1].payload["view"]["state"]["values"]
    assert state["u"]["u"]["selected_user"] == "U0BEN"
    assert state["ch"]["ch"]["selected_channel"] == "C0TEAM"
    assert state["r"]["r"]["selected_option"]["value"] == "b"
    assert len(state["m"]["m"]["selected_options"]) == 2
