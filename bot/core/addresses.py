"""What an address leads to, as far as it is worth a button: ``View PR #42``, ``View commit 1a2b3c4``.

Addresses come from output that nobody vouches for. So a button never opens the address that was read but one made anew
of the parts that were understood, without port, user, query or fragment, and its label says what it opens.
"""

import re
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import quote, unquote

from bot.core.text import shorten_middle
from bot.model import Link

GITHUB = "github.com"
LABEL = 75  # characters of a button's label

_COMMIT = 7  # characters of a commit's name that are shown
_AROUND = ".,;:!*"  # punctuation of the sentence or markup around an address
_NAME = r"[\w./@+=,%!$&;-]{1,250}+"
_BASE = r"(?:[\w/@+=,%!$&;-]|\.(?!\.\.)){1,250}"
_END = rf"(?:[?#]|[{_AROUND}]*\Z)"
_FIRST = re.compile(rf"/([\w.-]+?)(?:[/?#]|[{_AROUND}]*\Z)", re.ASCII)
_SITE = re.compile(r"https?://([^/?#]+)")
_IN_REPOSITORY = re.compile(
    rf"""/(?P<repo>[\w-]{{1,39}}/(?!\.\.?/)[\w.-]{{1,100}})/(?:
        pull/(?P<number>[1-9][0-9]{{0,9}})(?![\w[])
      | commit/(?P<commit>[0-9a-fA-F]{{7,40}})(?![\w[])
      | tree/(?P<branch>{_NAME}){_END}
      | pull/new/(?P<pushed>{_NAME}){_END}
      | compare/(?:{_BASE}\.\.\.)?(?P<compared>{_NAME})\?(?:[^\#]*&)?expand=1(?!\w)
      | deployments(?:/(?P<environment>{_NAME}))?{_END}
    )""",
    re.ASCII | re.VERBOSE,
)
# What git doesn't take for a branch's name; `HEAD`; and directories in branches: besides `main` there is no `main/docs`.
_NO_BRANCH = re.compile(
    r"\A\Z|[ ~^:?*\[\\\ufffd]|\.\.|//|@\{|(?:^|/)\.|\.lock(?:/|\Z)|[/.]\Z|\A[-/]|\AHEAD\Z|\A(?:HEAD|main|master|trunk)/"
)
_AT_COMMIT = re.compile(r"(?P<commit>[0-9a-f]{40})(?P<path>/.*)?")

# Services that give each deployment a name of its own below theirs; not by punycode, which can look like another name.
_SERVICES = (
    ".a.run.app",
    ".amplifyapp.com",
    ".azurestaticapps.net",
    ".azurewebsites.net",
    ".deno.dev",
    ".firebaseapp.com",
    ".fly.dev",
    ".herokuapp.com",
    ".koyeb.app",
    ".netlify.app",
    ".ondigitalocean.app",
    ".onrender.com",
    ".pages.dev",
    ".surge.sh",
    ".up.railway.app",
    ".vercel.app",
    ".web.app",
    ".workers.dev",
)
_HOST = re.compile(r"(?:(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){2,6}[a-z]{2,10}")


class Kind(IntEnum):
    """What an address leads to, the most useful first."""

    PULL_REQUEST = 1
    NEW_PULL_REQUEST = 2
    DEPLOYMENT = 3
    BRANCH = 4
    COMMIT = 5


_KINDS = {
    "number": Kind.PULL_REQUEST,
    "pushed": Kind.NEW_PULL_REQUEST,
    "compared": Kind.NEW_PULL_REQUEST,
    "branch": Kind.BRANCH,
    "commit": Kind.COMMIT,
    "environment": Kind.DEPLOYMENT,
    "repo": Kind.DEPLOYMENT,  # the list of all
}


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that addresses lead to: ``name`` in ``place``, with the button for it.

    ``place`` is a repository with its host (``github.com/acme/web``), or where a deployment is served. ``own`` means
    that it belongs to the run's repository, as far as can be told.
    """

    kind: Kind
    place: str
    name: str
    own: bool
    link: Link

    def merged(self, other: "Target") -> "Target | None":
        """One target for both where they are the same, else ``None``."""
        if self.kind is not other.kind:
            return None
        shorter, longer = (self, other) if len(self.name) <= len(other.name) else (other, self)
        one = shorter
        match self.kind:
            case Kind.COMMIT:
                one, same = longer, longer.name.startswith(shorter.name)
            case Kind.BRANCH:  # only one of `fix` and `fix/src` can be a branch; the other is a path in it
                same = f"{longer.name}/".startswith(f"{shorter.name}/")
            case _:
                same = shorter.name == longer.name
        return one if same and self.place.casefold() == other.place.casefold() else None


class Guide:
    """Knows where addresses lead, seen from ``repo`` (``owner/name``) on ``host``, GitHub's or an enterprise's own."""

    def __init__(self, repo: str | None, host: str = GITHUB) -> None:
        self._host = host.lower()
        self._hosts = {self._host, GITHUB}
        owner, _, name = (repo or "").casefold().partition("/")
        self._own = f"{self._host}/{owner}/{name}"
        self._pages = f"{owner}.github.io", name

    def read(self, address: str) -> Target | None:
        """What ``address`` leads to, if it is worth a button.

        It may have punctuation of a sentence at its end, and after it a character that no address contains where it
        goes on in such: ``[`` of ``[redacted]``, or a letter like ``é``.
        """
        site = _SITE.match(address)
        if site is None:
            return None
        host = site[1].rstrip(_AROUND).lower()
        if (github := host.removeprefix("www.")) in self._hosts:
            found = _IN_REPOSITORY.match(address, site.end())
            return self._in_repository(f"{github}/{found['repo']}", found) if found else None
        known = host == self._pages[0] or host.endswith(_SERVICES)
        if not known or not _HOST.fullmatch(host):
            return None
        if host == self._pages[0]:
            return self._on_pages(host, address[site.end() :])
        return _served(host)

    def where(self, target: Target) -> str:
        """What tells a repository's targets from another's: ``owner/name``, with the host where that is another."""
        return target.place.removeprefix(f"{self._host}/")

    def _in_repository(self, place: str, found: re.Match[str]) -> Target | None:
        room = found.lastgroup or ""
        name = unquote(found[room].rstrip(f"{_AROUND}/"))
        if room == "branch" and (at := _AT_COMMIT.fullmatch(name)):
            room = "a directory" if at["path"] else "commit"
        kind = _KINDS.get(room)
        branch = kind in {Kind.BRANCH, Kind.NEW_PULL_REQUEST}
        if kind is None or not name.isprintable() or (branch and _NO_BRANCH.search(name)):
            return None
        match kind:
            case Kind.PULL_REQUEST:
                label, path = f"View PR #{name}", f"pull/{name}"
            case Kind.NEW_PULL_REQUEST:
                label, path = _label("Create PR for", name), f"pull/new/{quote(name)}"
            case Kind.BRANCH:
                label, path = _label("View branch", name), f"tree/{quote(name)}"
            case Kind.COMMIT:
                name = name.lower()
                label, path = f"View commit {name[:_COMMIT]}", f"commit/{name}"
            case Kind.DEPLOYMENT if room == "environment" and name not in {"", "activity_log"}:
                label, path = _label("View deployment", name), f"deployments/{quote(name)}"
            case Kind.DEPLOYMENT:
                name, label, path = "", "View deployments", "deployments"
        return Target(
            kind, place, name, place.casefold() == self._own, Link(label, f"https://{place}/{path}")
        )

    def _on_pages(self, host: str, path: str) -> Target | None:
        """The site of the run's repository; its owner's other sites are mostly documentation."""
        name = self._pages[1]
        if name == host:
            return _served(host)
        first = _FIRST.match(path)
        return _served(f"{host}/{name}") if first and first[1].casefold() == name else None


def _served(place: str) -> Target:
    """A deployment by its address. Nothing tells whose it is; the label says where it is served."""
    return Target(
        Kind.DEPLOYMENT, place, "", own=True, link=Link(_label("View deployment", place), f"https://{place}/")
    )


def _label(words: str, name: str) -> str:
    """A button's label. A name that is too long keeps its end: the end of a host says whose it is."""
    return f"{words} {shorten_middle(name, LABEL - len(words) - 1)}"
