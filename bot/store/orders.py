"""What processes tell each other: each order is for one process, which removes it when it was carried out.

On PostgreSQL whoever listens on ``CHANNEL`` is told the addressee in the moment of the commit.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Double, bindparam, delete, func, insert, select

from bot.store import tables
from bot.store.database import Database
from bot.store.lists import few_lengths
from bot.store.tables import PlainText, orders

CHANNEL = "bot_orders"
"""The channel of PostgreSQL's NOTIFY; what is told there is the id of the process that has an order."""

_MOST = 200  # orders that are read at a time

_PUT = insert(orders).from_select(
    ["worker", "kind", "payload", "created_at"],
    select(
        tables.workers.c.id,
        bindparam("kind", type_=PlainText),
        bindparam("payload", type_=PlainText),
        bindparam("created_at", type_=Double),
    ).where(tables.workers.c.id == bindparam("of")),
)


@dataclass(frozen=True, slots=True)
class Order:
    """``kind`` says what is to be done; ``values`` what with, as JSON knows it."""

    id: int
    kind: str
    values: Mapping[str, Any]


class Orders:
    """Orders between the processes that share the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, workers: Collection[str], kind: str, values: Mapping[str, Any], now: float) -> None:
        """Give each of these processes an order, as far as they are still there."""
        order = {"kind": kind, "payload": json.dumps(values), "created_at": now}
        rows = [{"of": worker, **order} for worker in workers]

        def store(connection: Connection) -> None:
            connection.execute(_PUT, rows)
            if connection.dialect.name == "postgresql":
                for worker in workers:
                    connection.execute(select(func.pg_notify(CHANNEL, worker)))

        if rows:
            await self._database.write(store)

    async def of(self, worker: str) -> list[Order]:
        """What the process has to do, in the order in which it was told."""
        query = (
            select(orders.c.id, orders.c.kind, orders.c.payload)
            .where(orders.c.worker == worker)
            .order_by(orders.c.id)
            .limit(_MOST)
        )

        def find(connection: Connection) -> list[Order]:
            return [Order(id_, kind, json.loads(told)) for id_, kind, told in connection.execute(query)]

        return await self._database.read(find)

    async def done(self, ids: Collection[int]) -> None:
        """These were carried out."""
        if ids:
            await self._database.write(
                lambda connection: connection.execute(delete(orders).where(orders.c.id.in_(few_lengths(ids))))
            )
