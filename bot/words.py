"""What the bot says: every sentence that a person reads, in Slack's mrkdwn, escaped, saying what to do next.

Arguments are plain text and are escaped here. Sentences never name a part of the bot or quote an exception.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from bot.core.access import Denied, Exceeded
from bot.core.durations import clock, duration, ordinal, plural
from bot.core.run import RunState, TaskState
from bot.core.text import code, code_block, escape, inert, one_line
from bot.errors import Refusal

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
_BRANCH_FIRST = "The agent may have gone on and pushed: look at the branch before you retry."
_NOT_STARTED = "Your request was not started:"


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


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One line of a list: ``elapsed`` in seconds from its start, ``link`` the message's address, ``ended_at`` Unix time."""

    run: str
    state: RunState
    requester: str
    prompt: str
    repo: str | None = None
    position: int | None = None
    elapsed: int | None = None
    link: str | None = None
    ended_at: float | None = None


# Answers to requests that start nothing


def no_repository(command: str = COMMAND) -> str:
    """Nothing says which repository to work on."""
    return f"Which repository? Add `repo=owner/name`, or set one for this channel with `{command} repo owner/name`."


def help_text(repo: str | None, command: str = COMMAND, readme: str | None = None) -> str:
    """How to use the bot, in at most 20 lines; ``repo`` is the channel's, ``readme`` an address to point to."""
    where = f"This channel works on {code(repo)}." if repo else "This channel has no repository yet."
    setting = code(f"{command} repo {repo or 'acme/web'}")
    option = "" if repo else "repo=acme/web "
    more = f"<{readme}|README>" if readme else "README; whoever set me up here has it"
    return "\n".join(
        (
            f"Ask a coding agent to work on a repository. {where}",
            "",
            f"`{command} {option}Fix the flaky login test`: start a run, and watch it here",
            f"`{command} {option}branch=dev model=haiku Update the changelog`: choose the branch and the model",
            f"{setting}: set this channel's repository",
            f"`{command} settings`: your own repository, branch and model, and whether I mention you",
            f"`{command} status` and `{command} stop`: see what is running here, and stop it",
            f"`{command} retry r-7k2m`: run the same request again",
            "Several tasks at once, one line for each:",
            f"```{command} {option}parallel\ntests: Add unit tests for the parser\ndocs: Describe the settings```",
            "Reply in a run's thread to go on from there; `stop` there stops it; `!aside …` is not for me.",
            f"Mentioning me or writing me directly works like `{command}`; `{command}` alone opens a form.",
            f"Everything else is in the {more}.",
        )
    )


def not_in_channel(request: str, bot: str | None = None) -> str:
    """The bot can't post where it was asked; ``bot`` is its own user id, as far as it is known."""
    invited = f"<@{bot}>" if bot and is_user_id(bot) else "@code"
    return f"I'm not in this channel. `/invite {invited}` and try again: your request was:\n{code_block(request)}"


def channel_closed(code: str, channel: str, request: str) -> str:
    """The bot can't post where it was asked; ``code`` is Slack's word for the reason."""
    if code == "is_archived":
        reason = "This channel is archived, so I can't post here. Unarchive it, or ask in another one."
    elif code not in {"not_in_channel", "channel_not_found"}:
        reason = "I'm not allowed to post in this channel. Ask an admin to allow it, or ask in another one."
    elif channel.startswith("D"):
        reason = "I'm not part of this conversation. Write to me directly, or ask in a channel."
    else:
        return not_in_channel(request)
    return with_request(reason, request)


_DENIED = MappingProxyType(
    {
        Denied.BOT: "Apps and bots can't start runs here. Ask a member of the workspace.",
        Denied.DEACTIVATED: "This account is deactivated, so it can't start runs. Ask a member of the workspace.",
        Denied.STRANGER: "People of other organisations can't start runs here. Ask a member of the workspace.",
        Denied.GUEST: "Guests can't start runs here. Ask a member of the workspace.",
        Denied.USER: "You are not among the people who may start runs. An admin can add you to `ALLOWED_USERS`.",
        Denied.CHANNEL: "Runs can't be started in this channel. Use another one, or ask an admin to add this one to `ALLOWED_CHANNELS`.",
    }
)


def denied(reason: Denied, repo: str | None = None) -> str:
    """Why this person may not start, continue or stop runs here."""
    which = code(repo, 140) if repo else "This repository"
    refusal = (
        f"{which} is not open to runs here. An admin can add it to `ALLOWED_REPOS`. Nothing was started."
    )
    return _DENIED.get(reason, refusal)


def limited(limit: Exceeded, most: int) -> str:
    """There is no room for another run; ``most`` is the limit."""
    runs = plural(most, "run")
    match limit:
        case Exceeded.USER:
            return f"You have {runs} waiting or running already, as many as one may have at once. Stop one, or wait for its end."
        case Exceeded.CHANNEL:
            return f"This channel has {runs} waiting or running already, as many as it may have at once. Try again when one has ended."
        case Exceeded.DAY:
            return f"You have begun {runs} within 24 hours, as many as one may. Try again later, or ask an admin to raise `MAX_RUNS_PER_DAY`."


def unknown_person() -> str:
    """Slack would not say who is asking, so that they can't be let in."""
    return "I can't find out from Slack who you are right now, so I can't do this for you. Try again in a minute."


def with_request(refusal: str, request: str) -> str:
    """A refusal that gives back what was typed."""
    return f"{refusal} {_NOT_STARTED}\n{code_block(request)}"


def cannot_post(request: str) -> str:
    """Slack did not take the run's first message."""
    return with_request("Slack didn't let me post here.", request)


def empty_request(command: str = COMMAND) -> str:
    """A mention with nothing else."""
    return (
        f"What should I do? Write it after the mention, or fill in the form. `{command} help` has examples."
    )


def unreadable() -> str:
    """A mistake that can't be quoted, because a secret is what is wrong with it."""
    return f"I can't read this request. `{COMMAND} help` has examples. Nothing was started."


def not_changed(refusal: str) -> str:
    """An edit of a waiting request that can't be taken over; ``refusal`` says why."""
    return f"{refusal.removesuffix(' Nothing was started.')} Your request waits as it was before the edit."


def rerun_offer(run: str) -> str:
    """The request of a running run was edited."""
    return (
        f"You changed your request while {code(run, 40)} works on it. It goes on as it was asked; *{RERUN}* stops it "
        "and starts the changed one."
    )


def edit_mistake(refusal: str) -> str:
    """The request of a running run was edited into one that can't be; ``refusal`` says why."""
    return (
        f"{refusal.removesuffix(' Nothing was started.')} Your run goes on as it was asked before the edit."
    )


def edit_goes_on() -> str:
    """The request of a running run was edited into something that is none, such as `stop`."""
    return "Your run goes on as it was asked: an edit doesn't stop it. Press *Stop* on its message."


def rerunning(old: str, new: str) -> str:
    """*Rerun* was pressed; the old one ends, or has ended already."""
    return f"{code(new, 40)} does what your request says now, in place of {code(old, 40)}."


def already_asked(run: str) -> str:
    """*Rerun* of a request that has been taken on as it reads."""
    return f"{code(run, 40)} was asked just what your request says now. Nothing more was started."


def message_unread() -> str:
    """*Rerun*, while Slack doesn't say what the request's message says."""
    return f"I can't read your request from Slack right now, so nothing was changed. Press *{RERUN}* again in a minute."


def message_gone() -> str:
    """*Rerun* of a request whose message was deleted."""
    return "Your request's message was deleted, so there is nothing to start. Write it anew."


def store_unavailable(request: str) -> str:
    """The database is away."""
    return with_request("I can't start runs right now (database unreachable).", request)


def not_stored_yet(request: str) -> str:
    """The database is slow or away, and nobody knows yet whether the request will be stored."""
    sentence = "The database is slow, so your request is not stored yet. As soon as it is, its message appears; if it can't be, I'll tell you. So that nothing is lost, it was:"
    return f"{sentence}\n{code_block(request)}"


def queue_full(request: str) -> str:
    """As many runs wait as may."""
    sentence = "The queue is full: as many runs wait already as may. Try again when some have ended."
    return with_request(sentence, request) if request.strip() else sentence


def draining(request: str) -> str:
    """The bot is on its way down and takes no new work."""
    sentence = "I'm restarting; try again in a minute."
    return with_request(sentence, request) if request.strip() else sentence


def unexpected(request: str) -> str:
    """Something of ours went wrong behind a request; the log has the rest."""
    sentence = (
        "Something went wrong on my side; an admin finds the reason in my log. "
        f"Before you try again, see `{COMMAND} status`."
    )
    return f"{sentence} Your request was:\n{code_block(request)}" if request.strip() else sentence


def form_same_name(number: int) -> str:
    """Two rows of the form have one name; plain text."""
    return f"Task {number} has this name already: each task needs a name of its own."


def form_unavailable(command: str = COMMAND) -> str:
    """The form could not be opened, most often because Slack's three seconds were over."""
    return f"The form could not be opened. Try again, or write your request after `{command}`."


def run_not_found(run: str, command: str = COMMAND) -> str:
    """No run of that name is known in this workspace."""
    return f"There is no run {code(run, 40)} here. `{command} status` lists the ones there are."


def stopping(run: str) -> str:
    """A stop that was asked for by a command was carried out."""
    return f"Stopped {code(run, 40)}."


def stop_which(runs: Sequence[RunSummary]) -> str:
    """``stop`` where the asker has several runs."""
    return f"Several runs of yours are here. Say which: `{COMMAND} stop RUN`.\n{status(runs)}"


def nothing_running() -> str:
    """There is nothing to stop."""
    return "Nothing is running here."


def nothing_failed() -> str:
    """A *Retry failed* that has nothing to run again."""
    return "No task of this run failed. *Retry* runs all of them again."


def stale_button(state: RunState) -> str:
    """A button of a message that had not yet been updated."""
    if state.ended:
        return f"This run has already ended: {state_word(state)}."
    return f"This run is still going: {state_word(state)}. Stop it first, or wait for its end."


def retried() -> str:
    """A *Retry* of what was retried before."""
    return "This was retried already, so nothing more was started."


def reply_started(state: RunState) -> str:
    """A button of a waiting reply's message, pressed when it waits no more."""
    if state.ended:
        return f"This reply waits no more: {state_word(state)}. Nothing was changed."
    return "This reply has started already, so it waits no more. Press *Stop* on its message to stop it."


def sent_first(free: bool) -> str:
    """A reply was put first, and there was nothing to stop; ``free``: nor is there anything to wait for."""
    if free:
        return "Nothing had to be stopped: this reply is first in its thread, and starts now."
    return (
        "Nothing had to be stopped: nothing else is running in this thread. This reply is first in it now, and starts "
        "as soon as a place is free: too many other runs are going on."
    )


def sent_first_after_end() -> str:
    """A reply was put first where the running one was about to end already."""
    return "Nothing had to be stopped: what ran before this reply is ending already. This one is first, and starts then."


def repo_set(repo: str) -> str:
    """A channel has a repository from now on."""
    return f"This channel now works on {code(repo)}. A request can still say `repo=owner/name`."


def repo_cleared() -> str:
    """A channel has no repository any more."""
    return "This channel has no repository any more. Requests need `repo=owner/name`."


def repo_is(repo: str | None, command: str = COMMAND) -> str:
    """Which repository a channel works on."""
    if repo is None:
        return f"This channel has no repository. Set one with `{command} repo owner/name`."
    return f"This channel works on {code(repo)}. Change it with `{command} repo owner/name`."


def not_offered(word: str, command: str = COMMAND) -> str:
    """A command that this installation has no use for: ``connect`` or ``disconnect``."""
    shown = code(f"{command} {word}", 60)
    match word:
        case "connect" | "disconnect":
            return (
                f"{shown} isn't offered by this installation: runs use the GitHub token that an admin has set, "
                "so there is nothing for you to do."
            )
        case _:
            return f"{shown} isn't offered by this installation. `{command} help` shows what is."


def status(runs: Sequence[RunSummary], more: int = 0) -> str:
    """What is running or waiting here, one line for each; ``more`` are known but not listed."""
    if not runs:
        return nothing_running()
    lines = [_summary(run) for run in runs]
    return "\n".join([*lines, more_runs(more)] if more else lines)


def more_runs(count: int) -> str:
    """How many a list leaves out."""
    return f"… and {count} more"


def _summary(run: RunSummary) -> str:
    parts = [
        f"*{state_word(run.state, run.position)}*",
        clock(run.elapsed) if run.elapsed is not None else "",
        code(run.run, 40),
        inert(run.repo or "", 80),
        mention(run.requester),
        code(run.prompt, 60) if run.prompt.strip() else "",
        f"<{escape(run.link)}|Open>" if run.link else "",
    ]
    return " · ".join(part for part in parts if part)


def load(running: int, waiting: int) -> str:
    """How much is going on in a workspace."""
    return f"In this workspace: {running} running, {waiting} waiting."


def settings(
    repo: str | None, branch: str | None, model: str | None, default_repo: str | None, notify: bool
) -> str:
    """A person's defaults; ``default_repo`` is the installation's, which stands in for theirs."""
    fallback = f"none of your own; {code(default_repo)} is used" if default_repo else "none of your own"
    return "\n".join(
        (
            f"Repository: {code(repo) if repo else fallback}",
            f"Branch: {code(branch) if branch else 'the default one'}",
            f"Model: {code(model) if model else 'no preference'}",
            f"Mention at the end of a long run: {'on' if notify else 'off'}",
            "What a request, its thread or its channel says comes before these.",
        )
    )


def settings_saved() -> str:
    """The settings form was submitted and stored."""
    return "Saved. These are your defaults from now on."


def settings_not_saved() -> str:
    """It was submitted, and could not be stored."""
    return (
        "Your defaults could not be saved (database unreachable). Nothing has changed; try again in a minute."
    )


def settings_unavailable() -> str:
    """The settings form could not be opened."""
    return "Your defaults can't be shown right now. Try again in a minute."


def home_unavailable() -> str:
    """What stands on the home tab while the database is away."""
    return "I can't read the runs right now (database unreachable). This page comes back by itself."


def press_failed() -> str:
    """A button did nothing, because the database is away."""
    return "That didn't work (database unreachable). Try again in a minute."


def home_idle() -> str:
    """Nothing of this person's is running or waiting."""
    return "Nothing of yours is running or waiting."


def how_to_begin(repo: str | None, command: str = COMMAND) -> str:
    """Three lines for someone who has not had a run yet; ``repo`` is the one that a request may leave out."""
    option = "" if repo else "repo=acme/web "
    return "\n".join(
        (
            f"In a channel, write {code(f'{command} {option}Fix the flaky login test')}, and watch it there.",
            "Reply in its thread to go on from there, or press *Stop*.",
            f"Set your own repository and branch below; `{command} help` shows the rest.",
        )
    )


def suggestions(repo: str | None) -> tuple[tuple[str, str], ...]:
    """Up to four prompts to begin with in a direct message: what the button says, and what it sends. Plain text."""
    help_ = ("What can I ask?", "help")
    if repo is None:
        return (("Choose my repository", "settings"), ("What is running?", "status"), help_)
    where = one_line(repo, 50)
    return (
        (f"Explain {where}", "Explain how this repository is organised, and where a newcomer begins to read"),
        (f"Find a bug in {where}", "Find a bug in this repository, and fix it with a test that shows it"),
        (f"Add a test to {where}", "Find an important part that no test covers, and add tests for it"),
        help_,
    )


def muted() -> str:
    """``mute`` in a thread."""
    return "Muted. In this thread I answer only to mentions, until someone writes `unmute`."


def unmuted() -> str:
    """``unmute`` in a thread."""
    return "Unmuted. Replies in this thread continue the conversation again."


# How runs and tasks end


def refused(reason: Refusal, detail: str = "") -> str:
    """The service refused the request; ``detail`` is its own words."""
    said = _quoted(detail)
    match reason:
        case Refusal.KEY:
            return (
                f"Cloud Coding refused the API key. An admin can set `CLOUDCODING_API_KEY` and restart.{said}"
            )
        case Refusal.CREDIT:
            return f"The Cloud Coding account is out of credit. An admin can top it up; then retry.{said}"
        case Refusal.REQUEST:
            return (
                "Cloud Coding refused this request. Check the repository and the branch, and that the GitHub token "
                f"may use them; then retry.{said}"
            )


def busy(http_status: int | None) -> str:
    """The service could not take the request, however often it was asked."""
    why = f"HTTP {http_status}" if http_status is not None else "no connection"
    return (
        f"Cloud Coding is not answering right now ({why}). Nothing was started; try again in a few minutes."
    )


def cut(seconds: float) -> str:
    """The stream broke after it had begun."""
    return f"The connection was lost after {duration(seconds)}. What had arrived is above. {_BRANCH_FIRST}"


def process_died() -> str:
    """The bot's process ended while the run was going."""
    return f"The bot was interrupted while this ran. What had arrived is above. {_BRANCH_FIRST}"


def shut_down() -> str:
    """The bot was restarted, and the run was still going when its time was over."""
    return f"The bot was restarted while this ran. What had arrived is above. {_BRANCH_FIRST}"


def held() -> str:
    """On a reply that waited for a run whose process died: nobody knows how far that came."""
    return "Waits: the run before it was interrupted. Look at the branch, then retry that run, send this now, or drop it."


def stopped_by(user: str) -> str:
    """Someone stopped the run."""
    return f"Stopped by {mention(user)}."


def stopped_for_change(user: str) -> str:
    """Someone changed their request, and had it started anew."""
    return f"Stopped by {mention(user)} to start the changed request."


def stopped_for_reply(user: str) -> str:
    """Someone stopped the run because a waiting reply was more urgent."""
    return f"Stopped by {mention(user)} to send a newer reply."


def put_first_by(user: str) -> str:
    """On a reply that waits, and that someone put before the others."""
    return f"Put first by {mention(user)}."


def dropped_by(user: str) -> str:
    """Someone took a waiting reply back, with its button."""
    return f"Dropped by {mention(user)} before it began."


def task_stopped_by(user: str) -> str:
    """Someone stopped one task of several."""
    return (
        f"Stopped by {mention(user)}. Its output is hidden from now on; the service runs all tasks in one stream, "
        "so the agent may go on with it until the others are done."
    )


def task_over() -> str:
    """A stop of a task that has already ended."""
    return "This task has already ended; the others are still going."


def dropped(user: str) -> str:
    """A waiting reply that a stop took off the queue."""
    return f"Stopped by {mention(user)} before it began. Reply again to ask for it."


def taken_back() -> str:
    """A waiting request whose message was deleted."""
    return "The message that asked for this was deleted, so it was not started."


def task_failed(text: str = "") -> str:
    """The service reported an error of one task; the others go on."""
    return f"This task failed.{_quoted(text)}"


def run_failed(text: str = "") -> str:
    """The service reported an error of the whole run."""
    return f"Cloud Coding reported an error. Look at the branch, then retry.{_quoted(text)}"


def output_dropped(task: str) -> str:
    """More output came than is kept."""
    return f"{code(task, 60)} wrote more than is kept: its log has the beginning and the end, and says how much is left out."


def store_away() -> str:
    """The run could not be begun for want of the database."""
    return "I couldn't read this conversation (database unreachable). Nothing was sent; retry in a minute."


def log_not_attached(task: str) -> str:
    """Slack did not take the complete output."""
    return f"The complete output of {code(task, 60)} could not be attached here. An admin finds the reason in the bot's log."


def pushed(text: str) -> str:
    """What the service said of its push to the repository."""
    return f"Pushed: {inert(text, 300)}"


def finished(user: str, repo: str | None, state: RunState, seconds: float) -> str:
    """The new message at the end of a long run, which notifies its user."""
    run = f"{mention(user)} your run in {inert(repo)}" if repo else f"{mention(user)} your run"
    took = duration(seconds)
    match state:
        case RunState.FAILED:
            return f"{run} failed after {took}. The first message of this thread says why."
        case RunState.STOPPED:
            return f"{run} was stopped after {took}."
        case RunState.INTERRUPTED:
            return f"{run} was interrupted after {took}. Look at the branch before you retry."
        case _:
            return f"{run} is done in {took}."


def _quoted(text: str) -> str:
    """What the other side said, shortened, as a sentence of its own; nothing where it said nothing."""
    said = one_line(text, 300)
    return f" It said: {code(said, 300)}" if said else ""
