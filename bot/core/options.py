"""The options of a request: ``repo=acme/web``, ``branch=dev``, ``model=haiku``, ``dir=src``.

They stand as words before or after the prompt, or as ``[key=value, key=value]`` at its start. What looks like an
option elsewhere, within backticks, or with another key belongs to the prompt.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from types import MappingProxyType

from bot.core.text import code, shorten_middle
from bot.errors import BotError
from bot.model import Model, Options


class InputError(BotError):
    """Something the user wrote can't be meant; the text says what, in mrkdwn, escaped."""


def quoted(text: str) -> str:
    """What a user wrote, for one of our sentences in mrkdwn: inert, on one line, shortened in the middle."""
    return code(shorten_middle(" ".join(text.split()), _SHOWN))


@dataclass(frozen=True, slots=True)
class Typed:
    """One option as it stands in the text: ``key`` in lower case, ``value`` unquoted, ``shown`` as typed."""

    key: str
    value: str
    shown: str


@dataclass(frozen=True, slots=True)
class Found:
    """The options at the edges of a text, and ``[start, end)``, the part of it between them."""

    typed: tuple[Typed, ...]
    start: int
    end: int


_SHOWN = 80  # characters of the user's own words in an error

# Clients make quotes and dashes smart. Each character has one plain form, so that positions stay the same; an em
# dash counts as one hyphen because two in a row are rare in names.
_PLAIN_FORMS = str.maketrans("“”„‟″‘’‚‛′‐‑‒–—―−", "\"\"\"\"\"'''''-------")  # noqa: RUF001  the smart ones are meant

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_KEY = "(?ai:repo|branch|model|dir)="
_OPTION = rf"""{_KEY}(?>"[^"\n]*"(?!\S)|'[^'\n]*'(?!\S)|\S*)"""
_ITEM = rf"""{_KEY}(?>"[^"\n]*"(?=[\s,\]])|'[^'\n]*'(?=[\s,\]])|[^\s,\]]*)"""
# Followed by a parenthesis or a colon it would be a link or a footnote.
_GROUP = rf"\[\s*+{_ITEM}(?:[\s,]++{_ITEM})*+[\s,]*+\](?![(:])"
_LEADING = re.compile(rf"\s*+(?:(?P<group>{_GROUP})|(?P<option>{_OPTION}))")
_IN_GROUP = re.compile(_ITEM)
_ANYWHERE = re.compile(rf"(?<!\S){_OPTION}")


def find(text: str, *, trailing: bool = True) -> Found:
    """The options at the beginning of ``text`` and, with ``trailing``, at its end; their values not judged yet."""
    met = _CODE.sub(lambda code: "`" * len(code[0]), text).translate(_PLAIN_FORMS)
    spans: list[tuple[int, int]] = []
    start, end = 0, len(text)
    while edge := _LEADING.match(met, start):
        start = edge.end()
        if edge["option"]:
            spans.append(edge.span("option"))
        else:
            spans += [item.span() for item in _IN_GROUP.finditer(met, edge.start("group"), start)]
    last: list[tuple[int, int]] = []
    for option in reversed(list(_ANYWHERE.finditer(met, start)) if trailing else []):
        if met[option.end() : end].strip():
            break
        last.append(option.span())
        end = option.start()
    spans += reversed(last)
    return Found(tuple(_typed(met[a:b], text[a:b]) for a, b in spans), start, end)


def read(typed: Iterable[Typed]) -> Options:
    """The values of options that were found; raises ``InputError`` for one that is impossible or said differently twice."""
    options = Options()
    seen: dict[str, tuple[Options, str]] = {}
    for option in typed:
        kind = _KINDS[option.key]
        shown = quoted(option.shown)
        if not option.value:
            raise InputError(f"{shown} has no value: write it like `{kind.example}`.")
        value = kind.read(option.value)
        if value is None:
            raise InputError(f"{shown} is not {kind.complaint}, like `{kind.example}`.")
        before, shown_before = seen.setdefault(option.key, (value, shown))
        if before != value:
            raise InputError(f"{shown_before} and {shown} contradict each other: keep one of them.")
        options = value.over(options)
    return options


_GITHUB = re.compile(
    r"(?:(?:https?|ssh|git)://(?:[^\s/@]+@)?(?:www\.)?github\.com/|git@github\.com:|(?:www\.)?github\.com/)",
    re.IGNORECASE | re.ASCII,
)
_REPOSITORY = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,38})/([A-Za-z0-9._-]{1,100}?)(?:\.git)?/?")
# https://git-scm.com/docs/git-check-ref-format; a backtick or a quote at the beginning is formatting gone wrong.
_NO_BRANCH = re.compile(
    r"[\x00-\x1f\x7f\s~^:?*\[\\`]|\.\.|@\{|//|\A[-/]|[/.]\Z|(?:\A|/)\.|\.lock(?:/|\Z)|\A[\"']|\A(?:@|HEAD)\Z"
)
_LONGEST_BRANCH = 244  # bytes, what GitHub allows
_NO_DIRECTORY = re.compile(r"[\x00-\x1f\x7f\\`]|\A[/~\"']|\A[A-Za-z]:|://|(?:\A|/)\.\.(?:/|\Z)")


def as_repository(value: str) -> str | None:
    """``owner/name`` from that or from a GitHub address; ``None`` where it is neither."""
    address = _GITHUB.match(value)
    path = re.split(r"[?#]", value[address.end() :])[0] if address else value
    parts = _REPOSITORY.fullmatch(path)
    if parts is None or parts[2] in {".", "..", ".git"}:
        return None
    return f"{parts[1]}/{parts[2]}"


def as_branch(value: str) -> str | None:
    """``value`` where git allows it as a branch's name."""
    size = len(value.encode(errors="replace"))
    return value if 0 < size <= _LONGEST_BRANCH and not _NO_BRANCH.search(value) else None


def as_model(value: str) -> Model | None:
    """The model of that name, in any case."""
    return Model(value.lower()) if value.lower() in set(Model) else None


def as_directory(value: str) -> str | None:
    """A path below the repository's root, tidied (``./src/`` is ``src``); ``.`` is the root itself."""
    return None if not value or _NO_DIRECTORY.search(value) else str(PurePosixPath(value))


@dataclass(frozen=True, slots=True)
class _Kind:
    read: Callable[[str], Options | None]
    complaint: str
    example: str


def _repo(value: str) -> Options | None:
    repo = as_repository(value)
    return Options(repo=repo) if repo else None


def _branch(value: str) -> Options | None:
    branch = as_branch(value)
    return Options(branch=branch) if branch else None


def _model(value: str) -> Options | None:
    model = as_model(value)
    return Options(model=model) if model else None


def _directory(value: str) -> Options | None:
    directory = as_directory(value)
    return Options(directory=directory) if directory else None


_KINDS: Mapping[str, _Kind] = MappingProxyType(
    {
        "repo": _Kind(_repo, "a repository: it needs an owner and a name", "repo=acme/web"),
        "branch": _Kind(_branch, "a branch: git doesn't allow that name; write it", "branch=feature/login"),
        "model": _Kind(_model, "a model: it is `haiku` or `sonnet`", "model=haiku"),
        "dir": _Kind(_directory, "a directory: it is a path below the repository's root", "dir=services/api"),
    }
)


def _typed(met: str, shown: str) -> Typed:
    key, _, value = met.partition("=")
    value = value.removesuffix(",")  # `repo=acme/web, branch=dev` without brackets
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        value = value[1:-1].strip()
    return Typed(key.lower(), value, shown.removesuffix(","))
