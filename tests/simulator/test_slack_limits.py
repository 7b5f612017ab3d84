"""Rate limits and failures on demand."""

import asyncio
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.errors import SlackApiError

from bot.simulator.slack import Answer, Limits, LocalSlack, Rate, Times
from tests.support.slack import client_of, error_of


@dataclass
class Hand:
    """A clock that a test moves by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


async def refusal(call: Any) -> tuple[int, str, int]:
    """Status, error and Retry-After of a call that was refused."""
    with pytest.raises(SlackApiError) as caught:
        await call
    response = caught.value.response
    return response.status_code, response["error"], int(response.headers["Retry-After"])


async def test_edits_are_limited_for_the_whole_workspace_and_only_they() -> None:
    hand = Hand()
    async with LocalSlack(limits=Limits(), times=Times(monotonic=hand)) as slack:
        client = client_of(slack)
        posted = [(await client.chat_postMessage(channel="C0TEAM", text="x"))["ts"] for _ in range(2)]
        for number in range(10):
            await client.chat_update(channel="C0TEAM", ts=posted[number % 2], text="y")

        def edit() -> Any:
            return client.chat_update(channel="C0TEAM", ts=posted[0], text="z")

        assert await refusal(edit()) == (429, "ratelimited", 2)
        hand.now += 1.3  # a token is there, but Retry-After is not over
        assert await refusal(edit()) == (429, "ratelimited", 1)
        hand.now += 0.7
        await edit()
        await client.reactions_add(channel="C0TEAM", timestamp=posted[0], name="eyes")
        assert (slack.counts["chat.update"], slack.limited["chat.update"]) == (13, 2)
        assert slack.calls[-1].error is None


async def test_posts_are_limited_for_each_channel() -> None:
    limits = Limits(posts_per_channel=Rate(60, 2), answer=Answer.BODY)
    async with LocalSlack(limits=limits, times=Times(monotonic=Hand())) as slack:
        client = client_of(slack)
        for _ in range(2):
            await client.chat_postMessage(channel="C0TEAM", text="x")
        post = client.chat_postMessage(channel="C0TEAM", text="x")
        assert await refusal(post) == (200, "rate_limited", 1)
        await client.chat_postMessage(channel="C0PRIVATE", text="x")


def test_limits_can_be_replaced_and_left_out() -> None:
    limits = Limits(rates={"chat.update": Rate(60, 1)}, posts_per_channel=None)
    assert [limits.take("chat.update", "", 0.0) for _ in range(2)] == [0, 1]
    assert [limits.take("something.else", "", 0.0) for _ in range(200)] == [0] * 200
    assert limits.take("chat.postMessage", "C", 0.0) == 0


@given(st.lists(st.floats(0, 5), max_size=60), st.floats(1, 300), st.integers(1, 12))
@settings(max_examples=60)
def test_no_window_lets_more_through_than_burst_and_rate(gaps: list[float], rate: float, burst: int) -> None:
    limits = Limits(rates={"m": Rate(rate, burst)})
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        wait = limits.take("m", "", now)
        assert wait >= 0
        if wait == 0:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            span = passed[last] - passed[first]
            assert last - first + 1 <= burst + span * rate / 60 + 1e-6


@given(st.floats(1, 300), st.integers(1, 12))
@settings(max_examples=40)
def test_who_waits_as_told_is_let_through(rate: float, burst: int) -> None:
    limits = Limits(rates={"m": Rate(rate, burst)})
    now = 0.0
    for _ in range(burst * 2):
        wait = limits.take("m", "", now)
        if wait:
            now += wait
            assert limits.take("m", "", now) == 0


async def test_failures_come_as_often_as_asked_and_where_asked() -> None:
    async with LocalSlack() as slack:
        client = client_of(slack)
        fault = slack.fail(
            "chat.postMessage", error="internal_error", times=2, when=lambda a: a["text"] == "bad"
        )
        await client.chat_postMessage(channel="C0TEAM", text="good")
        for _ in range(2):
            refused = await error_of(client.chat_postMessage(channel="C0TEAM", text="bad"))
            assert refused["error"] == "internal_error"
        await client.chat_postMessage(channel="C0TEAM", text="bad")
        assert fault.hits == 2
        assert len(slack.messages("#team")) == 2


async def test_a_rate_limit_can_be_asked_for_in_both_forms() -> None:
    async with LocalSlack() as slack:
        client = client_of(slack)
        slack.fail("*", error="ratelimited", retry_after=30)
        assert await refusal(client.auth_test()) == (429, "ratelimited", 30)
        slack.fail("auth.test", error="rate_limited", retry_after=7)
        assert await refusal(client.auth_test()) == (200, "rate_limited", 7)
        assert slack.limited["auth.test"] == 2
        slack.fail("auth.test", error="fatal_error", times=None)
        slack.heal()
        assert (await client.auth_test())["ok"]


async def test_http_itself_can_fail() -> None:
    async with LocalSlack() as slack, aiohttp.ClientSession() as http:
        slack.fail("api.test", status=503, retry_after=5)
        async with http.get(slack.api_url + "api.test") as response:
            assert (response.status, response.headers["Retry-After"]) == (503, "5")
        slack.fail("api.test", status=502)
        async with http.get(slack.api_url + "api.test") as response:
            assert (response.status, await response.text()) == (502, "upstream error")


async def test_an_answer_can_be_lost_after_the_call_took_effect() -> None:
    async with LocalSlack() as slack:
        slack.fail("chat.postMessage", timeout=0.0, applied=True)
        with pytest.raises(aiohttp.ClientError):
            await client_of(slack).chat_postMessage(channel="C0TEAM", text="once")
        assert [message.text for message in slack.messages("#team")] == ["once"]


async def test_silence_ends_when_slack_closes() -> None:
    async with LocalSlack() as slack:
        asked = asyncio.Event()

        def noticed(_: dict[str, Any]) -> bool:
            asked.set()
            return True

        slack.fail("auth.test", timeout=600.0, when=noticed)
        call = asyncio.ensure_future(client_of(slack).auth_test())
        await asked.wait()
    with pytest.raises(aiohttp.ClientError):
        await call
