"""Answers to commands and presses: to the one who asked, and to all for whom something changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.core.durations import clock
from bot.core.run import RunState
from bot.core.text import code, escape, inert, one_line
from bot.words.labels import COMMAND, mention, state_word


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
