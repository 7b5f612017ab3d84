"""Frames and answers as they go over the wire, and what every refusal of Slack's becomes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient
from structlog.testing import capture_logs

from bot.clock import Clock
from bot.core.run import RunState
from bot.errors import (
    ChannelClosed,
    MessageGone,
    SlackError,
    SlackLimited,
    SlackRejected,
    SlackUnauthorized,
    SlackUnavailable,
    SlackUnsure,
)
from bot.model import Audience, MessageRef, Options, Place
from bot.runs.frames import NoteFrame, RunFrame
from bot.runs.ports import Notice, Reaction
from bot.simulator.slack import LocalSlack
from bot.slack.finding import CLOCKS
from bot.slack.messenger import SlackMessenger
from bot.slack.people import REMEMBERED, People

TEAM = "T0LOCAL"
ROOM = Place(TEAM, "C0TEAM")
NOTE = NoteFrame("*Hello* <@U0ANN> &lt;3")


class Time:
    """A clock that moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> Clock:
        return Clock(wall=lambda: self.now, monotonic=lambda: self.now)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as shared:
        yield shared


@pytest.fixture
async def slack() -> AsyncIterator[LocalSlack]:
    async with LocalSlack(limits=None) as local:
        yield local


@pytest.fixture
def time() -> Time:
    return Time()


def client_of(
    url: str, session: aiohttp.ClientSession, token: str = "xoxb-local-bot-token"
) -> AsyncWebClient:
    return AsyncWebClient(token, base_url=url, session=session, retry_handlers=[])


@pytest.fixture
def messenger(slack: LocalSlack, session: aiohttp.ClientSession, time: Time) -> SlackMessenger:
    return SlackMessenger(client_of(slack.api_url, session), session, time.clock())


@asynccontextmanager
async def answering(answer: web.Response | None) -> AsyncIterator[str]:
    """A server that gives every call this answer, or (``None``) hangs up; its address."""

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/"
    finally:
        await runner.cleanup()


def run_frame(prompt: str = "fix the login") -> RunFrame:
    return RunFrame("r-1", RunState.QUEUED, "U0ANN", prompt, (), Options(repo="acme/api"))


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_frame_is_posted_in_the_channel_without_previews(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    ref = await messenger.post(ROOM, NOTE)
    (message,) = slack.messages("#team")
    assert ref == MessageRef("C0TEAM", message.ts)
    assert "Hello" in slack.visible(message)
    (call,) = slack.calls
    assert (call.args["unfurl_links"], call.args["unfurl_media"]) == (False, False)
    assert "thread_ts" not in call.args


async def test_a_frame_is_posted_in_a_thread(slack: LocalSlack, messenger: SlackMessenger) -> None:
    root = await messenger.post(ROOM, run_frame())
    await messenger.post(Place(TEAM, "C0TEAM", root.ts), NOTE)
    (reply,) = slack.messages("#team", root.ts)
    assert "Hello" in slack.visible(reply)


async def test_a_message_is_edited_in_place_without_a_label(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    ref = await messenger.post(ROOM, run_frame("first words"))
    await messenger.update(ROOM, ref, run_frame("other words"))
    (message,) = slack.messages("#team")
    assert "other words" in slack.visible(message)
    assert "first words" not in slack.visible(message)
    assert not message.edited


@pytest.mark.parametrize("code", ["invalid_blocks", "msg_too_long", "msg_blocks_too_long", "block_mismatch"])
async def test_a_frame_that_slack_rejects_is_sent_bare(
    slack: LocalSlack, messenger: SlackMessenger, code: str
) -> None:
    slack.fail("chat.postMessage", error=code)
    ref = await messenger.post(ROOM, run_frame("a secret plan"))
    (message,) = slack.messages("#team")
    assert "Queued" in slack.visible(message)
    slack.fail("chat.update", error=code)
    await messenger.update(ROOM, ref, run_frame("a secret plan"))
    assert slack.counts["chat.update"] == 2


async def test_a_rejection_is_logged_without_the_frames_content(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    slack.fail("chat.postMessage", error="invalid_blocks")
    with capture_logs() as logged:
        await messenger.post(ROOM, run_frame("a secret plan"))
    (line,) = [entry for entry in logged if entry["event"] == "slack.rejected"]
    assert "invalid_blocks" in line["error"]
    assert line["frame"] == "RunFrame"
    assert "secret plan" not in str(logged)


async def test_a_frame_that_slack_rejects_twice_is_given_up(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    slack.fail("chat.postMessage", error="invalid_blocks", times=None)
    with pytest.raises(SlackRejected) as caught:
        await messenger.post(ROOM, NOTE)
    assert caught.value.code == "invalid_blocks"
    assert slack.counts["chat.postMessage"] == 2


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("message_not_found", MessageGone),
        ("edit_window_closed", MessageGone),
        ("cant_update_message", MessageGone),
        ("channel_not_found", ChannelClosed),
        ("not_in_channel", ChannelClosed),
        ("is_archived", ChannelClosed),
        ("restricted_action", ChannelClosed),
        ("restricted_action_read_only_channel", ChannelClosed),
        ("msg_blocked_by_policy", ChannelClosed),
        ("invalid_auth", SlackUnauthorized),
        ("not_authed", SlackUnauthorized),
        ("token_revoked", SlackUnauthorized),
        ("token_expired", SlackUnauthorized),
        ("account_inactive", SlackUnauthorized),
        ("missing_scope", SlackUnauthorized),
        ("no_permission", SlackUnauthorized),
        ("internal_error", SlackUnsure),
        ("fatal_error", SlackUnsure),
        ("service_unavailable", SlackUnsure),
        ("request_timeout", SlackUnavailable),
        ("something_new", SlackRejected),
    ],
)
async def test_each_refusal_has_its_meaning(
    slack: LocalSlack, messenger: SlackMessenger, code: str, kind: type[SlackError]
) -> None:
    ref = await messenger.post(ROOM, NOTE)
    slack.fail("chat.update", error=code, times=None)
    with pytest.raises(kind) as caught:
        await messenger.update(ROOM, ref, NOTE)
    assert type(caught.value) is kind
    assert caught.value.code == code


async def test_a_rate_limit_says_how_long(slack: LocalSlack, messenger: SlackMessenger) -> None:
    for code in ("ratelimited", "rate_limited"):
        slack.fail("chat.postMessage", error=code, retry_after=7)
        with pytest.raises(SlackLimited) as caught:
            await messenger.post(ROOM, NOTE)
        assert caught.value.retry_after == 7
    slack.fail("chat.postMessage", status=429, retry_after=9)
    with pytest.raises(SlackLimited) as caught:
        await messenger.post(ROOM, NOTE)
    assert caught.value.retry_after == 9
    assert slack.counts["chat.postMessage"] == 3


@pytest.mark.parametrize("said", [None, "", "soon", "-3", "0"])
async def test_a_rate_limit_without_a_proper_time_still_waits(
    session: aiohttp.ClientSession, time: Time, said: str | None
) -> None:
    headers = {} if said is None else {"Retry-After": said}
    async with answering(
        web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
    ) as url:
        with pytest.raises(SlackLimited) as caught:
            await SlackMessenger(client_of(url, session), session, time.clock()).post(ROOM, NOTE)
    assert caught.value.retry_after >= 1


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(status=500, text="oh no"),
        web.Response(status=503, text="<html>", content_type="text/html"),
        web.json_response({"ok": False, "error": "invalid_blocks"}, status=502),
        web.Response(text="<html>", content_type="text/html"),
        web.json_response({"ok": False}),
        web.json_response({}),
        web.json_response({"ok": True}),
        web.json_response(["ok"]),
        web.Response(text="ok"),
        web.Response(body=b"{oops", content_type="application/json"),
        web.Response(body=b'{"\xff', content_type="application/json"),
    ],
    ids=["500", "503", "502", "html", "no code", "empty", "no ts", "list", "text", "no JSON", "no UTF-8"],
)
async def test_what_makes_no_sense_means_that_slack_is_unavailable(
    session: aiohttp.ClientSession, time: Time, answer: web.Response
) -> None:
    async with answering(answer) as url:
        with pytest.raises(SlackUnsure):
            await SlackMessenger(client_of(url, session), session, time.clock()).post(ROOM, NOTE)


async def test_no_answer_means_that_slack_is_unavailable(session: aiohttp.ClientSession, time: Time) -> None:
    async with answering(None) as url:
        with pytest.raises(SlackUnsure):
            await SlackMessenger(client_of(url, session), session, time.clock()).post(ROOM, NOTE)
    with pytest.raises(SlackUnavailable) as caught:  # nobody listens there any more
        await SlackMessenger(client_of(url, session), session, time.clock()).post(ROOM, NOTE)
    assert type(caught.value) is SlackUnavailable, "nothing was sent"


async def test_silence_means_that_slack_is_unavailable(
    slack: LocalSlack, session: aiohttp.ClientSession, time: Time
) -> None:
    client = client_of(slack.api_url, session)
    client.timeout = 0
    with pytest.raises(SlackUnsure):
        await SlackMessenger(client, session, time.clock()).post(ROOM, NOTE)


async def test_the_token_goes_in_a_header_only(slack: LocalSlack, messenger: SlackMessenger) -> None:
    await messenger.post(ROOM, NOTE)
    assert slack.bot_token not in str(slack.calls)


async def test_an_answer_by_response_url(slack: LocalSlack, messenger: SlackMessenger) -> None:
    url = slack.workspace.new_response_url("C0TEAM", "U0ANN")
    await messenger.tell(
        Audience(TEAM, "C0TEAM", "U0ANN", response_url=url), Notice("Nothing was started.", open_form=True)
    )
    (told,) = slack.ephemerals("ann")
    assert told.via == "response_url"
    assert "Nothing was started." in slack.visible(told)
    assert "[" in slack.visible(told)  # the button
    assert slack.counts["chat.postEphemeral"] == 0


@pytest.mark.parametrize("trouble", ["refused", "broken", "gone", "nonsense"])
async def test_an_answer_falls_back_to_the_web_api(
    slack: LocalSlack, messenger: SlackMessenger, trouble: str
) -> None:
    root = await messenger.post(ROOM, NOTE)
    url = slack.workspace.new_response_url("C0TEAM", "U0ANN")
    if trouble == "refused":
        slack.fail("response_url", status=404)
    if trouble == "broken":
        slack.fail("response_url", timeout=0.01)
    url = {"gone": "http://127.0.0.1:1/x", "nonsense": "not an address"}.get(trouble, url)
    await messenger.tell(Audience(TEAM, "C0TEAM", "U0ANN", root.ts, url), Notice("No."))
    (told,) = slack.ephemerals("ann")
    assert (told.via, told.thread_ts) == ("api", root.ts)


async def test_an_answer_that_fails_both_ways_is_an_error(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    with pytest.raises(ChannelClosed):
        await messenger.tell(Audience(TEAM, "C0HIDDEN", "U0ANN"), Notice("No."))
    assert slack.ephemerals("ann") == []


async def test_a_file_is_streamed_into_its_thread(slack: LocalSlack, messenger: SlackMessenger) -> None:
    root = await messenger.post(ROOM, NOTE)
    name = await messenger.upload("task é.log", 11, chunks(b"hello ", b"", b"world"))
    assert not await messenger.is_shared(name)
    assert slack.messages("#team", root.ts) == []
    await messenger.share(Place(TEAM, "C0TEAM", root.ts), "task é.log", name)
    assert await messenger.is_shared(name)
    (file,) = slack.files
    assert (file.name, file.title, file.content, file.completed) == (
        "task é.log",
        "task é.log",
        b"hello world",
        True,
    )
    (reply,) = slack.messages("#team", root.ts)
    assert reply.files == [file]


async def test_a_message_is_found_by_its_key(slack: LocalSlack, messenger: SlackMessenger) -> None:
    begun = slack.workspace.times.wall()
    root = await messenger.post(ROOM, run_frame(), "r-1:root")
    thread = Place(TEAM, "C0TEAM", root.ts)
    reply = await messenger.post(thread, run_frame(), "r-1:task:1")
    await messenger.post(thread, run_frame())
    for number in range(450):
        await slack.say("ann", "#team", f"chatter {number}")
    await messenger.update(ROOM, root, run_frame("other words"))
    assert await messenger.find(ROOM, "r-1:root", begun) == root
    assert await messenger.find(thread, "r-1:task:1", begun) == reply
    assert await messenger.find(ROOM, "r-1:task:1", begun) is None, "it is elsewhere"
    assert await messenger.find(ROOM, "r-2:root", begun) is None
    assert await messenger.find(ROOM, "r-1:root", begun + CLOCKS + 60) is None, "it was posted before"
    assert await messenger.find(Place(TEAM, "C0TEAM", "1.000001"), "r-1:root", begun) is None


async def test_a_message_is_found_where_only_members_may_read(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    public = Place(TEAM, "C0OPEN")
    posted = await messenger.post(public, NOTE, "r-1:root")
    assert await messenger.find(public, "r-1:root", 0.0) == posted
    slack.kick("#team")
    slack.fail("conversations.join", error="method_not_supported_for_channel_type")
    with pytest.raises(ChannelClosed):
        await messenger.find(ROOM, "r-1:root", 0.0)


async def test_a_file_is_shared_once_although_no_answer_came(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    root = await messenger.post(ROOM, NOTE)
    thread = Place(TEAM, "C0TEAM", root.ts)
    for name, applied in (("one.log", True), ("two.log", False)):
        file = await messenger.upload(name, 2, chunks(b"hi"))
        slack.fail("files.completeUploadExternal", status=503, applied=applied)
        slack.fail("files.info", error="ratelimited", retry_after=1)
        await messenger.share(thread, name, file)
        assert await messenger.is_shared(file)
    shown = [file.name for reply in slack.messages("#team", root.ts) for file in reply.files]
    assert shown == ["one.log", "two.log"]


async def test_whether_a_file_was_shared_is_asked_of_slack(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    file = await messenger.upload("task.log", 2, chunks(b"hi"))
    slack.fail("files.info", error="file_deleted")
    assert await messenger.is_shared(file), "somebody took it away"
    slack.fail("files.info", status=500)
    with pytest.raises(SlackUnavailable):
        await messenger.is_shared(file)
    slack.fail("files.info", error="missing_scope")
    assert not await messenger.is_shared(file)


async def test_an_upload_that_fails_is_not_completed(slack: LocalSlack, messenger: SlackMessenger) -> None:
    slack.fail("upload", status=500)
    with pytest.raises(SlackUnavailable):
        await messenger.upload("task.log", 2, chunks(b"hi"))
    slack.fail("upload", timeout=0.01)
    with pytest.raises(SlackUnavailable):
        await messenger.upload("task.log", 2, chunks(b"hi"))
    slack.fail("files.getUploadURLExternal", error="missing_scope")
    with pytest.raises(SlackUnauthorized):
        await messenger.upload("task.log", 2, chunks(b"hi"))
    assert slack.counts["files.completeUploadExternal"] == 0
    assert slack.messages("#team") == []


async def test_a_reaction_is_set_and_the_earlier_one_taken_back(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    ref = await messenger.post(ROOM, NOTE)
    await messenger.react(ROOM, ref.ts, Reaction.TAKEN, None)
    await messenger.react(ROOM, ref.ts, Reaction.DONE, Reaction.TAKEN)
    assert list(slack.message("#team", ref.ts).reactions) == ["white_check_mark"]


async def test_a_reaction_that_slack_refuses_is_no_error(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    ref = await messenger.post(ROOM, NOTE)
    await messenger.react(ROOM, ref.ts, Reaction.TAKEN, Reaction.WAITING)  # the second was never set
    await messenger.react(ROOM, ref.ts, Reaction.TAKEN, None)  # already set
    await messenger.react(ROOM, "1.000001", Reaction.TAKEN, None)
    slack.fail("reactions.add", error="too_many_emoji")
    await messenger.react(ROOM, ref.ts, Reaction.DONE, None)
    slack.revoke()
    await messenger.react(ROOM, ref.ts, Reaction.DONE, None)
    assert list(slack.message("#team", ref.ts).reactions) == ["eyes"]


async def test_a_limited_reaction_is_tried_again_and_then_left(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    once, never = await messenger.post(ROOM, NOTE), await messenger.post(ROOM, NOTE)
    slack.fail("reactions.add", error="ratelimited", when=lambda args: args["timestamp"] == once.ts)
    slack.fail(
        "reactions.add", error="ratelimited", when=lambda args: args["timestamp"] == never.ts, times=None
    )
    await asyncio.gather(*(messenger.react(ROOM, ref.ts, Reaction.TAKEN, None) for ref in (once, never)))
    assert list(slack.message("#team", once.ts).reactions) == ["eyes"]
    assert list(slack.message("#team", never.ts).reactions) == []
    assert slack.counts["reactions.add"] == 5


async def test_who_people_are(slack: LocalSlack, messenger: SlackMessenger) -> None:
    ann = await messenger.person(TEAM, "U0ANN")
    assert (ann.id, ann.team, ann.is_bot, ann.is_guest, ann.is_stranger, ann.deleted) == (
        "U0ANN", TEAM, False, False, False, False,
    )  # fmt: skip
    assert ann.name
    assert (await messenger.person(TEAM, "U0GUEST")).is_guest
    assert (await messenger.person(TEAM, "U0STRANGER")).is_stranger
    assert (await messenger.person(TEAM, "U0GONE")).deleted
    assert (await messenger.person(TEAM, "U0OTHERBOT")).is_bot
    with pytest.raises(SlackRejected):
        await messenger.person(TEAM, "U0NOBODY")
    assert slack.counts["users.info"] == 6


@pytest.mark.parametrize(
    ("user", "stranger", "bot"),
    [
        ({"team_id": "T0OTHER", "enterprise_user": {"teams": [TEAM, "T2"]}}, False, False),
        ({"team_id": "T0OTHER", "enterprise_user": {"enterprise_id": "E1", "teams": ["T2"]}}, True, False),
        ({"team_id": TEAM, "is_workflow_bot": True}, False, True),
        ({"team_id": TEAM, "profile": {"real_name": "X"}}, False, False),
        ({}, False, False),
        (None, False, False),
    ],
)
async def test_people_of_an_organisation_and_odd_answers(
    session: aiohttp.ClientSession, time: Time, user: object, *, stranger: bool, bot: bool
) -> None:
    async with answering(web.json_response({"ok": True, "user": user})) as url:
        person = await People(client_of(url, session), time.clock()).get(TEAM, "U1")
    assert (person.is_stranger, person.is_bot) == (stranger, bot)


async def test_people_are_remembered_for_five_minutes(
    slack: LocalSlack, messenger: SlackMessenger, time: Time
) -> None:
    await messenger.person(TEAM, "U0ANN")
    time.now += REMEMBERED - 1
    await messenger.person(TEAM, "U0ANN")
    assert slack.counts["users.info"] == 1
    time.now += 1
    await messenger.person(TEAM, "U0ANN")
    assert slack.counts["users.info"] == 2
    messenger.forget("U0ANN")
    await messenger.person(TEAM, "U0ANN")
    assert slack.counts["users.info"] == 3


async def test_lookups_at_the_same_time_share_one_call(slack: LocalSlack, messenger: SlackMessenger) -> None:
    people = await asyncio.gather(*(messenger.person(TEAM, "U0ANN") for _ in range(5)))
    assert len(set(people)) == 1
    assert slack.counts["users.info"] == 1


async def test_a_lookup_that_failed_is_tried_again(slack: LocalSlack, messenger: SlackMessenger) -> None:
    slack.fail("users.info", status=500, times=3)
    results = await asyncio.gather(
        *(messenger.person(TEAM, "U0ANN") for _ in range(3)), return_exceptions=True
    )
    assert all(isinstance(result, SlackUnavailable) for result in results)
    assert (await messenger.person(TEAM, "U0ANN")).id == "U0ANN"
    assert slack.counts["users.info"] == 4


async def test_a_lookup_outlasts_a_short_outage(slack: LocalSlack, messenger: SlackMessenger) -> None:
    slack.fail("users.info", status=500)
    assert (await messenger.person(TEAM, "U0ANN")).id == "U0ANN"
    assert slack.counts["users.info"] == 2


async def test_one_who_stops_waiting_does_not_stop_the_others(
    slack: LocalSlack, messenger: SlackMessenger
) -> None:
    impatient = asyncio.create_task(messenger.person(TEAM, "U0ANN"))
    patient = asyncio.create_task(messenger.person(TEAM, "U0ANN"))
    await asyncio.sleep(0)  # both have asked
    impatient.cancel()
    assert (await patient).id == "U0ANN"
    assert slack.counts["users.info"] == 1


async def test_only_so_many_people_are_remembered(
    slack: LocalSlack, session: aiohttp.ClientSession, time: Time
) -> None:
    people = People(client_of(slack.api_url, session), time.clock(), most=2)
    for user in ("U0ANN", "U0BEN", "U0GUEST", "U0GUEST", "U0BEN", "U0ANN"):
        await people.get(TEAM, user)
    asked = [call.args["user"] for call in slack.calls]
    assert asked == ["U0ANN", "U0BEN", "U0GUEST", "U0ANN"]


async def test_joining(slack: LocalSlack, messenger: SlackMessenger) -> None:
    assert await messenger.join(Place(TEAM, "C0OPEN"))
    assert slack.workspace.app.bot_user in slack.workspace.channel("#open").members
    assert await messenger.join(Place(TEAM, "C0TEAM"))
    assert await messenger.join(Place(TEAM, "D0ANN"))
    for closed in ("C0HIDDEN", "C0OLD", "C0NOWHERE"):
        assert not await messenger.join(Place(TEAM, closed))
    slack.fail("conversations.join", error="method_not_supported_for_channel_type")
    assert not await messenger.join(Place(TEAM, "C0OPEN"))


async def test_a_form_is_opened(slack: LocalSlack, messenger: SlackMessenger) -> None:
    trigger = slack.workspace.new_trigger("U0ANN")
    view = {
        "type": "modal",
        "title": {"type": "plain_text", "text": "New run"},
        "blocks": [{"type": "divider"}],
    }
    await messenger.open_view(trigger, view)
    (opened,) = slack.views
    assert opened.user == "U0ANN"
    with pytest.raises(SlackRejected):
        await messenger.open_view(trigger, view)
