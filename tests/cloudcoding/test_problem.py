import json

import pytest

from bot.cloudcoding.problem import problem_in, problem_text, shortened


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("  words ", "words"),
        ({"detail": "no such repository"}, "no such repository"),
        ({"error": "Not Found", "message": "No such branch", "status": 404}, "Not Found: No such branch"),
        ({"error": "same", "message": "same"}, "same"),
        ({"error": {"message": "inner"}}, "inner"),
        ({"error": True, "message": "x"}, "x"),
        (
            {"detail": [{"loc": ["body"], "msg": "Field required"}, {"msg": "Too long"}]},
            "Field required; Too long",
        ),
        ([{"msg": str(n)} for n in range(100)], "; ".join(map(str, range(20)))),
        (None, ""),
        (7, ""),
        ({}, ""),
    ],
)
def test_words_are_found_in_common_shapes(value: object, text: str) -> None:
    assert problem_text(value) == text


def test_endless_nesting_is_bounded() -> None:
    value: object = "words"
    for _ in range(500):
        value = {"error": value}
    assert problem_text(value) == ""


def test_a_body_that_was_cut_off_still_has_its_first_words() -> None:
    body = json.dumps({"detail": [{"loc": ["body"], "msg": 'say "please"', "input": "x" * 1000}]}).encode()
    assert problem_in(body[:500], plain=False) == 'say "please"'
    assert problem_in(body[:30], plain=False) == ""


def test_other_bodies() -> None:
    assert problem_in(b" No credit left \n", plain=True) == "No credit left"
    assert problem_in(b"<html>oops</html>", plain=False) == ""
    assert problem_in(b"", plain=False) == ""
    assert problem_in(b"[" * 60_000, plain=False) == ""
    assert problem_in(b'{"message": "\\q"', plain=False) == ""
    assert problem_in(b'{"message": "\xff"', plain=False) == ""


def test_shortened() -> None:
    assert shortened("abc", 3) == "abc"
    assert shortened("ab cd", 4) == "ab…"
