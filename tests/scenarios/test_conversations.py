"""What a team does around a run: who may, how it is stopped, and what goes away in its midst."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from bot.simulator.cloudcoding import Stream
from bot.simulator.slack import Message
from bot.simulator.slack.delivery import Delivery, DeliveryKind
from bot.simulator.slack.model import Channel, ChannelKind, Version
from tests.support.cloudcoding import Fail, Out, Say, Silent, Step, Wait
from tests.support.wire import captured_log
from tests.support.world import World, world


async def begun(
    it: World, *steps: Step, prompt: str = "fix the login", user: str = "ann", channel: str = "#team"
) -> Message:
    """The root message of a request that the service answers with these steps."""
    number = len(it.roots(channel))
    it.serve(*steps)
    await it.code(prompt, user=user, channel=channel)
    return await it.root(number, channel)


def run_of(root: Message) -> str:
    """The id that its buttons carry."""
    values = [
        e["value"] for b in root.blocks if b["type"] == "actions" for e in b["elements"] if e.get("value")
    ]
    return str(values[-1])


async def requested(it: World, count: int) -> None:
    """Until the service has been asked this often."""
    async with asyncio.timeout(5):
        while len(it.cloud.requests) < count:  # noqa: ASYNC110  a request is no change in the workspace, which could be waited for
            await asyncio.sleep(0.01)


def states(it: World) -> list[str]:
    """How the database has the runs, in their order."""
    return [state for (state,) in it.database.rows("SELECT state FROM runs ORDER BY created_at, id")]


async def press_as_it_was(it: World, who: str, message: Message, version: Version, label: str) -> Delivery:
    """Press a button that the message showed in an earlier version: the window of whoever does is behind."""
    user = it.slack.workspace.user(who)
    block, button = next(
        (block, element)
        for block in version.blocks
        if block["type"] == "actions"
        for element in block["elements"]
        if element["text"]["text"] == label
    )
    where = {"message_ts": message.ts, "channel_id": message.channel, "is_ephemeral": False}
    if message.thread_ts:
        where["thread_ts"] = message.thread_ts
    return await it.slack.interact(
        it.slack.interaction(
            "block_actions",
            user,
            trigger_id=it.slack.workspace.new_trigger(user.id),
            container={"type": "message", **where},
            channel={"id": message.channel, "name": "team"},
            message={"bot_id": message.bot_id, "ts": message.ts, "text": version.text},
            response_url=it.slack.workspace.new_response_url(message.channel, user.id, message),
            actions=[{**button, "block_id": block["block_id"], "action_ts": it.slack.workspace.next_ts()}],
        )
    )


# Words that are commands, and words that are not


async def test_help_is_a_command_where_it_stands_alone(bot: World) -> None:
    for number, text in enumerate(("help", " Help ", "HELP?"), 1):
        await bot.code(text)
        await bot.slack.wait_for(lambda number=number: len(bot.slack.ephemerals("ann", "#team")) == number)  # type: ignore[misc]  # mypy can't infer a default's type
    await bot.slack.say("ann", "#team", "@code help")
    await bot.slack.wait_for(lambda: len(bot.slack.ephemerals("ann", "#team")) == 4)
    await bot.slack.say("ann", "@ann", "help")
    await bot.told("ann", "/code", "@ann")
    assert not bot.roots()
    assert not bot.cloud.requests

    prompts = {
        "#open": "help me fix the login",
        "#private": "status of the build: why is it red?",
        "@ann": "stop the flaky test",
        "#team": "retry the build",
    }
    for channel, prompt in prompts.items():
        root = await begun(bot, Out("ok\n"), prompt=prompt, channel=channel)
        await bot.shows(root, "Done", prompt)
        assert bot.body()["messages"][-1]["content"] == prompt
    bot.serve(Out("ok\n"))
    reply = await bot.slack.say("ben", "#team", "help me understand that", thread_ts=root.ts)
    await bot.slack.wait_for(lambda: "white_check_mark" in reply.reactions)
    await bot.slack.say("ben", "#team", "help", thread_ts=root.ts)
    await bot.told("ben", "/code")
    assert len(bot.cloud.requests) == len(prompts) + 1


# Who may not


@pytest.mark.parametrize(("who", "channel"), [("stranger", "#shared"), ("guest", "#team")])
async def test_strangers_and_guests_are_told_and_change_nothing(bot: World, who: str, channel: str) -> None:
    go_on = asyncio.Event()
    root = await begun(bot, Out("one\n"), Wait(go_on), channel=channel)
    await bot.says(root, "one", channel=channel)
    await bot.slack.say(who, channel, "@code wipe it all")
    await bot.told(who, "can't start runs", channel)
    ways: list[Callable[[], Awaitable[object]]] = [
        lambda: bot.slack.say(who, channel, "@code stop", thread_ts=root.ts),
        lambda: bot.slack.press(who, root, "Stop"),
        lambda: bot.code(f"stop {run_of(root)}", user=who, channel=channel),
        lambda: bot.slack.stop_session(who, root),
    ]
    for way in ways:
        before = len(bot.slack.ephemerals(who))
        await way()
        await bot.slack.wait_for(lambda before=before: len(bot.slack.ephemerals(who)) > before)  # type: ignore[misc]  # mypy can't infer a default's type
    await bot.shows(root, "Running")
    go_on.set()
    await bot.shows(root, "Done")
    await bot.slack.press(who, root, "Retry")
    await bot.slack.settle()
    assert len(bot.roots(channel)) == 1
    assert len(bot.cloud.requests) == 1


@pytest.mark.parametrize(("who", "channel"), [("stranger", "#shared"), ("guest", "#team")])
async def test_strangers_and_guests_learn_of_their_own_channel_alone(
    bot: World, who: str, channel: str
) -> None:
    await begun(bot, Out("x\n"), Wait(asyncio.Event()), prompt="fix our secret plan", channel="#open")
    await begun(bot, Out("y\n"), Wait(asyncio.Event()), prompt="fix what all see", channel=channel)
    await bot.shows(await bot.root(0, "#open"), "Running")
    await bot.shows(await bot.root(0, channel), "Running")
    await bot.slack.say(who, channel, "@code status")
    told = bot.slack.visible(await bot.told(who, "In this workspace", channel))
    assert "fix what all see" in told
    assert "secret plan" not in told
    await bot.slack.say("ben", channel, "@code status")
    assert "secret plan" in bot.slack.visible(await bot.told("ben", "In this workspace", channel))


async def test_bots_and_who_left_are_not_heard(bot: World) -> None:
    go_on = asyncio.Event()
    root = await begun(bot, Out("one\n"), Wait(go_on))
    await bot.says(root, "one")
    for text in ("@code go", "stop", "@code stop", "more of it"):
        await bot.slack.say("otherbot", "#team", text, thread_ts=root.ts)
    await bot.slack.say("otherbot", "#team", "@code go")
    late = {
        "type": "message",
        "channel": "C0TEAM",
        "channel_type": "channel",
        "user": "U0GONE",
        "team": "T0LOCAL",
    }
    for number, text in enumerate(("stop", "<@U0CODE> go")):
        ts = f"1700000000.00010{number}"
        assert (await bot.slack.event({**late, "text": text, "ts": ts, "thread_ts": root.ts})).accepted
    await bot.told("gone", "deactivated")
    await bot.shows(root, "Running")
    go_on.set()
    await bot.shows(root, "Done")
    assert len(bot.cloud.requests) == 1
    assert not bot.slack.ephemerals("otherbot")


# Buttons of a window that is behind


async def test_stale_buttons_are_answered_to_whoever_pressed(bot: World) -> None:
    go_on = asyncio.Event()
    root = await begun(bot, Out("one\n"), Wait(go_on))
    task = await bot.says(root, "one")
    running = root.versions[-1]
    go_on.set()
    await bot.shows(root, "Done")
    done = root.versions[-1]
    assert (await press_as_it_was(bot, "ben", root, running, "Stop")).accepted
    await bot.told("ben", "Done")

    go_on = asyncio.Event()
    bot.serve(Out("two\n"), Wait(go_on))
    await bot.slack.press("ann", root, "Retry")
    await bot.shows(root, "Running", "attempt 2")
    assert (await press_as_it_was(bot, "ben", root, done, "Retry")).accepted
    await bot.told("ben", "Running")
    await bot.shows(task, "Done", "one")
    go_on.set()
    await bot.shows(root, "Done", "attempt 2")
    assert len(bot.cloud.requests) == 2


async def test_a_stale_stop_of_one_task_is_answered(bot: World) -> None:
    go_on = asyncio.Event()
    root = await begun(
        bot,
        Out("a1\n", "a"),
        Out("b1\n", "b"),
        Wait(go_on),
        Fail("a", "no"),
        Wait(asyncio.Event()),
        prompt="parallel\na: one\nb: two",
    )
    first = await bot.says(root, "a1", "[Stop]")
    shown = first.versions[-1]
    go_on.set()
    await bot.shows(first, "Failed")
    assert (await press_as_it_was(bot, "ben", first, shown, "Stop")).accepted
    await bot.slack.wait_for(lambda: bot.slack.ephemerals("ben", "#team"))
    await bot.shows(root, "Running")
    assert bot.cloud.running == 1


# Stop, in every way and in the midst of everything


class Flood:
    """Output without an end, about a megabyte a second."""

    async def take(self, stream: Stream) -> None:
        while True:
            await stream.stdout("all work and no play\n" * 500)
            await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Way:
    """How someone stops a run; ``named`` is what its message then says."""

    stop: Callable[[World, Message], Awaitable[object]]
    named: str = "@ben"


WAYS = {
    "button": Way(lambda it, root: it.slack.press("ben", root, "Stop")),
    "reply": Way(lambda it, root: it.slack.say("ben", "#team", "Cancel!", thread_ts=root.ts)),
    "mention": Way(lambda it, root: it.slack.say("ben", "#team", "@code stop", thread_ts=root.ts)),
    "command": Way(lambda it, _: it.code("stop"), "@ann"),
    "command with its name": Way(
        lambda it, root: it.code(f"stop {run_of(root)}", user="ben", channel="#open")
    ),
    "Slack's own": Way(lambda it, root: it.slack.stop_session("ben", root)),
}
STREAMS: dict[str, Callable[[], tuple[Step, ...]]] = {
    "quiet": lambda: (Out("one\n"), Wait(asyncio.Event())),
    "silent": lambda: (Silent(), Wait(asyncio.Event())),
    "flooding": lambda: (Flood(),),
}


@pytest.mark.parametrize(
    ("way", "stream"),
    [*((way, "quiet") for way in WAYS), ("button", "silent"), ("reply", "flooding"), ("command", "flooding")],
)
async def test_stop_hangs_up_within_a_second(bot: World, way: str, stream: str) -> None:
    root = await begun(bot, *STREAMS[stream]())
    await bot.shows(root, "Running")
    await requested(bot, 1)
    async with asyncio.timeout(1):
        await WAYS[way].stop(bot, root)
        await bot.cloud.requests[-1].disconnected.wait()
    seen = await bot.shows(root, "Stopped", "Stopped by", WAYS[way].named, "[Retry]")
    assert "[Stop]" not in seen


async def test_stop_while_the_service_is_asked_again(bot: World) -> None:
    bot.cloud.fail_next(503, times=5, retry_after=3)
    await bot.code("go")
    root = await bot.root()
    await bot.shows(root, "Running")
    await requested(bot, 1)
    await bot.slack.press("ben", root, "Stop")
    await bot.shows(root, "Stopped", "@ben")
    assert len(bot.cloud.requests) == 1


# What goes away in the midst of a run


@pytest.mark.parametrize("threaded", [True, False], ids=["with its thread", "before its thread"])
async def test_a_deleted_root_message_stops_nothing(bot: World, threaded: bool) -> None:
    go_on = asyncio.Event()
    with captured_log() as log:
        if not threaded:
            posted = lambda args: "thread_ts" in args  # noqa: E731  short, and used once
            bot.slack.fail("chat.postMessage", error="ratelimited", retry_after=1, when=posted)
        root = await begun(bot, Out("one\n"), Wait(go_on), Out("two\n" * 100), Say("All is well."))
        await bot.shows(root, "Running")
        task = await bot.says(root, "one") if threaded else None
        await bot.slack.delete("ann", root)
        go_on.set()
        if task is not None:
            await bot.shows(task, "Done", "two")
            await bot.says(root, "All is well.")
        await requested(bot, 1)
        await bot.cloud.requests[0].finished.wait()
        assert bot.bot is not None
        await bot.bot.queue.drain(10)
        assert states(bot) == ["done"]
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        assert [line["code"] for line in lines if line["event"] == "edit.gone"]
        assert not [line for line in lines if line["level"] in {"error", "critical"}]
        assert "Traceback" not in log.getvalue()


@pytest.mark.parametrize("what", ["deleted", "archived", "left"])
async def test_the_end_of_a_reply_whose_place_is_gone(bot: World, what: str) -> None:
    go_on = asyncio.Event()
    root = await begun(bot, Out("one\n"))
    await bot.says(root, "Done", "one")
    bot.serve(Out("two\n"), Wait(go_on), Say("Two."))
    reply = await bot.slack.say("ann", "#team", "more", thread_ts=root.ts)
    shown = await bot.says(root, "Running", "two")
    with captured_log() as log:
        if what == "deleted":
            await bot.slack.delete("ann", shown)
            await bot.slack.delete("ann", reply)
        elif what == "archived":
            bot.slack.archive("#team")
        else:
            bot.slack.kick("#team")
        go_on.set()
        await bot.cloud.requests[-1].finished.wait()
        assert bot.bot is not None
        await bot.bot.queue.drain(10)
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        assert not [line for line in lines if line["level"] in {"error", "critical"}]
    assert states(bot) == ["done", "done"]


@pytest.mark.parametrize(
    ("channel", "error", "why"),
    [
        ("C0OLD", None, "archived"),
        ("D0PAIR", None, "Write to me directly"),
        ("C0TEAM", "restricted_action_read_only_channel", "not allowed to post"),
    ],
)
async def test_where_the_bot_can_not_post_it_says_why(
    bot: World, channel: str, error: str | None, why: str
) -> None:
    bot.slack.add_channel(Channel("D0PAIR", "@pair", ChannelKind.DIRECT, ["U0ANN", "U0BEN"]))
    if error:
        bot.slack.fail("chat.postMessage", error=error, times=None)
    user = bot.slack.workspace.user("ann")
    fields = {
        "team_id": user.team,
        "channel_id": channel,
        "user_id": user.id,
        "command": "/code",
        "text": "fix the past",
        "trigger_id": bot.slack.workspace.new_trigger(user.id),
        "response_url": bot.slack.workspace.new_response_url(channel, user.id),
    }
    assert (await bot.slack.courier.deliver(DeliveryKind.COMMAND, fields)).accepted
    told = await bot.told("ann", why, channel)
    assert "fix the past" in told.text
    assert "not started" in told.text
    assert "/invite" not in told.text
    assert not bot.cloud.requests


async def test_a_run_that_waited_in_a_channel_that_was_archived(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    async with world(tmp_path) as it, it.running(MAX_CONCURRENT_RUNS="1"):
        first = await begun(it, Out("one\n"), Wait(go_on))
        await it.says(first, "one")
        await begun(it, Out("two\n"), channel="#private")
        it.slack.archive("#private")
        with captured_log() as log:
            go_on.set()
            await it.shows(first, "Done")
            third = await begun(it, Out("three\n"))
            await it.shows(third, "Done")
        assert states(it) == ["done", "done", "done"]
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        assert {line["code"] for line in lines if line["event"] == "edit.gone"} == {"is_archived"}
        assert not [line for line in lines if line["level"] in {"error", "critical"}]


# Many


async def test_twenty_tasks_with_long_names(bot: World) -> None:
    names = [f"{number:02d}-{'abcdefghij' * 4}"[:40] for number in range(20)]
    go_on = asyncio.Event()
    root = await begun(
        bot,
        *(Out(f"{'w' * 300} & <b> {number}\n", name) for number, name in enumerate(names)),
        Wait(go_on),
        *(Fail(name, "it <broke> & burned " * 50) for name in names[:3]),
        prompt="parallel\n" + "\n".join(f"{name}: {'do & <be> ' * 40}" for name in names),
    )
    seen = await bot.shows(root, "Running", "20 running", *names)
    roll_up = [
        line
        for line in seen.splitlines()
        if line.startswith(":large_blue_circle: Running · ") and "0:0" in line
    ]
    assert len(roll_up) == len(names)
    assert (
        max(len(line.replace(":large_blue_circle:", "🔵 ")) for line in roll_up) <= 60
    )  # an emoji is two wide
    go_on.set()
    await bot.shows(root, "Failed", "3 failed", "17 done", "[Retry failed]")
    assert [task["task_name"] for task in bot.body()["parallel_tasks"]] == names
    assert not bot.slack.limited
    assert not [
        call
        for call in bot.slack.calls
        if call.error in {"invalid_blocks", "msg_blocks_too_long", "msg_too_long"}
    ]
