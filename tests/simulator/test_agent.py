"""The local agent at the wire: real clones, real commands, real process groups."""

import asyncio
import json
import os
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.simulator.agent.local import LocalAgent
from bot.simulator.agent.repositories import Repositories, RepositoryError, stand_in
from bot.simulator.cloudcoding import CloudCodingServer

REPO = "https://github.com/acme/api"


@dataclass(slots=True)
class Said:
    """What one response said."""

    status: int = 0
    raw: bytes = b""
    output: dict[str | None, str] = field(default_factory=dict)
    answers: dict[str | None, str] = field(default_factory=dict)
    errors: dict[str | None, str] = field(default_factory=dict)
    thread_id: str = ""

    def take(self, line: bytes) -> None:
        """One line of the stream."""
        if not line.startswith(b"data: {"):
            return
        try:
            event: dict[str, Any] = json.loads(line[6:])
        except ValueError:
            return
        data = event.get("data") or {}
        task = data.get("task_name")
        match event.get("event"):
            case "custom" if isinstance(data["stdout"], str):
                self.output[task] = self.output.get(task, "") + data["stdout"]
            case "updates":
                self.thread_id = data.get("metadata", {}).get("thread_id", self.thread_id)
                for message in data["messages"]:
                    self.answers[task] = message["content"]
            case "error":
                self.errors[task] = data["error"]


@dataclass(slots=True)
class Client:
    """Sends requests to the agent; ``scratch`` is where it makes its folders."""

    http: aiohttp.ClientSession
    server: CloudCodingServer
    agent: LocalAgent
    scratch: Path

    def post(self, **fields: Any) -> Any:
        body = {"repo_url": REPO, "github_token": "t", **fields}
        return self.http.post(f"{self.server.url}/invoke/stdout", json=body, headers={"x-api-key": "k"})

    async def ask(self, prompt: str, **fields: Any) -> Said:
        return await self.send(messages=[{"type": "human", "content": prompt}], **fields)

    async def send(self, **fields: Any) -> Said:
        said = Said()
        async with self.post(**fields) as response:
            said.status = response.status
            said.raw = await response.read()
        for line in said.raw.split(b"\n"):
            said.take(line)
        return said


def git(repository: Path, *arguments: str) -> None:
    """Run git in a repository."""
    who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", *who, *arguments], cwd=repository, check=True, capture_output=True)


@pytest.fixture
def github(tmp_path: Path) -> Path:
    """A folder with one repository, acme/api, of two commits and a branch."""
    folder = tmp_path / "github"
    repository = folder / "acme/api"
    (repository / "src").mkdir(parents=True)

    git(repository, "init", "-b", "main")
    (repository / "src/app.py").write_text("# TODO: greet by name\ndef main():\n    print('hello')\n")
    (repository / "broken.py").write_text("def broken(:\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "Begin")
    (repository / "test_app.py").write_text("def test_it():\n    assert 1 + 1 == 2\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "Test it")
    git(repository, "checkout", "-b", "dev")
    (repository / "only-on-dev.txt").write_text("dev\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "Develop")
    git(repository, "checkout", "main")
    return folder


@asynccontextmanager
async def agent_at(github: Path, command: str | None = None) -> AsyncIterator[Client]:
    scratch = github.parent / "scratch"
    scratch.mkdir()
    async with (
        LocalAgent(Repositories(github), command, scratch=scratch, pace=0) as agent,
        CloudCodingServer(agent, api_key="k", open_at_once=False) as server,
        aiohttp.ClientSession() as http,
    ):
        yield Client(http, server, agent, scratch)
    assert list(scratch.iterdir()) == []
    assert agent.running == 0


def script(code: str) -> str:
    """A command line that runs this Python."""
    return shlex.join([sys.executable, "-c", code])


async def test_the_built_in_agent_does_what_the_words_ask_for(github: Path) -> None:
    async with agent_at(github) as client:
        said = await client.ask("Show the history, the size, TODOs, the longest functions; does it compile?")
    assert said.errors == {}
    assert "\x1b[1m\x1b[36m== History" in said.output[None]
    assert "\rcounting \x1b[" in said.output[None]
    assert "Cloning into" in said.output[None]
    answer = said.answers[None]
    assert "2 commits by 1 author" in answer
    assert "- Python: 6 lines in 3 files" in answer
    assert "- `src/app.py:1: # TODO: greet by name`" in answer
    assert "1 of 3 Python files do not compile.\n- `broken.py:1:" in answer
    assert "`src/app.py:2 main` (2 lines)" in answer


async def test_it_runs_the_tests_of_the_clone(github: Path) -> None:
    async with agent_at(github) as client:
        said = await client.ask("run the tests")
    assert "\x1b[32mPASSED" in said.output[None]
    assert "They pass (the 1 smallest test files): 1 passed in" in said.answers[None]


async def test_it_says_so_where_there_is_nothing_to_look_at(github: Path) -> None:
    repository = github / "acme/empty"
    repository.mkdir()
    git(repository, "init")
    async with agent_at(github) as client:
        said = await client.ask(
            "history, size, todos, compile, largest, tests", repo_url="https://github.com/acme/empty"
        )
    answer = said.answers[None]
    assert "there are no commits" in answer
    assert "0 lines in 0 text files" in answer
    assert "no `TODO`, `FIXME`, `XXX` or `HACK` anywhere" in answer
    assert "all 0 Python files compile" in answer
    assert "there is no Python here" in answer
    assert "there are no test files here" in answer


@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        ("def test_it():\n    assert False\n", "**They fail** (the 1 smallest test files): 1 failed in"),
        ("import nothing_of_that_name\ndef test_it(): ...\n", "pytest could not run them (exit status 2)"),
    ],
)
async def test_tests_that_fail_are_an_answer(github: Path, test: str, verdict: str) -> None:
    repository = github / "acme/api"
    (repository / "test_app.py").write_text(test)
    git(repository, "commit", "--all", "-m", "Another test")
    async with agent_at(github) as client:
        said = await client.ask("run the tests")
    assert said.errors == {}
    assert verdict in said.answers[None]


async def test_parallel_tasks_each_have_a_clone_an_output_and_an_answer(github: Path) -> None:
    command = script("import os, sys; print(os.getcwd(), sys.argv[1], os.isatty(1), os.get_terminal_size())")
    tasks = [{"task_name": name, "prompt": f"do {name}"} for name in ("a", "b")]
    async with agent_at(github, command) as client:
        said = await client.send(parallel_tasks=tasks)
    assert set(said.answers) == {"a", "b"}
    for name in ("a", "b"):
        printed = said.output[name].splitlines()[-1]
        assert printed.endswith(f"do {name} True os.terminal_size(columns=100, lines=40)")
        assert said.answers[name] == printed
    assert said.answers["a"].split()[0] != said.answers["b"].split()[0]


async def test_a_thread_continues_and_remembers(github: Path) -> None:
    async with agent_at(github) as client:
        first = await client.ask("count the lines")
        second = await client.ask("and the todos", thread_id=first.thread_id)
        history = [
            {"type": "human", "content": "what came before"},
            {"type": "ai", "content": "an answer"},
            {"type": "human", "content": "the history"},
        ]
        resent = await client.send(messages=history)
    assert first.thread_id
    assert second.thread_id == first.thread_id
    assert "You had asked “count the lines”; now “and the todos”" in second.answers[None]
    assert "You had asked “what came before”" in resent.answers[None]
    assert resent.thread_id not in {"", first.thread_id}


async def test_branch_directory_and_model_are_honoured(github: Path) -> None:
    code = "import os; print(os.path.exists('only-on-dev.txt'), os.path.basename(os.getcwd()), os.environ['AGENT_MODEL'])"
    async with agent_at(github, script(code)) as client:
        on_dev = await client.ask("x", branch="dev", haiku=True)
        message = {"type": "human", "content": "x", "workingDir": "src"}
        in_src = await client.send(messages=[message])
        outside = await client.send(messages=[{**message, "workingDir": "../.."}])
    assert on_dev.answers[None] == "True repository haiku"
    assert in_src.answers[None] == "False src sonnet"
    assert outside.errors == {None: "There is no directory ../.. in this repository."}


async def test_a_parallel_task_is_told_its_directory_in_words(github: Path) -> None:
    where = "\n\nWork in the directory `{}`."
    tasks = [
        {"task_name": "inside", "prompt": "count the lines" + where.format("src")},
        {"task_name": "nowhere", "prompt": "count the lines" + where.format("nowhere")},
    ]
    async with agent_at(github) as client:
        said = await client.send(parallel_tasks=tasks)
    assert "3 lines in 1 text file." in said.answers["inside"]
    assert said.errors == {"nowhere": "The agent's command ended with exit status 1."}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"repo_url": "https://github.com/acme/none"}, "does not exist"),
        ({"branch": "none"}, "branch none not found"),
    ],
)
async def test_a_clone_that_fails_fails_the_task(github: Path, wrong: dict[str, str], reason: str) -> None:
    async with agent_at(github) as client:
        said = await client.send(parallel_tasks=[{"task_name": "t", "prompt": "x"}], **wrong)
    assert said.errors["t"].startswith("The repository could not be cloned. fatal: ")
    assert reason in said.errors["t"]
    assert reason in said.output["t"]
    assert said.answers == {}


async def test_another_command_gets_the_prompt_as_it_is(github: Path) -> None:
    code = "import sys; print('\\x1b[31mreading 1%\\r\\x1b[32mread 100%\\x1b[0m'); print(sys.argv[1:])"
    prompt = "$(touch /tmp/x); 'quoted' \"too\" -- `id`"
    async with agent_at(github, f"{script(code)} --ask={{prompt}} --last") as client:
        said = await client.ask(prompt)
    assert said.answers[None] == f"read 100%\n{[f'--ask={prompt}', '--last']}"


async def test_its_answer_is_what_it_writes_and_it_sees_no_tokens(
    github: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLACK_BOT_TOKEN", "CLOUDCODING_API_KEY", "GITHUB_TOKEN", "DATABASE_URL"):
        monkeypatch.setenv(name, "secret")
    code = (
        "import os; open(os.environ['AGENT_ANSWER'], 'w').write('**Done**: é');"
        "print([name for name, value in os.environ.items() if value == 'secret'])"
    )
    async with agent_at(github, script(code)) as client:
        said = await client.ask("x")
    assert said.answers == {None: "**Done**: é"}
    assert said.output[None].endswith("[]\r\n")


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (script("import sys; print('no'); sys.exit(3)"), "The agent's command ended with exit status 3."),
        (script("import os; os.kill(os.getpid(), 9)"), "The agent's command ended with signal 9."),
        ("/nowhere/agent", "/nowhere/agent could not be started: No such file or directory."),
    ],
)
async def test_a_command_that_fails_fails_its_task(github: Path, command: str, error: str) -> None:
    async with agent_at(github, command) as client:
        said = await client.send(parallel_tasks=[{"task_name": "t", "prompt": "x"}])
    assert said.errors == {"t": error}


async def test_characters_are_never_cut_and_what_is_no_text_does_no_harm(github: Path) -> None:
    code = "import sys; sys.stdout.buffer.write('é'.encode() * 9000 + b'\\xff\\xc3')"
    async with agent_at(github, script(code)) as client:
        said = await client.ask("x")
    assert said.output[None].endswith("é" * 9000 + "��")


async def test_what_a_command_leaves_behind_ends_with_it(github: Path) -> None:
    code = (
        "import os, subprocess, sys;"
        "child = subprocess.Popen([sys.executable, '-c', 'import signal, time; signal.pause()']);"
        "print(child.pid)"
    )
    async with agent_at(github, script(code)) as client:
        said = await client.ask("x")
    assert not alive(int(said.answers[None]))


STUBBORN = """
import os, signal, subprocess, sys
code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
child.stdout.readline()
print("pids", os.getpid(), child.pid, "end", flush=True)
signal.pause()
"""


async def test_nothing_is_left_when_the_client_goes_away(github: Path) -> None:
    tasks = [{"task_name": name, "prompt": "x"} for name in ("a", "b")]
    pids: list[int] = []
    async with agent_at(github, script(STUBBORN)) as client:
        response = await client.post(parallel_tasks=tasks)
        said = Said()
        while not all("end" in said.output.get(name, "").partition("pids")[2] for name in ("a", "b")):
            said.take(await response.content.readline())
        pids = [int(pid) for text in said.output.values() for pid in text.partition("pids")[2].split()[:2]]
        assert len(pids) == 4
        assert all(alive(pid) for pid in pids)
        assert client.agent.running == 2
        response.close()
        await client.server.requests[0].disconnected.wait()
        await client.server.requests[0].finished.wait()
    async with asyncio.timeout(10):  # what was killed goes when the system comes to it
        while any(alive(pid) for pid in pids):  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("status", [401, 402, 429, 503])
async def test_refusals_on_demand(github: Path, status: int) -> None:
    async with agent_at(github) as client:
        said = await client.ask(f"please simulate {status}")
    assert said.status == status
    assert b"(simulated)" in said.raw


async def test_a_cut_on_demand(github: Path) -> None:
    async with agent_at(github) as client:
        with pytest.raises(aiohttp.ClientPayloadError):
            await client.ask("simulate cut")


async def test_a_stall_on_demand(github: Path) -> None:
    async with agent_at(github) as client:
        response = await client.post(messages=[{"type": "human", "content": "simulate stall"}])
        assert b"Simulating what you asked for: stall" in await response.content.readline()
        response.close()
        await client.server.requests[0].disconnected.wait()


async def test_garbage_on_demand_and_work_after_it(github: Path) -> None:
    async with agent_at(github, script("print('worked')")) as client:
        said = await client.ask("Simulate garbage")
    assert b"\xff\xfe" in said.raw
    assert said.answers == {None: "worked"}


async def test_a_checkout_stands_for_its_repository(github: Path, tmp_path: Path) -> None:
    checkout = github / "acme/api"
    assert await stand_in(str(checkout), tmp_path) == ("local/api", str(checkout))
    assert await stand_in(f"file://{checkout}", tmp_path) == ("local/api", str(checkout))
    assert await stand_in("https://github.com/acme/web.git", tmp_path) == (
        "acme/web",
        "https://github.com/acme/web.git",
    )
    assert await stand_in("ssh://host/srv/tools.git", tmp_path) == ("local/tools", "ssh://host/srv/tools.git")
    with pytest.raises(RepositoryError, match="is no folder"):
        await stand_in(str(tmp_path / "nothing"), tmp_path)


async def test_a_folder_that_is_no_repository_becomes_one(github: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked archive"
    unpacked.mkdir()
    (unpacked / ".gitignore").write_text(".env\n")
    (unpacked / ".env").write_text("SECRET=1\n")
    (unpacked / "app.py").write_text("print()\n")
    name, location = await stand_in(str(unpacked), tmp_path)
    assert name == "local/unpacked-archive"
    async with agent_at(github, script("import os; print(sorted(os.listdir()))")) as client:
        client.agent._repositories.known[name] = location
        said = await client.ask("x", repo_url=f"https://github.com/{name}")
    assert said.answers[None] == "['.git', '.gitignore', 'app.py']"
    assert sorted(path.name for path in unpacked.iterdir()) == [".env", ".gitignore", "app.py"]


async def test_many_conversations_are_forgotten_oldest_first(github: Path) -> None:
    async with agent_at(github, script("print('ok')")) as client:
        client.agent._conversations.update({f"t-{number}": [] for number in range(200)})
        await asyncio.gather(*(client.ask("x", thread_id=f"new-{number}") for number in range(2)))
        assert len(client.agent._conversations) == 200
        assert "t-1" not in client.agent._conversations
        assert "t-2" in client.agent._conversations


def alive(pid: int) -> bool:
    """Whether this process still runs; an orphan that has ended is its new parent's to bury."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not Path("/proc/self").exists()  # where there is no /proc, a signal's word has to do
