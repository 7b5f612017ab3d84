import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.markdown import harmless, split

TABLE = "| a | b |\n| - | - |\n| 1 | 2 |"


def test_a_short_answer_is_one_part() -> None:
    answer = "# Done\n\nAll *good*.\n\n```py\nx = 1\n```\n\n" + TABLE
    assert split(answer, 8_000) == [answer]
    assert split(f"\n\n{answer}\n  \n", len(answer)) == [answer]


@pytest.mark.parametrize("answer", ["", " ", "\n\n \n"])
def test_nothing_gives_no_part(answer: str) -> None:
    assert split(answer, 10) == []


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        ("one one\n\ntwo two\n\nthree", ["one one", "two two", "three"]),
        ("one\n\ntwo\n\nthree", ["one\n\ntwo", "three"]),
        ("- one\n- two\n- three\n- four", ["- one", "- two", "- three", "- four"]),
        ("a b\nc d e f g\nh", ["a b", "c d e f g", "h"]),
        ("alpha beta gamma", ["alpha beta", "gamma"]),
        ("abcdefghijklmnopqrstuvwxyz", ["abcdefghij", "klmnopqrst", "uvwxyz"]),
        ("one\n" + " " * 30 + "two", ["one", "two"]),
    ],
)
def test_cut_between_paragraphs_else_lines_else_words(answer: str, parts: list[str]) -> None:
    assert [part.strip() for part in split(answer, 10)] == parts


def test_a_code_block_moves_to_the_next_part_rather_than_being_cut() -> None:
    code = "```py\nx = 1\n\ny = 2\n```"
    assert split(f"Some text.\n{code}\nMore text.", 30) == ["Some text.", code, "More text."]
    assert split(f"Some text.\n{code}\nMore.", 32) == ["Some text.", f"{code}\nMore."]


@pytest.mark.parametrize(
    ("opening", "inside", "closing"),
    [
        ("```", "~~~", "```"),
        ("~~~ py `x`", "```", "~~~~"),
        ("````md", "```\nx\n```", "````"),
        ("   ```", "``` no", "  ```  "),
        ("```", "    ```", "```"),
    ],
)
def test_fences(opening: str, inside: str, closing: str) -> None:
    block = f"{opening}\n{inside}\n\nx\n{closing}"
    parts = split(f"text\n{block}\ntext", len(block))
    assert parts == ["text", block.rstrip(), "text"]


@pytest.mark.parametrize("line", ["    ```", "```js``` is code", "``x", "> ```"])
def test_what_opens_no_code_block_is_not_closed(line: str) -> None:
    assert split(f"{line}\n\nx", 100) == [f"{line}\n\nx"]


def test_a_code_block_that_is_too_long_is_closed_and_opened_again() -> None:
    block = "  ```py title\n" + "".join(f"row {n}\n" for n in range(9)) + "\n" + "z" * 40 + "\n  ```"
    parts = split(f"Look:\n{block}\nDone.", 44)
    assert parts == [
        "Look:",
        "  ```py title\nrow 0\nrow 1\nrow 2\nrow 3\n```",
        "  ```py title\nrow 4\nrow 5\nrow 6\nrow 7\n```",
        "  ```py title\nrow 8\n\n```",
        f"  ```py title\n{'z' * 26}\n```",
        f"  ```py title\n{'z' * 14}\n```\nDone.",
    ]


def test_a_code_block_that_was_never_closed_is_closed() -> None:
    assert split("Look:\n~~~~\nx = 1", 100) == ["Look:\n~~~~\nx = 1\n~~~~"]
    assert split("```", 100) == ["```\n```"]
    assert split("```\nabc\ndef\n", 12) == ["```\nabc\n```", "```\ndef\n```"]


def test_an_opening_line_that_leaves_no_room_is_cut_like_text() -> None:
    parts = split("```" + "x" * 50 + "\ncode\n```", 20)
    assert "".join(parts).replace("\n", "") == "```" + "x" * 50 + "code```"
    assert all(len(part) <= 20 for part in parts)


def test_a_table_stays_whole_where_it_fits() -> None:
    text = "word " * 3
    assert split(f"{text}\n{TABLE}\n{text}", len(TABLE)) == [text.strip(), TABLE, text.strip()]
    assert "\n".join(split(TABLE, 12)) == TABLE


WORDS = st.integers(0, 10**6).map(lambda number: f"w{number}")
TEXT = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=6).map("\n".join)
CODE = st.builds(
    lambda fence, info, text: f"{fence}{info}\n{text}\n{fence}",
    st.sampled_from(["```", "~~~", "`````"]),
    st.sampled_from(["", "py"]),
    TEXT,
)
ROWS = st.lists(WORDS.map(lambda word: f"| {word} |"), min_size=1, max_size=6).map("\n".join)
ANSWERS = st.lists(st.tuples(TEXT | CODE | ROWS, st.sampled_from(["\n", "\n\n"]))).map(
    lambda blocks: "".join(block + gap for block, gap in blocks)
)


@given(ANSWERS, st.integers(24, 200))
def test_all_words_arrive_in_order_and_every_code_block_is_closed(answer: str, limit: int) -> None:
    parts = split(answer, limit)
    assert all(0 < len(part) <= limit for part in parts)
    assert re.sub(r"[^w0-9]", "", "".join(parts)) == re.sub(r"[^w0-9]", "", answer)
    for part in parts:
        fences = [line[:3] for line in part.split("\n") if line.startswith(("```", "~~~"))]
        assert fences[::2] == fences[1::2]


@given(st.text(alphabet="ab `~|\n\r\t-", max_size=200), st.integers(1, 50))
def test_any_text_is_split_within_the_limit_and_nothing_is_cut(answer: str, limit: int) -> None:
    parts = split(answer, limit)
    assert all(part.strip() and len(part) <= limit for part in parts)
    wanted, letters = (re.sub(r"[^ab]", "", text) for text in (answer, "".join(parts)))
    # A code block's opening line, with its letters, may stand more than once.
    assert letters == wanted or re.search(r"^ {0,3}(```|~~~)", answer, re.MULTILINE)
    assert len(letters) >= len(wanted)


@given(st.text(alphabet="ab, .|\n", max_size=200), st.integers(1, 50))
def test_without_code_only_white_space_gets_lost(answer: str, limit: int) -> None:
    assert "".join("".join(split(answer, limit)).split()) == "".join(answer.split())


@pytest.mark.parametrize(
    "answer", ["x" * 10**6, "x " * 10**5, "```\n" * 10**5, "|\n" * 10**5, "```\n" + "x\n" * 10**5]
)
def test_huge_answers(answer: str) -> None:
    parts = split(answer, 8_000)
    assert max(map(len, parts)) <= 8_000
    assert "".join(parts).count("x") == answer.count("x")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<@U123ABC> <@W1|ann>", "<\u200b@U123ABC> <\u200b@W1|ann>"),
        ("<!channel> <!here|here> <!everyone>", "<\u200b!channel> <\u200b!here|here> <\u200b!everyone>"),
        ("<!here|@here>", "<\u200b!here|@\u200bhere>"),
        ("<!subteam^S1|@crew> <!date^1^{date}|x>", "<\u200b!subteam^S1|@crew> <\u200b!date^1^{date}|x>"),
        ("<#C1|general> <#C2>", "<\u200b#C1|general> <\u200b#C2>"),
        ("@channel, (@here) @everyone!", "@\u200bchannel, (@\u200bhere) @\u200beveryone!"),
        ("@here/@channel @here. @everyone", "@\u200bhere/@\u200bchannel @\u200bhere. @\u200beveryone"),
        ("`<!channel>`", "`<\u200b!channel>`"),
        ("[x](<!channel>)", "[x](<\u200b!channel>)"),
    ],
)
def test_mentions_are_made_harmless(text: str, shown: str) -> None:
    assert harmless(text) == shown
    assert harmless(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE html> <!-- here --> a < b, x<y>",
        "ann@here.com me@channel.org bob.x@everyone",
        "@Override @hereafter @here/maps @channel-ops @heretic @everyone.js",
        "List<@NonNull String> <@user> <#id> <https://x.y|z>",
        "&lt;!channel&gt; &lt;@U123&gt;",
        "",
    ],
)
def test_other_text_is_left_alone(text: str) -> None:
    assert harmless(text) == text


@given(
    st.lists(st.sampled_from([*"<>@!#|^ a", "here", "channel", "U1", "C1", "subteam", "date", "\u200b"])).map(
        "".join
    )
)
def test_no_mention_is_left_and_twice_is_once(text: str) -> None:
    shown = harmless(text)
    assert not re.search(
        r"<@[UW][A-Z0-9]+[|>]|<#C[A-Z0-9]+[|>]|<!(here|channel)[|>]|<!(subteam|date)\^", shown
    )
    assert harmless(shown) == shown
    assert shown.replace("\u200b", "") == text.replace("\u200b", "")


def test_hostile_answers_are_read_in_linear_time() -> None:
    for text in ("<!here|" * 10**5, "<@U" * 10**5, "<@" + "U" * 10**6, "@here" * 10**5):
        assert harmless(text).replace("\u200b", "") == text
