"""Rules that say what is wrong with a JSON value in Slack's own words: ``problem [json-pointer:/blocks/0/text]``."""

from collections.abc import Callable, Mapping, Sequence

Problems = list[str]
Rule = Callable[[object, str, Problems], None]


def _say(problems: Problems, words: str, pointer: str) -> None:
    problems.append(f"{words} [json-pointer:{pointer}]")


def string(maximum: int, minimum: int = 1) -> Rule:
    """A string of ``minimum`` to ``maximum`` characters."""

    def check(value: object, pointer: str, problems: Problems) -> None:
        if not isinstance(value, str):
            _say(problems, "must provide a string", pointer)
        elif len(value) > maximum:
            _say(problems, f"must be less than {maximum + 1} characters", pointer)
        elif len(value) < minimum:
            _say(problems, f"must be more than {minimum - 1} characters", pointer)

    return check


def url(maximum: int = 3000) -> Rule:
    """A web address (``mailto:`` too)."""
    length = string(maximum)

    def check(value: object, pointer: str, problems: Problems) -> None:
        length(value, pointer, problems)
        if isinstance(value, str) and not value.startswith(("http://", "https://", "mailto:", "slack://")):
            _say(problems, "must be a valid URL", pointer)

    return check


def boolean(value: object, pointer: str, problems: Problems) -> None:
    """``true`` or ``false``."""
    if not isinstance(value, bool):
        _say(problems, "must provide a boolean", pointer)


def integer(minimum: int, maximum: int) -> Rule:
    """A whole number between the two."""

    def check(value: object, pointer: str, problems: Problems) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            _say(problems, "must provide a number", pointer)
        elif not minimum <= value <= maximum:
            _say(problems, f"must be between {minimum} and {maximum}", pointer)

    return check


def choice(*values: str) -> Rule:
    """One of some strings."""

    def check(value: object, pointer: str, problems: Problems) -> None:
        if value not in values:
            _say(problems, "must be a valid enum value", pointer)

    return check


def items(rule: Rule, maximum: int, minimum: int = 1) -> Rule:
    """A list of ``minimum`` to ``maximum`` things that each follow ``rule``."""

    def check(value: object, pointer: str, problems: Problems) -> None:
        if not isinstance(value, list):
            _say(problems, "must provide an array", pointer)
            return
        if len(value) > maximum:
            _say(problems, f"no more than {maximum} items allowed", pointer)
        if len(value) < minimum:
            _say(problems, f"no fewer than {minimum} items allowed", pointer)
        for index, item in enumerate(value):
            rule(item, f"{pointer}/{index}", problems)

    return check


def record(
    required: Mapping[str, Rule], optional: Mapping[str, Rule] | None = None, *, kind: str = ""
) -> Rule:
    """An object with these keys and no others; ``kind`` is its ``type``, where it has a fixed one."""
    rules = {**required, **(optional or {}), **({"type": choice(kind)} if kind else {})}
    needed: Sequence[str] = [*(["type"] if kind else []), *required]

    def check(value: object, pointer: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            _say(problems, "must provide an object", pointer)
            return
        for key in needed:
            if key not in value:
                _say(problems, f"missing required field: {key}", pointer)
        for key, item in value.items():
            if key in rules:
                rules[key](item, f"{pointer}/{key}", problems)
            else:
                _say(problems, f"invalid additional property: {key}", pointer)

    return check


def tagged(rules: Mapping[str, Rule]) -> Rule:
    """An object whose ``type`` says which rule it follows."""

    def check(value: object, pointer: str, problems: Problems) -> None:
        if not isinstance(value, dict):
            _say(problems, "must provide an object", pointer)
        elif "type" not in value:
            _say(problems, "missing required field: type", pointer)
        elif not isinstance(value["type"], str) or value["type"] not in rules:
            _say(problems, f"unsupported type: {value['type']}", f"{pointer}/type")
        else:
            rules[value["type"]](value, pointer, problems)

    return check


def both(*rules: Rule) -> Rule:
    """All of some rules."""

    def check(value: object, pointer: str, problems: Problems) -> None:
        for rule in rules:
            rule(value, pointer, problems)

    return check


def has_one_of(*keys: str) -> Rule:
    """At least one of some keys."""

    def check(value: object, pointer: str, problems: Problems) -> None:
        if isinstance(value, dict) and not any(key in value for key in keys):
            _say(problems, f"missing required field: {' or '.join(keys)}", pointer)

    return check


def unique(key: str, words: str) -> Rule:
    """A list whose objects don't repeat the value of ``key``."""

    def check(value: object, pointer: str, problems: Problems) -> None:
        if not isinstance(value, list):
            return
        seen: set[object] = set()
        for index, item in enumerate(value):
            name = item.get(key) if isinstance(item, dict) else None
            if isinstance(name, str):
                if name in seen:
                    _say(problems, f'{words} "{name}"', f"{pointer}/{index}/{key}")
                seen.add(name)

    return check
