"""What the bot has on its own machine: the database and the port."""

import asyncio
import errno
import socket

from bot.doctor.finding import Examination, Finding, ok, warning, wrong
from bot.errors import StoreUnavailable
from bot.store.schema import Schema, schema_of


async def database(examination: Examination) -> list[Finding]:
    """Whether the database can be used, and whether it knows all tables."""
    url = examination.settings.database_url
    try:
        schema = await asyncio.to_thread(schema_of, url, examination.patience)
    except StoreUnavailable as error:
        return [wrong("database", f"can't be used: {error}. Check DATABASE_URL.")]
    # The bot migrates SQLite by itself when it starts; on a server a release phase does, before many processes start.
    by_itself = url.startswith("sqlite")
    match schema:
        case Schema.CURRENT:
            return [ok("database", "is up to date.")]
        case Schema.NEWER:
            return [wrong("database", "was made by a newer version of the bot: run that version.")]
        case Schema.NO_FILE:
            return [ok("database", "does not exist yet; it is made at the first start.")]
        case Schema.EMPTY | Schema.BEHIND if by_itself:
            return [ok("database", "is brought up to date at the next start.")]
        case Schema.EMPTY | Schema.BEHIND:
            state = "is empty" if schema is Schema.EMPTY else "is of an older version"
            return [wrong("database", f"{state}: run python -m bot migrate.")]


async def port(examination: Examination) -> list[Finding]:
    """Whether the port is free; a bot that is running here already has it."""
    number = examination.settings.port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", number))  # noqa: S104  as the bot does
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return [warning("port", f"{number} is in use: by the bot, or set PORT to another one.")]
            return [wrong("port", f"{number} can't be opened here: set PORT to one above 1023.")]
    return [ok("port", f"{number} is free.")]
