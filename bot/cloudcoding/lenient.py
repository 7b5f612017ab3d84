"""JSON as servers write it: now and then within a string once more, or with half a surrogate pair."""

import re
from typing import Any

import msgspec

# A surrogate pair, a surrogate on its own, or any other escape sequence of JSON.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w|(u[dD][89a-fA-F]\w\w)|.)", re.DOTALL)


class UnreadableError(Exception):
    """Data that is no JSON; the message says why in our own words."""


def unwrapped(value: Any) -> Any:
    """``value``, or the JSON that it is the text of: some servers encode twice."""
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return parsed(value.encode())
        except (UnreadableError, UnicodeEncodeError):
            return value
    return value


def parsed(data: bytes) -> Any:
    """The value that ``data`` is the JSON of; else :class:`UnreadableError`."""
    try:
        return msgspec.json.decode(data)
    except UnicodeDecodeError:
        raise UnreadableError("not UTF-8") from None
    except RecursionError:
        raise UnreadableError("nested too deeply") from None
    except (msgspec.MsgspecError, ValueError):
        return _parsed_leniently(data)


def _parsed_leniently(data: bytes) -> Any:
    """Half a surrogate pair is no reason to lose output: JavaScript makes them by cutting a text within an emoji."""
    repaired = _ESCAPE.sub(lambda found: rb"\ufffd" if found[1] else found[0], data)
    if repaired != data:
        try:
            return msgspec.json.decode(repaired)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
    raise UnreadableError("not JSON")
