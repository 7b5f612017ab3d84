"""An asyncio loop on virtual time: real coroutines, and minutes that pass in milliseconds.

Whenever nothing is runnable, the clock jumps to the next timer, so that a test waits for nothing and always takes
the same course. Only fakes inside the process may be used under it: a socket would never be waited for.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Stuck(RuntimeError):
    """Everything waits, and nothing will ever happen."""


class _JumpingSelector(selectors.SelectSelector):
    """Doesn't wait for files, but says how long it would have."""

    def __init__(self, passed: Callable[[float], None]) -> None:
        super().__init__()
        self._passed = passed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events:
            if timeout is None:
                raise Stuck
            self._passed(max(0.0, timeout))
        return events


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its ``time()`` begins at 0 and moves only while all coroutines wait."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_JumpingSelector(self._pass))

    def time(self) -> float:
        return self._seconds

    def _pass(self, seconds: float) -> None:
        self._seconds += seconds


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end on a virtual loop of its own."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(work)


def virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a plain test of a coroutine: it runs on virtual time."""

    @wraps(test)
    def plain(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return plain
