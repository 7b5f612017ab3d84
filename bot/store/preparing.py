"""The schema before the bot starts: a file's owner brings it up to date, a shared database's processes only look."""

import asyncio

from bot.errors import StoreUnavailable
from bot.store import dialect
from bot.store.migrate import migrate
from bot.store.schema import Schema, schema_of

_PATIENCE = 5.0  # seconds for the look


def is_shared(url: str) -> bool:
    """Whether processes of several machines can use the database at ``url``."""
    return dialect.parse(url).get_backend_name() != "sqlite"


async def prepare(url: str) -> None:
    """Have the schema that this version needs: migrate SQLite, and elsewhere make sure that it was migrated.

    Raises StoreUnavailable where it can't be had, in words for an operator.
    """
    if not is_shared(url):
        await migrate(url)
        return
    match await asyncio.to_thread(schema_of, url, _PATIENCE):
        case Schema.CURRENT:
            return
        case Schema.NEWER:
            raise StoreUnavailable("the database was made by another, newer version of the bot")
        case _:
            raise StoreUnavailable("the database isn't migrated: run `python -m bot migrate` first")
