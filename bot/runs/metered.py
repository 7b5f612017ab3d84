"""The editor's view of Slack, counted."""

import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from bot.errors import SlackError, SlackLimited
from bot.meter import Meter
from bot.model import MessageRef, Place
from bot.runs.frames import Frame
from bot.runs.ports import Poster

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MeteredPoster:
    """Posts and updates by ``inner``, and counts in ``meter`` how that went and how long it took."""

    inner: Poster
    meter: Meter

    async def post(self, place: Place, frame: Frame, key: str = "") -> MessageRef:
        """A new message."""
        return await self._counted("post", self.inner.post(place, frame, key))

    async def find(self, place: Place, key: str, since: float) -> MessageRef | None:
        """The message with that key, if it was posted."""
        return await self._counted("find", self.inner.find(place, key, since))

    async def update(self, place: Place, ref: MessageRef, frame: Frame) -> None:
        """That message, showing ``frame`` from now on."""
        await self._counted("update", self.inner.update(place, ref, frame))

    def skipped(self) -> None:
        """A message was due, and Slack had what it shows already."""
        self.meter.calls["update", "skipped"] += 1

    async def _counted(self, call: str, work: Awaitable[T]) -> T:
        begun, outcome = time.monotonic(), "failed"
        try:
            result = await work
            outcome = "sent"
        except SlackLimited:
            outcome = "limited"
            raise
        except SlackError:
            outcome = "refused"
            raise
        finally:
            self.meter.calls[call, outcome] += 1
            self.meter.call.add(time.monotonic() - begun)
        return result
