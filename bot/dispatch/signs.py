"""Listens for the moment in which this process gets an order: one direct connection, made again when it is lost."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
import structlog

from bot.store.orders import CHANNEL

log = structlog.get_logger("bot.dispatch")

PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0)  # seconds before the next attempt to connect
CHECK = 5.0  # seconds after which a silent connection is asked whether it is still one


async def listen(connecting: dict[str, Any], me: str, wake: Callable[[], None]) -> None:
    """Call ``wake`` whenever there may be an order for ``me``; a supervisor holds it."""
    failures = 0
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(**connecting, autocommit=True) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                failures = 0
                wake()  # for what was said before
                await _hear(connection, me, wake)
        except (psycopg.Error, OSError) as error:
            if not failures:
                log.warning("dispatch.not_listening", error=type(error).__name__)
        await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
        failures += 1


async def _hear(connection: psycopg.AsyncConnection[Any], me: str, wake: Callable[[], None]) -> None:
    while True:
        async for notice in connection.notifies(timeout=CHECK):
            if notice.payload == me:
                wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(CHECK):
                await connection.execute("SELECT 1")
                continue
        return
