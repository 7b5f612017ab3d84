"""Events, commands and buttons: signed, in Slack's shapes, acknowledged or tried again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.simulator.slack import LocalSlack, Message, Times
from bot.simulator.slack.delivery import Delivery
from bot.simulator.slack.desk import RefusedError
from bot.simulator.slack.hub import Kind
from bot.simulator.slack.model import Channel, ChannelKind
from tests.support.slack import Received, Receiver, client_of, never, receiving

CONFIRM = {
    "title": {"type": "plain_text", "text": "Stop?"},
    "text": {"type": "plain_text", "text": "Stop this run?"},
}
STOP = {
    "type": "actions",
    "block_id": "controls",
    "elements": [
        {
            "type": "button",
            "action_id": "stop",
            "value": "r-1",
            "text": {"type": "plain_text", "text": "Stop"},
            "confirm": CONFIRM,
        }
    ],
}
MODEL = {
    "type": "section",
    "block_id": "model",
    "text": {"type": "plain_text", "text": "Model"},
    "accessory": {
        "type": "static_select",
        "action_id": "pick",
        "options": [
            {"text": {"type": "plain_text", "text": name}, "value": name} for name in ("haiku", "sonnet")
        ],
    },
}


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    async with LocalSlack(retry_delays=(0.0, 0.01, 0.02)) as opened:
        yield opened


@pytest.fixture
async def app(slack: LocalSlack) -> AsyncIterator[Receiver]:
    async with receiving(slack) as receiver:
        yield receiver


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    return client_of(slack)


async def posted(client: AsyncWebClient, slack: LocalSlack, channel: str = "#team") -> Message:
    ts = (await client.chat_postMessage(channel=channel, text="run", blocks=[STOP, MODEL]))["ts"]
    await slack.settle()
    return slack.message(channel, ts)


async def test_a_mention_arrives_twice_signed_and_in_an_envelope(slack: LocalSlack, app: Receiver) -> None:
    message = await slack.say("ann", "#team", "@code fix <it>")
    assert all(got.genuine for got in app.received)
    [mention], [plain] = app.events("app_mention"), app.events("message")
    assert mention["text"] == plain["text"] == "<@U0CODE> fix &lt;it&gt;"
    assert (plain["ts"], plain["channel"], plain["channel_type"]) == (message.ts, "C0TEAM", "channel")
    assert "channel_type" not in mention
    envelopes = [got.payload for got in app.received]
    assert len({envelope["event_id"] for envelope in envelopes}) == 2
    assert envelopes[0]["authorizations"][0]["user_id"] == "U0CODE"
    assert (envelopes[0]["team_id"], envelopes[0]["api_app_id"]) == ("T0LOCAL", "A0CODE")
    assert all(delivery.accepted for delivery in slack.deliveries)


async def test_only_channels_with_the_bot_are_heard(slack: LocalSlack, app: Receiver) -> None:
    await slack.say("ann", "#open", "@code hello")
    await slack.say("ann", "#hidden", "@code hello")
    assert app.received == []
    await slack.say("ann", "@ann", "@code hello")
    assert [event["channel_type"] for event in app.events("message")] == ["im"]
    assert app.events("app_mention") == []
    slack.invite("#open")
    await slack.say("ann", "#open", "", files=[("a.txt", b"x")])
    assert len(app.received) == 2


async def test_threads_files_edits_and_deletions_have_their_shapes(slack: LocalSlack, app: Receiver) -> None:
    root = await slack.say("ann", "#team", "root")
    reply = await slack.say("ben", "#team", "reply", thread_ts=root.ts)
    await slack.say("ben", "#team", "to all", thread_ts=root.ts, broadcast=True)
    shared = await slack.say("ann", "#team", "look", files=[("a.txt", b"content")])
    await slack.edit("ben", reply, "changed")
    await slack.delete("ben", reply)
    await slack.delete("ann", root)
    _, threaded, broadcast, file_share, changed, deleted, tombstone = app.events("message")
    assert (threaded["thread_ts"], threaded["parent_user_id"]) == (root.ts, "U0ANN")
    assert broadcast["subtype"] == "thread_broadcast"
    assert (file_share["subtype"], file_share["files"][0]["name"]) == ("file_share", "a.txt")
    assert changed["subtype"] == "message_changed"
    assert (changed["message"]["text"], changed["previous_message"]["text"]) == ("changed", "reply")
    assert changed["message"]["edited"]["user"] == "U0BEN"
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", reply.ts)
    assert deleted["previous_message"]["text"] == "changed"
    assert (tombstone["subtype"], tombstone["message"]["subtype"]) == ("message_changed", "tombstone")
    async with aiohttp.ClientSession() as http:
        url = file_share["files"][0]["url_private"]
        async with http.get(url, headers={"Authorization": f"Bearer {slack.bot_token}"}) as response:
            assert await response.read() == b"content"
        async with http.get(url) as response:
            assert "Sign in" in await response.text()
        async with http.get(url.replace(shared.files[0].id, "F0")) as response:
            assert response.status == 404


async def test_strangers_and_bots_can_be_told(slack: LocalSlack, app: Receiver) -> None:
    await slack.say("stranger", "#shared", "@code hi")
    await slack.say("otherbot", "#team", "@code hi")
    stranger, bot = app.events("app_mention")
    assert (stranger["user_team"], stranger["source_team"]) == ("T0OTHER", "T0OTHER")
    assert app.received[0].payload["is_ext_shared_channel"]
    assert (bot["bot_id"], bot["app_id"]) == ("B0OTHERBOT", "A0OTHER")


async def test_the_bot_hears_itself_unless_told_not_to(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    message = await posted(client, slack)
    assert app.events("message")[0]["bot_id"] == "B0CODE"
    slack.echo = False
    await client.chat_update(channel="C0TEAM", ts=message.ts, text="x")
    await slack.react("ann", message, "eyes")
    await client.reactions_add(channel="C0TEAM", timestamp=message.ts, name="tada")
    await slack.react("ann", message, "eyes", add=False)  # reaction_removed is not subscribed to
    assert [event["user"] for event in app.events("reaction_added")] == ["U0ANN"]
    assert len(app.events("message")) == 1


async def test_a_command_has_slacks_fields_and_its_answer_is_seen(slack: LocalSlack, app: Receiver) -> None:
    answers: list[Any] = [web.Response(), web.json_response({"text": "to you"}), web.Response(text="plain")]
    answers += [
        web.json_response({"text": "to all", "response_type": "in_channel"}),
        web.Response(status=500),
        web.json_response({"blocks": [{"type": "nonsense"}]}),
    ]

    async def answer(_: Received) -> web.Response:
        return answers.pop(0)  # type: ignore[no-any-return]  # they are responses

    app.answer = answer
    slack.echo = False
    delivery = await slack.command("ann", "#private", "/code", "  fix @ben's <b> ")
    fields = app.received[0].payload
    assert app.received[0].genuine
    assert fields["text"] == "fix <@U0BEN|ben>'s &lt;b&gt;"
    assert (fields["command"], fields["user_id"], fields["channel_id"]) == ("/code", "U0ANN", "C0PRIVATE")
    assert fields["channel_name"] == "privategroup"
    assert delivery.accepted
    assert slack.ephemerals("ann") == []
    for _ in range(5):
        await slack.command("ann", "#team", "/code")
    assert [(e.via, e.text) for e in slack.ephemerals("ann")] == [
        ("ack", "to you"),
        ("ack", "plain"),
        ("slackbot", '/code failed with the error "dispatch_failed"'),
        ("slackbot", '/code failed with the error "invalid_blocks"'),
    ]
    assert slack.messages("#team")[0].text == "to all"


async def test_a_command_without_an_answer_fails_before_its_user() -> None:
    async def answer(_: Received) -> web.Response:
        await never()
        raise AssertionError

    async with LocalSlack(ack_seconds=0.05) as slack, receiving(slack) as app:
        app.answer = answer
        delivery = await slack.command("ann", "#team", "/code", "x")
        assert (delivery.accepted, delivery.status, len(delivery.attempts)) == (False, None, 1)
        assert delivery.attempts[0].failure == "http_timeout"
        assert slack.ephemerals("ann")[0].text == '/code failed with the error "operation_timeout"'


async def test_an_event_is_tried_again_until_it_is_accepted(slack: LocalSlack, app: Receiver) -> None:
    statuses = iter([500, 302, 200])

    async def answer(_: Received) -> web.Response:
        return web.Response(status=next(statuses))

    app.answer = answer
    await slack.say("ann", "#team", "hello")
    [delivery] = slack.deliveries
    await slack.wait_for(lambda: delivery.accepted)
    assert [(a.status, a.retry_num, a.retry_reason) for a in delivery.attempts] == [
        (500, 0, ""),
        (302, 1, "http_error"),
        (200, 2, "http_error"),
    ]
    headers = [got.headers.get("X-Slack-Retry-Num") for got in app.received]
    assert headers == [None, "1", "2"]
    assert len({got.payload["event_id"] for got in app.received}) == 1


async def test_an_event_is_given_up_after_three_retries(slack: LocalSlack) -> None:
    slack.bot_url = "http://127.0.0.1:1/slack/events"
    await slack.say("ann", "#team", "hello")
    [delivery] = slack.deliveries
    await slack.wait_for(lambda: len(delivery.attempts) == 4)
    assert {attempt.failure for attempt in delivery.attempts} == {"connection_failed"}


async def test_an_app_can_decline_retries(slack: LocalSlack, app: Receiver) -> None:
    async def answer(_: Received) -> web.Response:
        return web.Response(status=500, headers={"X-Slack-No-Retry": "1"})

    app.answer = answer
    delivery = await slack.event({"type": "app_uninstalled"})
    assert (delivery.status, delivery.event) == (500, {"type": "app_uninstalled"})
    again = await slack.redeliver(delivery)
    assert app.received[1].headers["X-Slack-Retry-Reason"] == "http_timeout"
    assert again.payload["event_id"] == delivery.payload["event_id"]
    assert len(app.received) == 2


async def test_nobody_listening_is_no_error(slack: LocalSlack) -> None:
    await slack.say("ann", "#team", "hello")
    assert slack.bot_url is None
    delivery = await slack.event({"type": "tokens_revoked"})
    assert slack.deliveries == [delivery]
    assert (delivery.accepted, delivery.status, delivery.body, delivery.seconds) == (False, None, None, 0.0)


async def test_a_button_says_everything_about_itself(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    message = await posted(client, slack)
    await slack.press("ben", message, "Stop")
    payload = app.received[-1].payload
    assert app.received[-1].genuine
    action = payload["actions"][0]
    assert (action["action_id"], action["block_id"], action["value"]) == ("stop", "controls", "r-1")
    assert action["confirm"] == CONFIRM
    assert payload["container"]["message_ts"] == payload["message"]["ts"] == message.ts
    assert (payload["user"]["id"], payload["channel"]["name"]) == ("U0BEN", "team")
    await slack.choose("ben", message, "pick", "sonnet")
    assert app.received[-1].payload["actions"][0]["selected_option"]["value"] == "sonnet"
    with pytest.raises(RefusedError, match="no button 'Go'"):
        await slack.press("ben", message, "Go")
    with pytest.raises(RefusedError, match="no menu"):
        await slack.choose("ben", message, "nothing", "sonnet")
    with pytest.raises(RefusedError, match="no option 'opus'"):
        await slack.choose("ben", message, "Model", "opus")


async def test_response_urls_answer_replace_and_delete_five_times(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    message = await posted(client, slack)
    await slack.press("ben", message, "Stop")
    hook = AsyncWebhookClient(app.received[-1].payload["response_url"])
    assert (await hook.send(text="seen")).status_code == 200
    assert slack.ephemerals("ben")[0].via == "response_url"
    await hook.send(text="now this", replace_original=True)
    assert slack.visible(message) == "now this (edited)"
    assert (await hook.send(text="")).body == '{"ok": false, "error": "no_text"}'
    assert (await hook.send(text="x", blocks=[{"type": "nonsense"}])).status_code == 400
    await hook.send(text="for all", response_type="in_channel")
    assert slack.messages("#team")[-1].text == "for all"
    await hook.send(delete_original=True)
    assert message.deleted
    await hook.send(delete_original=True)  # nothing is left to delete, which Slack does not mind
    sixth = await hook.send(text="sixth")
    assert (sixth.status_code, sixth.body) == (404, '{"ok": false, "error": "used_url"}')
    async with aiohttp.ClientSession() as http:
        async with http.post(hook.url, data="{") as response:
            assert response.status == 400
        slack.fail("response_url", status=500)
        async with http.post(hook.url, json={"text": "x"}) as response:
            assert response.status == 500


async def test_whispers_have_buttons_too(slack: LocalSlack, app: Receiver, client: AsyncWebClient) -> None:
    await client.chat_postEphemeral(channel="C0TEAM", user="U0ANN", text="x", blocks=[STOP])
    [whisper] = slack.ephemerals("ann")
    await slack.press("ann", whisper, "Stop")
    payload = app.received[-1].payload
    assert payload["container"]["is_ephemeral"]
    hook = AsyncWebhookClient(payload["response_url"])
    await hook.send(text="new", replace_original=True)
    assert slack.visible(whisper) == "new"
    await hook.send(delete_original=True)
    assert slack.ephemerals("ann") == []
    with pytest.raises(RefusedError):
        await slack.press("ann", whisper, "Stop")


async def test_response_urls_end_after_half_an_hour() -> None:
    now = [0.0]
    async with LocalSlack(times=Times(monotonic=lambda: now[0])) as slack:
        hook = AsyncWebhookClient((await slack.command("ann", "#team", "/code")).payload["response_url"])
        now[0] = 1801.0
        assert (await hook.send(text="late")).body == '{"ok": false, "error": "expired_url"}'


async def test_the_url_is_verified_by_its_challenge(slack: LocalSlack, app: Receiver) -> None:
    assert not await slack.verify_url()

    async def answer(got: Received) -> web.Response:
        return web.Response(text=got.payload["challenge"])

    app.answer = answer
    assert await slack.verify_url()


async def test_slacks_own_stop_button_and_signatures(
    slack: LocalSlack, app: Receiver, client: AsyncWebClient
) -> None:
    root = await posted(client, slack)
    await slack.stop_session("ben", root)
    [event] = app.events("agent_session_stopped")
    assert (event["channel_id"], event["thread_ts"], event["user_id"]) == ("C0TEAM", root.ts, "U0BEN")
    old = slack.signed_headers(b"{}", at=1.0)
    assert old["X-Slack-Request-Timestamp"] == "1"
    async with aiohttp.ClientSession() as http:
        for headers in (old, slack.signed_headers(b"{}")):
            async with http.post(
                app.url, data=b"{}", headers={**headers, "Content-Type": "application/json"}
            ):
                pass
    assert [got.genuine for got in app.received[-2:]] == [False, True]


async def test_clients_keep_people_from_what_they_may_not(slack: LocalSlack) -> None:
    message = await slack.say("ann", "#team", "mine")
    await slack.react("ann", message, "eyes")
    forbidden = [
        slack.say("guest", "#private", "x"),
        slack.say("gone", "#team", "x"),
        slack.say("ann", "#old", "x"),
        slack.say("ann", "#team", "x", thread_ts="1.000000"),
        slack.edit("ben", message, "x"),
        slack.react("ann", message, "eyes"),
    ]
    for verb in forbidden:
        with pytest.raises(RefusedError):
            await verb
    await slack.delete("ann", message)
    with pytest.raises(RefusedError):
        await slack.delete("ann", message)
    with pytest.raises(KeyError, match="no user nobody"):
        await slack.say("nobody", "#team", "x")
    with pytest.raises(KeyError, match="no channel"):
        await slack.say("ann", "#nowhere", "x")


async def test_changes_are_told_and_waited_for(slack: LocalSlack) -> None:
    slack.add_channel(Channel("C0NEW", "new", ChannelKind.PUBLIC, ["U0ANN"]))
    changes = slack.changes()
    waiting = asyncio.ensure_future(slack.wait_for(lambda: slack.messages("#new")[0]))
    message = await slack.say("ann", "#new", "here &lt;", raw=True)
    assert await waiting is message
    await slack.wait_for_text(message, "here <")
    first = await anext(changes)
    assert (first.kind, first.subject) == (Kind.POSTED, message)
    with pytest.raises(TimeoutError, match="#new ann: here <"):
        await slack.wait_for(lambda: False, timeout=0.001)
    rest = asyncio.ensure_future(_all(changes))
    slack.workspace.hub.close()
    assert await rest == []


async def _all(changes: Any) -> list[Any]:
    return [change async for change in changes]


async def test_a_watcher_sees_deliveries_too(slack: LocalSlack, app: Receiver) -> None:
    changes = slack.changes()
    await slack.event({"type": "app_uninstalled"})
    delivered = (await anext(changes)).subject
    assert isinstance(delivered, Delivery)
    assert delivered.accepted
    assert len(app.received) == 1
