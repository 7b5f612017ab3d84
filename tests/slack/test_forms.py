"""The form's draft and views as values: what was typed, in either shape, and what it asks for."""

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.access import Policy
from bot.core.command import parse
from bot.core.text import escape
from bot.model import Invocation, Model, Options, TaskPrompt
from bot.runs.repositories import named, offered
from bot.simulator.slack.blocks import view_problems
from bot.slack import form_view
from bot.slack.form_draft import (
    FIELD_CHARS,
    Draft,
    Origin,
    Row,
    as_one,
    as_several,
    asked,
    read,
    recalled,
    remembered,
    with_a_row,
)
from bot.words import labels, refusals

TWO = (Row("tests", "Add unit tests"), Row("docs", "Describe\nthe settings"))
ORIGIN = Origin("C0TEAM", "1.5", "https://hooks.slack.com/commands/1")


def rows(*pairs: tuple[str, str]) -> tuple[Row, ...]:
    return tuple(Row(name, prompt) for name, prompt in pairs)


def test_a_prompt_is_read_by_the_grammar_of_requests() -> None:
    draft = Draft(
        prompt="branch=dev Fix <@U1> & co", repo="acme/web", branch="main", model="haiku", directory="./src/"
    )
    assert asked(draft) == Invocation(
        "Fix <@U1> & co", options=Options("acme/web", "dev", Model.HAIKU, "src")
    )
    assert asked(Draft(prompt="go", repo="acme/web", model="default")) == Invocation(
        "go", options=Options("acme/web")
    )


@pytest.mark.parametrize(
    ("draft", "field", "says"),
    [
        (Draft(prompt="help", repo="a/b"), "prompt", labels.FORM_NOT_A_PROMPT),
        (Draft(prompt="", repo="a/b"), "prompt", labels.FORM_NOT_A_PROMPT),
        (Draft(prompt="repo=foo <x>", repo="a/b"), "prompt", "repo=foo is not a repository"),
        (Draft(prompt="go", repo="foo"), "repo", labels.FORM_REPO),
        (Draft(prompt="go", branch="a..b"), "branch", labels.FORM_BRANCH),
        (Draft(prompt="go", directory="../up"), "directory", labels.FORM_DIRECTORY),
        (Draft(rows=rows(("a", "x"), ("a b", "y"))), "name_2", labels.FORM_TASK_NAME),
        (Draft(rows=rows(("", "x"), ("b", "y"))), "name_1", labels.FORM_TASK_NAME),
        (Draft(rows=rows(("a" * 41, "x"), ("b", "y"))), "name_1", labels.FORM_TASK_NAME),
        (Draft(rows=rows(("a", "x"), ("", ""), ("a ", "y"))), "name_3", refusals.form_same_name(1)),
        (Draft(rows=rows(("a", "x"), ("b", " "))), "task_2", labels.FORM_TASK_PROMPT),
        (Draft(rows=rows(("a", "x"), (" ", ""))), "name_2", labels.FORM_TOO_FEW_TASKS),
        (Draft(rows=rows(("", ""), (" ", ""))), "name_1", labels.FORM_TOO_FEW_TASKS),
    ],
)
def test_a_mistake_is_told_at_its_field(draft: Draft, field: str, says: str) -> None:
    errors = asked(draft)
    assert isinstance(errors, dict)
    assert list(errors) == [field]
    assert says in errors[field]
    assert "`" not in errors[field]


def test_all_mistakes_are_told_at_once() -> None:
    errors = asked(Draft(rows=rows(("a b", ""), ("", "y")), repo="foo", branch="-x"))
    assert isinstance(errors, dict)
    assert set(errors) == {"name_1", "task_1", "name_2", "repo", "branch"}


def test_empty_rows_are_left_out() -> None:
    draft = Draft(rows=(Row(), *TWO, Row(" ", "\n")), repo="acme/web")
    assert asked(draft) == Invocation(
        "",
        (TaskPrompt("tests", "Add unit tests"), TaskPrompt("docs", "Describe\nthe settings")),
        Options("acme/web"),
    )


def test_a_prompt_becomes_rows_and_a_prompt_again() -> None:
    several = as_several(Draft(prompt="Fix it", repo="acme/web"))
    assert several == Draft(rows=rows(("", "Fix it"), ("", "")), repo="acme/web")
    assert as_one(several) == Draft(prompt="Fix it", repo="acme/web")
    assert as_one(Draft(rows=rows(("", ""), ("", "")))) == Draft()
    named_tasks = as_one(Draft(rows=(*TWO, Row())))
    assert named_tasks == Draft(prompt="parallel\ntests: Add unit tests\ndocs: Describe\n  the settings")
    assert as_several(named_tasks) == Draft(rows=TWO)
    half = as_one(Draft(rows=rows(("", "Fix it"), ("docs", ""))))
    assert half == Draft(prompt="parallel\nFix it\ndocs: ")
    typed = as_several(Draft(prompt="repo=acme/api model=haiku parallel\na: x\nb: y", repo="acme/web"))
    assert typed == Draft(rows=rows(("a", "x"), ("b", "y")), repo="acme/api", model="haiku")


def test_rows_that_one_field_cannot_hold_stay_rows() -> None:
    assert as_one(Draft(rows=rows(("a", "x" * 2_000), ("b", "y" * 2_000)))) is None


_LINE = st.text(string.ascii_letters + "äß&<>:`*_ ", min_size=1).map(str.strip).filter(bool)


@given(
    st.lists(
        st.tuples(
            st.text(string.ascii_letters + "._-", min_size=1, max_size=40),
            st.lists(_LINE, min_size=1, max_size=3),
        ),
        min_size=2,
        max_size=5,
        unique_by=lambda row: row[0],
    )
)
def test_complete_rows_survive_being_one_text(typed: list[tuple[str, list[str]]]) -> None:
    draft = Draft(rows=rows(*((name, "\n".join(lines)) for name, lines in typed)), repo="acme/web")
    invocation = asked(draft)
    assert isinstance(invocation, Invocation)
    parsed = parse(escape(draft.text))
    assert isinstance(parsed, Invocation)
    assert parsed.tasks == invocation.tasks
    one = as_one(draft)
    assert one is None or as_several(one).rows == draft.rows


def test_values_become_a_draft() -> None:
    values = {"name_1": "a", "task_2": "y", "repo": "acme/web", "where": "C1", "task_9": "not there"}
    assert read(values, 2) == Draft(rows=rows(("a", ""), ("", "y")), repo="acme/web", where="C1")
    assert read({"prompt": "go", "branch": "b", "model": "haiku", "directory": "d"}, 0) == Draft(
        "go", branch="b", model="haiku", directory="d"
    )


def test_there_are_at_most_twenty_rows() -> None:
    draft = as_several(Draft())
    for _ in range(30):
        draft = with_a_row(draft)
    assert len(draft.rows) == 20
    seen = json.dumps(form_view.form(draft, ORIGIN))
    assert labels.FORM_ADD_TASK not in seen
    assert labels.FORM_ONE in seen


@pytest.mark.parametrize("origin", [ORIGIN, Origin("C1"), Origin()])
def test_the_form_remembers_where_it_was_opened(origin: Origin) -> None:
    assert recalled(remembered(origin, 7)) == (origin, 7)


@given(st.one_of(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_whatever_it_is_told_it_remembers_something(metadata: str) -> None:
    assert recalled(metadata) == (Origin(), 0)


def test_odd_memories() -> None:
    assert recalled('{"channel": 7, "thread_ts": "1.5", "rows": 99}') == (Origin("", "1.5"), 20)
    assert recalled('{"rows": -3}') == (Origin(), 0)
    assert recalled('{"rows": "2"}') == (Origin(), 0)


@pytest.mark.parametrize(
    "draft",
    [
        Draft(),
        Draft("x" * FIELD_CHARS, repo=f"{'o' * 39}/{'n' * 100}", branch="b" * 244, model="haiku", where="C1"),
        Draft(rows=tuple(Row(f"task-{n}", "y" * FIELD_CHARS) for n in range(20)), model="default"),
        Draft(rows=rows(("n" * 60, "p" * 4_000), ("", ""))),
    ],
)
@pytest.mark.parametrize("origin", [Origin(), ORIGIN])
def test_slack_takes_every_view(draft: Draft, origin: Origin) -> None:
    view = form_view.form(draft, origin, labels.FORM_TOO_LONG)
    assert view_problems(view, "modal") == []
    asks_where = any(block["block_id"] == "where" for block in view["blocks"])
    assert asks_where == (not origin.channel)


def test_slack_takes_the_views_instead_of_a_form() -> None:
    for view in (form_view.loading(), form_view.message("<&> " * 2_000)):
        assert view_problems(view, "modal") == []


def test_what_is_typed_is_offered_first() -> None:
    everything = Policy()
    known = ["acme/web", "acme/api", "Acme/Web", "other/lib"]
    assert offered(known, "", everything) == ["acme/web", "acme/api", "other/lib"]
    assert offered(known, "api", everything) == ["acme/api"]
    assert offered(known, "new/thing", everything) == ["new/thing"]
    assert offered(known, "acme/a", everything) == ["acme/a", "acme/api"]
    assert offered(known, " ACME/web ", everything) == ["ACME/web"]
    assert offered(known, "https://github.com/acme/api/pull/7", everything) == []
    assert offered(known, "https://github.com/acme/api.git", everything) == ["acme/api"]
    assert offered(known, "nothing like it", everything) == []


def test_only_open_repositories_are_offered() -> None:
    narrow = Policy(repos=("acme/*", "other/lib", "nonsense"))
    assert named(narrow) == ["other/lib"]
    assert offered(["acme/api", "evil/x", "other/lib"], "", narrow) == ["acme/api", "other/lib"]
    assert offered([], "evil/x", narrow) == ["evil/x"]  # and what is wrong with it is said at the field


def test_a_menu_shows_long_names_short_and_means_them_whole() -> None:
    repo = f"{'o' * 39}/{'n' * 100}"
    option: dict[str, Any] = form_view.repository_option(repo)
    assert len(option["text"]["text"]) <= 75
    assert option["value"] == repo
