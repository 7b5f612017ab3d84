"""The bot's log: one line for each event, on standard output, without secrets and without tracebacks.

Events have dotted names (``run.started``) and key-value pairs. What libraries log through the standard library
comes out in the same form, from warnings on: below that they repeat requests with their bodies. Whatever goes
wrong while logging is dropped: a log that can't be written must not stop the bot.
"""

import json
import logging
import math
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from traceback import walk_tb
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.contextvars import merge_contextvars
from structlog.stdlib import BoundLogger, ProcessorFormatter

Scrub = Callable[[str], str]
Event = MutableMapping[str, Any]

LONGEST = 2000  # characters of one text
LONGEST_WORD, WORDS = (
    24,
    1000,
)  # characters of keys, events and ids, which come again and again; so many are remembered
_LONGEST_ERROR = 500
_FRAMES = 5
_CAUSES = 3
_DEPTH = 6

_STACK = re.compile(r"Traceback \(most recent call last\):?(?:\n[ \t|+][^\n]*)*\n?")
_COLOURS = {
    "debug": "\x1b[2m",
    "info": "\x1b[32m",
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31m",
}
_PLAIN = "\x1b[0m"


def get_logger(name: str) -> BoundLogger:
    """The logger of a module; ``name`` begins with ``bot.``."""
    return structlog.stdlib.get_logger(name)


def configure(level: str, fmt: str | None, scrub: Scrub, stream: TextIO | None = None) -> None:
    """Log from ``level`` on, as ``console`` or ``json`` (``None``: as suits ``stream``, standard output by default).

    Every text goes through ``scrub`` on its way, which takes the secrets out.
    """
    stream = stream or sys.stdout
    terminal = _is_terminal(stream)
    console = fmt == "console" or (fmt is None and terminal)
    handler = _Output(stream)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[
                _from_record,
                merge_contextvars,
                _compact_error,
                _Cleaner(scrub),
                _Console(stream, colours=terminal) if console else _as_json,
            ]
        )
    )
    threshold = logging.getLevelNamesMapping()[level.upper()]
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))
    logging.getLogger("bot").setLevel(threshold)
    logging.raiseExceptions = False
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=BoundLogger,
    )


def report_uncaught() -> None:
    """Log what nothing caught (in the main thread, in others, in a destructor) where Python prints tracebacks."""
    log = get_logger("bot.uncaught")

    def uncaught(_kind: type[BaseException], error: BaseException, _traceback: TracebackType | None) -> None:
        log.critical("bot.crashed", exc_info=error)

    def uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            log.error(
                "thread.crashed", thread=args.thread.name if args.thread else None, exc_info=args.exc_value
            )

    def unraisable(args: "sys.UnraisableHookArgs") -> None:
        log.error("cleanup.failed", source=repr(args.object), exc_info=args.exc_value)

    sys.excepthook = uncaught
    threading.excepthook = uncaught_in_thread
    sys.unraisablehook = unraisable


class _Output(logging.StreamHandler[TextIO]):
    """Writes lines, and bears it where nobody reads them."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's own name
        """Drop the line; once a pipe's reader has gone, write to nowhere, also what is flushed at the exit."""
        del record
        if isinstance(sys.exc_info()[1], BrokenPipeError):
            try:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.stream.fileno())
                os.close(nowhere)
            except (OSError, ValueError):
                self.stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  lives as long as the process


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # it is closed
        return False


def _from_record(_logger: Any, _method: str, event: Event) -> Event:
    """What every line has, in its order, from the standard library's record."""
    record: logging.LogRecord = event.pop("_record")
    del event["_from_structlog"]
    return {
        "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname.lower(),
        "event": event.pop("event", ""),
        "logger": record.name,
        **{key: value for key, value in event.items() if key not in {"timestamp", "level", "logger"}},
    }


def _compact_error(_logger: Any, _method: str, event: Event) -> Event:
    """An exception as ``error`` and ``where``, each on one line."""
    event.pop("stack_info", None)
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else None
    if info is True:
        error = sys.exc_info()[1]
    if error is not None:
        event.setdefault("error", _described(error))
        if where := _where(error):
            event["where"] = where
    return event


def _described(error: BaseException) -> str:
    """``Type: message``, with what it was raised from, or with the first errors of a group."""
    parts: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(parts) < _CAUSES:
        message = _STACK.sub("", _told(cause, str))
        text = f"{type(cause).__name__}: {message}" if message else type(cause).__name__
        if isinstance(cause, BaseExceptionGroup):
            text += f" [{'; '.join(map(_described, cause.exceptions[:_CAUSES]))}]"
        parts.append(text)
        cause = cause.__cause__
    return " from ".join(parts)


def _where(error: BaseException) -> str:
    """The innermost frames, outermost first: ``client.py:12 in send > socket.py:30 in write``."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = deque(walk_tb(error.__traceback__), maxlen=_FRAMES)
    return " > ".join(
        f"{os.path.basename(frame.f_code.co_filename)}:{line} in {frame.f_code.co_name}"  # noqa: PTH119  no path needed
        for frame, line in frames
    )


def _told(value: object, by: Callable[[object], str]) -> str:
    """``str`` or ``repr`` of something whose own method may fail."""
    try:
        return by(value)
    except Exception:  # noqa: BLE001  a broken __repr__ may raise anything
        return f"<{type(value).__name__}>"


class _Cleaner:
    """Makes an event of plain values, with every text scrubbed, on one line and of bearable length."""

    def __init__(self, scrub: Scrub) -> None:
        self._scrub = scrub
        self._word = lru_cache(maxsize=WORDS)(self._cleaned)

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        longest = {"error": _LONGEST_ERROR}
        return {
            self._text(str(key)): self._clean(value, longest.get(key, LONGEST))
            for key, value in event.items()
        }

    def _clean(self, value: Any, longest: int, depth: int = _DEPTH) -> Any:
        if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
            return value
        if isinstance(value, str):
            return self._text(value, longest)
        if depth and isinstance(value, Mapping):
            return {
                self._text(_told(key, str)): self._clean(item, longest, depth - 1)
                for key, item in value.items()
            }
        if depth and isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item, longest, depth - 1) for item in value]
        text = _described(value) if isinstance(value, BaseException) else _told(value, repr)
        return self._text(text, longest)

    def _text(self, text: str, longest: int = LONGEST) -> str:
        text = self._word(text) if len(text) <= LONGEST_WORD else self._cleaned(text)
        return text if len(text) <= longest else f"{text[:longest]}…"

    def _cleaned(self, text: str) -> str:
        return " ".join(self._scrub(_STACK.sub("", text)).splitlines())


def _as_json(_logger: Any, _method: str, event: Event) -> str:
    """One JSON object, in ASCII so that no terminal's or collector's encoding matters."""
    return json.dumps(event)


class _Console:
    """Short lines for people: time, level, event, and what belongs to it."""

    def __init__(self, stream: TextIO, *, colours: bool) -> None:
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._colours = colours

    def __call__(self, _logger: Any, _method: str, event: Event) -> str:
        time = datetime.fromisoformat(event.pop("timestamp")).astimezone().strftime("%H:%M:%S")
        level = event.pop("level")
        name = "".join(char if char.isprintable() else " " for char in str(event.pop("event")))
        logger = event.pop("logger")
        if not logger.startswith("bot"):
            event["logger"] = logger
        pairs = "".join(f" {_shown(key)}={_shown(value)}" for key, value in event.items())
        if self._colours:
            line = f"\x1b[2m{time}{_PLAIN} {_COLOURS.get(level, '')}{level:<7}{_PLAIN} \x1b[1m{name}{_PLAIN}{pairs}"
        else:
            line = f"{time} {level:<7} {name}{pairs}"
        return line.encode(self._encoding, "backslashreplace").decode(self._encoding)


def _shown(value: Any) -> str:
    """A value on the console: quoted where it has spaces, and never with control characters."""
    if isinstance(value, str):
        return value if value and value.isprintable() and " " not in value else repr(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
