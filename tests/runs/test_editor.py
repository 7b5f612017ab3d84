"""The editor on virtual time, against a Slack with budgets, latency, refusals and deletions."""
# ruff: noqa: ARG002  the port's other methods must be there, but are never called

import asyncio
import math
import random
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from bot.clock import Clock
from bot.core.budget import Budget
from bot.core.schedule import Priority, edit_lane, post_lane
from bot.errors import (
    ChannelClosed,
    MessageGone,
    SlackLimited,
    SlackRejected,
    SlackUnauthorized,
    SlackUnavailable,
    SlackUnsure,
)
from bot.model import Audience, MessageRef, Person, Place
from bot.runs.editor import Editor
from bot.runs.frames import Frame, NoteFrame
from bot.runs.live_message import LiveMessage
from bot.runs.ports import Notice, Reaction
from tests.support.vtime import virtual_time

EDITS, POSTS = Budget(50 / 60, 10), Budget(1, 5)
PLACE = Place("T1", "C1", "1.0")
OTHER = Place("T1", "C2", "1.0")
POSTED = MessageRef("C1", "100.0")


@dataclass
class Lane:
    """Slack's budget of one method, and until when it must not be called."""

    budget: Budget
    tokens: float
    as_of: float = 0.0
    silent_until: float = 0.0


@dataclass(frozen=True)
class Call:
    """One call that Slack let through: when it arrived, and what the message showed from then on."""

    at: float
    ts: str
    text: str
    new: bool


@dataclass
class FakeSlack:
    """Posts and edits; ``trouble`` has, by message text, the errors of the next calls that show it."""

    edits: Budget = EDITS
    posts: Budget = POSTS
    latency: float = 0.05
    trouble: dict[str, deque[Exception]] = field(default_factory=lambda: defaultdict(deque))
    refused: dict[str, Exception] = field(default_factory=dict)  # by channel or ts, for good
    lost: dict[str, deque[Exception]] = field(default_factory=lambda: defaultdict(deque))  # after the post
    blind: deque[Exception] = field(default_factory=deque)  # of the next looks for a message
    keys: dict[str, MessageRef] = field(default_factory=dict)
    looks: list[tuple[float, float]] = field(default_factory=list)  # when, and for what was posted since when
    calls: list[Call] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    attempts: list[tuple[float, str]] = field(default_factory=list)
    most_in_flight: int = 0
    lanes: dict[str, Lane] = field(default_factory=dict)
    flying: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)  # raised, they would only look like another failure

    async def post(self, place: Place, frame: Frame, key: str = "") -> MessageRef:
        text = text_of(frame)
        lane = post_lane(place.workspace, place.channel)
        await self._call(lane, self.posts, f"post {text}", text, place.channel)
        ref = MessageRef(place.channel, f"{len(self.shown)}.{place.channel}")
        self._show(ref.ts, text, new=True)
        self.keys[key] = ref
        if self.lost[text]:
            raise self.lost[text].popleft()
        return ref

    async def find(self, place: Place, key: str, since: float) -> MessageRef | None:
        self.looks.append((asyncio.get_running_loop().time(), since))
        await asyncio.sleep(self.latency)
        if self.blind:
            raise self.blind.popleft()
        return self.keys.get(key)

    async def update(self, place: Place, ref: MessageRef, frame: Frame) -> None:
        text = text_of(frame)
        await self._call(edit_lane(place.workspace), self.edits, ref.ts, text, place.channel)
        self._show(ref.ts, text, new=False)

    async def _call(self, name: str, budget: Budget, message: str, text: str, channel: str) -> None:
        now = asyncio.get_running_loop().time()
        if message in self.flying:
            self.violations.append(f"two requests at once for {message}")
        self.attempts.append((now, text))
        self.flying.append(message)
        self.most_in_flight = max(self.most_in_flight, len(self.flying))
        try:
            self._take(self.lanes.setdefault(name, Lane(budget, budget.burst)), now)
            await asyncio.sleep(self.latency)
            if self.trouble[text]:
                raise self.trouble[text].popleft()
            for key in (channel, message):
                if key in self.refused:
                    raise self.refused[key]
        finally:
            self.flying.remove(message)

    def _take(self, lane: Lane, now: float) -> None:
        if now < lane.silent_until:
            self.violations.append(f"called {lane.silent_until - now} s before Retry-After was over")
        lane.tokens = min(lane.budget.burst, lane.tokens + (now - lane.as_of) * lane.budget.rate)
        lane.as_of = now
        if lane.tokens < 1:
            lane.silent_until = now + math.ceil((1 - lane.tokens) / lane.budget.rate)
            raise SlackLimited(lane.silent_until - now)
        lane.tokens -= 1

    def _show(self, ts: str, text: str, *, new: bool) -> None:
        self.shown[ts] = text
        self.calls.append(Call(asyncio.get_running_loop().time(), ts, text, new))

    @property
    def texts(self) -> list[str]:
        return [call.text for call in self.calls]

    async def tell(self, audience: Audience, notice: Notice) -> None:
        raise AssertionError

    async def upload(self, filename: str, size: int, content: AsyncIterator[bytes]) -> str:
        raise AssertionError

    async def share(self, place: Place, filename: str, file: str) -> None:
        raise AssertionError

    async def is_shared(self, file: str) -> bool:
        raise AssertionError

    async def react(self, place: Place, ts: str, add: Reaction | None, remove: Reaction | None) -> None:
        raise AssertionError

    async def person(self, workspace: str, user: str) -> Person:
        raise AssertionError

    async def join(self, place: Place) -> bool:
        raise AssertionError


def text_of(frame: Frame) -> str:
    assert isinstance(frame, NoteFrame)
    return frame.note


@dataclass
class Screen:
    """What a message should show, and how often it was asked."""

    text: str
    renders: int = 0
    broken: bool = False

    def __call__(self) -> Frame:
        self.renders += 1
        if self.broken:
            raise ZeroDivisionError
        return NoteFrame(self.text)


@asynccontextmanager
async def running(slack: FakeSlack) -> AsyncIterator[Editor]:
    editor = Editor(slack, Clock(monotonic=asyncio.get_running_loop().time))
    loop = asyncio.create_task(editor.run())
    try:
        yield editor
        assert not loop.done(), "the loop ended by itself"
        assert not slack.violations
    finally:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop


def now() -> float:
    return asyncio.get_running_loop().time()


@virtual_time
async def test_the_first_touch_posts_and_later_ones_edit_in_place() -> None:
    slack, screen = FakeSlack(), Screen("a")
    posted: list[MessageRef] = []
    async with running(slack) as editor:
        message = editor.open(PLACE, screen, on_posted=posted.append)
        assert message.ref is None
        message.touch()
        ref = await message.posted()
        assert posted == [ref]
        assert message.ref == ref
        screen.text = "b"
        message.touch()
        await asyncio.sleep(2)
        screen.text = "c"
        assert await message.finish()
    assert [(call.ts, call.text, call.new) for call in slack.calls] == [
        (ref.ts, "a", True),
        (ref.ts, "b", False),
        (ref.ts, "c", False),
    ]


@virtual_time
async def test_a_flood_of_touches_is_one_frame_and_it_is_the_newest() -> None:
    slack, screen = FakeSlack(), Screen("")
    async with running(slack) as editor:
        message = editor.open(PLACE, screen, ref=POSTED)
        assert await message.posted() == POSTED
        for number in range(10_000):
            screen.text = str(number)
            message.touch()
        await asyncio.sleep(0.5)
        assert slack.texts == ["9999"]
        assert screen.renders == 1
        for number in range(100):
            screen.text = f"later {number}"
            message.touch()
            await asyncio.sleep(0.1)
    assert 8 <= len(slack.calls) <= 12, "once a second while there is budget"


@virtual_time
async def test_what_is_touched_in_flight_is_sent_afterwards() -> None:
    slack, screen = FakeSlack(latency=3), Screen("a")
    async with running(slack) as editor:
        message = editor.open(PLACE, screen)
        message.touch()
        await asyncio.sleep(1)
        screen.text = "b"
        message.touch()
        assert slack.texts == []
        await asyncio.sleep(10)
    assert slack.texts == ["a", "b"]


@virtual_time
async def test_the_end_of_a_run_whose_process_died_comes_before_all_others() -> None:
    slack = FakeSlack(edits=Budget(1, 1))
    async with running(slack) as editor, asyncio.TaskGroup() as ends:
        for number in range(5):
            message = editor.open(PLACE, Screen(str(number)), ref=MessageRef("C1", str(number)))
            ends.create_task(message.finish())
        overdue = editor.open(PLACE, Screen("overdue"), ref=POSTED)
        overdue.end = Priority.OVERDUE
        ends.create_task(overdue.finish())
    assert slack.texts[0] == "overdue"
    assert len(slack.texts) == 6


@virtual_time
async def test_equal_frames_cost_nothing() -> None:
    slack, screen = FakeSlack(edits=Budget(0.001, 10)), Screen("same")
    async with running(slack) as editor:
        message = editor.open(PLACE, screen, ref=POSTED)
        for _ in range(100):
            message.touch()
            await asyncio.sleep(2)
        assert slack.texts == ["same"]
        assert await message.finish()
    assert slack.texts == ["same"]


@virtual_time
async def test_equal_frames_are_counted_as_skipped() -> None:
    screen, skipped = Screen("same"), 0

    def count() -> None:
        nonlocal skipped
        skipped += 1

    async with running(FakeSlack()) as editor:
        editor.on_skipped = count
        message = editor.open(PLACE, screen, ref=POSTED)
        for _ in range(3):
            message.touch()
            await asyncio.sleep(2)
        assert await message.finish()
    assert skipped == 3


@virtual_time
async def test_equal_frames_leave_the_whole_burst_to_others() -> None:
    slack = FakeSlack()
    async with running(slack) as editor:
        quiet = [editor.open(PLACE, Screen("same"), ref=MessageRef("C1", str(index))) for index in range(12)]
        for message in quiet * 2:
            message.touch()
            await asyncio.sleep(5)
        assert len(slack.calls) == 12
        await asyncio.sleep(60)
        for message in quiet:
            message.touch()
        await asyncio.sleep(1)
        before = now()
        await asyncio.gather(*(_finished(editor, f"final {index}") for index in range(8)))
        assert now() - before == pytest.approx(8 * slack.latency), "one after the other"


@virtual_time
async def test_once_posted_a_message_spends_the_budget_of_edits() -> None:
    slack = FakeSlack(latency=0.2)
    async with running(slack) as editor:
        screens = [Screen(f"first {n}") for n in range(7)]
        messages = [editor.open(PLACE, screen) for screen in screens]
        for message in messages:
            message.touch()
        await asyncio.sleep(1)
        for n, screen in enumerate(screens):
            screen.text = f"final {n}"
        await asyncio.gather(*(message.finish() for message in messages))
        assert now() == pytest.approx(2 / 0.995 + 0.2), (
            "the posts' burst is used up, that of the edits is not"
        )


@virtual_time
async def test_a_run_of_many_tasks_does_not_keep_a_lone_one_waiting() -> None:
    slack = FakeSlack()
    async with running(slack) as editor:
        crowd = [
            editor.open(PLACE, Screen("crowd"), ref=MessageRef("C1", str(n)), owner="crowd")
            for n in range(40)
        ]
        finals = [asyncio.create_task(message.finish()) for message in crowd]
        await asyncio.sleep(1)
        await editor.open(PLACE, Screen("lone"), ref=POSTED, owner="lone").finish()
        assert now() < 4
        await asyncio.gather(*finals)


@virtual_time
async def test_a_clock_that_only_ticks_is_shown_while_there_is_budget() -> None:
    slack, screen = FakeSlack(), Screen("0:00")
    async with running(slack) as editor:
        message = editor.open(PLACE, screen, ref=POSTED)
        for second in range(60):
            screen.text = f"0:{second:02}"
            message.touch(Priority.IDLE)
            await asyncio.sleep(1)
        assert 40 < len(slack.calls) < 60
        finals = [asyncio.create_task(_finished(editor, f"final {index}")) for index in range(5)]
        before = now()
        await asyncio.gather(*finals)
        assert now() - before == pytest.approx(5 * slack.latency), "enough was kept"


async def _finished(editor: Editor, text: str) -> None:
    message = editor.open(PLACE, Screen(text), ref=MessageRef("C1", text))
    assert await message.finish()


@virtual_time
async def test_final_before_it_was_posted_is_one_post() -> None:
    slack, screen = FakeSlack(), Screen("first")
    async with running(slack) as editor:
        message = editor.open(PLACE, screen)
        message.touch()
        screen.text = "final"
        assert await message.finish()
        screen.text = "after the end"
        message.touch()
        assert await message.finish(), "asked twice"
        message.abandon()
        assert not message.gone
        await asyncio.sleep(60)
    assert slack.texts == ["final"]


@virtual_time
async def test_final_while_the_post_is_in_flight_follows_it() -> None:
    slack, screen = FakeSlack(latency=2), Screen("first")
    async with running(slack) as editor:
        message = editor.open(PLACE, screen)
        message.touch()
        await asyncio.sleep(1)
        screen.text = "final"
        assert await message.finish()
    assert slack.texts == ["first", "final"]
    assert [call.new for call in slack.calls] == [True, False]


@virtual_time
async def test_a_final_that_changes_nothing_is_final_at_once() -> None:
    slack = FakeSlack()
    async with running(slack) as editor:
        message = editor.open(PLACE, Screen("the end"))
        message.touch()
        await message.posted()
        before = now()
        assert await message.finish()
        assert now() == before
    assert slack.texts == ["the end"]


@virtual_time
async def test_limited_silences_everyone_and_then_the_final_goes_first() -> None:
    slack = FakeSlack()
    slack.trouble["live"].append(SlackLimited(30))
    async with running(slack) as editor:
        live = [editor.open(PLACE, Screen("live"), ref=MessageRef("C1", str(index))) for index in range(4)]
        with capture_logs() as logs:
            live[0].touch()
            await asyncio.sleep(1)
            slack.lanes[edit_lane("T1")].silent_until = 30.05
            for message in live:
                message.touch()
            final = editor.open(PLACE, Screen("final"), ref=POSTED)
            assert await final.finish()
        assert slack.texts == ["final"]
        assert slack.calls[0].at == pytest.approx(30.1)
        await asyncio.sleep(30)
    assert slack.texts == ["final", *["live"] * 4]
    assert [log["event"] for log in logs] == ["edit.limited"]
    assert logs[0]["lane"] == edit_lane("T1")


@virtual_time
async def test_a_failure_makes_one_message_wait_and_no_other() -> None:
    slack = FakeSlack()
    slack.trouble["unlucky"].extend([SlackUnavailable("timeout")] * 3)
    async with running(slack) as editor:
        unlucky, other = editor.open(PLACE, Screen("unlucky")), editor.open(PLACE, Screen("other"))
        unlucky.touch()
        await asyncio.sleep(0.5)
        other.touch()
        await other.posted()
        assert now() < 1
        assert await unlucky.finish()
    assert [round(at) for at, text in slack.attempts if text == "unlucky"] == [0, 1, 3, 7]


@virtual_time
async def test_a_bug_in_a_call_is_logged_and_the_frame_tried_again() -> None:
    slack = FakeSlack()
    slack.trouble["a"].append(KeyError("ts"))
    async with running(slack) as editor:
        with capture_logs() as logs:
            assert await editor.open(PLACE, Screen("a")).finish()
    assert slack.texts == ["a"]
    told = [(log["event"], log["exc_info"]) for log in logs]
    assert told == [("edit.failed", True), ("edit.failed", False)], "then it is looked whether it was posted"


@virtual_time
async def test_a_post_whose_answer_was_lost_is_found_and_edited_from_then_on() -> None:
    slack, screen = FakeSlack(), Screen("first")
    slack.lost["first"].append(SlackUnsure("no_answer"))
    posted: list[MessageRef] = []
    async with running(slack) as editor:
        message = editor.open(PLACE, screen, key="r-1:root", on_posted=posted.append)
        message.touch()
        await asyncio.sleep(0.5)
        screen.text = "second"
        ref = await message.posted()
        assert (posted, slack.keys) == ([ref], {"r-1:root": ref})
        assert now() < 2
        screen.text = "final"
        assert await message.finish()
    assert [(call.ts, call.text, call.new) for call in slack.calls] == [
        (ref.ts, "first", True),
        (ref.ts, "final", False),
    ]


@virtual_time
async def test_a_post_that_was_not_stored_is_repeated_once_that_is_certain() -> None:
    slack = FakeSlack()
    slack.trouble["a"].extend([SlackUnsure("http_503"), SlackUnsure("no_answer")])
    async with running(slack) as editor:
        assert await editor.open(PLACE, Screen("a")).finish()
    assert slack.texts == ["a"]
    tries = [at for at, _ in slack.attempts]
    assert all(later - earlier > 2 for earlier, later in pairwise(tries)), "it may come late"
    assert now() < 12


@virtual_time
async def test_a_post_that_appears_late_is_not_repeated() -> None:
    slack = FakeSlack()
    slack.trouble["a"].append(SlackUnsure("no_answer"))
    async with running(slack) as editor:
        final = asyncio.create_task(editor.open(PLACE, Screen("a"), key="late").finish())
        await asyncio.sleep(1.5)
        assert len(slack.looks) == 1
        slack.keys["late"] = POSTED
        assert await final
    assert [text for _, text in slack.attempts] == ["a", "a"]
    assert [(call.ts, call.new) for call in slack.calls] == [(POSTED.ts, False)], "the second is an edit"


@virtual_time
async def test_while_nobody_can_say_nothing_is_posted_again() -> None:
    """However long: where Slack can't be read it can't be written to either, and then the end arrives."""
    slack = FakeSlack()
    slack.lost["a"].append(SlackUnsure("no_answer"))
    slack.blind.extend([SlackUnavailable("http_503"), SlackLimited(45), *[SlackUnsure("no_answer")] * 20])
    async with running(slack) as editor:
        others = asyncio.create_task(_posted_later(editor))
        assert await editor.open(PLACE, Screen("a")).finish()
        assert await others < 6, "that one can't be found holds up no other"
    assert sorted(slack.texts) == ["a", "a", "other"]
    assert [call.new for call in slack.calls if call.text == "a"] == [True, False]
    asked = [at for at, _ in slack.looks]
    assert asked[2] - asked[1] >= 45, "as Slack asked"
    assert max(later - earlier for earlier, later in pairwise(asked[2:])) < 31


async def _posted_later(editor: Editor) -> float:
    await asyncio.sleep(5)
    await editor.deliver(PLACE, NoteFrame("other"))
    return now()


@virtual_time
async def test_where_it_can_never_be_known_it_is_posted_again() -> None:
    slack = FakeSlack(blind=deque([SlackUnauthorized("missing_scope")]))
    slack.trouble["a"].append(SlackUnsure("no_answer"))
    async with running(slack) as editor:
        with capture_logs() as logs:
            assert await editor.open(PLACE, Screen("a")).finish()
    assert slack.texts == ["a"]
    assert "edit.cannot_look" in [log["event"] for log in logs]


@virtual_time
async def test_what_another_process_may_have_posted_is_looked_for_first() -> None:
    slack = FakeSlack(keys={"r-1:root": POSTED})
    async with running(slack) as editor:
        known = editor.open(PLACE, Screen("known"), ref=MessageRef("C1", "7"), key="r-1:x", since=5.0)
        assert await known.finish()
        assert slack.looks == [], "it has a place already"
        assert await editor.open(PLACE, Screen("the end"), key="r-1:root", since=5.0).finish()
        assert await editor.open(PLACE, Screen("new"), key="r-1:task:1", since=5.0).finish()
        assert now() < 1
    assert slack.shown[POSTED.ts] == "the end"
    assert [(call.text, call.new) for call in slack.calls] == [
        ("known", False),
        ("the end", False),
        ("new", True),
    ]
    assert [since for _, since in slack.looks] == [5.0, 5.0]


@virtual_time
async def test_a_delivery_that_is_found_is_not_edited() -> None:
    slack = FakeSlack()
    slack.lost["answer"].append(SlackUnsure("no_answer"))
    async with running(slack) as editor:
        ref = await editor.deliver(PLACE, NoteFrame("answer"), key="r-1:answer:0")
        assert slack.keys["r-1:answer:0"] == ref
        assert await editor.deliver(PLACE, NoteFrame("answer"), key="r-1:answer:0", since=1.0) == ref
    assert slack.texts == ["answer"]


@virtual_time
async def test_a_failure_before_anything_was_sent_needs_no_look() -> None:
    slack = FakeSlack()
    slack.trouble["a"].extend([SlackUnavailable("unreachable"), SlackLimited(3)])
    async with running(slack) as editor:
        assert await editor.open(PLACE, Screen("a")).finish()
    assert slack.looks == []


@virtual_time
async def test_a_callback_that_raises_does_not_post_twice() -> None:
    slack, screen = FakeSlack(), Screen("a")

    def broken(_: MessageRef) -> None:
        raise KeyError

    async with running(slack) as editor:
        message = editor.open(PLACE, screen, on_posted=broken)
        message.touch()
        await message.posted()
        screen.text = "b"
        message.touch()
        await asyncio.sleep(5)
        assert await message.finish()
    assert [(call.text, call.new) for call in slack.calls] == [("a", True), ("b", False)]


@pytest.mark.parametrize(
    "error",
    [MessageGone("message_not_found"), ChannelClosed("is_archived"), SlackUnauthorized("token_revoked")],
)
def test_a_message_that_is_gone_is_left_alone(error: Exception) -> None:
    @virtual_time
    async def scenario() -> None:
        slack, screen = FakeSlack(), Screen("a")
        async with running(slack) as editor:
            message = editor.open(PLACE, screen, ref=POSTED)
            message.touch()
            await asyncio.sleep(1)
            slack.refused[POSTED.ts] = error
            screen.text = "b"
            with capture_logs() as logs:
                assert not await message.finish()
                assert message.gone
                message.touch()
                assert not await message.finish()
                await asyncio.sleep(100)
            assert await message.posted() == POSTED
            await editor.close(10)
        assert [text for _, text in slack.attempts] == ["a", "b"]
        assert [log["event"] for log in logs] == ["edit.gone"]

    scenario()


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ChannelClosed("is_archived"), 1),
        (SlackUnauthorized("invalid_auth"), 1),
        (SlackRejected("invalid_blocks"), 2),
    ],
)
def test_a_first_post_that_fails_for_good_tells_those_who_wait(error: Exception, attempts: int) -> None:
    @virtual_time
    async def scenario() -> None:
        slack = FakeSlack(refused={"C1": error})
        async with running(slack) as editor:
            message = editor.open(PLACE, Screen("a"))
            message.touch()
            with pytest.raises(type(error)):
                await message.posted()
            assert message.gone
            assert not await message.finish()
            with pytest.raises(type(error)):
                await editor.deliver(PLACE, NoteFrame("answer"))
            other = editor.open(OTHER, Screen("other"))
            assert await other.finish()
        assert [text for _, text in slack.attempts].count("a") == attempts
        assert slack.texts == ["other"]

    scenario()


@virtual_time
async def test_a_rejected_live_frame_is_dropped_and_the_next_one_tried() -> None:
    slack, screen = FakeSlack(), Screen("bad")
    slack.trouble["bad"].extend([SlackRejected("invalid_blocks")] * 2)
    async with running(slack) as editor:
        message = editor.open(PLACE, screen, ref=POSTED)
        with capture_logs() as logs:
            for _ in range(2):
                message.touch()
                await asyncio.sleep(10)
        assert not message.gone
        assert len(slack.attempts) == 2
        screen.text = "good"
        message.touch()
        await asyncio.sleep(10)
    assert slack.texts == ["good"]
    assert [(log["event"], log["code"]) for log in logs] == [("edit.rejected", "invalid_blocks")], (
        "logged once"
    )


@virtual_time
async def test_a_rejected_final_is_tried_twice() -> None:
    slack = FakeSlack()
    slack.trouble["bad once"].append(SlackRejected("invalid_blocks"))
    slack.trouble["bad"].extend([SlackRejected("invalid_blocks")] * 2)
    slack.trouble["bad start"].append(SlackRejected("invalid_blocks"))
    slack.trouble["bad end"].append(SlackRejected("invalid_blocks"))
    async with running(slack) as editor:
        screen = Screen("bad start")
        message = editor.open(PLACE, screen)
        message.touch()
        await message.posted()
        screen.text = "bad end"
        assert await message.finish(), "success forgives"
        slack.attempts.clear()
        assert await editor.open(PLACE, Screen("bad once"), ref=POSTED).finish()
        assert not await editor.open(PLACE, Screen("bad"), ref=POSTED).finish()
        await asyncio.sleep(100)
    assert [text for _, text in slack.attempts] == ["bad once"] * 2 + ["bad"] * 2


@virtual_time
async def test_a_process_that_has_a_part_of_a_workspace_s_budget_keeps_to_it() -> None:
    slack = FakeSlack()
    ours, theirs = Place("T1", "C1", "1.0"), Place("T2", "C2", "1.0")
    async with running(slack) as editor:
        editor.set_share("T1", 0.25)
        screens = [Screen("") for _ in range(8)]
        messages = [
            editor.open(place, screen, ref=MessageRef(place.channel, f"{place.workspace} {index}"))
            for index, (screen, place) in enumerate(zip(screens, [ours] * 4 + [theirs] * 4, strict=True))
        ]
        for second in range(120):
            for screen, message in zip(screens, messages, strict=True):
                screen.text = str(second)
                message.touch()
            await asyncio.sleep(1)
    edits = [sum(call.ts.startswith(workspace) for call in slack.calls) for workspace in ("T1", "T2")]
    assert 20 <= edits[0] <= 28
    assert edits[1] >= 100


@virtual_time
async def test_a_429_in_one_workspace_holds_up_no_other() -> None:
    slack = FakeSlack()
    slack.trouble["limited"].append(SlackLimited(30))
    async with running(slack) as editor:
        limited = editor.open(Place("T1", "C1"), Screen("limited"), ref=MessageRef("C1", "1"))
        other = editor.open(Place("T2", "C2"), Screen("other"), ref=MessageRef("C2", "2"))
        post = editor.open(Place("T1", "C1"), Screen("post"))
        first = asyncio.create_task(limited.finish())
        await asyncio.sleep(1)
        slack.lanes[edit_lane("T1")].silent_until = 30.05
        assert await other.finish()
        assert await post.finish()
        assert now() < 2
        assert await first
        assert now() == pytest.approx(30.1)


@virtual_time
async def test_a_post_is_followed_by_live_output_like_any_other() -> None:
    """What is printed while a message is being posted isn't a first frame, which would go before all others."""
    slack = FakeSlack(posts=Budget(10, 20), latency=0.5)
    async with running(slack) as editor:
        screens = [Screen(f"first {index}") for index in range(3)]
        messages = [editor.open(PLACE, screen) for screen in screens]
        for message in messages:
            message.touch()
        await asyncio.sleep(0.3)
        for screen, message in zip(screens, messages, strict=True):
            screen.text = f"later {screen.text}"
            message.touch()
        await asyncio.sleep(5)
    shown: dict[str, list[Call]] = defaultdict(list)
    for call in slack.calls:
        shown[call.ts].append(call)
    assert len(shown) == 3
    for calls in shown.values():
        assert calls[-1].text.startswith("later")
        assert all(edit.at - post.at >= 0.9 for post, edit in pairwise(calls)), "nobody reads faster"


@virtual_time
async def test_the_roll_up_of_many_tasks_is_edited_most() -> None:
    slack = FakeSlack()
    async with running(slack) as editor:
        tasks = [
            editor.open(PLACE, Screen(""), ref=MessageRef("C1", str(index)), owner="r") for index in range(16)
        ]
        screen = Screen("")
        root = editor.open(PLACE, screen, ref=POSTED, owner="r")
        root.lines = len(tasks)
        for second in range(240):
            screen.text = str(second)
            root.touch()
            for task in tasks:
                task.render = Screen(str(second))
                task.touch()
            await asyncio.sleep(1)
        rolled = sum(call.ts == POSTED.ts for call in slack.calls)
        assert 0.35 < rolled / len(slack.calls) < 0.5
        assert await root.finish()


@virtual_time
async def test_a_render_that_raises_hurts_nobody_else_and_may_recover() -> None:
    slack, screen = FakeSlack(), Screen("a", broken=True)
    async with running(slack) as editor:
        message = editor.open(PLACE, screen, ref=POSTED)
        with capture_logs() as logs:
            for _ in range(3):
                message.touch()
                await asyncio.sleep(2)
            assert await editor.open(PLACE, Screen("other"), ref=POSTED).finish()
        assert [log["event"] for log in logs] == ["edit.rejected"]
        assert isinstance(logs[0]["exc_info"], ZeroDivisionError)
        screen.broken = False
        message.touch()
        await asyncio.sleep(2)
        screen.broken = True
        assert not await message.finish()
        never = editor.open(PLACE, screen)
        never.touch()
        with pytest.raises(SlackRejected):
            await never.posted()
    assert slack.texts == ["other", "a"]


@virtual_time
async def test_deliveries_keep_their_order_in_a_place_and_do_not_hold_up_others() -> None:
    slack = FakeSlack()
    slack.trouble["part 1"].extend([SlackUnavailable("timeout")] * 3)
    async with running(slack) as editor:
        parts = [asyncio.create_task(editor.deliver(PLACE, NoteFrame(f"part {n}"))) for n in range(10)]
        elsewhere = await editor.deliver(OTHER, NoteFrame("elsewhere"))
        assert elsewhere.channel == "C2"
        assert now() < 1
        refs = await asyncio.gather(*parts)
    assert [slack.shown[ref.ts] for ref in refs] == [f"part {n}" for n in range(10)]
    assert [text for text in slack.texts if text != "elsewhere"] == [f"part {n}" for n in range(10)]


@virtual_time
async def test_a_delivery_that_nobody_waits_for_any_more_is_not_posted() -> None:
    slack = FakeSlack(refused={"C1": SlackUnavailable("fatal_error")})
    async with running(slack) as editor:
        parts = [asyncio.create_task(editor.deliver(PLACE, NoteFrame(f"part {n}"))) for n in range(3)]
        await asyncio.sleep(5)
        for part in parts[:2]:
            part.cancel()
        slack.refused.clear()
        assert slack.shown[(await parts[2]).ts] == "part 2"
        await editor.close(10)
    assert slack.texts == ["part 2"]


@virtual_time
async def test_an_abandoned_message_is_not_sent_and_its_waiters_are_released() -> None:
    slack = FakeSlack(latency=1)
    slack.trouble["flying"].append(SlackLimited(20))
    async with running(slack) as editor:
        silent = editor.open(PLACE, Screen("never touched"))
        silent.abandon()
        flying = editor.open(PLACE, Screen("flying"))
        flying.touch()
        await asyncio.sleep(0.5)
        flying.abandon()
        waiting = editor.open(PLACE, Screen("waiting"))
        waiting.touch()
        waiting.abandon()
        for message in (silent, flying, waiting):
            assert message.gone
            assert not await message.finish()
            with pytest.raises(MessageGone):
                await message.posted()
        await asyncio.sleep(1)
        slack.lanes[post_lane("T1", "C1")].silent_until = 21
        await editor.deliver(PLACE, NoteFrame("after the silence"))
        assert now() == pytest.approx(22), "the refusal counted, although nobody waits for that message"
    assert slack.texts == ["after the silence"]


@virtual_time
async def test_close_waits_for_all_finals_and_deliveries() -> None:
    slack = FakeSlack()
    async with running(slack) as editor:
        for index in range(30):
            message = editor.open(PLACE, Screen(f"final {index}"), ref=MessageRef("C1", str(index)))
            message.touch()
        live = editor.open(PLACE, Screen("live"), ref=MessageRef("C1", "live"))
        live.touch()
        finals = [
            asyncio.create_task(
                editor.open(PLACE, Screen(f"final {n}"), ref=MessageRef("C1", f"f{n}")).finish()
            )
            for n in range(20)
        ]
        parts = [asyncio.create_task(editor.deliver(PLACE, NoteFrame(f"part {n}"))) for n in range(12)]
        await asyncio.sleep(0)
        await editor.close(300)
        assert now() < 60
        assert all(slack.shown[f"f{n}"] == f"final {n}" for n in range(20))
        assert {f"part {n}" for n in range(12)} <= set(slack.texts)
        assert await asyncio.gather(*finals) == [True] * 20
        await asyncio.gather(*parts)


@virtual_time
async def test_close_waits_for_deliveries_whose_turn_has_not_come() -> None:
    slack = FakeSlack()
    async with running(slack) as editor:
        parts = [asyncio.create_task(editor.deliver(PLACE, NoteFrame(f"part {n}"))) for n in range(9)]
        await asyncio.sleep(0)
        await editor.close(60)
        assert slack.texts == [f"part {n}" for n in range(9)]
        await asyncio.gather(*parts)


@virtual_time
async def test_close_gives_up_when_its_time_is_over() -> None:
    slack = FakeSlack(refused={"C1": SlackUnavailable("fatal_error")})
    async with running(slack) as editor:
        final = asyncio.create_task(editor.open(PLACE, Screen("final"), ref=POSTED).finish())
        await asyncio.sleep(0)
        await editor.close(12)
        assert now() == pytest.approx(12)
        assert not final.done()
        final.cancel()


@virtual_time
async def test_a_second_run_sends_what_the_first_one_had_in_flight() -> None:
    slack = FakeSlack(latency=10)
    editor = Editor(slack, Clock(monotonic=asyncio.get_running_loop().time))
    message, abandoned = editor.open(PLACE, Screen("a")), editor.open(OTHER, Screen("b"))
    message.touch()
    abandoned.touch()
    for pause in (5.0, 0.0):  # in the middle of the calls, and before they have begun
        first = asyncio.create_task(editor.run())
        await asyncio.sleep(pause)
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        assert slack.flying == []
        abandoned.abandon()
        await asyncio.sleep(40)
    second = asyncio.create_task(editor.run())
    assert await message.finish()
    second.cancel()
    with suppress(asyncio.CancelledError):
        await second
    assert slack.texts == ["a"]


@virtual_time
async def test_a_slow_slack_has_few_calls_at_once() -> None:
    slack = FakeSlack(latency=20, edits=Budget(100, 100))
    async with running(slack) as editor:
        messages = [editor.open(PLACE, Screen("a"), ref=MessageRef("C1", str(index))) for index in range(10)]
        await asyncio.gather(*(message.finish() for message in messages))
        assert now() == pytest.approx(40, abs=1)
    assert slack.most_in_flight == 8


@pytest.mark.parametrize(
    ("edits", "refusals"), [(EDITS, False), (Budget(20 / 60, 4), True), (Budget(2, 1), True)]
)
def test_many_messages_all_end_right(edits: Budget, *, refusals: bool) -> None:
    """Runs of several tasks print at random, with failures, against budgets as believed and worse."""

    @virtual_time
    async def scenario() -> None:
        chance = random.Random(7)
        slack = FakeSlack(edits=edits)
        for run in range(4):
            slack.trouble[f"run {run} task 1 end"].append(SlackUnavailable("timeout"))
        with capture_logs() as logs:
            async with running(slack) as editor:
                results = await asyncio.gather(
                    *(_task(editor, run, task, chance) for run in range(4) for task in range(5))
                )
        assert all(results)
        assert sorted(text for text in slack.shown.values()) == sorted(
            f"run {run} task {task} end" for run in range(4) for task in range(5)
        )
        assert any(log["event"] == "edit.limited" for log in logs) == refusals

    scenario()


async def _task(editor: Editor, run: int, task: int, chance: random.Random) -> bool:
    screen = Screen("")
    message = editor.open(PLACE, screen, owner=run)
    for line in range(60):
        screen.text = f"run {run} task {task} line {line}"
        message.touch()
        await asyncio.sleep(chance.expovariate(1 / chance.choice([0.2, 3])))
    screen.text = f"run {run} task {task} end"
    return await message.finish()


@virtual_time
async def test_the_render_of_a_message_may_be_replaced() -> None:
    slack = FakeSlack()
    async with running(slack) as editor:
        message: LiveMessage = editor.open(PLACE, Screen("queued"))
        message.touch()
        await message.posted()
        later: Callable[[], Frame] = Screen("running")
        message.render = later
        assert await message.finish()
    assert slack.texts == ["queued", "running"]
