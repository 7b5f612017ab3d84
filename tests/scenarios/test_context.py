"""A mention in a thread of people's takes the thread along; files of a message go with it."""

from tests.support.cloudcoding import Out, Say
from tests.support.world import World


async def test_a_mention_in_a_foreign_thread_takes_it_along_as_a_quotation(bot: World) -> None:
    topic = await bot.slack.say("ann", "#team", "the login is flaky &amp; slow", raw=True)
    await bot.slack.say("ben", "#team", "since the release, see https://ci.example/1", thread_ts=topic.ts)
    bot.serve(Out("on it\n"), Say("Fixed."))
    asked = await bot.slack.say("ann", "#team", "@code branch=dev please fix this", thread_ts=topic.ts)
    await bot.says(topic, "Done", "on it")
    await bot.says(topic, "Fixed.")
    assert not bot.roots()
    body = bot.body()
    assert body["branch"] == "dev"
    (message,) = body["messages"]
    prompt, _, quoted = message["content"].partition("\n\n")
    assert prompt == "please fix this"
    assert "quoted" in quoted
    assert "> ann: the login is flaky & slow\n> ben: since the release, see https://ci.example/1" in quoted
    assert "please fix this" not in quoted
    await bot.slack.wait_for(lambda: "white_check_mark" in asked.reactions)

    bot.serve(Out("more\n"))
    await bot.slack.say("ben", "#team", "and the tests", thread_ts=topic.ts)
    await bot.says(topic, "Done", "more")
    told = [m["content"] for m in bot.body()["messages"]]
    assert told[0] == message["content"]
    assert told[1:] == ["Fixed.", "and the tests"]


async def test_parallel_tasks_each_get_the_thread(bot: World) -> None:
    topic = await bot.slack.say("ann", "#team", "the login is flaky")
    bot.serve(Out("a\n", "a"), Out("b\n", "b"))
    await bot.slack.say("ann", "#team", "@code parallel\na: fix it\nb: test it", thread_ts=topic.ts)
    await bot.says(topic, "b", "Done")
    for task, prompt in zip(bot.body()["parallel_tasks"], ("fix it", "test it"), strict=True):
        assert task["prompt"].startswith(f"{prompt}\n\n")
        assert "the login is flaky" in task["prompt"]


async def test_a_thread_that_can_not_be_read_holds_nothing_up(bot: World) -> None:
    topic = await bot.slack.say("ann", "#team", "the login is flaky")
    bot.slack.fail("conversations.replies", error="missing_scope", times=None)
    bot.serve(Out("on it\n"))
    await bot.slack.say("ann", "#team", "@code fix it", thread_ts=topic.ts)
    await bot.says(topic, "Done", "on it")
    assert bot.body()["messages"][0]["content"] == "fix it"


async def test_text_files_go_along_and_what_can_not_is_said(bot: World) -> None:
    bot.serve(Out("read\n"))
    files = [("trace.txt", b"boom at line 3\n"), ("core.bin", b"\x00\xff\x00"), ("big.log", b"x" * 300_000)]
    await bot.slack.say("ann", "#team", "@code what is this?", files=files)
    root = await bot.root()
    await bot.says(root, "Done", "read")
    content = bot.body()["messages"][0]["content"]
    assert content.startswith("what is this?\n\nAttached file 'trace.txt':\n```\nboom at line 3\n```")
    assert "'core.bin' is not included: it is not a text file." in content
    assert "'big.log' is not included: it is larger than 256 KiB." in content
    assert "boom" not in bot.slack.visible(root)
