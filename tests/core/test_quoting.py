import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.quoting import THREAD_CHARS, THREAD_MESSAGES, Said, file, thread, unread, with_context


def test_the_prompt_comes_first_and_unchanged() -> None:
    assert with_context("fix it", ["", "below"]) == "fix it\n\nbelow"
    assert with_context(" fix\nit ", []) == " fix\nit "


def test_a_thread_is_quoted_line_by_line() -> None:
    quoted = thread([Said("ann", "it fails\nevery time"), Said("ben", "since monday")])
    assert quoted.endswith("\n> ann: it fails\n> every time\n> ben: since monday")
    assert thread([]) == ""


def test_the_newest_messages_are_kept() -> None:
    quoted = thread([Said("ann", f"message {number}") for number in range(80)])
    assert "> ann: message 79" in quoted
    assert f"> ann: message {80 - THREAD_MESSAGES}\n" in quoted
    assert f"message {79 - THREAD_MESSAGES}\n" not in quoted
    assert "(30 earlier ones left out)" in quoted


@given(st.lists(st.builds(Said, st.text(max_size=100), st.text(max_size=9_000)), max_size=8))
def test_a_quotation_is_bounded_and_every_line_of_it_marked(messages: list[Said]) -> None:
    quoted = thread(messages)
    if messages:
        heading, *lines = quoted.split("\n")
        assert heading.startswith("For context")
        assert all(line.startswith("> ") for line in lines)
        assert sum(len(line) - 1 for line in lines) <= THREAD_CHARS + len(lines) + 1


def test_one_endless_message_is_shortened() -> None:
    quoted = thread([Said("ann", "x" * 50_000)])
    assert THREAD_CHARS <= len(quoted) < THREAD_CHARS + 200
    assert quoted.endswith("…")


def test_a_file_is_fenced_by_what_it_does_not_contain() -> None:
    assert file("a.md", b"see\n```\ncode\n```\n") == (
        "Attached file 'a.md':\n````\nsee\n```\ncode\n```\n````"
    )


@pytest.mark.parametrize("content", [b"\x00\x01", b"\xff\xfe\xfa"])
def test_what_is_not_text_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the reason is the decoder's
        file("a.bin", content)


def test_what_is_left_out_is_said() -> None:
    assert unread("a.png", "it is an image", "https://files.slack.com/a.png") == (
        "Attached file 'a.png' is not included: it is an image. "
        "It is at https://files.slack.com/a.png, for which Slack asks to sign in."
    )
