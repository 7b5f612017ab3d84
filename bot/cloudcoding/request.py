"""What is asked of the service, in its own fields."""

from dataclasses import dataclass, field

from bot.model import ChatMessage, TaskPrompt, Turn

GITHUB_URL = "https://github.com"


@dataclass(frozen=True, slots=True)
class InvokeRequest:
    """One request: exactly one of ``messages`` (newest last) and ``parallel_tasks`` is not empty.

    ``repo`` is ``owner/name``; ``working_dir`` is relative to the repository's root. What is ``None`` is left to the
    service. Raises ``ValueError`` where both or neither of the two are given.
    """

    repo: str
    github_token: str = field(repr=False)
    messages: tuple[ChatMessage, ...] = ()
    parallel_tasks: tuple[TaskPrompt, ...] = ()
    branch: str | None = None
    haiku: bool | None = None
    thread_id: str | None = None
    working_dir: str | None = None

    def __post_init__(self) -> None:
        if bool(self.messages) == bool(self.parallel_tasks):
            raise ValueError("give exactly one of messages and parallel_tasks")

    def body(self, github_url: str = GITHUB_URL) -> dict[str, object]:
        """The JSON body, with only what was said."""
        said: dict[str, object] = {
            "repo_url": f"{github_url.rstrip('/')}/{self.repo}",
            "github_token": self.github_token,
        }
        if self.parallel_tasks:
            said["parallel_tasks"] = self._tasks()
        else:
            said["messages"] = self._conversation()
        choices = {"branch": self.branch, "haiku": self.haiku, "thread_id": self.thread_id}
        return said | {name: value for name, value in choices.items() if value is not None}

    def _conversation(self) -> list[dict[str, str]]:
        messages = [{"type": message.role.value, "content": message.content} for message in self.messages]
        humans = [message for message in messages if message["type"] == Turn.HUMAN]
        if self.working_dir is not None and humans:
            humans[-1]["workingDir"] = self.working_dir
        return messages

    def _tasks(self) -> list[dict[str, str]]:
        """A parallel task has no field for the directory, so its prompt says it."""
        where = "" if self.working_dir is None else f"\n\nWork in the directory `{self.working_dir}`."
        return [{"prompt": task.prompt + where, "task_name": task.name} for task in self.parallel_tasks]
