import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.command import (
    Aside,
    Command,
    EmptyRequest,
    Mute,
    ReplyCommand,
    StopReply,
    TaskReply,
    Unmute,
    UsageError,
    WholeTextCommand,
    Word,
    parse,
    parse_reply,
)
from bot.core.text import escape
from bot.model import Invocation, Model, Options


@pytest.mark.parametrize("text", ["", "  ", "\n\t\u00a0"])
def test_nothing_opens_the_form(text: str) -> None:
    assert parse(text) == EmptyRequest()
    assert parse_reply(text) == EmptyRequest()


@pytest.mark.parametrize(
    ("text", "word", "argument"),
    [
        *((word.value, word, None) for word in Word if word is not Word.RETRY),
        (" HELP\n", Word.HELP, None),
        ("help!", Word.HELP, None),
        ("Status ?", Word.STATUS, None),
        ("cancel", Word.STOP, None),
        ("stop r-7k2m", Word.STOP, "r-7k2m"),
        ("STOP  R-7K2M.", Word.STOP, "r-7k2m"),
        ("retry `r-abcd1234`", Word.RETRY, "r-abcd1234"),
        ("repo acme/web", Word.REPO, "acme/web"),
        ("repo <https://github.com/acme/web>", Word.REPO, "acme/web"),
        ("repo None", Word.REPO, "none"),
    ],
)
def test_whole_text_commands(text: str, word: Word, argument: str | None) -> None:
    assert parse(text) == WholeTextCommand(word, argument)


@pytest.mark.parametrize(
    "text",
    [
        "help me fix the login",
        "stop the flaky test",
        "stop login",
        "stop r-7k2m and r-8k2m",
        "stop r-abc",
        "stop r-123456789",
        "retry the tests",
        "retry failed",
        "repo acme/web is broken",
        "status page",
        "settings are lost",
        "connect r-7k2m",
        "mute",
        "`help`",
    ],
)
def test_a_command_within_a_sentence_is_a_prompt(text: str) -> None:
    assert parse(text) == Invocation(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("retry", "like `retry r-7k2m`"),
        ("repo foo", "`foo` is not a repository: it needs an owner and a name, like `repo acme/web`"),
        ("repo &lt;b&gt;", "`&lt;b&gt;` is not a repository"),
    ],
)
def test_whole_text_commands_with_a_mistake(text: str, said: str) -> None:
    command = parse(text)
    assert isinstance(command, UsageError)
    assert said in command.message
    assert command.message.endswith(" Nothing was started.")


def test_the_prompt_is_kept_as_written() -> None:
    text = "  Fix  “this” — and\n\n    `that`:\n```\nx  = 1 &lt; 2\n```\nfor <@U1|ann> in <#C1|dev>  "
    prompt = "Fix  “this” — and\n\n    `that`:\n```\nx  = 1 < 2\n```\nfor @ann in #dev"
    assert parse(text) == Invocation(prompt)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("stop", StopReply()),
        (" Cancel!! ", StopReply()),
        ("stop r-7k2m", WholeTextCommand(Word.STOP, "r-7k2m")),
        ("retry r-7k2m", WholeTextCommand(Word.RETRY, "r-7k2m")),
        ("stop it from crashing", Invocation("stop it from crashing")),
        ("mute", Mute()),
        ("Unmute", Unmute()),
        ("mute the logger", Invocation("mute the logger")),
        ("!aside", Aside()),
        ("!Aside: lunch?", Aside()),
        ("!asides", Invocation("!asides")),
        ("help", WholeTextCommand(Word.HELP)),
        ("status?", WholeTextCommand(Word.STATUS)),
        ("retry", Invocation("retry")),
        ("repo foo", Invocation("repo foo")),
        ("repo acme/web", Invocation("repo acme/web")),
        ("connect", Invocation("connect")),
        ("go on model=haiku", Invocation("go on", options=Options(model=Model.HAIKU))),
    ],
)
def test_replies(text: str, command: ReplyCommand) -> None:
    assert parse_reply(text) == command


def test_a_reply_may_start_parallel_tasks() -> None:
    reply = parse_reply("parallel\na: x\nb: y", ["a"])
    assert reply == parse("parallel\na: x\nb: y")
    assert isinstance(reply, Invocation)
    assert len(reply.tasks) == 2


@pytest.mark.parametrize(
    ("text", "name", "invocation"),
    [
        ("tests: also the edge cases", "tests", Invocation("also the edge cases")),
        ("  tests:go\n  on: with that ", "tests", Invocation("go\n  on: with that")),
        ("Tests: go on", "tests", Invocation("go on")),
        ("API: go on", "API", Invocation("go on")),
        ("docs: model=haiku again", "docs", Invocation("again", options=Options(model=Model.HAIKU))),
        ("tests: parallel runs, please", "tests", Invocation("parallel runs, please")),
        ("tests: stop", "tests", Invocation("stop")),
    ],
)
def test_a_reply_to_one_task(text: str, name: str, invocation: Invocation) -> None:
    assert parse_reply(text, ["tests", "docs", "api", "API"]) == TaskReply(name, invocation)


@pytest.mark.parametrize(
    "text", ["note: go on", "tests are red: why?", "Api: which of both?", "https://x.y", "- tests: go"]
)
def test_a_reply_to_no_task_goes_on_with_all(text: str) -> None:
    assert parse_reply(text, ["tests", "api", "API", "https"]) == Invocation(text)


def test_a_reply_to_one_task_needs_a_text() -> None:
    reply = parse_reply("tests: ", ["tests"])
    assert isinstance(reply, UsageError)
    assert "The prompt is missing" in reply.message


HOSTILE = st.text(
    alphabet=st.sampled_from("reposthlpacdikm=/[]\"'“—`<>&;:-*\n \t.,@!|0")
    | st.characters(categories=["L", "P", "Z", "Cc", "Cf"])
)
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "repo=",
            "[",
            "]",
            "a/b",
            "parallel",
            "\n",
            " ",
            "a:",
            "`",
            "```",
            "stop",
            "r-7k2m",
            "“",
            '"',
            ",",
            "<!here>",
        ]
    )
).map("".join)


@given(HOSTILE | FRAGMENTS)
def test_any_text_has_an_answer(text: str) -> None:
    commands: list[Command | ReplyCommand] = [parse(text), parse_reply(text, ["a", "parallel"])]
    for command in commands:
        if isinstance(command, UsageError):
            assert command.message.endswith("Nothing was started.")
            assert "<" not in command.message
            assert command.message.count("`") % 2 == 0
        if isinstance(command, Invocation):
            assert bool(command.prompt) != bool(command.tasks)


@given(st.text(min_size=1).filter(lambda text: "=" not in text and text.strip()))
def test_a_prompt_without_options_comes_back(prompt: str) -> None:
    command = parse(escape(f"Please {prompt}"))
    assert command == Invocation(f"Please {prompt}".strip())


@pytest.mark.parametrize(
    "text",
    [
        "[" + "repo=a/b " * 20_000,
        "[" + 'repo="a" ' * 20_000 + "x",
        "repo=a/b" + " " * 100_000 + "x",
        "x" + " repo=a/b" * 20_000,
        "x " + 'repo="' * 20_000,
        "`" * 100_001,
        "<" * 100_000,
        "<https://" * 20_000,
        "parallel\n" + "a: x\n" * 20_000,
        "parallel\na: x" + "\n x" * 50_000,
    ],
)
def test_huge_texts_are_read(text: str) -> None:
    assert isinstance(parse(text), Invocation | UsageError)
