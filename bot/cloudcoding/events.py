"""What the service's events mean: JSON in either documented framing in, typed events out, and never an exception.

The *envelope* framing has the event's name and data inside one JSON object; the *named* framing has the name in the
SSE field ``event``. An event is understood by the keys of its data rather than by its name, so that mixtures of
both, and the bare objects of the service's older endpoint, work too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from bot.cloudcoding.lenient import UnreadableError, parsed, unwrapped
from bot.cloudcoding.problem import problem_text, shortened
from bot.core.sse import Run

TASK_NAME_CHARS = 200
FAILURE_CHARS = 2000
_THREAD_ID_CHARS = 200
_FEW = 16  # payloads; as many lose their speed to an odd one among them

# Tuples, since anything may be looked for in them, of whatever JSON type.
_AI = ("ai", "AIMessage", "AIMessageChunk", "assistant")
_HUMAN = ("human", "HumanMessage", "user")
_KNOWN_KEYS = frozenset({"stdout", "messages", "run_id", "stream_events", "error", "thread_id", "metadata"})
_JSON_TYPES = {dict: "object", list: "list", str: "string", bool: "boolean", int: "number", float: "number"}

# How data begin that only hold a task's output, in the envelope framing.
_ENVELOPE = re.compile(rb'(\{ ?"event": ?"custom", ?"data": ?)\{')


class Stdout(
    msgspec.Struct,
    frozen=True,
    gc=False,
    forbid_unknown_fields=True,
    rename={"task": "task_name", "text": "stdout"},
):
    """A piece of a task's output, never empty; ``task`` is ``None`` where the service named none.

    Not a dataclass as the rarer events are: nearly every event's data is just this, and is decoded into it.
    """

    task: str | None = None
    text: str = ""


class Answer(msgspec.Struct, frozen=True):
    """What the agent has answered so far in this turn; a later one takes its place.

    ``asked`` is what a person said last before it, where the event has that: in a parallel run, a task's prompt.
    """

    task: str | None
    run: str | None
    text: str
    asked: str | None = None


@dataclass(frozen=True, slots=True)
class ThreadNamed:
    """The upstream thread by which the conversation can be continued."""

    thread_id: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A task failed, or the run where ``task`` is ``None``; ``text`` is the service's own words, possibly empty."""

    task: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Push:
    """The older endpoint's word that the changes were pushed."""

    text: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event of a shape that nobody knows. ``kind`` names it for the log, without any of its content."""

    kind: str


@dataclass(frozen=True, slots=True)
class Broken:
    """An event, or a part of one, that can't be read; ``reason`` is for the log and has none of its content."""

    reason: str


Event = Stdout | Answer | ThreadNamed | Failure | Push | Unknown | Broken


class _Custom(msgspec.Struct, gc=False, forbid_unknown_fields=True, tag_field="event", tag="custom"):
    data: Stdout


_stdout = msgspec.json.Decoder(Stdout)
_stdout_in_envelope = msgspec.json.Decoder(_Custom)


def edges(data: bytes) -> tuple[bytes, bytes]:
    """What ``data`` has around a task's name and output, if it is that: for :class:`SSEDecoder`, and ``interpret_run``."""
    found = _ENVELOPE.match(data)
    return (found[1], b"}") if found and data.endswith(b"}}") else (b"", b"")


def interpret_run(run: Run) -> list[Event]:
    """What ``interpret`` gives for each of the run's events, all in one list; for usual ones several times as fast.

    Usual ones are tasks' output, in the one framing or the other.
    """
    usual = (
        _is_envelope(run.first) and run.last == b"}" if run.first else run.event == "custom" and not run.last
    )
    if run.number == 1 or not usual:
        return _one_by_one(run)
    together = _together(run.middles, run.number)
    if together:
        return together
    middles = run.middles.split(b"\r")
    found: list[Event] = []
    for at in range(0, run.number, _FEW):
        some = middles[at : at + _FEW]
        few = run._replace(middles=b"\r".join(some), number=len(some))
        found += _together(few.middles, few.number) or _one_by_one(few)
    return found


@lru_cache(maxsize=16)
def _is_envelope(first: bytes) -> bool:
    return _ENVELOPE.fullmatch(first + b"{") is not None


def _one_by_one(run: Run) -> list[Event]:
    return [said for data in run.data() for said in interpret(run.event, data)]


def _together(middles: bytes, count: int) -> list[Event]:
    """The same where each middle is a task's output, and no name or text needs a second look; else nothing.

    They are decoded in one call, as values one after the other. That can't take for usual what isn't by itself
    (``{"stdout": "a`` and ``b"}``, say, or two objects in one payload): all middles begin with ``{``, which after a
    carriage return can only begin the next object, since this one's strings can't have that, and it has no objects in
    it. So where there are no more objects than middles, no middle is two of them.
    """
    if not middles.startswith(b"{"):
        return []
    try:
        found: list[Any] = _stdout.decode_lines(middles)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return []
    # One pass: a name that isn't shown as it is stands for an empty text, too.
    names = {piece.text and piece.task for piece in found}
    return found if len(found) == count and all(map(_is_shown, names)) else []


def interpret(name: str, data: bytes) -> list[Event]:
    """What an event says, in the order thread, output, answer, push, failure; empty for a mere sign of life."""
    piece = Stdout()
    try:
        if name == "custom":
            piece = _stdout.decode(data)
        elif _ENVELOPE.match(data):
            piece = _stdout_in_envelope.decode(data).data
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    if not piece.text:  # anything else, or nothing
        return _interpret_slowly(name, data.strip())
    return [piece if _is_shown(piece.task) else Stdout(_task_name(piece.task), piece.text)]


def _interpret_slowly(name: str, data: bytes) -> list[Event]:
    """The same for any shape; what the two usual ones give here is what they give above."""
    if not data or data == b"[DONE]":
        return []
    try:
        value = unwrapped(parsed(data))
    except UnreadableError as problem:
        if name == "error":
            return [Failure(None, shortened(data.decode(errors="replace"), FAILURE_CHARS))]
        return [Broken(str(problem))]
    outer: dict[str, Any] = value if isinstance(value, dict) else {}
    inner = value
    if isinstance(outer.get("event"), str):
        name = outer["event"]
    if "data" in outer and "stdout" not in outer and "messages" not in outer:
        inner = unwrapped(outer["data"])
    else:
        outer = {}
    return [*_read(name, inner, outer)]


def _read(name: str, inner: Any, outer: dict[str, Any]) -> Iterator[Event]:
    """The meaning of ``inner``, an event's data; ``outer`` is the envelope around it, or empty."""
    data: dict[str, Any] = inner if isinstance(inner, dict) else {}
    task = _task_name(data.get("task_name")) or _task_name(outer.get("task_name"))
    thread_id = _thread_id(data) or _thread_id(outer)
    if thread_id:
        yield ThreadNamed(thread_id)
    yield from _output(data, task)
    yield from _answer(data, task)
    push = data.get("push")
    if isinstance(push, str) and push.strip():
        yield Push(push)
    if name == "error" or data.get("error"):
        yield Failure(task, shortened(problem_text(inner), FAILURE_CHARS))
    elif not isinstance(inner, dict) and name in {"custom", "updates"}:
        yield Broken(f"{name}: data is {_json_type(inner)}")
    elif not (push or thread_id or not _KNOWN_KEYS.isdisjoint(data)):
        yield Unknown(_kind(name, inner))


def _output(data: dict[str, Any], task: str | None) -> Iterator[Event]:
    stdout = data.get("stdout")
    if isinstance(stdout, str):
        if stdout:
            yield Stdout(task, stdout)
    elif stdout is not None:
        yield Broken(f"stdout is {_json_type(stdout)}")


def _answer(data: dict[str, Any], task: str | None) -> Iterator[Event]:
    """The last AI message that says anything, unless a human has spoken since: then it is an earlier turn's."""
    messages = data.get("messages")
    if messages is None:
        return
    if not isinstance(messages, list):
        yield Broken(f"messages is {_json_type(messages)}")
        return
    answer: str | None = None
    asked: str | None = None
    for message in reversed(messages):
        text = _content_text(message.get("content")) if isinstance(message, dict) else ""
        if not text or text.isspace():
            continue
        if message.get("type") in _HUMAN or message.get("role") in _HUMAN:
            asked = text
            break
        if answer is None and (message.get("type") in _AI or message.get("role") in _AI):
            answer = text
    if answer is not None:
        run = data.get("run_id")
        yield Answer(task, run if isinstance(run, str) else None, answer, asked)


def _content_text(content: Any) -> str:
    """A message's text: a string, or the text parts of a list; tool calls and their results have none."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [
        part.get("text") if isinstance(part, dict) and part.get("type", "text") == "text" else part
        for part in content
    ]
    return "".join(text for text in texts if isinstance(text, str))


def _task_name(value: Any) -> str | None:
    """A name that can be shown: printable, bounded; ``None`` where there is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    if not value.isprintable():
        value = "".join(char for char in value[: 10 * TASK_NAME_CHARS] if char.isprintable())
    return value.strip()[:TASK_NAME_CHARS] or None


_remembered = lru_cache(maxsize=256)(_task_name)  # for short ones, which come over and over


def _is_shown(name: str | None) -> bool:
    """Whether that is how the name is shown."""
    return name is None or (len(name) <= TASK_NAME_CHARS and _remembered(name) == name)


def _thread_id(data: dict[str, Any]) -> str | None:
    for place in (data, data.get("metadata")):
        found = place.get("thread_id") if isinstance(place, dict) else None
        if isinstance(found, str) and 0 < len(found) <= _THREAD_ID_CHARS and found.isprintable():
            return found
    return None


def _kind(name: str, inner: Any) -> str:
    """An event's name and the names of its keys, so cut that no content can hide in them."""
    words = [_word(key) for key in list(inner)[:6]] if isinstance(inner, dict) else [_json_type(inner)]
    return f"{_word(name)}({','.join(words)})"


def _word(text: str) -> str:
    return re.sub(r"[^\w.-]", "", text[:24], flags=re.ASCII)


def _json_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "null")
