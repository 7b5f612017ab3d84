"""The form *New run*: a view out, an invocation or errors at their fields back in."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from bot import words
from bot.core import options
from bot.core.command import UsageError, parse
from bot.core.text import escape, unescape
from bot.errors import SlackError
from bot.model import Audience, Invocation, Model, Options
from bot.runs.intake import Intake
from bot.runs.ports import Notice
from bot.runs.supervisor import Supervisor
from bot.slack.buttons import plain_text
from bot.slack.messenger import SlackMessenger

log = structlog.get_logger("bot.form")

CALLBACK = "new_run"
PROMPT, REPO, BRANCH, MODEL, DIRECTORY = "prompt", "repo", "branch", "model", "directory"
PROMPT_CHARS = 3_000  # what an input field of Slack's takes


@dataclass(slots=True)
class Forms:
    """Opens the form, within the three seconds for which Slack's trigger is valid."""

    messenger: SlackMessenger
    intake: Intake
    supervisor: Supervisor

    def open(self, audience: Audience, trigger_id: str) -> None:
        """Open it for whoever asked, in the background: an acknowledgement doesn't wait for Slack."""
        self.supervisor.start("form", self._open(audience, trigger_id))

    async def _open(self, audience: Audience, trigger_id: str) -> None:
        defaults = await self.intake.defaults_at(audience)
        try:
            await self.messenger.open_view(trigger_id, view(audience, defaults))
        except SlackError as error:
            log.warning("form.not_opened", error=str(error))
            await self.intake.admission.tell(audience, Notice(words.form_unavailable()))


def view(audience: Audience, defaults: Options) -> dict[str, Any]:
    """The modal, with what is known of the channel filled in; it remembers where it was opened."""
    models = [_option(model.value, model.value.capitalize()) for model in Model]
    chosen = [option for option in models if option["value"] == (defaults.model or "")]
    select = {"type": "static_select", "action_id": MODEL, "options": models}
    where = {"channel": audience.channel, "thread_ts": audience.thread_ts}
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": plain_text("New run"),
        "submit": plain_text("Run"),
        "close": plain_text("Cancel"),
        "private_metadata": json.dumps(where),
        "blocks": [
            _input(
                PROMPT,
                "Prompt",
                _text(PROMPT, multiline=True, max_length=PROMPT_CHARS),
                hint=words.FORM_PROMPT,
            ),
            _input(REPO, "Repository", _text(REPO, placeholder="owner/name", initial=defaults.repo)),
            _input(BRANCH, "Branch", _text(BRANCH, initial=defaults.branch), optional=True),
            _input(MODEL, "Model", select | ({"initial_option": chosen[0]} if chosen else {}), optional=True),
            _input(DIRECTORY, "Directory", _text(DIRECTORY, initial=defaults.directory), optional=True),
        ],
    }


def _option(value: str, label: str) -> dict[str, Any]:
    return {"text": plain_text(label), "value": value}


def _input(
    block: str, label: str, element: dict[str, Any], *, optional: bool = False, hint: str = ""
) -> dict[str, Any]:
    made = {
        "type": "input",
        "block_id": block,
        "label": plain_text(label),
        "element": element,
        "optional": optional,
    }
    return made | {"hint": plain_text(hint)} if hint else made


def _text(
    action: str,
    *,
    multiline: bool = False,
    max_length: int | None = None,
    placeholder: str = "",
    initial: str | None = None,
) -> dict[str, Any]:
    element: dict[str, Any] = {"type": "plain_text_input", "action_id": action, "multiline": multiline}
    if max_length:
        element["max_length"] = max_length
    if placeholder:
        element["placeholder"] = plain_text(placeholder)
    if initial:
        element["initial_value"] = initial
    return element


def read(values: Mapping[str, str]) -> Invocation | dict[str, str]:
    """What was filled in, or what is wrong with it: a sentence for each field's block id."""
    errors: dict[str, str] = {}
    # Fields hold plain text, while the grammar reads Slack's notation.
    parsed = parse(escape(values.get(PROMPT, "")))
    if isinstance(parsed, UsageError):
        errors[PROMPT] = unescape(parsed.message)
    elif not isinstance(parsed, Invocation):
        errors[PROMPT] = words.FORM_NOT_A_PROMPT
    chosen = Options(
        repo=_field(values, REPO, options.as_repository, words.FORM_REPO, errors),
        branch=_field(values, BRANCH, options.as_branch, words.FORM_BRANCH, errors),
        model=options.as_model(values.get(MODEL, "")),
        directory=_field(values, DIRECTORY, options.as_directory, words.FORM_DIRECTORY, errors),
    )
    if errors or not isinstance(parsed, Invocation):
        return errors
    return replace(parsed, options=parsed.options.over(chosen))


def _field(
    values: Mapping[str, str], block: str, check: Any, complaint: str, errors: dict[str, str]
) -> str | None:
    given = values.get(block, "").strip()
    if not given:
        return None
    checked: str | None = check(given)
    if checked is None:
        errors[block] = complaint
    return checked


def opened_at(private_metadata: str) -> tuple[str, str | None]:
    """The channel and thread in which the form was opened."""
    try:
        where = json.loads(private_metadata)
        return str(where["channel"]), where.get("thread_ts")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", None
