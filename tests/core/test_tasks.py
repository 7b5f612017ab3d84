# ruff: noqa: RUF001  smart quotes and dashes are what clients make of plain ones
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.command import UsageError, parse
from bot.core.text import escape
from bot.model import Invocation, Model, Options, TaskPrompt


def tasks(text: str) -> list[tuple[str, str]]:
    command = parse(text)
    assert isinstance(command, Invocation), command
    assert command.prompt == ""
    return [(task.name, task.prompt) for task in command.tasks]


def error(text: str) -> str:
    command = parse(text)
    assert isinstance(command, UsageError), command
    assert command.message.endswith("Nothing was started.")
    return command.message


TWO = [("a", "do x"), ("b", "do y")]


@pytest.mark.parametrize(
    "text",
    [
        "parallel\na: do x\nb: do y",
        "PARALLEL:\r\na: do x\r\nb: do y\r\n",
        "parallel a: do x\nb: do y",
        "parallel\n\n- a: do x\n\n   \n* b:   do y  \n",
        "parallel\n• a: do x\n– b: do y",
        "\n parallel  \na:do x\nb:\n  do y",
    ],
)
def test_one_line_for_each_task(text: str) -> None:
    assert tasks(text) == TWO


def test_names() -> None:
    name = "Az09._-" + "x" * 33
    assert tasks(f"parallel\n{name}: 1\n-: 2\nA: 3\na: 4\n- ..: 5") == [
        (name, "1"),
        ("-", "2"),
        ("A", "3"),
        ("a", "4"),
        ("..", "5"),
    ]


@pytest.mark.parametrize("count", [2, 20])
def test_how_many(count: int) -> None:
    lines = [f"t{number}: do {number}" for number in range(count)]
    assert len(tasks("parallel\n" + "\n".join(lines))) == count


def test_lines_that_go_on() -> None:
    text = "parallel\na: first\n   second: not a name\n     deeper\n\n   ```x```\n- b:\n\t<https://x.y>\nc: https://z"
    assert tasks(text) == [
        ("a", "first\nsecond: not a name\n  deeper\n```x```"),
        ("b", "https://x.y"),
        ("c", "https://z"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "repo=acme/web model=haiku parallel\na: do x\nb: do y",
        "parallel repo=acme/web model=haiku\na: do x\nb: do y",
        "repo=acme/web parallel [model=haiku] a: do x\nb: do y",
        "[repo=acme/web] parallel\nmodel=haiku\na: do x\nb: do y",
        "parallel\na: do x\nb: do y\nrepo=acme/web model=haiku",
    ],
)
def test_options_hold_for_all_tasks(text: str) -> None:
    expected = (TaskPrompt("a", "do x"), TaskPrompt("b", "do y"))
    assert parse(text) == Invocation("", expected, Options("acme/web", None, Model.HAIKU))


def test_options_on_both_sides_of_the_word_may_not_contradict() -> None:
    assert "contradict" in error("repo=a/b parallel repo=c/d\na: do x\nb: do y")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "parallel\na: do x\nCreate unit tests",
            "Line 3 has no task name: `Create unit tests`. Each line is `name: prompt`. Nothing was started.",
        ),
        ("\n\nparallel\na: do x\nCreate", "Line 5 has no task name: `Create`."),
        (
            "parallel the tests so that they run",
            "Line 1 has no task name: `parallel the tests so that they run`.",
        ),
        ("parallel\na: x\n<https://x.y>", "Line 3 has no task name: `https://x.y`."),
        ("parallel\na: x\nmy task: y", "`my task` would have to be 1 to 40 of `a-z A-Z 0-9 . _ -`"),
        ("parallel\na: x\n" + "n" * 41 + ": y", "Line 3 has no usable task name: `nnn"),
        ("parallel\na: x\n: y", "Line 3 has no task name: `: y`."),
        ("parallel\na: x\nrepo=a/b\nb: y", "Line 3 has no task name: `repo=a/b`."),
        ("parallel\n  a: x\nb: y", "Line 2 continues a task, but none stands above it: `a: x`."),
        ("parallel\na:\nb: y", "Line 2 has no prompt: `a:`."),
        ("parallel\nb: y\na: x\nb: z", "Line 4 has the name of line 2, `b`: `b: z`."),
        ("parallel\na: x", "Line 2 is the only task: `a: x`. `parallel` takes 2 to 20 tasks"),
        ("parallel", "There are no tasks. `parallel` takes 2 to 20 tasks"),
        ("parallel repo=acme/web", "There are no tasks."),
        ("parallel\na: x\n`b` &lt;!here&gt; &amp;", "Line 3 has no task name: `'b' &lt;!here&gt; &amp;`."),
        ("parallel\na: x\nbegin " + "m" * 500 + " end", " … mmm"),
    ],
)
def test_mistakes_show_their_line(text: str, said: str) -> None:
    message = error(text)
    assert said in message
    assert len(message) < 400


def test_too_many_tasks() -> None:
    lines = [f"t{number}: do {number}" for number in range(25)]
    assert "Line 22 is task 21: `t20: do 20`. `parallel` takes 2 to 20 tasks" in error(
        "parallel\n" + "\n".join(lines)
    )


NAMES = st.text(alphabet="abzABZ019._-", min_size=1, max_size=40)
LINES = (
    st.text(alphabet="abc :–“`<>&.,/-", min_size=1).map(str.strip).filter(lambda line: line.replace("/", ""))
)
PROMPTS = (
    st.lists(LINES, min_size=1, max_size=3).map("\n".join).filter(lambda text: not text.startswith("//"))
)


@given(st.dictionaries(NAMES, PROMPTS, min_size=2, max_size=20), st.sampled_from(["", "- ", "* ", "• "]))
def test_what_was_rendered_is_read_again(wanted: dict[str, str], bullet: str) -> None:
    lines = [f"{bullet}{name}: {prompt}".replace("\n", "\n    ") for name, prompt in wanted.items()]
    assert tasks(escape("parallel\n" + "\n".join(lines))) == list(wanted.items())
