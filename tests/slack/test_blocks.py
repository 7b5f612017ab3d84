import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.run import RunState, TaskState
from bot.core.terminal import Tail
from bot.model import Link, Model, Options, TaskPrompt
from bot.runs.frames import AnswerFrame, Frame, NoteFrame, RunFrame, TaskFrame, TaskLine
from bot.runs.ports import Notice
from bot.slack.blocks import Rendered, bare, render, render_notice

HOSTILE = (
    "<!channel>",
    "<@U666>",
    "<https://evil.example|click>",
    "```",
    "`",
    "&lt;!here&gt;",
    "\x00\x1b[2J",
    "\u202eevil\u2066",
    "\ud800",
    "*bold*",
    "🙂",
    "\r\n",
    "x" * 4000,
    " ",
)
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(st.characters(), max_size=10), max_size=8).map("".join)
NOTES = st.sampled_from(
    ["", "Stopped by <@U0BEN>.", "Set `KEY`; &lt;b&gt; <https://a.example/b?c=1&amp;d|there>", "&amp;" * 900]
)
NAMES = TEXTS
LINKS = st.lists(
    st.builds(Link, label=TEXTS, url=TEXTS | st.just("https://github.com/acme/api/pull/42")), max_size=8
)
OPTIONS = st.builds(
    Options,
    repo=st.none() | TEXTS,
    branch=st.none() | TEXTS,
    model=st.none() | st.sampled_from(Model),
    directory=st.none() | TEXTS,
)
COUNTS = st.integers(0, 10**6)
RUN_FRAMES = st.builds(
    RunFrame,
    run=TEXTS,
    state=st.sampled_from(RunState),
    requester=st.just("U0ANN") | TEXTS,
    prompt=TEXTS,
    tasks=st.lists(st.builds(TaskPrompt, NAMES, TEXTS), max_size=25).map(tuple),
    options=OPTIONS,
    attempt=st.integers(1, 5),
    position=st.none() | COUNTS,
    elapsed=st.none() | COUNTS,
    lines=st.lists(st.builds(TaskLine, NAMES, st.sampled_from(TaskState), COUNTS, TEXTS), max_size=25).map(
        tuple
    ),
    note=NOTES,
    links=LINKS.map(tuple),
    failed_tasks=st.integers(0, 3),
    reply=st.booleans(),
)
TASK_FRAMES = st.builds(
    TaskFrame,
    run=TEXTS,
    name=NAMES,
    state=st.sampled_from([*TaskState, RunState.QUEUED]),
    elapsed=COUNTS,
    line_count=COUNTS,
    tail=st.builds(Tail, TEXTS | st.just("\n" * 500) | st.just("<&>" * 3000), COUNTS),
    note=NOTES,
    position=st.none() | COUNTS,
    controls=st.booleans(),
    links=LINKS.map(tuple),
    reply=st.booleans(),
)
FRAMES = RUN_FRAMES | TASK_FRAMES | st.builds(AnswerFrame, TEXTS) | st.builds(NoteFrame, NOTES)

RAW_MARKUP = re.compile(r"<(?!@U0ANN>|@U0BEN>|https://a\.example/b\?c=1&amp;d\|there>)|&(?!amp;|lt;|gt;)")
SURROGATES = re.compile("[\ud800-\udfff]")


def run_frame(**changed: Any) -> RunFrame:
    frame: dict[str, Any] = {
        "run": "r-7k2m",
        "state": RunState.RUNNING,
        "requester": "U0ANN",
        "prompt": "Fix the login",
        "tasks": (),
        "options": Options("acme/api", "dev", Model.HAIKU),
    }
    return RunFrame(**(frame | changed))


def task_frame(**changed: Any) -> TaskFrame:
    frame: dict[str, Any] = {
        "run": "r-7k2m",
        "name": "testing",
        "state": TaskState.RUNNING,
        "elapsed": 42,
        "line_count": 128,
        "tail": Tail("collected 3 items\ntest_list PASSED", 126),
    }
    return TaskFrame(**(frame | changed))


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in some JSON."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def strings(value: Any) -> Iterator[str]:
    """Every string in some JSON that is not a key."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from strings(inner)


def check(rendered: Rendered) -> None:
    """Slack's limits and our rules, for any message."""
    blocks = rendered.blocks
    assert 1 <= len(blocks) <= 50
    assert 0 < len(rendered.text) <= 4000
    assert not RAW_MARKUP.search(rendered.text)
    assert len({block["block_id"] for block in blocks}) == len(blocks)
    assert not any(
        SURROGATES.search(text) or "\x00" in text or "\u202e" in text
        for text in strings([rendered.text, shown(blocks)])
    )
    assert sum(len(node["text"]) for node in nodes(blocks) if isinstance(node.get("text"), str)) < 9000
    for node in nodes(blocks):
        check_node(node)


def shown(blocks: list[dict[str, Any]]) -> list[Any]:
    """What people see of the blocks: everything but the values of buttons."""
    return [
        {key: value for key, value in node.items() if key != "value" and isinstance(value, str)}
        for node in nodes(blocks)
    ]


def check_node(node: dict[str, Any]) -> None:
    match node:
        case {"type": "mrkdwn", "text": text}:
            assert 0 < len(text) <= 3000
            assert not RAW_MARKUP.search(text)
        case {"type": "section", "text": {"text": text}}:
            assert 0 < len(text) <= 3000
        case {"type": "markdown", "text": text}:
            assert 0 < len(text) <= 12_000
        case {"type": "actions", "elements": buttons}:
            assert 1 <= len(buttons) <= 25
            assert len({button["action_id"] for button in buttons}) == len(buttons)
        case {"type": "button", "text": label}:
            assert label["type"] == "plain_text"
            assert 0 < len(label["text"]) <= 75
            assert len(node.get("value", "")) <= 2000
            assert re.fullmatch(r"https?://\S{1,2990}", node.get("url", "https://x"))
        case {"title": title, "text": text, "confirm": yes, "deny": no}:
            assert 0 < len(title["text"]) <= 100
            assert 0 < len(text["text"]) <= 300
            assert all(0 < len(label["text"]) <= 30 for label in (yes, no))
        case {
            "type": "rich_text" | "rich_text_section" | "rich_text_quote" | "rich_text_preformatted",
            "elements": inner,
        }:
            assert inner
        case {"type": "text", "text": text}:
            assert text


def seen(rendered: Rendered) -> str:
    """A message as a person reads it, a line for each block's part."""
    lines = []
    for block in rendered.blocks:
        if block["type"] == "rich_text":
            lines += ["".join(map(_seen, part["elements"])) for part in block["elements"]]
        elif block["type"] == "actions":
            lines.append(" ".join(f"[{button['text']['text']}]" for button in block["elements"]))
        else:
            lines.append(block["text"] if isinstance(block["text"], str) else block["text"]["text"])
    return "\n".join(lines)


def _seen(element: dict[str, Any]) -> str:
    match element:
        case {"type": "emoji", "name": name}:
            return f":{name}:"
        case {"type": "user", "user_id": user}:
            return f"@{user}"
        case _:
            return str(element["text"])


@given(FRAMES)
def test_any_frame_fits_and_nothing_in_it_is_markup(frame: Frame) -> None:
    check(render(frame))
    check(bare(frame))


@given(RUN_FRAMES | TASK_FRAMES)
def test_bare_messages_have_the_same_blocks(frame: RunFrame | TaskFrame) -> None:
    kinds = [[(block["type"], block["block_id"]) for block in made(frame).blocks] for made in (render, bare)]
    assert kinds[0] == kinds[1]


@given(
    st.builds(
        Notice,
        TEXTS.map(lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")),
        st.booleans(),
    )
)
def test_any_notice_fits(notice: Notice) -> None:
    check(render_notice(notice))


def test_a_running_run_with_two_tasks() -> None:
    frame = run_frame(
        prompt="",
        tasks=(
            TaskPrompt("error-handling", "Add comprehensive\nerror handling"),
            TaskPrompt("testing", "Create tests"),
        ),
        elapsed=42,
        lines=(
            TaskLine("error-handling", TaskState.RUNNING, 42, "src/app.py: wrapped 3 handlers"),
            TaskLine("testing", TaskState.FAILED, 40, "1 failed"),
        ),
    )
    assert seen(render(frame)) == (
        ":large_blue_circle: Running · @U0ANN asked in acme/api · dev · haiku · r-7k2m\n"
        "error-handling: Add comprehensive error handling\n"
        "testing: Create tests\n"
        ":large_blue_circle: Running · error-handling · 0:42 · src/app.py: wrapped 3…\n"
        ":x: Failed · testing · 0:40 · 1 failed\n"
        "1 running · 1 failed\n"
        "[Stop]"
    )
    assert render(frame).text == "Running · <@U0ANN> in acme/api: error-handling, testing"


def test_a_queued_run_shows_its_place() -> None:
    shown = seen(render(run_frame(state=RunState.QUEUED, position=3)))
    assert shown.startswith(":hourglass_flowing_sand: Queued · 3rd · @U0ANN asked in acme/api")
    assert shown.endswith("\nFix the login\n[Stop]")


def test_a_parallel_reply_that_waits_can_be_sent_now_or_dropped() -> None:
    tasks = (TaskPrompt("a", "one"), TaskPrompt("b", "two"))
    waiting = render(run_frame(state=RunState.QUEUED, position=2, tasks=tasks, reply=True)).blocks[-1]
    assert waiting["block_id"] == "controls"
    send, drop = waiting["elements"]
    assert [(button["action_id"], button["value"]) for button in (send, drop)] == [
        ("send_now", "r-7k2m"),
        ("drop", "r-7k2m"),
    ]
    assert "is stopped first" in send["confirm"]["text"]["text"]
    assert (send["confirm"]["confirm"]["text"], send["confirm"]["deny"]["text"]) == (
        "Send now",
        "Keep waiting",
    )
    assert "confirm" not in drop
    assert seen(render(run_frame(tasks=tasks, reply=True))).endswith("[Stop]")


def test_a_run_without_options_or_a_known_requester() -> None:
    shown = seen(render(run_frame(options=Options(), requester="", attempt=2, elapsed=5)))
    assert shown.startswith(":large_blue_circle: Running · someone asked · attempt 2 · 0:05 · r-7k2m\n")
    assert seen(render(run_frame(requester="ann <3"))).startswith(
        ":large_blue_circle: Running · ann <3 asked"
    )


@pytest.mark.parametrize(
    ("state", "emoji"),
    [
        (RunState.DONE, "white_check_mark"),
        (RunState.FAILED, "x"),
        (RunState.STOPPED, "octagonal_sign"),
        (RunState.INTERRUPTED, "warning"),
    ],
)
def test_a_run_that_ended(state: RunState, emoji: str) -> None:
    links = (Link("View PR #42", "https://github.com/acme/api/pull/42"), Link("bad", "javascript:alert(1)"))
    lines = (TaskLine("a", TaskState.DONE, 178, "bye"), TaskLine("b", TaskState.FAILED, 201, "boom"))
    frame = run_frame(
        state=state, elapsed=201, lines=lines, links=links, failed_tasks=1, note="Set `KEY`, <@U0BEN>."
    )
    shown = seen(render(frame)).split("\n")
    assert shown == [
        f":{emoji}: {state.value.capitalize()} · @U0ANN asked in acme/api · dev · haiku · 3 min 21 s · r-7k2m",
        "Fix the login",
        ":white_check_mark: Done · a · 2:58",
        ":x: Failed · b · 3:21 · boom",
        "1 done · 1 failed",
        "Set KEY, @U0BEN.",
        "[View PR #42] [Retry] [Retry failed]",
    ]


def test_retry_failed_is_for_several_tasks() -> None:
    line = TaskLine("task", TaskState.FAILED, 1, "")
    shown = seen(render(run_frame(state=RunState.FAILED, lines=(line,), failed_tasks=1)))
    assert shown.endswith("[Retry]")
    assert "1 failed" not in shown


def test_buttons_name_the_run_and_stop_asks_first() -> None:
    running = render(run_frame()).blocks[-1]["elements"]
    assert [(button["action_id"], button["value"], button["style"]) for button in running] == [
        ("stop_run", "r-7k2m", "danger")
    ]
    confirm = running[0]["confirm"]
    assert confirm["text"]["text"] == "Stop this run? The agent's work so far stays on its branch."
    assert (confirm["confirm"]["text"], confirm["deny"]["text"]) == ("Stop run", "Keep running")
    link = Link("View PR #1", "https://github.com/acme/api/pull/1")
    lines = (TaskLine("a", TaskState.FAILED, 1, ""), TaskLine("b", TaskState.DONE, 1, ""))
    ended = render(run_frame(state=RunState.FAILED, links=(link, link), lines=lines, failed_tasks=1)).blocks[
        -1
    ]["elements"]
    assert [button["action_id"] for button in ended] == [
        "open_link:1",
        "open_link:2",
        "retry_run",
        "retry_failed",
    ]
    assert [button.get("value") for button in ended] == [None, None, "r-7k2m", "r-7k2m"]
    assert ended[0]["url"] == "https://github.com/acme/api/pull/1"


def test_blocks_stay_the_same_over_a_runs_life() -> None:
    line = TaskLine("task", TaskState.RUNNING, 3, "hello")
    link = Link("View PR #1", "https://github.com/acme/api/pull/1")
    life = (
        run_frame(state=RunState.QUEUED, position=2),
        run_frame(state=RunState.QUEUED, position=2, reply=True),
        run_frame(),
        run_frame(lines=(line, line)),
        run_frame(state=RunState.FAILED, lines=(line, line), note="Why.", links=(link,), failed_tasks=1),
    )
    assert (
        len({tuple((block["type"], block["block_id"]) for block in render(frame).blocks) for frame in life})
        == 1
    )
    task_life = (
        task_frame(state=RunState.QUEUED, controls=True),
        task_frame(state=RunState.QUEUED, controls=True, reply=True, note="Put first by <@U0BEN>."),
        task_frame(controls=True, tail=Tail("")),
        task_frame(controls=True),
        task_frame(controls=True, state=TaskState.FAILED, note="Why.", links=(link,)),
    )
    assert (
        len(
            {
                tuple((block["type"], block["block_id"]) for block in render(frame).blocks)
                for frame in task_life
            }
        )
        == 1
    )


def test_a_task_while_it_runs() -> None:
    rendered = render(task_frame(note="Careful: `x &lt; y`."))
    assert seen(rendered) == (
        ":large_blue_circle: Running · testing · 0:42 · 128 lines\n"
        "… 126 earlier lines\n"
        "collected 3 items\ntest_list PASSED\n"
        "Careful: x < y."
    )
    assert rendered.text == "Running · testing"
    kinds = [part["type"] for part in rendered.blocks[0]["elements"]]
    assert kinds == ["rich_text_section", "rich_text_section", "rich_text_preformatted", "rich_text_section"]


def test_output_is_shown_as_it_is() -> None:
    output = "```<!channel> &lt; <@U666> *bold* | <https://a.b|c>\n\tx"
    preformatted = render(task_frame(tail=Tail(output))).blocks[0]["elements"][1]
    assert preformatted == {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": output}]}


def test_a_task_without_output() -> None:
    assert seen(render(task_frame(tail=Tail("\n"), line_count=1))).split("\n")[1:] == ["No output yet."]
    assert seen(render(task_frame(tail=Tail(""), state=TaskState.DONE))).split("\n")[1:] == ["No output."]


def test_a_waiting_reply_has_no_output_and_can_be_sent_now_or_dropped() -> None:
    frame = task_frame(state=RunState.QUEUED, position=11, controls=True, reply=True, tail=Tail(""))
    assert seen(render(frame)) == ":hourglass_flowing_sand: Queued · 11th · testing\n[Send now] [Drop]"
    first = task_frame(
        state=RunState.QUEUED, position=1, controls=True, reply=True, note="Put first by <@U0BEN>."
    )
    assert seen(render(first)).split("\n")[1:] == ["Put first by @U0BEN.", "[Send now] [Drop]"]
    assert seen(bare(frame)).endswith("[Send now] [Drop]")
    opening = task_frame(state=RunState.QUEUED, position=1, controls=True, tail=Tail(""))
    assert seen(render(opening)).endswith("[Stop]")
    assert seen(render(task_frame(controls=True, reply=True))).endswith("[Stop]")
    ended = task_frame(state=TaskState.STOPPED, controls=True, reply=True, note="Stopped by <@U0BEN>.")
    assert seen(render(ended)).endswith("Stopped by @U0BEN.\n[Retry]")


def test_a_tail_that_is_too_long_loses_its_beginning() -> None:
    lines = [f"{number} {'<' * 90}" for number in range(200)]
    shown = seen(render(task_frame(tail=Tail("\n".join(lines), 1000)))).split("\n")
    assert shown[-1] == lines[-1]
    kept = len(shown) - 2
    assert shown[1] == f"… {1000 + 200 - kept:,} earlier lines"
    assert 5 < kept < 40


def test_a_single_line_that_is_too_long_loses_its_middle() -> None:
    shown = seen(render(task_frame(tail=Tail("a" + "&" * 5000 + "z")))).split("\n")
    assert shown[-1].startswith("a")
    assert shown[-1].endswith("z")
    assert " … " in shown[-1]


def test_many_large_tasks_fit() -> None:
    """What is hardest for Slack's undocumented limit, counted as JSON too."""
    names = [f"{'very-long-name-of-a-task' * 2}"[:38] + f"{number:02}" for number in range(20)]
    frame = run_frame(
        prompt="",
        tasks=tuple(TaskPrompt(name, "Do this and that. " * 400) for name in names),
        lines=tuple(TaskLine(name, TaskState.RUNNING, 3599, "compiling the world " * 20) for name in names),
        note="The connection was lost. " * 4,
    )
    rendered = render(frame)
    check(rendered)
    assert len(json.dumps(rendered.blocks)) < 9000
    text = seen(rendered)
    assert all(text.count(name) == 2 for name in names)
    assert "20 running" in text
    assert max(map(len, text.split("\n")[21:41])) <= 60 + len(":large_blue_circle: ")


def test_more_tasks_than_lines_are_counted() -> None:
    lines = tuple(TaskLine(f"t{number}", TaskState.DONE, 1, "") for number in range(22))
    text = seen(render(run_frame(lines=lines, tasks=tuple(TaskPrompt(line.name, "x") for line in lines))))
    assert text.count("… 2 more tasks") == 2
    assert "22 done" in text
    assert "… 1 more task\n" in seen(render(run_frame(lines=lines[:21])))


def test_long_prompts_are_shortened() -> None:
    assert "x" * 599 + "…" in seen(render(run_frame(prompt="x" * 100_000)))
    many = seen(render(run_frame(prompt="\n".join(f"line {number}" for number in range(30)))))
    assert "line 11\n…\n" in many
    assert "line 12" not in many


def test_a_bare_message_has_states_and_words() -> None:
    run = run_frame(
        state=RunState.FAILED, elapsed=61, note="Set `KEY`.", links=(Link("x", "https://a.example"),)
    )
    assert seen(bare(run)) == "Failed · r-7k2m · 1 min 1 s\nSet KEY.\n[Retry]"
    task = task_frame(name="te<st>ing", note="Why.")
    assert (
        seen(bare(task))
        == "Running · testing · 0:42 · 128 lines\nSlack would not show this message's text.\nWhy."
    )
    assert seen(bare(AnswerFrame("# Done\n**all**"))) == "# Done\n**all**"
    assert seen(bare(NoteFrame("<@U0ANN> your `run` &amp; all"))) == " your run & all"[1:]


def test_answers() -> None:
    rendered = render(AnswerFrame("## Done\n\n- one & <two>\n"))
    assert rendered.blocks == [{"type": "markdown", "block_id": "answer", "text": "## Done\n\n- one & <two>"}]
    assert rendered.text == "## Done - one &amp; &lt;two&gt;"
    assert seen(render(AnswerFrame(" \n"))) == "The agent gave no answer."


def test_notes_and_notices() -> None:
    note = render(NoteFrame("<@U0ANN> your run is done."))
    assert note.text == seen(note) == "<@U0ANN> your run is done."
    notice = render_notice(Notice("Which repository?", open_form=True))
    assert seen(notice) == "Which repository?\n[Open form]"
    assert notice.blocks[-1]["elements"][0]["action_id"] == "open_form"
    assert len(render_notice(Notice("Hello.")).blocks) == 1


def test_a_long_request_is_given_back_in_several_sections() -> None:
    request = "\n".join(f"line {number} {'x' * 60}" for number in range(100))
    rendered = render_notice(Notice(f"Not started:\n```\n{request}\n```"))
    check(rendered)
    assert len(rendered.blocks) > 1
    assert all(f"line {number} " in seen(rendered) for number in range(100))
