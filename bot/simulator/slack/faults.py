"""Failures on demand: what Slack, or the way to it, does wrong when a test or the demo asks for it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.simulator.slack.model import Json


@dataclass(slots=True, eq=False)
class Fault:
    """How calls of ``method`` (``*`` for all) fail.

    One of ``error`` (Slack's word in an ``ok: false`` body), ``status`` (HTTP's, with a body that is not JSON) or
    ``timeout`` (seconds of silence, then the connection is dropped). ``times`` calls fail (``None``: all), of those for
    which ``when(args)`` is true. With ``applied`` the call takes effect first and only its answer is lost.
    """

    method: str
    error: str | None = None
    status: int | None = None
    timeout: float | None = None
    retry_after: int | None = None
    times: int | None = 1
    when: Callable[[Json], bool] | None = None
    applied: bool = False
    hits: int = 0

    def meets(self, method: str, args: Json) -> bool:
        """Whether this call is to fail."""
        if self.times is not None and self.hits >= self.times:
            return False
        return self.method in {"*", method} and (self.when is None or self.when(args))


@dataclass(slots=True)
class Faults:
    """The faults that are armed, the earliest first."""

    armed: list[Fault] = field(default_factory=list)

    def take(self, method: str, args: Json) -> Fault | None:
        """The fault that this call meets, counted as hit."""
        for fault in self.armed:
            if fault.meets(method, args):
                fault.hits += 1
                return fault
        return None
