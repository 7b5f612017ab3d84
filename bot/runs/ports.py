"""What the engine room needs from the Slack edge; implemented there and handed in by the composition root."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.core.quoting import Said
from bot.model import Audience, MessageRef, Person, Place
from bot.runs.frames import Frame


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One line of a list, in mrkdwn; ``stop`` is the run that a button in it stops, where there is one."""

    text: str
    stop: str | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """An answer to one person alone, in mrkdwn.

    ``open_form`` adds a button that opens the form, with what they had ``typed`` (Slack's notation) in it;
    ``edit_settings`` one that opens their settings; ``rerun`` one that starts this run's request anew, as its message
    reads now. ``rows`` follow the text. With ``replaces`` it stands in place of what they pressed a button of.
    """

    text: str
    open_form: bool = False
    typed: str = ""
    edit_settings: bool = False
    rerun: str = ""
    replaces: bool = False
    rows: tuple[NoticeRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A prompt to begin with: what its button says, and what is sent in the person's name when they press it."""

    title: str
    message: str


class Reaction(StrEnum):
    """The reactions on a request that is a message, by Slack's names."""

    TAKEN = "eyes"
    WAITING = "hourglass_flowing_sand"
    DONE = "white_check_mark"
    FAILED = "x"
    STOPPED = "octagonal_sign"


class SessionStatus(StrEnum):
    """How an agent's session in a thread stands, by Slack's words."""

    PROCESSING = "processing"
    ACTIVE = "active"
    CLOSED = "closed"


class Home(Protocol):
    """People's own pages, which show their runs."""

    def changed(self, workspace: str, user: str) -> None:
        """A run of theirs has changed its state. Returns at once and never fails."""
        ...


class Poster(Protocol):
    """The part of Slack that the editor needs. Every method raises the SlackErrors of ``bot.errors``."""

    async def post(self, place: Place, frame: Frame, key: str = "") -> MessageRef:
        """A new message, which ``find`` finds by its ``key``: no secret, and never used for another one."""
        ...

    async def find(self, place: Place, key: str, since: float) -> MessageRef | None:
        """The message with that key, if it was posted there since then (Unix seconds, by this machine's clock)."""
        ...

    async def update(self, place: Place, ref: MessageRef, frame: Frame) -> None:
        """That message, showing ``frame`` from now on."""
        ...


class Messenger(Poster, Protocol):
    """Slack, as the engine room sees it. Every method raises the SlackErrors of ``bot.errors``."""

    async def tell(self, audience: Audience, notice: Notice) -> None:
        """An ephemeral answer; by ``response_url`` where there is one, else by the Web API."""
        ...

    async def upload(self, filename: str, size: int, content: AsyncIterator[bytes]) -> str:
        """A file of exactly ``size`` bytes, at least one, which nobody is shown yet; returns its id."""
        ...

    async def share(self, place: Place, filename: str, file: str) -> None:
        """Show an uploaded file in a thread; once also where Slack doesn't say at first that it did."""
        ...

    async def is_shared(self, file: str) -> bool:
        """Whether an uploaded file was shown to anybody, be it deleted since."""
        ...

    async def react(self, place: Place, ts: str, add: Reaction | None, remove: Reaction | None) -> None:
        """Set one reaction and take back another; a refusal is not an error."""
        ...

    async def person(self, workspace: str, user: str) -> Person:
        """Facts about a user; cached by the implementation for five minutes."""
        ...

    async def earlier(self, place: Place, before: str, most: int) -> list[Said]:
        """The newest ``most`` messages of a thread before the one at ``before``, oldest first."""
        ...

    async def text(self, place: Place, ts: str) -> str | None:
        """What a message says now, in Slack's notation; ``None`` where it is gone."""
        ...

    async def suggest(self, place: Place, prompts: Sequence[Suggestion]) -> None:
        """Offer up to four prompts in a direct message; refused where the app isn't declared as an agent."""
        ...

    async def download(self, url: str, most: int) -> bytes:
        """A file of the workspace, of at most ``most`` bytes."""
        ...

    async def set_session(self, place: Place, status: SessionStatus) -> None:
        """How the agent's session in that thread stands; refused where the workspace has no agent sessions."""
        ...

    async def join(self, place: Place) -> bool:
        """Make the bot a member of a public channel; false where it can't be one by itself."""
        ...
