"""What the agent shows while it works: colours, and bars that are written over."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Protocol, TypeVar

Item_co = TypeVar("Item_co", covariant=True)

BAR = 30  # columns
RESET, BOLD, DIM, RED, GREEN, YELLOW, BLUE, CYAN = (f"\x1b[{code}m" for code in (0, 1, 2, 31, 32, 33, 34, 36))
_STEP = 0.15  # seconds that one item takes at most


class Items(Sized, Iterable[Item_co], Protocol):
    """Something that can be counted and gone through."""


@dataclass(frozen=True, slots=True)
class Screen:
    """The agent's terminal. ``pace`` stretches its work, so that a person can follow it: 1 for people, 0 for none."""

    pace: float

    def say(self, text: str = "") -> None:
        """One line."""
        sys.stdout.write(f"{text}{RESET}\n")
        sys.stdout.flush()

    def title(self, text: str) -> None:
        """A line above what follows."""
        self.say(f"\n{BOLD}{CYAN}== {text}")

    def pause(self, seconds: float) -> None:
        """Let people read."""
        if self.pace:
            time.sleep(seconds * self.pace)

    def progress(self, label: str, items: Items[Item_co], seconds: float) -> Iterator[Item_co]:
        """Go through ``items`` under a bar that is written over; about ``seconds`` long in all."""
        total = len(items)
        for number, item in enumerate(items, start=1):
            yield item
            self._bar(label, number, total)
            self.pause(min(_STEP, seconds / total))
        if total:
            self.say()

    def _bar(self, label: str, number: int, total: int) -> None:
        filled = BAR * number // total
        colour = GREEN if number == total else YELLOW
        bar = f"{colour}{'█' * filled}{DIM}{'░' * (BAR - filled)}{RESET}"
        sys.stdout.write(f"\r{label} {bar} {BOLD}{number}/{total}{RESET}\x1b[K")
        sys.stdout.flush()

    def chart(self, label: str, value: int, most: int, colour: str = BLUE) -> None:
        """One line of a bar chart."""
        length = max(1, round(BAR * value / most)) if value else 0
        self.say(f"{label:<16} {colour}{'█' * length}{RESET} {value:,}")
        self.pause(0.15)
