"""What a run's own messages say: how it and its tasks ended, and what happened to them meanwhile."""

from bot.core.durations import duration
from bot.core.run import RunState
from bot.core.text import code, inert, one_line
from bot.errors import Refusal
from bot.words.labels import mention

_BRANCH_FIRST = "The agent may have gone on and pushed: look at the branch before you retry."


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
