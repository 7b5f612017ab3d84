"""The errors that cross rooms, split by what the caller does next.

::

    BotError
    ├── SettingsError            the start ends with one line for each problem
    ├── StoreUnavailable         the user is told; nothing was started
    ├── QueueFull                the user is told; nothing was stored
    ├── RunLost                  another process took the run over: stop, and touch nothing of it any more
    ├── SlackError
    │   ├── SlackLimited         wait retry_after seconds, then again; every message of that method
    │   ├── SlackUnavailable     Slack or the way to it failed: try again later
    │   │   └── SlackUnsure      and it may have been done all the same: look before it is done again
    │   ├── MessageGone          this message can't be edited any more: stop editing it
    │   ├── ChannelClosed        nothing can be posted there (not a member, archived, gone): tell the user elsewhere
    │   ├── SlackUnauthorized    the token was refused: stop, an operator must act
    │   └── SlackRejected        Slack found the call wrong: a bug of ours, logged
    └── UpstreamError
        ├── UpstreamRefused      4xx: the request will not be accepted as it is
        ├── UpstreamBusy         429, 5xx or no connection, still so after all tries: nothing was started
        └── UpstreamCut          the stream broke after it had begun: never sent again by itself
"""

from enum import StrEnum


class BotError(Exception):
    """The root of all errors that the bot raises on purpose."""


class SettingsError(BotError):
    """Settings that the bot can't start with; ``problems`` has one clear line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StoreUnavailable(BotError):
    """The database did not answer, or not in time."""


class QueueFull(BotError):
    """As many runs wait in the workspace as may."""


class RunLost(BotError):
    """A run is another process's now, since this one was taken for dead."""


class SlackError(BotError):
    """A call of Slack's Web API that failed; ``code`` is Slack's own word for it."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code


class SlackLimited(SlackError):
    """Slack asks to slow down; ``retry_after`` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("ratelimited")
        self.retry_after = retry_after


class SlackUnavailable(SlackError):
    """Slack or the way to it failed: no connection, 5xx, something unreadable, or nothing in time."""


class SlackUnsure(SlackUnavailable):
    """The same after the call was sent, so that it may have had its effect: what was to be posted may be there."""


class MessageGone(SlackError):
    """The message was deleted, or its time for edits is over."""


class ChannelClosed(SlackError):
    """The bot can't write there: not a member, archived, or no such channel."""


class SlackUnauthorized(SlackError):
    """The token is revoked, expired or lacks a scope."""


class SlackRejected(SlackError):
    """Slack refused the call's content, for example ``invalid_blocks``."""


class UpstreamError(BotError):
    """The Cloud Coding API failed us."""


class Refusal(StrEnum):
    """Why the service refused a request, as far as the user's next step differs."""

    KEY = "key"  # 401, 403: the API key or the GitHub token
    CREDIT = "credit"  # 402
    REQUEST = "request"  # any other 4xx


class UpstreamRefused(UpstreamError):
    """The service said no. ``status`` is HTTP's; ``detail`` is the body's own words, possibly empty."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.detail = detail

    @property
    def reason(self) -> Refusal:
        """Which of the user's next steps this refusal calls for."""
        if self.status in {401, 403}:
            return Refusal.KEY
        return Refusal.CREDIT if self.status == 402 else Refusal.REQUEST  # noqa: PLR2004  HTTP's own number


class UpstreamBusy(UpstreamError):
    """The service could not take the request; nothing was started. ``status`` is ``None`` without an answer."""

    def __init__(self, status: int | None, detail: str = "") -> None:
        super().__init__(f"HTTP {status}" if status else "no connection")
        self.status = status
        self.detail = detail


class UpstreamCut(UpstreamError):
    """The stream ended by an error or fell silent after it had begun; ``reason`` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
