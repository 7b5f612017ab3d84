"""The hash-pinned files can be installed on the day that a newer version of anything comes out."""

import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCKS = {
    "requirements.txt": [],
    "requirements-dev.txt": ["dev"],
    "requirements-bench.txt": ["dev", "bench"],
}


def pinned(lock: str) -> dict[str, Requirement]:
    lines = (ROOT / lock).read_text().splitlines()
    found = [Requirement(line.rstrip("\\ ")) for line in lines if line[:1].isalnum()]
    return {canonicalize_name(one.name): one for one in found}


def wanted(lock: str) -> Iterator[Requirement]:
    """What the project and every pinned package of this machine ask for."""
    texts = list(PROJECT["dependencies"])
    for extra in LOCKS[lock]:
        texts += PROJECT["optional-dependencies"][extra]
    for name, pin in pinned(lock).items():
        try:
            needs = [Requirement(text) for text in requires(name) or []]
        except PackageNotFoundError:  # another platform's
            continue
        for extra in pin.extras | {""}:
            texts += [
                str(one) for one in needs if one.marker is None or one.marker.evaluate({"extra": extra})
            ]
    return map(Requirement, texts)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_extra_that_is_asked_for_is_pinned_with_its_package(lock: str) -> None:
    """pip looks for the newest ``coverage[toml]`` where only ``coverage`` is pinned, and refuses it for want of a hash."""
    pins = pinned(lock)
    missing = {
        f"{one.name}[{extra}]"
        for one in wanted(lock)
        for extra in one.extras - pins[canonicalize_name(one.name)].extras
    }
    assert not missing


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_that_is_asked_for_is_pinned_as_asked(lock: str) -> None:
    pins = pinned(lock)
    for one in wanted(lock):
        (version,) = pins[canonicalize_name(one.name)].specifier
        assert version.operator == "==", one
        assert one.specifier.contains(version.version, prereleases=True), one
