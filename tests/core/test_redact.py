"""Nothing secret gets through, however the stream was cut, and nothing else is touched or delayed."""

import base64
import json
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bot.core.redact import HELD_MOST, MASK, Redactor, Secrets
from bot.core.scanners import KEY_MOST
from bot.core.shapes import OPENINGS

SAMPLES = Path(__file__).parent.parent / "samples"

# Put together here so that no scanner of repositories takes them for real ones.
WORD36 = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6"
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0In0" + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r"
KEY = "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEowIBAAKCAQEA7\nq+/x==\n-----END RSA PRIVATE" + " KEY-----"
TOKENS = {
    "slack bot": "xoxb-" + "123456789012-1234567890123-AbCdEfGh",
    "slack user": "xoxp-" + "123456789012-abcdef",
    "slack old": "xoxa-" + "2-123456789012",
    "slack refresh": "xoxe-" + "1-My0xLTEyMzQ1",
    "slack rotated": "xoxe." + "xoxb-1-MS0yLTEyMzQ1Njc4",
    "slack app": "xapp-" + "1-A0123456789-1234567890123-abcdef0123",
    "slack workflow": "xwfp-" + "123456789012-abcdef",
    "github": "ghp_" + WORD36,
    "github oauth": "gho_" + WORD36,
    "github user": "ghu_" + WORD36,
    "github server": "ghs_" + "1234_" + JWT,
    "github refresh": "ghr_" + WORD36,
    "github fine-grained": "github_pat_" + "11ABCDEFG0" + "_" + WORD36,
    "gitlab": "glpat-" + "aBcDeFgHiJkLmNoPqRsT",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "aws session": "ASIA" + "IOSFODNN7EXAMPLE",
    "anthropic": "sk-ant-" + "api03-aB3_dE6-gH9jK2mN5pQ8",
    "openai": "sk-" + WORD36,
    "openai project": "sk-proj-" + "aB3_dE6-gH9jK2mN5pQ8",
    "openai service": "sk-svcacct-" + "aB3_dE6-gH9jK2mN5pQ8",
    "openai admin": "sk-admin-" + "aB3_dE6-gH9jK2mN5pQ8",
    "openrouter": "sk-or-v1-" + "0123456789abcdef0123",
    "stripe": "sk_live_" + WORD36,
    "stripe restricted": "rk_live_" + WORD36,
    "npm": "npm_" + WORD36,
    "pypi": "pypi-AgEI" + "cHlwaS5vcmcCJDEyMzQ1Njc4",
    "google": "AIza" + "SyA-1234567890abcdefghijklmnopqrstu",
    "jwt": JWT,
    "json in base64": "eyJ" + "hdXRocyI6" * 30,
    "pem in base64": base64.b64encode(KEY.encode()).decode(),
    "pem": KEY,
    "pem of pgp": KEY.replace("RSA", "PGP").replace("KEY-", "KEY BLOCK-"),
    "pem in json": json.dumps(KEY)[1:-1],
}
IN_CONTEXT = {
    "password": ("https://user:", "p%40ss!w:rd", "@host.example/path"),
    "password alone": ("redis://:", "hunter2", "@cache:6379/0"),
    "password with an at": ("https://user:", "p@ss", "@host/"),
    "password with a hash": ("postgres://app:", "s3#cr?t", "@db/x"),
    "user token": ("https://", "0123456789abcdef0123456789abcdef01234567", "@github.com/a/b"),
    "access token": ("https://x-access-token:", "v1.abcdef", "@github.com/a/b.git"),
    "webhook": ("https://hooks.slack.com/", "services/T00000000/B00000000/abcdefABCDEF0123456789ab", " "),
    "aws": ("AWS_SECRET_ACCESS_KEY=", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "\n"),
    "aws config": ("aws_secret_access_key = ", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "\n"),
    "aws json": ('{"SecretAccessKey": "', "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", '"}'),
    "aws camel": ('awsSecretAccessKey:"', "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", '"'),
    "aws session": ('"SessionToken": "', "FwoGZXIvYXdzEBYaDHqa0AP1aBcD/eF+gH==", '",'),
}
HARMLESS = [
    "task-antelope desk-top risk-free-for-all-the-people-in-the-world sk-ip ask-ant-hills-of-the-world-today",
    "sk-learn's sk-estimator-doc-link-label, npm_config_cache=/x npm_lifecycle_event xoxb ghp_ short ghp_abc",
    "Password: ",
    "....................",
    "https://github.com/acme/api/pull/42 http://localhost:3000 http://[::1]:8080/ git@github.com:a/b.git",
    "https://git@github.com/a/b ssh://git@host/x http://host:80?mail=me@example.org http://h#me@x",
    '{"url":"https://host.example","email":"me@example.org"}',
    "mail me@example.org, at 10:30 @noon; a://b c@d",
    "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n---------- -----BEGIN",
    "secret_access_key = ${KEY} and the secret is out; session token: none",
    "eyJhbGciOiJIUzI1NiJ9 eyJ.eyJ.x MAKIAVELLIAN AKIA AKIAshort",
    "\x1b[32m✓\x1b[0m 12 passed — naïve café 日本語 \x00\ud800",
]
KNOWN = ("hunter2-hunter2", "p@ss/w+rd é", "abcdef", "defghi", "abcdefghijklmnop", "-----x-----not-a-key")

ALL = {
    **{name: ("", token, "") for name, token in TOKENS.items()},
    **IN_CONTEXT,
    **{value: ("", value, "") for value in KNOWN[:3]},
}


SECRETS = Secrets(KNOWN)


def in_pieces(text: str, cuts: list[int], secrets: Secrets | None = None) -> str:
    redactor = Redactor(secrets or SECRETS)
    shown = []
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        shown.append(redactor.feed(text[start:end]))
        assert redactor.held <= HELD_MOST
    return "".join(shown) + redactor.flush()


@pytest.mark.parametrize(("before", "secret", "after"), ALL.values(), ids=ALL.keys())
def test_every_kind_is_masked_wherever_a_chunk_ends(before: str, secret: str, after: str) -> None:
    text = f"a {before}{secret}{after} z"
    expected = f"a {before}{MASK}{after} z"
    secrets = SECRETS
    assert secrets.redact(text) == expected
    assert in_pieces(text, list(range(len(text))), secrets) == expected
    for cut in range(len(text)):
        assert in_pieces(text, [cut], secrets) == expected


@pytest.mark.parametrize(("before", "secret", "after"), ALL.values(), ids=ALL.keys())
def test_colours_quotes_and_escapes_next_to_a_token_do_not_hide_it(
    before: str, secret: str, after: str
) -> None:
    redact = SECRETS.redact
    for left, right in (
        ("\x1b[31m", "\x1b[0m"),
        ("\x1b[1;38;2;10;20;30m", "\x1b(B\x1b[m"),
        ("\x1b(B", "\n"),
        ("\\u001b[31m", "\\u001b[0m"),
        ("line\\n", "\\n"),
        ("x%20", "%20"),
        ("token='", "'"),
        ("(", ")"),
        ("--token=", "\r\n"),
        ("日本", "\x00"),
        ("my_", "\n"),
    ):
        shown = redact(f"{left}{before}{secret}{after}{right}")
        assert secret not in shown
        assert shown.startswith(f"{left}{before}{MASK}")


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_is_not_touched(text: str) -> None:
    assert SECRETS.redact(text) == text
    assert in_pieces(text, list(range(len(text)))) == text


@pytest.mark.parametrize(
    "text",
    ["Password: ", "....", "Compiling modules…", "100%|████| 3/3\r", "[y/N] ", "> ", "user:", "see https://"],
)
def test_ordinary_output_is_shown_at_once(text: str) -> None:
    redactor = Redactor(Secrets(KNOWN[:2]))
    assert redactor.feed(text) == text
    assert redactor.held == 0


@pytest.mark.parametrize(
    ("held", "end"),
    [
        ("xox", "\n"),
        ("ghp_0123456789xyz", "."),
        ("https://user:pass", "/"),
        ("https://localhost:3000", " "),
        ("hunter2-", "!"),
        ("-----BEGIN PRIVATE", "!"),
        ("-----", "-----!"),
        ("eyJhbGciOiJIUzI1NiJ9.short", "\n"),
        ("aws_secret_access_key = short", "\n"),
    ],
)
def test_what_ends_the_possibility_releases_the_text(held: str, end: str) -> None:
    redactor = Redactor(SECRETS)
    first = redactor.feed(held)
    assert redactor.held > 0
    assert first + redactor.feed(end) == held + end
    assert redactor.held == 0


def test_only_what_may_become_a_secret_is_held() -> None:
    redactor = Redactor(SECRETS)
    assert redactor.feed("the token is ghp_abc") == "the token is "
    assert redactor.held == len("ghp_abc")


def test_a_mask_does_not_wait_for_the_tokens_end() -> None:
    redactor = Redactor(Secrets())
    assert redactor.feed("x ghp_0123456789abcdef") == f"x {MASK}"
    assert redactor.feed("more of it") == " of it"
    assert redactor.feed("-----BEGIN PRIVATE" + " KEY-----") == MASK
    assert redactor.feed("\nMIIE\n") == ""
    assert redactor.feed("-----END PRIVATE") == ""
    assert redactor.feed(" KEY-----\nnext") == "\nnext"


def test_known_values_are_found_in_every_form() -> None:
    value = 'p@ss/w+"rd é\\x'
    redact = Secrets([value]).redact
    basic = [base64.b64encode(f"{user}:{value}".encode()).decode() for user in ("a", "ab", "abc", "abcd")]
    for form in (
        value,
        json.dumps(value),
        json.dumps(value, ensure_ascii=False),
        quote(value, safe=""),
        quote(value, safe="")
        .replace("%2F", "%2f")
        .replace("%40", "%40")
        .replace("%2B", "%2b")
        .replace("%22", "%22")
        .replace("%5C", "%5c")
        .replace("%C3%A9", "%c3%a9"),
        base64.b64encode(value.encode()).decode(),
        base64.urlsafe_b64encode(value.encode()).decode(),
        *basic,
    ):
        shown = redact(f"<{form}>")
        assert MASK in shown, form
        assert len(shown) <= len(f"<{MASK}>") + 12  # quotes, padding, and the user name's own letters


def test_values_that_overlap_or_extend_each_other_leave_nothing() -> None:
    secrets = SECRETS
    assert secrets.redact("abcdefghi") == MASK
    assert secrets.redact("abcdefabcdef|defghi") == f"{MASK}|{MASK}"
    assert secrets.redact("abcdefghijklmnop abcdefghijklmno") == f"{MASK} {MASK}jklmno"
    assert secrets.redact("abcde defgh") == "abcde defgh"


def test_a_known_value_that_is_only_the_beginning_of_a_token_hides_all_of_it() -> None:
    assert Secrets(["xoxb-1"]).redact("xoxb-123-456-abcdefghi.") == f"{MASK}."


def test_values_that_are_empty_or_short_are_ignored() -> None:
    for values in ((), ("",), ("   ",), ("short",), ("\n\n",)):
        assert Secrets(values).redact("a short text") == "a short text"


def test_long_and_many_lined_values_are_matched_in_pieces() -> None:
    long = "".join(f"{n:04x}" for n in range(200, 455))
    assert len(long) % 256 in range(1, 256)
    secrets = Secrets([long, f"first-line\n  second-line\r\n{'-' * 5}BEGIN X{'-' * 5}"])
    assert secrets.redact(f"<{long}>") == f"<{MASK}>"
    assert in_pieces(f"<{long}>", list(range(0, 900, 7)), secrets) == f"<{MASK}>"
    assert secrets.redact("first-line, second-line") == f"{MASK}, {MASK}"
    assert secrets.redact("-----BEGIN X-----") == "-----BEGIN X-----"


def test_a_long_value_that_ends_just_past_a_piece_is_hidden_to_its_last_letter() -> None:
    long = "".join(chr(ord("a") + n * 7 % 26) for n in range(257)) + "!"
    assert Secrets([long]).redact(f"<{long}>") == f"<{MASK}>"


def test_more_secrets_can_be_added() -> None:
    base = Secrets(["first-secret"])
    more = base.plus(["second-secret"])
    assert more.redact("first-secret second-secret") == f"{MASK} {MASK}"
    assert base.redact("second-secret") == "second-secret"


def test_secrets_do_not_show_themselves() -> None:
    assert "first-secret" not in repr(Secrets(["first-secret"]))


def test_a_key_without_an_end_is_given_up_after_a_while() -> None:
    begin = "-----BEGIN PRIVATE" + " KEY-----"
    body = "x" * KEY_MOST
    assert Secrets().redact(f"{begin}{body}shown") == f"{MASK}shown"
    assert in_pieces(f"{begin}{body}shown", [5, 100, KEY_MOST, KEY_MOST + 28]) == f"{MASK}shown"
    assert Secrets().redact(f"{begin}{body[:-1]}") == MASK
    near = f"{begin}{body[:-3]}-----END PRIVATE KEY-----shown"
    assert Secrets().redact(near) == f"{MASK}shown"
    assert in_pieces(near, list(range(KEY_MOST, KEY_MOST + 60))) == f"{MASK}shown"


def test_an_authority_without_an_end_is_masked() -> None:
    for text, shown in (
        ("https://user:" + "p" * 400 + "/x", f"https://user:{MASK}/x"),
        ("https://" + "t" * 400 + " x", f"https://{MASK} x"),
    ):
        assert Secrets().redact(text) == shown
        assert in_pieces(text, list(range(len(text)))) == shown


def test_a_url_at_the_end_of_the_stream_is_decided_there() -> None:
    redactor = Redactor(Secrets())
    assert redactor.feed("https://user:pw@host") == "https://"
    assert redactor.flush() == f"user:{MASK}@host"


def test_a_redactor_begins_anew_after_a_flush() -> None:
    redactor = Redactor(Secrets())
    assert redactor.feed("-----BEGIN PRIVATE" + " KEY-----abc") == MASK
    assert redactor.flush() == ""
    assert redactor.feed("plain") + redactor.flush() == "plain"


def test_an_account_and_its_password_are_both_masked() -> None:
    text = "sqs://" + TOKENS["aws"] + ":wJalrXUtnFEMI@region/"
    assert Secrets().redact(text) == f"sqs://{MASK}:{MASK}@region/"


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "sk-",
        "eyJ",
        "eyJ.",
        "aeyJ",
        "-----BEGIN ",
        "-----END",
        "http://",
        "://",
        "http://a:b@",
        "-",
        "secret_access_key=",
        "\x1b[",
    ],
)
def test_hostile_repetition_takes_time_and_memory_in_proportion(unit: str) -> None:
    """A quadratic search would need hours for this; the suite's own time limit is the measure."""
    redactor = Redactor(SECRETS)
    text = unit * (200_000 // len(unit))
    for start in range(0, len(text), 4096):
        redactor.feed(text[start : start + 4096])
        assert redactor.held <= HELD_MOST
    redactor.flush()
    assert redactor.held == 0


def test_ordinary_text_hardly_ever_has_a_tokens_opening() -> None:
    """Texts with one are searched for whole tokens, which takes three times as long."""
    assert min(map(len, OPENINGS)) >= 3
    lines = [line for path in SAMPLES.glob("*.raw") for line in path.read_text(encoding="utf-8").splitlines()]
    looked_at = [line for line in lines if any(opening in line.lower() for opening in OPENINGS)]
    assert len(looked_at) < len(lines) / 100


FRAGMENTS = [
    *(token[:at] for token in [*TOKENS.values(), *KNOWN] for at in (3, 7, len(token))),
    *(part for parts in IN_CONTEXT.values() for part in parts),
    *HARMLESS,
    *("://", "@", ":", "/", "-----", "-----BEGIN ", "PRIVATE KEY-----", "-----END X-----", "\x1b[31m", "\\n"),
    *("=", ".", "_", "-", "%", "a", "A", "7", " ", "\n", "é", "x" * 300, "secret_access_key", "eyJ", "sk-"),
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=5)), max_size=12).map("".join)


@settings(max_examples=60, deadline=None)
@given(texts, st.lists(st.integers(0, 5000), max_size=8))
def test_any_cut_gives_what_the_whole_gives(text: str, cuts: list[int]) -> None:
    assert in_pieces(text, cuts) == SECRETS.redact(text)


@settings(max_examples=60, deadline=None)
@given(texts)
def test_one_character_at_a_time_gives_what_the_whole_gives(text: str) -> None:
    assert in_pieces(text, list(range(len(text)))) == SECRETS.redact(text)


@settings(max_examples=60, deadline=None)
@given(texts, st.sampled_from(sorted(TOKENS)), texts)
def test_a_token_between_any_other_texts_is_never_shown(before: str, kind: str, after: str) -> None:
    assume(TOKENS[kind] not in before + after)  # there a word may go on into it
    assert TOKENS[kind] not in SECRETS.redact(f"{before} {TOKENS[kind]} {after}")


@settings(max_examples=60, deadline=None)
@given(texts, st.sampled_from(KNOWN[:5]), texts)
def test_a_known_value_is_never_shown(before: str, value: str, after: str) -> None:
    assert value not in SECRETS.redact(f"{before}{value}{after}")


@settings(max_examples=60, deadline=None)
@given(
    st.text(alphabet="abcdefghijklmnop", max_size=40),
    st.lists(st.text("abc", min_size=6, max_size=9), max_size=5),
)
def test_small_alphabets_make_values_overlap(text: str, values: list[str]) -> None:
    secrets = Secrets(values)
    shown = secrets.redact(text)
    assert in_pieces(text, list(range(len(text))), secrets) == shown
    masked = [any(text.startswith(value, at) for value in values) for at in range(len(text))]
    assert (MASK in shown) == any(masked)
