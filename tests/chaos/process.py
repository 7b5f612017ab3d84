"""One bot process, as a host runs it: started, killed, frozen, stopped, and its log in a file."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
STARTED = frozenset({"bot.started", "worker.started"})
START_SECONDS = 40.0  # a machine may be busy
LOOK = 0.02  # seconds between two looks into a log that grows in another process
TAIL = 40  # lines of a log that are shown where a check failed


class NotStartedError(Exception):
    """A process ended, or said nothing, instead of starting: whatever a test was about, it hasn't begun."""


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that was done to a process, or that it did, at ``at`` (Unix time)."""

    at: float
    what: str


class BotProcess:
    """``python -m bot ROLE``. ``history`` says what was done to it; ``port`` is 0 until it listens."""

    def __init__(self, name: str, role: str, log: Path) -> None:
        self.name = name
        self.role = role
        self.port = 0
        self.history: list[Happening] = []
        self._log = log
        self._read = 0
        self._lines: list[dict[str, Any]] = []
        self._process: asyncio.subprocess.Process | None = None

    @classmethod
    async def start(cls, name: str, role: str, environment: Mapping[str, str], folder: Path) -> "BotProcess":
        """Start one; returns at once, ``up`` waits until it works."""
        it = cls(name, role, folder / f"{name}.log")
        with it._log.open("wb") as log, it._errors.open("wb") as errors:
            it._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "bot", role,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **environment},
                cwd=folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=errors,
            )  # fmt: skip
        it._note("started")
        return it

    @property
    def _errors(self) -> Path:
        return self._log.with_suffix(".err")

    @property
    def alive(self) -> bool:
        """Whether it hasn't ended; a frozen one is alive."""
        return self._process is not None and self._process.returncode is None

    def at(self, what: str) -> float | None:
        """When ``what`` last happened to it."""
        return next((h.at for h in reversed(self.history) if h.what == what), None)

    def _note(self, what: str) -> None:
        self.history.append(Happening(time.time(), what))

    # What is done to it

    def _send(self, number: int, what: str) -> None:
        if self._process is not None and self.alive:
            self._process.send_signal(number)
            self._note(what)

    def freeze(self) -> None:
        """As if the host had paused it: SIGSTOP."""
        self._send(signal.SIGSTOP, "frozen")

    def thaw(self) -> None:
        """Let it go on."""
        self._send(signal.SIGCONT, "thawed")

    def terminate(self) -> None:
        """Ask it to end: SIGTERM; a second one insists."""
        self._send(signal.SIGTERM, "terminated" if self.at("terminated") is None else "insisted")

    def shoot(self) -> None:
        """SIGKILL, without waiting for its end."""
        self._send(signal.SIGKILL, "killed")

    async def kill(self) -> None:
        """As if the power had failed; returns when it is gone."""
        self.shoot()
        await self.ended(10)

    async def ended(self, seconds: float) -> int:
        """Wait for its end; returns the exit status."""
        assert self._process is not None
        async with asyncio.timeout(seconds):
            code = await self._process.wait()
        if self.at("ended") is None:
            self._note("ended")
        return code

    # What it says

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log so far; what isn't a JSON object is left out."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                self._lines.append(json.loads(line))
            except ValueError:
                continue
        return self._lines

    async def logged(self, *events: str, seconds: float = 10.0) -> dict[str, Any]:
        """Wait until its log has one of these events."""
        until = time.monotonic() + seconds
        while True:
            ended = not self.alive
            for line in self.lines:
                if line.get("event") in events:
                    return line
            if ended or time.monotonic() > until:
                why = "it ended" if ended else f"not within {seconds} s"
                raise AssertionError(f"{self.name} did not log {' or '.join(events)}: {why}\n{self.tail()}")
            await asyncio.sleep(LOOK)

    async def up(self) -> None:
        """Wait until it works, and, where it serves, until Slack was asked about its token; raises NotStartedError."""
        try:
            started = await self.logged(*STARTED, seconds=START_SECONDS)
            self.port = int(started.get("port") or 0)
            self._note("up")
            if self.role == "serve":
                await self.logged("identity.known", "identity.unknown", seconds=START_SECONDS)
        except AssertionError as error:
            raise NotStartedError(str(error)) from error

    def tail(self, lines: int = TAIL) -> str:
        """The end of what it wrote, for people."""
        written = self._log.read_text(errors="replace").splitlines()
        errors = self._errors.read_text(errors="replace").splitlines()
        done = ", ".join(f"{happening.what} {happening.at % 1000:.1f}" for happening in self.history)
        return "\n".join([f"--- {self.name}: {done}", *written[-lines:], *errors[-lines:]])
