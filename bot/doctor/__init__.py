"""``python -m bot doctor``: whether all that the bot needs is there, a line for each thing, nothing changed by it."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import aiohttp

from bot.clock import Clock
from bot.core.redact import Secrets
from bot.doctor.address import ABOUT, request_url
from bot.doctor.finding import Examination, Finding, Verdict, ok, unknown, wrong
from bot.doctor.github import github
from bot.doctor.machine import database, port
from bot.doctor.service import service
from bot.doctor.slack import app_token, bot_token
from bot.errors import SettingsError
from bot.settings import Settings, load

PATIENCE = 5.0  # seconds
_LEEWAY = 1.0  # seconds in which a check can say itself that it waited in vain


async def examine(
    settings: Settings, clock: Clock | None = None, patience: float = PATIENCE
) -> list[Finding]:
    """Check all at once; the findings are always in the same order.

    Each check waits ``patience`` seconds for an answer; altogether it takes hardly longer than that.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        examination = Examination(settings, session, clock or Clock(), patience)
        found = await asyncio.gather(
            _guarded("database", database(examination), patience),
            _guarded("Slack", bot_token(examination), patience),
            _guarded("Slack's events", app_token(examination), patience),
            _guarded("Cloud Coding", service(examination), patience),
            _guarded("GitHub", github(examination), patience),
            _guarded("port", port(examination), patience),
            _guarded(ABOUT, request_url(examination), patience),
        )
    return [finding for findings in found for finding in findings]


async def _guarded(about: str, check: Coroutine[Any, Any, list[Finding]], patience: float) -> list[Finding]:
    try:
        async with asyncio.timeout(patience + _LEEWAY):
            return await check
    except TimeoutError:
        return [wrong(about, "did not answer in time.")]
    except Exception as error:  # noqa: BLE001  whatever goes wrong is a line, never a traceback
        return [wrong(about, f"the check itself failed ({type(error).__name__}): please report this.")]


def doctor(env_file: Path | str | None = ".env") -> int:
    """Print a line for each finding; returns the exit status, 1 if anything is wrong."""
    logging.disable()  # libraries' warnings would stand between the lines
    redact: Callable[[str], str] = str
    try:
        settings = load(env_file)
    except SettingsError as error:
        findings = [wrong("settings", problem) for problem in error.problems]
        findings.append(unknown("all else", "put the settings right first."))
    else:
        redact = Secrets(settings.secret_values()).redact
        findings = [ok("settings", "all are complete and well-formed.")]
        findings += in_a_loop(examine(settings))
    for finding in findings:
        print(redact(str(finding)))  # noqa: T201  the command's output
    return int(any(finding.verdict is Verdict.WRONG for finding in findings))


def in_a_loop(examination: Coroutine[Any, Any, list[Finding]]) -> list[Finding]:
    """Run it; threads that it gave up waiting for don't keep the process from ending."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(_Forsaken())
        return runner.run(examination)


class _Forsaken(ThreadPoolExecutor):
    """Threads that nobody waits for, such as the look-up of a name, which can take longer than anybody's patience."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call ``fn`` in a thread of its own, which does not keep the process from ending."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # so that its result may come after everybody has gone

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001  handed to whoever asks for the result
                future.set_exception(error)

        Thread(target=work, daemon=True).start()
        return future
