"""Slack's rate limits: token buckets for each method (and, for posts, each channel) of the workspace."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Rate:
    """``per_minute`` calls in the long run, and up to ``burst`` of them at once."""

    per_minute: float
    burst: int


class Answer(StrEnum):
    """How a limit is told: both forms are seen in the wild."""

    STATUS = "ratelimited"  # HTTP 429 and {"error": "ratelimited"}
    BODY = "rate_limited"  # HTTP 200 and {"error": "rate_limited"}; Retry-After is there too


T1 = Rate(1, 5)
T2 = Rate(20, 10)
T3 = Rate(50, 10)
T4 = Rate(100, 20)
SPECIAL = Rate(600, 100)  # methods that Slack documents as "hundreds a minute"

RATES: Mapping[str, Rate] = {
    "agents.sessions.setStatus": T3,
    "api.test": T4,
    "apps.connections.open": T1,
    "assistant.threads.setStatus": SPECIAL,
    "assistant.threads.setSuggestedPrompts": SPECIAL,
    "auth.test": SPECIAL,
    "bots.info": T3,
    "chat.delete": T3,
    "chat.getPermalink": SPECIAL,
    "chat.postEphemeral": T4,
    "chat.postMessage": Rate(300, 100),
    "chat.update": T3,
    "conversations.history": T3,
    "conversations.info": T3,
    "conversations.join": T3,
    "conversations.members": T4,
    "conversations.open": T3,
    "conversations.replies": T3,
    "files.completeUploadExternal": T4,
    "files.getUploadURLExternal": T4,
    "files.info": T4,
    "reactions.add": T3,
    "reactions.get": T3,
    "reactions.remove": T2,
    "team.info": T3,
    "users.info": T4,
    "views.open": T4,
    "views.publish": T4,
    "views.push": T4,
    "views.update": T4,
}
POSTS_PER_CHANNEL = Rate(60, 10)


@dataclass(slots=True)
class _Bucket:
    rate: Rate
    at: float
    tokens: float
    blocked_until: float = 0.0

    def wait(self, now: float) -> float:
        """Seconds until there is a token; 0 where there is one."""
        self.tokens = min(float(self.rate.burst), self.tokens + (now - self.at) * self.rate.per_minute / 60)
        self.at = now
        if now < self.blocked_until:
            return self.blocked_until - now
        return 0.0 if self.tokens >= 1 - 1e-9 else (1 - self.tokens) * 60 / self.rate.per_minute


@dataclass(slots=True)
class Limits:
    """The limits of one workspace.

    ``rates`` replaces single entries of ``RATES``; a method without one is not limited. After a refusal the bucket
    stays shut until its ``Retry-After`` (whole seconds, at least 1) is over, as Slack does.
    """

    rates: Mapping[str, Rate] = field(default_factory=dict)
    posts_per_channel: Rate | None = POSTS_PER_CHANNEL
    answer: Answer = Answer.STATUS
    _buckets: dict[tuple[str, str], _Bucket] = field(default_factory=dict)

    def take(self, method: str, channel: str, now: float) -> int:
        """Take a token for one call; 0, or the seconds of ``Retry-After`` where the call is refused."""
        buckets = [
            self._bucket(key, rate, now)
            for key, rate in self._applicable(method, channel)
            if rate is not None
        ]
        waits = [(bucket.wait(now), bucket) for bucket in buckets]
        longest, shut = max(waits, key=lambda pair: pair[0], default=(0.0, None))
        if shut is None or longest <= 0:
            for bucket in buckets:
                bucket.tokens -= 1
            return 0
        retry_after = max(1, math.ceil(longest))
        shut.blocked_until = now + (retry_after if now >= shut.blocked_until else longest)
        return retry_after

    def _applicable(self, method: str, channel: str) -> list[tuple[tuple[str, str], Rate | None]]:
        found: list[tuple[tuple[str, str], Rate | None]] = [
            ((method, ""), self.rates.get(method, RATES.get(method)))
        ]
        if method == "chat.postMessage":
            found.append(((method, channel), self.posts_per_channel))
        return found

    def _bucket(self, key: tuple[str, str], rate: Rate, now: float) -> _Bucket:
        return self._buckets.setdefault(key, _Bucket(rate, now, float(rate.burst)))
