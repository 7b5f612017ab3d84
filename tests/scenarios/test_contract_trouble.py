"""Slack or the service in trouble, in the middle of a run: it still ends right, and says so."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.slack import Message
from tests.support.cloudcoding import Cut, Open, Out, Raw, Say, Silent, Step, Wait
from tests.support.world import GITHUB_TOKEN, World, world


def reactions(message: Message) -> set[str]:
    return {name for name, users in message.reactions.items() if users}


# Slack


OUTAGES = [
    {"method": "users.info", "status": 500},
    {"method": "chat.postMessage", "status": 502},
    {"method": "chat.update", "status": 503, "applied": True},
    {"method": "reactions.add", "status": 500},
    {"method": "upload", "status": 500},
]
LIMITS = [
    {"method": "chat.update", "error": "ratelimited", "retry_after": 2},
    {"method": "reactions.add", "error": "rate_limited", "retry_after": 1},
]
COMPLAINTS = [
    {"method": "chat.update", "error": "msg_too_long"},
    {"method": "conversations.join", "error": "missing_scope", "times": None},
]


@pytest.mark.parametrize("troubles", [OUTAGES, LIMITS, COMPLAINTS], ids=["outages", "limits", "complaints"])
async def test_trouble_that_passes_is_not_seen(bot: World, troubles: list[dict[str, Any]]) -> None:
    lines = "".join(f"line {number}\n" for number in range(60))
    faults = [bot.slack.fail(**trouble) for trouble in troubles]
    go_on = asyncio.Event()
    bot.serve(Out("begin\n"), Wait(go_on), Out(lines), Say("The answer."))
    asked = await bot.slack.say("ann", "#team", "@code go")
    root = await bot.root()
    await bot.says(root, "Running")
    edits = next(fault for fault in faults if fault.method == "chat.update")
    await bot.slack.wait_for(lambda: edits.hits)
    go_on.set()
    await bot.slack.wait_for(lambda: "The answer." in bot.slack.transcript(), timeout=15)
    await bot.says(root, "Done", "line 59", "61 lines")
    await bot.shows(root, "Done", "[Retry]")
    await bot.slack.wait_for(lambda: [file for file in bot.slack.files if file.shares])
    await bot.slack.wait_for(lambda: reactions(asked) == {"white_check_mark"})
    assert all(fault.hits for fault in faults)
    assert len(bot.cloud.requests) == 1
    assert len(bot.roots()) == 1
    assert len(bot.thread(root)) == 2  # the task and the answer
    edited = [call for call in bot.slack.calls if call.method == "chat.update"]
    refused = next((call for call in edited if call.error in {"ratelimited", "rate_limited"}), None)
    assert refused is None or not [call for call in edited if 0 < call.at - refused.at < 2]


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal"])
async def test_a_log_that_can_not_be_attached_is_said(bot: World, method: str) -> None:
    bot.slack.fail(method, error="invalid_arguments", times=None)
    bot.serve(Out("line\n" * 100), Say("The answer."))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "The answer.")
    await bot.says(root, "could not be attached")
    await bot.shows(root, "Done")


@pytest.mark.parametrize("what", ["archive", "revoke"])
async def test_a_run_outlives_its_channel(bot: World, what: str) -> None:
    go_on = asyncio.Event()
    bot.serve(Out("begin\n"), Wait(go_on), Out("line\n" * 100), Say("The answer."))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "begin")
    if what == "revoke":
        bot.slack.revoke()
    else:
        bot.slack.archive("#team")
    go_on.set()
    await bot.cloud.requests[0].finished.wait()
    assert bot.bot is not None
    await bot.bot.queue.drain(5)
    assert bot.database.rows("SELECT state FROM runs") == [("done",)]


async def test_a_deleted_task_message_does_not_hold_up_the_rest(bot: World) -> None:
    go_on = asyncio.Event()
    bot.serve(Out("a\n", "a"), Out("b\n", "b"), Wait(go_on), Out("a2\n", "a"), Out("b2\n", "b"), Say("All."))
    await bot.code("parallel\na: one\nb: two")
    root = await bot.root()
    first = await bot.says(root, "a", "Running")
    second = await bot.says(root, "b", "Running")
    await bot.slack.delete("ann", first if "a\n" in bot.slack.visible(first) else second)
    go_on.set()
    await bot.shows(root, "Done")
    await bot.says(root, "All.")


async def test_a_command_to_a_bot_that_ends_is_given_back_at_once_while_slack_hangs(bot: World) -> None:
    assert bot.bot is not None
    await bot.bot.queue.drain(0)
    bot.slack.fail("*", timeout=60, times=None)
    delivery = await bot.slack.command("ann", "#team", "/code", f"use {GITHUB_TOKEN}")
    assert delivery.accepted
    (told,) = bot.slack.ephemerals("ann", "#team")
    assert told.via == "ack"
    assert "restarting" in told.text
    assert "use [redacted]" in told.text
    bot.slack.heal()


async def test_a_command_that_is_acknowledged_before_it_is_stored_is_given_back_with_the_acknowledgement(
    bot: World,
) -> None:
    bot.serve(Out("stored after all\n"))
    with bot.database.locked():
        delivery = await bot.slack.command("ann", "#team", "/code", f"use {GITHUB_TOKEN}")
        assert delivery.accepted
        (told,) = bot.slack.ephemerals("ann", "#team")
        assert told.via == "ack"
        assert "not stored yet" in told.text
        assert "use [redacted]" in told.text
    await bot.says(await bot.root(), "Done", "stored after all")
    assert len(bot.slack.ephemerals("ann", "#team")) == 1


async def test_the_last_delivery_of_a_message_is_taken_up_or_given_back_once_that_is_certain(
    bot: World,
) -> None:
    with bot.database.refusing():
        await bot.slack.say("ann", "#team", "@code lost for good")
        (delivery,) = [one for one in bot.slack.deliveries if "app_mention" in str(one.event)]
        await bot.slack.redeliver(delivery, number=3)
        await bot.told("ann", "not stored yet")
    await bot.told("ann", "not started")
    assert [one.text.count("lost for good") for one in bot.slack.ephemerals("ann", "#team")] == [1, 1]
    await bot.slack.redeliver(delivery, number=3)
    assert not bot.roots()


async def test_a_log_waits_for_the_database(bot: World) -> None:
    go_on = asyncio.Event()
    output = "".join(f"line {number}\n" for number in range(99))
    bot.serve(Out(output), Wait(go_on), Say("It is done."))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "line 98")
    with bot.database.refusing():
        go_on.set()
        await bot.shows(root, "Done")
        await asyncio.sleep(0.5)  # in which a first attempt fails
    await bot.says(root, "It is done.")
    (file,) = bot.slack.files
    assert file.text == output


async def test_an_answer_outlasts_an_outage_of_slack(bot: World) -> None:
    bot.slack.fail("response_url", status=503)
    away = bot.slack.fail("chat.postEphemeral", status=503, times=3)
    await bot.slack.command("ann", "#team", "/code", "help")
    await bot.slack.wait_for(lambda: bot.slack.ephemerals("ann", "#team"), timeout=15)
    assert away.hits == 3


async def test_an_answer_outlasts_an_outage_also_where_the_bot_is_no_member(bot: World) -> None:
    away = bot.slack.fail("response_url", error="ratelimited", retry_after=1)
    await bot.slack.command("ann", "#open", "/code", "help")
    await bot.slack.wait_for(lambda: bot.slack.ephemerals("ann", "#open"), timeout=15)
    assert away.hits == 1


async def test_a_bot_that_ends_first_gives_the_answers_that_it_owes(bot: World) -> None:
    hanging = bot.slack.fail("response_url", timeout=1)
    await bot.slack.command("ann", "#team", "/code", "help")
    assert bot.bot is not None
    await bot.bot.drain(0)
    assert hanging.hits == 1
    assert bot.slack.ephemerals("ann", "#team")


@pytest.mark.parametrize("trouble", [{"status": 404}, {"error": "used_url"}])
async def test_answers_find_another_way(bot: World, trouble: dict[str, object]) -> None:
    bot.slack.fail("response_url", times=None, **trouble)  # type: ignore[arg-type]  # as the parameters say
    bot.slack.fail("chat.postEphemeral", status=503)
    await bot.code("model=opus x")
    answer = await bot.slack.wait_for(lambda: bot.slack.ephemerals("ann", "#team")[0], timeout=12)
    assert "model=opus" in answer.text


# The service


@pytest.mark.parametrize(
    ("status", "retry_after", "body", "words", "requests"),
    [
        (400, None, {"error": "bad branch <x>"}, ["refused this request", "bad branch"], 1),
        (401, None, None, ["refused the API key", "CLOUDCODING_API_KEY"], 1),
        (402, None, None, ["out of credit"], 1),
        (403, None, None, ["refused the API key"], 1),
        (404, None, {"detail": "No such repo"}, ["refused this request", "No such repo"], 1),
        (422, None, {"detail": [{"msg": "field required"}]}, ["field required"], 1),
        (429, 3600, None, ["HTTP 429", "Nothing was started"], 1),
        (503, 3600, None, ["HTTP 503"], 1),
    ],
)
async def test_a_refusal_is_on_every_message(
    bot: World, status: int, retry_after: int | None, body: object, words: list[str], requests: int
) -> None:
    bot.cloud.fail_next(status, retry_after=retry_after, body=body)
    asked = await bot.slack.say("ann", "#team", "@code parallel\na: one\nb: two")
    root = await bot.root()
    seen = await bot.shows(root, "Failed", "[Retry]", *words)
    assert "[Stop]" not in seen
    for name in "ab":
        await bot.says(root, "Failed", name)
    await bot.slack.wait_for(lambda: reactions(asked) == {"x"})
    assert len(bot.cloud.requests) == requests


@pytest.mark.parametrize(
    ("begins", "breaks"),
    [
        (Silent(), None),
        (Out("half"), Cut()),
        (Out("half"), None),
        (Raw(b'event: custom\ndata: {"stdout": "half"}\n\nevent: cus'), Cut()),
    ],
)
async def test_a_stream_that_breaks_is_interrupted(tmp_path: Path, begins: Step, breaks: Step | None) -> None:
    async with world(tmp_path) as it, it.running(CLOUDCODING_IDLE_TIMEOUT="0.5"):
        it.serve(begins, breaks or Wait(asyncio.Event()))
        asked = await it.slack.say("ann", "#team", "@code go")
        root = await it.root()
        await it.shows(root, "Interrupted", "[Retry]", "look at the branch")
        await it.says(root, "Interrupted", *(["half"] if not isinstance(begins, Silent) else []))
        await it.slack.wait_for(lambda: reactions(asked) == {"x"})
        assert len(it.cloud.requests) == 1


async def test_a_web_page_is_no_stream(bot: World) -> None:
    bot.serve(Open("text/html"), Raw(b"<html>Sign in</html>"))
    await bot.code("go")
    root = await bot.root()
    await bot.shows(root, "Failed", "[Retry]")
    await bot.says(root, "Failed")
    assert len(bot.cloud.requests) == 1


async def test_nothing_at_all_is_done(bot: World) -> None:
    bot.serve()
    await bot.code("go")
    root = await bot.root()
    await bot.shows(root, "Done", "[Retry]")
    await bot.says(root, "Done", "0 lines")
