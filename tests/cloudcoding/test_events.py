import json
from itertools import pairwise, product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.cloudcoding.events import (
    Answer,
    Broken,
    Event,
    Failure,
    Push,
    Stdout,
    ThreadNamed,
    Unknown,
    edges,
    interpret,
    interpret_run,
)
from bot.core.sse import Run, SSEDecoder


def bare(data: object) -> list[Event]:
    return interpret("message", json.dumps(data).encode())


def enveloped(name: str, data: object) -> list[Event]:
    return bare({"event": name, "data": data})


def named(name: str, data: object) -> list[Event]:
    return interpret(name, json.dumps(data).encode())


def raw(data: bytes, name: str = "message") -> list[Event]:
    return interpret(name, data)


framed = pytest.mark.parametrize("framed", [enveloped, named])


@framed
def test_stdout_in_both_framings(framed: Any) -> None:
    assert framed("custom", {"task_name": "testing", "stdout": "ok\n"}) == [Stdout("testing", "ok\n")]
    assert framed("custom", {"task_name": None, "stdout": "ok"}) == [Stdout(None, "ok")]
    assert framed("custom", {"stdout": "ok", "seq": 4}) == [Stdout(None, "ok")]


@framed
def test_empty_stdout_is_nothing(framed: Any) -> None:
    assert framed("custom", {"task_name": "a", "stdout": ""}) == []
    assert framed("custom", {"task_name": "a", "stdout": None}) == []


def test_mixtures_of_both_framings() -> None:
    inner = {"stdout": "x"}
    assert named("custom", {"event": "custom", "data": inner}) == [Stdout(None, "x")]
    assert named("custom", {"data": inner}) == [Stdout(None, "x")]
    assert bare({"data": inner}) == [Stdout(None, "x")]
    assert bare(inner) == [Stdout(None, "x")]
    assert bare({"event": "custom", **inner}) == [Stdout(None, "x")]
    assert bare({"event": "custom", "task_name": "a", "data": inner}) == [Stdout("a", "x")]
    assert bare({"stdout": "x", "data": "something else"}) == [Stdout(None, "x")]


def test_json_within_a_string_is_unwrapped_once() -> None:
    assert enveloped("custom", json.dumps({"stdout": "x"})) == [Stdout(None, "x")]
    assert named("custom", json.dumps({"stdout": "x"})) == [Stdout(None, "x")]
    assert enveloped("custom", "{not json") == [Broken("custom: data is string")]
    assert enveloped("custom", "{\ud800") == [Broken("custom: data is string")]


@framed
def test_the_answer_is_the_last_ai_message_with_text(framed: Any) -> None:
    messages = [
        {"type": "human", "content": "Fix it"},
        {"type": "ai", "content": "Looking"},
        {"type": "tool", "content": "ls"},
        {"type": "ai", "content": "Done."},
        {"type": "ai", "content": "  "},
        {"type": "tool", "content": "bye"},
    ]
    assert framed("updates", {"run_id": "r", "messages": messages, "stream_events": []}) == [
        Answer(None, "r", "Done.", "Fix it")
    ]
    assert framed("updates", {"task_name": "a", "messages": messages}) == [
        Answer("a", None, "Done.", "Fix it")
    ]


@pytest.mark.parametrize(
    "message",
    [
        {"type": "AIMessage", "content": "Hi"},
        {"type": "assistant", "content": "Hi"},
        {"role": "assistant", "content": "Hi"},
        {"type": "message", "role": "assistant", "content": "Hi"},
        {"type": "ai", "content": ["H", {"type": "tool_use", "input": {}, "text": "no"}, "i"]},
        {"type": "ai", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}, 7, {}]},
    ],
)
def test_a_message_may_be_written_in_several_ways(message: object) -> None:
    assert enveloped("updates", {"messages": [message]}) == [Answer(None, None, "Hi")]


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"type": "ai", "content": ""}, {"type": "ai", "content": [{"type": "tool_use"}]}],
        [{"type": "ai", "content": None}, {"type": "ai", "content": {"text": "x"}}, None, "ai", 4],
        [{"type": ["ai"], "role": {}, "content": "Hi"}],
        [{"type": "ai", "content": "an earlier turn's"}, {"type": "human", "content": "And now?"}],
        [{"type": "ai", "content": "an earlier turn's"}, {"role": "user", "content": [{"text": "And now?"}]}],
    ],
)
def test_messages_without_a_new_answer(messages: list[object]) -> None:
    assert enveloped("updates", {"run_id": "r", "messages": messages}) == []


def test_tool_results_in_a_human_message_are_no_new_turn() -> None:
    result = {"type": "human", "content": [{"type": "tool_result", "content": "ok"}]}
    said = {"type": "ai", "content": "Running it"}
    assert enveloped("updates", {"messages": [said, result]}) == [Answer(None, None, "Running it")]


@framed
def test_errors_by_name_or_by_key(framed: Any) -> None:
    assert framed("error", {"task_name": "a", "message": "no such branch"}) == [
        Failure("a", "no such branch")
    ]
    assert framed("error", {}) == [Failure(None, "")]
    assert framed("error", "out of credit") == [Failure(None, "out of credit")]
    assert framed("custom", {"task_name": "a", "error": "killed"}) == [Failure("a", "killed")]
    assert framed("custom", {"error": {"message": "boom", "code": 3}}) == [Failure(None, "boom")]
    assert framed("custom", {"error": {"detail": [{"msg": "one"}, {"msg": "two"}]}}) == [
        Failure(None, "one; two")
    ]
    assert framed("custom", {"error": None}) == []


def test_an_error_that_is_no_json_is_still_one() -> None:
    assert raw(b"Internal \xff error", "error") == [Failure(None, "Internal \N{REPLACEMENT CHARACTER} error")]
    assert bare({"error": "old style"}) == [Failure(None, "old style")]
    assert bare({"event": "error", "message": "flat"}) == [Failure(None, "flat")]


def test_a_failures_text_is_bounded() -> None:
    [failure] = enveloped("error", {"error": "x" * 100_000})
    assert isinstance(failure, Failure)
    assert len(failure.text) == 2000
    assert failure.text.endswith("x…")


@framed
def test_the_thread_is_named_at_the_top_or_in_metadata(framed: Any) -> None:
    assert framed("updates", {"thread_id": "t-1"}) == [ThreadNamed("t-1")]
    assert framed("metadata", {"metadata": {"thread_id": "t-1"}}) == [ThreadNamed("t-1")]
    assert bare({"event": "custom", "thread_id": "t-1", "data": {"stdout": "x"}}) == [
        ThreadNamed("t-1"),
        Stdout(None, "x"),
    ]
    assert bare({"event": "x", "metadata": {"thread_id": "t-1"}, "data": None}) == [ThreadNamed("t-1")]


@pytest.mark.parametrize("thread_id", ["", 7, None, "x" * 500, "a\nb", ["t"]])
def test_a_thread_that_cannot_be_named_is_not(thread_id: object) -> None:
    assert enveloped("updates", {"thread_id": thread_id, "metadata": "x"}) == []


def test_one_event_may_say_several_things() -> None:
    data = {
        "task_name": "a",
        "thread_id": "t-1",
        "stdout": "x",
        "messages": [{"type": "ai", "content": "Hi"}],
        "push": "pushed",
        "error": "then it broke",
    }
    assert enveloped("custom", data) == [
        ThreadNamed("t-1"),
        Stdout("a", "x"),
        Answer("a", None, "Hi"),
        Push("pushed"),
        Failure("a", "then it broke"),
    ]


def test_the_older_endpoints_bare_objects() -> None:
    assert bare({"push": "changes successfully pushed to main"}) == [
        Push("changes successfully pushed to main")
    ]
    assert bare({"auth": "…"}) == [Unknown("message(auth)")]
    assert bare({"setup": {}}) == [Unknown("message(setup)")]
    assert bare({"executor": [{"secret": 1}]}) == [Unknown("message(executor)")]
    assert bare({"push": {}}) == [Unknown("message(push)")]


def test_unknown_shapes_are_named_without_their_content() -> None:
    assert enveloped("heartbeat", None) == [Unknown("heartbeat(null)")]
    assert named("ping", {}) == [Unknown("ping()")]
    assert bare(["a secret"]) == [Unknown("message(list)")]
    assert bare(12) == [Unknown("message(number)")]
    assert bare("a secret") == [Unknown("message(string)")]
    assert bare(True) == [Unknown("message(boolean)")]
    [unknown] = bare({f"key {n} {'x' * 100}\n": "a secret" for n in range(100)})
    assert isinstance(unknown, Unknown)
    assert len(unknown.kind) < 200
    assert unknown.kind.startswith("message(key0xxx")
    assert "secret" not in unknown.kind


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{", "not JSON"),
        (b"hello", "not JSON"),
        (b'{"stdout": "\xff"}', "not UTF-8"),
        (b'{"stdout": "a\\qb"}', "not JSON"),
        (b'{"a": "\\ud800", "b": }', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_broken(data: bytes, reason: str) -> None:
    assert raw(data) == [Broken(reason)]
    assert raw(data, "custom") == [Broken(reason)]


@framed
def test_wrong_types_are_broken_but_cost_only_themselves(framed: Any) -> None:
    assert framed("custom", {"stdout": ["a"], "thread_id": "t"}) == [
        ThreadNamed("t"),
        Broken("stdout is list"),
    ]
    assert framed("updates", {"messages": {}}) == [Broken("messages is object")]
    assert framed("updates", ["a"]) == [Broken("updates: data is list")]
    assert framed("custom", 1.5) == [Broken("custom: data is number")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (7, "7"),
        (True, None),
        ({"a": 1}, None),
        ("", None),
        (" \x1b\n", None),
        ("a\x1b[31m\u202eb", "a[31mb"),
        ("x" * 300, "x" * 200),
        ("\n" + "x" * 10**6, "x" * 200),
        ("büild é", "büild é"),
    ],
)
def test_a_task_name_is_made_fit_to_be_shown(name: object, shown: str | None) -> None:
    assert enveloped("custom", {"task_name": name, "stdout": "x"}) == [Stdout(shown, "x")]


def test_half_a_surrogate_pair_costs_one_character() -> None:
    assert raw(b'{"stdout": "a\\ud83d", "task_name": "\\\\ud83d"}') == [
        Stdout("\\ud83d", "a\N{REPLACEMENT CHARACTER}")
    ]
    assert raw(b'{"event": "custom", "data": {"stdout": "\\udf89 \\ud83c\\udf89"}}') == [
        Stdout(None, "\N{REPLACEMENT CHARACTER} 🎉")
    ]


@pytest.mark.parametrize("data", [b"", b" ", b"[DONE]", b" [DONE]\n"])
def test_signs_of_life_are_nothing(data: bytes) -> None:
    assert raw(data) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("event", "data", "stdout", "task_name", "messages", "type", "role", "content", "error"),
                    *("thread_id", "metadata", "push", "run_id", "detail", "text"),
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(value=JSON, name=st.sampled_from(["message", "custom", "updates", "error"]))
def test_no_json_is_an_error(value: object, name: str) -> None:
    for event in named(name, value) + named(name, json.dumps(value)) + enveloped(name, value):
        assert isinstance(event, Event)


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=40), name=st.sampled_from(["message", "custom", "error"]))
def test_no_bytes_are_an_error(data: bytes, name: str) -> None:
    assert all(isinstance(event, Event) for event in raw(data, name))


def one_by_one(run: Run) -> list[Event]:
    return [said for event in run.events() for said in interpret(event.event, event.data)]


USUAL = [b'{"event": "custom", "data": {"task_name": "a", "stdout": "%d"}}' % number for number in range(40)]
ODD = [
    *(b"", b" ", b"null", b"[]", b"7", b"{}", b"{", b"}", b"[DONE]", b'"', b"\\", b",", b"]", b"[", b"\xff"),
    *(
        b"null,null",
        b",null",
        b"null,",
        b'{"stdout": "a"},{"stdout": "b"}',
        b'{"stdout": "a"',
        b'"task_name": "b"}',
    ),
    *(
        b'{"stdout": "a',
        b'b"}',
        b'{"stdout": "a",null',
        b'{"stdout": "a"}],[{"stdout": "b"}',
        b'{"stdout":\n"a"}',
    ),
    *(
        b'{"stdout": ""}',
        b'{"stdout": "a", "seq": 4}',
        b'{"stdout": "\\ud83d"}',
        b'{"task_name": " a ", "stdout": "x"}',
    ),
    *(b'{"task_name": "", "stdout": "x"}', b'{"error": "no"}', b'{"stdout": "a"},null\n,{"stdout": "b"}'),
    *(b'{"event": "custom", "data": {"stdout": "a"}},null\n,{"event": "custom", "data": {"stdout": "b"}}',),
    *(b'{"event": "custom", "data": {"stdout": "a"}', b'{"event": "custom"', b'"data": {"stdout": "b"}}'),
    *(b'{"event": "custom", "data": {"stdout": "a"}},{"event": "custom", "data": {"stdout": "b"}}',),
    *(
        b'{"event": "custom", "event": "error", "data": {"stdout": "a"}}',
        b'{"data": {"stdout": "a"}, "event": "custom"}',
    ),
    *(b'{"event": "updates", "event": "error", "data": {"messages": []}}', b'{"event": "updates"}'),
    *(b'{"event": "updates", "data": {"messages": [{"type": "ai", "content": "Done"}]}}',),
    *(
        b'{"event": "updates", "data": {"stdout": "a"}}',
        b'{"event": "updates", "data": {"stdout": "a',
        b'"}}',
    ),
    *(b'{"event": "updates", "data": [{}', b"{}]}", b'{"event": "updates", "data": [null', b"null]}"),
    *(b'{"event": "updates", "data": \n{"thread_id": "t"}}', b'{"event": "error", "data": {"error": "no"}}'),
]
BARE = [odd[1:-1] for odd in ODD if odd.startswith(b"{") and odd.endswith(b"}")]
PAYLOADS = st.lists(
    st.sampled_from([*USUAL[:2], *ODD, *BARE, b'{"task_name": "a", "stdout": "1"}', b'{"stdout": "2"}'])
)


@settings(max_examples=500, deadline=None)
@given(name=st.sampled_from(["message", "custom", "updates", "error"]), payloads=PAYLOADS)
@example("custom", [b'{"stdout": "a"} {"stdout": "b"}', b'{"stdout": "c"}'])
@example("custom", [b' {"stdout": "a"} {"stdout": "b"}', b" "])
@example("custom", [b'{"stdout": "a"} {"stdout": "b"}', b'{"stdout": "a', b'{"'])
@example("custom", [b'{"stdout": "a"} {"stdout": "b"}', b"{", b'{"stdout": "c"}'])
@example("custom", [b'{"stdout": "a"} {"stdout": "b"}', b'{"stdout": "a"', b'{"task_name": "b"}'])
@example("custom", [b'{"stdout": "a"', b'{"stdout": "b"}} {', b'{"stdout": "c"}'])
@example("custom", [b'"stdout": "a"} {"stdout": "b"', b'"stdout": "a', b'"'])
@example("custom", [b"null,null", b'null} {"stdout": "b"'])
@example("message", [b'{"event": "custom", "data": {"stdout": "a', b'{"stdout": "b"}', b'{"stdout": "c"}}'])
@example("custom", [b'{"task_name": "c", "stdout": "a"}', b'{"task_name": "\\u0007", "stdout": "c"}'])
def test_many_events_together_say_what_they_say_one_by_one(name: str, payloads: list[bytes]) -> None:
    heads = {payload[:1] for payload in payloads}
    for head, (first, last) in product(heads, [(b"", b""), (b'{"event": "custom", "data": ', b"}")]):
        middles = [payload for payload in payloads if payload[:1] == head]
        alike = Run(name, b"\r".join(middles), len(middles), first=first, last=last)
        assert interpret_run(alike) == one_by_one(alike)


@settings(deadline=None)
@given(odd=st.lists(st.tuples(st.integers(0, 80), st.sampled_from(ODD)), max_size=3))
def test_an_odd_event_among_many_costs_only_itself(odd: list[tuple[int, bytes]]) -> None:
    payloads = USUAL + USUAL
    for at, payload in odd:
        payloads.insert(at, payload)
    decoder = SSEDecoder(edges=edges)
    runs = decoder.feed_runs(b"".join(b"data: %b\n\n" % payload.replace(b"\n", b" ") for payload in payloads))
    said = [said for run in runs for said in interpret_run(run)]
    assert said == [said for run in runs for said in one_by_one(run)]
    assert [one for one in said if isinstance(one, Stdout) and one.task == "a" and one.text.isdigit()] == [
        Stdout("a", str(number)) for number in [*range(40), *range(40)]
    ]


@settings(max_examples=200, deadline=None)
@given(
    events=st.lists(
        st.tuples(st.sampled_from([b"", b"event: custom\n", b"event: updates\n"]), st.sampled_from(ODD))
    ),
    usual=st.sampled_from(
        [
            b"data: %b\n\n" % USUAL[0],
            b'data:{"event":"custom","data":{"stdout":"y"}}\n\n',
            b'event: custom\ndata: {"stdout": "x"}\n\n',
        ]
    ),
    cuts=st.lists(st.integers(0, 2000), max_size=6),
)
def test_any_cut_of_any_mixture_says_the_same(
    events: list[tuple[bytes, bytes]], usual: bytes, cuts: list[int]
) -> None:
    stream = b"".join(
        usual * 3 + name + b"".join(b"data: %b\n" % line for line in data.split(b"\n")) + b"\n"
        for name, data in events
    )
    at = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    decoder, whole = SSEDecoder(edges=edges), SSEDecoder()
    runs = [run for a, b in pairwise(at) for run in decoder.feed_runs(stream[a:b])]
    expected = [
        said
        for line in stream.splitlines(keepends=True)
        for event in whole.feed(line)
        for said in interpret(event.event, event.data)
    ]
    assert [said for run in runs for said in interpret_run(run)] == expected
