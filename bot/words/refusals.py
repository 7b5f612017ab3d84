"""Answers to requests that start nothing: why, and what to do. What was typed is given back."""

from types import MappingProxyType

from bot.core.access import Denied, Exceeded
from bot.core.durations import plural
from bot.core.text import code, code_block
from bot.words.labels import COMMAND, RERUN, is_user_id

_NOT_STARTED = "Your request was not started:"


def no_repository(command: str = COMMAND) -> str:
    """Nothing says which repository to work on."""
    return f"Which repository? Add `repo=owner/name`, or set one for this channel with `{command} repo owner/name`."


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
