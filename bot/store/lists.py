"""Lists among a statement's parameters."""

from collections.abc import Collection
from typing import TypeVar

T = TypeVar("T")


def few_lengths(values: Collection[T]) -> list[T]:
    """The values, one of them repeated until their number is a power of two.

    For each number of values a statement has another text, and each connection keeps the newest texts prepared. SQLite's
    are 128, of up to 100 KiB each: of lists that grow with the runs, they took more memory than the runs themselves.
    """
    padded = list(values)
    while len(padded) & (len(padded) - 1):
        padded.append(padded[-1])
    return padded
