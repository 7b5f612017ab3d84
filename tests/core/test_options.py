# ruff: noqa: RUF001  smart quotes and dashes are what clients make of plain ones
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.command import UsageError, parse
from bot.core.options import as_branch, as_directory, as_model, as_repository
from bot.model import Invocation, Model, Options


def read(text: str) -> tuple[str, Options]:
    command = parse(text)
    assert isinstance(command, Invocation), command
    return command.prompt, command.options


def error(text: str) -> str:
    command = parse(text)
    assert isinstance(command, UsageError), command
    assert command.message.endswith("Nothing was started.")
    return command.message


WEB = Options(repo="acme/web")


@pytest.mark.parametrize(
    ("text", "prompt", "options"),
    [
        ("repo=acme/web fix it", "fix it", WEB),
        ("fix it repo=acme/web", "fix it", WEB),
        ("REPO=acme/web fix it Model=SONNET", "fix it", Options("acme/web", None, Model.SONNET)),
        (
            "model=haiku fix it\nand that\n\nbranch=dev  dir=src\n",
            "fix it\nand that",
            Options(None, "dev", Model.HAIKU, "src"),
        ),
        ("[repo=acme/web, model=haiku] fix it", "fix it", Options("acme/web", None, Model.HAIKU)),
        ("[ repo=acme/web model=haiku,]fix it", "fix it", Options("acme/web", None, Model.HAIKU)),
        (
            "branch=dev [repo=acme/web,model=haiku] dir=src fix it",
            "fix it",
            Options("acme/web", "dev", Model.HAIKU, "src"),
        ),
        ("[branch=\"a,b\", dir='x y'] fix it", "fix it", Options(branch="a,b", directory="x y")),
        ("repo=acme/web, branch=dev fix it", "fix it", Options("acme/web", "dev")),
        ('repo="acme/web", branch=dev fix it', "fix it", Options("acme/web", "dev")),
        ("repo=acme/web repo=acme/web.git fix it", "fix it", WEB),
        ("branch=“feature/x” fix it", "fix it", Options(branch="feature/x")),
        ("branch=‘feature/x’ fix it", "fix it", Options(branch="feature/x")),
        ("branch=feature–x dir=a—b fix it", "fix it", Options(branch="feature-x", directory="a-b")),
        ("dir=“my docs/api” fix it", "fix it", Options(directory="my docs/api")),
        ("repo=<https://github.com/acme/web> fix it", "fix it", WEB),
        ("fix it repo=<http://github.com/acme/web|github.com/acme/web>", "fix it", WEB),
        ("repo=<mailto:git@github.com|git@github.com>:acme/web.git fix it", "fix it", WEB),
        ("repo=acme/<http://node.js|node.js> fix it", "fix it", Options(repo="acme/node.js")),
    ],
)
def test_options_at_the_edges_are_taken(text: str, prompt: str, options: Options) -> None:
    assert read(text) == (prompt, options)


@pytest.mark.parametrize(
    "text",
    [
        "set repo=acme/web in the config",
        "timeout=5 fix it",
        "fix it timeout=5",
        "timeout=5 repo=acme/web fix it",
        "[repo=acme/web, timeout=5] fix it",
        "[please, repo=acme/web] fix it",
        "[] fix it",
        "fix it [repo=acme/web]",
        "[repo=acme/web](https://x.y) is a link",
        "xrepo=acme/web fix it",
        "“repo=acme/web” fix it",
        "repo = acme/web fix it",
        "dır=src fix it",
        "explain `repo=acme/web`",
        "`repo=acme/web` explain",
        "explain `the option repo=acme/web`",
        "explain\n```\nrepo=acme/web\n```",
        "explain\n```\nrepo=acme/web",
        "“smart — quotes” – stay",
    ],
)
def test_everything_else_is_the_prompt(text: str) -> None:
    assert read(text) == (text, Options())


def test_code_before_an_option_does_not_hide_it() -> None:
    assert read("fix `a` and ```b``` repo=acme/web") == ("fix `a` and ```b```", WEB)
    assert read("it` is odd repo=acme/web") == ("it` is odd", WEB)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "repo=foo fix it",
            "`repo=foo` is not a repository: it needs an owner and a name, like `repo=acme/web`. Nothing was started.",
        ),
        ("fix it REPO=foo", "`REPO=foo` is not a repository"),
        ("[repo=foo] fix it", "`repo=foo` is not a repository"),
        ("repo= fix it", "`repo=` has no value: write it like `repo=acme/web`."),
        ('branch="" fix it', "has no value: write it like `branch=feature/login`."),
        ("model=gpt fix it", "`model=gpt` is not a model: it is `haiku` or `sonnet`, like `model=haiku`."),
        ("branch=a..b fix it", "`branch=a..b` is not a branch"),
        ("branch=“a b fix it", "`branch=“a` is not a branch"),
        ("dir=../x fix it", "`dir=../x` is not a directory: it is a path below the repository's root"),
        ("repo=a/b fix it repo=c/d", "`repo=a/b` and `repo=c/d` contradict each other"),
        ("repo=`acme/web` fix it", "`repo='acme/web'` is not a repository"),
        ("repo=&lt;!channel&gt; fix it", "`repo=&lt;!channel&gt;` is not a repository"),
        ("repo=" + "x" * 500 + " fix it", " … "),
    ],
)
def test_impossible_values_are_named(text: str, said: str) -> None:
    message = error(text)
    assert said in message
    assert len(message) < 250


def test_options_without_a_prompt() -> None:
    message = error("repo=acme/web")
    assert "The prompt is missing" in message
    assert "`repo=acme/web Fix the login`" in message
    assert "`repo acme/web`" in message
    assert "`repo " not in error("[model=haiku]")


@pytest.mark.parametrize(
    ("value", "repo"),
    [
        ("acme/web", "acme/web"),
        ("Acme-1/web.js_2", "Acme-1/web.js_2"),
        ("acme/.github", "acme/.github"),
        ("acme/web.git", "acme/web"),
        ("acme/web/", "acme/web"),
        ("https://github.com/acme/web", "acme/web"),
        ("HTTPS://GitHub.com/acme/web.git/", "acme/web"),
        ("http://www.github.com/acme/web", "acme/web"),
        ("https://github.com/acme/web?tab=readme#top", "acme/web"),
        ("https://someone:secret@github.com/acme/web", "acme/web"),
        ("github.com/acme/web", "acme/web"),
        ("git@github.com:acme/web.git", "acme/web"),
        ("ssh://git@github.com/acme/web.git", "acme/web"),
        ("a" * 39 + "/" + "b" * 100, "a" * 39 + "/" + "b" * 100),
        ("foo", None),
        ("", None),
        ("/", None),
        ("acme/", None),
        ("/web", None),
        ("acme/..", None),
        ("acme/.git", None),
        ("acme/web/tree/main", None),
        ("https://github.com/acme", None),
        ("https://github.com/acme/web/pull/3", None),
        ("https://gitlab.com/acme/web", None),
        ("https://github.com.evil.org/acme/web", None),
        ("-acme/web", None),
        ("ac me/web", None),
        ("acme/wéb", None),
        ("a" * 40 + "/web", None),
        ("acme/" + "b" * 101, None),
        ("acme/web\n", None),
    ],
)
def test_repositories(value: str, repo: str | None) -> None:
    assert as_repository(value) == repo


@pytest.mark.parametrize("name", ["main", "feature/x", "v1.2", "a-b_c", "日本", "a@b", "x#1", "heads/a,b"])
def test_branches(name: str) -> None:
    assert as_branch(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "a..b",
        "-x",
        "/x",
        "x/",
        "x.",
        "a//b",
        ".x",
        "a/.x",
        "x.lock",
        "x.lock/y",
        "a@{1",
        "@",
        "HEAD",
    ]
    + [f"a{char}b" for char in "~^:?*[\\`\x00\x7f\u00a0"]
    + ["x" * 245, "日" * 82],
)
def test_branches_that_git_refuses(name: str) -> None:
    assert as_branch(name) is None


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("src", "src"),
        ("./src//api/", "src/api"),
        (".", "."),
        ("a/..b", "a/..b"),
        ("my docs", "my docs"),
        ("", None),
        ("/etc", None),
        ("~/x", None),
        ("..", None),
        ("a/../b", None),
        ("a/..", None),
        ("C:/x", None),
        ("a\\b", None),
        ("https://x.y", None),
        ("a\x00b", None),
    ],
)
def test_directories(value: str, path: str | None) -> None:
    assert as_directory(value) == path


def test_models() -> None:
    assert as_model("Haiku") is Model.HAIKU
    assert as_model("sonnet") is Model.SONNET
    assert as_model("opus") is None


OPTION_WORDS = st.lists(
    st.sampled_from(["repo=acme/web", "branch=dev", "model=haiku", "dir=src/api"]), unique=True, max_size=4
)
SENTENCES = (
    st.lists(st.text(alphabet="abcABC äß“”—.,:;!<>&()\n", min_size=1), min_size=1, max_size=4)
    .map("".join)
    .filter(str.strip)
)


@given(OPTION_WORDS, OPTION_WORDS, SENTENCES)
def test_options_on_either_side_mean_the_same(before: list[str], after: list[str], prompt: str) -> None:
    words = list(dict.fromkeys([*before, *after]))
    sides = parse(" ".join([*before, prompt, *after]))
    assert sides == parse(" ".join([*words, prompt])) == parse(" ".join([prompt, *reversed(words)]))
    if words:
        assert sides == parse(f"[{', '.join(words)}] {prompt}")
