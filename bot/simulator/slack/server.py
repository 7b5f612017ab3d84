"""LocalSlack: the workspace, its HTTP server and its people, in one object that is opened and closed."""

from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from aiohttp import web

from bot.simulator.slack.clicks import InteractionVerbs
from bot.simulator.slack.delivery import ACK_SECONDS, RETRY_DELAYS, Courier, Delivery, DeliveryKind, signed
from bot.simulator.slack.events import SUBSCRIPTIONS, author, events_of
from bot.simulator.slack.faults import Fault
from bot.simulator.slack.fixtures import App
from bot.simulator.slack.http import SCOPES, Access, Api
from bot.simulator.slack.hub import Change, Changes
from bot.simulator.slack.limits import Limits
from bot.simulator.slack.model import (
    ApiCall,
    Channel,
    Ephemeral,
    File,
    Json,
    Message,
    Session,
    Times,
    View,
)
from bot.simulator.slack.socket_mode import Sockets
from bot.simulator.slack.verbs import MessageVerbs
from bot.simulator.slack.workspace import Workspace

Found = TypeVar("Found")


class LocalSlack(MessageVerbs, InteractionVerbs):
    """A Slack workspace on loopback: ``async with LocalSlack() as slack: … slack.api_url``.

    ``bot_url`` is where events, commands and interactions go (settable later; Socket Mode needs none). ``limits=None``
    switches rate limits off. ``retry_delays`` and ``ack_seconds`` are in seconds. ``echo``: deliver the bot's own
    messages to it too, as Slack does. ``agents``: whether the app is declared as an agent. ``port`` 0 takes a free one.
    """

    def __init__(
        self,
        *,
        signing_secret: str = "local-signing-secret",
        bot_token: str = "xoxb-local-bot-token",
        app_token: str = "xapp-local-app-token",
        bot_url: str | None = None,
        limits: Limits | None = None,
        times: Times | None = None,
        retry_delays: Sequence[float] = RETRY_DELAYS,
        ack_seconds: float = ACK_SECONDS,
        echo: bool = True,
        agents: bool = False,
        scopes: frozenset[str] = SCOPES,
        subscriptions: frozenset[str] = SUBSCRIPTIONS,
        app: App | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.signing_secret = signing_secret
        self.bot_token = bot_token
        self.app_token = app_token
        self.echo = echo
        self._subscriptions = subscriptions
        self._host, self._port = host, port
        times = times or Times()
        workspace = Workspace(times, app or App())
        self.sockets = Sockets(workspace)
        self.access = Access({bot_token: "xoxb", app_token: "xapp"}, scopes=scopes, agents=agents)
        self.api = Api(workspace, self.access, self.sockets, limits)
        courier = Courier(
            hub=workspace.hub,
            sockets=self.sockets,
            times=times,
            signing_secret=signing_secret,
            bot_url=bot_url,
            ack_seconds=ack_seconds,
            retry_delays=retry_delays,
        )
        super().__init__(workspace, courier)
        workspace.hub.listen(self._tell_app)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        self._runner = web.AppRunner(self.api.application(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        self._port = self._runner.addresses[0][1]
        self.workspace.base_url = f"http://{self._host}:{self._port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.workspace.hub.close()
        self.api.closing.set()
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
        await (
            self.courier.close()
        )  # last: what the server did until its end may still have started deliveries

    @property
    def api_url(self) -> str:
        """The base of the Web API, with its closing slash: ``SLACK_API_URL``."""
        return f"{self.workspace.base_url}/api/"

    @property
    def bot_url(self) -> str | None:
        """Where the app takes requests; ``None`` while there is no app."""
        return self.courier.bot_url

    @bot_url.setter
    def bot_url(self, url: str | None) -> None:
        self.courier.bot_url = url

    def signed_headers(self, body: bytes, at: float | None = None) -> dict[str, str]:
        """The signature headers for a request of a test's own making; ``at`` is its Unix time, now by default."""
        return signed(self.signing_secret, body, self.workspace.times.wall() if at is None else at)

    # What is there to see

    def messages(self, where: str, thread_ts: str | None = None, *, deleted: bool = False) -> list[Message]:
        """A channel's messages outside threads, or the replies in one thread; ``deleted`` ones only if asked for."""
        channel = self.workspace.channel(where)
        return [
            message
            for message in self.workspace.history
            if message.channel == channel.id
            and (message.thread_ts == thread_ts if message.in_thread else thread_ts is None)
            and (deleted or not message.deleted)
        ]

    def message(self, where: str, ts: str) -> Message:
        """One message, deleted or not; ``KeyError`` where there is none."""
        found = self.workspace.message(self.workspace.channel(where).id, ts)
        if found is None:
            raise KeyError(f"no message {ts} in {where}")
        return found

    def ephemerals(self, who: str, where: str | None = None) -> list[Ephemeral]:
        """What this person alone was shown, in one channel or everywhere."""
        user = self.workspace.user(who).id
        channel = self.workspace.channel(where).id if where else None
        return [
            e
            for e in self.workspace.ephemerals
            if e.user == user and channel in {None, e.channel} and not e.deleted
        ]

    def visible(self, thing: Message | Ephemeral | View) -> str:
        """What a reader sees, as plain text: mentions by name, buttons as ``[Label]``."""
        return self.workspace.visible(thing)

    def transcript(self) -> str:
        """Everything in view, for people."""
        return self.workspace.transcript()

    def home(self, who: str) -> View:
        """A user's published home; ``KeyError`` where there is none."""
        return self.workspace.homes[self.workspace.user(who).id]

    def session(self, root: Message) -> Session:
        """The agent's session in a thread; ``KeyError`` where there is none."""
        return self.workspace.sessions[root.channel, root.ts]

    @property
    def views(self) -> list[View]:
        """Every modal ever opened."""
        return list(self.workspace.views.values())

    @property
    def files(self) -> list[File]:
        """Every file, shared or not, with its content."""
        return list(self.workspace.files.values())

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything sent to the app, with its attempts."""
        return self.courier.deliveries

    @property
    def calls(self) -> list[ApiCall]:
        """Every call of the Web API, in order of its answer."""
        return self.api.calls

    @property
    def counts(self) -> Counter[str]:
        """Method → how often it was called."""
        return self.api.counts

    @property
    def limited(self) -> Counter[str]:
        """Method → how often it was answered with a rate limit."""
        return self.api.limited

    # Waiting

    def changes(self) -> Changes:
        """Every change from now on, as an asynchronous iterator."""
        return self.workspace.hub.changes()

    async def wait_for(self, predicate: Callable[[], Found | None], timeout: float = 5.0) -> Found:  # noqa: ASYNC109  it ends in a TimeoutError that shows the workspace
        """The first truthy value of ``predicate``, asked at every change; a ``LookupError`` in it means "not yet"."""
        return await self.workspace.hub.wait_for(predicate, timeout, self.transcript)

    async def wait_for_text(self, message: Message, text: str, timeout: float = 5.0) -> None:  # noqa: ASYNC109  as above
        """Wait until a message visibly contains ``text``."""
        await self.wait_for(lambda: text in self.visible(message), timeout)

    async def settle(self) -> None:
        """Wait until everything that was to be delivered has been tried once."""
        await self.courier.settle()

    async def redeliver(
        self, delivery: Delivery, reason: str = "http_timeout", *, number: int = 1
    ) -> Delivery:
        """Deliver something once more, as Slack does up to three times when it missed the acknowledgement."""
        return await self.courier.redeliver(delivery, reason, number)

    # Trouble

    def fail(
        self,
        method: str,
        *,
        error: str | None = None,
        status: int | None = None,
        timeout: float | None = None,
        retry_after: int | None = None,
        times: int | None = 1,
        when: Callable[[Json], bool] | None = None,
        applied: bool = False,
    ) -> Fault:
        """Let calls fail; see ``Fault``. Also ``upload`` and ``response_url`` count as methods here."""
        fault = Fault(method, error, status, timeout, retry_after, times, when, applied)
        self.api.faults.armed.append(fault)
        return fault

    def heal(self) -> None:
        """Let nothing fail any more."""
        self.api.faults.armed.clear()

    def revoke(self, token: str | None = None) -> None:
        """Make a token useless: the bot's, unless another is named."""
        self.access.revoked.add(token or self.bot_token)

    def archive(self, where: str) -> None:
        """Archive a channel."""
        self.workspace.channel(where).archived = True

    def kick(self, where: str) -> None:
        """Take the bot out of a channel."""
        self.workspace.channel(where).members.remove(self.workspace.app.bot_user)

    def invite(self, where: str) -> None:
        """Bring the bot into a channel."""
        self.workspace.channel(where).members.append(self.workspace.app.bot_user)

    def close_edits(self, message: Message) -> None:
        """Let the time for editing a message be over."""
        message.closed_for_edits = True

    def add_channel(self, channel: Channel) -> Channel:
        """One more channel."""
        self.workspace.channels[channel.id] = channel
        return channel

    def _tell_app(self, change: Change) -> None:
        message = change.subject
        if not isinstance(message, Message) or not self.courier.reachable:
            return
        if not self.echo and author(change.kind, message) == self.workspace.app.bot_user:
            return
        for envelope in events_of(self.workspace, change.kind, message):
            if envelope["event"]["type"] in self._subscriptions:
                self.courier.start(DeliveryKind.EVENT, envelope)
