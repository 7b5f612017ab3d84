"""Reading JSON of which nothing is certain: what is missing or of another type reads as empty."""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def at(value: Any, *path: str) -> Any:
    """What stands at a path of keys, ``None`` where there is no such path."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def string(value: Any, *path: str) -> str:
    """The string at a path, else an empty one."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def mapping(value: Any, *path: str) -> Json:
    """The object at a path, else an empty one."""
    found = at(value, *path)
    return found if isinstance(found, Mapping) else {}


def items(value: Any, *path: str) -> list[Any]:
    """The array at a path, else an empty one."""
    found = at(value, *path)
    return found if isinstance(found, list) else []
