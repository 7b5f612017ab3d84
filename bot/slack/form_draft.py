"""What stands in the form *New run*: its fields as typed, and what they ask for or what is wrong with them."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.core import options, tasks
from bot.core.command import UsageError, parse
from bot.core.text import escape, unescape
from bot.model import Invocation, Model, Options, TaskPrompt
from bot.words import labels, refusals

PROMPT, REPO, BRANCH, MODEL, DIRECTORY, WHERE = "prompt", "repo", "branch", "model", "directory", "where"
FIELD_CHARS = 3_000  # what an input field of Slack's takes
NAME_CHARS = 40


def name_field(number: int) -> str:
    """The block id of the name in the ``number``-th row, from 1 on."""
    return f"name_{number}"


def task_field(number: int) -> str:
    """The block id of the prompt in the ``number``-th row, from 1 on."""
    return f"task_{number}"


@dataclass(frozen=True, slots=True)
class Row:
    """One task as far as it was typed."""

    name: str = ""
    prompt: str = ""

    @property
    def empty(self) -> bool:
        """Whether nothing was typed."""
        return not (self.name.strip() or self.prompt.strip())


@dataclass(frozen=True, slots=True)
class Draft:
    """All fields as typed. With ``rows`` the form asks for several tasks, and ``prompt`` is empty."""

    prompt: str = ""
    rows: tuple[Row, ...] = ()
    repo: str = ""
    branch: str = ""
    model: str = ""
    directory: str = ""
    where: str = ""

    @property
    def text(self) -> str:
        """What it asks as one text, which the grammar of requests reads as the same."""
        filled = [row for row in self.rows if not row.empty]
        if not filled:
            return self.prompt
        if len(filled) == 1 and not filled[0].name.strip():
            return filled[0].prompt
        return "\n".join(["parallel", *map(_line, filled)])


def _line(row: Row) -> str:
    named = f"{row.name.strip()}: {row.prompt.strip()}" if row.name.strip() else row.prompt.strip()
    first, *more = named.split("\n")
    return "\n".join([first, textwrap.indent("\n".join(more), "  ")] if more else [first])


def read(values: Mapping[str, str], rows: int) -> Draft:
    """The draft in a form with that many rows (0: one prompt); ``values`` by block id, without the empty ones."""
    return Draft(
        prompt=values.get(PROMPT, ""),
        rows=tuple(
            Row(values.get(name_field(number), ""), values.get(task_field(number), ""))
            for number in range(1, rows + 1)
        ),
        repo=values.get(REPO, ""),
        branch=values.get(BRANCH, ""),
        model=values.get(MODEL, ""),
        directory=values.get(DIRECTORY, ""),
        where=values.get(WHERE, ""),
    )


# Another shape of the same draft


def with_options(draft: Draft, chosen: Options) -> Draft:
    """The draft with the options that are not ``None``."""
    return replace(
        draft,
        repo=chosen.repo or draft.repo,
        branch=chosen.branch or draft.branch,
        model=chosen.model or draft.model,
        directory=chosen.directory or draft.directory,
    )


def with_a_row(draft: Draft) -> Draft:
    """One row more, up to as many as a run may have tasks."""
    return replace(draft, rows=(*draft.rows, Row())[: tasks.MOST])


def as_several(draft: Draft) -> Draft:
    """The prompt as rows: those that its text names, else as the first task's."""
    parsed = parse(escape(draft.prompt))
    if isinstance(parsed, Invocation) and parsed.tasks:
        rows = tuple(Row(task.name, task.prompt) for task in parsed.tasks)
        draft = with_options(draft, parsed.options)
    else:
        rows = (Row(prompt=draft.prompt), Row())
    return replace(draft, prompt="", rows=rows)


def as_one(draft: Draft) -> Draft | None:
    """The rows as one prompt that says the same; ``None`` where that is longer than a field may be."""
    text = draft.text
    return replace(draft, prompt=text, rows=()) if len(text) <= FIELD_CHARS else None


# What it asks for


def asked(draft: Draft) -> Invocation | dict[str, str]:
    """What was filled in, or what is wrong with it: a sentence of plain text for each field's block id."""
    errors: dict[str, str] = {}
    invocation = _several(draft.rows, errors) if draft.rows else _single(draft.prompt, errors)
    chosen = Options(
        repo=_checked(draft.repo, REPO, options.as_repository, labels.FORM_REPO, errors),
        branch=_checked(draft.branch, BRANCH, options.as_branch, labels.FORM_BRANCH, errors),
        model=_model(draft.model),
        directory=_checked(draft.directory, DIRECTORY, options.as_directory, labels.FORM_DIRECTORY, errors),
    )
    return errors or replace(invocation, options=invocation.options.over(chosen))


def _single(prompt: str, errors: dict[str, str]) -> Invocation:
    parsed = parse(escape(prompt))  # a field holds plain text, while the grammar reads Slack's notation
    if isinstance(parsed, Invocation):
        return parsed
    if isinstance(parsed, UsageError):
        errors[PROMPT] = unescape(parsed.message).replace("`", "")
    else:
        errors[PROMPT] = labels.FORM_NOT_A_PROMPT
    return Invocation("")


def _several(rows: tuple[Row, ...], errors: dict[str, str]) -> Invocation:
    found: dict[str, TaskPrompt] = {}
    numbers: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        if row.empty:
            continue
        name, prompt = row.name.strip(), row.prompt.strip()
        if not tasks.is_name(name):
            errors[name_field(number)] = labels.FORM_TASK_NAME
        elif name in numbers:
            errors[name_field(number)] = refusals.form_same_name(numbers[name])
        else:
            numbers[name] = number
            found[name] = TaskPrompt(name, prompt)
        if not prompt:
            errors[task_field(number)] = labels.FORM_TASK_PROMPT
    if not errors and len(found) < tasks.FEWEST:
        missing = next((number for number, row in enumerate(rows, 1) if row.empty), 1)
        errors[name_field(missing)] = labels.FORM_TOO_FEW_TASKS
    return Invocation("", tuple(found.values()))


def _checked(given: str, block: str, check: Any, complaint: str, errors: dict[str, str]) -> str | None:
    if not given.strip():
        return None
    checked: str | None = check(given.strip())
    if checked is None:
        errors[block] = complaint
    return checked


def _model(given: str) -> Model | None:
    return options.as_model(given)


# What the form remembers of itself


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the form was opened; ``channel`` is empty where the form itself asks for one."""

    channel: str = ""
    thread_ts: str | None = None
    response_url: str | None = None


def remembered(origin: Origin, rows: int) -> str:
    """The view's ``private_metadata``."""
    said = {
        "channel": origin.channel,
        "thread_ts": origin.thread_ts,
        "response_url": origin.response_url,
        "rows": rows,
    }
    return json.dumps({name: value for name, value in said.items() if value})


def recalled(private_metadata: str) -> tuple[Origin, int]:
    """Where the form was opened and how many rows it has; what can't be read is empty."""
    try:
        said = json.loads(private_metadata)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        return Origin(), 0
    texts = {
        name: said[name]
        for name in ("channel", "thread_ts", "response_url")
        if isinstance(said.get(name), str)
    }
    rows = said.get("rows")
    return Origin(**texts), min(max(rows, 0), tasks.MOST) if isinstance(rows, int) else 0
