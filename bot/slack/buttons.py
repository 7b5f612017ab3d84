"""The buttons of messages; a button's value is the id of the run that it is about."""

import re
from collections.abc import Iterable
from typing import Any

from bot.core.text import one_line
from bot.model import Link
from bot.slack import limits
from bot.words import labels

STOP_RUN = "stop_run"
STOP_TASK = "stop_task"  # its value is `RUN/TASK`
SEND_NOW = "send_now"
DROP = "drop"
RETRY_RUN = "retry_run"
RETRY_FAILED = "retry_failed"
OPEN_LINK = "open_link"  # followed by `:` and the button's number
OPEN_FORM = "open_form"
STOP_LISTED = "stop_listed"  # in a list of runs, which doesn't show that it was stopped
STOP_AT_HOME = "stop_at_home"
EDIT_SETTINGS = "edit_settings"
RERUN = "rerun"

_URL = re.compile(r"https?://[A-Za-z0-9.-]*[A-Za-z0-9](?::\d+)?(?:[/?#][!-~]*)?")


def controls(
    run: str, links: Iterable[Link], *, over: bool, retry_failed: bool, waiting_reply: bool
) -> dict[str, Any]:
    """The actions block of a run's message: what can be done while it waits, while it lasts, or after it is over."""
    if waiting_reply:
        buttons = [_send_now(run), button(DROP, labels.DROP, run)]
    elif over:
        buttons = [*_link_buttons(links), button(RETRY_RUN, labels.RETRY, run)]
        if retry_failed:
            buttons.append(button(RETRY_FAILED, labels.RETRY_FAILED, run))
    else:
        buttons = [stop_button(STOP_RUN, run)]
    return {"type": "actions", "block_id": "controls", "elements": buttons}


def task_controls(run: str, task: int) -> dict[str, Any]:
    """The actions block of one task among several."""
    confirm = _stop_confirm(run, labels.STOP_TASK_QUESTION)
    stop = button(STOP_TASK, labels.STOP, f"{run}/{task}") | {"confirm": confirm}
    return {"type": "actions", "block_id": "controls", "elements": [stop]}


def _send_now(run: str) -> dict[str, Any]:
    confirm = {
        "title": plain_text(one_line(f"{labels.SEND_NOW} {run}", limits.CONFIRM_TITLE)),
        "text": plain_text(labels.SEND_NOW_QUESTION),
        "confirm": plain_text(labels.SEND_NOW),
        "deny": plain_text(labels.SEND_NOW_DENIED),
    }
    return button(SEND_NOW, labels.SEND_NOW, run) | {"confirm": confirm}


def _stop_confirm(run: str, question: str) -> dict[str, Any]:
    return {
        "title": plain_text(one_line(f"{labels.STOP} {run}", limits.CONFIRM_TITLE)),
        "text": plain_text(question),
        "confirm": plain_text(labels.STOP_CONFIRMED),
        "deny": plain_text(labels.STOP_DENIED),
        "style": "danger",
    }


def stop_button(action: str, run: str) -> dict[str, Any]:
    """A button that stops a run, after a question."""
    confirm = _stop_confirm(run, labels.STOP_QUESTION)
    return button(action, labels.STOP, run) | {"style": "danger", "confirm": confirm}


def rerun_button(run: str) -> dict[str, Any]:
    """A button that starts a run's request anew, after a question."""
    confirm = {
        "title": plain_text(one_line(f"{labels.RERUN} {run}", limits.CONFIRM_TITLE)),
        "text": plain_text(labels.RERUN_QUESTION),
        "confirm": plain_text(labels.RERUN),
        "deny": plain_text(labels.STOP_DENIED),
    }
    return button(RERUN, labels.RERUN, run) | {"confirm": confirm}


def _link_buttons(links: Iterable[Link]) -> list[dict[str, Any]]:
    """Buttons for the first links that Slack would take: a single bad address has it refuse the whole message."""
    buttons: list[dict[str, Any]] = []
    room = limits.LINK_URLS
    for link in links:
        if not _URL.fullmatch(link.url) or len(link.url) > room or len(buttons) == limits.LINKS:
            continue
        room -= len(link.url)
        label = one_line(link.label, limits.LABEL) or labels.OPEN_LINK
        buttons.append(button(f"{OPEN_LINK}:{len(buttons) + 1}", label) | {"url": link.url})
    return buttons


def plain_text(content: str) -> dict[str, Any]:
    """A text object in which nothing is markup, not even emoji names."""
    return {"type": "plain_text", "text": content, "emoji": False}


def button(action: str, label: str, value: str = "") -> dict[str, Any]:
    """A button; without a value it stands for itself."""
    element = {"type": "button", "action_id": action, "text": plain_text(label)}
    return element | {"value": value[: limits.VALUE]} if value else element
