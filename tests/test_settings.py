"""Every variable of the contract, from the environment and from a file, and every way to get one wrong."""

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.errors import SettingsError
from bot.settings import Settings, load

NEEDED = {
    "SLACK_BOT_TOKEN": "xoxb-test",
    "SLACK_SIGNING_SECRET": "s3cret-signing",
    "CLOUDCODING_API_KEY": "cc-key",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def given(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in {**NEEDED, **variables}.items():
        monkeypatch.setenv(name, value)


def problems() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load()
    return caught.value.problems


def revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def test_the_defaults_are_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch)
    settings = load()
    assert revealed(settings.slack_bot_token) == "xoxb-test"
    assert revealed(settings.slack_signing_secret) == "s3cret-signing"
    assert revealed(settings.cloudcoding_api_key) == "cc-key"
    rest = settings.model_dump(
        exclude={"slack_bot_token", "slack_signing_secret", "cloudcoding_api_key"}, exclude_none=True
    )
    assert rest == {
        "slack_api_url": "https://slack.com/api/",
        "cloudcoding_api_url": "https://api.cloudcoding.ai",
        "cloudcoding_idle_timeout": 900,
        "github_url": "https://github.com",
        "database_url": "sqlite:///bot.db",
        "port": 3000,
        "max_concurrent_runs": 50,
        "max_queued_runs": 1000,
        "embedded_worker": True,
        "shutdown_grace": 20,
        "retention_days": 30,
        "allowed_users": (),
        "allowed_channels": (),
        "allowed_repos": (),
        "log_level": "info",
    }
    assert settings.log_format is None


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    given(
        monkeypatch,
        SLACK_APP_TOKEN="xapp-test",
        SLACK_CLIENT_ID="1.2",
        SLACK_CLIENT_SECRET="client-secret",
        SLACK_API_URL="http://127.0.0.1:9000/api",
        CLOUDCODING_API_URL="http://127.0.0.1:9001/",
        CLOUDCODING_DEFAULT_REPO="acme/api",
        CLOUDCODING_IDLE_TIMEOUT="0.5",
        GITHUB_URL="https://github.example/",
        GITHUB_TOKEN="ghp_test",
        DATABASE_URL="postgres://bot:pass@db.example/bot",
        PORT="0",
        MAX_CONCURRENT_RUNS="7",
        MAX_RUNS_PER_WORKSPACE="5",
        MAX_QUEUED_RUNS="9",
        EMBEDDED_WORKER="no",
        SHUTDOWN_GRACE="2.5",
        RETENTION_DAYS="1",
        ALLOWED_USERS=" U1 ,U2,, ",
        ALLOWED_CHANNELS="*",
        ALLOWED_REPOS="acme/*, other/web",
        LOG_LEVEL="DEBUG",
        LOG_FORMAT="Json",
    )
    settings = load()
    assert settings.slack_client_id == "1.2"
    assert settings.slack_api_url == "http://127.0.0.1:9000/api/"
    assert settings.cloudcoding_api_url == "http://127.0.0.1:9001"
    assert settings.cloudcoding_default_repo == "acme/api"
    assert settings.cloudcoding_idle_timeout == 0.5
    assert settings.github_url == "https://github.example"
    assert settings.database_url == "postgresql+psycopg://bot:pass@db.example/bot"
    assert (settings.port, settings.max_concurrent_runs, settings.embedded_worker) == (0, 7, False)
    assert (settings.max_runs_per_workspace, settings.max_queued_runs) == (5, 9)
    assert (settings.shutdown_grace, settings.retention_days) == (2.5, 1)
    assert settings.allowed_users == ("U1", "U2")
    assert settings.allowed_channels == ("*",)
    assert settings.allowed_repos == ("acme/*", "other/web")
    assert (settings.log_level, settings.log_format) == ("debug", "json")
    assert set(settings.secret_values()) == {
        "xoxb-test", "s3cret-signing", "xapp-test", "client-secret", "cc-key", "ghp_test",
    }  # fmt: skip


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    given(
        monkeypatch, GITHUB_TOKEN="ghp_test", CLOUDCODING_API_URL="https://me:hidden-password@proxy.example"
    )
    settings = load()
    for shown in (repr(settings), str(settings), f"{settings}"):
        assert not any(secret in shown for secret in (*settings.secret_values(), "hidden-password"))
        assert "port=3000" in shown


def test_every_problem_has_its_line() -> None:
    lines = problems()
    assert lines == [
        "SLACK_BOT_TOKEN is missing: the bot token (xoxb-…) from your app's “OAuth & Permissions” page.",
        "SLACK_SIGNING_SECRET is missing: the signing secret from your app's “Basic Information” page.",
        "CLOUDCODING_API_KEY is missing: the API key from your account at cloudcoding.ai.",
    ]


def test_what_is_missing_and_what_is_wrong_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-test")
    monkeypatch.setenv("PORT", "http")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("GITHUB_URL", "github.com")
    with pytest.raises(SettingsError) as caught:
        load()
    assert [line.split()[0] for line in caught.value.problems] == [
        "SLACK_SIGNING_SECRET", "CLOUDCODING_API_KEY", "GITHUB_URL", "PORT", "LOG_LEVEL",
    ]  # fmt: skip
    assert str(caught.value).count("\n") == 4


def test_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    given(
        monkeypatch, SLACK_BOT_TOKEN="", CLOUDCODING_API_KEY="  ", PORT="", ALLOWED_USERS="", LOG_FORMAT=" "
    )
    assert [line.split()[0] for line in problems()] == ["SLACK_BOT_TOKEN", "CLOUDCODING_API_KEY"]


def test_socket_mode_needs_no_signing_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, SLACK_APP_TOKEN="xapp-test", SLACK_SIGNING_SECRET="")
    assert load().slack_signing_secret is None
    monkeypatch.delenv("SLACK_BOT_TOKEN")
    assert [line.split()[0] for line in problems()] == ["SLACK_BOT_TOKEN"]


def test_installation_by_oauth_is_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, SLACK_CLIENT_ID="1.2", SLACK_CLIENT_SECRET="client-secret", SLACK_BOT_TOKEN="")
    lines = problems()
    assert len(lines) == 2
    assert "does not offer yet" in lines[1]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "secret-value", "a port number"),
        ("PORT", "65536", "a port number"),
        ("PORT", "-1", "a port number"),
        ("MAX_CONCURRENT_RUNS", "0", "a whole number from 1"),
        ("MAX_CONCURRENT_RUNS", "1.5", "a whole number from 1"),
        ("RETENTION_DAYS", "0", "a whole number of days"),
        ("CLOUDCODING_IDLE_TIMEOUT", "0", "seconds above 0"),
        ("CLOUDCODING_IDLE_TIMEOUT", "nan", "seconds above 0"),
        ("CLOUDCODING_IDLE_TIMEOUT", "inf", "seconds above 0"),
        ("SHUTDOWN_GRACE", "-1", "seconds from 0"),
        ("EMBEDDED_WORKER", "secret-value", "true or false"),
        ("EMBEDDED_WORKER", "false", "only be false on PostgreSQL"),
        ("MAX_RUNS_PER_WORKSPACE", "0", "a whole number from 1"),
        ("MAX_QUEUED_RUNS", "none", "a whole number from 1"),
        ("LOG_LEVEL", "secret-value", "debug, info"),
        ("LOG_FORMAT", "secret-value", "console or json"),
        ("SLACK_API_URL", "secret-value", "https://"),
        ("SLACK_API_URL", "ftp://secret-value/", "https://"),
        ("CLOUDCODING_API_URL", "http://", "https://"),
        ("CLOUDCODING_API_URL", "http://secret-value:99999", "https://"),
        ("CLOUDCODING_API_URL", "http://secret-value:0", "https://"),
        ("CLOUDCODING_API_URL", "http://[secret-value", "https://"),
        ("CLOUDCODING_API_URL", "http://a secret-value", "https://"),
        ("CLOUDCODING_DEFAULT_REPO", "secret-value", "owner/name"),
        ("CLOUDCODING_DEFAULT_REPO", "a/..", "owner/name"),
        ("CLOUDCODING_DEFAULT_REPO", "https://gitlab.example/a/b", "owner/name"),
        ("CLOUDCODING_DEFAULT_REPO", "https://github.com/a", "owner/name"),
        ("CLOUDCODING_DEFAULT_REPO", "https://[secret-value/a/b", "owner/name"),
        ("DATABASE_URL", "postgresql://me:secret-value@db", "USER:PASSWORD@HOST/NAME"),
        ("DATABASE_URL", "postgres://me:secret/value@db/x", "%-escapes"),
        ("DATABASE_URL", "postgresql:me:secret-value@db/x", "USER:PASSWORD@HOST/NAME"),
        ("DATABASE_URL", "postgresql://me:secret-value@db:x/x", "USER:PASSWORD@HOST/NAME"),
        ("DATABASE_URL", "mysql://me:secret-value@db/x", "sqlite:///PATH"),
        ("DATABASE_URL", "secret-value.db", "sqlite:///PATH"),
        ("DATABASE_URL", "sqlite", "sqlite:///PATH"),
        ("DATABASE_URL", "sqlite://secret-value.db", "three slashes"),
        ("SLACK_BOT_TOKEN", "xoxb-secret-value\nxoxb-secret-value", "line break"),
        ("CLOUDCODING_API_KEY", "secret-value\tx", "line break"),
    ],
)
def test_a_wrong_value_is_explained_but_not_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    given(monkeypatch, **{name: value})
    (line,) = problems()
    assert line.startswith(name + " ")
    assert words in line
    assert line.endswith(".")
    assert "secret-value" not in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("value", "repository"),
    [
        ("acme/web.site_2", "acme/web.site_2"),
        ("https://github.com/acme/api", "acme/api"),
        ("https://github.com/acme/api.git", "acme/api"),
        ("http://www.github.com/acme/api/", "acme/api"),
        ("https://github.example:8443/acme/api", "acme/api"),
    ],
)
def test_a_default_repository_may_be_an_address(
    monkeypatch: pytest.MonkeyPatch, value: str, repository: str
) -> None:
    given(monkeypatch, CLOUDCODING_DEFAULT_REPO=value, GITHUB_URL="https://github.example:8443")
    assert load().cloudcoding_default_repo == repository


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("sqlite://", "sqlite://"),
        ("sqlite:///data/bot.db", "sqlite:///data/bot.db"),
        ("sqlite+aiosqlite:////data/bot.db", "sqlite:////data/bot.db"),
        ("postgres://me:pw@db/x", "postgresql+psycopg://me:pw@db/x"),
        (
            "postgresql://me:p%40@db:5433/x?sslmode=require",
            "postgresql+psycopg://me:p%40@db:5433/x?sslmode=require",
        ),
        ("postgresql+psycopg:///x?host=/run", "postgresql+psycopg:///x?host=/run"),
    ],
)
def test_a_database_gets_its_driver(monkeypatch: pytest.MonkeyPatch, value: str, url: str) -> None:
    given(monkeypatch, DATABASE_URL=value)
    assert load().database_url == url


def test_a_file_fills_the_gaps_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# mine\nSLACK_BOT_TOKEN='xoxb-file'\nexport SLACK_SIGNING_SECRET=from-file\nCLOUDCODING_API_KEY=file\n"
        "PORT=4000\nUNKNOWN_THING=1\nALLOWED_USERS=U1,U2\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PORT", "5000")
    settings = load()
    assert revealed(settings.slack_bot_token) == "xoxb-file"
    assert settings.port == 5000
    assert settings.allowed_users == ("U1", "U2")
    assert load(tmp_path / ".env").port == 5000
    assert [line.split()[0] for line in _problems_without_a_file()] == [
        "SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET", "CLOUDCODING_API_KEY",
    ]  # fmt: skip


def _problems_without_a_file() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(None)
    return caught.value.problems


@pytest.mark.parametrize("content", [b"\xff\xfe\x00broken", b"SLACK_BOT_TOKEN=\xe9"])
def test_a_file_that_is_no_text_has_its_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert problems() == [".env is not a text file in UTF-8."]


def test_a_file_with_nonsense_in_it_is_read_as_far_as_it_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given(monkeypatch)
    (tmp_path / ".env").write_text("=\nnonsense here\nPORT\n'\"\x00\nLOG_LEVEL=error\n{\n", encoding="utf-8")
    assert load().log_level == "error"


def test_a_file_that_cannot_be_read_has_its_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / ("x" * 300))
    assert "can't be read" in caught.value.problems[0]


def test_settings_can_be_built_without_an_environment() -> None:
    settings = Settings(
        slack_bot_token=SecretStr("xoxb-test"),
        slack_signing_secret=SecretStr("signing"),
        cloudcoding_api_key=SecretStr("cc-key"),
        allowed_users=("U1",),
    )
    assert settings.secret_values() == ("xoxb-test", "signing", "cc-key")
    assert settings.allowed_users == ("U1",)
