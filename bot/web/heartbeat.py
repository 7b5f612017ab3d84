"""Whether the event loop is free: everything in the process waits for it, an acknowledgement too."""

import asyncio

from bot.meter import Spread

EVERY = 0.025  # seconds: a hold-up of three times that can't slip between two beats


async def heartbeat(lag: Spread, every: float = EVERY) -> None:
    """Count in ``lag`` how late each beat comes, in seconds, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + every
        await asyncio.sleep(every)
        lag.add(max(0.0, loop.time() - due))
