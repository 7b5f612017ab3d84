"""The database stores a request, and its answer is lost: nobody knows, and yet nothing is lost or done behind anybody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bot.store.migrate import migrate
from bot.words import replies
from tests.chaos.proxy import Proxy
from tests.store import databases
from tests.store.databases import Schema
from tests.support.cloudcoding import Fail, Out
from tests.support.world import World, world

pytestmark = pytest.mark.skipif(databases.server() is None, reason="no PostgreSQL server answers")


class Forgetful(Proxy):
    """Once, the commit that stores a run arrives, and its answer doesn't."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.armed = False

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stores = False
        while piece := await reader.read(65_536):
            stores = stores or b"INSERT INTO runs" in piece
            lost = self.armed and stores and b"COMMIT" in piece
            if lost:
                self.freeze()  # the other way
            else:
                await self._flowing.wait()
            writer.write(piece)
            await writer.drain()
            if lost:
                self.armed = False
                await asyncio.sleep(0.2)  # until the server has done it
                self.cut()
                self.restore()
            stores = stores and b"COMMIT" not in piece


@asynccontextmanager
async def forgetful(folder: Path) -> AsyncIterator[tuple[World, Forgetful, Schema]]:
    with databases.schema(empty=True) as schema:
        await migrate(schema.url)
        direct = make_url(schema.url)
        async with Forgetful(direct.host or "127.0.0.1", direct.port or 5432) as proxy:
            through = direct.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
            async with world(folder, DATABASE_URL=through.replace("+", "%20")) as it, it.running():
                it.serve(Out("before\n"))
                await it.code("before")  # so that connections are made
                await it.says(await it.root(), "Done", "before")
                yield it, proxy, schema


async def test_a_message_is_delivered_again_and_carried_out_once(tmp_path: Path) -> None:
    async with forgetful(tmp_path) as (it, proxy, schema):
        it.serve(Out("after all\n"))
        told = len(it.slack.ephemerals("ann"))  # a busy machine may have been slow to store the first one
        proxy.armed = True
        await it.slack.say("ann", "#team", "@code go")
        await it.says(await it.root(1), "Done", "after all")
        await it.slack.settle()
        assert not proxy.armed
        assert len(schema.rows("SELECT id FROM runs")) == 2
        assert len(it.cloud.requests) == 2
        assert len(it.slack.ephemerals("ann")) == told


async def test_a_command_that_was_given_back_is_not_carried_out_afterwards(tmp_path: Path) -> None:
    async with forgetful(tmp_path) as (it, proxy, schema):
        proxy.armed = True
        await it.slack.command("ann", "#team", "/code", "go")
        await it.told("ann", "not started")
        assert not proxy.armed
        async with asyncio.timeout(10):
            while schema.rows("SELECT state FROM runs ORDER BY seq")[1:] != [("stopped",)]:  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0.05)
        assert len(it.cloud.requests) == 1
        assert len(it.roots()) == 1


async def test_a_retry_that_was_given_back_is_not_carried_out_afterwards_but_when_it_is_pressed_again(
    tmp_path: Path,
) -> None:
    async with forgetful(tmp_path) as (it, proxy, schema):
        it.serve(Fail(None, "it is broken"))
        await it.code("go")
        root = await it.root(1)
        await it.shows(root, "Failed")
        proxy.armed = True
        await it.slack.press("ann", root, "Retry")
        await it.told("ann", replies.press_failed())
        async with asyncio.timeout(10):
            while schema.rows("SELECT state FROM runs ORDER BY seq")[2:] != [("stopped",)]:  # noqa: ASYNC110  there is no event to wait for
                await asyncio.sleep(0.05)
        it.serve(Out("mended\n"))
        await it.slack.press("ann", root, "Retry")
        await it.says(root, "Done", "mended")
        assert len(it.cloud.requests) == 3
