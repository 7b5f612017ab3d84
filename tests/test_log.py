"""One line for each event: whatever is logged, by whomever, and however it fails."""

import asyncio
import gc
import io
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import pytest
import structlog
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request.async_request import AsyncBoltRequest
from structlog.contextvars import bound_contextvars

from bot.log import LONGEST, configure, get_logger, report_uncaught

SECRET = "hunter2"


def scrub(text: str) -> str:
    return text.replace(SECRET, "[redacted]")


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("bot")
    before = (root.handlers[:], root.level, ours.level)
    monkeypatch.setattr(logging, "raiseExceptions", logging.raiseExceptions)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    yield
    root.handlers[:], root.level = before[0], before[1]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    structlog.reset_defaults()


@pytest.fixture
def out() -> io.StringIO:
    stream = io.StringIO()
    configure("info", "json", scrub, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    assert "Traceback" not in stream.getvalue()
    assert SECRET not in stream.getvalue()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def only(stream: io.StringIO) -> dict[str, Any]:
    (line,) = lines(stream)
    return line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError(SECRET)


class Colour(StrEnum):
    RED = "red"


def test_a_line_is_one_object_in_a_fixed_order(out: io.StringIO) -> None:
    get_logger("bot.runs").info("run.started", run="r-1", tasks=2)
    assert list(only(out)) == ["timestamp", "level", "event", "logger", "run", "tasks"]
    line = only(out)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("timestamp"))
    assert line == {"level": "info", "event": "run.started", "logger": "bot.runs", "run": "r-1", "tasks": 2}


def test_a_logger_without_a_name_has_its_modules(out: io.StringIO) -> None:
    structlog.get_logger().warning("here")
    assert only(out)["logger"] == "tests.test_log"


def test_the_context_is_in_every_line(out: io.StringIO) -> None:
    with bound_contextvars(run="r-1", workspace=f"T-{SECRET}"):
        get_logger("bot.x").info("one", workspace="T1")
        logging.getLogger("library").warning("two")
    one, two = lines(out)
    assert (one["run"], one["workspace"]) == ("r-1", "T1")
    assert (two["run"], two["workspace"]) == ("r-1", "T-[redacted]")


def test_levels_are_kept(out: io.StringIO) -> None:
    log = get_logger("bot.x")
    log.debug("hidden")
    log.info("shown")
    logging.getLogger("bot.y").info("shown")
    assert len(lines(out)) == 2
    configure("error", "json", scrub, out)
    log.warning("hidden")
    logging.getLogger("library").warning("hidden")
    assert len(lines(out)) == 2
    configure("debug", "json", scrub, out)
    log.debug("shown")
    logging.getLogger("slack_sdk.web").debug("hidden")
    assert [line["event"] for line in lines(out)] == ["shown"] * 3


@pytest.mark.parametrize(
    "name", ["aiohttp.access", "slack_sdk.web", "slack_sdk", "sqlalchemy.engine", "alembic", "asyncio"]
)
def test_libraries_are_heard_from_warnings_on_in_the_same_form(out: io.StringIO, name: str) -> None:
    logging.getLogger(name).info("GET /%s", SECRET)
    logging.getLogger(name).warning("slow: %s", SECRET)
    line = only(out)
    assert (line["level"], line["event"], line["logger"]) == ("warning", "slow: [redacted]", name)


async def test_bolt_does_not_log_the_body_of_a_forged_request(out: io.StringIO) -> None:
    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-test")

    bolt = AsyncApp(signing_secret="right", authorize=authorize)
    forged = AsyncBoltRequest(
        body="token=private-words",
        headers={"x-slack-signature": "v0=0", "x-slack-request-timestamp": "1"},
    )
    response = await bolt.async_dispatch(forged)
    assert response.status == 401
    assert out.getvalue() == ""


def test_every_text_is_scrubbed_wherever_it_stands(out: io.StringIO) -> None:
    recursive: list[Any] = [SECRET]
    recursive.append(recursive)
    get_logger("bot.x").info(
        f"event.{SECRET}",
        plain=SECRET,
        nested={"a": [{"b": (SECRET,)}], SECRET: 1, 7: None},
        exact={SECRET},
        raw=SECRET.encode(),
        thing=type(SECRET, (), {})(),
        failed=ValueError(SECRET),
        recursive=recursive,
        **{f"key_{SECRET}": True},
    )
    line = only(out)
    assert line["event"] == "event.[redacted]"
    assert line["plain"] == "[redacted]"
    assert line["nested"] == {"a": [{"b": ["[redacted]"]}], "[redacted]": 1, "7": None}
    assert line["exact"] == ["[redacted]"]
    assert line["raw"] == "b'[redacted]'"
    assert line["failed"] == "ValueError: [redacted]"
    assert line["key_[redacted]"] is True


def test_what_json_cannot_say_is_told(out: io.StringIO) -> None:
    get_logger("bot.x").info(
        "odd",
        nan=float("nan"),
        half=0.5,
        broken=Broken(),
        colour=Colour.RED,
        lone="\ud800",
        level="mine",
        logger="x",
    )
    line = only(out)
    assert (line["nan"], line["half"], line["broken"], line["colour"]) == ("nan", 0.5, "<Broken>", "red")
    assert (line["level"], line["logger"]) == ("info", "bot.x")
    assert line["lone"] == "\ud800"


def test_long_texts_and_texts_of_several_lines_are_one_short_line(out: io.StringIO) -> None:
    get_logger("bot.x").info("a\nb\r\nc", text="x" * 5000)
    line = only(out)
    assert line["event"] == "a b c"
    assert len(line["text"]) == LONGEST + 1
    assert line["text"].endswith("…")


def fail(message: str = SECRET) -> None:
    raise ValueError(message)


def test_an_exception_is_one_line_that_says_what_and_where(out: io.StringIO) -> None:
    try:
        try:
            fail()
        except ValueError as error:
            raise RuntimeError from error
    except RuntimeError as error:
        get_logger("bot.x").exception("it.failed")
        logging.getLogger("library").exception("it failed")
        get_logger("bot.x").error("it.failed", exc_info=error)
    for line in lines(out):
        assert line["error"] == "RuntimeError from ValueError: [redacted]"
        assert re.fullmatch(r"test_log\.py:\d+ in test_an_exception\w+", line["where"])
        assert set(line) == {"timestamp", "level", "event", "logger", "error", "where"}
    assert len(lines(out)) == 3


def test_an_error_given_in_words_is_kept(out: io.StringIO) -> None:
    get_logger("bot.x").error("it.failed", error="in words", exc_info=ValueError("other"))
    get_logger("bot.x").info("it.did_not", exc_info=True)
    failed, did_not = lines(out)
    assert failed["error"] == "in words"
    assert "where" not in failed  # it was never raised
    assert "error" not in did_not


def test_a_group_of_errors_tells_the_first_ones(out: io.StringIO) -> None:
    caught: list[Exception] = []
    for number in range(5):
        try:
            fail(str(number))
        except ValueError as error:
            caught.append(error)
    get_logger("bot.x").error("it.failed", exc_info=ExceptionGroup("several", caught))
    line = only(out)
    assert line["error"].startswith(
        "ExceptionGroup: several (5 sub-exceptions) [ValueError: 0; ValueError: 1; "
    )
    assert line["where"].endswith("in fail")


def test_deep_stacks_and_long_messages_are_shortened(out: io.StringIO) -> None:
    def dig(depth: int) -> None:
        if not depth:
            fail("x" * 3000)
        dig(depth - 1)

    try:
        dig(50)
    except ValueError:
        get_logger("bot.x").exception("it.failed")
    line = only(out)
    assert len(line["error"]) < 510
    assert line["where"].count(" > ") == 4


def test_tracebacks_in_words_are_taken_out(out: io.StringIO) -> None:
    text = (
        "it broke\nTraceback (most recent call last):\n"
        '  File "x.py", line 1, in <module>\n    fail()\nValueError: no\nthat was it'
    )
    get_logger("bot.x").error(text, stack_info=True)
    logging.getLogger("library").error(text, stack_info=True)
    for line in lines(out):
        assert line["event"] == "it broke ValueError: no that was it"
        assert "stack_info" not in line


async def test_a_task_whose_error_nobody_fetched_is_logged_in_the_same_form(out: io.StringIO) -> None:
    async def broken() -> None:
        fail()

    task = asyncio.create_task(broken())
    await asyncio.wait([task])
    del task
    gc.collect()
    line = only(out)
    assert line["event"].startswith("Task exception was never retrieved")
    assert line["error"] == "ValueError: [redacted]"


def test_what_cannot_be_formatted_is_dropped_in_silence(
    out: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    logging.getLogger("library").warning("%d", "not a number")
    assert out.getvalue() == ""
    assert capsys.readouterr() == ("", "")


def test_a_closed_stream_is_borne(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    stream.close()
    configure("info", None, scrub, stream)
    get_logger("bot.x").info("into.nothing")
    assert capsys.readouterr() == ("", "")


def test_a_stream_without_a_file_whose_reader_has_gone_is_borne(capsys: pytest.CaptureFixture[str]) -> None:
    class Gone(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise BrokenPipeError

    configure("info", "json", scrub, Gone())
    get_logger("bot.x").info("into.nothing")
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.StreamHandler)
    get_logger("bot.x").info("into.nothing")
    handler.stream.close()
    assert capsys.readouterr() == ("", "")


def test_a_broken_pipe_ends_quietly() -> None:
    code = (
        "from bot.log import configure, get_logger\n"
        "import sys\n"
        "configure('info', None, str)\n"
        "for n in range(20000): get_logger('bot.x').info('line', n=n)\n"
        "print('done', file=sys.stderr)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["n"] == 0
        process.stdout.close()
        assert process.stderr.read() == b"done\n"
    assert process.returncode == 0


def test_the_console_is_short_and_coloured_on_a_terminal_only() -> None:
    for stream in (Terminal(), io.StringIO()):
        configure("info", "console", scrub, stream)
        get_logger("bot.runs").warning(
            "run.slow", run="r-1", words="two words", empty="", n=3, more={"é": [1]}
        )
        logging.getLogger("library").error("bad\x1b[31m %s", SECRET)
    plain = stream.getvalue()
    assert re.fullmatch(
        r"""\d\d:\d\d:\d\d warning run\.slow run=r-1 words='two words' empty='' n=3 more=\{"é": \[1\]\}\n"""
        r"\d\d:\d\d:\d\d error   bad \[31m \[redacted\] logger=library\n",
        plain,
    )


@pytest.mark.parametrize(("stream", "coloured"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_terminal_gets_the_console_and_all_else_json(stream: io.StringIO, *, coloured: bool) -> None:
    configure("info", None, scrub, stream)
    get_logger("bot.x").info("it.happened")
    assert ("\x1b[32m" in stream.getvalue()) is coloured
    assert stream.getvalue().startswith("{") is not coloured


def test_the_console_writes_what_its_encoding_can() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    configure("info", "console", scrub, stream)
    get_logger("bot.x").info("it.happened", text="é\ud800")
    stream.flush()
    assert raw.getvalue().endswith(b"it.happened text='\\xe9\\ud800'\n")


def test_standard_output_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", None, scrub)
    get_logger("bot.x").info("it.happened")
    assert json.loads(capsys.readouterr().out)["event"] == "it.happened"


def test_what_nothing_caught_is_logged_in_the_same_form(out: io.StringIO) -> None:
    report_uncaught()
    try:
        fail()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=fail, name="helper")
    thread.start()
    thread.join()

    class Late:
        def __del__(self) -> None:
            fail()

    Late()
    gc.collect()
    crashed, in_thread, late = lines(out)
    assert (crashed["level"], crashed["event"]) == ("critical", "bot.crashed")
    assert (in_thread["event"], in_thread["thread"]) == ("thread.crashed", "helper")
    assert late["event"] == "cleanup.failed"
    assert {line["error"] for line in lines(out)} == {"ValueError: [redacted]"}
