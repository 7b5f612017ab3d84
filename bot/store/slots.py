"""Locked files beside a database file: whoever holds one lives, and the system lets go of it when its process dies.

So a process that starts again knows at once that the one before it is gone, without waiting for its heartbeats to grow
old, and one that is still there during a deploy is not taken for dead. The files stay; they are empty.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

_MOST = 1000  # processes on one file


class Slot:
    """One of the numbered files, locked by this process as long as it lives."""

    def __init__(self, number: int, file: int) -> None:
        self.number = number
        self._file: int | None = file

    @classmethod
    def take(cls, database: Path) -> "Slot | None":
        """The first free one beside ``database``; ``None`` where the file system knows no locks."""
        for number in range(_MOST):
            try:
                file = _locked(_path(database, number))
            except OSError:
                return None
            if file is not None:
                return cls(number, file)
        return None

    def release(self) -> None:
        """Let go of it. May be called twice."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def is_free(database: Path, number: int) -> bool:
    """Whether nobody holds that file; false where it can't be told."""
    file = None
    with suppress(OSError):
        file = _locked(_path(database, number))
    if file is None:
        return False
    os.close(file)
    return True


def _path(database: Path, number: int) -> Path:
    return database.with_name(f"{database.name}-worker-{number}")


def _locked(path: Path) -> int | None:
    """The file, open and locked; ``None`` where somebody else holds it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    except BaseException:
        os.close(file)
        raise
    return file
