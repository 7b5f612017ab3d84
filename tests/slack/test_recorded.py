"""Slack's traffic of every kind, at the wire: answered in time, without an error, and without a run that nobody asked for."""

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.simulator.slack.model import Channel, ChannelKind
from bot.slack.endpoint import MAX_BODY
from tests.slack import recorded
from tests.slack.recorded import Json
from tests.support.cloudcoding import Out
from tests.support.wire import FORM_TYPE, JSON_TYPE, Wire, captured_log, wired
from tests.support.world import World, world

PATIENCE = 3.0  # seconds that Slack waits for an answer


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with captured_log() as stream:
        yield stream


@pytest.fixture
async def wire(tmp_path: Path, log: io.StringIO) -> AsyncIterator[Wire]:
    async with wired(tmp_path, log) as made:
        yield made


def addressed(payload: Json, it: World) -> Json:
    """With addresses of the local Slack, where the payload has any."""
    channel, user = payload.get("channel_id", "C0TEAM"), payload.get("user_id", "U0ANN")
    text = json.dumps(payload).replace("{files}", f"{it.slack.workspace.base_url}/files")
    for place in ("#team", "@ben"):
        if f"{{thread in {place}}}" in text:
            text = text.replace(f"{{thread in {place}}}", thread_in(place, it))
    if "{response}" in text:
        text = text.replace("{response}", it.slack.workspace.new_response_url(channel, user))
    made: Json = json.loads(text)
    return made


def thread_in(place: str, it: World) -> str:
    """The first message there, written by a bot that asks for nothing."""
    there = it.slack.messages(place)
    channel = it.slack.workspace.channel(place)
    return (there[0] if there else it.slack.workspace.post(channel.id, "U0OTHERBOT", "hello")).ts


async def in_time(work: Any) -> Any:
    async with asyncio.timeout(PATIENCE):
        return await work


async def still_works(it: World) -> None:
    """One request, from its command to its end."""
    number = len(it.roots())
    it.serve(Out("at your service\n"))
    await it.code("are you there?")
    await it.says(await it.root(number), "Done", "at your service")


def nothing_was_asked(it: World) -> None:
    assert not it.cloud.requests
    assert not it.slack.counts["chat.postMessage"]


async def test_events_that_ask_for_nothing(wire: Wire) -> None:
    for name, body in recorded.events("messages", "events"):
        assert await in_time(wire.event(body)) == 200, name
        again = await in_time(wire.event(body))
        assert again == 200, name
    nothing_was_asked(wire.it)
    assert not wire.it.slack.workspace.ephemerals
    assert await wire.get("/readyz") == 200
    await still_works(wire.it)
    wire.quiet()


async def test_interactions_that_ask_for_nothing(wire: Wire) -> None:
    for name, payload in recorded.read("interactions").items():
        assert await in_time(wire.interaction(addressed(payload, wire.it))) == 200, name
    nothing_was_asked(wire.it)
    await still_works(wire.it)
    wire.quiet()


async def test_messages_that_are_requests_are_each_run_once(wire: Wire) -> None:
    it = wire.it
    asked = list(recorded.events("requests"))
    for name, body in asked:
        it.serve(Out(f"{name} is done\n"))
        assert await in_time(wire.event(addressed(body, it))) == 200, name
        assert await in_time(wire.event(addressed(body, it))) == 200, name
    await it.slack.wait_for(lambda: len(it.cloud.requests) >= len(asked))
    await it.slack.wait_for(lambda: sum("Done" in it.slack.visible(m) for m in it.slack.workspace.history))
    assert len(it.cloud.requests) == len(asked)
    wire.quiet()


async def test_commands_from_everywhere_are_answered(wire: Wire) -> None:
    it = wire.it
    it.slack.add_channel(
        Channel("C0MPDM", "mpdm-ann--ben--code-1", ChannelKind.PRIVATE, ["U0ANN", "U0BEN", "U0CODE"])
    )
    for name, form in recorded.read("commands").items():
        before = len(it.slack.workspace.ephemerals)
        status, answer = await in_time(wire.post(urlencode(addressed(form, it)).encode(), FORM_TYPE))
        assert (status, answer) == (200, ""), name
        await it.slack.wait_for(lambda before=before: len(it.slack.workspace.ephemerals) > before)  # type: ignore[misc]  # mypy can't infer a default's type
        told = it.slack.workspace.ephemerals[-1]
        assert (told.user, told.channel) == (form["user_id"], form["channel_id"]), name
        assert "/code" in told.text, name
    nothing_was_asked(it)
    wire.quiet()


async def test_what_slack_never_sent(wire: Wire) -> None:
    for name, payload in recorded.read("odd").items():
        assert await in_time(wire.event(payload)) in {200, 400}, name
        assert await in_time(wire.interaction(payload)) in {200, 400}, name
    nothing_was_asked(wire.it)
    await still_works(wire.it)
    wire.quiet()


HUGE = "🧨 שלום \u202e<@U0BEN>\u200b `" * 5_000
NESTED = json.loads('{"a":[' * 150 + "null" + "]}" * 150)


async def test_texts_and_depths_beyond_all_measure(wire: Wire) -> None:
    for number, odd in enumerate((HUGE, NESTED, "\x00\ud83d\x1b[31m", [HUGE])):
        event = {"type": "message", "channel": "C0TEAM", "user": "U0ANN", "ts": f"1782234691.00000{number}"}
        hooked = {"blocks": odd, "attachments": [odd], "metadata": odd, "files": odd, "edited": odd}
        assert await in_time(wire.event(recorded.envelope(event | hooked))) == 200
        assert await in_time(wire.event(recorded.envelope(event | hooked | {"text": odd}))) == 200
        press = deepcopy(recorded.read("interactions")["block_actions from a message"])
        press["message"] |= hooked
        press["actions"][0]["value"] = odd
        assert await in_time(wire.interaction(addressed(press, wire.it))) == 200
    nothing_was_asked(wire.it)
    await still_works(wire.it)
    wire.quiet()


COMMAND = urlencode(
    recorded.read("commands")["in a channel"] | {"response_url": "", "trigger_id": "9002.1"}
).encode()
EVENT = json.dumps(recorded.envelope({"type": "emoji_changed", "subtype": "add"})).encode()
BODIES = [
    (EVENT, JSON_TYPE, {}, 200),
    (
        EVENT,
        f"{JSON_TYPE}; charset=utf-8",
        {"X-Slack-Retry-Num": "3", "X-Slack-Retry-Reason": "http_error"},
        200,
    ),
    (EVENT, JSON_TYPE, {"X-Slack-Retry-Num": "many", "X-Slack-Retry-Reason": ""}, 200),
    (b"\xef\xbb\xbf" + EVENT, JSON_TYPE, {}, 400),
    (EVENT, FORM_TYPE, {}, 400),
    (EVENT, "text/plain", {}, 400),
    (EVENT[:-1], JSON_TYPE, {}, 400),
    (EVENT.decode().encode("utf-16"), JSON_TYPE, {}, 401),
    (gzip.compress(EVENT), JSON_TYPE, {}, 401),
    (gzip.compress(EVENT), JSON_TYPE, {"Content-Encoding": "gzip"}, 401),
    (EVENT, JSON_TYPE, {"Content-Encoding": "gzip"}, 200),
    (EVENT, JSON_TYPE, {"Content-Encoding": "br"}, 200),
    (b'{"type": "event_callback", "type": "url_verification", "challenge": NaN}', JSON_TYPE, {}, 200),
    (b"", JSON_TYPE, {}, 400),
    (b"", FORM_TYPE, {}, 400),
    (b"payload", FORM_TYPE, {}, 400),
    (b"payload=%7B", FORM_TYPE, {}, 400),
    (b"payload=%7B%7D&payload=%7B%22type%22%3A%22shortcut%22%7D", FORM_TYPE, {}, 200),
    (b"payload=%5B%5D&payload=%7B%7D", FORM_TYPE, {}, 400),
    (b"PAYLOAD=%7B%7D", FORM_TYPE, {}, 400),
    (b"ssl_check=1&token=abc", FORM_TYPE, {}, 200),
    (b"ssl_check=1&" + COMMAND, FORM_TYPE, {}, 200),
    (COMMAND + b"&text=status&text=", FORM_TYPE, {}, 200),
    (COMMAND + b"&command=%2Fother&user_id=", FORM_TYPE, {}, 200),
    (COMMAND.replace(b"response_url=", b"response_url=%FF%FE"), FORM_TYPE, {}, 200),
    (COMMAND.replace(b"response_url=", b"response_url=%00%zz%"), FORM_TYPE, {}, 200),
    (COMMAND.replace(b"help", b"\xff"), FORM_TYPE, {}, 401),
    (COMMAND, "multipart/form-data; boundary=b", {}, 200),
    (b"a" * (MAX_BODY + 1), FORM_TYPE, {}, 413),
]


async def test_bodies_that_are_none(wire: Wire) -> None:
    for body, content_type, headers, expected in BODIES:
        signed = wire.it.slack.signed_headers(body)
        status, answer = await in_time(wire.post(body, content_type, signed | headers))
        assert status == expected, (body[:60], content_type, headers)
        assert "Traceback" not in answer
    await still_works(wire.it)
    wire.quiet()


async def test_a_revoked_token_is_said_and_nothing_breaks(wire: Wire) -> None:
    for event in (
        {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": ["U0CODE"]}},
        {"type": "app_uninstalled"},
    ):
        assert await in_time(wire.event(recorded.envelope(event))) == 200
    assert await wire.get("/readyz") == 503
    assert "identity.revoked" in wire.log.getvalue()
    assert "Traceback" not in wire.log.getvalue()


# The same over Socket Mode


def kind_of(payload: Json) -> str:
    return "events_api" if "event" in payload else "slash_commands" if "command" in payload else "interactive"


async def until_connected(it: World, before: int = 0) -> None:
    """Until the bot has but one connection, none of the first ``before`` ones."""
    sockets = it.slack.sockets
    async with asyncio.timeout(5):
        while not (sockets.opened > before and sockets.connected == 1 and it.slack.counts["auth.test"]):  # noqa: ASYNC110  a connection is no change in the workspace, which could be waited for
            await asyncio.sleep(0.01)


async def test_every_envelope_is_acknowledged(tmp_path: Path, log: io.StringIO) -> None:
    async with world(tmp_path) as it, it.running(SLACK_APP_TOKEN=it.slack.app_token, SLACK_SIGNING_SECRET=""):
        it.slack.bot_url = None
        sockets = it.slack.sockets
        await until_connected(it)
        traffic = [
            *recorded.events("messages", "events"),
            *recorded.read("interactions").items(),
            *recorded.read("odd").items(),
        ]
        for _, payload in traffic:
            await in_time(sockets.send(kind_of(payload), addressed(payload, it), 0, ""))
        for number, envelope in enumerate(ODD_ENVELOPES):
            await in_time(sockets.deliver({"envelope_id": f"odd-{number}", **envelope}))
        nothing_was_asked(it)
        for frame in FRAMES:
            await sockets.say(frame)
        await still_works(it)
        for reason in ("warning", "refresh_requested", "link_disabled", "too_many_websockets", ""):
            opened = sockets.opened
            await sockets.say({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}})
            await until_connected(it, opened)
        await still_works(it)
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        assert "Traceback" not in log.getvalue()
        assert not [line for line in lines if line["level"] in {"error", "critical"}]


ODD_ENVELOPES: list[Json] = [
    {"type": "events_api"},
    {"type": "events_api", "payload": None},
    {"type": "interactive", "payload": []},
    {"type": "slash_commands", "payload": "help"},
    {"type": "slash_commands", "payload": {}, "accepts_response_payload": None},
    {"type": "events_api", "payload": {}, "retry_attempt": "two", "retry_reason": None},
    {"type": "dreams_api", "payload": {"type": "dream"}},
    {"type": None, "payload": 7},
    {"payload": {"type": "event_callback"}},
]
FRAMES: list[Json] = [
    {"type": "hello", "num_connections": 2, "debug_info": {}, "connection_info": None},
    {"type": "hello"},
    {"type": "goodbye"},
    {},
    {"envelope_id": None, "type": "events_api", "payload": None},
]


# Whatever Slack, or someone with its secret, makes of these

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
    max_leaves=4,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from paths(inner, (*path, key))


@st.composite
def mutated(draw: st.DrawFn, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    """One of the payloads with something else, or nothing, in one to three places."""
    payload: dict[str, Any] = deepcopy(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 3))):
        places = list(paths(payload))
        if not places:
            break
        *path, last = draw(st.sampled_from(places))
        owner: Any = payload
        for key in path:
            owner = owner[key]
        if draw(st.booleans()):
            owner[last] = draw(_VALUES)
        else:
            del owner[last]
    return payload


EVENTS = [body for _, body in recorded.events("messages", "events", "requests")]
INTERACTIONS = list(recorded.read("interactions").values())
COMMANDS = list(recorded.read("commands").values())


def test_mutated_payloads_never_make_it_fail(tmp_path: Path, log: io.StringIO) -> None:
    with asyncio.Runner() as runner:
        context = wired(tmp_path, log)
        wire = runner.run(context.__aenter__())

        @settings(max_examples=150, deadline=None, database=None, derandomize=True)
        @given(mutated(EVENTS), mutated(INTERACTIONS), mutated(COMMANDS))
        def check(event: Json, interaction: Json, command: Json) -> None:
            async def send() -> list[int]:
                form = urlencode(
                    {str(k): str(v) for k, v in addressed(command, wire.it).items()}, errors="replace"
                )
                return [
                    await wire.event(addressed(event, wire.it)),
                    await wire.interaction(addressed(interaction, wire.it)),
                    (await wire.post(form.encode(), FORM_TYPE))[0],
                ]

            assert all(200 <= status < 500 for status in runner.run(send()))

        try:
            check()
            runner.run(still_works(wire.it))
            wire.quiet()
        finally:
            runner.run(context.__aexit__(None, None, None))
