from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model import Attachment
from bot.slack.deliveries import (
    BotIdentity,
    ButtonPress,
    FormAction,
    FormSubmitted,
    HomeOpened,
    Ignored,
    MessageDeleted,
    MessageEdited,
    OptionsWanted,
    ShortcutUsed,
    SlashCommand,
    TokensRevoked,
    Uninstalled,
    UserChanged,
    UserMessage,
    claim_key,
)
from bot.slack.interactions import parse_suggestion
from bot.slack.payloads import (
    identity_in,
    parse_action,
    parse_command,
    parse_event,
    parse_shortcut,
    parse_view,
)

BOT = BotIdentity(user_id="U0BOT", bot_id="B0BOT")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def body(event: dict[str, Any], **envelope: Any) -> dict[str, Any]:
    """An event in the envelope that Slack sends it in."""
    return {
        "token": "XXYYZZ",
        "team_id": "T0ACME",
        "context_team_id": "T0ACME",
        "context_enterprise_id": None,
        "api_app_id": "A0CODE",
        "event": event,
        "type": "event_callback",
        "event_id": "Ev0PV52K21",
        "event_time": 1355517523,
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": "T0ACME",
                "user_id": "U0BOT",
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": "4-eyJldCI6Im1lc3NhZ2UifQ",
    } | envelope


def message(**changed: Any) -> dict[str, Any]:
    return {
        "client_msg_id": "ce8f6d1e-5d50-4b3c-8a2a-6d5f6a3cc0f8",
        "type": "message",
        "text": "Fix the login",
        "user": "U0ANN",
        "ts": "1355517523.000005",
        "team": "T0ACME",
        "blocks": [{"type": "rich_text", "block_id": "x", "elements": []}],
        "channel": "C0TEAM",
        "event_ts": "1355517523.000005",
        "channel_type": "channel",
    } | changed


def changed(new: dict[str, Any], old: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "type": "message",
        "subtype": "message_changed",
        "message": new,
        "previous_message": old,
        "channel": "C0TEAM",
        "hidden": True,
        "ts": "1358878755.000001",
        "event_ts": "1358878755.000001",
        "channel_type": "channel",
    }


def deleted(old: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "message",
        "subtype": "message_deleted",
        "previous_message": old,
        "channel": "C0TEAM",
        "hidden": True,
        "deleted_ts": "1355517523.000005",
        "ts": "1358878755.000001",
        "event_ts": "1358878755.000001",
        "channel_type": "channel",
    }


MINE = {"edited": {"user": "U0ANN", "ts": "1358878755.000000"}}


def read(event: dict[str, Any], **envelope: Any) -> Any:
    return parse_event(body(event, **envelope), BOT)


def test_a_message_in_a_channel() -> None:
    assert read(message()) == UserMessage(
        workspace="T0ACME",
        channel="C0TEAM",
        user="U0ANN",
        text="Fix the login",
        ts="1355517523.000005",
        thread_ts=None,
        mentions_bot=False,
        direct=False,
        event_id="Ev0PV52K21",
    )


def test_a_mention_is_one_request_though_it_arrives_twice() -> None:
    text = "<@U0BOT> fix the login"
    plain = read(message(text=text))
    mention = read(message(text=text, type="app_mention"), event_id="Ev0OTHER")
    assert plain.mentions_bot
    assert mention.mentions_bot
    assert claim_key(plain) == claim_key(mention) == "message:T0ACME:C0TEAM:1355517523.000005"


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [("<@U0BOT|code> hi", True), ("<@U0BOTX> hi", False), ("&lt;@U0BOT&gt;", False), ("hi <@U0BOT>", True)],
)
def test_who_is_mentioned(text: str, mentioned: bool) -> None:
    assert read(message(text=text)).mentions_bot is mentioned


def test_a_bot_that_does_not_know_its_own_name_is_mentioned_only_by_app_mention() -> None:
    nameless = BotIdentity("")
    heard = parse_event(body(message(text="<@> hi")), nameless)
    asked = parse_event(body(message(type="app_mention")), nameless)
    assert isinstance(heard, UserMessage)
    assert not heard.mentions_bot
    assert isinstance(asked, UserMessage)
    assert asked.mentions_bot


def test_direct_messages() -> None:
    assert read(message(channel_type="im", channel="G0GROUP")).direct


def test_what_several_people_say_to_each_other_is_not_said_to_the_bot() -> None:
    assert not read(message(channel_type="mpim", channel="G0GROUP")).direct


def test_a_direct_message_is_known_by_its_channel_too() -> None:
    event = message(channel="D0ANN")
    del event["channel_type"]
    assert read(event).direct


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast"])
def test_replies_with_files_and_to_the_channel(subtype: str) -> None:
    heard = read(
        message(
            subtype=subtype,
            thread_ts="1355517000.000001",
            files=[
                {
                    "id": "F0LOG",
                    "name": "trace.txt",
                    "mimetype": "text/plain",
                    "size": 144538,
                    "url_private": "https://files.slack.com/files-pri/T0ACME-F0LOG/trace.txt",
                    "url_private_download": "https://files.slack.com/files-pri/T0ACME-F0LOG/download/trace.txt",
                },
                {"id": "F0GONE", "mode": "tombstone"},
                {"name": "odd", "url_private": "https://files.slack.com/odd", "size": "big"},
                "nonsense",
            ],
        )
    )
    assert heard.thread_ts == "1355517000.000001"
    assert heard.files == (
        Attachment(
            "trace.txt",
            "https://files.slack.com/files-pri/T0ACME-F0LOG/download/trace.txt",
            "text/plain",
            144538,
        ),
        Attachment("odd", "https://files.slack.com/odd", "", 0),
    )


@pytest.mark.parametrize(
    "event",
    [
        message(user="U0BOT"),
        message(bot_id="B0OTHER"),
        message(bot_profile={"id": "B0OTHER", "name": "deploybot"}),
        message(subtype="bot_message"),
        message(subtype="channel_join"),
        message(subtype="assistant_app_thread"),
        message(hidden=True),
        message(user=None),
        message(ts=17),
        message(channel={}),
        {"type": "reaction_added", "user": "U0ANN"},
        {},
    ],
)
def test_what_no_person_asked_is_ignored(event: dict[str, Any]) -> None:
    assert isinstance(read(event), Ignored)


def test_an_edit_that_changes_the_text() -> None:
    edit = read(changed(message(text="Fix it all", thread_ts="1.0", **MINE), message(thread_ts="1.0")))
    assert edit == MessageEdited(
        "T0ACME", "C0TEAM", "U0ANN", "1355517523.000005", "1.0", "Fix it all", MINE["edited"]["ts"]
    )
    # Events about the same edit, by any id, have one key; an edit of the same second has another.
    assert claim_key(edit) == claim_key(replace(edit))
    assert claim_key(edit) != claim_key(replace(edit, text="Fix it at all"))
    assert claim_key(edit) != claim_key(replace(edit, edit="1355517524.000000"))


@pytest.mark.parametrize(
    ("new", "old"),
    [
        (
            message(text="Fix it", attachments=[{"from_url": "https://acme.example"}]),
            message(text="Fix it"),
        ),  # unfurled
        (message(text="Fix it", **MINE), message(text="Fix it")),
        (message(text="Fix it", reply_count=1), message()),
        (message(text="42 lines", bot_id="B0BOT", user="U0BOT", **MINE), message(bot_id="B0BOT")),
        (message(text="new", subtype="bot_message", **MINE), message()),
        (message(text="new", user=None, **MINE), message()),
    ],
)
def test_other_changes_are_no_edits(new: dict[str, Any], old: dict[str, Any]) -> None:
    assert isinstance(read(changed(new, old)), Ignored)


def test_an_edit_without_its_earlier_text_counts() -> None:
    assert isinstance(read(changed(message(text="new", **MINE), None)), MessageEdited)


def test_a_deleted_message() -> None:
    gone = read(deleted(message(thread_ts="1355517000.000001")))
    assert gone == MessageDeleted("T0ACME", "C0TEAM", "1355517523.000005", "1355517000.000001", "Ev0PV52K21")


def test_a_deleted_message_with_replies_leaves_a_tombstone() -> None:
    tombstone = {
        "type": "message",
        "subtype": "tombstone",
        "text": "This message was deleted.",
        "user": "USLACKBOT",
        "hidden": True,
        "thread_ts": "1355517523.000005",
        "ts": "1355517523.000005",
    }
    gone = read(changed(tombstone, message(thread_ts="1355517523.000005")))
    assert isinstance(gone, MessageDeleted)
    assert gone.ts == "1355517523.000005"


def test_a_deleted_message_of_a_bot_is_ignored() -> None:
    assert isinstance(read(deleted(message(bot_id="B0BOT", user="U0BOT"))), Ignored)
    assert isinstance(read(deleted(message()) | {"channel": None}), Ignored)


@pytest.mark.parametrize(
    ("event", "envelope", "stranger"),
    [
        (message(), {}, False),
        (message(user_team="T0ACME", source_team="T0ACME"), {"is_ext_shared_channel": True}, False),
        (message(user_team="T0EVIL", source_team="T0EVIL"), {"is_ext_shared_channel": True}, True),
        (message(user_team="T0EVIL"), {}, True),
        (message(team="T0EVIL"), {"is_ext_shared_channel": True}, True),
        (message(team=None), {"is_ext_shared_channel": True, "context_team_id": "T0EVIL"}, True),
        (message(), {"is_ext_shared_channel": True, "context_team_id": "T0HOST"}, False),
        (
            message(user_team="T0EVIL", team="T0EVIL"),
            {"team_id": "T0EVIL", "is_ext_shared_channel": True},
            True,
        ),
        (
            message(user_team="E0ACME"),
            {"authorizations": [{"team_id": "T0ACME", "enterprise_id": "E0ACME"}]},
            False,
        ),
        (message(user_team="E0ACME"), {"authorizations": [], "enterprise_id": "E0ACME"}, False),
    ],
)
def test_strangers(event: dict[str, Any], envelope: dict[str, Any], stranger: bool) -> None:
    assert read(event, **envelope).is_stranger is stranger


def test_an_org_wide_installation() -> None:
    org = {
        "enterprise_id": "E0ACME",
        "team_id": None,
        "user_id": "U0BOT",
        "is_bot": True,
        "is_enterprise_install": True,
    }
    heard = read(message(user_team="T0OTHER"), team_id=None, enterprise_id="E0ACME", authorizations=[org])
    assert heard.workspace == "E0ACME"
    assert not heard.is_stranger
    outside = read(message(user_team="T0EVIL"), authorizations=[org], is_ext_shared_channel=True)
    assert outside.is_stranger


def test_the_life_of_the_installation() -> None:
    home = read({"type": "app_home_opened", "user": "U0ANN", "channel": "D0ANN", "tab": "home"})
    assert home == HomeOpened("T0ACME", "U0ANN", "Ev0PV52K21")
    user = read({"type": "user_change", "user": {"id": "U0ANN", "deleted": True}, "cache_ts": 1})
    assert user == UserChanged("T0ACME", "U0ANN", "Ev0PV52K21")
    revoked = read({"type": "tokens_revoked", "tokens": {"oauth": ["U0ANN"], "bot": ["U0BOT", 7]}})
    assert revoked == TokensRevoked("T0ACME", ("U0BOT",), "Ev0PV52K21")
    assert read({"type": "app_uninstalled"}) == Uninstalled("T0ACME", "Ev0PV52K21")
    assert claim_key(home) == "event:Ev0PV52K21"
    assert isinstance(read({"type": "app_home_opened", "user": "U0ANN", "tab": "messages"}), Ignored)
    assert isinstance(read({"type": "app_uninstalled"}, event_id=None), Ignored)
    assert isinstance(read(message(), team_id=None, authorizations=None), Ignored)


def command(**changed: Any) -> dict[str, Any]:
    return {
        "token": "gIkuvaNzQIHg97ATvDxqgjtO",
        "team_id": "T0ACME",
        "team_domain": "acme",
        "enterprise_id": "E0ACME",
        "channel_id": "C0TEAM",
        "channel_name": "team",
        "user_id": "U0ANN",
        "user_name": "ann",
        "command": "/code",
        "text": "repo=acme/api Fix &lt;b&gt;",
        "response_url": "https://hooks.slack.com/commands/1234/5678",
        "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "api_app_id": "A0CODE",
        "is_enterprise_install": "false",
    } | changed


def test_a_slash_command() -> None:
    asked = parse_command(command())
    assert asked == SlashCommand(
        workspace="T0ACME",
        channel="C0TEAM",
        channel_name="team",
        user="U0ANN",
        text="repo=acme/api Fix &lt;b&gt;",
        trigger_id="13345224609.738474920.8088930838d88f008e0",
        response_url="https://hooks.slack.com/commands/1234/5678",
        command="/code",
    )
    assert claim_key(asked) == "trigger:13345224609.738474920.8088930838d88f008e0"
    elsewhere = parse_command(command(team_id=None))
    assert isinstance(elsewhere, SlashCommand)
    assert elsewhere.workspace == "E0ACME"
    assert isinstance(parse_command(command(trigger_id="")), Ignored)


def press(**changed: Any) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "user": {"id": "U0ANN", "username": "ann", "name": "ann", "team_id": "T0ACME"},
        "api_app_id": "A0CODE",
        "token": "verification",
        "container": {
            "type": "message",
            "message_ts": "1548261231.000200",
            "channel_id": "C0TEAM",
            "is_ephemeral": False,
            "thread_ts": "1548261000.000100",
        },
        "trigger_id": "12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        "team": {"id": "T0ACME", "domain": "acme"},
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": "C0TEAM", "name": "team"},
        "message": {"type": "message", "user": "U0BOT", "ts": "1548261231.000200", "bot_id": "B0BOT"},
        "response_url": "https://hooks.slack.com/actions/AABA1ABCD/1232321423432/D09sSasdasdAS9091209",
        "actions": [
            {
                "action_id": "stop_run",
                "block_id": "controls",
                "text": {"type": "plain_text", "text": "Stop"},
                "value": "r-7k2m",
                "type": "button",
                "action_ts": "1548426417.840180",
            }
        ],
    } | changed


def test_a_button_of_a_message() -> None:
    pressed = parse_action(press())
    assert pressed == ButtonPress(
        workspace="T0ACME",
        channel="C0TEAM",
        user="U0ANN",
        action="stop_run",
        value="r-7k2m",
        message_ts="1548261231.000200",
        thread_ts="1548261000.000100",
        trigger_id="12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
        response_url="https://hooks.slack.com/actions/AABA1ABCD/1232321423432/D09sSasdasdAS9091209",
    )
    assert claim_key(pressed) == "trigger:12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3"


def test_a_button_of_an_ephemeral_message_has_only_a_container() -> None:
    pressed = parse_action(press(message=None, channel=None))
    assert isinstance(pressed, ButtonPress)
    assert (pressed.channel, pressed.message_ts) == ("C0TEAM", "1548261231.000200")


def test_a_button_of_the_home_tab_has_no_channel() -> None:
    view = {"id": "V0HOME", "type": "home", "team_id": "T0ACME", "state": {"values": {}}}
    pressed = parse_action(
        press(container={"type": "view"}, channel=None, message=None, view=view, response_url=None)
    )
    assert isinstance(pressed, ButtonPress)
    assert (pressed.channel, pressed.message_ts, pressed.thread_ts, pressed.response_url) == (None,) * 4


def test_a_button_pressed_by_a_stranger() -> None:
    theirs = press(user={"id": "U0EVE", "team_id": "T0EVIL"})
    pressed = parse_action(theirs)
    assert isinstance(pressed, ButtonPress)
    assert pressed.is_stranger
    org_wide = parse_action(
        theirs | {"is_enterprise_install": True, "team": None, "enterprise": {"id": "E0ACME"}}
    )
    assert isinstance(org_wide, ButtonPress)
    assert not org_wide.is_stranger


@pytest.mark.parametrize("missing", ["actions", "user", "trigger_id"])
def test_half_a_button_press_is_ignored(missing: str) -> None:
    assert isinstance(parse_action(press(**{missing: None})), Ignored)


def view() -> dict[str, Any]:
    option = {"text": {"type": "plain_text", "text": "Haiku"}, "value": "haiku"}
    return {
        "id": "V0FORM",
        "team_id": "T0ACME",
        "type": "modal",
        "callback_id": "new_run",
        "private_metadata": '{"channel":"C0TEAM"}',
        "hash": "156772938.1827394",
        "state": {
            "values": {
                "prompt": {"prompt": {"type": "plain_text_input", "value": "Fix the login"}},
                "branch": {"branch": {"type": "plain_text_input", "value": None}},
                "model": {"model": {"type": "static_select", "selected_option": option}},
                "several": {"several": {"type": "checkboxes", "selected_options": [option, {"value": "b"}]}},
                "where": {"where": {"type": "conversations_select", "selected_conversation": "C0TEAM"}},
                "odd": "nonsense",
            }
        },
    }


VALUES = {
    "prompt": "Fix the login",
    "model": "haiku",
    "several": "haiku,b",
    "where": "C0TEAM",
}


def test_a_submitted_form() -> None:
    payload = {
        "type": "view_submission",
        "team": {"id": "T0ACME", "domain": "acme"},
        "user": {"id": "U0ANN", "name": "ann", "team_id": "T0ACME"},
        "trigger_id": "99.88.77",
        "view": view(),
        "response_urls": [],
        "is_enterprise_install": False,
    }
    form = parse_view(payload)
    assert form == FormSubmitted(
        "T0ACME", "U0ANN", "new_run", "V0FORM", '{"channel":"C0TEAM"}', VALUES, "99.88.77"
    )
    assert claim_key(form) == "trigger:99.88.77"
    assert isinstance(parse_view(payload | {"type": "view_closed"}), Ignored)
    url = "https://hooks.slack.com/app/2"
    chosen = parse_view(payload | {"response_urls": [{"channel_id": "C0TEAM", "response_url": url}]})
    assert isinstance(chosen, FormSubmitted)
    assert chosen.response_url == url


def test_what_a_form_began_with_counts_where_its_state_leaves_it_out() -> None:
    def field(block_id: str, **element: Any) -> dict[str, Any]:
        return {"type": "input", "block_id": block_id, "element": element}

    option = {"text": {"type": "plain_text", "text": "acme/web"}, "value": "acme/web"}
    blocks = [
        field("prompt", initial_value="not this one"),
        field("branch", initial_value="emptied"),
        field("directory", initial_value="api"),
        field("repo", initial_option=option),
        field("channel", initial_conversation="C0OPEN"),
        {"type": "actions", "block_id": "shape", "elements": []},
        "nonsense",
    ]
    heard = parse_suggestion(
        {
            "type": "block_suggestion",
            "team": {"id": "T0ACME"},
            "user": {"id": "U0ANN", "team_id": "T0ACME"},
            "action_id": "repo",
            "block_id": "repo",
            "value": "acme/w",
            "view": view() | {"blocks": blocks},
        }
    )
    assert heard == OptionsWanted(
        workspace="T0ACME",
        user="U0ANN",
        menu="repo",
        typed="acme/w",
        private_metadata='{"channel":"C0TEAM"}',
        values=VALUES | {"directory": "api", "repo": "acme/web", "channel": "C0OPEN"},
    )
    assert isinstance(parse_suggestion({"type": "block_suggestion"}), Ignored)


def test_an_apps_message_says_what_is_attached_to_it() -> None:
    payload = {
        "team": {"id": "T0ACME"},
        "user": {"id": "U0ANN"},
        "trigger_id": "1.2.3",
        "message": {"text": "", "attachments": [{"text": "It broke"}, {"fallback": "again"}, {}, "odd"]},
    }
    heard = parse_shortcut(payload)
    assert isinstance(heard, ShortcutUsed)
    assert heard.text == "It broke\nagain"


def test_a_form_opened_in_a_shared_channel_belongs_to_the_installation() -> None:
    payload = {
        "type": "view_submission",
        "team": {"id": "T0EVIL"},
        "user": {"id": "U0EVE", "team_id": "T0EVIL"},
        "trigger_id": "99.88.77",
        "view": view() | {"app_installed_team_id": "T0ACME"},
    }
    form = parse_view(payload)
    assert isinstance(form, FormSubmitted)
    assert (form.workspace, form.is_stranger) == ("T0ACME", True)


def test_a_button_inside_a_form() -> None:
    action = {"action_id": "add_task", "block_id": "rows", "type": "button", "value": "2"}
    pressed = parse_action(
        press(container={"type": "view", "view_id": "V0FORM"}, view=view(), actions=[action])
    )
    assert pressed == FormAction(
        workspace="T0ACME",
        user="U0ANN",
        action="add_task",
        value="2",
        callback_id="new_run",
        view_id="V0FORM",
        view_hash="156772938.1827394",
        private_metadata='{"channel":"C0TEAM"}',
        values=VALUES,
        trigger_id="12321423423.333649436676.d8c1bb837935619ccad0f624c448ffb3",
    )


def test_shortcuts() -> None:
    anywhere = {
        "type": "shortcut",
        "team": {"id": "T0ACME", "domain": "acme"},
        "user": {"id": "U0ANN", "team_id": "T0ACME"},
        "callback_id": "new_run",
        "trigger_id": "1.2.3",
    }
    assert parse_shortcut(anywhere) == ShortcutUsed("T0ACME", "U0ANN", "new_run", "1.2.3")
    on_message = anywhere | {
        "type": "message_action",
        "channel": {"id": "C0TEAM", "name": "team"},
        "message_ts": "1.5",
        "message": {
            "type": "message",
            "user": "U0BEN",
            "ts": "1.5",
            "thread_ts": "1.0",
            "text": "It &lt;breaks&gt;",
        },
        "response_url": "https://hooks.slack.com/app/1",
    }
    assert parse_shortcut(on_message) == ShortcutUsed(
        "T0ACME",
        "U0ANN",
        "new_run",
        "1.2.3",
        "C0TEAM",
        "1.5",
        "1.0",
        "It &lt;breaks&gt;",
        "https://hooks.slack.com/app/1",
    )
    assert isinstance(parse_shortcut({"type": "shortcut"}), Ignored)


@given(JSON)
def test_any_json_has_an_answer(value: Any) -> None:
    assert isinstance(parse_event(value, BOT), Ignored)
    for parse in (parse_command, parse_action, parse_view, parse_shortcut, parse_suggestion):
        assert isinstance(parse(value), Ignored)


@st.composite
def damaged(draw: st.DrawFn, whole: Any) -> Any:
    """The same JSON with some of its parts replaced by anything or left out."""
    if draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    if isinstance(whole, dict):
        return {key: draw(damaged(value)) for key, value in whole.items() if draw(st.integers(0, 19))}
    return [draw(damaged(value)) for value in whole] if isinstance(whole, list) else whole


EVENTS = st.sampled_from(
    [
        message(files=[{"url_private": "https://f", "size": 1}]),
        changed(message(**MINE), message()),
        deleted(message()),
    ]
)


@given(EVENTS.flatmap(lambda event: damaged(body(event))))
def test_damaged_events_never_raise(value: Any) -> None:
    heard = parse_event(value, BOT)
    assert isinstance(heard, Ignored) or ":" in claim_key(heard)


SUGGESTION = press(view=view(), type="block_suggestion", action_id="repo", value="acme")


@given(st.sampled_from([press(), press(view=view()), SUGGESTION]).flatmap(damaged))
def test_damaged_interactions_never_raise(value: Any) -> None:
    for parse in (parse_action, parse_view, parse_shortcut, parse_command):
        heard = parse(value)
        assert isinstance(heard, Ignored) or claim_key(heard).startswith("trigger:")
    assert isinstance(parse_suggestion(value), Ignored | OptionsWanted)


def test_who_the_bot_is_stands_in_the_event_as_long_as_slack_was_not_heard() -> None:
    body = {"authorizations": [{"user_id": "U1", "is_bot": False}, {"user_id": "U0CODE", "is_bot": True}]}
    assert identity_in(body, BotIdentity("")) == BotIdentity("U0CODE")
    assert identity_in(body, BotIdentity("UKNOWN", "B1")) == BotIdentity("UKNOWN", "B1")
    assert identity_in({"authorizations": "odd"}, BotIdentity("")) == BotIdentity("")
