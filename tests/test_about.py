from importlib import metadata
from pathlib import Path

import pytest

from bot import about

HEAD = "Metadata-Version: 2.1\nName: some-bot\nVersion: 1\n"


@pytest.mark.parametrize(
    ("lines", "address"),
    [
        ("", None),
        ("Project-URL: Changelog, https://a.example/changes\n", None),
        ("Project-URL: Source, https://a.example/b\n", "https://a.example/b"),
        (
            "Project-URL: Repository, https://a.example/b\nProject-URL: Documentation, https://a.example/docs\n",
            "https://a.example/docs",
        ),
    ],
)
def test_the_address_is_the_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str, address: str | None
) -> None:
    installed = tmp_path / "some_bot-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text(HEAD + lines)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert metadata.version("some-bot") == "1"
    assert about.readme("some-bot") == address


def test_what_is_not_installed_has_none() -> None:
    assert about.readme("a-bot-that-nobody-installed") is None
