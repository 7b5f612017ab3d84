"""The agent as a responder: for every task of a request a clone, a command in it, its output, and an answer."""

import asyncio
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
import uuid
from collections import OrderedDict, deque
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bot.simulator.agent.faults import fault_in, simulate
from bot.simulator.agent.pseudo_terminal import PseudoTerminal
from bot.simulator.agent.repositories import Repositories
from bot.simulator.cloudcoding import Stream
from bot.simulator.invocation import Invocation

Turn = Mapping[str, str]  # one message of a conversation: its ``type`` and ``content``

PLACEHOLDER = "{prompt}"
_PROJECT = Path(__file__).parents[3]
# -P: the clone may be a Python project with modules of these names, this very one for instance.
_BUILT_IN = (sys.executable, "-P", "-m", "bot.simulator.agent.tiny")
_CONVERSATIONS = 200  # remembered at most
_ANSWER_CHARS = 100_000
_TAIL_PIECES, _TAIL_LINES = 64, 30
_BOTS_OWN = re.compile(r"(SLACK|CLOUDCODING)_\w+|GITHUB_TOKEN|DATABASE_URL")
_TERMINALS_OWN = {"COLUMNS", "LINES", "PYTHONPATH", "VIRTUAL_ENV_PROMPT"}
_CONTROLS = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b\x0c\x0e-\x1f]"
)


class _TaskError(Exception):
    """A task that failed; the words go to the client."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One task of a request; ``name`` is ``None`` where it is a single one. ``earlier``: the conversation so far."""

    name: str | None
    prompt: str
    working_dir: str
    earlier: tuple[Turn, ...]


class LocalAgent:
    """A responder for ``CloudCodingServer``; leave it as a context manager after the server, and nothing is left of it.

    ``command`` is what works on a task, with the prompt in place of ``{prompt}`` or else as the last argument, and no
    shell in between; by default the small built-in agent. It may write its answer, as Markdown, to the file named by
    ``AGENT_ANSWER``; else the end of its output is the answer. ``pace`` 0 lets the built-in one work at full speed.
    The server must be made with ``open_at_once=False``, for the faults that come before a response's headers.
    """

    def __init__(
        self,
        repositories: Repositories,
        command: str | None = None,
        *,
        scratch: Path | None = None,
        pace: float = 1.0,
    ) -> None:
        self._repositories = repositories
        self._command = shlex.split(command) if command else None
        self._scratch = scratch
        self._pace = pace
        self._conversations: OrderedDict[str, list[Turn]] = OrderedDict()
        self._cleaning: set[asyncio.Task[None]] = set()
        self.running = 0  # tasks that are being worked on

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*self._cleaning)

    async def __call__(self, invocation: Invocation, stream: Stream) -> None:
        """Answer one request."""
        prompts = invocation.prompts
        fault = fault_in(prompts.values())
        if fault and await simulate(fault, stream):
            return
        thread_id = invocation.thread_id or f"thread-{uuid.uuid4().hex[:12]}"
        run_id = f"run-{uuid.uuid4().hex[:12]}"
        conversation = self._conversation(thread_id, invocation)
        earlier = tuple(conversation)
        metadata = {"metadata": {"thread_id": thread_id}}
        await stream.event("updates", {"run_id": run_id, "messages": [], "stream_events": [], **metadata})
        conversation.extend(_turn("human", name, prompt) for name, prompt in prompts.items())
        directory = next((m.working_dir for m in reversed(invocation.messages) if m.working_dir), None) or "."
        jobs = [_Job(name, prompt, directory, earlier) for name, prompt in prompts.items()]
        await _all(self._carry_out(job, invocation, stream, run_id, conversation) for job in jobs)

    def _conversation(self, thread_id: str, invocation: Invocation) -> list[Turn]:
        """The conversation of this thread: what is remembered of it, else what the request brings along."""
        found = self._conversations.pop(thread_id, None)
        if found is None:
            found = [
                {"type": message.type, "content": message.content} for message in invocation.messages[:-1]
            ]
        self._conversations[thread_id] = found
        while len(self._conversations) > _CONVERSATIONS:
            self._conversations.popitem(last=False)
        return found

    async def _carry_out(
        self, job: _Job, invocation: Invocation, stream: Stream, run_id: str, conversation: list[Turn]
    ) -> None:
        """One task from its clone to its answer, or to the error that it ends with."""
        folder = Path(tempfile.mkdtemp(prefix="agent-", dir=self._scratch))
        self.running += 1
        try:
            clone = await self._clone(folder, invocation, job, stream)
            answer = await self._work(clone, folder, invocation, job, stream)
        except _TaskError as error:
            await stream.error(str(error), job.name)
        else:
            turn = _turn("ai", job.name, answer)
            conversation.append(turn)
            await stream.updates([{"type": "ai", "content": answer}], run_id=run_id, task=job.name)
        finally:
            self.running -= 1
            await self._held(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    async def _clone(self, folder: Path, invocation: Invocation, job: _Job, stream: Stream) -> Path:
        location = self._repositories.locate(invocation.repo_url)
        branch = ["--branch", invocation.branch] if invocation.branch else []
        clone = folder / "repository"
        # A checkout may belong to another user, as in a container; git refuses to read it unless it is told not to.
        config = folder / "gitconfig"
        config.write_text(f"[include]\n\tpath = {Path.home()}/.gitconfig\n[safe]\n\tdirectory = *\n")
        env = {**_environment(), "GIT_CONFIG_GLOBAL": str(config), "GIT_TERMINAL_PROMPT": "0"}
        command = ["git", "clone", "--progress", *branch, "--", location, str(clone)]
        status, output = await self._run(command, folder, env, job, stream)
        if status:
            reason = next((line for line in reversed(output.splitlines()) if line.startswith("fatal:")), "")
            raise _TaskError(f"The repository could not be cloned. {reason}".strip())
        return clone

    async def _work(
        self, clone: Path, folder: Path, invocation: Invocation, job: _Job, stream: Stream
    ) -> str:
        place = _directory(clone, job.working_dir)
        answer_file, conversation_file = folder / "answer.md", folder / "conversation.json"
        conversation_file.write_text(json.dumps([dict(turn) for turn in job.earlier]))
        env = {
            **_environment(),
            "AGENT_ANSWER": str(answer_file),
            "AGENT_CONVERSATION": str(conversation_file),
            "AGENT_MODEL": "haiku" if invocation.haiku else "sonnet",
        }
        if self._command is None:
            env |= {"PYTHONPATH": str(_PROJECT), "AGENT_PACE": str(self._pace)}
        command = _with_prompt(self._command or _BUILT_IN, job.prompt)
        status, output = await self._run(command, place, env, job, stream)
        if status:
            how = f"exit status {status}" if status > 0 else f"signal {-status}"
            raise _TaskError(f"The agent's command ended with {how}.")
        try:
            answer = answer_file.read_text(errors="replace")[:_ANSWER_CHARS].strip()
        except OSError:
            answer = ""
        return answer or output or "The agent's command printed nothing."

    async def _run(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str], job: _Job, stream: Stream
    ) -> tuple[int, str]:
        """Run a command and stream what it prints; its exit status and the end of its output as plain text."""
        try:
            terminal = await PseudoTerminal.start(command, cwd=cwd, env=env)
        except (OSError, ValueError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise _TaskError(f"{command[0]} could not be started: {reason}.") from error
        pieces: deque[str] = deque(maxlen=_TAIL_PIECES)
        try:
            async for text in terminal.output():
                pieces.append(text)
                await stream.stdout(text, job.name)
            return await terminal.wait(), _tail("".join(pieces))
        finally:
            await self._held(terminal.close())

    async def _held(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this to its end, even where the request is cancelled, and cancelled again, meanwhile."""
        task = asyncio.create_task(work)
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
        await asyncio.shield(task)


async def _all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of these at once; where one fails, the others are cancelled, and its own error is raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _directory(clone: Path, name: str) -> Path:
    place = (clone / name).resolve()
    if not place.is_dir() or not place.is_relative_to(clone.resolve()):
        raise _TaskError(f"There is no directory {name} in this repository.")
    return place


def _turn(speaker: str, name: str | None, content: str) -> Turn:
    return {"type": speaker, "content": f"{name}: {content}" if name else content}


def _environment() -> dict[str, str]:
    """The environment without what is the bot's alone, and with a terminal's own word for what it can show."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not _BOTS_OWN.fullmatch(name) and name not in _TERMINALS_OWN
    }
    return kept | {"TERM": "xterm-256color"}


def _with_prompt(command: Sequence[str], prompt: str) -> list[str]:
    prompt = prompt.replace("\0", " ")  # which no argument can hold
    if any(PLACEHOLDER in part for part in command):
        return [part.replace(PLACEHOLDER, prompt) for part in command]
    return [*command, prompt]


def _tail(output: str) -> str:
    """The end of what was printed, as plain lines; of a line that was written over, its last version."""
    lines = [line.rstrip("\r").rpartition("\r")[2] for line in _CONTROLS.sub("", output).split("\n")]
    return "\n".join(lines[-_TAIL_LINES:]).strip()
