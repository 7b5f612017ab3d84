"""What goes along with a run's prompt: the thread that it was asked in, and the files of its message."""

import structlog

from bot.core import quoting
from bot.errors import SlackError
from bot.model import Attachment
from bot.runs.board import thread_of
from bot.runs.ports import Messenger
from bot.store.records import Run

log = structlog.get_logger("bot.context")


async def context_of(messenger: Messenger, run: Run) -> list[str]:
    """The parts that belong below the prompt. What can't be had is said in them, and holds nothing up."""
    return [await _thread(messenger, run), *await _files(messenger, run.invocation.attachments)]


async def _thread(messenger: Messenger, run: Run) -> str:
    """The earlier messages, where the run begins a conversation in a thread that people had begun."""
    if not run.in_thread or run.turn > 1 or run.request_ts is None:
        return ""
    try:
        said = await messenger.earlier(thread_of(run), run.request_ts, quoting.THREAD_MESSAGES)
    except SlackError as error:
        log.warning("context.thread_not_read", error=str(error))
        return ""
    return quoting.thread(said)


async def _files(messenger: Messenger, attachments: tuple[Attachment, ...]) -> list[str]:
    parts, room = [], quoting.FILES_BYTES
    for attachment in attachments:
        part, used = await _file(messenger, attachment, min(room, quoting.FILE_BYTES))
        room -= used
        parts.append(part)
    return parts


async def _file(messenger: Messenger, attachment: Attachment, most: int) -> tuple[str, int]:
    """One file's part of the prompt, and how many bytes of it were handed on."""
    name = attachment.name or "unnamed"
    if attachment.mimetype.startswith("image/"):
        return quoting.unread(name, "it is an image", attachment.url), 0
    if attachment.size > most:
        return quoting.unread(name, f"it is larger than {most // 1024} KiB"), 0
    try:
        content = await messenger.download(attachment.url, most)
        return quoting.file(name, content), len(content)
    except SlackError as error:
        log.warning("context.file_not_read", error=str(error))
        return quoting.unread(name, "it could not be read from Slack"), 0
    except ValueError:
        return quoting.unread(name, "it is not a text file"), 0
