import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.text import (
    clean,
    code,
    code_block,
    file_name,
    one_line,
    shorten,
    shorten_middle,
    shorten_mrkdwn,
    split_mrkdwn,
)

ANY_TEXT = st.text(st.characters(), max_size=200)
MRKDWN = st.lists(
    st.sampled_from(
        ["`", "```", "\n", "&amp;", "&lt;", "<@U123>", "<https://a.b|c>", "word ", "é", "x" * 30]
    ),
    max_size=60,
).map("".join)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("a\r\nb\rc\u2028d\x0ce", "a\nb\nc\nd\ne"),
        ("a\tb", "a\tb"),
        ("\x00\x07nul\x1b[0m\x9b", "nul[0m"),
        ("evil\u202etxt.exe\u2066", "eviltxt.exe"),
        ("שלום\u200f", "שלום\u200f"),
        ("lone \ud83d", "lone \ufffd"),
        ("👩‍💻", "👩‍💻"),
    ],
)
def test_clean_removes_what_cannot_be_seen(raw: str, shown: str) -> None:
    assert clean(raw) == shown


@given(ANY_TEXT)
def test_clean_text_can_be_sent_and_stays_clean(raw: str) -> None:
    shown = clean(raw)
    assert shown.encode().decode() == shown
    assert clean(shown) == shown


@given(ANY_TEXT, st.integers(1, 50))
def test_shortened_texts_fit(raw: str, limit: int) -> None:
    for shown in (shorten(raw, limit), shorten_middle(raw, limit), one_line(raw, limit)):
        assert len(shown) <= limit
        assert shown.endswith("…") or "…" in shown or len(shown) <= len(raw)


def test_shortening_keeps_what_fits() -> None:
    assert shorten("12345", 5) == "12345"
    assert shorten("123456", 5) == "1234…"
    assert shorten_middle("tests/test_users.py::test_create", 20) == "tests/tes … t_create"
    assert shorten_middle("abcdef", 3) == "ab…"
    assert one_line("  a\n\n b\tc ", 10) == "a b c"


def test_code_cannot_be_left() -> None:
    assert code("rm `x` <!channel> & more\nnow") == "`rm 'x' &lt;!channel&gt; &amp; more now`"
    assert code(" \n") == "(nothing)"
    assert code_block("a\n```\n<@U1>") == "```\na\n'''\n&lt;@U1&gt;\n```"
    assert code_block("\n") == "(nothing)"


def test_cut_mrkdwn_closes_what_it_opened() -> None:
    assert shorten_mrkdwn("short", 10) == "short"
    assert shorten_mrkdwn("see `abcdefghijklmnop` there", 18) == "see `abcdefgh…`"
    assert shorten_mrkdwn("```\nabcdefghijklmnopqrstuvwxyz\n```", 20) == "```\nabcdefghijk…\n```"
    assert shorten_mrkdwn("1234567&amp;&amp;&amp;", 20) == "1234567&amp;…"


@given(MRKDWN, st.integers(40, 120))
def test_cut_mrkdwn_is_whole(mrkdwn: str, limit: int) -> None:
    shown = shorten_mrkdwn(mrkdwn, limit)
    assert len(shown) <= limit
    assert_no_half_atoms(shown)
    if shown != mrkdwn:
        assert shown.count("```") % 2 == 0


@given(MRKDWN, st.integers(50, 120))
def test_split_mrkdwn_loses_nothing(mrkdwn: str, limit: int) -> None:
    pieces = split_mrkdwn(mrkdwn, limit)
    assert all(0 < len(piece) <= limit for piece in pieces)
    for piece in pieces:
        assert_no_half_atoms(piece)
    assert letters("".join(pieces)) == letters(mrkdwn)


def test_a_split_code_block_stays_one_in_each_piece() -> None:
    block = "\n".join(f"line {number}" for number in range(20))
    pieces = split_mrkdwn(f"You asked:\n```\n{block}\n```", 80)
    assert len(pieces) > 2
    assert all(piece.count("```") == 2 for piece in pieces)
    assert [line for piece in pieces for line in piece.split("\n") if line.startswith("line")] == block.split(
        "\n"
    )


def test_a_split_takes_a_single_long_line() -> None:
    pieces = split_mrkdwn(f"```\n{'x' * 500}\n```", 60)
    assert "".join(pieces).count("x") == 500


def letters(mrkdwn: str) -> str:
    return re.sub(r"[`\s]", "", mrkdwn)


def assert_no_half_atoms(mrkdwn: str) -> None:
    rest = re.sub(r"&(?:amp|lt|gt);|<@U123>|<https://a\.b\|c>", "", mrkdwn)
    assert not re.search("[&<>;|]", rest)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("unit-tests", "unit-tests.log"),
        ("../etc/passwd", "etc_passwd.log"),
        (".hidden", "hidden.log"),
        ("two\nlines <x>", "two_lines_x.log"),
        ("漢字 \u202e", "漢字.log"),
        ("///", "task.log"),
        ("n" * 500, "n" * 60 + ".log"),
    ],
)
def test_any_name_can_name_a_file(name: str, file: str) -> None:
    assert file_name(name, ".log") == file
