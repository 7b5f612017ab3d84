"""GitHub: the shared token, and whether it reaches the default repository.

The bot itself never calls GitHub, the service does. So GitHub being out of reach from here is no fault.
"""

import asyncio
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.doctor.finding import Examination, Finding, ok, unknown, warning, wrong

_OK = HTTPStatus.OK


def api(github_url: str) -> str:
    """The address of the API of GitHub at ``github_url``."""
    host = urlsplit(github_url).hostname
    return "https://api.github.com" if host in {"github.com", "www.github.com"} else f"{github_url}/api/v3"


async def github(examination: Examination) -> list[Finding]:
    """The token by what it may ask for, which works for tokens of every kind; then the repository."""
    settings = examination.settings
    repo = settings.cloudcoding_default_repo
    if settings.github_token is None:
        return [
            warning("GitHub", "GITHUB_TOKEN is not set: runs can't push, nor read private repositories."),
            *([unknown("repository", f"without a token, {repo} was not looked for.")] if repo else []),
        ]
    base = api(settings.github_url)
    token = settings.github_token.get_secret_value()
    paths = ["/rate_limit", *([f"/repos/{repo}"] if repo else [])]
    try:
        answers = await asyncio.gather(*(_ask(examination, base + path, token) for path in paths))
    except (aiohttp.ClientError, OSError):
        host = urlsplit(base).hostname
        return [unknown("GitHub", f"{host} can't be reached from here; the bot itself doesn't need it.")]
    findings = [_token(answers[0][0])]
    if repo:
        findings.append(_repository(repo, *answers[1]))
    return findings


async def _ask(examination: Examination, url: str, token: str) -> tuple[int, Any]:
    """The status and the body of an answer, which is ``None`` where it is not JSON."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    async with examination.session.get(
        url, headers=headers, allow_redirects=False, timeout=examination.timeout
    ) as response:
        try:
            return response.status, await response.json(content_type=None)
        except ValueError:
            return response.status, None


def _token(status: int) -> Finding:
    if status == HTTPStatus.UNAUTHORIZED:
        return wrong(
            "GitHub", "GITHUB_TOKEN was refused: it has expired, was revoked, or is for another GitHub."
        )
    if status in {_OK, HTTPStatus.NOT_FOUND}:  # an enterprise's GitHub without limits has no such page
        return ok("GitHub", "the token works.")
    return unknown("GitHub", f"it answered HTTP {status}.")


def _repository(repo: str, status: int, body: Any) -> Finding:
    if status == HTTPStatus.NOT_FOUND:
        return wrong(
            "repository", f"GITHUB_TOKEN can't see {repo}: check its name and the token's repositories."
        )
    if status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT}:
        return warning("repository", f"{repo} was renamed: set CLOUDCODING_DEFAULT_REPO to its new name.")
    if status != _OK or not isinstance(body, dict):
        return unknown("repository", f"GitHub answered HTTP {status} for {repo}.")
    permissions = body.get("permissions")
    if isinstance(permissions, dict) and permissions.get("push") is False:
        return warning("repository", f"GITHUB_TOKEN can read {repo} but not push to it.")
    return ok("repository", f"GITHUB_TOKEN can see {repo}.")
