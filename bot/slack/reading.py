"""What the bot reads in Slack: a thread's earlier messages, and files."""

from collections import deque
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.quoting import Said
from bot.core.slacktext import plain
from bot.errors import MessageGone, SlackError, SlackRejected, SlackUnavailable
from bot.model import Place
from bot.slack.api import call, insist
from bot.slack.people import People
from bot.slack.untyped import items, string

PAGE = 200  # messages; Slack gives a thread's oldest first
MOST_PAGES = 10
DOWNLOAD_SECONDS = 20.0


async def earlier(client: AsyncWebClient, people: People, place: Place, before: str, most: int) -> list[Said]:
    """The newest ``most`` messages of a thread before the one at ``before``, oldest first, by their authors' names.

    Raises one of the SlackErrors of ``bot.errors``.
    """
    newest: deque[Any] = deque(maxlen=most)
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await call(
            client,
            "conversations.replies",
            channel=place.channel,
            ts=place.thread_ts,
            latest=before,
            limit=PAGE,
            cursor=cursor,
        )
        newest.extend(message for message in items(page, "messages") if string(message, "ts") != before)
        cursor = string(page, "response_metadata", "next_cursor") or None
        if cursor is None:
            break
    return [
        Said(await _author(people, place, message), plain(string(message, "text")))
        for message in newest
        if string(message, "text")
    ]


async def text(client: AsyncWebClient, place: Place, ts: str) -> str | None:
    """What a message says now, in Slack's notation; ``None`` where it is gone. Raises one of the SlackErrors."""
    try:
        found = await insist(
            client,
            "conversations.replies",
            channel=place.channel,
            ts=place.thread_ts or ts,
            oldest=ts,
            latest=ts,
            inclusive="true",
            limit=PAGE,
        )
    except MessageGone:
        return None
    # A thread's first message comes with every answer.
    message = next((message for message in items(found, "messages") if string(message, "ts") == ts), None)
    return None if message is None or string(message, "subtype") == "tombstone" else string(message, "text")


async def _author(people: People, place: Place, message: Any) -> str:
    if string(message, "bot_id"):
        return string(message, "bot_profile", "name") or string(message, "username") or "an app"
    try:
        return (await people.get(place.workspace, string(message, "user"))).name
    except SlackError:
        return string(message, "user") or "someone"


async def download(client: AsyncWebClient, session: aiohttp.ClientSession, url: str, most: int) -> bytes:
    """A file of the workspace; ``SlackRejected`` where it has more than ``most`` bytes or isn't Slack's.

    The token goes to Slack alone, and not along with a redirect: Slack answers a token without the scope with
    one to its sign-in page.
    """
    if not _is_slacks(url, client.base_url):
        raise SlackRejected("foreign_address")
    try:
        async with session.get(
            url,
            headers={"Authorization": f"Bearer {client.token}"},
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(DOWNLOAD_SECONDS),
        ) as response:
            if response.status != 200:  # noqa: PLR2004  HTTP's own number
                raise SlackUnavailable(f"http_{response.status}")
            content = bytearray()
            async for chunk in response.content.iter_any():
                content += chunk
                if len(content) > most:
                    raise SlackRejected("file_too_large")
            return bytes(content)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise SlackUnavailable("download", type(error).__name__) from error


def _is_slacks(url: str, api: str) -> bool:
    """Whether an address is on Slack's own hosts, or where its API is."""
    target, base = urlsplit(url), urlsplit(api)
    if (target.scheme, target.netloc) == (base.scheme, base.netloc):
        return True
    host = target.hostname or ""
    return target.scheme == "https" and (host == "slack.com" or host.endswith(".slack.com"))
