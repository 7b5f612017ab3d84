"""What the service may stream, however it is framed and cut; and what of it is shown."""

import json
from itertools import pairwise
from typing import Any

import pytest

from bot.simulator.slack import Message
from bot.simulator.slack.model import File
from tests.support.cloudcoding import Event, Fail, Out, Raw, Say
from tests.support.world import World


def envelope(name: str, **data: Any) -> bytes:
    return b"data: " + json.dumps({"event": name, "data": data}, ensure_ascii=False).encode() + b"\n\n"


def named(name: str, **data: Any) -> bytes:
    return f"event: {name}\n".encode() + b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n"


def log_of(bot: World) -> File | None:
    return next((file for file in bot.slack.files if file.completed), None)


async def test_framings_mix_and_bytes_come_one_by_one(bot: World) -> None:
    stream = (
        b"\xef\xbb\xbf: hello\n\n"
        + envelope("custom", task_name="main", stdout="één\n")
        + named("custom", task_name="main", stdout="zwei 🚀\n").replace(b"\n", b"\r\n")
        + b": ping\r\n\r\n"
        + named("custom", task_name="main", stdout="trois 漢字\n").replace(b"\n", b"\r")
        + b'event: custom\nid: 7\nretry: 10\ndata: {"task_name":\ndata: "main", "stdout": "four\\n"}\n\n'
        + b'data:{"event":"custom","data":{"stdout":"five\\n"}}\n\n'
        + named("updates", run_id="r", messages=[{"type": "ai", "content": "Ça y est ✅"}], stream_events=[])
        + named("custom", task_name="main", stdout="six\n")[:-1]
    )
    bot.serve(*(Raw(stream[at : at + 1]) for at in range(len(stream))))
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "main", "Done", "één\nzwei 🚀\ntrois 漢字\nfour\nfive\nsix", "6 lines")
    await bot.says(root, "Ça y est ✅")
    await bot.shows(root, "Done")
    assert len(bot.thread(root)) == 2


async def test_huge_events_and_one_that_is_too_huge(bot: World) -> None:
    big = "x" * 99 + "\n"
    bot.serve(
        Out("before\n"),
        Event("custom", {"stdout": big * 40_000}),
        Event("custom", {"stdout": "lost " + "y" * 9_000_000}),
        Out("after\n"),
    )
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "Done", "after", "40,002 lines")
    log = await bot.slack.wait_for(lambda: log_of(bot))
    assert log is not None
    assert log.content == ("before\n" + big * 40_000 + "after\n").encode()


async def test_a_growing_answer_is_shown_once_and_last(bot: World) -> None:
    def updates(*texts: object) -> Event:
        messages: list[dict[str, object]] = [{"type": "human", "content": "go"}]
        messages += [{"type": "ai", "content": text} for text in texts]
        return Event("updates", {"run_id": "r", "messages": messages, "stream_events": [{"a": 1}]})

    parts = [
        {"type": "text", "text": "The "},
        {"type": "tool_use", "id": "1"},
        {"type": "text", "text": "end."},
    ]
    bot.serve(
        updates(""),
        updates("First I look."),
        Out("looking\n"),
        updates("First I look.", "Then I fix."),
        updates("First I look.", "Then I fix.", parts),
        updates("First I look.", "Then I fix.", parts),
        updates("First I look.", "Then I fix.", parts, ""),
    )
    await bot.code("go")
    root = await bot.root()
    await bot.shows(root, "Done")
    await bot.says(root, "The end.")
    assert len(bot.thread(root)) == 2


async def test_no_answer_is_no_message(bot: World) -> None:
    said: list[object] = ["", " \n\t ", [], [{"type": "tool_use"}], None]
    bot.serve(
        Out("x\n"),
        *(Event("updates", {"run_id": "r", "messages": [{"type": "ai", "content": one}]}) for one in said),
    )
    await bot.code("go")
    root = await bot.root()
    await bot.says(root, "Done", "x")
    await bot.code("status")
    await bot.told("ann", "Nothing is running")
    assert len(bot.thread(root)) == 1


def answer_texts(bot: World, root: Message) -> list[str]:
    return [b["text"] for m in bot.thread(root) for b in m.blocks if b["type"] == "markdown"]


async def test_a_long_answer_is_shown_in_order_and_in_full(bot: World) -> None:
    lines = [f"paragraph {number} says *something* and <that> & more\n\n" for number in range(500)]
    code = "".join(f"code {number} = <b> && `x`\n" for number in range(300))
    table = "| a | b |\n|---|---|\n" + "".join(f"| {n} | <!here> |\n" for n in range(50))
    answer = "".join(lines) + f"```python\n{code}```\n\n{table}\nThe end @channel."
    assert len(answer) > 30_000
    bot.serve(Out("x\n"), Say(answer))
    await bot.code("go")
    root = await bot.root()
    await bot.slack.wait_for(lambda: "The end" in "".join(answer_texts(bot, root)), timeout=20)
    texts = answer_texts(bot, root)
    assert len(texts) >= 4
    whole = "\n".join(texts)
    for before, after in pairwise(lines):
        assert -1 < whole.index(before.strip()) < whole.index(after.strip())
    for number in range(300):
        assert f"code {number} = <b> && `x`" in whole
    assert all(text.count("```") % 2 == 0 for text in texts)
    assert "<!here>" not in whole
    assert "@channel" not in whole


async def test_the_tasks_answers_are_all_shown_under_their_names(bot: World) -> None:
    bot.serve(
        Out("1\n", "api"),
        Say("API done.", task="api"),
        Say("Docs done.", task="docs"),
        Say("API really done.", task="api"),
    )
    await bot.code("parallel\napi: harden it\ndocs: write them")
    root = await bot.root()
    await bot.says(root, "api", "API really done.")
    await bot.says(root, "docs", "Docs done.")
    await bot.shows(root, "Done")
    assert len(answer_texts(bot, root)) == 2


async def test_answers_without_names_are_told_apart_by_what_was_asked(bot: World) -> None:
    def updates(asked: str, answer: str) -> Event:
        messages = [{"type": "human", "content": asked}, {"type": "ai", "content": answer}]
        return Event("updates", {"run_id": "r", "messages": messages})

    bot.serve(
        updates("harden it", "The same."), updates("write them", "The same."), updates("harden it", "Hard.")
    )
    await bot.code("parallel\napi: harden it\ndocs: write them")
    root = await bot.root()
    await bot.says(root, "api", "Hard.")
    await bot.says(root, "docs", "The same.")
    assert len(answer_texts(bot, root)) == 2


@pytest.mark.parametrize("names", [[None, "main"], ["a", "b", "A"], ["", "  "]])
async def test_names_of_a_single_run(bot: World, names: list[str | None]) -> None:
    bot.serve(*(Event("custom", {"task_name": name, "stdout": f"<{name}>\n"}) for name in names))
    await bot.code("go")
    root = await bot.root()
    for name in names:
        await bot.says(root, f"<{name}>", (name or "").strip(), "Done")


ODD = ["n" * 500, "../x", "*Ünï*\n<!channel>\u202e"]


async def test_odd_names_that_the_service_makes_up(bot: World) -> None:
    lines = "".join(f"line {n}\n" for n in range(100))
    bot.serve(
        Out("mine\n", "api"),
        *(
            Event("custom", {"task_name": name, "stdout": lines + f"last of {n}\n"})
            for n, name in enumerate(ODD)
        ),
    )
    await bot.code("parallel\napi: one\ndocs: two")
    root = await bot.root()
    await bot.shows(root, "Done")
    for number in range(len(ODD)):
        await bot.says(root, "Done", f"last of {number}")
    await bot.slack.wait_for(lambda: len([f for f in bot.slack.files if f.completed]) == len(ODD))
    for file in bot.slack.files:
        assert file.name.endswith(".log"), file.name
        assert not set(file.name) & set("/\\\n<>*`\u202e"), file.name
        assert not file.name.startswith("."), file.name
        assert len(file.name) < 100
    assert len({file.name for file in bot.slack.files}) == len(ODD)


async def test_tasks_with_long_names_each_have_their_message(bot: World) -> None:
    names = [f"{number:02}-" + "n" * 37 for number in range(4)]
    bot.serve(*(Out(f"out of {name}\n", name) for name in names))
    await bot.code("parallel\n" + "\n".join(f"{name}: {'do it ' * 60}" for name in names))
    root = await bot.root()
    await bot.slack.wait_for(lambda: len(bot.thread(root)) == 4)
    for name in names:
        await bot.says(root, "Done", f"out of {name}")
    seen = await bot.shows(root, "Done")
    assert all(name in seen for name in names)


async def test_a_task_that_the_service_names_fails_alone(bot: World) -> None:
    bot.serve(Out("fine\n", "a"), Fail("ghost", "boo"), Out("fine too\n", "b"), Out("on\n", "a"))
    await bot.code("parallel\na: one\nb: two")
    root = await bot.root()
    await bot.shows(root, "Failed")
    await bot.says(root, "ghost", "Failed", "boo")
    await bot.says(root, "a", "Done", "fine\non")
    await bot.says(root, "b", "Done", "fine too")
