"""When Python looks for garbage that reference counts miss.

A full collection looks at every object at once: with a thousand runs a tenth of a second and more, in which no command
is acknowledged. By default it comes whenever the objects have grown by a quarter, so just when many runs begin. Here
what the start-up made is never looked at again, young objects are collected as usual, and the rest while little is
going on. That can wait, since what a run leaves behind goes with its last reference.
"""

import asyncio
import gc
from collections.abc import Callable

EVERY = 60.0  # seconds between two full collections while at most FEW runs are going on
FEW = 50
LATEST = 3600.0  # seconds after which there is one, whatever is going on
_YOUNG, _MIDDLE, _NEVER = 2_000, 20, 2**30


def settle() -> None:
    """To be called once, when the process is up: what is there now stays."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)


async def tidy(running: Callable[[], int], collect: Callable[[], object] = gc.collect) -> None:
    """Collect when ``running`` says that few runs are going on, until cancelled."""
    loop = asyncio.get_running_loop()
    last = loop.time()
    while True:
        await asyncio.sleep(EVERY)
        if running() <= FEW or loop.time() - last >= LATEST:
            collect()
            last = loop.time()
