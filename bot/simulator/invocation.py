"""What a request to the Cloud Coding API asks for, checked as the service checks it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_REPO_URL = re.compile(r"https?://[^/\s]+/[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation so far; ``type`` is ``human`` or ``ai``."""

    type: str
    content: str
    working_dir: str | None = None


@dataclass(frozen=True, slots=True)
class ParallelTask:
    """One of several tasks at once."""

    prompt: str
    task_name: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """A request that was accepted: either ``messages`` (newest last) or ``parallel_tasks`` is not empty."""

    repo_url: str
    github_token: str = field(repr=False)
    messages: tuple[Message, ...] = ()
    parallel_tasks: tuple[ParallelTask, ...] = ()
    branch: str | None = None
    haiku: bool = False
    thread_id: str | None = None

    @property
    def prompts(self) -> dict[str | None, str]:
        """What each task is asked to do, by its name; ``None`` is a single invocation's, its last human message."""
        if self.parallel_tasks:
            return {task.task_name: task.prompt for task in self.parallel_tasks}
        return {None: next((m.content for m in reversed(self.messages) if m.type == "human"), "")}


class UnprocessableError(Exception):
    """A request that the service answers with 422; ``detail`` is the answer's, in FastAPI's shape."""

    def __init__(self, *problems: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{where}: {what}" for where, what in problems))
        self.detail = [
            {"type": "value_error", "loc": ["body", *filter(None, where.split("."))], "msg": what}
            for where, what in problems
        ]


def read_invocation(content_type: str, body: object) -> Invocation:
    """The invocation in ``body``, a parsed JSON value; raises :class:`UnprocessableError` with all that is wrong."""
    if content_type != "application/json" or not isinstance(body, dict):
        raise UnprocessableError(("", "Input should be a valid dictionary or object to extract fields from"))
    if problems := [*_problems(body)]:
        raise UnprocessableError(*problems)
    return Invocation(
        repo_url=body["repo_url"],
        github_token=body["github_token"],
        messages=tuple(
            Message(item["type"], item["content"], item.get("workingDir"))
            for item in body.get("messages") or ()
        ),
        parallel_tasks=tuple(
            ParallelTask(item["prompt"], item["task_name"]) for item in body.get("parallel_tasks") or ()
        ),
        branch=body.get("branch"),
        haiku=bool(body.get("haiku")),
        thread_id=body.get("thread_id"),
    )


def _problems(body: dict[str, object]) -> Iterator[tuple[str, str]]:
    for name in ("repo_url", "github_token"):
        if name not in body:
            yield name, "Field required"
        elif not isinstance(body[name], str) or not body[name]:
            yield name, "Input should be a valid string"
        elif name == "repo_url" and not _REPO_URL.fullmatch(str(body[name])):
            yield name, "Value error, not a repository's URL"
    for name, kind in (("branch", str), ("haiku", bool), ("thread_id", str)):
        if body.get(name) is not None and not isinstance(body[name], kind):
            yield name, f"Input should be a valid {'boolean' if kind is bool else 'string'}"
    if bool(body.get("messages")) == bool(body.get("parallel_tasks")):
        yield "", "Value error, give exactly one of messages and parallel_tasks"
    yield from _list_problems(body, "messages", ("type", "content"))
    yield from _list_problems(body, "parallel_tasks", ("prompt", "task_name"))


def _list_problems(body: dict[str, object], name: str, keys: tuple[str, str]) -> Iterator[tuple[str, str]]:
    items = body.get(name) or []
    if not isinstance(items, list):
        yield name, "Input should be a valid list"
        return
    seen: set[str] = set()
    for index, item in enumerate(items):
        for key in keys:
            value = item.get(key) if isinstance(item, dict) else None
            if not isinstance(value, str):
                yield f"{name}.{index}.{key}", "Input should be a valid string"
            elif key == "type" and value not in {"human", "ai"}:
                yield f"{name}.{index}.type", "Input should be 'human' or 'ai'"
            elif key == "task_name":
                if value in seen:
                    yield f"{name}.{index}.task_name", f"Value error, {value} is not unique"
                seen.add(value)
