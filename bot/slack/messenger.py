"""Slack as the engine room sees it: frames become calls of the Web API, its answers our errors."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import aiohttp
import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Clock
from bot.core.quoting import Said
from bot.errors import ChannelClosed, SlackError, SlackLimited, SlackRejected, SlackUnavailable, SlackUnsure
from bot.model import Audience, MessageRef, Person, Place
from bot.runs.frames import Frame
from bot.runs.ports import Notice, Reaction, SessionStatus, Suggestion
from bot.slack.api import SERVER_ERROR, TOO_MANY, call, insist
from bot.slack.blocks import Rendered, bare, render, render_notice
from bot.slack.finding import find, marked
from bot.slack.people import People
from bot.slack.reading import download, earlier, text
from bot.slack.untyped import string

log = structlog.get_logger("bot.slack")

ANSWER_SECONDS = 5.0  # for a response_url, before the Web API is tried instead
UPLOAD_SECONDS = 120.0
_PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)  # seconds between looks for what Slack may have done
_LONGEST_PAUSE = 30.0
_REFUSED = re.compile(r'"ok"\s*:\s*false')


def _pauses() -> Iterator[float]:
    return itertools.chain(_PAUSES, itertools.repeat(_LONGEST_PAUSE))


class SlackMessenger:
    """Implements ``bot.runs.ports.Messenger`` with one client and one session."""

    def __init__(self, client: AsyncWebClient, session: aiohttp.ClientSession, clock: Clock) -> None:
        self._client = client
        self._session = session
        self._people = People(client, clock)

    async def post(self, place: Place, frame: Frame, key: str = "") -> MessageRef:
        """A new message, without previews of links in it, which ``find`` finds by its ``key``."""
        where = {"channel": place.channel, "thread_ts": place.thread_ts}
        quiet = {"unfurl_links": False, "unfurl_media": False}
        answer = await self._shown("chat.postMessage", frame, **where, **quiet, metadata=marked(key))
        if not isinstance(answer.get("ts"), str):
            raise SlackUnsure("no_ts")
        return MessageRef(answer.get("channel") or place.channel, answer["ts"])

    async def find(self, place: Place, key: str, since: float) -> MessageRef | None:
        """The message with that key, if it was posted there since then (Unix seconds)."""
        try:
            return await find(self._client, place, key, since)
        except ChannelClosed:
            # Anyone may post in a public channel, but only members may read there.
            if not await self.join(place):
                raise
            return await find(self._client, place, key, since)

    async def update(self, place: Place, ref: MessageRef, frame: Frame) -> None:
        """That message, showing ``frame`` from now on."""
        del place  # the message says where it is
        await self._shown("chat.update", frame, channel=ref.channel, ts=ref.ts)

    async def _shown(self, method: str, frame: Frame, **arguments: Any) -> dict[str, Any]:
        """Send a frame; where Slack finds fault with it, the same state with fewer words."""
        try:
            return await self._send(method, render(frame), **arguments)
        except SlackRejected as error:
            log.error("slack.rejected", method=method, frame=type(frame).__name__, error=str(error))
            return await self._send(method, bare(frame), **arguments)

    async def _send(self, method: str, rendered: Rendered, **arguments: Any) -> dict[str, Any]:
        return await call(self._client, method, text=rendered.text, blocks=rendered.blocks, **arguments)

    async def tell(self, audience: Audience, notice: Notice) -> None:
        """An ephemeral answer; by ``response_url`` where there is one, else by the Web API."""
        rendered = render_notice(notice)
        url = audience.response_url
        taken = await self._respond(url, rendered, replaces=notice.replaces) if url else False
        if taken:
            return
        where = {"channel": audience.channel, "user": audience.user, "thread_ts": audience.thread_ts}
        try:
            await insist(
                self._client, "chat.postEphemeral", text=rendered.text, blocks=rendered.blocks, **where
            )
        except ChannelClosed as error:
            if taken is None:  # the only way to where the bot is no member
                raise SlackUnavailable("response_url") from error
            raise

    async def _respond(self, url: str, rendered: Rendered, *, replaces: bool) -> bool | None:
        """Whether Slack took the answer; ``None`` where it may take it another time."""
        body = {"response_type": "ephemeral", "replace_original": replaces, "text": rendered.text}
        try:
            async with self._session.post(
                url, json={**body, "blocks": rendered.blocks}, timeout=aiohttp.ClientTimeout(ANSWER_SECONDS)
            ) as response:
                if response.status == TOO_MANY or response.status >= SERVER_ERROR:
                    return None
                # An address that was used up or is too old is also said so with status 200.
                return response.ok and not _REFUSED.search(await response.text(errors="replace"))
        except (aiohttp.ClientError, TimeoutError):
            return None
        except ValueError:
            return False

    async def upload(self, filename: str, size: int, content: AsyncIterator[bytes]) -> str:
        """A file of exactly ``size`` bytes, at least one, which nobody is shown yet; returns its id."""
        target = await call(self._client, "files.getUploadURLExternal", filename=filename, length=size)
        try:
            async with self._session.post(
                str(target["upload_url"]),
                data=content,
                headers={"Content-Length": str(size), "Content-Type": "application/octet-stream"},
                timeout=aiohttp.ClientTimeout(UPLOAD_SECONDS),
            ) as response:
                if not response.ok:
                    raise SlackUnavailable(f"http_{response.status}")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise SlackUnavailable("upload", type(error).__name__) from error
        return str(target["file_id"])

    async def share(self, place: Place, filename: str, file: str) -> None:
        """Show an uploaded file in its thread, once also where Slack doesn't say at first that it did."""
        where = {"channel_id": place.channel, "thread_ts": place.thread_ts}
        shown = [{"id": file, "title": filename}]
        for pause in _pauses():
            try:
                await call(self._client, "files.completeUploadExternal", files=shown, **where)
            except SlackUnsure as error:
                log.warning("slack.unsure_of_file", error=str(error))
                await asyncio.sleep(pause)
                if await self._is_shared_at_last(file):
                    return
            else:
                return

    async def _is_shared_at_last(self, file: str) -> bool:
        """``is_shared``, asked until Slack says."""
        pauses = _pauses()
        while True:
            try:
                return await self.is_shared(file)
            except SlackLimited as error:
                await asyncio.sleep(error.retry_after)
            except SlackUnavailable:
                await asyncio.sleep(next(pauses))

    async def is_shared(self, file: str) -> bool:
        """Whether an uploaded file was shown to anybody, be it deleted since; of others Slack knows nothing."""
        try:
            await call(self._client, "files.info", file=file)
        except (SlackLimited, SlackUnavailable):
            raise
        except SlackError as error:
            return error.code == "file_deleted"
        return True

    async def react(self, place: Place, ts: str, add: Reaction | None, remove: Reaction | None) -> None:
        """Set one reaction and take back another; a refusal is not an error."""
        for method, name in (("reactions.add", add), ("reactions.remove", remove)):
            if name is not None:
                await self._react(method, channel=place.channel, timestamp=ts, name=name.value)

    async def _react(self, method: str, **arguments: str) -> None:
        try:
            await insist(self._client, method, **arguments)
        except SlackError as error:
            log.debug("slack.no_reaction", method=method, error=str(error))

    async def person(self, workspace: str, user: str) -> Person:
        """Facts about a user, at most five minutes old."""
        return await self._people.get(workspace, user)

    def forget(self, user: str) -> None:
        """What is known of this user is out of date."""
        self._people.forget(user)

    async def earlier(self, place: Place, before: str, most: int) -> list[Said]:
        """The newest ``most`` messages of a thread before the one at ``before``, oldest first."""
        return await earlier(self._client, self._people, place, before, most)

    async def text(self, place: Place, ts: str) -> str | None:
        """What a message says now, in Slack's notation; ``None`` where it is gone."""
        return await text(self._client, place, ts)

    async def suggest(self, place: Place, prompts: Sequence[Suggestion]) -> None:
        """Offer up to four prompts in a direct message; refused where the app isn't declared as an agent."""
        shown = [{"title": prompt.title, "message": prompt.message} for prompt in prompts]
        where = {"channel_id": place.channel, "thread_ts": place.thread_ts}
        await call(self._client, "assistant.threads.setSuggestedPrompts", **where, prompts=shown)

    async def download(self, url: str, most: int) -> bytes:
        """A file of the workspace, of at most ``most`` bytes."""
        return await download(self._client, self._session, url, most)

    async def set_session(self, place: Place, status: SessionStatus) -> None:
        """How the agent's session in that thread stands; refused where the workspace has no agent sessions."""
        where = {"channel_id": place.channel, "thread_ts": place.thread_ts}
        await call(self._client, "agents.sessions.setStatus", **where, status=status.value)

    async def join(self, place: Place) -> bool:
        """Make the bot a member of a public channel; false where it can't be one by itself."""
        if place.channel.startswith("D"):
            return True
        try:
            await insist(self._client, "conversations.join", channel=place.channel)
        except SlackError as error:
            log.debug("slack.not_joined", channel=place.channel, error=str(error))
            return False
        return True

    async def open_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        """Open a form, within three seconds of what the user did; returns the view's id."""
        answer = await call(self._client, "views.open", trigger_id=trigger_id, view=view)
        return string(answer, "view", "id")

    async def update_view(self, view_id: str, view: dict[str, Any], version: str | None = None) -> None:
        """Show something else in an open form; raises where it is closed or, given its hash, newer than ``version``."""
        await call(self._client, "views.update", view_id=view_id, view=view, hash=version)

    async def publish_home(self, user: str, view: dict[str, Any]) -> None:
        """Show ``view`` on this user's home tab from now on."""
        await call(self._client, "views.publish", user_id=user, view=view)

    async def permalink(self, place: Place, ts: str) -> str | None:
        """A message's address, as far as Slack says it."""
        try:
            answer = await call(self._client, "chat.getPermalink", channel=place.channel, message_ts=ts)
        except SlackError as error:
            log.debug("slack.no_permalink", error=str(error))
            return None
        return string(answer, "permalink") or None
