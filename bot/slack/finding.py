"""Whether Slack has a message already: each carries a key in its metadata, by which it is found again.

Where no answer came, nobody can say whether a message was posted. Reading metadata needs no scope beyond those for
reading the conversation; Slack keeps it when the message is edited; and every app and member can read it.
"""

from collections.abc import AsyncIterator
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import MessageGone
from bot.model import MessageRef, Place
from bot.slack.api import call
from bot.slack.untyped import items, string

EVENT_TYPE = "coding_bot"
CLOCKS = 300.0  # seconds that this machine's clock may differ from Slack's, as for signatures
PAGE = 200  # messages
MOST_PAGES = 20


def marked(key: str) -> dict[str, Any] | None:
    """The metadata of the message with that key; none where it has no key."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key}} if key else None


async def find(client: AsyncWebClient, place: Place, key: str, since: float) -> MessageRef | None:
    """The message with that key, if it was posted there since then (Unix seconds). Raises one of the SlackErrors."""
    async for message in _messages(client, place, f"{max(0.0, since - CLOCKS):.6f}"):
        if _key(message) == key:
            return MessageRef(place.channel, string(message, "ts"))
    return None


async def _messages(client: AsyncWebClient, place: Place, after: str) -> AsyncIterator[Any]:
    """What was posted there after that timestamp; of a thread its first message, too. None where the thread is gone."""
    method = "conversations.replies" if place.thread_ts else "conversations.history"
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        try:
            page = await call(
                client,
                method,
                channel=place.channel,
                ts=place.thread_ts,
                oldest=after,
                include_all_metadata="true",
                limit=PAGE,
                cursor=cursor,
            )
        except MessageGone:
            return
        for message in items(page, "messages"):
            yield message
        cursor = string(page, "response_metadata", "next_cursor") or None
        if cursor is None:
            return


def _key(message: Any) -> str:
    if string(message, "metadata", "event_type") != EVENT_TYPE:
        return ""
    return string(message, "metadata", "event_payload", "key")
