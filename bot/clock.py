"""Time as an argument: rooms ask a Clock, never the machine, so that tests decide what time it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """Two readings in seconds.

    ``wall`` is Unix time, for what is stored or shown; ``monotonic`` never jumps, for what is measured.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
