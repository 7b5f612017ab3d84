"""Each check against a local Slack, service and GitHub: when all is well, and each way in which it is not."""

import asyncio
import os
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from aiohttp import web

from bot.doctor import examine, in_a_loop
from bot.doctor.address import public_address
from bot.doctor.finding import Finding, Verdict
from bot.doctor.github import api
from bot.settings import Settings
from bot.simulator.slack import LocalSlack
from bot.simulator.slack.http import SCOPES
from bot.slack.scopes import NEEDED
from bot.store.migrate import migrate
from tests.doctor.github import FakeGitHub, github, serving
from tests.store import databases
from tests.support.cloudcoding import API_KEY
from tests.support.plain_yaml import read
from tests.support.world import GITHUB_TOKEN, REPO, World, world

REPOSITORY = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"
OK, WARNING, WRONG, UNKNOWN = Verdict.OK, Verdict.WARNING, Verdict.WRONG, Verdict.UNKNOWN


@pytest.fixture
async def hub() -> AsyncIterator[FakeGitHub]:
    repository = {"full_name": REPO, "permissions": {"pull": True, "push": True}}
    async with github({"/api/v3/rate_limit": (200, {}), f"/api/v3/repos/{REPO}": (200, repository)}) as fake:
        yield fake


@pytest.fixture
async def home(tmp_path: Path, hub: FakeGitHub) -> AsyncIterator[World]:
    local = LocalSlack(limits=None, signing_secret="0123456789abcdef" * 2)
    async with world(tmp_path, local=local, GITHUB_URL=hub.url) as made:
        yield made


async def findings(home: World, /, patience: float = 5.0, **environment: str) -> dict[str, Finding]:
    """What the doctor says, by what it is about; no secret is ever in it, and no run is started."""
    build: Callable[..., Settings] = Settings
    given = {name.lower(): value for name, value in (home.environment | environment).items()}
    said = await examine(build(**given), home.time.clock, patience)
    assert len({finding.about for finding in said}) == len(said)
    text = "\n".join(map(str, said))
    secrets = [value for name, value in given.items() if name.endswith(("token", "key", "secret"))]
    assert not any(secret in text for secret in ["pa55word", *filter(None, secrets)])
    assert not home.cloud.requests
    return {finding.about: finding for finding in said}


def contents(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


async def one(home: World, about: str, **environment: str) -> tuple[Verdict, str]:
    finding = (await findings(home, 5.0, **environment))[about]
    return finding.verdict, finding.words


def test_the_manifest_asks_for_the_scopes_that_are_needed() -> None:
    manifest: Any = read((REPOSITORY / "manifest.yml").read_text())
    assert sorted(manifest["oauth_config"]["scopes"]["bot"]) == sorted(NEEDED)


async def test_all_is_well(home: World, hub: FakeGitHub) -> None:
    said = await findings(home)
    assert {about: finding.verdict for about, finding in said.items()} == {
        "database": OK,
        "Slack": OK,
        "scopes": OK,
        "clock": OK,
        "signing secret": OK,
        "Cloud Coding": OK,
        "API key": UNKNOWN,
        "GitHub": OK,
        "repository": OK,
        "port": OK,
        "Request URL": UNKNOWN,
    }
    assert hub.tokens == [f"Bearer {GITHUB_TOKEN}"] * 2
    assert not (home.folder / "bot.db").exists()


async def test_nothing_can_be_reached(home: World) -> None:
    said = await findings(
        home,
        SLACK_API_URL=f"{NOWHERE}/api/",
        CLOUDCODING_API_URL=NOWHERE,
        GITHUB_URL=NOWHERE,
        DATABASE_URL="sqlite:////no/bot.db",
    )
    wrong = {about for about, finding in said.items() if finding.verdict is WRONG}
    assert wrong == {"database", "Slack", "Cloud Coding"}
    assert said["scopes"].verdict is said["clock"].verdict is said["GitHub"].verdict is UNKNOWN


async def test_nothing_answers(home: World) -> None:
    home.slack.fail("auth.test", timeout=30)
    gone = asyncio.Event()

    async def silent(_: web.Request) -> web.Response:
        await gone.wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", silent)
    async with serving(app) as address:
        with closing(sqlite3.connect(home.folder / "bot.db")) as other:
            other.execute("BEGIN EXCLUSIVE")
            said = await findings(home, 1.0, CLOUDCODING_API_URL=address, GITHUB_URL=address)
        gone.set()
    assert {about for about, finding in said.items() if finding.verdict is WRONG} == {
        "database",
        "Slack",
        "Cloud Coding",
    }
    assert said["GitHub"].verdict is UNKNOWN


@pytest.mark.parametrize(
    ("error", "verdict", "word"),
    [
        ("invalid_auth", WRONG, "SLACK_BOT_TOKEN was refused (invalid_auth)"),
        ("token_revoked", WRONG, "SLACK_BOT_TOKEN was refused (token_revoked)"),
        ("internal_error", WRONG, "can't be reached"),
        ("ratelimited", UNKNOWN, "in 7 s"),
    ],
)
async def test_slack_refuses_the_bot_token(home: World, error: str, verdict: Verdict, word: str) -> None:
    home.slack.fail("auth.test", error=error, retry_after=7)
    said = await findings(home)
    assert said["Slack"].verdict is verdict
    assert word in said["Slack"].words
    assert said["scopes"].verdict is said["clock"].verdict is UNKNOWN


async def test_scopes_that_are_missing_are_named(tmp_path: Path, hub: FakeGitHub) -> None:
    local = LocalSlack(scopes=SCOPES - {"files:write", "commands"})
    async with world(tmp_path, local=local, GITHUB_URL=hub.url) as home:
        verdict, words = await one(home, "scopes")
    assert verdict is WRONG
    assert "commands (/code), files:write (complete logs)." in words


@pytest.mark.parametrize(
    ("answer", "about", "verdict", "word"),
    [
        ({"ok": True, "user": "ann", "team": "Acme", "user_id": "U1"}, "Slack", WRONG, "ann in Acme"),
        ({"ok": True, "user": "code", "team": "A\nB", "bot_id": "B1"}, "Slack", OK, "@code in A B"),
        ({"ok": True, "bot_id": "B1"}, "scopes", UNKNOWN, "did not say"),
        ({"ok": True, "bot_id": "B1"}, "clock", UNKNOWN, "did not say"),
        ([1], "Slack", WRONG, "does not answer as Slack does"),
        ("<html>", "Slack", WRONG, "does not answer as Slack does"),
    ],
)
async def test_other_answers_of_slack(
    home: World, answer: Any, about: str, verdict: Verdict, word: str
) -> None:
    async def auth_test(_: web.Request) -> web.Response:
        headers = {"Date": "yesterday"}
        if isinstance(answer, str):
            return web.Response(text=answer, headers=headers)
        return web.json_response(answer, headers=headers)

    app = web.Application()
    app.router.add_post("/api/auth.test", auth_test)
    async with serving(app) as address:
        found, words = await one(home, about, SLACK_API_URL=f"{address}/api/")
    assert found is verdict
    assert word in words


@pytest.mark.parametrize(
    ("ahead", "http", "socket_mode"), [(0, OK, OK), (-100, WARNING, WARNING), (400, WRONG, WARNING)]
)
async def test_clocks_that_differ(home: World, ahead: float, http: Verdict, socket_mode: Verdict) -> None:
    home.time.ahead = ahead
    assert (await one(home, "clock"))[0] is http
    assert (await one(home, "clock", SLACK_APP_TOKEN=home.slack.app_token))[0] is socket_mode


async def test_the_address_that_the_platform_tells_is_tried(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with home.running() as bot:
        monkeypatch.setenv("RENDER_EXTERNAL_URL", f"http://127.0.0.1:{bot.port}/")
        verdict, words = await one(home, "Request URL")
        assert (verdict, f"http://127.0.0.1:{bot.port}/slack/events leads to the bot" in words) == (OK, True)
    verdict, words = await one(home, "Request URL")
    assert (verdict, "can't be reached" in words) == (WARNING, True)
    monkeypatch.setenv("RENDER_EXTERNAL_URL", home.slack.api_url)
    verdict, words = await one(home, "Request URL")
    assert (verdict, "not as the bot does" in words) == (WARNING, True)


def test_each_platform_tells_the_address_in_its_own_way() -> None:
    assert public_address({}) is None
    for environment, address in (
        ({"RENDER_EXTERNAL_URL": "https://bot.onrender.com"}, "https://bot.onrender.com"),
        ({"RAILWAY_PUBLIC_DOMAIN": "bot.up.railway.app"}, "https://bot.up.railway.app"),
        ({"HEROKU_APP_DEFAULT_DOMAIN_NAME": "bot-1.herokuapp.com"}, "https://bot-1.herokuapp.com"),
        ({"FLY_APP_NAME": "bot"}, "https://bot.fly.dev"),
    ):
        assert public_address(environment) == address


async def test_socket_mode_needs_a_token_and_no_address(home: World) -> None:
    said = await findings(home, SLACK_APP_TOKEN=home.slack.app_token)
    assert said["Socket Mode"].verdict is OK
    assert not {"signing secret", "Request URL"} & set(said)
    verdict, words = await one(home, "Socket Mode", SLACK_APP_TOKEN="xapp-other")
    assert verdict is WRONG
    assert "SLACK_APP_TOKEN was refused (invalid_auth)" in words


async def test_a_signing_secret_of_another_shape(home: World) -> None:
    assert (await one(home, "signing secret", SLACK_SIGNING_SECRET="not-a-real-one"))[0] is WARNING


def guarded(with_key: int, without: int, text: str = "") -> web.Application:
    """A service that looks at the key before all else."""

    async def answer(request: web.Request) -> web.Response:
        good = request.headers.get("x-api-key") == API_KEY
        return web.Response(status=with_key if good else without, text=text)

    app = web.Application()
    app.router.add_get("/invoke/stdout", answer)
    return app


@pytest.mark.parametrize(
    ("app", "verdict", "word"),
    [
        (guarded(405, 401), OK, "accepts the key"),
        (guarded(422, 403), OK, "accepts the key"),
        (guarded(405, 405), OK, "(HTTP 405)"),
        (guarded(404, 404), OK, "(HTTP 404)"),
        (guarded(401, 401), WRONG, "CLOUDCODING_API_KEY was refused"),
        (guarded(403, 403), WRONG, "CLOUDCODING_API_KEY was refused"),
        (guarded(403, 403, '{"message": "Missing Authentication Token"}'), OK, "(HTTP 405)"),
        (guarded(301, 301), WRONG, "redirect"),
        (guarded(503, 503), WRONG, "trouble"),
    ],
)
async def test_answers_of_the_service(home: World, app: web.Application, verdict: Verdict, word: str) -> None:
    async with serving(app) as address:
        said = await findings(home, CLOUDCODING_API_URL=address)
    assert said["Cloud Coding"].verdict is verdict
    assert word in said["Cloud Coding"].words
    assert ("API key" in said) is ("(HTTP" in word)


@pytest.mark.parametrize(
    ("path", "answer", "about", "verdict", "word"),
    [
        ("rate_limit", (401, {}), "GitHub", WRONG, "GITHUB_TOKEN was refused"),
        ("rate_limit", (404, {}), "GitHub", OK, "works"),
        ("rate_limit", (502, "<html>"), "GitHub", UNKNOWN, "HTTP 502"),
        (f"repos/{REPO}", (404, {}), "repository", WRONG, f"can't see {REPO}"),
        (f"repos/{REPO}", (301, {}), "repository", WARNING, "renamed"),
        (f"repos/{REPO}", (403, {}), "repository", UNKNOWN, "HTTP 403"),
        (f"repos/{REPO}", (200, "<html>"), "repository", UNKNOWN, "HTTP 200"),
        (f"repos/{REPO}", (200, {"permissions": {"push": False}}), "repository", WARNING, "not push"),
        (f"repos/{REPO}", (200, {}), "repository", OK, f"see {REPO}"),
    ],
)
async def test_answers_of_github(
    home: World, hub: FakeGitHub, path: str, answer: tuple[int, Any], about: str, verdict: Verdict, word: str
) -> None:
    hub.answers[f"/api/v3/{path}"] = answer
    found, words = await one(home, about)
    assert found is verdict
    assert word in words


async def test_without_a_github_token_github_is_not_asked(home: World, hub: FakeGitHub) -> None:
    said = await findings(home, GITHUB_TOKEN="")
    assert said["GitHub"].verdict is WARNING
    assert said["repository"].verdict is UNKNOWN
    assert "repository" not in await findings(home, CLOUDCODING_DEFAULT_REPO="")
    assert hub.tokens == [f"Bearer {GITHUB_TOKEN}"]


def test_where_githubs_api_is() -> None:
    assert api("https://github.com") == "https://api.github.com"
    assert api("https://git.acme.com") == "https://git.acme.com/api/v3"


async def test_the_port_is_taken(home: World) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        verdict, words = await one(home, "port", PORT=str(other.getsockname()[1]))
    assert verdict is WARNING
    assert "in use" in words


async def test_states_of_the_database(home: World, tmp_path: Path) -> None:
    (home.folder / "bot.db").touch()
    assert await one(home, "database") == (OK, "is brought up to date at the next start.")
    assert (home.folder / "bot.db").stat().st_size == 0  # nothing was migrated
    await migrate(home.environment["DATABASE_URL"])
    before = contents(tmp_path)
    assert await one(home, "database") == (OK, "is up to date.")
    assert contents(tmp_path) == before
    with closing(sqlite3.connect(home.folder / "bot.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    assert await one(home, "database") == (OK, "is brought up to date at the next start.")
    with closing(sqlite3.connect(home.folder / "bot.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'of tomorrow'")
    verdict, words = await one(home, "database")
    assert verdict is WRONG
    assert "newer version" in words


async def test_a_server_is_migrated_by_its_operator(home: World) -> None:
    if databases.server() is None:
        pytest.skip("PostgreSQL does not answer; TEST_DATABASE_URL says where it is")
    with databases.schema(empty=True) as schema:
        assert await one(home, "database", DATABASE_URL=schema.url) == (
            WRONG,
            "is empty: run python -m bot migrate.",
        )
        await migrate(schema.url)
        assert await one(home, "database", DATABASE_URL=schema.url) == (OK, "is up to date.")
        schema.rows("UPDATE alembic_version SET version_num = '0001'")
        verdict, words = await one(home, "database", DATABASE_URL=schema.url)
    assert verdict is WRONG
    assert "older version" in words


async def test_databases_that_cannot_be_used(home: World, tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("This is no database, but it is long enough to be taken for one." * 20)
    for address in (f"sqlite:///{text}", f"sqlite:///{tmp_path}", "postgresql://me:pa55word@127.0.0.1:9/bot"):
        verdict, words = await one(home, "database", DATABASE_URL=address)
        assert verdict is WRONG, address
        assert "Check DATABASE_URL" in words


def test_a_thread_that_hangs_keeps_nobody_waiting() -> None:
    never = Event()

    async def wait() -> list[Finding]:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await asyncio.to_thread(never.wait)
        return [Finding(OK, "waiting", "is over.")]

    assert len(in_a_loop(wait())) == 1
    never.set()


async def run(directory: Path, environment: dict[str, str]) -> tuple[int | None, list[str], str]:
    """The command as a process: its status, its lines, and what it wrote to standard error."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bot", "doctor"),
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **environment},
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode().splitlines(), errors.decode()


async def test_the_command(home: World, tmp_path: Path) -> None:
    (status, lines, errors), (wrong_status, wrong_lines, wrong_errors) = await asyncio.gather(
        run(tmp_path, home.environment),
        run(
            tmp_path, {"PORT": "http", "SLACK_BOT_TOKEN": "xoxb-1", "CLOUDCODING_API_KEY": "cc-secret\n-key"}
        ),
    )
    assert (status, errors) == (0, "")
    assert [line.split("  ")[0] for line in lines[:2]] == ["ok"] * 2
    assert len(lines) == 12
    assert (wrong_status, wrong_errors) == (1, "")
    assert [line.split("  ")[0] for line in wrong_lines] == ["wrong"] * 3 + ["not checked"]
    assert "cc-secret" not in "".join(wrong_lines)
    home.slack.revoke()
    status, lines, errors = await run(tmp_path, home.environment)
    assert (status, errors) == (1, "")
    assert "token_revoked" in next(line for line in lines if line.startswith("wrong"))
    assert not (home.folder / "bot.db").exists()
    assert not home.cloud.requests
