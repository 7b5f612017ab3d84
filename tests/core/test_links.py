import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.links import LinkFinder
from bot.model import Link

WEB = "https://github.com/acme/web/"
API = "https://github.com/acme/api/"
SHA = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"


def found(*pieces: str, repo: str | None = "acme/web", host: str = "github.com") -> list[Link]:
    finder = LinkFinder(repo, host)
    for piece in pieces:
        finder.feed(piece)
    finder.flush()
    return list(finder.found())


def labels(*pieces: str, repo: str | None = "acme/web", host: str = "github.com") -> list[str]:
    return [link.label for link in found(*pieces, repo=repo, host=host)]


@pytest.mark.parametrize(
    "text",
    [
        f"{WEB}pull/42",
        f"see {WEB}pull/42.",
        f"see [the PR]({WEB}pull/42), please",
        f"**{WEB}pull/42**",
        f"<{WEB}pull/42|PR>",
        f"{WEB}pull/42/files#diff-1",
        f"{WEB}pull/42/commits/{SHA}",
        f"{WEB}pull/42#issuecomment-7",
        f"{WEB}pull/42?w=1",
        f"{WEB}pull/42/",
        f"https://example.org/?to={WEB}pull/42",
        f"see{WEB}pull/42を",
        "http://www.github.com/acme/web/pull/42",
        "https://GitHub.com/acme/web/pull/42",
        f"{WEB}pull/42 {WEB}pull/42/commits https://github.com/ACME/web/pull/42",
    ],
)
def test_a_pull_request_is_found_and_named(text: str) -> None:
    assert found(text) == [Link("View PR #42", f"{WEB}pull/42")]


@pytest.mark.parametrize(
    ("text", "link"),
    [
        (f"{WEB}commit/{SHA}.", Link("View commit 1a2b3c4", f"{WEB}commit/{SHA}")),
        (f"{WEB}commit/1A2B3C4#diff", Link("View commit 1a2b3c4", f"{WEB}commit/1a2b3c4")),
        (f"{WEB}tree/{SHA}", Link("View commit 1a2b3c4", f"{WEB}commit/{SHA}")),
        (f"{WEB}tree/fix", Link("View branch fix", f"{WEB}tree/fix")),
        (f"({WEB}tree/feat/log-in_2.0).", Link("View branch feat/log-in_2.0", f"{WEB}tree/feat/log-in_2.0")),
        (f"{WEB}tree/fix%2342/?x", Link("View branch fix#42", f"{WEB}tree/fix%2342")),
        (f"{WEB}tree/fix-%C3%BC", Link("View branch fix-ü", f"{WEB}tree/fix-%C3%BC")),
        (f"{WEB}tree/main", Link("View branch main", f"{WEB}tree/main")),
        (f"remote:      {WEB}pull/new/a/b \n", Link("Create PR for a/b", f"{WEB}pull/new/a/b")),
        (f"{WEB}compare/main...fix?expand=1", Link("Create PR for fix", f"{WEB}pull/new/fix")),
        (f"{WEB}compare/v1.2...fix?a=b&expand=1.", Link("Create PR for fix", f"{WEB}pull/new/fix")),
        (f"{WEB}compare/fix?expand=1", Link("Create PR for fix", f"{WEB}pull/new/fix")),
        (f"{WEB}deployments", Link("View deployments", f"{WEB}deployments")),
        (f"{WEB}deployments/activity_log?x=1", Link("View deployments", f"{WEB}deployments")),
        (f"{WEB}deployments/live", Link("View deployment live", f"{WEB}deployments/live")),
        (
            f"{WEB}deployments/Preview%20%28a%29",
            Link("View deployment Preview (a)", f"{WEB}deployments/Preview%20%28a%29"),
        ),
        (
            "http://Web-x1.vercel.app/a?t=1",
            Link("View deployment web-x1.vercel.app", "https://web-x1.vercel.app/"),
        ),
        ("**https://a-uc.a.run.app**", Link("View deployment a-uc.a.run.app", "https://a-uc.a.run.app/")),
        (
            "at https://pr-4--web.netlify.app: ok",
            Link("View deployment pr-4--web.netlify.app", "https://pr-4--web.netlify.app/"),
        ),
        (
            "https://acme.github.io/Web/guide",
            Link("View deployment acme.github.io/web", "https://acme.github.io/web/"),
        ),
    ],
)
def test_other_things_are_found_and_named(text: str, link: Link) -> None:
    assert found(text) == [link]
    assert found(link.url) == [link]  # what a button opens leads to the same button


def test_the_site_of_a_repository_of_pages() -> None:
    link = Link("View deployment acme.github.io", "https://acme.github.io/")
    assert found("https://acme.github.io/docs/", repo="acme/acme.github.io") == [link]


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{WEB}pull/42abc",
        f"{WEB}pull/0",
        f"{WEB}pull/12345678901",
        f"{WEB}pull/4[redacted]",
        f"{WEB}pull/42?{'x' * 600}",
        f"{WEB}issues/42",
        f"{WEB}blob/main/README.md",
        f"{WEB}actions/runs/42",
        "https://github.com/acme/pull/42",
        "https://github.com/acme/../pull/42",
        "https://github.com.evil.org/acme/web/pull/42",
        "https://github.com@evil.org/acme/web/pull/42",
        "https://me:pw@github.com/acme/web/pull/42",
        "https://github.com:8443/acme/web/pull/42",
        "https://gitlab.com/acme/web/pull/42",
        "https://githubXcom/acme/web/pull/42",
        f"https://github.com/{'a' * 40}/web/pull/42",
        "github.com/acme/web/pull/42",
        f"{WEB}commit/abc123",
        f"{WEB}commit/abc1234g",
        f"{WEB}commit/abc1234[redacted]",
        f"{WEB}commit/{SHA}0",
        f"{WEB}commits/main",
        f"{WEB}tree/{SHA}/src",
        f"{WEB}tree/main/src",
        f"{WEB}tree/HEAD",
        f"{WEB}tree/,.",
        f"{WEB}tree/fix-[redacted]",
        f"{WEB}tree/fix-é",
        f"{WEB}tree/fix..x",
        f"{WEB}tree/.fix",
        f"{WEB}tree/fix.lock",
        f"{WEB}tree/fix%00",
        f"{WEB}tree/fix%20now",
        f"{WEB}tree/fix%E2%80%AExif",
        f"{WEB}tree/fix%FF",
        f"{WEB}tree/{'x' * 300}",
        f"{WEB}compare/v1.0...v1.1",
        f"{WEB}compare/main...fix",
        f"{WEB}deployments/%0A",
        "https://vercel.app/x",
        "https://a.b.run.app/",
        "https://acme.vercel.app.evil.org/",
        "https://acme.vercel.app@evil.org/",
        "https://acme.vercel.app:8080/",
        "https://me@acme.vercel.app/",
        "https://xn--acme-zxa.vercel.app/",
        "https://acme_web.vercel.app/",
        "https://-acme.vercel.app/",
        "https://acme.vercel.appé.org/",
        "https://[redacted].vercel.app/",
        "https://acme-[redacted].vercel.app/",
        "https://acmevercel.app/",
        "https://other.github.io/web/",
        "https://evilacme.github.io/web/",
        "https://acme.github.io/api/",
        "https://acme.github.io/web[redacted]",
    ],
)
def test_other_addresses_are_not(text: str) -> None:
    assert found(text) == []


def test_pages_are_nobodys_without_a_repository() -> None:
    assert found("https://.github.io/ https://acme.github.io/web/", repo=None) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"\x1b[1;34m{WEB}pull/42\x1b[0m", "View PR #42"),
        (f"{WEB}pull/\x1b[1m42\x1b[22m/\x1b[39m", "View PR #42"),  # parts in colours of their own
        ("https://github.com/acme/\x1b[01;31m\x1b[Kweb\x1b[m\x1b[K/tree/fix", "View branch fix"),  # grep
        ("https://\x1b[1mweb.vercel.app\x1b[22m/", "View deployment web.vercel.app"),
        (f"\x1b]8;;{WEB}pull/42\x1b\\PR\x1b]8;;\x1b\\", "View PR #42"),
        (f"\x1b]8;id=1;{WEB}tree/fix\x07the branch\x1b]8;;\x07", "View branch fix"),
        (
            f"\x1b]8;;{WEB}commit/abc1234\x1b\\\x1b[4m{WEB}commit/abc1234\x1b[0m\x1b]8;;\x1b\\",
            "View commit abc1234",
        ),
        (f"{WEB}tree/fix\x1b(B\x1b[m", "View branch fix"),
        (f"{WEB}tree/fix\x1b[2K", "View branch fix"),
        (f"{WEB}tree/fix\x1b[", "View branch fix"),
    ],
)
def test_escape_sequences_stand_around_and_inside_addresses(text: str, expected: str) -> None:
    assert labels(text) == labels(*text) == [expected]


def test_an_enterprises_own_host_comes_first_and_the_other_one_is_named() -> None:
    url = "https://git.acme.com:8443/acme/web/pull/7"
    assert found(f"{WEB}pull/42 {url}", host="git.acme.com:8443") == [
        Link("View PR #7", url),
        Link("View PR #42 (github.com/acme/web)", f"{WEB}pull/42"),
    ]


def test_the_own_repository_comes_first_in_the_order_found() -> None:
    text = f"{API}pull/1 {WEB}pull/9 {API}pull/2 {WEB}pull/3 {API}pull/1"
    assert [link.url for link in found(text)] == [
        f"{WEB}pull/9",
        f"{WEB}pull/3",
        f"{API}pull/1",
        f"{API}pull/2",
    ]


def test_pull_requests_first_and_the_own_repository_before_others() -> None:
    text = f"{API}pull/1 {API}commit/aaaaaaa {WEB}commit/bbbbbbb {WEB}tree/fix https://web.vercel.app {WEB}pull/9"
    assert labels(text) == [
        "View PR #9",
        "View deployment web.vercel.app",
        "View branch fix",
        "View commit bbbbbbb",
        "View PR #1",
    ]


def test_at_most_five_and_own_ones_win() -> None:
    text = " ".join([*(f"{API}pull/{n}" for n in range(1, 9)), *(f"{WEB}pull/{n}" for n in range(11, 15))])
    assert labels(text) == [f"View PR #{n}" for n in (11, 12, 13, 14, 1)]
    assert len(found(text, repo=None)) == 5


def test_a_pull_request_is_never_crowded_out() -> None:
    noise = " ".join(
        f"{WEB}commit/{n:07x} {WEB}tree/b{n} https://w{n}.fly.dev {WEB}deployments" for n in range(500)
    )
    assert labels(f"{noise} {API}pull/7")[-1] == "View PR #7"
    assert labels(f"{noise} {WEB}pull/7")[0] == "View PR #7"
    assert labels(f"{noise} {WEB}pull/7").count("View commit 0000000") == 0
    assert len(found(noise)) == 4


def test_a_pull_request_is_not_offered_where_there_is_one() -> None:
    assert labels(f"{WEB}pull/new/fix {API}pull/3") == ["Create PR for fix", "View PR #3"]
    assert labels(f"{WEB}pull/new/fix {WEB}pull/3") == ["View PR #3"]


def test_two_forms_of_one_thing_are_one() -> None:
    short, long = f"{WEB}commit/{SHA[:7]}", f"{WEB}commit/{SHA}"
    assert found(f"{short} {long}") == found(f"{long} {short}") == [Link("View commit 1a2b3c4", long)]
    assert labels(f"{WEB}tree/fix/a {WEB}tree/fix/b {WEB}tree/fix") == ["View branch fix"]
    assert labels(f"{WEB}tree/fix {WEB}tree/fix/a") == ["View branch fix"]
    assert labels(f"{WEB}tree/fix {WEB}tree/fixes") == ["View branch fix", "View branch fixes"]
    assert len(found("https://a.fly.dev/x https://A.fly.dev/y")) == 1


def test_equal_labels_of_two_repositories_are_told_apart() -> None:
    text = f"{API}pull/42 {WEB}pull/42 {API}pull/7"
    assert labels(text, repo="Acme/Web") == ["View PR #42", "View PR #42 (acme/api)", "View PR #7"]
    assert labels(text, repo=None) == ["View PR #42 (acme/api)", "View PR #42 (acme/web)", "View PR #7"]
    assert labels(f"{WEB}tree/fix {API}tree/fix") == ["View branch fix", "View branch fix (acme/api)"]


def test_labels_fit_a_button_and_show_both_ends() -> None:
    for url in (f"{WEB}tree/{'a' * 200}-end", f"https://{'a' * 60}.{'b' * 50}.vercel.app"):
        (label,) = labels(url)
        assert len(label) == 75
        assert label.endswith(("-end", "bb.vercel.app"))


def test_long_labels_still_say_which_repository() -> None:
    name = "x" * 100
    other = f"https://github.com/{'o' * 39}/{'n' * 90}-end"
    own, others = labels(f"{WEB}tree/{name} {other}/tree/{name}")
    assert len(own) == len(others) == 75
    assert others.endswith("-end)")


def test_a_number_counts_only_once_it_has_ended() -> None:
    finder = LinkFinder("acme/web")
    finder.feed(f"{WEB}pull/4")
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
        [
            *(
                WEB,
                API,
                "https://",
                "github.com/",
                "pull/",
                "commit/abc1234",
                "tree/",
                "pull/new/",
                "4",
                "2",
                "17",
            ),
            *("x", "h", "/", ".", " ", "\n", ")", "[", "é", "?expand=1", "compare/", "https://a.fly.dev"),
            *("\x1b[0m", "\x1b[", "\x1b", "\x1b]8;;", "\x1b\\", "m", "x" * 400, "h" * 300),
        ]
    )
).map("".join)


@given(PIECES, st.lists(st.integers(0, 1_000)))
def test_where_the_stream_is_cut_makes_no_difference(text: str, cuts: list[int]) -> None:
    edges = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    pieces = [text[start:end] for start, end in itertools.pairwise(edges)]
    assert found(*pieces) == found(text) == found(*text)


@given(PIECES)
def test_every_button_is_of_use(text: str) -> None:
    for link in found(text):
        assert len(link.label) <= 75
        assert link.url.startswith("https://")
        assert link.url.isascii()
        assert [again.url for again in found(link.url)] == [link.url]


@pytest.mark.parametrize("extra", range(-2, 12))
def test_an_address_of_about_the_longest_length_is_the_same_however_it_is_cut(extra: int) -> None:
    text = f"{WEB}pull/42?".ljust(512 + extra, "x") + f"{API}pull/7"
    assert found(*text) == found(text)
    assert ("View PR #42" in labels(text)) is (extra <= 0)


def test_memory_stays_bounded() -> None:
    finder = LinkFinder("acme/web")
    for number in range(1, 2_000):
        finder.feed(
            f"{'/pull/' * 50}{WEB}pull/{number} {API}tree/b{number} {WEB}commit/{number:07x} https://{'h' * 900}"
        )
        assert len(finder._carry) < 600
    assert sum(map(len, finder._kept.values())) == 9
