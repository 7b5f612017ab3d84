"""What processes tell each other: orders, which are stored, so that none is lost, and looked at when there is a sign.

A sign comes from the database where it can give one (``wake``), else by looking often; and in any case now and then.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Any

import structlog

from bot.clock import Clock
from bot.errors import StoreUnavailable
from bot.store.orders import Order
from bot.store.store import Store

log = structlog.get_logger("bot.bus")

Handler = Callable[[Mapping[str, Any]], Awaitable[None]]

DEAD = 15.0  # seconds of silence after which a process counts as dead
MOMENT = 1.0  # seconds for which a process that lived counts as living: many ask at once when many runs start
OFTEN = 0.5  # seconds between two looks where no sign comes
SELDOM = 5.0  # seconds between two looks otherwise


class Bus:
    """A process, ``me``, among all that share the database. ``signs``: whether the database says when there is an order."""

    def __init__(self, store: Store, me: str, clock: Clock, *, signs: bool) -> None:
        self.me = me
        self._store = store
        self._clock = clock
        self._signs = signs
        self._handlers: dict[str, Handler] = {}
        self._sign = asyncio.Event()
        self._living: Collection[str] = ()
        self._looked = 0.0

    def on(self, kind: str, handler: Handler) -> None:
        """Let ``handler`` carry out orders of that kind; an order may come a second time."""
        self._handlers[kind] = handler

    async def tell(self, worker: str, kind: str, **values: Any) -> None:
        """Give one process an order; ``values`` are what JSON knows. Raises StoreUnavailable."""
        await self._store.orders.put([worker], kind, values, self._clock.wall())

    async def tell_all(self, kind: str, **values: Any) -> None:
        """Give every other living process an order. Raises StoreUnavailable."""
        await self._store.orders.put(await self.others(), kind, values, self._clock.wall())

    async def others(self, silent: float = DEAD) -> Collection[str]:
        """The other processes that live, and have said so in the last ``silent`` seconds. Raises StoreUnavailable."""
        return {
            other.id
            for other in await self._store.workers.others()
            if not other.gone and other.silent < silent
        }

    async def lives(self, worker: str | None) -> bool:
        """Whether that is another process, and lives, or did so a moment ago. Raises StoreUnavailable."""
        if worker is None or worker == self.me:
            return False
        now = self._clock.monotonic()
        if worker not in self._living or now - self._looked > MOMENT:
            self._living, self._looked = await self.others(), now
        return worker in self._living

    def wake(self) -> None:
        """There may be an order."""
        self._sign.set()

    async def run(self) -> None:
        """Carry orders out; a supervisor holds it."""
        while True:
            self._sign.clear()
            try:
                found = await self._store.orders.of(self.me)
                for order in found:
                    await self._carry_out(order)
                await self._store.orders.done([order.id for order in found])
            except StoreUnavailable:
                log.warning("bus.store_unavailable")
            with suppress(TimeoutError):
                async with asyncio.timeout(SELDOM if self._signs else OFTEN):
                    await self._sign.wait()

    async def _carry_out(self, order: Order) -> None:
        handler = self._handlers.get(order.kind)
        if handler is None:
            log.warning("bus.unknown_order", kind=order.kind)  # of a newer version of the bot
            return
        try:
            await handler(order.values)
        except StoreUnavailable:
            raise
        except Exception:  # the next order must not suffer from this one
            log.exception("bus.order_failed", kind=order.kind)
