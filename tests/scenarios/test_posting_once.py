"""Whatever becomes of Slack's answers, and of the process that waits for them: no message is there twice."""

import asyncio
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.slack import Message
from tests.scenarios.test_takeover import Stage, stage, texts
from tests.support.cloudcoding import Out, Say
from tests.support.world import World

OUTPUT = "".join(f"line {number} of a long log\n" for number in range(3000))
ANSWER = "It is done."


def lose_answers(it: World) -> None:
    """Each post and each sharing of a file takes effect, but the first time its answer is lost."""
    seen: Counter[str] = Counter()

    def first_time(args: dict[str, Any]) -> bool:
        about = str(args.get("metadata") or args.get("files"))
        seen[about] += 1
        return seen[about] == 1

    for method in ("chat.postMessage", "files.completeUploadExternal"):
        it.slack.fail(method, status=503, applied=True, times=None, when=first_time)


def files(it: World, root: Message) -> list[str]:
    return [file.name for message in it.slack.messages("#team", root.ts) for file in message.files]


async def test_a_run_of_which_every_answer_to_a_post_is_lost_looks_like_any_other(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            it.serve(Out(OUTPUT), Say(ANSWER))
            await it.code("go")
            await on.settled()
            usual, attached = texts(it), files(it, await it.root())
            lose_answers(it)
            it.serve(Out(OUTPUT), Say(ANSWER))
            await it.code("go")
            await on.until(lambda: len(on.column("settled")) == 2)
            await on.settled()
        assert len(attached) == 1
        assert texts(it) == sorted(usual * 2)
        assert files(it, await it.root(1)) == attached


async def test_a_reply_to_a_message_of_which_only_slack_knows_is_taken_on(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            it.serve(Out("one\n"))
            it.serve(Out("two\n"))
            lose_answers(it)
            await it.code("go")
            root = await it.root()
            assert on.column("ready") == [False]
            await it.slack.say("ann", "#team", "go on", thread_ts=root.ts)
            await it.says(root, "Done", "two")
            await on.settled()


@pytest.mark.parametrize("forgotten", ["root", "task", "answer", "log"])
async def test_what_a_dead_process_posted_without_storing_that_is_found(
    tmp_path: Path, forgotten: str
) -> None:
    """It is Slack that knows, where the process died between Slack's answer and the database's."""
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            it.serve(Out(OUTPUT), Say(ANSWER))
            await it.code("go")
            await on.settled()
        usual = texts(it)
        await _forget(on, forgotten)
        async with it.running():
            await on.settled()
            await on.until(lambda: on.database.rows("SELECT ts FROM tasks WHERE ts IS NOT NULL"))
        assert texts(it) == usual
        assert len(files(it, await it.root())) == 1


async def test_another_runs_log_of_the_same_name_and_size_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        it = on.it
        async with it.running():
            it.slack.fail("files.getUploadURLExternal", status=503, times=None)
            it.serve(Out(OUTPUT))
            await it.code("go")
            root = await it.root()
            await it.shows(root, "Done")
        async with it.running():
            it.serve(Out(OUTPUT))
            await it.slack.say("ann", "#team", "go on", thread_ts=root.ts)
            await on.until(lambda: len(on.column("ended_at")) == 2 and all(on.column("ended_at")))
        assert on.column("settled") == [False, False]
        it.slack.heal()
        calls = count(1)
        it.slack.fail("files.getUploadURLExternal", status=503, times=None, when=lambda _: next(calls) > 1)
        async with it.running():
            await it.slack.wait_for(lambda: files(it, root))
        it.slack.heal()
        async with it.running():
            await on.settled()
        assert len(files(it, root)) == 2


async def _forget(on: Stage, what: str) -> None:
    """Leave the run to a process that is dead, as if that hadn't come to store this."""
    assert on.column("parts") == [2], "the log and the answer"
    changes = {
        "root": "UPDATE runs SET status_ts = NULL",
        "task": "UPDATE tasks SET ts = NULL",
        "answer": "UPDATE runs SET parts = 1",
        "log": "UPDATE runs SET parts = 0",
    }
    for change in ("UPDATE runs SET settled = false, owner = 'dead'", changes[what]):
        await asyncio.to_thread(on.database.rows, change)
