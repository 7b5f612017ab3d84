"""What people do with messages: say, edit, delete, react, command, and look at the app's home."""

import asyncio
from collections.abc import Sequence
from typing import Any

from bot.simulator.slack.api.call import ApiError
from bot.simulator.slack.api.chat import check_blocks
from bot.simulator.slack.composer import compose, rich
from bot.simulator.slack.delivery import Delivery, DeliveryKind
from bot.simulator.slack.desk import Desk, RefusedError
from bot.simulator.slack.events import envelope, home_opened, session_stopped
from bot.simulator.slack.flatten import visible
from bot.simulator.slack.model import ChannelKind, File, Json, Message, User, View
from bot.simulator.slack.responses import show
from bot.simulator.slack.workspace import Workspace


class MessageVerbs(Desk):
    """Each verb waits until the app has acknowledged what it was told, or failed to. Retries go on in the background.

    People are named ``"ann"`` or by id, channels ``"#team"``, ``"@ann"`` (the bot's conversation with her) or by id.
    ``raw``: the text is already in Slack's form, nothing is escaped or linked.
    """

    async def say(
        self,
        who: str,
        where: str,
        text: str,
        *,
        thread_ts: str | None = None,
        broadcast: bool = False,
        files: Sequence[tuple[str, bytes]] = (),
        raw: bool = False,
    ) -> Message:
        """A message, in a thread where ``thread_ts`` is given; ``broadcast`` shows it in the channel too."""
        user, channel = self.at(who, where)
        if thread_ts is not None and self.workspace.message(channel.id, thread_ts) is None:
            raise RefusedError(f"no thread {thread_ts} in {where}")
        shared = [self._file(user, name, content) for name, content in files]
        subtype = "file_share" if shared else "thread_broadcast" if broadcast else None
        shown = text if raw else compose(self.workspace, text)
        with self.courier.collecting() as started:
            message = self.workspace.post(
                channel.id,
                user.id,
                shown,
                blocks=rich(visible(shown, self.workspace.names)),
                thread_ts=thread_ts,
                subtype=subtype,
                files=shared,
            )
        await asyncio.gather(*started)
        return message

    def _file(self, user: User, name: str, content: bytes) -> File:
        file = File(self.workspace.serial("F"), name, len(content), user.id, name, content, completed=True)
        self.workspace.files[file.id] = file
        return file

    async def edit(self, who: str, message: Message, text: str, *, raw: bool = False) -> None:
        """Change one's own message."""
        user, _ = self.at(who, message.channel)
        if message.user != user.id or message.deleted:
            raise RefusedError(f"{user.name} can't edit that message")
        shown = text if raw else compose(self.workspace, text)
        with self.courier.collecting() as started:
            self.workspace.edit(message, shown, rich(visible(shown, self.workspace.names)), labelled=True)
        await asyncio.gather(*started)

    async def delete(self, who: str, message: Message) -> None:
        """Delete a message: one's own, or (workspace owners may) anyone's."""
        self.at(who, message.channel)
        if message.deleted:
            raise RefusedError("that message is deleted already")
        with self.courier.collecting() as started:
            self.workspace.delete(message)
        await asyncio.gather(*started)

    async def react(self, who: str, message: Message, name: str, *, add: bool = True) -> None:
        """Set or take back a reaction."""
        user, _ = self.at(who, message.channel)
        with self.courier.collecting() as started:
            if not self.workspace.react(message, name, user.id, add=add):
                raise RefusedError(f":{name}: is {'already' if add else 'not'} set by {user.name}")
        await asyncio.gather(*started)

    async def command(
        self, who: str, where: str, command: str, text: str = "", *, raw: bool = False
    ) -> Delivery:
        """A slash command. It works in every channel, also where the bot is no member; never in a thread."""
        user, channel = self.at(who, where)
        response_url = self.workspace.new_response_url(channel.id, user.id)
        private = {ChannelKind.PRIVATE: "privategroup", ChannelKind.DIRECT: "directmessage"}
        app = self.workspace.app
        fields: Json = {
            "token": "verification-token",
            "team_id": app.team,
            "team_domain": app.team_domain,
            "channel_id": channel.id,
            "channel_name": private.get(channel.kind, channel.name),
            "user_id": user.id,
            "user_name": user.name,
            "command": command,
            # Slack hands over the text without the white space around it.
            "text": text.strip() if raw else compose(self.workspace, text.strip(), labels=True),
            "api_app_id": app.app_id,
            "is_enterprise_install": "false",
            "response_url": response_url,
            "trigger_id": self.workspace.new_trigger(user.id),
        }
        delivery = await self.courier.deliver(DeliveryKind.COMMAND, fields)
        _show_answer(self.workspace, channel.id, user.id, command, delivery)
        return delivery

    async def open_home(self, who: str) -> View | None:
        """Look at the app's home; what is published there when the app has acknowledged, if anything."""
        user = self.workspace.user(who)
        await self.courier.deliver(DeliveryKind.EVENT, home_opened(self.workspace, user.id))
        return self.workspace.homes.get(user.id)

    async def open_chat(self, who: str) -> list[Json]:
        """Look at the direct messages with the app; the prompts that are suggested there so far."""
        user = self.workspace.user(who)
        await self.courier.deliver(DeliveryKind.EVENT, home_opened(self.workspace, user.id, "messages"))
        return self.prompts(who)

    def prompts(self, who: str) -> list[Json]:
        """The prompts that the app suggests to this person, each with ``title`` and ``message``."""
        return self.workspace.prompts.get(self.workspace.direct(self.workspace.user(who).id).id, [])

    async def stop_session(self, who: str, root: Message) -> Delivery:
        """Press Slack's own Stop button of an agent's session."""
        user, channel = self.at(who, root.channel)
        event = session_stopped(self.workspace, channel, root.ts, user.id)
        return await self.courier.deliver(DeliveryKind.EVENT, event)

    async def event(self, event: Json) -> Delivery:
        """Any other event, such as ``{"type": "app_uninstalled"}``, in a proper envelope."""
        return await self.courier.deliver(DeliveryKind.EVENT, envelope(self.workspace, event))

    async def verify_url(self) -> bool:
        """Slack's check of a new request URL: whether the challenge comes back."""
        challenge = self.workspace.serial("challenge-")
        payload = {"token": "verification-token", "challenge": challenge, "type": "url_verification"}
        delivery = await self.courier.deliver(DeliveryKind.EVENT, payload)
        echoed: Any = delivery.body
        return delivery.accepted and echoed in (challenge, {"challenge": challenge})


def _show_answer(workspace: Workspace, channel: str, user: str, command: str, delivery: Delivery) -> None:
    """What a command's user sees of its acknowledgement."""
    answer: Json = delivery.body if isinstance(delivery.body, dict) else {"text": str(delivery.body or "")}
    error = ""
    if not delivery.accepted:
        error = "operation_timeout" if delivery.status is None else "dispatch_failed"
    elif answer.get("text") or answer.get("blocks"):
        try:
            check_blocks(answer.get("blocks") or [])
        except ApiError as refusal:
            error = refusal.code
        else:
            show(workspace, channel, user, answer, via="ack")
    if error:
        workspace.whisper(channel, user, f'{command} failed with the error "{error}"', [], via="slackbot")
