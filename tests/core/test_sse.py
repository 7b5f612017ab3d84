import itertools
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.core.sse import ServerSentEvent, SSEDecoder

Events = list[ServerSentEvent]


def decode(*chunks: bytes, max_event_bytes: int = 8 * 2**20) -> Events:
    decoder = SSEDecoder(max_event_bytes)
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def message(data: bytes, last_id: str = "") -> ServerSentEvent:
    return ServerSentEvent("message", data, last_id)


def reference(stream: bytes, limit: int) -> tuple[Events, int]:
    """The standard's rules over the whole stream, an event at a time, with the size rule beside them."""
    *lines, unfinished = re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))
    events: Events = []
    dropped, last_id = 0, b""
    while b"" in lines:
        blank = lines.index(b"")
        event, lines = [line for line in lines[:blank] if line[:1] != b":"], lines[blank + 1 :]
        ends = list(itertools.accumulate(map(len, event)))
        fields = [field_of(line) for line, end in zip(event, ends, strict=True) if end <= limit]
        ids = [value for name, value in fields if name == b"id" and b"\x00" not in value]
        last_id = [last_id, *ids][-1]
        if len(fields) < len(event):
            dropped += 1
        elif data := [value for name, value in fields if name == b"data"]:
            name = [b"", *(value for name, value in fields if name == b"event")][-1]
            retry = [
                int(value)
                for name, value in fields
                if name == b"retry" and re.fullmatch(rb"[0-9]{1,15}", value)
            ]
            events.append(
                ServerSentEvent(
                    name.decode(errors="replace") or "message",
                    b"\n".join(data),
                    last_id.decode(errors="replace"),
                    retry[-1] if retry else None,
                )
            )
    rest = sum(len(line) for line in [*lines, unfinished] if line[:1] != b":")
    return events, dropped + (rest > limit)


def field_of(line: bytes) -> tuple[bytes, bytes]:
    found = re.fullmatch(rb"([^:]*)(?:: ?(.*))?", line, re.DOTALL)
    assert found is not None
    return found[1], found[2] or b""


def test_an_event_ends_at_its_blank_line() -> None:
    assert decode(b"data: one\n\ndata: two\n") == [message(b"one")]


@pytest.mark.parametrize("newline", [b"\n", b"\r", b"\r\n"])
def test_every_line_ending_is_known(newline: bytes) -> None:
    lines = [b"event: custom", b"data: a", b"data: b", b"", b"data: c", b"", b""]
    assert decode(newline.join(lines)) == [ServerSentEvent("custom", b"a\nb"), message(b"c")]


def test_line_endings_may_be_mixed() -> None:
    assert decode(b"data: a\r\ndata: b\rdata: c\n\r\ndata: d\n\r") == [message(b"a\nb\nc"), message(b"d")]


def test_an_event_is_dispatched_at_the_cr_that_ends_it() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\r\r") == [message(b"a")]
    assert decoder.feed(b"\ndata: b\r\n\r") == [message(b"b")]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"") == []


def test_the_lf_of_a_cut_crlf_is_no_line_of_its_own() -> None:
    assert decode(b"data: a\r", b"\ndata: b\n\n") == [message(b"a\nb")]
    assert decode(b"data: a\r", b"", b"\ndata: b\n\n") == [message(b"a\nb")]
    assert decode(b"data: a\r", b"\n", b"\ndata: b\n\n") == [message(b"a"), message(b"b")]


def test_fields_are_read_by_the_standards_rules() -> None:
    assert decode(b"data:tight\n\ndata:  two spaces\n\ndata: a: b\n\n") == [
        message(b"tight"),
        message(b" two spaces"),
        message(b"a: b"),
    ]
    assert decode(b"data\n\ndata\ndata\n\n") == [message(b""), message(b"\n")]
    assert decode(b"Data: x\n data: y\ndataset: z\n: data\n\n") == []
    assert decode(b"\n\n\ndata: x\n\n\n\n") == [message(b"x")]


def test_comments_are_nothing() -> None:
    assert decode(b": ping\n\n:\n\ndata: a\n: in between\ndata: b\n\n") == [message(b"a\nb")]


def test_the_name_belongs_to_one_event_and_the_id_to_all_that_follow() -> None:
    stream = b"event: first\nid: 7\n\ndata: a\n\nevent: x\nevent: second\ndata: b\n\nid\ndata: c\n\n"
    assert decode(stream) == [
        message(b"a", "7"),
        ServerSentEvent("second", b"b", "7"),
        message(b"c"),
    ]


def test_an_id_with_nul_is_ignored() -> None:
    assert decode(b"id: 1\nid: a\x00b\ndata: x\n\n") == [message(b"x", "1")]


@pytest.mark.parametrize(
    ("value", "retry"),
    [(b"1500", 1500), (b"007", 7), (b"-1", None), (b"1.5", None), (b"", None), (b"9" * 5000, None)],
)
def test_retry_is_digits_only(value: bytes, retry: int | None) -> None:
    assert decode(b"retry: " + value + b"\ndata: x\n\ndata: y\n\n") == [
        ServerSentEvent(data=b"x", retry=retry),
        message(b"y"),
    ]


def test_a_leading_byte_order_mark_is_no_part_of_the_first_field() -> None:
    assert decode(b"\xef\xbb\xbfdata: a\n\n") == [message(b"a")]
    assert decode(b"\xef", b"\xbb", b"\xbf", b"data: a\n\n\xef\xbb\xbfdata: b\n\n") == [message(b"a")]
    assert decode(b"\xef\xbb", b"data: a\n\ndata: b\n\n") == [message(b"b")]


def test_characters_may_be_cut_anywhere_and_bad_ones_are_left_to_the_reader() -> None:
    text = "data: Grüße 🎉\n\n".encode()
    assert decode(*(text[i : i + 1] for i in range(len(text)))) == [message("Grüße 🎉".encode())]
    assert decode(b"event: \xff\nid: \xfe\ndata: \xff\n\n") == [
        ServerSentEvent("\N{REPLACEMENT CHARACTER}", b"\xff", "\N{REPLACEMENT CHARACTER}")
    ]


def test_a_stream_that_lacks_only_the_last_blank_line_loses_nothing() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"event: custom\ndata: a\r") == []
    assert decoder.close() == [ServerSentEvent("custom", b"a")]
    assert decoder.close() == []
    assert decoder.dropped == 0


@pytest.mark.parametrize("stream", [b"data: a\ndata: b", b"data: a", b"data: a\nda"])
def test_an_event_that_breaks_off_within_a_line_is_discarded(stream: bytes) -> None:
    decoder = SSEDecoder()
    assert decoder.feed(stream) == []
    assert decoder.close() == []
    assert decoder.dropped == 1


def test_a_comment_that_breaks_off_costs_nothing() -> None:
    decoder = SSEDecoder()
    assert decoder.feed(b"data: a\n: pi") == []
    assert decoder.close() == [message(b"a")]
    assert decoder.dropped == 0


def test_an_event_that_is_too_large_is_dropped_and_the_stream_goes_on() -> None:
    decoder = SSEDecoder(max_event_bytes=20)
    lines = b"data: 123456789\ndata: 123456789\nevent: x\n\ndata: next\n\n"
    assert decoder.feed(lines) == [message(b"next")]
    assert decoder.feed(b"data: " + b"x" * 15 + b"\n\ndata: " + b"x" * 14 + b"\n\n") == [message(b"x" * 14)]
    assert decoder.dropped == 2


def test_an_endless_line_is_held_in_bounded_memory_and_dropped_once() -> None:
    decoder = SSEDecoder(max_event_bytes=1000)
    decoder.feed(b"data: ")
    for _ in range(1000):
        assert decoder.feed(b"x" * 999) == []
        assert len(decoder._lines._line) <= 2000
    assert decoder.dropped == 1
    assert decoder.feed(b"\ndata: of the same event\n") == []
    assert decoder.feed(b"data: also cut") == []
    assert decoder.feed(b"\n\ndata: next\n\n") == [message(b"next")]
    assert decoder.dropped == 1


def test_comments_never_count_towards_the_size() -> None:
    decoder = SSEDecoder(max_event_bytes=10)
    for _ in range(100):
        assert decoder.feed(b": ping\n: pi") == []
        assert decoder.feed(b"ng without end\n") == []
    assert decoder.feed(b"data: a\n\n") == [message(b"a")]
    assert decoder.dropped == 0


def test_a_large_event_in_small_chunks_arrives_whole() -> None:
    body = bytes(range(32, 127)) * 20_000
    line = b"data: " + body + b"\n\n"
    assert decode(*(line[i : i + 100] for i in range(0, len(line), 100))) == [message(body)]


PIECES = st.sampled_from(
    [
        *(b"\n", b"\r", b"\r\n", b"\n\n", b"\xef\xbb\xbf", b"\x00", b" ", b":", b"x", b"\xff"),
        *(b"data", b"data:", b"data: ", b"data: y\n\n", b"event: ", b"event: e\ndata: z\n\n"),
        *(
            b"data: {y}\n\n",
            b"data:{z}\n\n",
            b"event: e\ndata: {{}}\n\n",
            b"data: {{x}}\n\n",
            b"{",
            b"}",
            b"}\n\n",
        ),
        *(b": note", b"id: ", b"id: 4\n", b"retry: ", b"retry: 12\n", b"\xf0\x9f\x8e\x89", b"long" * 8),
    ]
)
STREAMS = st.lists(PIECES, max_size=40).map(b"".join)


def two_bytes_each(data: bytes) -> tuple[bytes, bytes]:
    return (data[:2], data[-2:]) if len(data) > 3 else (data[:1], data[-1:])


@settings(max_examples=300, deadline=None)
@given(
    stream=STREAMS, cuts=st.lists(st.integers(0, 300), max_size=12), limit=st.sampled_from([8, 30, 10_000])
)
@example(stream=b"data: {x}\n\ndata: {\n\ndata: }\n\ndata: {y}\n\n", cuts=[], limit=10_000)
@example(stream=b"data: {x}\n\ndata: {a}\nb}\n\ndata: {y}\n\nevent: e\ndata: {z}\n\n", cuts=[], limit=10_000)
@example(stream=b"data: {{x}}\n\nid: 4\ndata: {{\n\ndata: {{y}}\n\ndata: {}\n\n", cuts=[11], limit=10_000)
@example(stream=b"data: {x}\n\ndata:  {y}\n\ndata:{z}\n\ndata: {x}\n\n", cuts=[], limit=10_000)
@example(stream=b"data: }}}}}\n\ndata: }}}\n\ndata: }}}\n\n", cuts=[13], limit=10_000)
@example(stream=b"data: {x}\n\ndata: {y}\n\n\n\ndata: {z}\n\n\ndata: {x}\n\n", cuts=[], limit=10_000)
@example(stream=b"data: a\r\n\r\ndata: b\r\n\r\n", cuts=[8, 10], limit=30)
@example(stream=b"\n\ndata: a\n\n\n\ndata: b\n\n", cuts=[], limit=30)
def test_any_cut_gives_what_a_plain_reading_gives(stream: bytes, cuts: list[int], limit: int) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for decoder in (SSEDecoder(limit), SSEDecoder(limit, two_bytes_each)):
        events = [event for a, b in itertools.pairwise(edges) for event in decoder.feed(stream[a:b])]
        assert (events, decoder.dropped) == reference(stream, limit)


@settings(max_examples=200, deadline=None)
@given(stream=STREAMS, cut=st.integers(0, 300))
def test_a_runs_middles_are_as_many_as_it_says_and_begin_alike(stream: bytes, cut: int) -> None:
    decoder = SSEDecoder()
    for run in decoder.feed_runs(stream[:cut]) + decoder.feed_runs(stream[cut:]) + decoder.close_runs():
        middles = run.middles.split(b"\r")
        assert len(middles) == run.number
        assert len({middle[:1] for middle in middles}) == 1


@settings(max_examples=150, deadline=None)
@given(stream=STREAMS)
def test_one_byte_at_a_time_gives_the_same(stream: bytes) -> None:
    decoder = SSEDecoder(30)
    events = [event for i in range(len(stream)) for event in decoder.feed(stream[i : i + 1])]
    assert (events, decoder.dropped) == reference(stream, 30)


@given(stream=st.binary(max_size=200))
def test_arbitrary_bytes_are_never_an_error(stream: bytes) -> None:
    decoder = SSEDecoder(16)
    decoder.feed(stream)
    decoder.close()
    assert decoder.feed(b"data: next\n\n")[-1:] in ([message(b"next", decoder._lines.last_id)], [])
