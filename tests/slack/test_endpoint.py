"""``POST /slack/events`` at the wire: what Slack didn't sign, what is no request at all, and what nobody asked for."""

import io
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.slack.endpoint import MAX_BODY
from tests.support.cloudcoding import Out
from tests.support.wire import CANARY, FORM_TYPE, JSON_TYPE, Wire, captured_log, wired


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with captured_log() as stream:
        yield stream


@pytest.fixture
async def wire(tmp_path: Path, log: io.StringIO) -> AsyncIterator[Wire]:
    async with wired(tmp_path, log) as made:
        yield made


def event(kind: str = "message", **fields: Any) -> dict[str, Any]:
    """An ``event_callback`` as Slack sends it."""
    return {
        "token": CANARY,
        "team_id": "T0LOCAL",
        "api_app_id": "A0LOCAL",
        "event": {"type": kind, **fields},
        "type": "event_callback",
        "event_id": "Ev0001",
        "event_time": 1700000000,
        "authorizations": [
            {"enterprise_id": None, "team_id": "T0LOCAL", "user_id": "U0CODE", "is_bot": True},
        ],
        "is_ext_shared_channel": False,
    }


def message(**fields: Any) -> dict[str, Any]:
    return event(
        "message",
        **{"channel": "C0TEAM", "user": "U0ANN", "ts": "1700000000.000100", "text": CANARY} | fields,
    )


def interaction(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "token": CANARY,
        "team": {"id": "T0LOCAL", "domain": "local"},
        "user": {"id": "U0ANN", "username": "ann", "team_id": "T0LOCAL"},
        "api_app_id": "A0LOCAL",
        "trigger_id": "1.2.3",
        **fields,
    }


COMMAND = {
    "token": CANARY,
    "team_id": "T0LOCAL",
    "channel_id": "C0TEAM",
    "user_id": "U0ANN",
    "command": "/code",
    "text": "status",
    "trigger_id": "9.9.9",
}


# What Slack did not sign


async def test_only_what_slack_signed_gets_in(wire: Wire) -> None:
    body = json.dumps(message(text=CANARY)).encode()
    good = wire.it.slack.signed_headers(body)
    now = time.time()
    signature, timestamp = good["X-Slack-Signature"], good["X-Slack-Request-Timestamp"]
    hostile: list[dict[str, str]] = [
        {},
        {"X-Slack-Request-Timestamp": timestamp},
        {"X-Slack-Signature": signature},
        {**good, "X-Slack-Signature": ""},
        {**good, "X-Slack-Signature": signature[:-1]},
        {**good, "X-Slack-Signature": "v0=" + "0" * 64},
        {**good, "X-Slack-Signature": "v1" + signature[2:]},
        {**good, "X-Slack-Signature": "v0=é" + signature[4:]},
        {**good, "X-Slack-Request-Timestamp": str(int(timestamp) + 1)},
        wire.it.slack.signed_headers(body + b" "),
        wire.it.slack.signed_headers(body, at=now - 301),
        wire.it.slack.signed_headers(body, at=now + 320),
        *(
            {**good, "X-Slack-Request-Timestamp": value}
            for value in (
                "",
                "now",
                f"{timestamp}.5",
                f"-{timestamp}",
                "²",
                "1" * 4000,
                "\N{FULLWIDTH DIGIT ONE}",
                "nan",
                "1e9",
            )
        ),
    ]
    for headers in hostile:
        status, answer = await wire.post(body, JSON_TYPE, headers)
        assert status == 401, headers
        assert CANARY not in answer
    turned_away = [line for line in wire.quiet() if line["event"] == "endpoint.turned_away"]
    assert len(turned_away) == len(hostile)
    assert not wire.it.roots()


async def test_the_signature_counts_before_the_body(wire: Wire) -> None:
    headers = {**wire.it.slack.signed_headers(b""), "X-Slack-Signature": "v0=" + "0" * 64}
    assert (await wire.post(b"{", JSON_TYPE, headers))[0] == 401


# What is no request


MALFORMED = [
    (b"", JSON_TYPE),
    (b"", FORM_TYPE),
    (b"", None),
    (b"{", JSON_TYPE),
    (b'{"type": "event_callback"' + CANARY.encode(), JSON_TYPE),
    (b"null", JSON_TYPE),
    (b'"canary-in-the-body"', JSON_TYPE),
    (b"[{}]", JSON_TYPE),
    (b"3", JSON_TYPE),
    (b"\xff\xfe{}", JSON_TYPE),
    (b'{"text": "\xe9' + CANARY.encode() + b'"}', JSON_TYPE),
    (b"[" * 200_000, JSON_TYPE),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, JSON_TYPE),
    (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", JSON_TYPE),
    (b"payload=", FORM_TYPE),
    (b"payload={", FORM_TYPE),
    (b"payload=" + CANARY.encode(), FORM_TYPE),
    (b"payload=[]", FORM_TYPE),
    (b"payload=null", FORM_TYPE),
    (b"payload=%FF%FE", FORM_TYPE),
    (b"payload=" + b"[" * 200_000, FORM_TYPE),
    (b"\xff=1&command=%2Fcode", FORM_TYPE),
    (b"&".join(b"a=1" for _ in range(1000)), FORM_TYPE),
    (b"text=" + CANARY.encode(), FORM_TYPE),
    (CANARY.encode(), "text/plain"),
    (b"<xml/>", "application/xml"),
    (b"{}", "multipart/form-data; boundary=x"),
    (b"{}", "nonsense"),
    (b"{}", None),
]


async def test_what_is_malformed_is_turned_away(wire: Wire) -> None:
    for body, content_type in MALFORMED:
        status, answer = await wire.post(body, content_type)
        assert 400 <= status < 500, (body[:100], content_type)
        assert CANARY not in answer
    wire.quiet()


async def test_a_body_that_is_too_large_is_not_read(wire: Wire) -> None:
    body = b'{"a": "' + b"x" * MAX_BODY + b'"}'
    status, _ = await wire.post(body, JSON_TYPE)
    assert status == 413
    assert await wire.event(event("emoji_changed", subtype="add", value="x" * (MAX_BODY - 2000))) == 200
    wire.quiet()


async def test_other_methods_and_paths(wire: Wire) -> None:
    assert await wire.get() == 405
    assert await wire.get("/slack/event") == 404
    assert await wire.get("/") in {200, 404}
    wire.quiet()


# What Slack sends besides


async def test_slack_may_check_the_address(wire: Wire) -> None:
    challenge = {"type": "url_verification", "challenge": "3eZbrw1aB", "token": CANARY}
    status, answer = await wire.post(json.dumps(challenge).encode(), JSON_TYPE)
    assert status == 200
    assert json.loads(answer) == {"challenge": "3eZbrw1aB"}
    assert (await wire.post(f"token={CANARY}&ssl_check=1".encode(), FORM_TYPE))[0] == 200
    wire.quiet()


EVENTS = [
    event("app_rate_limited"),
    {"type": "app_rate_limited", "token": CANARY, "team_id": "T0LOCAL", "minute_rate_limited": 1518467820},
    event("emoji_changed", subtype="add", name="x"),
    event("member_joined_channel", user="U0CODE", channel="C0TEAM"),
    event("reaction_added", user="U0ANN", reaction="eyes", item={"type": "message"}),
    event("user_change", user={"id": "U0ANN"}),
    event("user_change", user=None),
    event("team_join"),
    event("channel_archive", channel="C0TEAM"),
    event("app_home_opened", user="U0ANN", tab="home"),
    event("app_home_opened", user="U0ANN", tab="messages"),
    event("app_home_opened"),
    event("link_shared", links=[{"url": "https://example.com"}]),
    event("function_executed", function={"callback_id": "x"}, bot_access_token=CANARY, inputs={}),
    event("function_executed"),
    event("assistant_thread_started", assistant_thread={"user_id": "U0ANN", "channel_id": "D0ANN"}),
    event("assistant_thread_started"),
    event("assistant_thread_context_changed", assistant_thread=None),
    event("workflow_step_execute", workflow_step={}),
    event("an_event_that_is_not_invented_yet", nested={"a": [None, {}]}),
    event(""),
    {**event(), "event": None},
    {**event(), "event": {}},
    {**event(), "event": {"type": None}},
    {**event(), "authorizations": None, "team_id": None},
    {**event(), "authorizations": [None]},
    {"type": "event_callback"},
    {"type": None},
    {},
    message(),
    message(text=None),
    message(user=None),
    message(channel=None),
    message(ts=None),
    message(thread_ts=None),
    message(files=None, blocks=None, attachments=None),
    message(files=[None, {}, {"id": 3}], text=""),
    message(channel={"id": "C0TEAM"}),
    message(subtype="channel_join"),
    message(subtype="message_changed"),
    message(subtype="message_changed", message=None, previous_message=None),
    message(subtype="message_deleted"),
    message(subtype="message_deleted", deleted_ts=None, previous_message={"bot_id": None}),
    message(subtype="bot_message", bot_id="B1"),
    message(subtype="me_message"),
    message(subtype="huddle_thread", room={}),
    message(subtype="assistant_app_thread"),
    message(subtype="a_subtype_that_is_not_invented_yet"),
    message(subtype=None),
    message(user="U0CODE", bot_id="B0CODE", text="<@U0CODE> do it again"),
    message(user="U0CODE", text="<@U0CODE> do it again"),
    message(bot_id="B0OTHER", bot_profile={"id": "B0OTHER"}, text="<@U0CODE> do it"),
    event("app_mention", channel="C0TEAM", user="U0CODE", ts="1.1", text="<@U0CODE> do it"),
    event("app_mention"),
]


async def test_events_that_nobody_asked_for_are_accepted(wire: Wire) -> None:
    for payload in EVENTS:
        assert await wire.event(payload) in {200, 400}, payload
    wire.quiet()
    assert not wire.it.slack.messages("#team")
    assert not wire.it.cloud.requests


VIEW = {"id": "V1", "type": "modal", "callback_id": "another_form", "state": {"values": {}}, "hash": "1"}
INTERACTIONS = [
    interaction("shortcut", callback_id="new_thing"),
    interaction("shortcut"),
    interaction("message_action", callback_id="new_thing", message={"ts": "1.1"}, channel={"id": "C0TEAM"}),
    interaction("message_action"),
    interaction("view_closed", view=VIEW, is_cleared=True),
    interaction("view_closed"),
    interaction("view_submission", view=VIEW),
    interaction("view_submission", view={**VIEW, "callback_id": "new_run"}),
    interaction("view_submission", view={**VIEW, "callback_id": "new_run", "state": None}),
    interaction("view_submission", view=None),
    interaction("view_submission"),
    interaction("block_suggestion", action_id="x", block_id="y", value=CANARY),
    interaction("block_suggestion"),
    interaction(
        "block_actions", actions=[{"type": "button", "action_id": "from_an_old_version", "value": "1"}]
    ),
    interaction("block_actions", actions=[{"type": "button", "action_id": "stop_run"}]),
    interaction("block_actions", actions=[{"type": "button", "action_id": "open_form", "block_id": None}]),
    interaction("block_actions", actions=[]),
    interaction("block_actions", actions=None),
    interaction("block_actions", actions=[None]),
    interaction("block_actions", actions=[{}], user=None),
    interaction("block_actions"),
    interaction(
        "interactive_message", callback_id="x", actions=[{"name": "a", "type": "button", "value": "b"}]
    ),
    interaction("interactive_message"),
    interaction("dialog_submission", callback_id="x", submission={"a": CANARY}, state=""),
    interaction("dialog_cancellation", callback_id="x"),
    interaction("dialog_suggestion", callback_id="x", name="a", value="b"),
    interaction("workflow_step_edit", callback_id="x", workflow_step={}),
    interaction("an_interaction_that_is_not_invented_yet"),
    interaction("block_actions", team=None, enterprise=None, user={"id": "U0ANN"}),
    {"type": None},
    {"ssl_check": "1"},
    {},
]


async def test_interactions_that_nobody_asked_for_are_accepted(wire: Wire) -> None:
    for payload in INTERACTIONS:
        assert await wire.interaction(payload) in {200, 400}, payload
    wire.quiet()
    assert not wire.it.slack.messages("#team")


async def test_a_command_with_something_missing_does_nothing(wire: Wire) -> None:
    for missing in COMMAND.keys() - {"command", "text"}:
        form = {name: value for name, value in COMMAND.items() if name != missing}
        assert (await wire.post(urlencode(form).encode(), FORM_TYPE))[0] == 200, missing
    wire.quiet()
    assert not wire.it.slack.messages("#team")


async def test_a_command_s_odd_fields_do_no_harm(wire: Wire) -> None:
    body = b"&text=&text=status&" + urlencode(COMMAND).encode() + b"&&=&%00=%00&enterprise_id=\xc3\xa9"
    assert (await wire.post(body, FORM_TYPE))[0] == 200
    assert (await wire.post(body, f"{FORM_TYPE}; charset=utf-8"))[0] == 200
    assert (await wire.post(body, FORM_TYPE.upper()))[0] == 200
    wire.quiet()


async def test_the_bot_does_not_answer_itself(wire: Wire) -> None:
    it = wire.it
    it.serve(Out("<@U0CODE> do it again\n"))
    await it.code("say <@U0CODE> do it")
    root = await it.root()
    await it.says(root, "Done")
    await it.slack.settle()
    assert len(it.cloud.requests) == 1
    assert len(it.roots()) == 1
