"""The port to the database: what a transaction promises, whatever the database.

What is to be done comes as a function of a SQLAlchemy ``Connection``, which runs within one transaction, in a thread. It
may be run again from its beginning where others got in its way; so it changes nothing but the database.
"""

from abc import ABC, abstractmethod
from typing import TypeVar

from sqlalchemy import Connection, select

from bot.store.lanes import Work
from bot.store.tables import claims

__all__ = ["SLACK", "Database", "Work"]

T = TypeVar("T")

SLACK = 0.5
"""How much longer than for a lock is waited for a whole transaction, in seconds."""


class Database(ABC):
    """Transactions on one database; every failure is a StoreUnavailable with its cause.

    A StoreUnavailable, and the cancellation of a caller, mean that nothing was stored, except where the commit itself
    failed or was being made.
    """

    @abstractmethod
    async def read(self, work: Work[T]) -> T:
        """What ``work`` finds; several queries may each see another state."""

    @abstractmethod
    async def write(self, work: Work[T]) -> T:
        """Do ``work`` for a request, wholly or not at all."""

    @abstractmethod
    async def write_output(self, work: Work[T]) -> T:
        """The same, for output."""

    @abstractmethod
    async def write_beat(self, work: Work[T]) -> T:
        """The same, for a sign of life: it waits behind at most one turn of each other kind."""

    @abstractmethod
    async def write_upkeep(self, work: Work[T]) -> T:
        """The same, for what nobody waits for: it takes the time it needs."""

    @abstractmethod
    async def checkpoint(self) -> None:
        """Let what was committed reach its final place, where nobody waits; to be called every few seconds."""

    @abstractmethod
    async def give_back(self) -> None:
        """Let the machine have the room that was freed, a little at a time, after much was removed."""

    @abstractmethod
    async def close(self) -> None:
        """Let transactions that have begun come to their end, and disconnect. May be called twice."""

    async def ping(self) -> None:
        """Return where the database answers, else raise StoreUnavailable."""
        await self.read(_look)


def _look(connection: Connection) -> None:
    connection.execute(select(claims.c.key).limit(1))
