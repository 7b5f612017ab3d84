"""What the agent can do. Each job shows its work on the screen and returns what it found, as Markdown."""

import ast
import re
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from bot.simulator.agent.tiny.repository import Source, git, python_sources, sources
from bot.simulator.agent.tiny.screen import BOLD, CYAN, DIM, GREEN, RED, YELLOW, Screen
from bot.simulator.agent.tiny.trials import run_tests

ROUNDS = 600  # of keeping watch, about a second each

_SHOWN = 12
_MARK = re.compile(r"(?:#|//|/\*|<!--|--|;|\bdnl)\s*.{0,40}?\b(TODO|FIXME|XXX|HACK)\b.*")


@dataclass(frozen=True, slots=True)
class Job:
    """A kind of work, and the words of a prompt that ask for it."""

    words: re.Pattern[str]
    work: Callable[[Screen], str]


def chosen(prompt: str) -> list[Callable[[Screen], str]]:
    """The work that the prompt's words ask for, or a look around where they ask for nothing known."""
    found = [job.work for job in _JOBS if job.words.search(prompt)]
    return found or [history, size]


def history(screen: Screen) -> str:
    """Who has done what, and when."""
    screen.title("History")
    authors = Counter(filter(None, git("log", "--format=%an").split("\n")))
    if not authors:
        screen.say(f"{YELLOW}There are no commits.")
        return "**History:** there are no commits."
    for line in git(
        "log", "--color=always", "--format=%C(yellow)%h%C(reset) %s %C(dim)%ar", f"-{_SHOWN}"
    ).splitlines():
        screen.say(line)
        screen.pause(0.12)
    total, most = authors.total(), max(authors.values())
    for name, commits in authors.most_common(5):
        screen.chart(name[:16], commits, most)
    newest, oldest = git("log", "-1", "--format=%cs").strip(), git("log", "--format=%cs").split()[-1]
    last = git("log", "-1", "--format=%s").strip()
    people = ", ".join(f"{name} ({commits})" for name, commits in authors.most_common(3))
    return (
        f"**History:** {_count(total, 'commit')} by {_count(len(authors), 'author')} between {oldest} and {newest}: "
        f"{people}. The last one: “{last}”."
    )


def size(screen: Screen) -> str:
    """Files and lines by language."""
    screen.title("Files and lines")
    lines: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for source in screen.progress("counting", sources(), 2.5):
        lines[source.language] += source.lines
        files[source.language] += 1
    most = max(lines.values(), default=0)
    for language, count in lines.most_common(8):
        screen.chart(language, count, most)
    listed = "\n".join(
        f"- {language}: {count:,} lines in {_count(files[language], 'file')}"
        for language, count in lines.most_common(6)
    )
    return f"**Size:** {lines.total():,} lines in {_count(files.total(), 'text file')}.\n{listed}"


def unfinished(screen: Screen) -> str:
    """Notes that people left for later."""
    screen.title("Notes left for later")
    found: list[str] = []
    for source in screen.progress("searching", sources(), 2.5):
        for number, line in enumerate(source.text.splitlines(), start=1):
            if match := _MARK.search(line):
                found.append(f"{source.path}:{number}: {match[0][:100]}")
    for line in found[:_SHOWN]:
        place, _, note = line.partition(": ")
        screen.say(f"{CYAN}{place}{DIM}: {YELLOW}{note}")
        screen.pause(0.1)
    if not found:
        screen.say(f"{GREEN}No TODO, FIXME, XXX or HACK anywhere.")
        return "**Left for later:** no `TODO`, `FIXME`, `XXX` or `HACK` anywhere."
    listed = "\n".join(f"- `{line.replace('`', ' ')}`" for line in found[:5])
    return f"**Left for later:** {_count(len(found), 'note')}.\n{listed}"


def compiling(screen: Screen) -> str:
    """Whether every Python file is one."""
    screen.title("Compiling")
    files = python_sources()
    broken = _compile(screen, files, 4.0)
    for line in broken[:_SHOWN]:
        screen.say(f"{RED}✘ {line}")
    if not broken:
        screen.say(f"{GREEN}✔ {_count(len(files), 'module')} compiled")
        return f"**Compiling:** all {len(files)} Python files compile."
    listed = "\n".join(f"- `{line.replace('`', ' ')}`" for line in broken[:5])
    return f"**Compiling:** {len(broken)} of {len(files)} Python files do not compile.\n{listed}"


def longest(screen: Screen) -> str:
    """Where the code is largest."""
    screen.title("Largest modules and longest functions")
    files = python_sources()
    functions: Counter[str] = Counter()
    for source in screen.progress("reading", files, 2.5):
        functions |= _functions(source)
    modules = Counter({source.path: source.lines for source in files}).most_common(6)
    for path, lines in modules:
        screen.say(f"{BOLD}{lines:>6}{DIM} lines  {CYAN}{path}")
        screen.pause(0.15)
    for name, lines in functions.most_common(6):
        screen.say(f"{BOLD}{lines:>6}{DIM} lines  {YELLOW}{name}")
        screen.pause(0.15)
    if not modules:
        return "**Largest modules:** there is no Python here."
    listed = "\n".join(f"- `{path}`: {lines:,} lines" for path, lines in modules)
    worst = "".join(
        f" The longest function is `{name}` ({lines} lines)." for name, lines in functions.most_common(1)
    )
    return f"**Largest modules:**\n{listed}\n\n{worst.strip()}".strip()


def watch(screen: Screen) -> str:
    """Compile again and again, until someone stops it."""
    screen.title("Keeping watch: stop me when you have seen enough")
    patient = Screen(max(screen.pace, 0.2))
    for number in range(1, ROUNDS + 1):
        files = python_sources()
        broken = _compile(patient, files, 1.5)
        verdict = f"{RED}{len(broken)} broken" if broken else f"{GREEN}all {len(files)} modules compile"
        screen.say(f"round {number}: {verdict}")
        patient.pause(1.0)
    return f"**Watch:** {ROUNDS} rounds, and nobody stopped me."


def _compile(screen: Screen, files: list[Source], seconds: float) -> list[str]:
    broken = []
    for source in screen.progress("compiling", files, seconds):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                compile(source.text, source.path, "exec", dont_inherit=True)
        except (SyntaxError, ValueError) as error:
            broken.append(
                f"{source.path}:{getattr(error, 'lineno', None) or 1}: {getattr(error, 'msg', error)}"
            )
    return broken


def _functions(source: Source) -> Counter[str]:
    """The lengths in lines of its functions."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text)
    except (SyntaxError, ValueError):
        return Counter()
    return Counter(
        {
            f"{source.path}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    )


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _words(*words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)


_JOBS = (
    Job(_words("history", "log", "commits?", "authors?", "who", "changed", "changes"), history),
    Job(_words("size", "count", "lines", "languages?", "statistics", "stats", "overview", "survey"), size),
    Job(_words("todos?", "fixmes?", "hacks?", "unfinished", "leftovers?"), unfinished),
    Job(_words("compiles?", "syntax", "check", "lint", "valid"), compiling),
    Job(_words("largest", "biggest", "longest", "large", "long", "complex"), longest),
    Job(_words("tests?", "testing", "pytest"), run_tests),
    Job(_words("watch", "monitor", "keep an eye"), watch),
)
