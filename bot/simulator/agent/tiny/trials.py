"""Running a few of the repository's own tests, within a time limit."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading

from bot.simulator.agent.tiny.repository import python_sources
from bot.simulator.agent.tiny.screen import CYAN, YELLOW, Screen

SECONDS = 20.0
QUICK_SECONDS = 5.0  # where nobody watches
_FILES = 4
_OK, _FAILED = 0, 1  # of pytest's exit statuses
_TEST = re.compile(r"(?:.*/)?(?:test_[^/]*|[^/]*_test)\.py")
_SUMMARY = re.compile(r"\d+ (?:passed|failed|error|skipped).*? in [\d.]+s")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run_tests(screen: Screen) -> str:
    """The smallest of its test files, by pytest if this Python has it."""
    screen.title("Tests")
    names = _quick_ones()
    if not names:
        screen.say(f"{YELLOW}There are no test files here.")
        return "**Tests:** there are no test files here."
    if importlib.util.find_spec("pytest") is None:
        screen.say(f"{YELLOW}pytest is not installed for {sys.executable}.")
        return f"**Tests:** there are test files, such as `{names[0]}`, but pytest is not installed here."
    seconds = SECONDS if screen.pace else QUICK_SECONDS
    command = ["-m", "pytest", "-x", "-v", "--color=yes", "-p", "no:cacheprovider", *names]
    screen.say(f"{CYAN}$ python {' '.join(command)}")
    status, output = _limited(screen, [sys.executable, *command], seconds)
    if status is None:
        screen.say(f"{YELLOW}Stopped after {seconds:.0f} s: that was enough for a quick look.")
        return f"**Tests:** {output.count('PASSED')} passed, then I stopped them after {seconds:.0f} s."
    if status not in {_OK, _FAILED}:
        return f"**Tests:** pytest could not run them (exit status {status})."
    summary = _SUMMARY.findall(output)
    verdict = "They pass" if status == _OK else "**They fail**"
    return f"**Tests:** {verdict} (the {len(names)} smallest test files): {summary[-1] if summary else 'no summary'}."


def _quick_ones() -> list[str]:
    files = [
        source for source in python_sources() if _TEST.fullmatch(source.path) and "def test" in source.text
    ]
    return [source.path for source in sorted(files, key=lambda source: source.lines)[:_FILES]]


def _limited(screen: Screen, command: list[str], seconds: float) -> tuple[int | None, str]:
    """Its exit status, ``None`` where the time was over first, and its output, which is shown as it comes."""
    # The variable that lets this program find its own modules must not lead the tests away from the clone's.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {"PYTHONUNBUFFERED": "1", "COLUMNS": str(shutil.get_terminal_size().columns)}
    over = threading.Event()
    lines: list[str] = []
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None

        def end() -> None:
            over.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.start()
        for line in process.stdout:
            lines.append(line.decode(errors="replace"))
            sys.stdout.write(lines[-1])
            sys.stdout.flush()
            screen.pause(0.05)
        timer.cancel()
    return None if over.is_set() else process.returncode, _COLOURS.sub("", "".join(lines))
