import pytest

from bot.core.terminal import Tail, Terminal
from tests.core.terminals import fed


class TestTail:
    def test_of_nothing(self) -> None:
        assert Terminal().tail(30, 2500) == Tail("")
        assert Terminal().last_line() == ""
        assert fed(" \n\t\n  \r\n").tail(30, 2500) == Tail("")

    def test_trailing_blank_lines_are_dropped(self) -> None:
        terminal = fed("a\n\nb   \n\n \n")
        assert terminal.tail(30, 2500) == Tail("a\n\nb")
        assert terminal.line_count == 3
        assert terminal.last_line() == "b"

    def test_as_many_lines_as_fit(self) -> None:
        terminal = fed("".join(f"line {number}\n" for number in range(100)))
        assert terminal.tail(2, 2500) == Tail("line 98\nline 99", hidden=98)
        assert terminal.tail(30, 15) == Tail("line 98\nline 99", hidden=98)
        assert terminal.tail(30, 14) == Tail("line 99", hidden=99)
        assert terminal.tail(30, 5) == Tail("l … 9", hidden=99, cut=True)
        assert terminal.tail(30, 2) == Tail("li", hidden=99, cut=True)
        assert terminal.tail(0, 99) == terminal.tail(9, 0) == Tail("", hidden=100)

    def test_a_long_line_among_others_is_cut_in_the_middle(self) -> None:
        tail = fed("first\n" + "a" * 1000 + "b" * 1000 + "\nlast").tail(30, 2500)
        assert tail == Tail("first\n" + "a" * 199 + " … " + "b" * 198 + "\nlast", cut=True)

    def test_a_long_line_alone_may_fill_the_room(self) -> None:
        line = "a" * 1000 + "b" * 1000
        assert fed(line).tail(30, 2500) == Tail(line)
        assert fed("x\n" + line).tail(1, 2500) == Tail(line, hidden=1)
        assert fed("x" * 399 + "\n" + line).tail(30, 503) == Tail(
            "a" * 250 + " … " + "b" * 250, hidden=1, cut=True
        )

    def test_a_line_longer_than_the_memory_keeps_both_ends(self) -> None:
        terminal = fed("before\n" + "{start" + "x" * 1_000_000 + "end}")
        assert terminal.line_count == 2
        tail = terminal.tail(30, 2500)
        assert (tail.text[:6], tail.text[-4:], tail.hidden, tail.cut) == ("{start", "end}", 1, True)
        assert len(tail.text) == 2500
        assert terminal.tail(30, 10**6).cut
        assert terminal.last_line().startswith("{start")

    def test_the_count_goes_on_where_lines_are_no_longer_held(self) -> None:
        terminal = fed("".join(f"{number}\n" for number in range(100_000)))
        assert terminal.line_count == 100_000
        assert terminal.tail(2, 99) == Tail("99998\n99999", hidden=99_998)
        terminal.feed("\n" * 50_000)
        assert terminal.line_count == 100_000
        assert terminal.tail(2, 99) == Tail("", hidden=100_000)
        terminal.feed("end")
        assert terminal.line_count == 150_001

    @pytest.mark.parametrize(
        ("output", "count"),
        [
            ("a\n" * 1000 + "\n" * 1000, 1050),
            ("a\n" * 1000 + "b\r \n" + "\n" * 1000, 1050),  # the last one is blank in the end
            ("a\n" * 1000 + " \t\r\n" * 1000 + "é\n" + "\n" * 1000, 2051),
            ("a\vb\fc\n" * 1000 + "d\n" * 1000, 4050),
            ("a\r\n" * 1000 + "b\n", 1051),
            ("x" * 100_000 + "\n" + "\n" * 1000 + "y", 1052),
        ],
    )
    def test_lines_that_only_scroll_through_are_counted_all_the_same(self, output: str, count: int) -> None:
        terminal = fed("\n" * 50)  # at the bottom every line feed scrolls
        terminal.feed(output)
        assert terminal.line_count == count

    def test_clearing_the_scrollback_forgets_it(self) -> None:
        terminal = fed("old\n" * 1000 + "\x1b[H\x1b[2J\x1b[3Jnew")
        assert terminal.tail(9, 99) == Tail("new")
