import pytest

from bot.cloudcoding.request import InvokeRequest
from bot.model import ChatMessage, TaskPrompt, Turn

HUMAN = ChatMessage(Turn.HUMAN, "Fix the login")


def test_a_single_task_says_only_what_was_said() -> None:
    assert InvokeRequest("acme/api", "ghs_x", (HUMAN,)).body() == {
        "repo_url": "https://github.com/acme/api",
        "github_token": "ghs_x",
        "messages": [{"type": "human", "content": "Fix the login"}],
    }


def test_every_choice_has_its_field() -> None:
    request = InvokeRequest(
        "acme/api",
        "ghs_x",
        (HUMAN, ChatMessage(Turn.AI, "Done."), ChatMessage(Turn.HUMAN, "And tests")),
        branch="dev",
        haiku=False,
        thread_id="t-1",
        working_dir="packages/web",
    )
    assert request.body("https://git.acme.test/") == {
        "repo_url": "https://git.acme.test/acme/api",
        "github_token": "ghs_x",
        "messages": [
            {"type": "human", "content": "Fix the login"},
            {"type": "ai", "content": "Done."},
            {"type": "human", "content": "And tests", "workingDir": "packages/web"},
        ],
        "branch": "dev",
        "haiku": False,
        "thread_id": "t-1",
    }


def test_parallel_tasks_are_told_the_directory_in_words() -> None:
    tasks = (TaskPrompt("a", "Do A"), TaskPrompt("b", "Do B"))
    body = InvokeRequest("acme/api", "t", parallel_tasks=tasks, haiku=True, working_dir="web").body()
    assert body["parallel_tasks"] == [
        {"prompt": "Do A\n\nWork in the directory `web`.", "task_name": "a"},
        {"prompt": "Do B\n\nWork in the directory `web`.", "task_name": "b"},
    ]
    assert body["haiku"] is True
    assert "messages" not in body
    assert InvokeRequest("acme/api", "t", parallel_tasks=tasks).body()["parallel_tasks"] == [
        {"prompt": "Do A", "task_name": "a"},
        {"prompt": "Do B", "task_name": "b"},
    ]


def test_it_is_one_or_the_other() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        InvokeRequest("acme/api", "t")
    with pytest.raises(ValueError, match="exactly one"):
        InvokeRequest("acme/api", "t", (HUMAN,), (TaskPrompt("a", "x"),))


def test_a_directory_without_a_human_message_has_nowhere_to_go() -> None:
    body = InvokeRequest("acme/api", "t", (ChatMessage(Turn.AI, "Hi"),), working_dir="web").body()
    assert body["messages"] == [{"type": "ai", "content": "Hi"}]


def test_the_token_is_not_in_its_repr() -> None:
    assert "ghs_secret" not in repr(InvokeRequest("acme/api", "ghs_secret", (HUMAN,)))
