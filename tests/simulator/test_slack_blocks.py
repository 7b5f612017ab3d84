"""Block Kit as the local Slack checks it, and what a reader sees of it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.simulator.slack import flatten
from bot.simulator.slack.blocks import characters, message_problems, view_problems, with_ids
from bot.simulator.slack.composer import compose, escape
from bot.simulator.slack.fixtures import App
from bot.simulator.slack.flatten import unescape, visible
from bot.simulator.slack.model import Times
from bot.simulator.slack.workspace import Workspace

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str, **more: Any) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(label: str = "Stop", **more: Any) -> Json:
    return {"type": "button", "text": plain(label), "action_id": "stop", **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def rich(*elements: Json) -> Json:
    return {"type": "rich_text", "elements": list(elements)}


def words(*items: Json, kind: str = "rich_text_section") -> Json:
    return {"type": kind, "elements": list(items)}


def text(content: str, **style: bool) -> Json:
    return {"type": "text", "text": content, **({"style": style} if style else {})}


def option(label: str, value: str = "v") -> Json:
    return {"text": plain(label), "value": value}


CONFIRM = {"title": plain("Stop?"), "text": plain("Sure?"), "confirm": plain("Stop run"), "deny": plain("No")}
EVERYTHING: list[Json] = [
    section("Hello <@U1> &lt;b&gt;", accessory=button(style="danger", confirm=CONFIRM)),
    {"type": "section", "fields": [plain("a"), plain("b")], "expand": True},
    {"type": "header", "text": plain("Head &amp; tail")},
    {
        "type": "context",
        "elements": [plain("small"), {"type": "image", "alt_text": "cat", "image_url": "https://a/c.png"}],
    },
    actions(
        button("View PR #42", url="https://github.com/a/b/pull/42"),
        {
            "type": "static_select",
            "action_id": "m",
            "placeholder": plain("Model"),
            "options": [option("haiku")],
        },
        {"type": "overflow", "action_id": "o", "options": [option("More")]},
        {"type": "checkboxes", "action_id": "c", "options": [option("Yes", "y"), option("No", "n")]},
    ),
    {"type": "divider"},
    {"type": "image", "alt_text": "plot", "image_url": "https://a/p.png", "title": plain("Plot")},
    rich(
        words(
            text("bold", bold=True),
            text(" "),
            {"type": "link", "url": "https://a", "text": "here"},
            {"type": "link", "url": "https://b"},
            {"type": "emoji", "name": "eyes"},
            {"type": "user", "user_id": "U1"},
            {"type": "channel", "channel_id": "C1"},
            {"type": "broadcast", "range": "here"},
            {"type": "color", "value": "#fff000"},
            {"type": "date", "timestamp": 1, "format": "{date}", "fallback": "1 Jan"},
            text("\n"),
        ),
        words(text("$ ls *bold* &lt;\n"), kind="rich_text_preformatted"),
        words(text("quoted\ntwice"), kind="rich_text_quote"),
        {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": [words(text("dot"))]},
        {"type": "rich_text_list", "style": "ordered", "offset": 2, "elements": [words(text("third"))]},
    ),
    {"type": "markdown", "text": "# Title"},
    {
        "type": "input",
        "label": plain("Prompt"),
        "element": {"type": "plain_text_input", "initial_value": "fix"},
    },
    {
        "type": "input",
        "label": plain("Repo"),
        "element": {"type": "external_select", "initial_option": option("acme/api"), "min_query_length": 0},
    },
]
SEEN = """Hello @ann <b> [Stop]
a
b
Head & tail
small [image: cat]
[View PR #42] [Model ▾] […] [ ] Yes [ ] No
---
[image: plot]
bold herehttps://b:eyes:@ann#team@here#fff0001 Jan
$ ls *bold* &lt;

> quoted
> twice
  • dot
3. third
# Title
Prompt: [fix]
Repo: [acme/api ▾]"""


def test_all_known_blocks_are_accepted_and_read() -> None:
    assert message_problems(EVERYTHING) == []
    assert flatten(EVERYTHING, {"U1": "ann", "C1": "team"}) == SEEN
    assert message_problems(with_ids(EVERYTHING, "b")) == []


WRONG: dict[str, tuple[Any, str]] = {
    "not a list": ({}, "must provide an array [json-pointer:/blocks]"),
    "not an object": (["x"], "must provide an object [json-pointer:/blocks/0]"),
    "no type": ([{}], "missing required field: type [json-pointer:/blocks/0]"),
    "unknown type": ([{"type": "marquee"}], "unsupported type: marquee [json-pointer:/blocks/0/type]"),
    "51 blocks": ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    "unknown key": (
        [section("x", colour="red")],
        "invalid additional property: colour [json-pointer:/blocks/0]",
    ),
    "empty text": ([section("")], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    "long text": (
        [section("x" * 3001)],
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
    ),
    "no text": (
        [{"type": "section"}],
        "missing required field: text or fields [json-pointer:/blocks/0]",
    ),
    "number as text": (
        [{"type": "header", "text": {"type": "plain_text", "text": 1}}],
        "must provide a string [json-pointer:/blocks/0/text/text]",
    ),
    "mrkdwn header": (
        [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
        "must be a valid enum value [json-pointer:/blocks/0/text/type]",
    ),
    "long header": (
        [{"type": "header", "text": plain("x" * 151)}],
        "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    "11 fields": (
        [{"type": "section", "fields": [plain("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    "long field": (
        [{"type": "section", "fields": [plain("x" * 2001)]}],
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
    ),
    "11 in context": (
        [{"type": "context", "elements": [plain("x")] * 11}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "button in context": (
        [{"type": "context", "elements": [button()]}],
        "unsupported type: button [json-pointer:/blocks/0/elements/0/type]",
    ),
    "26 buttons": (
        [actions(*(button(action_id=str(n)) for n in range(26)))],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "no buttons": ([actions()], "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]"),
    "twin buttons": (
        [actions(button(), button())],
        'duplicate action_id "stop" [json-pointer:/blocks/0/elements/1/action_id]',
    ),
    "long label": (
        [actions(button("x" * 76))],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
    ),
    "long value": (
        [actions(button(value="x" * 2001))],
        "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
    ),
    "long action_id": (
        [actions(button(action_id="x" * 256))],
        "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
    ),
    "long url": (
        [actions(button(url="https://" + "x" * 3000))],
        "must be less than 3001 characters [json-pointer:/blocks/0/elements/0/url]",
    ),
    "no url": ([actions(button(url="x"))], "must be a valid URL [json-pointer:/blocks/0/elements/0/url]"),
    "odd style": (
        [actions(button(style="blue"))],
        "must be a valid enum value [json-pointer:/blocks/0/elements/0/style]",
    ),
    "half a confirm": (
        [actions(button(confirm={"title": plain("x")}))],
        "missing required field: text [json-pointer:/blocks/0/elements/0/confirm]",
    ),
    "empty menu": (
        [actions({"type": "static_select", "action_id": "a"})],
        "missing required field: options or option_groups [json-pointer:/blocks/0/elements/0]",
    ),
    "twin block_ids": (
        [section("a", block_id="b"), section("c", block_id="b")],
        'duplicate block_id "b" [json-pointer:/blocks/1/block_id]',
    ),
    "long block_id": (
        [section("a", block_id="b" * 256)],
        "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
    ),
    "no boolean": (
        [{"type": "header", "text": {**plain("x"), "emoji": 1}}],
        "must provide a boolean [json-pointer:/blocks/0/text/emoji]",
    ),
    "no number": (
        [rich({"type": "rich_text_list", "style": "bullet", "indent": "1", "elements": []})],
        "must provide a number [json-pointer:/blocks/0/elements/0/indent]",
    ),
    "deep indent": (
        [rich({"type": "rich_text_list", "style": "bullet", "indent": 9, "elements": []})],
        "must be between 0 and 8 [json-pointer:/blocks/0/elements/0/indent]",
    ),
    "emoji in preformatted": (
        [rich(words({"type": "emoji", "name": "eyes"}, kind="rich_text_preformatted"))],
        "unsupported type: emoji [json-pointer:/blocks/0/elements/0/elements/0/type]",
    ),
    "empty rich text": (
        [rich(words(text("")))],
        "must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]",
    ),
    "long markdown": (
        [{"type": "markdown", "text": "x" * 6001}] * 2,
        "must be less than 12001 characters [json-pointer:/blocks]",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_blocks_are_refused_in_slacks_words(name: str) -> None:
    blocks, reason = WRONG[name]
    assert message_problems(blocks) == [reason]


FIELD = {"type": "input", "label": plain("L"), "element": {"type": "plain_text_input", "action_id": "a"}}
MODAL: Json = {"type": "modal", "title": plain("T"), "submit": plain("Go"), "blocks": [FIELD]}
WRONG_VIEWS: dict[str, tuple[Json, str, str]] = {
    "not a modal": (
        {"type": "home", "blocks": []},
        "modal",
        "must be a valid enum value [json-pointer:/view/type]",
    ),
    "no title": (
        {"type": "modal", "blocks": []},
        "modal",
        "missing required field: title [json-pointer:/view]",
    ),
    "long title": ({**MODAL, "title": plain("x" * 25)}, "modal", "must be less than 25 characters"),
    "long metadata": (
        {**MODAL, "private_metadata": "x" * 3001},
        "modal",
        "must be less than 3001 characters",
    ),
    "no submit": (
        {"type": "modal", "title": plain("T"), "blocks": [FIELD]},
        "modal",
        "missing required field: submit",
    ),
    "101 blocks": ({"type": "home", "blocks": [{"type": "divider"}] * 101}, "home", "no more than 100 items"),
    "markdown": ({"type": "home", "blocks": [{"type": "markdown", "text": "x"}]}, "home", "unsupported type"),
    "titled home": (
        {"type": "home", "title": plain("T"), "blocks": []},
        "home",
        "invalid additional property",
    ),
}


@pytest.mark.parametrize("name", WRONG_VIEWS)
def test_wrong_views_are_refused(name: str) -> None:
    view, kind, reason = WRONG_VIEWS[name]
    [problem] = view_problems(view, kind)
    assert problem.startswith(reason)


def test_right_views_are_accepted() -> None:
    assert view_problems(MODAL, "modal") == []
    assert view_problems({"type": "home", "blocks": [section("x")] * 100}, "home") == []
    assert view_problems("x", "home") == ["must provide an object [json-pointer:/view]"]


def test_unknown_blocks_are_named_and_all_texts_counted() -> None:
    assert flatten([{"type": "new"}]) == "[new]"
    assert characters([section("12345"), actions(button("678")), rich(words(text("90")))]) == 10


def test_references_are_shown_by_name_label_or_id() -> None:
    names = {"U1": "ann"}
    assert visible("<@U1> <@U2> <@U3|cy> <#C1|team> <!here> <!subteam^S1|@devs>", names) == (
        "@ann @U2 @cy #team @here @devs"
    )
    assert visible("<https://a.b/c> <https://a.b|label> &lt;x&gt; &amp;lt; *b* &eacute;") == (
        "https://a.b/c label <x> &lt; *b* &eacute;"
    )


def test_clients_turn_what_is_typed_into_slacks_form() -> None:
    workspace = Workspace(Times(), App())
    typed = (
        "@ann and @nobody, see #team #nowhere @here <b> https://a.b/c?d=1&e=2. a@b.c `@ann <x>` (https://x.y)"
    )
    assert compose(workspace, typed) == (
        "<@U0ANN> and @nobody, see <#C0TEAM|team> #nowhere <!here> &lt;b&gt; <https://a.b/c?d=1&amp;e=2>. a@b.c "
        "`@ann &lt;x&gt;` (<https://x.y>)"
    )
    assert compose(workspace, "@ann", labels=True) == "<@U0ANN|ann>"
    assert compose(workspace, "<https://a.b>") == "&lt;<https://a.b>&gt;"


@given(st.text())
@settings(max_examples=100)
def test_escapes_are_undone_exactly(typed: str) -> None:
    assert unescape(escape(typed)) == typed
    assert visible(escape(typed)) == typed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "elements", "fields", "block_id"]), inner, max_size=4
        )
        | st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    ["section", "actions", "rich_text", "context", "button", "plain_text", "markdown"]
                )
            },
            optional={"text": inner, "elements": inner, "element": inner},
        )
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=150)
def test_any_json_is_judged_and_what_passes_can_be_read(value: Any) -> None:
    if not message_problems(value):
        assert isinstance(flatten(with_ids(value, "b")), str)
