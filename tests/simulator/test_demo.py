"""The demo as a user starts it, and what its view makes of messages."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from rich.console import Console
from rich.segment import Segment

from bot.simulator.demo.audience import Reporter, news, spectator
from bot.simulator.demo.shown import Part, printable, read
from bot.simulator.demo.view import root_view, thread_view, whisper_view
from bot.simulator.slack import LocalSlack, Message
from bot.simulator.slack.model import Json

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small Python project in git."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "app.py").write_text("# TODO: greet\nprint('hello')\n")
    (folder / "test_app.py").write_text("def test_it():\n    assert True\n")
    for arguments in (["init", "-b", "main"], ["add", "."], ["commit", "-m", "Begin"]):
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
        subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)
    return folder


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """The demo's place for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def start(scratch: Path) -> Iterator[Start]:
    """Start the demo, as a user does."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as all of a script's background jobs have it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as stack:

        def start(*arguments: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", "bot", "demo", *arguments],
                cwd=PROJECT,
                env={
                    **os.environ,
                    "TMPDIR": str(scratch),
                    "PYTHONIOENCODING": "utf-8",
                    "SLACK_BOT_TOKEN": "x",
                },
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def until(process: subprocess.Popen[str], text: str) -> list[str]:
    """The lines that it prints up to the first one that has this text."""
    lines: list[str] = []
    while not lines or text not in lines[-1]:
        assert process.stdout is not None
        lines.append(process.stdout.readline())
        assert lines[-1], f"it ended without {text!r}:\n{''.join(lines)}"
    return lines


def test_the_whole_play(start: Start, scratch: Path, tmp_path: Path, repository: Path) -> None:
    picture = tmp_path / "pictures/thread.svg"
    process = start("--fast", "--repo", str(repository), "--picture", str(picture))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    for line in (
        r"ann ▸ +/code repo=local/small Show the history and count the lines",
        r"#team +✅ Done · @ann asked in local/small",
        r"task +== History",
        r"reaction +✅  on “and which modules are the largest\?”",
        r"thread +You had asked “Show the history and count the lines”",
        r"only ann sees +`repo=foo` is not a repository",
        r"tests +test_app\.py::test_it PASSED",
        r"thread +\*\*Compiling:\*\* all 2 Python files compile\.",
        r"#team +🛑 Stopped · @ann asked in local/small",
        r"#team +Stopped by @ann\.",
        r"Rate limits \(429\) met +0",
        r"Everything was as it should be",
    ):
        assert re.search(line, output), f"{line}\n{output}"
    assert "quality" in picture.read_text()
    assert list(scratch.iterdir()) == []


def test_it_serves_what_is_typed_until_it_is_told_to_end(
    start: Start, scratch: Path, repository: Path
) -> None:
    terminal, stdin = os.openpty()
    process = start("--serve", "--fast", "--repo", str(repository), stdin=stdin)
    os.close(stdin)
    for typed, seen in (
        ("! Stop", "There is no run yet."),
        ("/code count\\nthe lines", "✅ Done · task ·"),
        ("> and the todos", "✅  on “and the todos”"),
        ("! Nonsense", "That can't be done: no button 'Nonsense'"),
        ("! Retry", "presses [Retry]"),
        ("repo=foo x", "Nothing was started."),
    ):
        os.write(terminal, f"{typed}\n".encode())
        until(process, seen)
    os.write(terminal, b"\x04")  # Ctrl-D: nothing more is typed
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    os.close(terminal)
    assert process.returncode == 0, output
    assert output.endswith("Everything is down again.\n")
    assert list(scratch.iterdir()) == []


def test_others_may_use_what_it_serves(start: Start, repository: Path) -> None:
    process = start("--serve", "--repo", str(repository))
    lines = until(process, "Ctrl-C ends everything.")
    exported = dict(line.split()[1].split("=", 1) for line in lines if line.startswith("  export "))
    assert exported["CLOUDCODING_DEFAULT_REPO"] == "local/small"
    with urllib.request.urlopen(f"{exported['SLACK_API_URL']}api.test") as response:
        assert json.load(response)["ok"]
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output


def test_a_play_that_is_ended_leaves_nothing(start: Start, scratch: Path, repository: Path) -> None:
    process = start("--fast", "--repo", str(repository))
    until(process, "Cloning into")
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert output.endswith("Everything is down again.\n")
    assert list(scratch.iterdir()) == []


def test_a_repository_that_is_not_there(start: Start, tmp_path: Path) -> None:
    process = start("--repo", str(tmp_path / "nowhere"))
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "nowhere is no folder: name a repository's path or URL." in output


def test_an_agent_that_fails_is_a_demo_that_fails(start: Start, repository: Path) -> None:
    process = start("--fast", "--repo", str(repository), "--agent-command", "/nowhere/agent")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "The demo failed. This run should have ended as Done" in output
    assert "/nowhere/agent could not be started: No such file or directory." in output
    assert "The end of the bot's log:" in output


# What is shown

RUNNING: Json = {
    "type": "rich_text",
    "elements": [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "emoji", "name": "large_blue_circle"},
                {"type": "text", "text": " "},
                {"type": "text", "text": "Running", "style": {"bold": True}},
                {"type": "text", "text": " · tests · 0:03 · 3 lines"},
            ],
        },
        {"type": "rich_text_quote", "elements": [{"type": "text", "text": "> not\nours"}]},
        {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "one\ntwo\nthr"}]},
    ],
}
CONTROLS: Json = {
    "type": "actions",
    "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Stop"}, "action_id": "stop"}],
}
ANSWER: Json = {"type": "markdown", "text": "**Done** \x1b[2Jnow"}


def post(slack: LocalSlack, *blocks: Json, thread_ts: str | None = None, text: str = "") -> Message:
    app = slack.workspace.app
    channel = slack.workspace.channel("#team").id
    return slack.workspace.post(channel, app.bot_user, text, blocks=[*blocks], thread_ts=thread_ts)


async def test_a_message_taken_apart() -> None:
    async with LocalSlack() as slack:
        message = post(slack, RUNNING, CONTROLS)
        shown = read(slack, message)
        assert shown.state == "Running"
        assert shown.texts(Part.TEXT) == ["🔵 Running · tests · 0:03 · 3 lines"]
        assert shown.texts(Part.QUOTE) == ["> not", "ours"]
        assert shown.texts(Part.OUTPUT) == ["one", "two", "thr"]
        assert shown.texts(Part.BUTTONS) == ["Stop"]
        plain = read(slack, post(slack, text="Running late &amp; sorry"))
        assert (plain.state, plain.texts(Part.TEXT)) == ("", ["Running late & sorry"])
    assert printable("a\x1b[31m\r\nb\x07") == "a[31m\nb"


@pytest.mark.parametrize(
    ("before", "now", "over", "expected"),
    [
        ([], ["a", "b"], False, ["a"]),
        (["a", "b"], ["a", "b", "c"], False, ["b"]),
        (["a", "b"], ["a", "B", "c"], True, ["B", "c"]),
        (["a", "b", "c"], ["c", "d", "e"], True, ["c", "d", "e"]),
        (["a", "b", "c"], ["b", "c", "d"], False, ["c"]),
        (["a"], ["a"], True, ["a"]),
        ([], [], True, []),
    ],
)
def test_the_news_in_an_output(before: list[str], now: list[str], over: bool, expected: list[str]) -> None:
    assert news(before, now, over=over) == expected


async def test_a_log_gets_a_line_for_each_change() -> None:
    lines: list[str] = []
    async with LocalSlack() as slack:
        reporter = Reporter(slack, lines.append)
        slack.workspace.hub.listen(reporter.changed)
        reporter.scene("A scene")
        reporter.act("ann", "/code a\nb")
        root = post(slack, RUNNING, CONTROLS)
        slack.workspace.edit(root, "", [RUNNING, CONTROLS], labelled=False)
        await slack.react("ben", root, "octagonal_sign")
        slack.workspace.whisper(root.channel, "U0ANN", "Only for you", [], via="api")
    said = [re.sub(r"^ +\d+\.\d s  ", "", line) for line in lines]
    assert said == [
        "\n== A scene",
        "ann ▸          /code a",
        "               b",
        "  tests        one",
        "  tests        two",
        "#team          🔵 Running · tests · 0:03 · 3 lines",
        "#team          > not",
        "#team          ours",
        "#team          [Stop]",
        "reaction       🛑  on “”",
        "only ann sees  Only for you",
    ]


async def test_a_person_sees_the_thread_and_what_is_for_them_alone() -> None:
    async with LocalSlack() as slack:
        root = post(slack, RUNNING, CONTROLS)
        await slack.say("ann", "#team", "go on", thread_ts=root.ts)
        await slack.react("ben", root, "eyes")
        post(slack, RUNNING, thread_ts=root.ts)
        answer = post(slack, ANSWER, thread_ts=root.ts)
        file = slack.workspace.files.setdefault(
            "F1", slack._file(slack.workspace.user("ann"), "a.log", b"1\n2\n")
        )
        answer.files.append(file)
        whisper = slack.workspace.whisper(root.channel, "U0ANN", "Nothing was started.", [], via="api")
        console = Console(width=80, record=True, file=io.StringIO())
        console.print(
            root_view(slack, "#team", root), thread_view(slack, root, 2), whisper_view(slack, whisper)
        )
    shown = console.export_text()
    assert "╭─ #team ─" in shown
    assert "🔵 Running · tests · 0:03 · 3 lines" in shown
    assert "▌ ours" in shown
    thread = shown.partition("Thread")[2]
    assert "│ two" in thread
    assert "│ one" not in thread
    assert "go on" in thread
    assert "Done [2Jnow" in thread
    assert "📎 a.log (2 lines)" in thread
    assert "Only you can see this, ann" in thread
    assert "\x1b" not in shown


async def test_the_live_picture_fits_the_terminal_and_the_last_one_stays(tmp_path: Path) -> None:
    screen = tmp_path / "screen"
    with screen.open("w", encoding="utf-8") as file:
        console = Console(file=file, force_terminal=True, width=80, height=20, color_system=None)
        async with LocalSlack() as slack, spectator(slack, console) as person:
            person.scene("A scene")
            person.act("ann", "/code x")
            root = post(slack, RUNNING, CONTROLS)
            person.look(root)
            for _ in range(6):
                post(slack, RUNNING, thread_ts=root.ts)
            lines = list(Segment.split_lines(console.render(person._picture())))
            assert len(lines) <= 20
            text = "\n".join("".join(segment.text for segment in line) for line in lines)
            assert text.startswith("ann ▸ /code x")
            assert text.rstrip().endswith("╯")
    assert "#team" in screen.read_text().rpartition("A scene")[2]
