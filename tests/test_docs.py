"""What is written for people agrees with the code: README, ARCHITECTURE, CHANGELOG, .env.example."""

import inspect
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot import __version__
from bot.__main__ import main
from bot.core import options, quoting, tasks
from bot.core.command import StopReply, UsageError, WholeTextCommand, Word, parse, parse_reply
from bot.core.run import RUN_TRANSITIONS, TASK_TRANSITIONS, RunState
from bot.errors import SettingsError
from bot.model import Invocation, Model
from bot.runs.live import CHARS, ROWS
from bot.runs.ports import Reaction
from bot.settings import Settings, load
from bot.simulator.agent.faults import fault_in
from bot.store.output import OutputWriter
from bot.words import labels, replies
from tests.support.cloudcoding import Say
from tests.support.world import world

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
EXAMPLE = ROOT / ".env.example"
NONE = "\u2013"  # how a table says that there is no default
VARIABLES = {name.upper(): field.default for name, field in Settings.model_fields.items()}
HELP_TEXTS = [replies.help_text(None), replies.help_text("acme/api", readme="https://example.com/readme")]


def section(title: str, document: str = README) -> str:
    """What stands under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", document, re.DOTALL | re.MULTILINE)
    assert found, f"no section {title!r}"
    return found[1]


def tables(text: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Every table by its first header, with its rows of cells."""
    for table in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()
        ]
        yield head[0].strip("| "), [[cell.strip("| ") for cell in row] for row in rows]


def table(title: str, header: str, document: str = README) -> list[list[str]]:
    """The rows of the section's table whose first column has that header."""
    (rows,) = (rows for head, rows in tables(section(title, document)) if head == header)
    return rows


def code(text: str) -> list[str]:
    """What stands between single backticks, outside fenced blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def first_code(rows: list[list[str]]) -> list[str]:
    return [code(row[0])[0] for row in rows]


def fenced(text: str) -> list[str]:
    return [block.strip() for block in re.findall(r"```\w*\n?(.*?)```", text, flags=re.DOTALL)]


def requests(text: str) -> list[str]:
    """What follows every ``/code`` that is shown as an example."""
    blocks = (request for block in fenced(text) for request in re.split(r"(?m)^(?=/code\b)", block))
    examples = [*blocks, *(span for span in code(text) if " [options] " not in span)]
    return [found[1] for example in examples if (found := re.fullmatch(r"(?s)/code\b(.*)", example.strip()))]


# Settings


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without any of the settings."""
    for name in [name for name in os.environ if name.upper() in VARIABLES]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


def required() -> set[str]:
    with pytest.raises(SettingsError) as caught:
        load(None)
    return {problem.split()[0] for problem in caught.value.problems}


def written(default: Any) -> str:
    """A default as an environment variable has it; empty where there is none."""
    if default is None or default == ():
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


@pytest.mark.usefixtures("bare")
def test_the_settings_table_has_every_variable_with_its_default() -> None:
    needed = required()
    expected = {
        name: "required" if name in needed else f"`{written(default)}`" if written(default) else NONE
        for name, default in VARIABLES.items()
    }
    rows = table("Settings", "variable")
    assert {code(row[0])[0]: row[1] for row in rows} == expected
    assert len(rows) == len(expected)
    assert all(len(row) == 3 and row[2] for row in rows)
    assert len(needed) == 3


def test_every_variable_that_is_mentioned_exists() -> None:
    spans = code(README + (ROOT / "CHANGELOG.md").read_text())
    named = {span.split("=")[0] for span in spans if re.fullmatch(r"[A-Z]+_[A-Z_]+(=.*)?", span)}
    assert named - {"AGENT_ANSWER", "AGENT_MODEL", "TEST_DATABASE_URL"} <= VARIABLES.keys()


@pytest.mark.usefixtures("bare")
def test_the_example_file_has_every_variable_with_one_comment_line_the_required_first() -> None:
    needed = required()
    lines = EXAMPLE.read_text().splitlines()
    assigned = [
        (number, line.partition("=")) for number, line in enumerate(lines) if line[:1] not in {"", "#"}
    ]
    assert {name: value for _, (name, _, value) in assigned} == {
        name: "" if name in needed else written(default) for name, default in VARIABLES.items()
    }
    assert len(assigned) == len(VARIABLES)
    assert {name for _, (name, _, _) in assigned[: len(needed)]} == needed
    for number, (name, _, _) in assigned:
        assert lines[number - 1].startswith("# "), name
        assert lines[number - 1].startswith("# Required") == (name in needed)
        assert number < 2 or not lines[number - 2].startswith("#"), name


def test_the_example_file_lacks_only_what_is_required(bare: pytest.MonkeyPatch) -> None:
    needed = required()
    with pytest.raises(SettingsError) as caught:
        load(EXAMPLE)
    assert {problem.split()[0] for problem in caught.value.problems} == needed
    for name in needed:
        bare.setenv(name, "xoxb-filled-in")
    assert load(EXAMPLE) == load(None)


# The grammar


def test_the_options_table_has_every_option_and_every_model() -> None:
    rows = table("What to write", "option")
    examples = first_code(rows)
    assert [example.split("=")[0] for example in examples] == list(options._KINDS)
    for example in examples:
        request = parse(f"{example} Fix it")
        assert isinstance(request, Invocation)
        assert request.prompt == "Fix it"
    assert set(Model) <= set(code(" ".join(rows[2])))


def test_the_commands_table_has_every_whole_text_command() -> None:
    examples = [span for row in table("What to write", "command") for span in code(row[0])]
    commands = [parse(example.removeprefix(labels.COMMAND)) for example in examples]
    assert all(isinstance(command, WholeTextCommand) for command in commands)
    assert {command.word for command in commands if isinstance(command, WholeTextCommand)} == set(Word)


async def test_the_commands_that_are_not_offered_are_those_that_the_readme_says(tmp_path: Path) -> None:
    (row,) = (row for row in table("What to write", "command") if "doesn't offer" in row[1])
    named = {span.removeprefix(labels.COMMAND).strip() for span in code(row[0])}
    async with world(tmp_path) as bot, bot.running():

        def answers() -> list[str]:
            # A busy machine may acknowledge a command before it has stored it.
            told = (answer.text for answer in bot.slack.ephemerals("ann", "#team"))
            return [text for text in told if "not stored yet" not in text]

        for word in Word:
            before = len(answers())
            await bot.code("retry r-2222" if word is Word.RETRY else word.value)
            await bot.slack.wait_for(lambda: len(answers()) > before)  # noqa: B023  asked at once
        said = answers()
    refused = {word for word, answer in zip(Word, said, strict=True) if "isn't offered" in answer}
    assert refused == named


@pytest.mark.parametrize("text", [README, *HELP_TEXTS], ids=["README", "help", "help-with-repository"])
def test_every_example_is_understood(text: str) -> None:
    examples = requests(text)
    assert len(examples) > 5
    for example in examples:
        assert not isinstance(parse(example), UsageError), example
    several = [parsed for example in examples if isinstance(parsed := parse(example), Invocation)]
    assert any(len(parsed.tasks) > 1 for parsed in several)
    assert any(parsed.options.branch == "dev" and parsed.options.model for parsed in several)


def test_the_threads_words_are_understood() -> None:
    named = set(code(section("In a run's thread")))
    assert {"stop", "cancel", "mute", "unmute", "!aside …", "name: text"} <= named
    assert parse_reply("stop") == parse_reply("cancel") == StopReply()
    plain = Invocation
    assert not any(isinstance(parse_reply(word), plain) for word in ("mute", "unmute", "!aside …"))
    assert not isinstance(parse_reply("name: text", ["name"]), plain)


def test_the_figures_are_the_codes() -> None:
    each, together = quoting.FILE_BYTES // 2**10, quoting.FILES_BYTES // 2**20
    assert f"(up to {each} KiB each and {together} MiB together" in section("What to write")
    assert f"newest {quoting.THREAD_MESSAGES} messages" in section("What to write")
    assert f"{tasks.FEWEST} to {tasks.MOST} tasks" in section("What to write")
    limits = section("Limits")
    assert f"the last {ROWS} lines or {CHARS:,} characters" in limits
    cap = inspect.signature(OutputWriter).parameters["cap"].default
    assert f"{cap // 2**20} MiB" in limits


async def test_the_metrics_are_those_that_are_shown(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running() as bot, aiohttp.ClientSession() as session:
        it.serve(Say("All done."))
        await it.code("say hello")
        await it.shows(await it.root(), "Done")
        async with session.get(f"http://127.0.0.1:{bot.port}/metrics") as answer:
            families = list(text_string_to_metric_families(await answer.text()))
    shown = set()
    for family in families:
        ending = {"counter": "_total"}.get(family.type, "")
        labels = ",".join(name for name in family.samples[0].labels if name != "le")
        shown.add(family.name + ending + (f"{{{labels}}}" if labels else ""))
    ours = {name for name in shown if name.startswith("bot_")}
    assert set(first_code(table("Metrics", "metric"))) - {"process_*"} == ours
    assert all(name.startswith("process_") for name in shown - ours)


# What is seen


def test_the_states_are_the_bots() -> None:
    rows = table("What messages show", "state")
    assert first_code(rows) == [labels.state_word(state) for state in RunState]
    assert labels.state_word(RunState.QUEUED, 3) in code(rows[0][1])


def test_the_reactions_are_the_bots() -> None:
    assert first_code(table("In a run's thread", "reaction")) == [reaction.value for reaction in Reaction]


def test_the_buttons_are_the_bots() -> None:
    assert {labels.STOP, labels.RETRY, labels.RETRY_FAILED} <= set(code(section("What messages show")))
    assert {labels.SEND_NOW, labels.DROP, labels.RERUN} <= set(code(section("In a run's thread")))


# Commands of the shell


def help_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_command_line_is_the_readmes(capsys: pytest.CaptureFixture[str]) -> None:
    exist = set(re.findall(r"^    ([a-z]+)  ", help_of(capsys), re.MULTILINE))
    assert exist
    assert set(re.findall(r"python -m bot ([a-z]+)", README)) == exist


def test_the_demos_options_exist(capsys: pytest.CaptureFixture[str]) -> None:
    lines = re.findall(r"(?:python -m bot demo|make demo ARGS=)(.*)", README)
    named = set(re.findall(r"(?<![\w'-])(--[a-z-]+)", re.sub(r"'[^']*'", "", "\n".join(lines))))
    assert {"--agent-command", "--serve", "--repo"} <= named
    assert named <= set(re.findall(r"--[a-z-]+", help_of(capsys, "demo")))


def test_the_faults_to_simulate_exist() -> None:
    words_ = re.search(r"The words (.*?) let", section("Another agent in the demo"), re.DOTALL)
    assert words_
    first, *others = dict.fromkeys(code(words_[1]))
    named = [first.removeprefix("simulate "), *others]
    assert {fault_in([f"simulate {word}"]) for word in named} == set(named)
    assert len(named) > 5


def test_the_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    documents = "\n".join(code(README + ARCHITECTURE)) + "\n".join(fenced(README))
    named = set(re.findall(r"\bmake ([a-z]+)", documents))
    assert {"demo", "test", "check"} <= named <= targets


def test_the_procfile_starts_what_the_readme_says() -> None:
    processes = dict(re.findall(r"^(\w+): (.+)$", (ROOT / "Procfile").read_text(), re.MULTILINE))
    assert processes.keys() == {"release", "web", "worker"}
    assert set(processes.values()) <= set(code(section("Deploy it")))


# The house


def test_the_rooms_are_the_enforced_layers() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    rows = table("Rooms", "layer", ARCHITECTURE)
    assert [code(row[0]) for row in rows] == [re.split(r"\s*\|\s*", layer) for layer in layers]


def test_the_drawn_states_are_the_table() -> None:
    drawn = re.findall(r"^ +(\w+) --> (\w+):", section("The life of a run", ARCHITECTURE), re.MULTILINE)
    assert sorted(drawn) == sorted((a.value, b.value) for a, all_b in RUN_TRANSITIONS.items() for b in all_b)
    ends = {
        state.value: {end.value for end in to} for state, to in RUN_TRANSITIONS.items() if state != "queued"
    }
    assert ends == {state.value: {end.value for end in to} for state, to in TASK_TRANSITIONS.items()}


def test_the_modules_that_the_architecture_names_exist() -> None:
    modules = {span for span in code(ARCHITECTURE) if re.fullmatch(r"[a-z_/]+\.py", span)}
    files = {file.relative_to(ROOT / "bot").as_posix() for file in (ROOT / "bot").rglob("*.py")}
    assert len(modules) > 5
    assert not {name for name in modules if not any(f"/{file}".endswith(f"/{name}") for file in files)}


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[?([^\s\]]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert __version__ in [version for version in versions if version != "Unreleased"][:1]


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)\)", (ROOT / name).read_text())
    assert not [target for target in targets if "://" not in target and not (ROOT / target).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    """Every text file of the project with its path; what is generated, installed or private is left out."""
    hidden = {".ci", ".gitignore", ".env.example", ".python-version"}
    generated = {"__pycache__", "build", "dist", "htmlcov"}
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [
            name for name in folders if name not in generated and (name[0] != "." or name in hidden)
        ]
        for name in files:
            path = Path(folder, name)
            if (name[0] == "." and name not in hidden) or ".db" in path.suffixes:
                continue
            try:
                yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")
            except UnicodeDecodeError:
                continue  # a picture or the like


# Written so that this file doesn't hold what it looks for.
REGISTRY = re.compile(
    r"(?:py[p]i\.org|python[h]osted\.org|registry\.npm[j]s)|(?<!no-emit-)index[-]url\b", re.IGNORECASE
)
MACHINE = re.compile(r"(?<![\w./~{}:-])/(?:(?:work|root)\b|tmp/[\w.-]+/)|\.\./[s]hared\b")


def test_no_file_depends_on_a_registry_or_on_one_machine() -> None:
    found = dict(texts())
    assert {"README.md", ".ci/run", ".env.example", "bot/app.py", "tests/test_docs.py"} <= found.keys()
    assert not [name for name, text in found.items() if REGISTRY.search(text) or MACHINE.search(text)]


@pytest.mark.parametrize(
    "line",
    [
        "--index" + "-url https://example.com/simple",
        "https://files.python" + "hosted.org/packages/a.whl",
        "# see /wo" + "rk/notes.md",
        'open("/t' + 'mp/notes/out")',
        "as in .." + "/shared/design.md",
    ],
)
def test_what_must_not_be_named_would_be_found(line: str) -> None:
    assert REGISTRY.search(line) or MACHINE.search(line)
