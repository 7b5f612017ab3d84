import pytest

from bot.core.terminal import Tail, Terminal
from bot.core.terminal.cells import cells_of, is_plain
from tests.core.terminals import fed, shown


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("one\ntwo\r\nthree\vfour\ffive", ["one", "two", "three", "four", "five"]),
        (" 10%\r 50%\r100%", ["100%"]),
        ("Downloading 12345\rDone\x1b[K", ["Done"]),
        ("abc\b\bX", ["aXc"]),
        ("a\tb\t\tc", ["a       b          c"]),  # the last tab stops at the edge
        ("a\x1b[2Ib\x1b[ZX", ["a               X"]),
        ("a\x1b[4Cb\x1b[2aX\x1b[3`Y", ["a Y  b  X"]),
        ("\x1b[31mred\x1b[0m \x1b[38;2;1;2;3mtrue\x1b[m \x1b[4:3mcurly\x1b[>4;1m", ["red true curly"]),
        ("\x1b[?25l\x1b[?2004h\x1b[?1hx\x1b[6n\x1b[c\x1b[1 q\x1b=\x1b(0\x1b)B\x1b#8y", ["xy"]),
        ("\x00a\x01\x07\x7fb\x0e\x0f", ["ab"]),
        ("1\n2\n3\x1b[2AX\x1b[5GY\x1b[B\x1b[DZ\x1b[3;2HW", ["1X  Y", "2   Z", "3W"]),
        ("1\n2\n3\x1b[FX\x1b[EY\x1b[2dZ\x1b[eV", ["1", "XZ", "Y V"]),
        ("a\x1b7bc\x1b8X\x1b[s\n\nd\x1b[uY", ["aXY", "", "d"]),
        ("a\x1bDb\x1bEc\x1bMX", ["a", " X", "c"]),
        ("\x1b[2Jclean\x1b[H\x1b[2JX", ["X"]),
        ("11\n22\n33\x1b[2;2H\x1b[J", ["11", "2"]),
        ("11\n22\n33\x1b[2;1H\x1b[1J", ["", " 2", "33"]),
        ("abcdef\x1b[3G\x1b[1K", ["   def"]),
        ("abcdef\x1b[3G\x1b[2KX", ["  X"]),
        ("abcdef\x1b[3G\x1b[?K", ["ab"]),
        ("abcdef\x1b[3G\x1b[7K\x1b[9J", ["abcdef"]),
        ("abcdef\x1b[2G\x1b[3X", ["a   ef"]),
        ("abcdef\x1b[2G\x1b[2@", ["a  bcdef"]),
        ("abcdef\x1b[2G\x1b[2P", ["adef"]),
        ("1\n2\n3\x1b[2;1H\x1b[L", ["1", "", "2", "3"]),
        ("1\n2\n3\x1b[1;1H\x1b[9M", []),
        ("1\n2\n3\x1b[S", ["2", "3"]),
        ("1\n2\n3\x1b[2T", ["", "", "1", "2", "3"]),
        ("a\x1b[3b|\x1b[99999b", ["aaaa" + "|" * 16, "|" * 5]),
        ("\x1b[3bx", ["x"]),
        ("x\x1b[4hab\x1b[2GZ\x1b[4lY", ["xZYb"]),
        ("abc\x1bcX", ["X"]),
    ],
)
def test_controls(output: str, expected: list[str]) -> None:
    assert shown(output) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("1\n2\n3\n4\n5\x1b[2;4r\x1b[4;1H\nX", ["1", "3", "4", "X", "5"]),
        ("1\n2\n3\n4\n5\x1b[2;4r\x1b[2;1H\x1bMX", ["1", "X", "2", "3", "5"]),
        ("1\n2\n3\n4\n5\x1b[2;4r\x1b[S", ["1", "3", "4", "", "5"]),
        ("1\n2\n3\n4\n5\x1b[2;4r\x1b[L\x1b[M", ["1", "2", "3", "4", "5"]),  # the cursor is outside
        ("1\n2\n3\n4\n5\x1b[2;4r\x1b[3;1H\x1b[9A^\x1b[9Bv", ["1", "^", "3", "4v", "5"]),
        ("1\n2\n3\n4\n5\x1b[2;3r\x1b[A^\x1b[5;1H\nv\x1b[Bw\x1b[1;1H\x1bM>", [">", "2", "3", "4", "vw"]),
        (
            "1\n2\n3\n4\n5\x1b[2;4r\x1b[?6h^\x1b[9dv\x1b[?6l<",
            ["<", "^", "3", "4v", "5"],
        ),
        ("1\n2\n3\n4\n5\x1b[4;2r\nx", ["2", "3", "4", "5", "x"]),  # an impossible region is ignored
        ("1\n2\n3\n4\n5\x1b[2;4r\x1b[!p\x1b[5;1H\nx", ["2", "3", "4", "5", "x"]),
    ],
)
def test_margins(output: str, expected: list[str]) -> None:
    assert shown(output) == expected


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("abc\x1b[\b2\rCx", ["abx"]),  # back and to the start, then two to the right
        ("abc\x1b[\b\x1b[\b\x18x", ["axc"]),  # the sequences are broken off, what was in them isn't
        ("a\x1b[3\n1mb", ["a", "b"]),
        ("a\x1b[\n" + "1" * 255 + "Bc", ["a", "1Bc"]),  # too long a sequence, and text after it
        ("a\x1b[\n" + "1" * 254 + "Bc", ["a", "", "", "", "c"]),
        ("a\x1b[2\x182\bC", ["aC"]),
    ],
)
def test_controls_within_a_sequence_come_before_it(output: str, expected: list[str]) -> None:
    assert shown(output) == expected
    one_by_one = Terminal(20, 5)
    for char in output:
        one_by_one.feed(char)
        one_by_one.screen()
    assert one_by_one.screen() == fed(output, 20, 5).screen()


def test_a_reset_leaves_nothing_of_what_came_before_it() -> None:
    terminal = fed("\x1b[2;3r\x1b[4h1\n2\n\x1bc3\x1b[?1049h4\x1bc5\n6\r7")
    assert terminal.screen()[:3] == ["5", "7", ""]
    assert terminal.line_count == 2
    assert fed("a\nb\x1bc").line_count == 0


def test_a_character_is_repeated_where_a_line_was_wrapped_before_a_wide_one() -> None:
    full = "x" * 20 + "\x1b7\r" + "y" * 19 + "漢"  # its first row is one short
    assert shown(full + "\x1b8\x1b[3b") == shown(full + "\x1b8   ")


def test_what_leaves_a_region_at_the_top_of_the_screen_is_kept() -> None:
    terminal = fed("\x1b[1;3r1\n2\n3\n4\n5\x1b[5;1Hprogress bar", rows=5)
    assert terminal.screen() == ["3", "4", "5", "", "progress bar"]
    assert terminal.tail(60, 8000) == Tail("1\n2\n3\n4\n5\n\nprogress bar")


class TestWrap:
    def test_text_goes_on_in_the_next_row(self) -> None:
        assert shown("abcdefgh", columns=3) == ["abc", "def", "gh"]

    def test_the_last_column_waits_for_the_next_character(self) -> None:
        assert shown("abc\ndef", columns=3) == ["abc", "def"]
        assert shown("abc\rX", columns=3) == ["Xbc"]
        assert shown("abc\bX", columns=3) == ["aXc"]
        assert shown("abc\tX", columns=3) == ["abc", "X"]
        assert shown("abc\x1b[KX", columns=3) == ["abc", "X"]

    def test_movements_give_the_wrap_up(self) -> None:
        # pyte keeps it over vertical movements; xterm, VTE and the VT220 don't.
        assert shown("1\nabc\x1b[AX", columns=3) == ["1 X", "abc"]
        assert shown("abc\x1b[BX", columns=3) == ["abc", "  X"]
        assert shown("abc\x1bDX", columns=3) == ["abc", "  X"]
        assert shown("1\nabc\x1bMX", columns=3) == ["1 X", "abc"]

    def test_save_and_restore_keep_it(self) -> None:
        assert shown("abc\x1b7\r\x1b8X", columns=3) == ["abc", "X"]

    def test_without_autowrap_the_last_column_is_overwritten(self) -> None:
        assert shown("\x1b[?7labcdef\x1b[?7h", columns=3) == ["abf"]
        assert shown("\x1b[?7lab日本c", columns=4) == ["ab c"]

    def test_a_wrapped_line_is_one_line(self) -> None:
        terminal = fed("x" * 250 + "\nnext")
        assert terminal.tail(10, 1000) == Tail("x" * 250 + "\nnext")
        assert terminal.line_count == 2

    def test_blanks_at_the_wrap_are_kept(self) -> None:
        assert fed("ab   cd", columns=3, rows=4).tail(9, 99).text == "ab   cd"

    def test_erasing_the_end_of_a_row_ends_the_line_there(self) -> None:
        assert fed("abcdef\x1b[1;2H\x1b[K", columns=3, rows=4).tail(9, 99).text == "a\ndef"

    def test_a_restored_cursor_may_meet_a_row_that_wrapped_early(self) -> None:
        terminal = fed("\n12345\x1b7\x1b[2;1Habcd日\x1b8Z", columns=5, rows=4)
        assert terminal.screen() == ["", "abcd", "Z", ""]
        assert terminal.tail(9, 99).text == "\nabcd Z"

    @pytest.mark.parametrize("change", ["\x1b[P", "\x1b[@", "\x1b[X"])
    def test_changed_rows_hold_no_stray_line_ends(self, change: str) -> None:
        terminal = fed("aa日本bc\x1b[1;2H" + change + "z", columns=5, rows=4)
        assert all("\n" not in row for row in terminal.screen())


class TestWidths:
    # pyte puts a wide character into the last column, leaves halves standing, and drops the rest of a run after
    # a joiner or a variation selector; so these can't be compared with it.

    def test_wide_characters_take_two_columns(self) -> None:
        assert shown("日本語\x1b[5GX") == ["日本X"]
        assert shown("✅🚀|\r\x1b[4CX") == ["✅🚀X"]
        assert shown("\U0001faff\U00030fff|\x1b[5GX\u0378Y\x1b[7GZ") == [
            "\U0001faff\U00030fffX\u0378Z"
        ]  # unassigned

    def test_a_wide_character_is_not_divided_at_the_edge(self) -> None:
        terminal = fed("abcd日本", columns=5, rows=3)
        assert terminal.screen() == ["abcd", "日本", ""]
        assert terminal.tail(9, 99).text == "abcd日本"

    def test_overwriting_one_half_blanks_the_other(self) -> None:
        assert shown("日本\rX") == ["X 本"]
        assert shown("日本\x1b[2GX") == [" X本"]
        assert shown("日本\x1b[2G\x1b[X") == ["  本"]
        assert shown("日本\x1b[2G\x1b[K") == []
        assert shown("日本\x1b[2G\x1b[P") == [" 本"]
        assert shown("日本\x1b[1;2H\x1b[1K") == ["  本"]
        assert shown("ab日\r\x1b[@", columns=4) == [" ab"]

    def test_marks_join_the_character_before_them(self) -> None:
        assert shown("e\u0301a\u0308\x1b[2GX") == ["e\u0301X"]
        assert shown("e\x1b[1m\u0301!") == ["e\u0301!"]
        assert shown("日\u0301!\x1b[3G?") == ["日\u0301?"]
        assert shown("❤\ufe0f!") == ["❤\ufe0f!"]
        assert shown("\x1b[3C\u0301!") == ["   \u0301!"]

    def test_marks_alone_write_nothing(self) -> None:
        assert shown("日本\x1b[2G\u0301\u200b") == ["日\u0301本"]

    def test_a_mark_without_a_character_is_dropped(self) -> None:
        assert shown("\u0301abc\r\u0301") == ["abc"]

    def test_joined_emoji_stay_joined(self) -> None:
        family = "\U0001f469\u200d\U0001f4bb"
        assert shown(family + "\x1b[5G|") == [family + "|"]

    def test_repeating_takes_the_whole_character(self) -> None:
        assert shown("e\u0301\x1b[2b日\x1b[b") == ["e\u0301" * 3 + "日日"]
        assert shown("日\x1b[2G\x1b[b") == [" 日"]

    def test_a_cell_holds_a_bounded_number_of_marks(self) -> None:
        assert len(fed("e" + "\u0301" * 100_000).tail(1, 10**6).text) == 16

    def test_different_clusters_are_bounded(self) -> None:
        letters = [chr(code) for code in range(0x4E00, 0x4E00 + 150)]
        marks = [chr(code) for code in range(0x300, 0x300 + 70)]
        terminal = fed("".join(letter + mark for letter in letters for mark in marks) + "\ne\u0301 a")
        assert terminal.last_line() == "e a"

    @pytest.mark.parametrize("char", ["\u200b", "\u2028", "\u202e", "\ufeff"])
    def test_invisible_characters_are_dropped(self, char: str) -> None:
        assert shown(f"a{char}b") == ["ab"]

    @pytest.mark.parametrize("char", ["\ud800", "\U00100000", "\U0010ffff"])
    def test_what_is_no_text_is_replaced(self, char: str) -> None:
        assert shown(f"a{char}b") == ["a\ufffdb"]
        assert shown(f"{char}\u0301\n{char}\u0301\u0302b") == ["\ufffd\u0301", "\ufffd\u0301\u0302b"]


class TestStrings:
    def test_titles_links_and_images_are_dropped(self) -> None:
        assert shown("\x1b]0;title\x07a\x1bPq#0~~\x1b\\b\x1b_Gf=1;AA\x1b\\c\x1b^x\x1b\\d\x1bXy\x1b\\e") == [
            "abcde"
        ]
        assert shown("see \x1b]8;;https://a.example\x1b\\the page\x1b]8;;\x1b\\!") == ["see the page!"]

    def test_cancel_ends_a_sequence(self) -> None:
        assert shown("\x1b]0;ti\x18a\x1b[3\x1ab\x1b[\x1b[1mc") == ["abc"]
        assert shown("a\x1b[3\x1b[1mAb\x1b]0;x\x1b[1mc") == ["aAbc"]

    def test_another_escape_starts_anew(self) -> None:
        assert shown("1\n2\x1b[2\n\x1b[31mAX") == ["1", "2", "AX"]

    def test_controls_within_a_sequence_are_carried_out(self) -> None:
        assert shown("1\x1b[\n3CX") == ["1", "   X"]
        assert shown("1\x1b[3\n日") == ["1", "日"]

    def test_an_unterminated_string_ends_with_its_line(self) -> None:
        assert shown("a\x1b]0;never ends\nb") == ["a", "b"]

    @pytest.mark.parametrize("step", [7, 65_536, 200_000])
    @pytest.mark.parametrize("end", ["", "\x07", "\x1b\\"])
    def test_an_unterminated_string_in_an_endless_line_ends_too(self, step: int, end: str) -> None:
        terminal = Terminal(20, 5)
        output = "\x1b]0;" + "-" * 65_534 + end + "text"
        for start in range(0, len(output), step):
            terminal.feed(output[start : start + step])
        assert terminal.screen()[0] == "text"

    def test_a_sequence_that_never_ends_is_given_up(self) -> None:
        assert shown("\x1b[" + "1" * 255 + "234")[0] == "234"
        assert shown("\x1b" + "/" * 255 + "//x")[0] == "//x"

    def test_c1_controls(self) -> None:
        assert shown("\x9b31mred\x9d0;title\x9c\x85next\x90q\x9c\x8dX") == ["red X", "next"]


class TestAlternateScreen:
    @pytest.mark.parametrize("mode", ["1049", "1047", "47"])
    def test_shows_itself_then_the_main_screen_again(self, mode: str) -> None:
        terminal = fed(f"$ vim\n\x1b[?{mode}h\x1b[Htext\n~\n~")
        assert terminal.tail(9, 99) == Tail("text\n~\n~")
        terminal.feed(f"\x1b[?{mode}l")
        assert terminal.tail(9, 99) == Tail("$ vim")

    def test_the_cursor_returns(self) -> None:
        assert shown("ab\x1b[?1049h\n\n\n\x1b[?1049lX") == ["abX"]

    def test_enters_and_leaves_once(self) -> None:
        assert shown("ab\x1b[?1049hxx\x1b[?1049h\x1b[Hy") == ["y"]
        assert shown("ab\x1b[?1049hxx\x1b[?1049h\x1b[?1049l\x1b[?1047lX") == ["abX"]

    def test_has_no_scrollback_to_show(self) -> None:
        terminal = fed("\x1b[?1049h" + "line\n" * 100 + "end", rows=3)
        assert terminal.tail(60, 8000) == Tail("line\nline\nend", hidden=98)

    def test_a_reset_leaves_it(self) -> None:
        assert fed("main\x1b[?1049halt\x1bcX").tail(9, 99) == Tail("X")


@pytest.mark.parametrize(("columns", "rows"), [(1, 10), (10, 0)])
def test_impossible_sizes_are_refused(columns: int, rows: int) -> None:
    with pytest.raises(ValueError, match="no terminal has"):
        Terminal(columns, rows)


def test_the_smallest_terminal_works() -> None:
    assert fed("日本\nab", columns=2, rows=1).tail(9, 99) == Tail("日本\nab")


def test_what_counts_as_plain_needs_no_encoding() -> None:
    plain = [chr(code) for code in range(0xA0, 0x110000) if is_plain(chr(code))]
    assert len(plain) > 5000
    assert [char for char in plain if cells_of(char) != char] == []


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("1\x1b[2C\x1b[3C\b\b\b2\x1b[A\x1b[A3", ["1  23"]),
        ("1\n\n\n2\x1bM\x1bM3\x1bM\x1bM\x1bM\x1bM4", ["  4", "", "", "1", " 3"]),
        ("a\x1bD\x1bD\x1bD\x1bDb\n\n\nc", ["", " b", "", "", "c"]),
        ("abcdef\x1b[1G\x1b[P\x1b[2P\x1b[@\x1b[@x", ["x def"]),
        ("1\n2\n3\x1b[1H\x1b[L\x1b[L\x1b[M", ["", "1", "2", "3"]),
        ("x\x1b[b\x1b[b\x1b[2b", ["xxxxx"]),
        ("ab\r\x1b[Kc\x1b[1G\x1b[2Kd\x1b[2G\x1b[Ke", ["de"]),
    ],
)
def test_controls_in_a_row_each_count(output: str, expected: list[str]) -> None:
    assert shown(output) == expected
    one_by_one = Terminal(20, 5)
    for char in output:
        one_by_one.feed(char)
        assert len(one_by_one.screen()) == 5
    assert one_by_one.screen() == fed(output, 20, 5).screen()


def test_erasing_after_each_colour_leaves_the_text_and_erases_what_was_written_over() -> None:
    lines = "\n" * 9 + "\x1b[1m\x1b[Kgcc:\x1b[m\x1b[K text\r\x1b[Kab\b\x1b[K\nlast\x1b[K\r\n"
    assert shown(lines)[-2:] == ["a", "last"]
