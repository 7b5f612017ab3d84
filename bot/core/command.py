"""What people write to the bot: text in, one of a few commands out.

The parts of the grammar live beside this module: Slack's own notation in ``slacktext``, ``key=value`` in
``options``, the lines after ``parallel`` in ``tasks``.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from bot.core import options, tasks
from bot.core.options import InputError, quoted
from bot.core.slacktext import plain
from bot.model import Invocation


class Word(StrEnum):
    """The whole-text commands: words that are commands where the text has nothing else."""

    HELP = "help"
    STATUS = "status"
    STOP = "stop"
    RETRY = "retry"
    REPO = "repo"
    SETTINGS = "settings"
    CONNECT = "connect"
    DISCONNECT = "disconnect"


@dataclass(frozen=True, slots=True)
class WholeTextCommand:
    """One of these words. ``argument`` is a run's id (``stop``, ``retry``), or ``owner/name`` or ``none`` (``repo``)."""

    word: Word
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class EmptyRequest:
    """Nothing but the command or the mention: the form is wanted."""


@dataclass(frozen=True, slots=True)
class UsageError:
    """A mistake, for the user alone. ``message`` is mrkdwn, escaped, and ends with "Nothing was started."."""

    message: str


@dataclass(frozen=True, slots=True)
class StopReply:
    """``stop`` or ``cancel`` alone in a thread: its running one, and what waits."""


@dataclass(frozen=True, slots=True)
class Aside:
    """``!aside …``: people among themselves."""


@dataclass(frozen=True, slots=True)
class Mute:
    """From now on only mentions are for the bot in this thread."""


@dataclass(frozen=True, slots=True)
class Unmute:
    """The end of ``mute``."""


@dataclass(frozen=True, slots=True)
class TaskReply:
    """``name: text`` in a parallel run's thread: that task alone goes on. ``invocation`` has no tasks."""

    name: str
    invocation: Invocation


Command = Invocation | WholeTextCommand | EmptyRequest | UsageError
ReplyCommand = Command | TaskReply | StopReply | Aside | Mute | Unmute

_WORDS = {word.value: word for word in Word} | {"cancel": Word.STOP}
_THREAD_WORDS: dict[str, StopReply | Mute | Unmute] = {
    "stop": StopReply(),
    "cancel": StopReply(),
    "mute": Mute(),
    "unmute": Unmute(),
}
_RUN = re.compile(r"r-[0-9a-z]{4,8}")
_ASIDE = re.compile(r"\s*!aside\b", re.IGNORECASE)
_PARALLEL = re.compile(r"\s*parallel:?(?=\s|\Z)", re.IGNORECASE)
_PUNCTUATION = "!?. "  # "stop!" and "status?" are the words alone


def parse(text: str) -> Command:
    """What a slash command, a mention or a direct message asks for.

    ``text`` is Slack's raw text after the command or without the mention (``slacktext.without_mention``); it
    is made plain here, exactly once. Prompts come back as they were written, without options and without
    white space around them. Any text has an answer: mistakes are a ``UsageError``.
    """
    text = plain(text)
    try:
        return _asked(text)
    except InputError as error:
        return _usage_error(error)


def parse_reply(text: str, task_names: Collection[str] = ()) -> ReplyCommand:
    """What a reply in a run's thread asks for; ``task_names`` are those of a parallel run.

    The grammar is ``parse``'s, with the thread's own words first. A single word is likelier an answer to the
    agent than a command: of the whole-text ones only ``help``, ``status`` and those with a run's id count.
    """
    text = plain(text)
    try:
        return _replied(text, task_names)
    except InputError as error:
        return _usage_error(error)


def _asked(text: str) -> Command:
    if not text.strip():
        return EmptyRequest()
    command = _whole_text(text)
    return _invocation(text) if command is None else _checked(command)


def _replied(text: str, task_names: Collection[str]) -> ReplyCommand:
    if not text.strip():
        return EmptyRequest()
    if word := _THREAD_WORDS.get(_alone(text)):
        return word
    if _ASIDE.match(text):
        return Aside()
    if to_task := tasks.split_name(text, task_names):
        name, prompt = to_task
        return TaskReply(name, _single(prompt))
    command = _whole_text(text)
    if command is not None and (
        command.word in {Word.HELP, Word.STATUS} or (command.word is not Word.REPO and command.argument)
    ):
        return command
    return _invocation(text)


def _alone(text: str) -> str:
    return text.strip().rstrip(_PUNCTUATION).lower()


def _whole_text(text: str) -> WholeTextCommand | None:
    """The whole-text command that ``text`` has the shape of; ``repo``'s argument is as typed."""
    if word := _WORDS.get(_alone(text)):
        return WholeTextCommand(word)
    first, *rest = text.split(maxsplit=2)
    word = _WORDS.get(first.lower())
    if word is None or len(rest) != 1:
        return None
    if word is Word.REPO:
        return WholeTextCommand(word, rest[0])
    run = rest[0].rstrip(_PUNCTUATION).strip("`").lower()
    return WholeTextCommand(word, run) if word in {Word.STOP, Word.RETRY} and _RUN.fullmatch(run) else None


def _checked(command: WholeTextCommand) -> WholeTextCommand:
    match command:
        case WholeTextCommand(Word.RETRY, None):
            raise InputError("`retry` needs the id of a run, which its message shows, like `retry r-7k2m`.")
        case WholeTextCommand(Word.REPO, str(typed)):
            repo = "none" if typed.lower() == "none" else options.as_repository(typed)
            if repo is None:
                raise InputError(
                    f"{quoted(typed)} is not a repository: it needs an owner and a name, like `repo acme/web`; "
                    "`repo none` forgets the channel's."
                )
            return WholeTextCommand(Word.REPO, repo)
    return command


def _invocation(text: str) -> Invocation:
    found = options.find(text)
    head = _PARALLEL.match(text[found.start : found.end])
    if head is None:
        return _single(text)
    after_word = found.start + head.end()
    more = options.find(text[after_word : found.end], trailing=False)
    chosen = options.read((*found.typed, *more.typed))
    return Invocation("", tasks.read(text, after_word + more.start, found.end), chosen)


def _single(text: str) -> Invocation:
    found = options.find(text)
    chosen = options.read(found.typed)
    prompt = text[found.start : found.end].strip()
    if not prompt:
        raise _no_prompt(text, chosen.repo)
    return Invocation(prompt, options=chosen)


def _no_prompt(text: str, repo: str | None) -> InputError:
    example = quoted(f"{text.strip()} Fix the login".strip())
    hint = f" To set the channel's repository, write {quoted(f'repo {repo}')}." if repo else ""
    return InputError(f"The prompt is missing: say what is to be done, like {example}.{hint}")


def _usage_error(error: InputError) -> UsageError:
    return UsageError(f"{str(error).rstrip()} Nothing was started.")
