"""A slash command becomes live, edited messages; seen from outside, as a user sees it."""

import asyncio
from pathlib import Path

import pytest

from tests.support.cloudcoding import API_KEY, Event, Fail, Out, Raw, Say, Wait
from tests.support.world import GITHUB_TOKEN, World, world


async def test_a_command_becomes_a_root_message_and_one_edited_message(bot: World) -> None:
    go_on = asyncio.Event()
    bot.serve(Out("collecting\n"), Wait(go_on), Out("3 passed\n"), Say("All *fixed*."))
    await bot.code("repo=acme/web branch=dev model=haiku fix the flaky login test")
    root = await bot.root()
    await bot.shows(root, "Running", "fix the flaky login test", "acme/web", "dev", "haiku", "[Stop]")
    task = await bot.says(root, "Running", "collecting")
    assert "3 passed" not in bot.slack.visible(task)
    go_on.set()
    await bot.shows(task, "Done", "collecting\n3 passed", "2 lines")
    assert len(task.versions) > 1
    seen = await bot.shows(root, "Done", "[Retry]")
    assert "[Stop]" not in seen
    answer = await bot.says(root, "All *fixed*.")
    assert [block["type"] for block in answer.blocks] == ["markdown"]
    assert len(bot.thread(root)) == 2

    request = bot.cloud.requests[0]
    assert request.headers["x-api-key"] == API_KEY
    assert request.body == {
        "repo_url": "https://github.com/acme/web",
        "github_token": GITHUB_TOKEN,
        "messages": [{"type": "human", "content": "fix the flaky login test"}],
        "branch": "dev",
        "haiku": True,
    }


@pytest.mark.parametrize("framing", ["envelope", "named"])
async def test_named_tasks_each_have_their_message(tmp_path: Path, framing: str) -> None:
    async with world(tmp_path, framing=framing) as it, it.running():
        it.serve(
            Out("a1\n", "api"),
            Out("d1\n", "docs"),
            Out("a2\n", "api"),
            Out("extra\n", "lint"),
            Out("d2\n", "docs"),
        )
        await it.code("parallel\napi: harden the API\ndocs: describe it")
        root = await it.root()
        await it.shows(root, "Done", "api", "docs", "lint")
        for name, output in (("api", "a1\na2"), ("docs", "d1\nd2"), ("lint", "extra")):
            await it.says(root, name, "Done", output)
        assert len(it.thread(root)) == 3
        assert it.body()["parallel_tasks"] == [
            {"task_name": "api", "prompt": "harden the API"},
            {"task_name": "docs", "prompt": "describe it"},
        ]
        assert "messages" not in it.body()


async def test_a_failed_task_fails_the_run_and_can_be_run_again_alone(bot: World) -> None:
    bot.serve(Out("fine\n", "a"), Fail("b", "no such module"), Out("still fine\n", "a"))
    await bot.code("parallel\na: one\nb: two")
    root = await bot.root()
    await bot.shows(root, "Failed", "[Retry failed]")
    await bot.says(root, "b", "Failed", "no such module")
    await bot.says(root, "a", "Done", "still fine")

    bot.serve(Out("now it works\n", "b"))
    await bot.slack.press("ben", root, "Retry failed")
    await bot.says(root, "b", "Done", "now it works")
    await bot.shows(root, "Done", "attempt 2", "[Retry]")
    assert "Failed" not in bot.slack.visible(root)
    assert bot.body()["parallel_tasks"] == [{"task_name": "b", "prompt": "two"}]


async def test_broken_events_are_skipped(bot: World) -> None:
    bot.serve(
        Raw(b"data: {not json\n\n"),
        Raw(b"data: \xff\xfe\n\n"),
        Raw(b"event: custom\ndata: [1, 2]\n\n"),
        Event("custom", {"task_name": 7, "stdout": None}),
        Raw(b'data: {"auth": "ok"}\n\n: ping\n\n'),
        Out("still here\n"),
        Raw(b'data: {"push": "changes successfully pushed to main"}\n\n'),
    )
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "Done", "still here")
    await bot.says(root, "changes successfully pushed to main")


async def test_hostile_output_is_text(bot: World) -> None:
    hostile = "<!channel> <@U0ANN> *bold* ```fence``` &lt;b&gt; <https://evil.example|click>\n"
    bot.serve(Out(hostile), Say("Ask <!channel> and <@U0ANN> or @here"))
    await bot.code("go")
    root = await bot.root()
    task = await bot.says(root, "Done", hostile.strip())
    (output,) = (e for e in task.blocks[0]["elements"] if e["type"] == "rich_text_preformatted")
    assert output["elements"] == [{"type": "text", "text": hostile.strip()}]
    answer = await bot.says(root, "Ask")
    for raw in ("<!channel>", "<@U0ANN>", "@here"):
        assert raw not in answer.text
        assert raw not in answer.blocks[0]["text"]


async def test_secrets_never_show_not_even_cut_in_two(bot: World) -> None:
    github = "ghp_" + "a1B2" * 9
    bot.serve(
        Out(f"token={GITHUB_TOKEN[:9]}"),
        Out(f"{GITHUB_TOKEN[9:]}\n{github[:20]}"),
        Out(f"{github[20:]} end\n"),
        Say(f"I used {API_KEY}."),
    )
    await bot.code(f"use {github} please")
    root = await bot.root()
    await bot.says(root, "Done", "token=[redacted]\n[redacted] end")
    await bot.says(root, "I used [redacted].")
    await bot.shows(root, "use [redacted] please")
    everything = bot.slack.transcript()
    assert not any(secret in everything for secret in (GITHUB_TOKEN, github, API_KEY))
    assert bot.body()["messages"][0]["content"] == f"use {github} please"


async def test_the_complete_output_is_attached_where_the_message_could_not_hold_it(bot: World) -> None:
    lines = [f"line {number} of many, with some text to make it long\n" for number in range(120_000)]
    bot.serve(*(Out("".join(lines[at : at + 2_000])) for at in range(0, len(lines), 2_000)))
    await bot.code("go")
    root = await bot.root()
    task = await bot.says(root, "Done", lines[-1].strip())
    assert "119,9" in bot.slack.visible(task) or "1199" in bot.slack.visible(task)
    log = await bot.slack.wait_for(lambda: next((file for file in bot.slack.files if file.completed), None))
    assert log.name == "task.log"
    assert log.content == "".join(lines).encode()


async def test_pull_requests_become_buttons(bot: World) -> None:
    bot.serve(
        Out("remote: https://github.com/acme/api/pull/42\n"),
        Say("Opened https://github.com/acme/api/pull/42 and see https://github.com/other/lib/pull/7."),
    )
    await bot.code("go")
    root = await bot.root()
    seen = await bot.shows(root, "Done", "[View PR #42]", "[View PR #7")
    assert seen.count("View PR #42") == 1


async def test_commits_branches_and_deployments_become_buttons(bot: World) -> None:
    sha = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
    bot.serve(
        Out("Inspect: https://example.org\nPreview: https://\x1b[1mapi-x1.vercel.app\x1b[22m/?key=1\n"),
        Out("\x1b[36mhttps://github.com/acme/api/tree/fix/log-in\x1b[0m\nhttps://github.com/acme/api/comm"),
        Out(f"it/{sha[:7]}\n\x1b]8;;https://github.com/acme/api/pull/42\x1b\\the PR\x1b]8;;\x1b\\\n"),
        Say(f"Pushed https://github.com/acme/api/commit/{sha}."),
    )
    await bot.code("go")
    seen = await bot.shows(await bot.root(), "Done")
    labels = [
        "[View PR #42]",
        "[View deployment api-x1.vercel.app]",
        "[View branch fix/log-in]",
        "[View commit 1a2b3c4]",
    ]
    assert [seen.count(label) for label in labels] == [1] * 4
    assert sorted(labels, key=seen.index) == labels


async def test_a_long_run_ends_with_a_mention(bot: World) -> None:
    go_on = asyncio.Event()
    bot.serve(Out("slow\n"), Wait(go_on))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "slow")
    bot.time.ahead += 200
    go_on.set()
    note = await bot.says(root, "your run in acme/api is done in 3 min")
    assert "<@U0ANN>" in note.text or "@ann" in bot.slack.visible(note)


async def test_a_request_that_is_delivered_twice_runs_once(bot: World) -> None:
    bot.serve(Out("once\n"))
    delivery = await bot.slack.command("ann", "#team", "/code", "go")
    root = await bot.root()
    await bot.says(root, "Done", "once")
    await bot.slack.redeliver(delivery)
    await bot.slack.say("ann", "#team", "@code help")
    await bot.told("ann", "README")
    assert len(bot.roots()) == 1
    assert len(bot.cloud.requests) == 1
