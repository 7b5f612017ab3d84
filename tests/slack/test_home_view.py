import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.run import RunState
from bot.model import Model, Options
from bot.simulator.slack import flatten
from bot.simulator.slack.blocks import view_problems
from bot.slack.home_view import HomePage, moment, render_home, unavailable
from bot.slack.limits import VIEW_BLOCKS
from bot.store.records import UserSettings
from bot.words import labels, replies
from bot.words.replies import RunSummary

NOW = 1_700_000_000.0
HOSTILE = "`<!channel>` ``` <@U999> &lt; <https://evil.example|click> \x00\u202e\n> quoted " + "&" * 300
TEXTS = st.sampled_from([HOSTILE, "", "x" * 5000, "fix it"]) | st.text(max_size=20)
RUNS = st.builds(
    RunSummary,
    run=st.just("r-7k2m"),
    state=st.sampled_from(RunState),
    requester=st.just("U0ANN"),
    prompt=TEXTS,
    repo=st.none() | TEXTS,
    position=st.none() | st.integers(1, 200),
    elapsed=st.none() | st.integers(0, 10**6),
    link=st.none() | st.just("https://a.slack.com/archives/C1/p1?thread_ts=1.1&cid=C1"),
    ended_at=st.none() | st.floats(0, 4e9),
)
PAGES = st.builds(
    HomePage,
    now=st.just(NOW),
    active=st.lists(RUNS, max_size=30).map(tuple),
    unlisted=st.integers(0, 500),
    past=st.lists(RUNS, max_size=30).map(tuple),
    settings=st.builds(
        UserSettings,
        st.builds(Options, st.none() | TEXTS, st.none() | TEXTS, st.none() | st.just(Model.HAIKU)),
    ),
    default_repo=st.none() | st.just("acme/api"),
    note=st.sampled_from(["", replies.stale_button(RunState.DONE)]),
)


def shown(page: HomePage) -> str:
    return str(flatten(render_home(page)["blocks"]))


def texts(value: Any) -> list[str]:
    """All mrkdwn texts in it."""
    if isinstance(value, dict):
        own = [value["text"]] if value.get("type") == "mrkdwn" else []
        return own + [text for item in value.values() for text in texts(item)]
    return [text for item in value for text in texts(item)] if isinstance(value, list) else []


@settings(max_examples=60, deadline=None)
@given(PAGES)
def test_slack_takes_it_whatever_it_holds_and_nothing_from_outside_is_markup(page: HomePage) -> None:
    view = render_home(page)
    assert view_problems(json.loads(json.dumps(view)), "home") == []
    assert len(view["blocks"]) <= VIEW_BLOCKS
    for text in texts(view):
        assert "<!channel>" not in text
        assert "<@U999>" not in text
        assert "<https://evil" not in text
        assert "```" not in text


def test_what_runs_can_be_stopped_and_what_ran_says_when() -> None:
    running = RunSummary("r-1", RunState.RUNNING, "U1", "Fix\nit", "acme/api", elapsed=62, link="https://s/1")
    waiting = RunSummary("r-2", RunState.QUEUED, "U1", "Then that", position=2)
    ended = RunSummary("r-3", RunState.FAILED, "U1", "And", "acme/web", elapsed=201, ended_at=NOW)
    seen = shown(HomePage(NOW, (running, waiting), 3, (ended,), running=4, waiting=5))
    assert "*Running* · acme/api · `Fix it` · 1:02 · " in seen
    assert "*Queued · 2nd* · `Then that`" in seen
    assert seen.count("[Stop]") == 2
    assert "… and 3 more" in seen
    assert ":x: *Failed* · acme/web · `And` · 3 min 21 s · " in seen
    assert "4 running, 5 waiting" in seen
    assert labels.HOME_BEGIN not in seen
    buttons = [
        block["accessory"]
        for block in render_home(HomePage(NOW, (running,)))["blocks"]
        if "accessory" in block
    ]
    assert buttons[0]["value"] == "r-1"
    assert buttons[0]["confirm"]["text"]["text"] == labels.STOP_QUESTION


def test_whoever_has_had_no_run_is_told_how_to_begin() -> None:
    seen = shown(HomePage(NOW))
    assert labels.HOME_BEGIN in seen
    assert "/code repo=acme/web Fix the flaky login test" in seen
    assert labels.HOME_LAST not in seen
    assert replies.home_idle() in seen
    assert "`/code Fix the flaky login test`" in shown(HomePage(NOW, default_repo="acme/api"))


def test_times_are_shown_in_the_readers_zone() -> None:
    assert moment(NOW) == "<!date^1700000000^{date_short_pretty} {time}|2023-11-14 22:13 UTC>"


@pytest.mark.parametrize("notify", [True, False])
def test_the_defaults_are_those_of_the_person(notify: bool) -> None:
    mine = UserSettings(Options("acme/mine", "dev", Model.SONNET), notify=notify)
    seen = shown(HomePage(NOW, settings=mine, default_repo="acme/api"))
    assert re.search("`acme/mine`.*`dev`.*`sonnet`", seen, re.DOTALL)
    assert ("run: on" in seen) is notify
    assert "[Edit]" in seen
    assert "none of your own; `acme/api` is used" in shown(HomePage(NOW, default_repo="acme/api"))


def test_without_the_database_it_says_so() -> None:
    assert view_problems(unavailable(replies.home_unavailable()), "home") == []
    assert "database" in flatten(unavailable(replies.home_unavailable())["blocks"])
