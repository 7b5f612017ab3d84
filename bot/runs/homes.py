"""People's own pages, which any process may show: each hears of every run's change, a little later where others have it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from bot.errors import StoreUnavailable
from bot.runs.bus import Bus
from bot.runs.ports import Home
from bot.runs.supervisor import Supervisor

log = structlog.get_logger("bot.home")

GATHER = 0.3  # seconds in which changes are gathered before the others are told


class SharedHomes:
    """Implements ``Home`` for all processes; ``home`` has those pages that are looked at here."""

    def __init__(self, home: Home, bus: Bus, supervisor: Supervisor) -> None:
        self._home = home
        self._bus = bus
        self._supervisor = supervisor
        self._changed: set[tuple[str, str]] = set()
        bus.on("home", self._on_changed)

    def changed(self, workspace: str, user: str) -> None:
        """A run of theirs has changed its state. Returns at once and never fails."""
        self._home.changed(workspace, user)
        if not self._changed:
            self._supervisor.start("tell of homes", self._tell())
        self._changed.add((workspace, user))

    async def _tell(self) -> None:
        await asyncio.sleep(GATHER)
        changed, self._changed = sorted(self._changed), set()
        try:
            await self._bus.tell_all("home", changed=changed)
        except StoreUnavailable:
            log.warning("home.store_unavailable")  # their next change brings them up to date

    async def _on_changed(self, order: Mapping[str, Any]) -> None:
        for workspace, user in order["changed"]:
            self._home.changed(workspace, user)
