"""The little of YAML that manifest.yml is written in; everything else is an error, so that nothing is misread."""

import json
import re
from dataclasses import dataclass

Value = str | bool | list["Value"] | dict[str, "Value"]

_LINE = re.compile(r"(?P<indent> *)(?P<content>[^ ].*)")
_COMMENT = re.compile(r"(?:\A|\s)#.*")
_KEY = re.compile(r"(?P<key>[a-z_]+):(?: +(?P<value>.+))?")
_PLAIN = re.compile(
    r"[A-Za-z/](?:(?!: | #)[^\n])*(?<!:)"
)  # what could mean anything but itself is to be quoted
_QUOTED = re.compile(r'"[^"\\]*"')
_AMBIGUOUS = frozenset({"yes", "no", "on", "off", "null"})  # no strings to some readers of YAML
_STEP = 2  # spaces


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    indent: int
    content: str


def read(text: str) -> dict[str, Value]:
    """Mappings, lists of scalars or mappings, strings, ``true`` and ``false``; ValueError for all else."""
    lines = [line for number, raw in enumerate(text.splitlines(), 1) if (line := _line(number, raw))]
    if not lines:
        raise ValueError("nothing in it")
    value = _mapping(lines, 0)
    if lines:
        raise ValueError(f"line {lines[0].number}: unexpected indentation")
    return value


def _line(number: int, raw: str) -> _Line | None:
    if "\t" in raw:
        raise ValueError(f"line {number}: a tab")
    quoted = _QUOTED.search(raw)
    uncommented = raw if quoted else _COMMENT.sub("", raw)
    found = _LINE.fullmatch(uncommented.rstrip())
    if found is None:
        return None
    indent = len(found["indent"])
    if indent % _STEP:
        raise ValueError(f"line {number}: indented by {indent} spaces")
    return _Line(number, indent, found["content"])


def _mapping(lines: list[_Line], indent: int) -> dict[str, Value]:
    made: dict[str, Value] = {}
    while lines and lines[0].indent == indent and not lines[0].content.startswith("- "):
        line = lines.pop(0)
        found = _KEY.fullmatch(line.content)
        if found is None or found["key"] in made:
            raise ValueError(f"line {line.number}: not a new key")
        made[found["key"]] = _scalar(line, found["value"]) if found["value"] else _block(lines, line)
    return made


def _block(lines: list[_Line], parent: _Line) -> Value:
    indent = parent.indent + _STEP
    if not lines or lines[0].indent != indent:
        raise ValueError(f"line {parent.number}: a key without a value")
    return _list(lines, indent) if lines[0].content.startswith("- ") else _mapping(lines, indent)


def _list(lines: list[_Line], indent: int) -> list[Value]:
    made: list[Value] = []
    while lines and lines[0].indent == indent and lines[0].content.startswith("- "):
        line = lines[0]
        item = line.content.removeprefix("- ")
        if _KEY.fullmatch(item):
            lines[0] = _Line(line.number, indent + _STEP, item)
            made.append(_mapping(lines, indent + _STEP))
        else:
            made.append(_scalar(lines.pop(0), item))
    return made


def _scalar(line: _Line, written: str) -> str | bool:
    if written in {"true", "false"}:
        return written == "true"
    if _QUOTED.fullmatch(written):
        return str(json.loads(written))
    if _PLAIN.fullmatch(written) and written.lower() not in _AMBIGUOUS | {"true", "false"}:
        return written
    raise ValueError(f"line {line.number}: {written!r} is not plain")
