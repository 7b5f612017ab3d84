"""What the agent reads of the clone."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

_LARGEST = 2**20  # bytes; no source is larger
_LANGUAGES = {
    ".c": "C",
    ".cpp": "C++",
    ".css": "CSS",
    ".go": "Go",
    ".h": "C",
    ".html": "HTML",
    ".java": "Java",
    ".js": "JavaScript",
    ".json": "JSON",
    ".kt": "Kotlin",
    ".md": "Markdown",
    ".php": "PHP",
    ".py": "Python",
    ".rb": "Ruby",
    ".rs": "Rust",
    ".rst": "reStructuredText",
    ".sh": "Shell",
    ".sql": "SQL",
    ".swift": "Swift",
    ".toml": "TOML",
    ".ts": "TypeScript",
    ".tsx": "TypeScript",
    ".txt": "Text",
    ".yaml": "YAML",
    ".yml": "YAML",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A tracked text file; ``path`` is relative to the working directory."""

    path: str
    text: str

    @property
    def language(self) -> str:
        """By its name's ending."""
        return _LANGUAGES.get(Path(self.path).suffix.lower(), "Other")

    @property
    def lines(self) -> int:
        """How many it has."""
        return len(self.text.splitlines())


def git(*arguments: str) -> str:
    """What git says in the working directory; nothing where it refuses, as in a repository without commits."""
    done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    return done.stdout.decode(errors="replace") if done.returncode == 0 else ""


def sources() -> list[Source]:
    """All tracked text files of the working directory."""
    found = []
    for name in filter(None, git("ls-files", "-z").split("\0")):
        path = Path(name)
        if path.is_symlink() or not path.is_file() or path.stat().st_size > _LARGEST:
            continue
        data = path.read_bytes()
        if b"\0" not in data:
            found.append(Source(name, data.decode(errors="replace")))
    return found


def python_sources() -> list[Source]:
    """The Python ones among them."""
    return [source for source in sources() if source.language == "Python"]
