"""The terminal against pyte, against itself cut differently, against a simple model of lines, and in bounded memory."""

import pickle
import random
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.terminal import Tail, Terminal

SAMPLES = sorted((Path(__file__).parent.parent / "samples").glob("*.raw"))


def sample(path: Path) -> str:
    return path.read_bytes().decode()


def by_pyte(chunks: list[str], columns: int = 100, rows: int = 40) -> list[str]:
    screen = pyte.Screen(columns, rows)
    screen.set_mode(pyte.modes.LNM)
    stream = pyte.Stream(screen)
    for chunk in chunks:
        stream.feed(chunk)
        # Looking at the rows creates them: pyte's DL goes wrong where one that it moves was never written.
        assert screen.display
    return [row.rstrip() for row in screen.display]


def look(terminal: Terminal) -> tuple[list[str], int, str, list[Tail]]:
    """Everything that can be seen of a terminal."""
    tails = [terminal.tail(rows, chars) for rows, chars in [(1, 20), (5, 100), (60, 8000), (10**6, 10**6)]]
    return terminal.screen(), terminal.line_count, terminal.last_line(), tails


def feed_and_look(terminal: Terminal, chunk: str) -> None:
    """Feed a chunk that is carried out by itself: a terminal that no one looks at joins small ones."""
    terminal.feed(chunk)
    assert terminal.line_count >= 0


def chunks_of(text: str, cuts: list[int]) -> Iterator[str]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return (text[start:end] for start, end in pairwise(places))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
class TestSamples:
    def test_are_shown_as_by_pyte(self, path: Path) -> None:
        terminal = Terminal()
        terminal.feed(sample(path))
        assert terminal.screen() == by_pyte([sample(path)])

    def test_are_shown_the_same_however_they_are_cut(self, path: Path) -> None:
        text = sample(path)
        whole = Terminal()
        whole.feed(text)
        edges = [place for place, char in enumerate(text) if char in "\x1b[]m\r\n\x07\\"]
        for places in (edges, [place + 1 for place in edges], list(range(len(text)))):
            cut = Terminal()
            for chunk in chunks_of(text, places):
                feed_and_look(cut, chunk)
            assert look(cut) == look(whole)


WORDS = st.text("abc xyz .#é│█", min_size=1, max_size=12)
ARGUMENT = st.sampled_from(["", "0", "1", "2", "3", "7", "30", ";", "2;3"])


def csi(finals: str) -> st.SearchStrategy[str]:
    return st.builds("\x1b[{}{}".format, ARGUMENT, st.sampled_from(finals))


LOOKS = st.sampled_from(
    [
        "\x1b[m",
        "\x1b[1;31m",
        "\x1b[?25l",
        "\x1b(B",
        "\x1b]0;title\x07",
        "\x1b]8;;http://a\x1b\\",
        "\x07",
        "\x0f",
        "\0",
    ]
)
PLACES = st.builds("\x1b[{};{}H".format, st.integers(0, 9), st.integers(0, 30))
# Movements between rows come after a CR, since pyte carries a pending wrap over them; DECSC and DECRC as a pair, since
# pyte's are a stack; single numbers only where pyte takes no more.
NUMBER = st.sampled_from(["", "1", "2", "3", "7", "30"])
MOVES = st.builds("\r\x1b[{}{}".format, NUMBER, st.sampled_from("ABEFde"))
SIDEWAYS = st.builds("\x1b[{}{}".format, NUMBER, st.sampled_from("CDGaX"))
ERASING = st.sampled_from(["\x1b[K", "\x1b[0K", "\x1b[1K", "\x1b[2K", "\x1b[J", "\x1b[1J", "\x1b[2J"])
LINES = st.builds("\x1b[{}{}".format, NUMBER, st.sampled_from("LM"))
SAVED = st.builds("\ra\x1b7{}\x1b8".format, WORDS)
BASIC = [
    WORDS,
    st.sampled_from(["\n", "\r\n", "\r", "\b", "\rab\t", "\v", "\x1bE", "\r\x1bD", "\r\x1bM"]),
    LOOKS,
    ERASING,
    SIDEWAYS,
]
FAMILIES = {
    "moving": [*BASIC, MOVES, PLACES, LINES, SAVED],
    # pyte keeps what ICH pushes out of the row one column beyond the edge, from where DCH brings it back.
    "inserting": [
        *BASIC,
        PLACES,
        st.builds("\x1b[{}@".format, NUMBER),
        st.sampled_from(["\x1b[4h", "\x1b[4l"]),
    ],
    "deleting": [
        *BASIC,
        PLACES,
        st.builds("\x1b[{}P".format, NUMBER),
        st.sampled_from(["\x1b[?7h", "\x1b[?7l"]),
    ],
    # pyte's CUU moves down where the cursor is above the region, so nothing leaves it here.
    "margins": [*BASIC, LINES],
    # pyte composes marks with NFC, loses those on wide characters, and leaves halves of overwritten ones standing.
    "widths": [
        LOOKS,
        st.sampled_from(["\n", "\r\n", "日本\n", "🚀 go\n", "e\u0301a\u0308", "\r\x1b[2K"]),
    ],
}


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_is_shown_as_by_pyte(family: str, data: st.DataObject) -> None:
    columns, rows = (24, 6) if family == "widths" else (16, 6)
    chunks = data.draw(st.lists(st.one_of(FAMILIES[family]), max_size=8 if family == "widths" else 30))
    if family == "margins":
        top = data.draw(st.integers(1, rows - 1))
        chunks.insert(0, f"1\n2\n3\n4\n5\n6\x1b[{top};{data.draw(st.integers(top + 1, rows))}r\x1b[{top};1H")
    terminal = Terminal(columns, rows)
    for chunk in chunks:
        terminal.feed(chunk)
    assert [unicodedata.normalize("NFC", row) for row in terminal.screen()] == by_pyte(chunks, columns, rows)


HOSTILE = st.text(
    st.sampled_from(
        "\x1b\x1b\x1b[[]];?0123789mHAKJMLPX@rhlbcDsu \n\n\r\b\t\x07\x18\\P_^\x9b\x9d\x9c\x85ab日\u0301\u200d\ufe0f🚀é\ud800\U0010ffff\0"
    ),
    max_size=60,
)
LONG = st.sampled_from(
    [
        "\n" * 500,
        "line\n" * 450,
        "x" * 700,
        "\r\n \n" * 300,
        "日本" * 200,
        "\x1b]0;" + "t" * 400,
        "\x1b[" + "1" * 254,
        "é\n" * 450,
    ]
)
ANYTHING = st.lists(
    st.one_of(
        *FAMILIES["moving"],
        HOSTILE,
        HOSTILE,
        csi("ABCDEFGHIJKLMPSTXZ@`abdefrsu"),
        LONG,
        st.sampled_from(
            [
                "\x1b[?1049h",
                "\x1b[?1049l",
                "\x1b[?6h",
                "\x1b[?6l",
                "\x1b[?7l",
                "\x1b[?7h",
                "\x1b[4h",
                "\x1b[4l",
                "\x1b[2;4r",
                "\x1b7",
                "\x1b8",
                "\x1bc",
                "\x1b[!p",
                "\x1b[3J",
            ]
        ),
    ),
    max_size=25,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(
    text=ANYTHING,
    cuts=st.lists(st.integers(0, 10**6), max_size=20),
    columns=st.integers(2, 12),
    rows=st.integers(1, 5),
)
def test_is_the_same_however_it_is_cut(text: str, cuts: list[int], columns: int, rows: int) -> None:
    whole, cut, single = Terminal(columns, rows), Terminal(columns, rows), Terminal(columns, rows)
    whole.feed(text)
    for chunk in chunks_of(text, cuts):
        feed_and_look(cut, chunk)
    for char in text:
        feed_and_look(single, char)
    assert look(cut) == look(whole)
    assert look(single) == look(whole)
    screen, count, last, tails = look(whole)
    assert len(screen) == rows
    assert all(tail.hidden + len(tail.text.split("\n")) == count or not tail.text for tail in tails)
    assert all("\n" not in line for line in [*screen, last])
    "".join([*screen, last, *(tail.text for tail in tails)]).encode()  # no lone surrogates come through


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.text("ab é日", max_size=40), max_size=60),
    columns=st.integers(2, 12),
    rows=st.integers(1, 30),
    room=st.integers(1, 200),
)
def test_lines_come_back_as_they_were(lines: list[str], columns: int, rows: int, room: int) -> None:
    terminal = Terminal(columns, 5)
    terminal.feed("\n".join(lines))
    expected = [line.rstrip() for line in lines]
    while expected and not expected[-1]:
        expected.pop()
    assert terminal.line_count == len(expected)
    assert terminal.last_line() == (expected[-1].strip() if expected else "")

    tail = terminal.tail(rows, 10**6)
    assert tail == Tail("\n".join(expected[-rows:]), max(0, len(expected) - rows))
    tail = terminal.tail(rows, room)
    assert len(tail.text) <= room
    if not tail.cut:
        number = len(expected) - tail.hidden
        assert tail.text == "\n".join(expected[len(expected) - number :])


MEGABYTE = 1_000_000


def flood(unit: str, size: int = 20 * MEGABYTE) -> tuple[str, int]:
    """A chunk of about a megabyte, and how often to feed it."""
    return unit * (MEGABYTE // len(unit)), size // MEGABYTE


@pytest.mark.parametrize(
    ("chunk", "times"),
    [
        pytest.param(*flood("\n"), id="line-feeds"),
        pytest.param(*flood("x"), id="one-line"),
        pytest.param(*flood("2024-01-01 12:00:00 INFO a line of a log\r\n"), id="log"),
        pytest.param("\x1b]0;" + "t" * MEGABYTE, 20, id="unterminated-strings"),
        pytest.param("\x1b[" + "1" * MEGABYTE, 20, id="unterminated-sequences"),
        pytest.param(*flood("\x1b[32mok\x1b[0m 日本 \x1b[K\r", 4 * MEGABYTE), id="colours"),
        pytest.param(*flood("\x1b[99S\x1b[9b\x1b[99L", MEGABYTE), id="scrolling"),
        pytest.param("\x1b[" + ";" * 254 + "H" + "\x1b[\n\n\b\n\n\nA", 4000, id="numbers"),
        pytest.param(*flood("\x1b[?1049ha\x1b[?1049l", 2 * MEGABYTE), id="alternate-screens"),
    ],
)
def test_memory_is_bounded(chunk: str, times: int) -> None:
    terminal = Terminal()
    for _ in range(times):
        terminal.feed(chunk)
    assert len(pickle.dumps(terminal)) < 200_000


def test_memory_for_marks_is_bounded() -> None:
    generator = random.Random(1)
    terminal = Terminal()
    for _ in range(20):
        letters = (
            chr(generator.randrange(0x3040, 0xA000)) + chr(generator.randrange(0x300, 0x36F))
            for _ in range(5000)
        )
        terminal.feed("".join(letters))
    assert len(pickle.dumps(terminal)) < MEGABYTE
