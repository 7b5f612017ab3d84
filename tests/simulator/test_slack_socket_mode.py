"""Socket Mode, with Bolt's own handler on the other end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.slack import LocalSlack
from tests.support.slack import client_of


@asynccontextmanager
async def socket(slack: LocalSlack) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A bare connection, past its hello."""
    url = (await client_of(slack).apps_connections_open(app_token=slack.app_token))["url"]
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as connection:
        assert (await connection.receive_json())["type"] == "hello"
        yield connection


async def test_bolt_connects_hears_and_answers() -> None:
    async with LocalSlack() as slack:
        web = AsyncWebClient(slack.bot_token, base_url=slack.api_url)
        bolt = AsyncApp(client=web)
        heard: list[str] = []

        @bolt.command("/code")
        async def command(ack: Any, command: dict[str, Any]) -> None:
            await ack(f"you said {command['text']}")

        @bolt.event("app_mention")
        async def mention(event: dict[str, Any]) -> None:
            heard.append(event["text"])

        @bolt.event("message")
        async def message(event: dict[str, Any]) -> None:
            heard.append(event["channel_type"])

        handler = AsyncSocketModeHandler(bolt, slack.app_token, ping_interval=60)
        try:
            await handler.client.connect()  # type: ignore[no-untyped-call]  # the SDK ships it untyped
            await slack.command("ann", "#team", "/code", "fix")
            assert slack.ephemerals("ann")[0].text == "you said fix"
            await slack.say("ann", "#team", "@code hello")
            assert sorted(heard) == ["<@U0CODE> hello", "channel"]
            assert all(delivery.accepted for delivery in slack.deliveries)
        finally:
            await handler.client.close()  # type: ignore[no-untyped-call]  # the SDK ships it untyped


async def test_envelopes_take_turns_and_a_lost_connection_is_noticed() -> None:
    async with LocalSlack(retry_delays=(0.0,)) as slack, socket(slack) as first:
        async with socket(slack) as second:
            assert slack.sockets.connected == 2
            delivering = asyncio.ensure_future(slack.event({"type": "app_uninstalled"}))
            envelope = await first.receive_json()
            assert (envelope["type"], envelope["retry_attempt"]) == ("events_api", 0)
            await first.send_str("not json")
            await first.send_json({"envelope_id": "unknown"})
            await first.send_json({"envelope_id": envelope["envelope_id"]})
            assert (await delivering).accepted
            delivering = asyncio.ensure_future(slack.event({"type": "tokens_revoked"}))
            await second.receive_json()
        lost = await delivering
        assert lost.attempts[0].failure == "connection_failed"
        again = await first.receive_json()
        assert again["retry_attempt"] == 1
        await first.send_json({"envelope_id": again["envelope_id"]})
        await slack.wait_for(lambda: lost.accepted)


async def test_slack_asks_to_reconnect() -> None:
    async with LocalSlack() as slack, socket(slack) as connection:
        closing = asyncio.ensure_future(slack.sockets.disconnect())
        message = await connection.receive_json()
        assert (message["type"], message["reason"]) == ("disconnect", "refresh_requested")
        assert (await connection.receive()).type is aiohttp.WSMsgType.CLOSE
        await closing
        assert slack.sockets.connected == 0


async def test_an_address_is_good_once() -> None:
    async with LocalSlack() as slack, aiohttp.ClientSession() as http:
        url = (await client_of(slack).apps_connections_open(app_token=slack.app_token))["url"]
        async with http.ws_connect(url):
            pass
        async with http.get(url.replace("ws", "http", 1)) as response:
            assert response.status == 403


async def test_closing_ends_the_connections() -> None:
    async with AsyncExitStack() as ours:
        async with LocalSlack() as slack:
            connection = await ours.enter_async_context(socket(slack))
            receiving = asyncio.ensure_future(connection.receive())
        assert (await receiving).type is aiohttp.WSMsgType.CLOSE
