import inspect
import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.access import Denied
from bot.core.run import RunState, TaskState
from bot.errors import Refusal
from bot.words import labels, notes, refusals, replies

ROOMS = (labels, notes, refusals, replies)
HOSTILE = "`<!channel>` ``` <@U999> &lt; <https://evil.example|click> \x00\u202e\n> quoted"


def sentences() -> list[Callable[..., str]]:
    """Every public function that makes a sentence."""
    made_here = [
        function
        for room in ROOMS
        for name, function in inspect.getmembers(room, inspect.isfunction)
        if function.__module__ == room.__name__ and not name.startswith("_")
    ]
    return [f for f in made_here if get_type_hints(f).get("return") is str]


def arguments(function: Callable[..., str], text: str) -> dict[str, Any]:
    """A value for each parameter, all texts being ``text``."""
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(function).items():
        if name in {"return", "readme", "command"}:
            continue
        if isinstance(hint, type) and issubclass(hint, StrEnum):
            values[name] = next(iter(hint))
        elif hint in {int, float, int | None}:
            values[name] = 130
        elif name == "refusal":
            values[name] = replies.nothing_running()  # a sentence of ours
        elif name == "state":
            values[name] = RunState.FAILED
        elif name == "runs":
            values[name] = [
                replies.RunSummary(text, RunState.RUNNING, text, text, text, 1, 5, "https://a.example/b")
            ]
        else:
            values[name] = text
    return values


def outside_code(mrkdwn: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"```.*?```", "", mrkdwn, flags=re.DOTALL))


@pytest.mark.parametrize("function", sentences(), ids=lambda function: function.__name__)
@pytest.mark.parametrize(
    "text", [HOSTILE, "x" * 10_000, "", "<!channel>" * 3000], ids=["hostile", "long", "empty", "mentions"]
)
def test_no_text_from_outside_becomes_markup(function: Callable[..., str], text: str) -> None:
    said = function(**arguments(function, text))
    assert said.strip()
    assert "<!channel>" not in said
    assert "<@U999>" not in said
    assert "<https://evil" not in said
    assert "\x00" not in said
    assert "\u202e" not in said
    assert said.count("```") % 2 == 0
    assert "`" not in outside_code(said)


@pytest.mark.parametrize("function", sentences(), ids=lambda function: function.__name__)
def test_sentences_are_plain_english(function: Callable[..., str]) -> None:
    said = function(**arguments(function, "acme"))
    for internal in ("Error", "Exception", "Traceback", "None", "upstream", "webhook", "RunState", "  "):
        assert internal not in said
    if function.__name__ not in {
        "mention",
        "state_word",
        "status",
        "stop_which",
        "pushed",
        "finished",
        "more_runs",
    }:
        assert said[0].isupper() or said[0] in "`<a"
        assert said.rstrip()[-1] in ".`", said


@given(st.text(max_size=60))
def test_what_was_typed_is_given_back(request: str) -> None:
    back = refusals.store_unavailable(request)
    for word in re.findall("[a-z]{2,}", request):
        assert word in back


def test_literal_sentences() -> None:
    assert refusals.no_repository() == (
        "Which repository? Add `repo=owner/name`, or set one for this channel with `/code repo owner/name`."
    )
    assert refusals.denied(Denied.GUEST) == "Guests can't start runs here. Ask a member of the workspace."
    assert refusals.store_unavailable("fix it") == (
        "I can't start runs right now (database unreachable). Your request was not started:\n```\nfix it\n```"
    )
    assert refusals.not_in_channel("fix <it>") == (
        "I'm not in this channel. `/invite @code` and try again: your request was:\n```\nfix &lt;it&gt;\n```"
    )
    assert notes.refused(Refusal.KEY) == (
        "Cloud Coding refused the API key. An admin can set `CLOUDCODING_API_KEY` and restart."
    )
    assert notes.busy(503) == (
        "Cloud Coding is not answering right now (HTTP 503). Nothing was started; try again in a few minutes."
    )
    assert "(no connection)" in notes.busy(None)
    assert notes.cut(130) == (
        "The connection was lost after 2 min 10 s. What had arrived is above. "
        "The agent may have gone on and pushed: look at the branch before you retry."
    )
    assert notes.stopped_by("U0BEN") == "Stopped by <@U0BEN>."
    assert (
        notes.finished("U1", "acme/api", RunState.DONE, 201)
        == "<@U1> your run in acme/api is done in 3 min 21 s."
    )


def test_invitations_name_the_bot_itself_where_its_id_is_known() -> None:
    assert "`/invite <@U0BOT>`" in refusals.not_in_channel("x", bot="U0BOT")


def test_every_refusal_has_its_own_words() -> None:
    assert len({refusals.denied(reason, "acme/api") for reason in Denied}) == len(Denied)
    assert "`acme/api`" in refusals.denied(Denied.REPO, "acme/api")
    said = {notes.refused(reason, "bad `key`\n<b>") for reason in Refusal}
    assert len(said) == len(Refusal)
    assert all("It said: `bad 'key' &lt;b&gt;`" in sentence for sentence in said)


def test_every_end_has_its_own_words() -> None:
    ends = [state for state in RunState if state.ended]
    said = {notes.finished("U1", None, state, 61) for state in ends}
    assert len(said) == len(ends)
    assert all(sentence.startswith("<@U1> your run") and "1 min 1 s" in sentence for sentence in said)


def test_states() -> None:
    assert labels.state_word(RunState.QUEUED, 3) == "Queued · 3rd"
    assert labels.state_word(RunState.QUEUED) == "Queued"
    assert labels.state_word(RunState.RUNNING, 3) == "Running"
    assert [labels.state_word(state) for state in TaskState] == [
        "Running",
        "Done",
        "Failed",
        "Stopped",
        "Interrupted",
    ]
    assert "Done" in replies.stale_button(RunState.DONE)
    assert "Running" in replies.stale_button(RunState.RUNNING)


@pytest.mark.parametrize("repo", [None, "acme/api"])
def test_help_is_short_and_shows_this_channels_repository(repo: str | None) -> None:
    text = replies.help_text(repo, command="/agent", readme="https://example.org/readme")
    assert text.count("\n") < 20
    assert (repo or "acme/web") in text
    assert ("no repository yet" in text) is (repo is None)
    assert "<https://example.org/readme|README>" in text
    assert "/code" not in text
    for command in ("parallel", "status", "stop", "retry", "repo ", "branch="):
        assert command in text
    assert "README" in replies.help_text(repo)


def test_status_lists_runs() -> None:
    running = replies.RunSummary(
        "r-1", RunState.RUNNING, "U1", "Fix\nit", "acme/api", elapsed=62, link="https://s.example/1"
    )
    waiting = replies.RunSummary("r-2", RunState.QUEUED, "U2", "Then that", position=2)
    assert replies.status([running, waiting], more=4).split("\n") == [
        "*Running* · 1:02 · `r-1` · acme/api · <@U1> · `Fix it` · <https://s.example/1|Open>",
        "*Queued · 2nd* · `r-2` · <@U2> · `Then that`",
        "… and 4 more",
    ]
    assert replies.status([]) == replies.nothing_running()


@pytest.mark.parametrize("word", ["settings", "connect", "disconnect", "dance"])
def test_what_is_not_offered_says_what_to_do(word: str) -> None:
    assert f"`/code {word}` isn't offered by this installation" in replies.not_offered(word)


def test_repositories_of_a_channel() -> None:
    assert "`acme/api`" in replies.repo_is("acme/api")
    assert "no repository" in replies.repo_is(None)
    assert "`acme/api`" in replies.repo_set("acme/api")


def test_users_are_mentioned_only_by_their_id() -> None:
    assert labels.mention("W0AB12") == "<@W0AB12>"
    assert labels.mention("<!here>") == "someone"
    assert labels.mention("") == "someone"
