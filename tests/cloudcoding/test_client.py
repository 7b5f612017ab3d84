"""The client against a real HTTP server: what goes over the wire, and what comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate

import aiohttp
import pytest

from bot.clock import Clock
from bot.cloudcoding.client import CloudCoding, EventStream, RetryPolicy, Tally, Timeouts
from bot.cloudcoding.events import Answer, Broken, Event, Failure, Stdout, ThreadNamed, Unknown
from bot.cloudcoding.request import InvokeRequest
from bot.errors import Refusal, UpstreamBusy, UpstreamCut, UpstreamRefused
from bot.model import ChatMessage, TaskPrompt, Turn
from bot.simulator.cloudcoding import CloudCodingServer, Framing
from tests.support import cloudcoding as steps
from tests.support.cloudcoding import (
    API_KEY,
    Comment,
    Cut,
    Fail,
    Open,
    Out,
    Raw,
    Reached,
    Say,
    Silent,
    Step,
    Wait,
    cloud,
    script,
)

REQUEST = InvokeRequest("acme/api", "ghs_x", (ChatMessage(Turn.HUMAN, "Fix the login"),))
NEW_YEAR = 1_767_225_600.0  # 2026-01-01 00:00:00 UTC


class VirtualTime:
    """Time that passes only while the client pauses between its tries."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(wall=lambda: NEW_YEAR + self.now, monotonic=lambda: self.now)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


Connect = Callable[..., CloudCoding]


@pytest.fixture
def connect(session: aiohttp.ClientSession, time: VirtualTime) -> Connect:
    def connected(server: CloudCodingServer | str, key: str = API_KEY, **options: object) -> CloudCoding:
        url = server if isinstance(server, str) else server.url
        chosen = {
            "session": session,
            "clock": time.clock,
            "sleep": time.sleep,
            "jitter": lambda: 0.0,
        } | options
        return CloudCoding(url=url, api_key=key, **chosen)  # type: ignore[arg-type]  # a test's own options

    return connected


async def events_of(client: CloudCoding, request: InvokeRequest = REQUEST) -> list[Event]:
    async with client.invoke(request) as stream:
        return [event async for batch in stream for event in batch]


async def collect(stream: EventStream, into: list[Event]) -> None:
    async for batch in stream:
        into += batch


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop turn until ``condition`` holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  aiohttp tells nobody that a connection is gone
            await asyncio.sleep(0)


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[str]:
    """A server that answers each connection's request with these bytes and closes it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_what_is_sent(connect: Connect) -> None:
    async with cloud(script()) as server:
        assert await events_of(connect(server.url + "/")) == []
        [exchange] = server.requests
    assert exchange.headers["x-api-key"] == API_KEY
    assert exchange.headers["Content-Type"] == "application/json"
    assert exchange.body == REQUEST.body()
    assert exchange.status == 200


async def test_each_attempt_waits_until_it_is_cleared(connect: Connect) -> None:
    asked = []

    async with cloud(script(Out("at last"))) as server:

        async def cleared() -> None:
            asked.append(len(server.requests))

        server.fail_next(503, times=2)
        async with connect(server).invoke(REQUEST, cleared) as stream:
            assert [event async for batch in stream for event in batch] == [Stdout(None, "at last")]
    assert asked == [0, 1, 2]


@pytest.mark.parametrize("framing", Framing)
async def test_a_parallel_run_in_each_framing(connect: Connect, framing: Framing) -> None:
    request = InvokeRequest("acme/api", "t", parallel_tasks=(TaskPrompt("a", "A"), TaskPrompt("b", "B")))
    script_steps: list[Step] = [
        Out("1\n", "a"),
        Out("2\n", "b"),
        Comment(),
        Fail("b", "broke"),
        Say("Done.", "t-1", task="a"),
    ]
    async with cloud(script(*script_steps), framing=framing) as server:
        assert await events_of(connect(server), request) == [
            Stdout("a", "1\n"),
            Stdout("b", "2\n"),
            Failure("b", "broke"),
            ThreadNamed("t-1"),
            Answer("a", "run-1", "Done.", "(the prompt)"),
        ]


async def test_the_events_of_one_chunk_come_together_and_nothing_comes_empty(connect: Connect) -> None:
    go_on = asyncio.Event()
    three = b'data: {"stdout": "1"}\n\ndata: {"stdout": "2"}\n\ndata: {"stdout": "3"}\n\n'
    script_steps: list[Step] = [
        Raw(three),
        Wait(go_on),
        Comment(),
        Raw(b'data: {"std'),
        Raw(b'out": "4"}\r\n\r'),
    ]
    async with cloud(script(*script_steps)) as server, connect(server).invoke(REQUEST) as stream:
        assert await anext(stream) == [Stdout(None, "1"), Stdout(None, "2"), Stdout(None, "3")]
        go_on.set()
        assert await anext(stream) == [Stdout(None, "4")]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_a_line_of_many_kilobytes_arrives_whole(connect: Connect) -> None:
    text = "x" * 3_000_000
    async with cloud(script(Out(text))) as server:
        assert await events_of(connect(server)) == [Stdout(None, text)]


async def test_a_request_of_several_megabytes_is_sent(connect: Connect) -> None:
    prompt = "Grüße " * 500_000
    async with cloud(script()) as server:
        await events_of(connect(server), InvokeRequest("a/b", "t", (ChatMessage(Turn.HUMAN, prompt),)))
        assert server.requests[0].body["messages"][0]["content"] == prompt


async def test_a_tally_for_the_log(connect: Connect) -> None:
    script_steps: list[Step] = [
        Out("1"),
        Raw(b"data: {nonsense\n\n"),
        steps.Event("heartbeat", {"n": 1}),
        steps.Event("heartbeat", {"n": 2}),
        Raw(b"data: " + b"x" * (8 * 2**20) + b"\n\n"),
        Out("2"),
        Raw(b"data: [DONE]\n\ndata: cut of"),
    ]
    async with cloud(script(*script_steps)) as server, connect(server).invoke(REQUEST) as stream:
        events = [event async for batch in stream for event in batch]
    beat = Unknown("heartbeat(n)")
    assert events == [Stdout(None, "1"), Broken("not JSON"), beat, beat, Stdout(None, "2")]
    assert stream.tally == Tally(events=5, unknown=2, broken=1, dropped=2, kinds=("heartbeat(n)",))


async def test_the_kinds_in_a_tally_are_bounded(connect: Connect) -> None:
    script_steps: list[Step] = [steps.Event(f"kind-{n}", {}) for n in range(50)]
    async with cloud(script(*script_steps)) as server, connect(server).invoke(REQUEST) as stream:
        assert len([batch async for batch in stream]) > 0
    assert stream.tally.unknown == 50
    assert len(stream.tally.kinds) == 20


async def test_a_last_event_without_its_blank_line_counts(connect: Connect) -> None:
    async with cloud(script(Out("1"), Raw(b'data: {"stdout": "2"}\n'))) as server:
        assert await events_of(connect(server)) == [Stdout(None, "1"), Stdout(None, "2")]


@pytest.mark.parametrize(
    "content_type", ["text/event-stream; charset=utf-8", "TEXT/Event-Stream", "text/plain", ""]
)
async def test_streams_by_other_names(connect: Connect, content_type: str) -> None:
    async with cloud(script(Open(content_type), Out("x"))) as server:
        assert await events_of(connect(server)) == [Stdout(None, "x")]


async def test_a_compressed_stream(connect: Connect) -> None:
    async with cloud(script(Open(compress=True), Out("x" * 5000), Say("Done."))) as server:
        assert await events_of(connect(server)) == [
            Stdout(None, "x" * 5000),
            Answer(None, "run-1", "Done.", "(the prompt)"),
        ]


async def test_a_stream_that_ends_with_its_connection(connect: Connect) -> None:
    answer = b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {"stdout": "x"}\n\n'
    async with raw_server(answer) as url:
        assert await events_of(connect(url)) == [Stdout(None, "x")]


async def test_the_sessions_own_timeouts_do_not_apply(time: VirtualTime, connect: Connect) -> None:
    del time
    go_on = asyncio.Event()
    short = aiohttp.ClientTimeout(total=0.1)
    async with (
        aiohttp.ClientSession(timeout=short) as session,
        cloud(script(Out("1"), Wait(go_on), Out("2"))) as server,
        connect(server, session=session).invoke(REQUEST) as stream,
    ):
        assert await anext(stream) == [Stdout(None, "1")]
        asyncio.get_running_loop().call_later(0.2, go_on.set)
        assert await anext(stream) == [Stdout(None, "2")]


# Refusals


async def test_a_wrong_key_is_refused(connect: Connect) -> None:
    async with cloud(script()) as server:
        with pytest.raises(UpstreamRefused) as refused:
            await events_of(connect(server, key="wrong"))
    assert (refused.value.status, refused.value.reason) == (401, Refusal.KEY)
    assert refused.value.detail == "Invalid or missing API key"


async def test_a_request_that_fails_validation_is_refused_in_the_services_words(connect: Connect) -> None:
    twice = (TaskPrompt("a", "A"), TaskPrompt("a", "B"))
    async with cloud(script()) as server:
        with pytest.raises(UpstreamRefused) as refused:
            await events_of(connect(server), InvokeRequest("acme/api", "", parallel_tasks=twice))
    assert refused.value.status == 422
    assert refused.value.detail == "Input should be a valid string; Value error, a is not unique"


@pytest.mark.parametrize(
    ("status", "body", "detail"),
    [
        (402, {"error": "out of\n credit"}, "out of credit"),
        (404, {"message": "no such repository"}, "no such repository"),
        (400, {"error": {"message": "nested"}}, "nested"),
        (403, "Forbidden by policy", "Forbidden by policy"),
        (400, "x" * 200_000, "x" * 1_999 + "…"),
        (400, {"detail": "y" * 200_000}, ""),
        (400, [], ""),
    ],
)
async def test_refusals(connect: Connect, time: VirtualTime, status: int, body: object, detail: str) -> None:
    async with cloud(script()) as server:
        server.fail_next(status, body=body)
        with pytest.raises(UpstreamRefused) as refused:
            await events_of(connect(server))
        assert len(server.requests) == 1
    assert (refused.value.status, refused.value.detail) == (status, detail)
    assert time.pauses == []


async def test_a_redirect_is_refused_and_the_key_goes_nowhere(connect: Connect) -> None:
    async with cloud(script()) as elsewhere, cloud(script()) as server:
        server.fail_next(307, headers={"Location": elsewhere.url + "/invoke/stdout"})
        with pytest.raises(UpstreamRefused, match="307") as refused:
            await events_of(connect(server))
        assert elsewhere.requests == []
    assert "redirect" in refused.value.detail


async def test_a_200_that_is_no_stream_is_refused(connect: Connect) -> None:
    async with cloud(script(Open("text/html"), Raw(b"<html>Please log in</html>"))) as server:
        server.fail_next(200, body={"error": "the agent is away"})
        with pytest.raises(UpstreamRefused) as refused:
            await events_of(connect(server))
        assert (refused.value.status, refused.value.detail) == (200, "the agent is away")
        with pytest.raises(UpstreamRefused) as refused:
            await events_of(connect(server))
        assert refused.value.detail == "it answered with text/html instead of an event stream"


async def test_a_refusal_whose_body_breaks_off_is_one_all_the_same(connect: Connect) -> None:
    async with raw_server(b'HTTP/1.1 400 Bad Request\r\nContent-Length: 1000\r\n\r\n{"detail": "no') as url:
        with pytest.raises(UpstreamRefused, match="400"):
            await events_of(connect(url))


# Tries


async def test_tries_go_on_with_growing_pauses_until_one_succeeds(
    connect: Connect, time: VirtualTime
) -> None:
    async with cloud(script(Say("Done."))) as server:
        server.fail_next(503)
        server.fail_next(500)
        server.fail_next(429, body={})
        assert await events_of(connect(server)) == [Answer(None, "run-1", "Done.", "(the prompt)")]
        assert [exchange.status for exchange in server.requests] == [503, 500, 429, 200]
        assert [exchange.body for exchange in server.requests] == [REQUEST.body()] * 4
    assert time.pauses == [1.0, 2.0, 4.0]


async def test_jitter_takes_up_to_half_of_a_pause_away(connect: Connect, time: VirtualTime) -> None:
    async with cloud(script()) as server:
        server.fail_next(503, times=2)
        await events_of(connect(server, jitter=lambda: 1.0))
    assert time.pauses == [0.5, 1.0]


async def test_tries_end(connect: Connect, time: VirtualTime) -> None:
    async with cloud(script()) as server:
        server.fail_next(502, times=9, body={"detail": "bad gateway"})
        with pytest.raises(UpstreamBusy) as busy:
            await events_of(connect(server))
        assert len(server.requests) == 4
    assert (busy.value.status, busy.value.detail) == (502, "bad gateway")
    assert time.pauses == [1.0, 2.0, 4.0]


async def test_tries_end_with_their_time(connect: Connect, time: VirtualTime) -> None:
    async with cloud(script()) as server:
        server.fail_next(503, times=9)
        with pytest.raises(UpstreamBusy):
            await events_of(connect(server, retry=RetryPolicy(tries=9, budget=4.0)))
        assert len(server.requests) == 3
    assert time.pauses == [1.0, 2.0]


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [
        (7, 7.0),
        ("2.5", 2.5),
        ("0", 0.0),
        (formatdate(NEW_YEAR + 12, usegmt=True), 12.0),
        (formatdate(NEW_YEAR - 12, usegmt=True), 0.0),
        (formatdate(NEW_YEAR + 12), 12.0),  # a date without a zone
        ("soon", 1.0),
        ("7 seconds", 1.0),
        ("-7", 1.0),
    ],
)
async def test_retry_after_is_obeyed(
    connect: Connect, time: VirtualTime, retry_after: float | str, pause: float
) -> None:
    async with cloud(script(Out("x"))) as server:
        server.fail_next(429, retry_after=retry_after)
        assert await events_of(connect(server)) == [Stdout(None, "x")]
    assert time.pauses == [pause]


async def test_a_long_retry_after_is_handed_on_at_once(connect: Connect, time: VirtualTime) -> None:
    async with cloud(script()) as server:
        server.fail_next(429, retry_after=120, body={"detail": "too many runs"})
        with pytest.raises(UpstreamBusy) as busy:
            await events_of(connect(server))
        assert len(server.requests) == 1
    assert (busy.value.status, busy.value.detail) == (429, "too many runs (it asks to wait 120 s)")
    assert time.pauses == []


async def test_nobody_listens(connect: Connect, time: VirtualTime) -> None:
    async with cloud(script()) as server:
        url = server.url
    with pytest.raises(UpstreamBusy) as busy:
        await events_of(connect(url))
    assert busy.value.status is None
    assert time.pauses == [1.0, 2.0, 4.0]


async def test_a_connection_that_breaks_before_the_headers_is_tried_again(connect: Connect) -> None:
    async with cloud(script(Silent(), Cut()), script(Out("x"))) as server:
        assert await events_of(connect(server)) == [Stdout(None, "x")]
        assert [exchange.cut for exchange in server.requests] == [True, False]


async def test_an_answer_that_is_no_http_counts_as_no_answer(connect: Connect, time: VirtualTime) -> None:
    async with raw_server(b"SSH-2.0-OpenSSH_9.6\r\n\r\n") as url:
        with pytest.raises(UpstreamBusy) as busy:
            await events_of(connect(url))
    assert busy.value.status is None
    assert len(time.pauses) == 3


async def test_no_connection_in_time(connect: Connect, time: VirtualTime) -> None:
    never = asyncio.Event()
    one = aiohttp.TCPConnector(limit=1)
    async with (
        aiohttp.ClientSession(connector=one) as session,
        cloud(script(Out("x"), Wait(never))) as server,
        connect(server, session=session).invoke(REQUEST) as stream,
    ):
        await anext(stream)
        impatient = connect(server, session=session, timeouts=Timeouts(connect=0.01))
        with pytest.raises(UpstreamBusy, match="no connection"):
            await events_of(impatient)
        assert len(server.requests) == 1
    assert len(time.pauses) == 3


async def test_a_request_without_an_answer_is_never_sent_again(connect: Connect, time: VirtualTime) -> None:
    impatient = Timeouts(connect=0.5, headers=0.1)
    async with cloud(script(Silent(), Wait(asyncio.Event()))) as server:
        with pytest.raises(UpstreamCut, match="no answer within"):
            await events_of(connect(server, timeouts=impatient))
        await server.requests[0].disconnected.wait()
        assert len(server.requests) == 1
    assert time.pauses == []


# Cuts


async def test_a_stream_that_is_cut_gives_what_came_and_is_not_repeated(
    connect: Connect, time: VirtualTime
) -> None:
    events: list[Event] = []
    async with cloud(script(Out("1"), Out("2"), Cut())) as server:
        async with connect(server).invoke(REQUEST) as stream:
            with pytest.raises(UpstreamCut, match="the connection broke"):
                await collect(stream, events)
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
        assert len(server.requests) == 1
    assert events == [Stdout(None, "1"), Stdout(None, "2")]
    assert time.pauses == []


async def test_what_arrived_before_a_cut_is_kept_for_a_busy_reader(connect: Connect) -> None:
    async with (
        cloud(script(Out("1"), Out("2"), Cut())) as server,
        connect(server).invoke(REQUEST) as stream,
    ):
        await until(lambda: stream._content.exception() is not None)
        assert await anext(stream) == [Stdout(None, "1"), Stdout(None, "2")]
        with pytest.raises(UpstreamCut):
            await anext(stream)


async def test_a_silent_stream_counts_as_cut(connect: Connect) -> None:
    async with (
        cloud(script(Out("1"), Wait(asyncio.Event()))) as server,
        connect(server, timeouts=Timeouts(idle=0.2)).invoke(REQUEST) as stream,
    ):
        assert await anext(stream) == [Stdout(None, "1")]
        with pytest.raises(UpstreamCut, match=r"silent for 0\.2 s"):
            await anext(stream)


async def test_compression_that_breaks_counts_as_cut(connect: Connect) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"
    async with raw_server(head + b"this is not gzip") as url:
        with pytest.raises(UpstreamCut):
            await events_of(connect(url))


# Stopping


async def test_cancelling_a_reader_closes_the_connection(connect: Connect) -> None:
    reading = asyncio.Event()

    async def read(client: CloudCoding) -> None:
        async with client.invoke(REQUEST) as stream:
            async for _ in stream:
                reading.set()

    async with cloud(script(Out("1"), Wait(asyncio.Event()))) as server:
        task = asyncio.create_task(read(connect(server)))
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            await server.requests[0].disconnected.wait()
        assert server.requests[0].disconnected_at is not None


async def test_cancelling_before_the_headers_closes_the_connection(connect: Connect) -> None:
    waiting = asyncio.Event()
    async with cloud(script(Silent(), Reached(waiting), Wait(asyncio.Event()))) as server:
        task = asyncio.create_task(events_of(connect(server)))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            await server.requests[0].disconnected.wait()


async def test_leaving_the_context_closes_the_connection(connect: Connect) -> None:
    class EnoughError(Exception):
        pass

    async with cloud(*[script(Out("1"), Wait(asyncio.Event()))] * 2) as server:
        async with connect(server).invoke(REQUEST) as stream:
            async for _ in stream:
                break
        with pytest.raises(EnoughError):
            async with connect(server).invoke(REQUEST) as stream:
                raise EnoughError
        async with asyncio.timeout(10):
            for exchange in server.requests:
                await exchange.disconnected.wait()


async def test_a_stream_that_was_read_to_its_end_was_not_broken_off(connect: Connect) -> None:
    async with cloud(script(Out("1"))) as server:
        await events_of(connect(server))
        await server.requests[0].finished.wait()
        assert not server.requests[0].disconnected.is_set()
