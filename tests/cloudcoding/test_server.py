"""The local Cloud Coding API on its own, with a plain HTTP client."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from bot.simulator.cloudcoding import CloudCodingServer, Framing, Stream
from bot.simulator.invocation import Invocation, Message, ParallelTask
from tests.support.cloudcoding import API_KEY, Out, Say, Scripts, cloud, script

VALID: dict[str, Any] = {
    "repo_url": "https://github.com/acme/api",
    "github_token": "ghs_x",
    "messages": [{"type": "human", "content": "Fix it", "workingDir": "web"}],
}
TASK = {"prompt": "Do A", "task_name": "a"}


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers={"x-api-key": API_KEY}) as session:
        yield session


async def ask(session: aiohttp.ClientSession, server: CloudCodingServer, body: object) -> tuple[int, str]:
    async with session.post(server.url + "/invoke/stdout", json=body) as response:
        return response.status, await response.text()


async def test_both_framings_look_as_documented(session: aiohttp.ClientSession) -> None:
    steps = script(Out("x", "a"), Out("y", "a"))
    one = '{"task_name": "a", "stdout": "x"}'
    two = one.replace("x", "y")
    async with cloud(steps) as server:
        _, text = await ask(session, server, VALID)
        assert (
            text
            == f'data: {{"event": "custom", "data": {one}}}\n\ndata: {{"event": "custom", "data": {two}}}\n\n'
        )
    async with cloud(steps, framing="named") as server:
        _, text = await ask(session, server, VALID)
        assert text == f"event: custom\ndata: {one}\n\nevent: custom\ndata: {two}\n\n"
    async with cloud(steps, framing=Framing.ALTERNATE) as server:
        _, text = await ask(session, server, VALID)
        assert text == f'data: {{"event": "custom", "data": {one}}}\n\nevent: custom\ndata: {two}\n\n'


async def test_an_update_carries_the_conversation(session: aiohttp.ClientSession) -> None:
    async with cloud(script(Say("Done.", thread_id="t-1", task="a"))) as server:
        _, text = await ask(session, server, VALID)
    assert json.loads(text.removeprefix("data: ")) == {
        "event": "updates",
        "data": {
            "run_id": "run-1",
            "messages": [{"type": "human", "content": "(the prompt)"}, {"type": "ai", "content": "Done."}],
            "stream_events": [],
            "task_name": "a",
            "thread_id": "t-1",
        },
    }


async def test_a_responder_is_told_what_was_asked(session: aiohttp.ClientSession) -> None:
    asked: list[Invocation] = []

    async def note(invocation: Invocation, stream: Stream) -> None:
        asked.append(invocation)
        await stream.raw(b"")

    async with CloudCodingServer(note, api_key=API_KEY) as server:
        choices = {"branch": "dev", "haiku": True, "thread_id": "t-1"}
        assert await ask(session, server, VALID | choices) == (200, "")
        tasks = {"repo_url": VALID["repo_url"], "github_token": "t", "parallel_tasks": [TASK]}
        assert await ask(session, server, tasks) == (200, "")
        assert [exchange.invocation for exchange in server.requests] == asked
    single, parallel = asked
    assert single == Invocation(
        VALID["repo_url"],
        "ghs_x",
        messages=(Message("human", "Fix it", "web"),),
        branch="dev",
        haiku=True,
        thread_id="t-1",
    )
    assert single.prompts == {None: "Fix it"}
    assert parallel.parallel_tasks == (ParallelTask("Do A", "a"),)
    assert parallel.prompts == {"a": "Do A"}
    assert "ghs_x" not in repr(single)


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        ({"repo_url": None}, ["repo_url"], "Input should be a valid string"),
        ({"repo_url": "acme/api"}, ["repo_url"], "Value error, not a repository's URL"),
        ({"github_token": ""}, ["github_token"], "Input should be a valid string"),
        ({"branch": 7}, ["branch"], "Input should be a valid string"),
        ({"haiku": "yes"}, ["haiku"], "Input should be a valid boolean"),
        ({"messages": []}, [], "Value error, give exactly one of messages and parallel_tasks"),
        ({"parallel_tasks": [TASK]}, [], "Value error, give exactly one of messages and parallel_tasks"),
        ({"messages": "Fix it"}, ["messages"], "Input should be a valid list"),
        ({"messages": ["Fix it"]}, ["messages", "0", "type"], "Input should be a valid string"),
        (
            {"messages": [{"type": "robot", "content": ""}]},
            ["messages", "0", "type"],
            "Input should be 'human' or 'ai'",
        ),
        (
            {"messages": None, "parallel_tasks": [TASK, TASK]},
            ["parallel_tasks", "1", "task_name"],
            "Value error, a is not unique",
        ),
    ],
)
async def test_what_is_wrong_is_said_as_fastapi_says_it(
    session: aiohttp.ClientSession, change: dict[str, object], where: list[str], what: str
) -> None:
    async with cloud(script()) as server:
        status, text = await ask(session, server, VALID | change)
        assert server.requests[0].status == 422
    assert status == 422
    assert json.loads(text)["detail"][0] == {"type": "value_error", "loc": ["body", *where], "msg": what}


async def test_requests_that_are_not_even_close(session: aiohttp.ClientSession) -> None:
    async with cloud(script()) as server:
        url = server.url + "/invoke/stdout"
        status, text = await ask(session, server, {})
        assert status == 422
        assert [problem["loc"][-1] for problem in json.loads(text)["detail"][:2]] == [
            "repo_url",
            "github_token",
        ]
        async with session.post(url, data=b"{", headers={"Content-Type": "application/json"}) as response:
            assert response.status == 422
        async with session.post(url, data=json.dumps(VALID).encode()) as response:
            assert response.status == 422
        async with session.post(url, json=VALID, headers={"x-api-key": "wrong"}) as response:
            assert response.status == 401
        async with session.get(url) as response:
            assert (response.status, await response.json()) == (405, {"detail": "Method Not Allowed"})
        async with session.post(server.url + "/invoke") as response:
            assert (response.status, await response.json()) == (404, {"detail": "Not Found"})


async def test_failures_on_demand(session: aiohttp.ClientSession) -> None:
    async with cloud(script(Out("x"))) as server:
        server.fail_next(429, times=2, retry_after=3)
        for _ in range(2):
            async with session.post(server.url + "/invoke/stdout", json=VALID) as response:
                assert (response.status, response.headers["Retry-After"]) == (429, "3")
                assert await response.json() == {"detail": "Too Many Requests"}
        assert (await ask(session, server, VALID))[0] == 200


async def test_a_client_that_went_away_is_no_error_of_the_servers(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async def stubborn(invocation: Invocation, stream: Stream) -> None:
        """Notices only when it writes the end."""
        del invocation
        await stream.comment()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()

    async with CloudCodingServer(stubborn, api_key=API_KEY) as server:
        response = await session.post(server.url + "/invoke/stdout", json=VALID)
        response.close()
        await server.requests[0].finished.wait()
        assert server.requests[0].disconnected.is_set()
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_closing_the_server_ends_what_runs(session: aiohttp.ClientSession) -> None:
    cleaned_up = asyncio.Event()

    async def forever(invocation: Invocation, stream: Stream) -> None:
        del invocation
        try:
            await stream.comment()
            await stream.disconnected.wait()
        finally:
            cleaned_up.set()

    async with CloudCodingServer(forever, api_key=API_KEY) as server:
        response = await session.post(server.url + "/invoke/stdout", json=VALID)
        assert await response.content.readline() == b": ping\n"
        assert server.running == 1
    assert cleaned_up.is_set()
    assert server.running == 0
    assert not server.requests[0].disconnected.is_set()
    response.close()


async def test_scripts_are_taken_in_turn(session: aiohttp.ClientSession) -> None:
    scripts = Scripts(script(Out("1")))
    async with cloud(scripts) as server:
        scripts.add(Out("2"))
        assert '"1"' in (await ask(session, server, VALID))[1]
        assert '"2"' in (await ask(session, server, VALID))[1]
        assert await ask(session, server, VALID) == (400, "a request came for which the test has no script")
