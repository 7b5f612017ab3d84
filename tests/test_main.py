"""The command line, as far as it ends by itself; ``tests/scenarios/test_process.py`` has the rest."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot import __version__
from bot.__main__ import main

SET = {
    "SLACK_BOT_TOKEN": "xoxb-1-secret",
    "SLACK_SIGNING_SECRET": "signing-secret",
    "CLOUDCODING_API_KEY": "cc-secret",
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory without ``.env``, and an environment with the settings that are needed."""
    monkeypatch.chdir(tmp_path)
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///bot.db")
    return tmp_path


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["serve", "nonsense"]])
def test_what_it_does_not_know_is_answered_with_its_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: bot")


def test_its_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert not ended.value.code
    assert __version__ in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert not ended.value.code
    told = capsys.readouterr().out
    for command in ("serve", "migrate", "demo"):
        assert command in told


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_each_missing_setting_is_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in SET:
        monkeypatch.delenv(name)
    assert main([command]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert sorted(line.split()[0] for line in said.err.splitlines()) == sorted(SET)


def test_an_env_file_that_cannot_be_read_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / ".env").write_bytes(b"SLACK_BOT_TOKEN=\xff\n")
    assert main(["migrate"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert ".env" in line


def test_migrate_makes_the_database_and_can_be_repeated(here: Path) -> None:
    for _ in range(2):
        assert main(["migrate"]) == 0
    with closing(sqlite3.connect(here / "bot.db")) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_a_database_that_cannot_be_used_is_one_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bot.db").mkdir()
    assert main(["migrate"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("The bot could not start")
    assert "secret" not in line


def test_a_worker_without_a_database_to_share_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "PostgreSQL" in line


def test_a_file_that_nobody_would_work_on_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMBEDDED_WORKER", "false")
    assert main(["serve"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("EMBEDDED_WORKER can only be false on PostgreSQL")
