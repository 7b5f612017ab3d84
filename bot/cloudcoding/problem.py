"""The service's own words for what went wrong, out of whatever JSON it wrapped them in."""

import json
import re

_KEYS = ("detail", "error", "message", "msg")
_DEEPEST = 6
_MOST_ITEMS = 20


# The first string under one of the keys: validation errors quote their input, and so may be too long to be read whole.
_FIRST_WORDS = re.compile(rb'"(?:detail|error|message|msg)"\s*:\s*("(?:[^"\\]|\\.)*")')


def problem_in(body: bytes, *, plain: bool) -> str:
    """The words in a response's body, which may have been cut off; ``plain`` where it is text for people."""
    try:
        return problem_text(json.loads(body))
    except (ValueError, RecursionError):
        pass
    if plain:
        return body.decode(errors="replace").strip()
    found = _FIRST_WORDS.search(body)
    try:
        return problem_text(json.loads(found[1])) if found else ""
    except ValueError:
        return ""


def problem_text(value: object, depth: int = 0) -> str:
    """The words in ``value``, a parsed JSON value; empty where there are none.

    A string speaks for itself; an object by its ``detail``, ``error``, ``message`` and ``msg`` (FastAPI's, Node's and
    most others' habits), a list by its items, such as FastAPI's list of validation errors.
    """
    if isinstance(value, str):
        return value.strip()
    if depth >= _DEEPEST:
        return ""
    if isinstance(value, dict):
        texts = [problem_text(value[key], depth + 1) for key in _KEYS if key in value]
        return ": ".join(dict.fromkeys(filter(None, texts)))
    if isinstance(value, list):
        texts = [problem_text(item, depth + 1) for item in value[:_MOST_ITEMS]]
        return "; ".join(dict.fromkeys(filter(None, texts)))
    return ""


def shortened(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` characters, with an ellipsis where something was cut off."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
