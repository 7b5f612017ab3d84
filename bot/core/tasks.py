"""The tasks of a parallel request: one ``name: prompt`` line for each.

A bullet may stand before the name. A line that starts with white space continues the task above; blank lines
mean nothing.
"""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.core.options import InputError, quoted
from bot.model import TaskPrompt

FEWEST, MOST = 2, 20

# "https://…" names no task, although "https" could be a name.
_NAME = "[A-Za-z0-9._-]{1,40}"
_START = re.compile(rf"(?P<name>{_NAME}):(?!//)(?P<prompt>.*)", re.DOTALL)
_BULLET = re.compile(r"[-*•◦▪‣–—][ \t]+")  # noqa: RUF001  Slack and its clients write all of these
_OTHER_NAME = re.compile(r"(?P<name>[^:\n]*[^:\s]):\s")
_FORM = "Each line is `name: prompt`."
_EXAMPLE = "```parallel\ntests: Create unit tests\ndocs: Describe the public API```"


def read(text: str, start: int, end: int) -> tuple[TaskPrompt, ...]:
    """The tasks in ``text[start:end]``, which begins after the word ``parallel``.

    Raises ``InputError``, which shows the line and its number counted from the beginning of ``text``.
    """
    lines = text.split("\n")
    first = text.count("\n", 0, start)
    drafts: list[_Draft] = []
    for index, line in enumerate(text[start:end].split("\n"), first):
        # What follows `parallel` on its own line is a line's beginning, not a continuation.
        part = line.lstrip() if index == first else line
        if not part.strip():
            continue
        where = _Line(index + 1, lines[index])
        if not part[0].isspace():
            drafts.append(_begin(part, where))
        elif drafts:
            drafts[-1].more.append(part)
        else:
            raise InputError(f"{where} continues a task, but none stands above it: {where.shown}. {_FORM}")
    _check(drafts)
    return tuple(TaskPrompt(draft.name, draft.prompt) for draft in drafts)


def is_name(text: str) -> bool:
    """Whether a task may be called so."""
    return re.fullmatch(_NAME, text) is not None


def split_name(text: str, names: Iterable[str]) -> tuple[str, str] | None:
    """``name`` and ``text`` of a reply ``name: text`` to one of the tasks ``names``, or ``None``.

    Phones begin a message with a capital: where no name matches exactly, one that differs only by case does.
    """
    begun = _START.match(text.strip())
    if begun is None:
        return None
    exact = [name for name in names if name == begun["name"]]
    alike = [name for name in names if name.casefold() == begun["name"].casefold()]
    candidates = exact or alike
    return (candidates[0], begun["prompt"]) if len(candidates) == 1 else None


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str

    def __str__(self) -> str:
        return f"Line {self.number}"

    @property
    def shown(self) -> str:
        return quoted(self.text)


@dataclass(slots=True)
class _Draft:
    where: _Line
    name: str
    first: str
    more: list[str] = field(default_factory=list)

    @property
    def prompt(self) -> str:
        return "\n".join((self.first, textwrap.dedent("\n".join(self.more)))).strip()


def _begin(line: str, where: _Line) -> _Draft:
    line = _BULLET.sub("", line, count=1) if _BULLET.match(line) else line
    if begun := _START.fullmatch(line):
        return _Draft(where, begun["name"], begun["prompt"].strip())
    if other := _OTHER_NAME.match(line):
        raise InputError(
            f"{where} has no usable task name: {where.shown}. {quoted(other['name'])} would have to be "
            "1 to 40 of `a-z A-Z 0-9 . _ -`, without spaces."
        )
    raise InputError(f"{where} has no task name: {where.shown}. {_FORM}")


def _check(drafts: list[_Draft]) -> None:
    rule = f"`parallel` takes {FEWEST} to {MOST} tasks, one `name: prompt` line for each"
    if not drafts:
        raise InputError(f"There are no tasks. {rule}, like\n{_EXAMPLE}\n")
    lines: dict[str, int] = {}
    for draft in drafts:
        where = draft.where
        if not draft.prompt:
            raise InputError(f"{where} has no prompt: {where.shown}. {_FORM}")
        before = lines.setdefault(draft.name, where.number)
        if before != where.number:
            raise InputError(
                f"{where} has the name of line {before}, {quoted(draft.name)}: {where.shown}. "
                "Each task needs a name of its own."
            )
    if len(drafts) < FEWEST:
        where = drafts[0].where
        raise InputError(f"{where} is the only task: {where.shown}. {rule}, like\n{_EXAMPLE}\n")
    if len(drafts) > MOST:
        where = drafts[MOST].where
        raise InputError(f"{where} is task {MOST + 1}: {where.shown}. {rule}.")
