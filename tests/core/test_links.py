import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.links import LinkFinder
from bot.model import Link

WEB = "https://github.com/acme/web/pull/"
API = "https://github.com/acme/api/pull/"


def found(*pieces: str, repo: str | None = "acme/web", host: str = "github.com") -> list[Link]:
    finder = LinkFinder(repo, host)
    for piece in pieces:
        finder.feed(piece)
    finder.flush()
    return list(finder.found())


@pytest.mark.parametrize(
    "text",
    [
        f"{WEB}42",
        f"see {WEB}42.",
        f"see [the PR]({WEB}42), please",
        f"**{WEB}42**",
        f"<{WEB}42|PR>",
        f"{WEB}42/files#diff-1",
        f"{WEB}42#issuecomment-7",
        f"{WEB}42?w=1",
        f"{WEB}42/",
        f"\x1b[1;34m{WEB}42\x1b[0m",
        f"\x1b]8;;{WEB}42\x1b\\PR\x1b]8;;\x1b\\",
        "http://www.github.com/acme/web/pull/42",
        f"{WEB}42 {WEB}42/commits https://github.com/ACME/web/pull/42",
    ],
)
def test_a_pull_request_is_found_and_named(text: str) -> None:
    assert found(text) == [Link("View PR #42", f"{WEB}42")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://github.com/acme/web/pull/new/fix",
        "https://github.com/acme/web/pull/42abc",
        "https://github.com/acme/web/pull/0",
        "https://github.com/acme/web/pull/12345678901",
        "https://github.com/acme/web/issues/42",
        "https://github.com/acme/pull/42",
        "https://github.com.evil.org/acme/web/pull/42",
        "https://gitlab.com/acme/web/pull/42",
        "https://githubXcom/acme/web/pull/42",
        f"https://github.com/{'a' * 40}/web/pull/42",
        "github.com/acme/web/pull/42",
    ],
)
def test_other_addresses_are_not(text: str) -> None:
    assert found(text) == []


def test_another_host() -> None:
    url = "https://git.acme.com/acme/web/pull/7"
    assert found(f"{url} {WEB}42", host="git.acme.com") == [Link("View PR #7", url)]


def test_the_own_repository_comes_first_in_the_order_found() -> None:
    assert [link.url for link in found(f"{API}1 {WEB}9 {API}2 {WEB}3 {API}1")] == [
        f"{WEB}9",
        f"{WEB}3",
        f"{API}1",
        f"{API}2",
    ]


def test_at_most_five_and_own_ones_win() -> None:
    text = " ".join([*(f"{API}{n}" for n in range(1, 9)), *(f"{WEB}{n}" for n in range(11, 15))])
    assert [link.label for link in found(text)] == [f"View PR #{n}" for n in (11, 12, 13, 14, 1)]
    assert len(found(text, repo=None)) == 5


def test_equal_numbers_of_two_repositories_are_told_apart() -> None:
    text = f"{API}42 {WEB}42 {API}7"
    assert [link.label for link in found(text, repo="Acme/Web")] == [
        "View PR #42",
        "View PR #42 (acme/api)",
        "View PR #7",
    ]
    assert [link.label for link in found(text, repo=None)] == [
        "View PR #42 (acme/api)",
        "View PR #42 (acme/web)",
        "View PR #7",
    ]


def test_a_number_counts_only_once_it_has_ended() -> None:
    finder = LinkFinder("acme/web")
    finder.feed(f"{WEB}4")
    assert finder.found() == ()
    finder.feed("")
    finder.feed("2")
    assert finder.found() == ()
    finder.feed("\n1")
    assert [link.label for link in finder.found()] == ["View PR #42"]
    finder.flush()
    assert len(finder.found()) == 1


PIECES = st.lists(
    st.sampled_from(
        [WEB, API, "https://", "github.com/", "/pull/", "4", "2", "17", "x", " ", "\n", ")", "\x1b[0m"]
    )
).map("".join)


@given(PIECES, st.lists(st.integers(0, 400)))
def test_where_the_stream_is_cut_makes_no_difference(text: str, cuts: list[int]) -> None:
    edges = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert found(*pieces) == found(text) == found(*text)


def test_the_longest_address_is_found_however_it_is_cut() -> None:
    url = f"https://github.com/{'o' * 39}/{'n' * 100}/pull/1234567890"
    typed = url.replace("https://", "https://www.")
    assert [link.url for link in found(*f"{'x' * 500}{typed}")] == [url]


def test_memory_stays_bounded() -> None:
    finder = LinkFinder("acme/web")
    for number in range(1, 2_000):
        finder.feed(f"{'/pull/' * 50}{WEB}{number} {API}{number}")
    assert len(finder._carry) < 300
    assert len(finder._own) + len(finder._others) == 10
