"""The Web API of the local Slack, through the real SDK: what it answers, and each of its refusals once."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.slack import LocalSlack
from tests.support.slack import client_of, error_of

TEXT = {"type": "section", "text": {"type": "mrkdwn", "text": "hello <@U0ANN> &amp; all"}}
RICH = {
    "type": "rich_text",
    "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "rich"}]}],
}


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    async with LocalSlack(agents=True) as opened:
        yield opened


@pytest.fixture
def client(slack: LocalSlack) -> AsyncWebClient:
    return client_of(slack)


async def test_a_token_says_who_it_is_and_what_it_may_do(client: AsyncWebClient) -> None:
    answer = await client.auth_test()
    assert (answer["user_id"], answer["bot_id"], answer["team_id"]) == ("U0CODE", "B0CODE", "T0LOCAL")
    assert "chat:write" in answer.headers["X-OAuth-Scopes"].split(",")


async def test_bad_tokens_are_told_apart(slack: LocalSlack, client: AsyncWebClient) -> None:
    assert (await error_of(client_of(slack, "xoxb-unknown").auth_test()))["error"] == "invalid_auth"
    assert (await error_of(client_of(slack, slack.app_token).auth_test()))[
        "error"
    ] == "not_allowed_token_type"
    slack.revoke()
    assert (await error_of(client.auth_test()))["error"] == "token_revoked"


async def test_a_missing_scope_is_named() -> None:
    async with LocalSlack(scopes=frozenset({"users:read", "chat:write"})) as slack:
        client = client_of(slack)
        refused = await error_of(client.reactions_add(channel="C0TEAM", timestamp="1.0", name="eyes"))
        assert (refused["error"], refused["needed"]) == ("missing_scope", "reactions:write")
        assert (await error_of(client.chat_postMessage(channel="C0OPEN", text="x")))[
            "error"
        ] == "not_in_channel"


async def test_calls_arrive_as_query_form_multipart_and_json(slack: LocalSlack) -> None:
    url, post = slack.api_url, {"channel": "C0TEAM", "text": "hi"}
    bearer = {"Authorization": f"Bearer {slack.bot_token}"}
    async with aiohttp.ClientSession() as http:

        async def body(method: str, path: str, **options: Any) -> dict[str, Any]:
            async with http.request(method, url + path, **options) as response:
                assert response.status == 200
                return dict(await response.json())

        query = f"users.info?user=U0ANN&token={slack.bot_token}"
        assert (await body("GET", query))["user"]["name"] == "ann"
        assert (await body("POST", "chat.postMessage", data=post, headers=bearer))["ok"]
        assert (await body("POST", "chat.postMessage", json=post, headers=bearer))["ok"]
        form = aiohttp.FormData({**post, "token": slack.bot_token}, default_to_multipart=True)
        assert (await body("POST", "chat.postMessage", data=form))["ok"]
        assert (await body("POST", "chat.postMessage", json=post))["error"] == "not_authed"
        assert (await body("GET", "api.test?foo=bar"))["args"] == {"foo": "bar"}
        assert (await body("GET", "api.test?error=oops"))["error"] == "oops"
        assert (await body("POST", "chat.nonsense", headers=bearer))["error"] == "unknown_method"
        # Reading methods overlook JSON bodies, so the argument is missing.
        overlooked = await body("POST", "users.info", json={"user": "U0ANN"}, headers=bearer)
        assert overlooked["error"] == "invalid_arguments"
        assert overlooked["response_metadata"]["messages"] == ["[ERROR] missing required field: user"]
        kind = {**bearer, "Content-Type": "application/json"}
        assert (await body("POST", "chat.postMessage", data="{", headers=kind))["error"] == "invalid_json"
        assert (await body("POST", "chat.postMessage", data="[]", headers=kind))["error"] == "json_not_object"
        text = {**bearer, "Content-Type": "text/plain"}
        assert (await body("POST", "chat.postMessage", data="x", headers=text))[
            "error"
        ] == "invalid_post_type"
        listed = await body("POST", "chat.postMessage", json={"channel": [], "text": "x"}, headers=bearer)
        assert listed["error"] == "invalid_arguments"


async def test_people_bots_and_the_team_are_described(client: AsyncWebClient) -> None:
    people = {
        name: (await client.users_info(user=name))["user"] for name in ("U0ANN", "U0GUEST", "U0STRANGER")
    }
    assert not people["U0ANN"]["is_restricted"]
    assert people["U0GUEST"]["is_restricted"]
    assert people["U0STRANGER"]["is_stranger"]
    assert people["U0STRANGER"]["team_id"] == "T0OTHER"
    assert (await client.users_info(user="U0GONE"))["user"]["deleted"]
    assert (await client.users_info(user="U0OTHERBOT"))["user"]["is_bot"]
    assert (await client.bots_info(bot="B0CODE"))["bot"]["user_id"] == "U0CODE"
    assert (await client.team_info())["team"]["domain"] == "local"
    assert (await error_of(client.users_info(user="U0NOBODY")))["error"] == "user_not_found"
    assert (await error_of(client.bots_info(bot="B0")))["error"] == "bot_not_found"


async def test_a_message_keeps_every_version_it_ever_showed(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    metadata = {"event_type": "run", "event_payload": {"id": "r-1"}}
    posted = await client.chat_postMessage(channel="#team", text="fallback", blocks=[TEXT], metadata=metadata)
    assert posted["message"]["metadata"] == metadata
    message = slack.messages("#team")[0]
    assert slack.visible(message) == "hello @ann & all"
    assert posted["message"]["bot_id"] == "B0CODE"
    await client.chat_update(channel="C0TEAM", ts=posted["ts"], text="second", blocks=[TEXT, TEXT])
    assert not message.edited
    await client.chat_update(channel="C0TEAM", ts=posted["ts"], text="third")
    assert [version.text for version in message.versions] == ["fallback", "second", "third"]
    assert [len(version.blocks) for version in message.versions] == [1, 2, 0]
    assert slack.visible(message) == "third (edited)"
    await client.chat_delete(channel="C0TEAM", ts=posted["ts"])
    assert slack.messages("#team") == []
    assert slack.messages("#team", deleted=True) == [message]
    assert slack.message("#team", message.ts) is message
    with pytest.raises(KeyError):
        slack.message("#team", "1.000000")


async def test_post_message_cuts_what_update_refuses(slack: LocalSlack, client: AsyncWebClient) -> None:
    posted = await client.chat_postMessage(channel="C0TEAM", text="x" * 40_001)
    assert len(slack.messages("#team")[0].text) == 40_000
    update = {"channel": "C0TEAM", "ts": posted["ts"]}
    await client.chat_update(**update, text="x" * 4000)
    assert (await error_of(client.chat_update(**update, text="x" * 4001)))["error"] == "msg_too_long"


async def test_a_message_stays_in_its_family_of_blocks(client: AsyncWebClient) -> None:
    for first, second in (([TEXT], [RICH]), ([RICH], [TEXT])):
        posted = await client.chat_postMessage(channel="C0TEAM", text="x", blocks=first)
        refused = await error_of(
            client.chat_update(channel="C0TEAM", ts=posted["ts"], text="x", blocks=second)
        )
        assert refused["error"] == "block_mismatch"


async def test_blocks_are_refused_with_the_reason_and_in_total(client: AsyncWebClient) -> None:
    long = {"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}
    refused = await error_of(client.chat_postMessage(channel="C0TEAM", text="x", blocks=[long]))
    reason = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    assert refused["error"] == "invalid_blocks"
    assert refused["errors"] == [reason]
    assert refused["response_metadata"]["messages"] == [f"[ERROR] {reason}"]
    many = [{"type": "section", "text": {"type": "plain_text", "text": "x" * 2601}}] * 5
    refused = await error_of(client.chat_postMessage(channel="C0TEAM", text="x", blocks=many))
    assert refused["error"] == "msg_blocks_too_long"
    assert (await client.chat_postMessage(channel="C0TEAM", text="x", blocks=""))["ok"]
    for broken in ("{", '"text"'):
        refused = await error_of(client.chat_postMessage(channel="C0TEAM", text="x", blocks=broken))
        assert refused["error"] == "invalid_blocks_format"


Refusal = tuple[Callable[[AsyncWebClient], Awaitable[Any]], str]
REFUSALS: dict[str, Refusal] = {
    "no channel": (lambda c: c.chat_postMessage(channel="", text="x"), "invalid_arguments"),
    "no text": (lambda c: c.api_call("chat.postMessage", json={"channel": "C0TEAM", "text": " "}), "no_text"),
    "unknown channel": (lambda c: c.chat_postMessage(channel="C0NONE", text="x"), "channel_not_found"),
    "private, not in it": (lambda c: c.chat_postMessage(channel="C0HIDDEN", text="x"), "channel_not_found"),
    "archived": (lambda c: c.chat_postMessage(channel="C0OLD", text="x"), "is_archived"),
    "attachments": (
        lambda c: c.chat_postMessage(channel="C0TEAM", text="x", attachments=[{"text": "a"}]),
        "invalid_attachments",
    ),
    "unknown thread": (
        lambda c: c.chat_postMessage(channel="C0TEAM", text="x", thread_ts="1.000000"),
        "thread_not_found",
    ),
    "bad metadata": (
        lambda c: c.chat_postMessage(channel="C0TEAM", text="x", metadata="{"),  # type: ignore[arg-type]  # on purpose
        "invalid_metadata_format",
    ),
    "metadata without payload": (
        lambda c: c.chat_postMessage(channel="C0TEAM", text="x", metadata={"event_type": "run"}),
        "invalid_metadata_format",
    ),
    "unknown message": (lambda c: c.chat_update(channel="C0TEAM", ts="1.0", text="x"), "message_not_found"),
    "delete unknown": (lambda c: c.chat_delete(channel="C0TEAM", ts="1.0"), "message_not_found"),
    "whisper outside": (
        lambda c: c.chat_postEphemeral(channel="C0OPEN", user="U0ANN", text="x"),
        "not_in_channel",
    ),
    "whisper to absent": (
        lambda c: c.chat_postEphemeral(channel="C0TEAM", user="U0STRANGER", text="x"),
        "user_not_in_channel",
    ),
    "whisper archived": (
        lambda c: c.chat_postEphemeral(channel="C0OLD", user="U0ANN", text="x"),
        "is_archived",
    ),
    "link to nothing": (
        lambda c: c.chat_getPermalink(channel="C0TEAM", message_ts="1.0"),
        "message_not_found",
    ),
    "join private": (
        lambda c: c.conversations_join(channel="C0PRIVATE"),
        "method_not_supported_for_channel_type",
    ),
    "join archived": (lambda c: c.conversations_join(channel="C0OLD"), "is_archived"),
    "open with nobody": (lambda c: c.conversations_open(users="U0NOBODY"), "user_not_found"),
    "open with the gone": (lambda c: c.conversations_open(users="U0GONE"), "user_disabled"),
    "read outside": (lambda c: c.conversations_history(channel="C0OPEN"), "not_in_channel"),
    "read no thread": (lambda c: c.conversations_replies(channel="C0TEAM", ts="1.0"), "thread_not_found"),
    "bad limit": (lambda c: c.conversations_history(channel="C0TEAM", limit=1001), "invalid_limit"),
    "no number": (
        lambda c: c.conversations_history(channel="C0TEAM", limit="many"),  # type: ignore[arg-type]  # on purpose
        "invalid_arguments",
    ),
    "bad cursor": (lambda c: c.conversations_history(channel="C0TEAM", cursor="x"), "invalid_cursor"),
    "bad emoji": (lambda c: c.reactions_add(channel="C0TEAM", timestamp="1.0", name="No!"), "invalid_name"),
    "react to nothing": (
        lambda c: c.reactions_add(channel="C0TEAM", timestamp="1.0", name="eyes"),
        "message_not_found",
    ),
    "no such session": (
        lambda c: c.api_call(
            "agents.sessions.setStatus",
            params={"channel_id": "C0TEAM", "thread_ts": "1.0", "status": "active"},
        ),
        "thread_not_found",
    ),
    "odd status": (
        lambda c: c.api_call(
            "agents.sessions.setStatus",
            params={"channel_id": "C0TEAM", "thread_ts": "1.0", "status": "asleep"},
        ),
        "invalid_arguments",
    ),
    "status left out": (
        lambda c: c.api_call(
            "assistant.threads.setStatus", params={"channel_id": "C0TEAM", "thread_ts": "1.0"}
        ),
        "invalid_arguments",
    ),
    "prompts without titles": (
        lambda c: c.assistant_threads_setSuggestedPrompts(
            channel_id="C0TEAM", thread_ts="1.0", prompts=[{"message": "x"}]
        ),
        "invalid_arguments",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_slack_refuses(name: str, client: AsyncWebClient) -> None:
    call, code = REFUSALS[name]
    assert (await error_of(call(client)))["error"] == code


async def test_only_own_messages_can_be_changed_and_only_in_time(
    slack: LocalSlack, client: AsyncWebClient
) -> None:
    theirs = await slack.say("ann", "#team", "mine")
    own = {"channel": "C0TEAM", "ts": (await client.chat_postMessage(channel="C0TEAM", text="x"))["ts"]}
    others: dict[str, Any] = {"channel": "C0TEAM", "ts": theirs.ts}
    assert (await error_of(client.chat_update(**others, text="x")))["error"] == "cant_update_message"
    assert (await error_of(client.chat_delete(**others)))["error"] == "cant_delete_message"
    slack.close_edits(slack.message("#team", own["ts"]))
    assert (await error_of(client.chat_update(**own, text="x")))["error"] == "edit_window_closed"
    slack.archive("#team")
    assert (await error_of(client.chat_update(**own, text="x")))["error"] == "is_archived"
    reaction = client.reactions_add(channel="C0TEAM", timestamp=own["ts"], name="eyes")
    assert (await error_of(reaction))["error"] == "is_archived"


async def test_a_deleted_message_can_not_be_edited(slack: LocalSlack, client: AsyncWebClient) -> None:
    ts = (await client.chat_postMessage(channel="C0TEAM", text="x"))["ts"]
    await slack.delete("ann", slack.message("#team", ts))
    assert (await error_of(client.chat_update(channel="C0TEAM", ts=ts, text="y")))[
        "error"
    ] == "message_not_found"
    reply = client.chat_postMessage(channel="C0TEAM", text="y", thread_ts=ts)
    assert (await error_of(reply))["error"] == "thread_not_found"


async def test_metadata_is_read_in_full_where_all_of_it_is_asked_for(client: AsyncWebClient) -> None:
    metadata = {"event_type": "run", "event_payload": {"key": "r-1"}}
    root = (await client.chat_postMessage(channel="C0TEAM", text="root", metadata=metadata))["ts"]
    await client.chat_update(channel="C0TEAM", ts=root, text="edited")
    for read in (client.conversations_history, client.conversations_replies):
        arguments: dict[str, Any] = {"channel": "C0TEAM", "ts": root}
        assert (await read(**arguments))["messages"][0]["metadata"] == {"event_type": "run"}
        whole = await read(**arguments, include_all_metadata=True)
        assert whole["messages"][0]["metadata"] == metadata


async def test_threads_have_a_root_replies_and_pages(slack: LocalSlack, client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel="C0TEAM", text="root"))["ts"]
    for number in range(5):
        await client.chat_postMessage(
            channel="C0TEAM", text=f"r{number}", thread_ts=root, reply_broadcast=number == 4
        )
    replies = slack.messages("#team", root)
    assert [reply.text for reply in replies] == ["r0", "r1", "r2", "r3", "r4"]
    first = await client.conversations_replies(channel="C0TEAM", ts=replies[0].ts, limit=3)
    assert [m["text"] for m in first["messages"]] == ["root", "r0", "r1", "r2"]
    assert first["messages"][0]["reply_count"] == 5
    assert first["messages"][1]["parent_user_id"] == "U0CODE"
    cursor = first["response_metadata"]["next_cursor"]
    rest = await client.conversations_replies(channel="C0TEAM", ts=root, limit=3, cursor=cursor)
    assert [m["text"] for m in rest["messages"]] == ["root", "r3", "r4"]
    assert not rest["has_more"]
    shown = await client.conversations_history(channel="C0TEAM")
    assert [m["text"] for m in shown["messages"]] == ["r4", "root"]
    window: dict[str, Any] = {"oldest": replies[1].ts, "latest": replies[3].ts}
    between = await client.conversations_replies(channel="C0TEAM", ts=root, **window)
    assert [m["text"] for m in between["messages"]] == ["root", "r2"]
    around = await client.conversations_replies(channel="C0TEAM", ts=root, inclusive=True, **window)
    assert [m["text"] for m in around["messages"]] == ["root", "r1", "r2", "r3"]
    nested = client.chat_postMessage(channel="C0TEAM", text="x", thread_ts=replies[0].ts)
    assert (await error_of(nested))["error"] == "cannot_reply_to_message"
    await slack.delete("ben", slack.message("#team", root))
    thread = await client.conversations_replies(channel="C0TEAM", ts=root)
    assert thread["messages"][0]["subtype"] == "tombstone"
    history = await client.conversations_history(channel="C0TEAM")
    assert history["messages"][-1]["subtype"] == "tombstone"


async def test_links_lead_to_messages_and_into_threads(client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel="C0TEAM", text="root"))["ts"]
    reply = (await client.chat_postMessage(channel="C0TEAM", text="reply", thread_ts=root))["ts"]
    link = (await client.chat_getPermalink(channel="C0TEAM", message_ts=root))["permalink"]
    assert link == f"https://local.slack.com/archives/C0TEAM/p{root.replace('.', '')}"
    link = (await client.chat_getPermalink(channel="C0TEAM", message_ts=reply))["permalink"]
    assert link.endswith(f"?thread_ts={root}&cid=C0TEAM")


async def test_channels_are_described_joined_and_opened(slack: LocalSlack, client: AsyncWebClient) -> None:
    facts = (await client.conversations_info(channel="C0OPEN"))["channel"]
    assert (facts["is_member"], facts["is_private"], facts["is_ext_shared"]) == (False, False, False)
    assert (await client.conversations_info(channel="C0SHARED"))["channel"]["is_ext_shared"]
    assert (await client.conversations_info(channel="D0ANN"))["channel"]["user"] == "U0ANN"
    assert (await client.conversations_join(channel="C0OPEN"))["channel"]["is_member"]
    assert (await client.conversations_join(channel="C0OPEN"))["warning"] == "already_in_channel"
    assert (await client.conversations_members(channel="C0OPEN"))["members"] == ["U0ANN", "U0BEN", "U0CODE"]
    assert (await client.conversations_open(users="U0ANN"))["channel"]["id"] == "D0ANN"
    assert (await client.conversations_open(channel="D0BEN"))["channel"]["id"] == "D0BEN"
    opened = (await client.conversations_open(users="U0OTHERBOT"))["channel"]["id"]
    assert (await client.chat_postMessage(channel="U0OTHERBOT", text="hi"))["channel"] == opened
    await client.chat_postMessage(channel="C0SHARED", text="welcome")
    slack.kick("#shared")
    assert (await error_of(client.conversations_history(channel="C0SHARED")))["error"] == "not_in_channel"


async def test_reactions_come_go_and_are_remembered(slack: LocalSlack, client: AsyncWebClient) -> None:
    message = await slack.say("ann", "#team", "please")
    target: dict[str, Any] = {"channel": "C0TEAM", "timestamp": message.ts}
    await client.reactions_add(**target, name="eyes")
    assert (await error_of(client.reactions_add(**target, name="eyes")))["error"] == "already_reacted"
    await slack.react("ben", message, "eyes")
    assert message.reactions == {"eyes": ["U0CODE", "U0BEN"]}
    shown = (await client.reactions_get(**target))["message"]["reactions"]
    assert shown == [{"name": "eyes", "users": ["U0CODE", "U0BEN"], "count": 2}]
    await client.reactions_remove(**target, name="eyes")
    assert (await error_of(client.reactions_remove(**target, name="eyes")))["error"] == "no_reaction"
    assert [(change.user, change.added) for change in message.reaction_log] == [
        ("U0CODE", True),
        ("U0BEN", True),
        ("U0CODE", False),
    ]
    for number in range(22):
        await client.reactions_add(**target, name=f"e{number}")
    assert (await error_of(client.reactions_add(**target, name="more")))["error"] == "too_many_emoji"


async def test_whispers_reach_one_person(slack: LocalSlack, client: AsyncWebClient) -> None:
    await client.chat_postEphemeral(channel="C0TEAM", user="U0ANN", text="psst", blocks=[TEXT])
    [whisper] = slack.ephemerals("ann", "#team")
    assert (whisper.via, slack.visible(whisper)) == ("api", "hello @ann & all")
    assert slack.ephemerals("ben") == []
    assert slack.ephemerals("ann", "#private") == []
    assert "(to ann alone, api) hello @ann & all" in slack.transcript()


async def test_agents_have_sessions_and_others_are_refused(slack: LocalSlack, client: AsyncWebClient) -> None:
    root = (await client.chat_postMessage(channel="C0TEAM", text="root"))["ts"]
    call: dict[str, Any] = {"channel_id": "C0TEAM", "thread_ts": root}
    for status in ("processing", "closed"):
        await client.api_call("agents.sessions.setStatus", params={**call, "status": status})
    assert slack.session(slack.message("#team", root)).statuses == ["processing", "closed"]
    await client.assistant_threads_setStatus(**call, status="is thinking…")
    await client.assistant_threads_setSuggestedPrompts(**call, prompts=[{"title": "t", "message": "m"}])
    slack.access.agents = False
    refused = await error_of(client.assistant_threads_setStatus(**call, status=""))
    assert refused["error"] == "feature_disabled"


async def test_timestamps_rise_whatever_the_clock_does(slack: LocalSlack, client: AsyncWebClient) -> None:
    posted = [(await client.chat_postMessage(channel="C0TEAM", text=str(n)))["ts"] for n in range(20)]
    assert posted == sorted(set(posted))
    assert [message.ts for message in slack.messages("#team")] == posted
