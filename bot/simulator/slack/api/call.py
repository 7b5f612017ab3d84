"""One call of the Web API: its arguments read as Slack reads them, and what may be said in return."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bot.simulator.slack.model import Channel, ChannelKind, Json, Message
from bot.simulator.slack.workspace import Workspace


class ApiError(Exception):
    """An answer with ``ok: false``. ``messages`` go to ``response_metadata``, ``extra`` beside ``error``."""

    def __init__(self, code: str, messages: Sequence[str] = (), **extra: Any) -> None:
        super().__init__(code)
        self.code = code
        self.messages = tuple(messages)
        self.extra = extra

    @property
    def body(self) -> Json:
        """The answer's JSON."""
        body: Json = {"ok": False, "error": self.code, **self.extra}
        if self.messages:
            body["response_metadata"] = {"messages": [f"[ERROR] {words}" for words in self.messages]}
        return body


@dataclass(frozen=True, slots=True)
class Call:
    """A call: its arguments (strings where they came as a form, any JSON where the body was JSON), its token's scopes."""

    args: Json
    workspace: Workspace
    scopes: frozenset[str]

    def need(self, *names: str) -> None:
        """Refuse the call unless all of these arguments are there."""
        missing = [f"missing required field: {name}" for name in names if self.args.get(name) in (None, "")]
        if missing:
            raise ApiError("invalid_arguments", missing)

    def string(self, name: str, default: str = "") -> str:
        """A string argument; JSON's numbers count as what they look like."""
        value = self.args.get(name)
        if value is None:
            return default
        if isinstance(value, bool | dict | list):
            raise ApiError("invalid_arguments", [f"must provide a string [json-pointer:/{name}]"])
        return str(value)

    def number(self, name: str, default: int) -> int:
        """An integer argument."""
        try:
            return int(self.string(name, str(default)))
        except ValueError:
            raise ApiError("invalid_arguments", [f"must provide a number [json-pointer:/{name}]"]) from None

    def flag(self, name: str) -> bool:
        """A boolean argument, in any of Slack's spellings."""
        return str(self.args.get(name, "")).lower() in {"1", "true"}

    def structure(self, name: str, error: str = "invalid_arguments") -> Any:
        """An object or list, which forms carry as a string of JSON; ``None`` where it is absent."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise ApiError(error, [f"must provide valid JSON [json-pointer:/{name}]"]) from None

    def channel(self, name: str = "channel", *, member: bool) -> Channel:
        """The channel that the call speaks of; ``member``: whether the bot must be in it also where it is public."""
        workspace = self.workspace
        given = self.string(name)
        try:
            found = workspace.channel(given)
        except KeyError:
            if given not in workspace.users or name != "channel":
                raise ApiError("channel_not_found") from None
            found = workspace.direct(given)
        if workspace.app.bot_user not in found.members:
            if found.kind is not ChannelKind.PUBLIC:
                raise ApiError("channel_not_found")
            if member:
                raise ApiError("not_in_channel")
        return found

    def message(self, channel: Channel, name: str = "ts", error: str = "message_not_found") -> Message:
        """The message in that channel that the call speaks of."""
        found = self.workspace.message(channel.id, self.string(name))
        if found is None or found.deleted:
            raise ApiError(error)
        return found


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the Web API.

    ``scope`` is what the token needs; ``token`` which kind of token (``xoxb``, ``xapp``, or none at all); ``json``
    whether it reads JSON bodies: Slack's reading methods take forms and query strings only.
    """

    run: Callable[[Call], Json]
    scope: str | None = None
    token: str = "xoxb"
    json: bool = True
