"""Where the repositories are that stand for GitHub's."""

import asyncio
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_GITHUB = re.compile(r"https?://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")
_OTHER_THAN_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_LOCAL_OWNER = "local"


class RepositoryError(Exception):
    """A repository that can't be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Repositories:
    """``known``: ``owner/name`` → a path or URL that git can clone. Others are looked for below ``folder``."""

    folder: Path
    known: dict[str, str] = field(default_factory=dict)

    def locate(self, repo_url: str) -> str:
        """From where to clone what the service would clone from ``repo_url``; it need not exist."""
        name = urlsplit(repo_url).path.strip("/").removesuffix(".git")
        return self.known.get(name, f"{self.folder}/{name}")


async def stand_in(source: str, scratch: Path) -> tuple[str, str]:
    """``owner/name`` and a clonable location for ``source``, a path or a URL.

    A folder that is no git repository, such as an unpacked archive, is committed into a new one below ``scratch``; its
    own files are only read. Raises :class:`RepositoryError`.
    """
    if "://" in source and not source.startswith("file://"):
        found = _GITHUB.fullmatch(source)
        return (found[1] if found else f"{_LOCAL_OWNER}/{_as_name(urlsplit(source).path)}"), source
    folder = _folder(source)
    name = f"{_LOCAL_OWNER}/{_as_name(str(folder))}"
    if (folder / ".git").exists() or (folder / "HEAD").is_file():
        return name, str(folder)
    return name, await _committed(folder, scratch / "repository.git")


def _folder(source: str) -> Path:
    folder = Path(source.removeprefix("file://")).expanduser().resolve()
    if not folder.is_dir():
        raise RepositoryError(f"{folder} is no folder: name a repository's path or URL.")
    return folder


async def _committed(folder: Path, repository: Path) -> str:
    """A new bare repository with what is in ``folder``, except what its ``.gitignore`` names."""
    await _git("init", "--quiet", "--bare", "--initial-branch=main", str(repository))
    here = ("--git-dir", str(repository), "--work-tree", str(folder))
    who = ("-c", "user.name=demo", "-c", "user.email=demo@localhost", "-c", "commit.gpgsign=false")
    await _git(*here, "-c", "core.bare=false", "add", "--all", cwd=folder)
    message = "The files as they are"
    await _git(
        *who, *here, "-c", "core.bare=false", "commit", "--quiet", "--allow-empty", "-m", message, cwd=folder
    )
    return str(repository)


async def _git(*arguments: str, cwd: Path | None = None) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            *arguments,
            cwd=cwd,
            env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise RepositoryError("git is not installed: the agent needs it to clone repositories.") from None
    _, said = await process.communicate()
    if process.returncode:
        raise RepositoryError(f"git {arguments[0]} failed: {said.decode(errors='replace').strip()}")


def _as_name(path: str) -> str:
    name = Path(path).name.removesuffix(".git")
    return _OTHER_THAN_NAME.sub("-", name).strip(".-") or "repository"
