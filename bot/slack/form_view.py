"""The form *New run* as Slack's views.

What was typed stays in Slack's client where a block keeps its id; it is given as initial values all the same, for
the fields that are new in a view.
"""

from typing import Any

from bot.core import tasks
from bot.core.text import shorten, shorten_middle
from bot.model import Model
from bot.slack import limits
from bot.slack.buttons import button, plain_text
from bot.slack.form_draft import (
    BRANCH,
    DIRECTORY,
    FIELD_CHARS,
    MODEL,
    NAME_CHARS,
    PROMPT,
    REPO,
    WHERE,
    Draft,
    Origin,
    Row,
    name_field,
    remembered,
    task_field,
)
from bot.words import labels

CALLBACK = "new_run"
SEVERAL, ONE, ADD_TASK = "form_several_tasks", "form_one_task", "form_add_task"
NO_MODEL = "default"

View = dict[str, Any]


def form(draft: Draft, origin: Origin, note: str = "") -> View:
    """The form with what stands in it; ``note`` is a sentence of plain text below the prompt or the tasks."""
    return {
        **_modal(labels.FORM_TITLE),
        "submit": plain_text(labels.FORM_RUN),
        "callback_id": CALLBACK,
        "private_metadata": remembered(origin, len(draft.rows)),
        "blocks": [
            *([] if origin.channel else [_where(draft)]),
            *(_rows(draft.rows) if draft.rows else [_prompt(draft)]),
            _shape(draft),
            *([{"type": "context", "block_id": "note", "elements": [plain_text(note)]}] if note else []),
            _input(REPO, labels.FORM_REPO_LABEL, _repository(draft.repo)),
            _input(BRANCH, labels.FORM_BRANCH_LABEL, _text(BRANCH, draft.branch), optional=True),
            _input(MODEL, labels.FORM_MODEL_LABEL, _model(draft.model), optional=True),
            _input(DIRECTORY, labels.FORM_DIRECTORY_LABEL, _text(DIRECTORY, draft.directory), optional=True),
        ],
    }


def loading() -> View:
    """What stands there until the form is ready: Slack doesn't wait for that."""
    return message(labels.FORM_LOADING)


def message(mrkdwn: str) -> View:
    """One sentence instead of the form."""
    section = {"type": "section", "text": {"type": "mrkdwn", "text": shorten(mrkdwn, limits.SECTION)}}
    return {**_modal(labels.FORM_TITLE), "blocks": [section]}


def repository_option(repo: str) -> View:
    """A repository in the list; its value is whole even where its name has to be shortened."""
    return {"text": plain_text(shorten_middle(repo, limits.LABEL)), "value": repo}


def _modal(title: str) -> View:
    return {"type": "modal", "title": plain_text(title), "close": plain_text(labels.FORM_CANCEL)}


def _prompt(draft: Draft) -> View:
    element = _text(PROMPT, draft.prompt, longest=FIELD_CHARS, multiline=True)
    return _input(PROMPT, labels.FORM_PROMPT_LABEL, element)


def _rows(rows: tuple[Row, ...]) -> list[View]:
    """All optional for Slack, because an empty row is left out; what is half filled in is found on submission."""
    blocks = []
    for number, row in enumerate(rows, 1):
        name, task = name_field(number), task_field(number)
        example = labels.FORM_TASK_EXAMPLE if number == 1 else ""
        blocks += [
            _input(
                name,
                labels.FORM_TASK_NAME_LABEL.format(number=number),
                _text(name, row.name, longest=NAME_CHARS, placeholder=example),
                optional=True,
            ),
            _input(
                task,
                labels.FORM_TASK_PROMPT_LABEL.format(number=number),
                _text(task, row.prompt, longest=FIELD_CHARS, multiline=True),
                optional=True,
            ),
        ]
    return blocks


def _shape(draft: Draft) -> View:
    """The buttons that turn the form from one prompt to rows and back."""
    if not draft.rows:
        buttons = [button(SEVERAL, labels.FORM_SEVERAL)]
    elif len(draft.rows) < tasks.MOST:
        buttons = [button(ADD_TASK, labels.FORM_ADD_TASK), button(ONE, labels.FORM_ONE)]
    else:
        buttons = [button(ONE, labels.FORM_ONE)]
    return {"type": "actions", "block_id": "shape", "elements": buttons}


def _where(draft: Draft) -> View:
    """Any conversation; its ``response_url`` lets a refusal reach the user even where the bot is not a member."""
    element: View = {
        "type": "conversations_select",
        "action_id": WHERE,
        "default_to_current_conversation": True,
        "response_url_enabled": True,
    }
    return _input(
        WHERE,
        labels.FORM_WHERE_LABEL,
        element | ({"initial_conversation": draft.where} if draft.where else {}),
    )


def _repository(repo: str) -> View:
    element: View = {
        "type": "external_select",
        "action_id": REPO,
        "min_query_length": 0,
        "placeholder": plain_text("owner/name"),
    }
    return element | ({"initial_option": repository_option(repo)} if repo else {})


def _model(chosen: str) -> View:
    """Slack's menus can't be emptied again, so that no choice is an entry too."""
    choices = {NO_MODEL: labels.FORM_NO_MODEL} | {model.value: model.value.capitalize() for model in Model}
    options = {value: {"text": plain_text(label), "value": value} for value, label in choices.items()}
    element: View = {"type": "static_select", "action_id": MODEL, "options": list(options.values())}
    return element | ({"initial_option": options[chosen]} if chosen in options else {})


def _input(block: str, label: str, element: View, *, optional: bool = False) -> View:
    return {
        "type": "input",
        "block_id": block,
        "label": plain_text(label),
        "element": element,
        "optional": optional,
    }


def _text(
    action: str, typed: str, *, longest: int | None = None, multiline: bool = False, placeholder: str = ""
) -> View:
    element: View = {"type": "plain_text_input", "action_id": action, "multiline": multiline}
    if longest:
        element["max_length"] = longest
    if placeholder:
        element["placeholder"] = plain_text(placeholder)
    if typed:
        element["initial_value"] = typed[: longest or FIELD_CHARS]
    return element
