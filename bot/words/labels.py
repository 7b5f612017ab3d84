"""What stands on buttons, in the form and on the home tab, and the small words that sentences are made of.

Constants are plain text, functions give mrkdwn.
"""

import re

from bot.core.durations import ordinal
from bot.core.run import RunState, TaskState

COMMAND = "/code"
NO_ANSWER = "The agent gave no answer."
NOT_SHOWN = "Slack would not show this message's text."
NO_OUTPUT, NO_OUTPUT_YET = "No output.", "No output yet."
STOP_TASK_QUESTION = "Hide this task from now on? The service can't end one task alone: it goes on unseen until all are stopped or done."
STOP_QUESTION = "Stop this run? The agent's work so far stays on its branch."
OPEN_FORM, OPEN_LINK = "Open form", "Open link"
STOP, STOP_CONFIRMED, STOP_DENIED = "Stop", "Stop run", "Keep running"
SEND_NOW, SEND_NOW_DENIED, DROP = "Send now", "Keep waiting", "Drop"
SEND_NOW_QUESTION = "Send this reply before the others? What is running in this thread is stopped first; the agent's work so far stays on its branch. Nothing else is lost: the other replies wait on, in their order."
RETRY, RETRY_FAILED = "Retry", "Retry failed"
RERUN = "Rerun"
RERUN_QUESTION = "Stop this run, if it is still going, and start your request as it reads now? The agent's work so far stays on its branch."
EDIT = "Edit"

# The home tab and the settings form, as plain text.
HOME_RUNNING, HOME_LAST, HOME_DEFAULTS, HOME_BEGIN = "Running", "Last runs", "Your defaults", "How to begin"
SETTINGS_TITLE, SETTINGS_SAVE, SETTINGS_CANCEL = "Your defaults", "Save", "Cancel"
SETTINGS_REPO, SETTINGS_BRANCH, SETTINGS_MODEL, SETTINGS_NOTIFY = (
    "Repository",
    "Branch",
    "Model",
    "Notifications",
)
SETTINGS_ANY_MODEL = "No preference"
SETTINGS_MENTION = "Mention me when a run of more than a minute has ended"
SETTINGS_BRANCH_ALONE = "This is used in your default repository alone, where you name one."

# The form shows these as plain text.
FORM_TITLE, FORM_RUN, FORM_CANCEL, FORM_LOADING = "New run", "Run", "Cancel", "Opening the form…"
FORM_PROMPT_LABEL, FORM_REPO_LABEL, FORM_BRANCH_LABEL = "Prompt", "Repository", "Branch"
FORM_MODEL_LABEL, FORM_DIRECTORY_LABEL, FORM_WHERE_LABEL = "Model", "Directory", "Where"
FORM_SEVERAL, FORM_ONE, FORM_ADD_TASK = "Run as several tasks", "Run as one task", "Add task"
FORM_NO_MODEL = "Default"
FORM_TASK_EXAMPLE = "For example: tests"
FORM_TASK_NAME = "A task's name is 1 to 40 of a-z A-Z 0-9 . _ - without spaces, like unit-tests."
FORM_TASK_PROMPT = "Say what this task should do."
FORM_TOO_FEW_TASKS = "Several tasks are at least two. Fill in another one, or press “Run as one task”."
FORM_TOO_LONG = "Together these tasks are too long for one prompt, so they stay as they are."
FORM_TASK_NAME_LABEL, FORM_TASK_PROMPT_LABEL = "Task {number}: name", "Task {number}: prompt"
FORM_REPO_NOT_OPEN = "{repo} is not open to runs here. An admin can add it to ALLOWED_REPOS."
FORM_WHERE = "Choose the channel in which the run is shown."
FORM_NOT_A_PROMPT = "Say what the agent should do, for example: Fix the flaky login test"
FORM_REPO = "This needs an owner and a name, like acme/web."
FORM_BRANCH = "This is not the name of a branch. For example: main"
FORM_DIRECTORY = "This must be a directory inside the repository, like services/api."

_USER_ID = re.compile("[UW][A-Z0-9]{1,30}")


def is_user_id(user: str) -> bool:
    """Whether this is the id of a Slack user, which may be mentioned."""
    return _USER_ID.fullmatch(user) is not None


def mention(user: str) -> str:
    """A user by id, so that Slack shows the name and notifies them."""
    return f"<@{user}>" if is_user_id(user) else "someone"


def state_word(state: RunState | TaskState, position: int | None = None) -> str:
    """A state as people read it, with the place of what is queued: ``Running``, ``Queued · 3rd``. Plain text."""
    word = state.value.capitalize()
    return f"{word} · {ordinal(position)}" if state == RunState.QUEUED and position is not None else word
