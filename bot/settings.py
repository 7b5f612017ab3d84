"""What an operator decides: environment variables and ``.env``, checked at the start, all at once.

A field's name in capitals is its variable. Its description says what a value looks like, in words that finish the
sentence "PORT should be …": they make the lines for what is missing or wrong. A value is never repeated in a line,
because a secret may have been pasted into the wrong variable.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot import errors

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}")


def _one_line(secret: SecretStr) -> SecretStr:
    """A token travels in an HTTP header, where a line break is an error at best."""
    if not secret.get_secret_value().isprintable():
        raise ValueError(
            "contains a line break or another control character: it may have been cut or pasted twice."
        )
    return secret


def _address(value: str) -> str:
    """An HTTP address without a slash at its end."""
    try:
        parts = urlsplit(value)
        complete = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:  # an impossible port or a broken IPv6 address
        complete = False
    if not complete or any(char.isspace() for char in value):
        raise ValueError("should be an address that begins with https:// or http://.")
    return value.rstrip("/")


def _path_on(github_url: str | None, address: str) -> str:
    """The path of an address on GitHub, without slashes at its ends; empty where it is no such address."""
    try:
        parts = urlsplit(address)
        hosts = {"github.com", "www.github.com", urlsplit(github_url or "").hostname}
    except ValueError:  # a broken IPv6 address
        return ""
    return parts.path.strip("/") if parts.hostname in hosts else ""


def _on_a_server(address: str) -> str:
    """The part of a database's address that follows its scheme."""
    try:
        parts = urlsplit(address)
        complete = address.startswith("//") and parts.path.strip("/") and parts.port != 0
    except ValueError:  # an impossible port, as where a password holds an @ or a slash that is not escaped
        complete = False
    if not complete or any(char.isspace() for char in address):
        raise ValueError(
            "should be postgresql://USER:PASSWORD@HOST/NAME, with %-escapes for special characters in it."
        )
    return address


def _listed(value: Any) -> Any:
    """``a, b`` as ``("a", "b")``."""
    if not isinstance(value, str):
        return value
    return tuple(item for item in map(str.strip, value.split(",")) if item)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


_Token = Annotated[SecretStr, AfterValidator(_one_line)]
_Address = Annotated[str, AfterValidator(_address), Field(repr=False)]  # it may hold a password
_Patterns = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
_Seconds = Annotated[float, Field(allow_inf_nan=False)]


class Settings(BaseSettings):
    """All settings, valid: building one raises ``SettingsError`` with a line for every problem."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    slack_bot_token: _Token | None = Field(
        default=None, description="the bot token (xoxb-…) from your app's “OAuth & Permissions” page"
    )
    slack_signing_secret: SecretStr | None = Field(
        default=None, description="the signing secret from your app's “Basic Information” page"
    )
    slack_app_token: _Token | None = Field(
        default=None, description="the app-level token (xapp-…) from your app's “Basic Information” page"
    )
    slack_client_id: str | None = Field(
        default=None, description="the client ID from your app's “Basic Information” page"
    )
    slack_client_secret: SecretStr | None = Field(
        default=None, description="the client secret from your app's “Basic Information” page"
    )
    slack_api_url: _Address = Field(
        default="https://slack.com/api/", description="the address of Slack's Web API"
    )
    cloudcoding_api_key: _Token = Field(description="the API key from your account at cloudcoding.ai")
    cloudcoding_api_url: _Address = Field(
        default="https://api.cloudcoding.ai", description="the address of the Cloud Coding API"
    )
    github_url: _Address = Field(default="https://github.com", description="the address of GitHub")
    cloudcoding_default_repo: str | None = Field(
        default=None, description="owner/name or a repository's address on GitHub"
    )
    cloudcoding_idle_timeout: _Seconds = Field(default=900, gt=0, description="a number of seconds above 0")
    github_token: _Token | None = Field(
        default=None, description="a GitHub token with access to the repositories"
    )
    database_url: str = Field(
        default="sqlite:///bot.db",
        validate_default=True,
        repr=False,
        description="sqlite:///PATH or postgresql://…",
    )
    port: int = Field(default=3000, ge=0, le=65535, description="a port number from 1 to 65535")
    max_concurrent_runs: int = Field(default=50, ge=1, description="a whole number from 1 on")
    max_runs_per_workspace: int | None = Field(default=None, ge=1, description="a whole number from 1 on")
    max_queued_runs: int = Field(default=1000, ge=1, description="a whole number from 1 on")
    max_runs_per_user: int | None = Field(default=None, ge=1, description="a whole number from 1 on")
    max_runs_per_channel: int | None = Field(default=None, ge=1, description="a whole number from 1 on")
    max_runs_per_day: int | None = Field(default=None, ge=1, description="a whole number from 1 on")
    embedded_worker: bool = Field(default=True, description="true or false")
    shutdown_grace: _Seconds = Field(default=20, ge=0, description="a number of seconds from 0 on")
    retention_days: int = Field(default=30, ge=1, description="a whole number of days from 1 on")
    allowed_users: _Patterns = Field(default=(), description="user IDs, separated by commas")
    allowed_channels: _Patterns = Field(default=(), description="channel IDs, separated by commas")
    allowed_repos: _Patterns = Field(default=(), description="repositories (owner/name), separated by commas")
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        default="info", description="debug, info, warning or error"
    )
    log_format: Annotated[Literal["console", "json"], BeforeValidator(_lower)] | None = Field(
        default=None, description="console or json"
    )

    @field_validator("slack_api_url", mode="after")
    @classmethod
    def _with_slash(cls, value: str) -> str:
        """Slack's SDK appends a method's name to it."""
        return value.rstrip("/") + "/"

    @field_validator("cloudcoding_default_repo", mode="after")
    @classmethod
    def _owner_and_name(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        path = _path_on(info.data.get("github_url"), value) if "://" in value else value
        path = path.removesuffix(".git")
        if not _REPOSITORY.fullmatch(path) or path.endswith(("/.", "/..")):
            raise ValueError("should be owner/name or a repository's address on GitHub.")
        return path

    @field_validator("database_url", mode="after")
    @classmethod
    def _with_driver(cls, value: str) -> str:
        """SQLAlchemy's name for the same database with the driver that is used."""
        scheme, _, rest = value.partition(":")
        kind = scheme.partition("+")[0].lower()
        if kind in {"postgres", "postgresql"}:
            return f"postgresql+psycopg:{_on_a_server(rest)}"
        if kind != "sqlite" or not rest:
            raise ValueError(
                "should be sqlite:///PATH for a file, or postgresql://USER:PASSWORD@HOST/NAME for a server."
            )
        if rest != "//" and not rest.startswith("///"):
            raise ValueError("needs three slashes before a path, such as sqlite:///bot.db.")
        return f"sqlite:{rest}"

    @field_validator("embedded_worker", mode="after")
    @classmethod
    def _worked_by_somebody(cls, value: bool, info: ValidationInfo) -> bool:
        # Where the database's address is wrong, that has a line of its own.
        if not value and info.data.get("database_url", "").startswith("sqlite:"):
            raise ValueError(
                "can only be false on PostgreSQL, where `bot worker` executes runs: on SQLite nobody would."
            )
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _all_problems_at_once(
        cls, data: dict[str, Any], handler: ModelWrapValidatorHandler["Settings"]
    ) -> "Settings":
        """What is missing and what is wrong in one error; a variable with nothing in it counts as not set."""
        stripped = {name: value.strip() if isinstance(value, str) else value for name, value in data.items()}
        given = {name: value for name, value in stripped.items() if value not in (None, "")}
        problems = _missing(given)
        settings = None
        try:
            settings = handler(given)
        except ValidationError as error:
            problems += [
                _line(detail["loc"], detail.get("ctx", {}))
                for detail in error.errors()
                if detail["type"] != "missing"
            ]
        if problems or settings is None:
            raise errors.SettingsError(problems)
        return settings

    def secret_values(self) -> tuple[str, ...]:
        """Every secret among these settings, for ``bot.core.redact.Secrets``."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return tuple(value.get_secret_value() for value in values if isinstance(value, SecretStr))


def load(env_file: Path | str | None = ".env") -> Settings:
    """The settings from the environment and, where it doesn't say, from ``env_file`` if there is one.

    Raises ``SettingsError``.
    """
    build: Callable[..., Settings] = Settings  # a type checker knows an initialiser for the fields alone
    try:
        return build(_env_file=env_file, _env_file_encoding="utf-8")
    except OSError as error:
        problem = f"{env_file} can't be read: {error.strerror or 'unknown reason'}."
    except UnicodeDecodeError:
        problem = f"{env_file} is not a text file in UTF-8."
    raise errors.SettingsError([problem])


def port_is_own() -> bool:
    """Whether the environment itself says where this process listens, not a file that processes of a machine share."""
    return any(value.strip() for name, value in os.environ.items() if name.upper() == "PORT")


def _missing(given: dict[str, Any]) -> list[str]:
    """A line for each setting that must be there and isn't."""
    needed = ["slack_bot_token", "cloudcoding_api_key"]
    if "slack_app_token" not in given:  # Slack over HTTP
        needed.insert(1, "slack_signing_secret")
    lines = [
        f"{name.upper()} is missing: {Settings.model_fields[name].description}."
        for name in needed
        if name not in given
    ]
    if "slack_bot_token" not in given and ("slack_client_id" in given or "slack_client_secret" in given):
        lines.append(
            "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are for installation by OAuth, which this version does not offer"
            " yet: install the app to one workspace and set SLACK_BOT_TOKEN."
        )
    return lines


def _line(location: tuple[int | str, ...], context: dict[str, Any]) -> str:
    """One line for a value that is wrong."""
    name = str(location[0])
    if "error" in context:  # a ValueError of ours, whose words finish the sentence
        return f"{name.upper()} {context['error']}"
    return f"{name.upper()} should be {Settings.model_fields[name].description}."
