"""The form *New run*, from every way in to the run that it starts; seen from outside, as a user sees it."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.slack import View
from bot.simulator.slack.desk import RefusedError
from tests.support.cloudcoding import Out
from tests.support.world import GITHUB_TOKEN, World, world


async def opened(bot: World, user: str = "ann") -> View:
    """The form, when it has come to stand there."""

    def find() -> View:
        view = bot.slack.modal(user)
        if "submit" not in view.view:
            raise LookupError
        return view

    return await bot.slack.wait_for(find)


async def form(bot: World, channel: str = "#team") -> View:
    await bot.code("", channel=channel)
    return await opened(bot)


async def changed(bot: World, view: View, button: str) -> None:
    """Press a button of the form and wait for what it shows then."""
    before = len(view.history)
    await bot.slack.press("ann", view, button)
    await bot.slack.wait_for(lambda: len(view.history) > before)


def holds(view: View, block_id: str) -> Any:
    """What a field begins with."""
    element = next(block["element"] for block in view.blocks if block["block_id"] == block_id)
    chosen = element.get("initial_option") or {}
    return element.get("initial_value", chosen.get("value"))


async def offered(bot: World, view: View, typed: str) -> list[str]:
    """The repositories in the menu for what was typed."""
    before = len(bot.slack.deliveries)
    with suppress(RefusedError):  # what was typed need not be there to be picked
        await bot.slack.fill("ann", view, {"Repository": typed})
    return [option["value"] for option in bot.slack.deliveries[before].body["options"]]


# Ways in


async def test_the_command_alone_opens_it_and_it_starts_a_run(bot: World) -> None:
    await bot.code("repo acme/docs")
    await bot.told("ann", "acme/docs")
    view = await form(bot)
    assert holds(view, "repo") == "acme/docs"
    bot.serve(Out("ok\n"))
    values = {"Prompt": "Fix <it> & more", "Branch": "dev", "Model": "Haiku", "Directory": "./api"}
    delivery = await bot.slack.submit("ann", view, values)
    assert delivery.accepted
    assert not view.open
    root = await bot.root()
    await bot.shows(root, "Done", "Fix <it> & more", "acme/docs", "dev", "haiku", "@ann")
    body = bot.body()
    assert body["messages"][0]["content"].endswith("Fix <it> & more")
    assert (body["repo_url"], body["branch"], body["haiku"]) == ("https://github.com/acme/docs", "dev", True)


async def test_the_button_of_an_answer_brings_what_was_typed(tmp_path: Path) -> None:
    async with world(tmp_path, CLOUDCODING_DEFAULT_REPO="") as it, it.running():
        await it.code("branch=dev fix <it> & more")
        asked = await it.told("ann", "Which repository?")
        await it.slack.press("ann", asked, "Open form")
        view = await opened(it)
        assert holds(view, "prompt") == "branch=dev fix <it> & more"
        it.serve(Out("ok\n"))
        await it.slack.submit("ann", view, {"Repository": "acme/web"})
        await it.shows(await it.root(), "Done", "fix <it> & more", "acme/web", "dev")


async def test_a_message_stands_in_the_prompt_with_its_link(bot: World) -> None:
    message = await bot.slack.say("ben", "#team", "The login <fails> & @ann knows")
    await bot.slack.message_shortcut("ann", message, "run_on_message")
    view = await opened(bot)
    prompt = holds(view, "prompt")
    text, _, link = prompt.partition("\n\n")
    assert text.startswith("The login <fails> & @")
    assert link.startswith("https://")
    assert message.ts.replace(".", "") in link
    bot.serve(Out("ok\n"))
    await bot.slack.submit("ann", view)
    root = await bot.root()
    await bot.shows(root, "Done", "The login <fails>")
    assert root.thread_ts in (None, root.ts)
    assert link in bot.body()["messages"][0]["content"]


async def test_a_message_in_a_thread_and_a_long_one(bot: World) -> None:
    first = await bot.slack.say("ben", "#team", "something")
    reply = await bot.slack.say("ben", "#team", "long " * 1_000, thread_ts=first.ts)
    await bot.slack.message_shortcut("ann", reply, "run_on_message")
    view = await opened(bot)
    prompt = holds(view, "prompt")
    assert len(prompt) <= 3_000
    assert "…\n\nhttps://" in prompt
    bot.serve(Out("ok\n"))
    await bot.slack.submit("ann", view, {"Prompt": "short"})
    await bot.shows(await bot.root(), "Done", "short")


async def test_a_message_whose_link_slack_does_not_tell(bot: World) -> None:
    message = await bot.slack.say("ben", "#hidden", "the login fails")
    await bot.slack.message_shortcut("ann", message, "run_on_message")
    view = await opened(bot)
    assert holds(view, "prompt") == "the login fails"
    await bot.slack.submit("ann", view)
    told = await bot.told("ann", "I'm not in this channel", "#hidden")
    assert "the login fails" in told.text
    assert not bot.cloud.requests


async def test_from_anywhere_it_asks_where(bot: World) -> None:
    await bot.slack.shortcut("ann", "new_run")
    view = await opened(bot)
    with pytest.raises(RefusedError, match="'Where' is required"):
        await bot.slack.submit("ann", view, {"Prompt": "fix it"})
    await changed(bot, view, "Run as several tasks")
    await changed(bot, view, "Run as one task")
    bot.serve(Out("ok\n"))
    await bot.slack.submit("ann", view, {"Prompt": "fix it", "Where": "C0PRIVATE"})
    await bot.shows(await bot.root(channel="#private"), "Done", "fix it", "acme/api")


async def test_where_the_bot_is_not_a_member_the_request_is_given_back(bot: World) -> None:
    await bot.slack.shortcut("ann", "new_run")
    view = await opened(bot)
    await bot.slack.submit("ann", view, {"Prompt": "fix &lt; & <it>", "Where": "C0HIDDEN"})
    told = await bot.told("ann", "I'm not in this channel", "#hidden")
    assert told.via == "response_url"
    assert "fix &lt; & <it>" in bot.slack.visible(told)


# When it can't be opened at once


async def test_a_slow_answer_of_slack_opens_a_light_view_first(bot: World) -> None:
    bot.slack.fail("chat.getPermalink", timeout=1.0)
    message = await bot.slack.say("ben", "#team", "the login fails")
    await bot.slack.message_shortcut("ann", message, "run_on_message")
    view = await opened(bot)
    assert len(view.history) == 2
    assert "Opening the form" in json.dumps(view.history[0])
    assert holds(view, "prompt") == "the login fails"


@pytest.mark.parametrize("error", ["expired_trigger_id", "internal_error", "ratelimited"])
async def test_a_form_that_cannot_be_opened_is_said(bot: World, error: str) -> None:
    bot.slack.fail("views.open", error=error)
    await bot.code("")
    await bot.told("ann", "The form could not be opened.")


async def test_without_its_database_it_opens_with_the_defaults(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running():
        it.database.rows("DROP TABLE channels")
        view = await form(it)
        assert holds(view, "repo") == "acme/api"
        assert await offered(it, view, "") == []
        assert await offered(it, view, "acme/web") == ["acme/web"]


# Several tasks


async def test_rows_become_tasks(bot: World) -> None:
    view = await form(bot)
    await bot.slack.fill("ann", view, {"Prompt": "Add unit tests", "Branch": "dev", "Model": "Sonnet"})
    await changed(bot, view, "Run as several tasks")
    assert holds(view, "task_1") == "Add unit tests"
    assert not [block for block in view.blocks if block["block_id"] in {"prompt", "name_3"}]
    await bot.slack.fill("ann", view, {"Task 1: name": "tests"})
    await changed(bot, view, "Add task")
    assert (holds(view, "name_1"), holds(view, "branch"), holds(view, "model")) == ("tests", "dev", "sonnet")
    assert holds(view, "repo") == "acme/api"
    bot.serve(Out("t\n", "tests"), Out("d\n", "docs"))
    await bot.slack.submit("ann", view, {"Task 3: name": "docs", "Task 3: prompt": "Describe it"})
    root = await bot.root()
    await bot.shows(root, "Done", "tests", "docs", "dev")
    assert bot.body()["parallel_tasks"] == [
        {"task_name": "tests", "prompt": "Add unit tests"},
        {"task_name": "docs", "prompt": "Describe it"},
    ]


async def test_switching_back_keeps_what_was_typed(bot: World) -> None:
    view = await form(bot)
    await changed(bot, view, "Run as several tasks")
    typed = {"name_1": "a", "task_1": "one\nand more", "name_2": "b", "task_2": "two", "Directory": "api"}
    await bot.slack.fill("ann", view, typed)
    await changed(bot, view, "Run as one task")
    assert holds(view, "prompt") == "parallel\na: one\n  and more\nb: two"
    assert holds(view, "directory") == "api"
    await changed(bot, view, "Run as several tasks")
    assert [holds(view, name) for name in ("name_1", "task_1", "name_2", "task_2")] == [
        "a",
        "one\nand more",
        "b",
        "two",
    ]


async def test_tasks_that_are_too_long_for_one_prompt_stay(bot: World) -> None:
    view = await form(bot)
    await changed(bot, view, "Run as several tasks")
    await bot.slack.fill("ann", view, {"task_1": "x" * 3_000, "task_2": "y" * 3_000})
    await changed(bot, view, "Run as one task")
    assert "too long for one prompt" in bot.slack.visible(view)
    assert holds(view, "task_2") == "y" * 3_000


async def test_twenty_rows_and_no_more(bot: World) -> None:
    view = await form(bot)
    await changed(bot, view, "Run as several tasks")
    for _ in range(18):
        await changed(bot, view, "Add task")
    with pytest.raises(RefusedError):
        await bot.slack.press("ann", view, "Add task")
    bot.serve(*(Out("ok\n", f"t{n}") for n in range(1, 21)))
    values = {f"name_{n}": f"t{n}" for n in range(1, 21)} | {f"task_{n}": f"do {n}" for n in range(1, 21)}
    await bot.slack.submit("ann", view, values)
    await bot.shows(await bot.root(), "Done", "t20")
    assert len(bot.body()["parallel_tasks"]) == 20


async def test_a_second_press_before_the_first_took_effect_changes_nothing(bot: World) -> None:
    view = await form(bot)
    first = await bot.slack.press("ann", view, "Run as several tasks")
    await bot.slack.wait_for(lambda: view.history[1:])
    await bot.slack.redeliver(first)
    await bot.slack.wait_for(lambda: bot.slack.counts["views.update"] == 2)
    await changed(bot, view, "Add task")
    assert len(view.history) == 3


async def test_a_form_that_was_closed_meanwhile(bot: World) -> None:
    view = await form(bot)
    bot.slack.fail("views.update", error="not_found")
    await bot.slack.press("ann", view, "Run as several tasks")
    bot.slack.fail("views.update", status=503)
    await bot.slack.press("ann", view, "Run as several tasks")
    await changed(bot, view, "Run as several tasks")


# Mistakes


async def test_mistakes_are_shown_at_their_fields_and_the_form_stays(bot: World) -> None:
    view = await form(bot)
    await bot.slack.submit("ann", view, {"Prompt": "help", "Branch": "a b", "Directory": "/etc"})
    assert view.open
    assert set(view.errors) == {"prompt", "branch", "directory"}
    await changed(bot, view, "Run as several tasks")
    await bot.slack.submit(
        "ann", view, {"name_1": "a b", "name_2": "b", "task_2": "x", "Branch": "", "Directory": ""}
    )
    assert set(view.errors) == {"name_1"}
    assert view.values["task_2"]["task_2"]["value"] == "x"
    await bot.slack.submit("ann", view, {"name_1": "b", "task_1": "y"})
    assert "Task 1 has this name already" in view.errors["name_2"]
    await bot.slack.submit("ann", view, {"name_1": "", "task_1": ""})
    assert "at least two" in view.errors["name_1"]
    assert not bot.roots()
    bot.serve(Out("ok\n", "a"), Out("ok\n", "b"))
    await bot.slack.submit("ann", view, {"name_1": "a", "task_1": "y"})
    assert not view.open
    await bot.shows(await bot.root(), "Done")


async def test_secrets_are_not_quoted(bot: World) -> None:
    view = await form(bot)
    for prompt in (f"branch=a..{GITHUB_TOKEN} go", f"repo={GITHUB_TOKEN}", f"parallel\n{GITHUB_TOKEN}"):
        await bot.slack.submit("ann", view, {"Prompt": prompt})
        assert "[redacted]" in view.errors["prompt"]
        assert GITHUB_TOKEN[4:12] not in view.errors["prompt"]


async def test_a_repository_that_is_not_open_is_said_at_its_field(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(ALLOWED_REPOS="acme/*"):
        view = await form(it)
        await it.slack.submit("ann", view, {"Prompt": "go", "Repository": "other/lib"})
        assert "ALLOWED_REPOS" in view.errors["repo"]
        await it.slack.submit("ann", view, {"Prompt": "repo=evil/lib go", "Repository": "acme/web"})
        assert "evil/lib is not open" in view.errors["repo"]
        assert not it.cloud.requests


async def test_a_refusal_after_submission_gives_back_what_was_typed(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(ALLOWED_CHANNELS="C0TEAM"):
        await it.slack.shortcut("ann", "new_run")
        view = await opened(it)
        await changed(it, view, "Run as several tasks")
        values = {"name_1": "a", "task_1": "one", "name_2": "b", "task_2": "two"}
        await it.slack.submit("ann", view, {**values, "Where": "C0PRIVATE"})
        told = await it.told("ann", "ALLOWED_CHANNELS", "#private")
        assert "a: one\nb: two" in told.text
        assert not it.cloud.requests


async def test_guests_are_told_at_once(bot: World) -> None:
    for way_in in (
        bot.slack.command("guest", "#team", "/code", ""),
        bot.slack.shortcut("guest", "new_run"),
    ):
        assert (await way_in).accepted
        view = await bot.slack.wait_for(lambda: bot.slack.modal("guest"))
        assert "Guests can't start runs here" in bot.slack.visible(view)
        assert "submit" not in view.view
        await bot.slack.close("guest", view)


async def test_what_slack_would_never_send_is_acknowledged(bot: World) -> None:
    await bot.slack.shortcut("ann", "new_run")
    view = await opened(bot)
    pressed = await bot.slack.press("ann", view, "Run as several tasks")
    await bot.slack.wait_for(lambda: view.history[1:])
    odd = [{"action_id": "form_one_task", "block_id": "shape", "type": "button"}]
    submission = pressed.payload | {"type": "view_submission", "trigger_id": "1.2.3"}
    nowhere = {"prompt": {"prompt": {"value": "go"}}, "repo": {"repo": {"value": "acme/web"}}}
    for payload in (
        pressed.payload | {"actions": odd},
        pressed.payload | {"view": None},
        {"type": "shortcut", "callback_id": "new_run"},
        {"type": "block_suggestion", "action_id": "repo", "block_id": "repo", "value": ""},
        submission | {"trigger_id": None},
        submission | {"view": submission["view"] | {"state": {"values": nowhere}}},
    ):
        delivery = await bot.slack.interact(payload)
        assert delivery.accepted
    assert delivery.body["errors"] == {"where": "Choose the channel in which the run is shown."}
    assert len(view.history) == 2
    assert not bot.cloud.requests


async def test_it_stays_open_while_the_bot_ends(bot: World) -> None:
    view = await form(bot)
    assert bot.bot is not None
    await bot.bot.queue.drain(0)
    delivery = await bot.slack.submit("ann", view, {"Prompt": "go"})
    assert delivery.accepted
    assert view.open
    assert "restarting" in str(view.errors)
    assert not bot.cloud.requests


# The menu of repositories


async def test_the_menu_offers_what_is_likely(tmp_path: Path) -> None:
    async with world(tmp_path) as it, it.running(ALLOWED_REPOS="acme/*, other/lib"):
        for number, repo in enumerate(("acme/one", "acme/two", "acme/one")):
            it.serve(Out("ok\n"))
            await it.code(f"repo={repo} go")
            await it.shows(await it.root(number), "Done")
        it.serve(Out("ok\n"))
        await it.code("repo=acme/bens go", user="ben")
        await it.shows(await it.root(3), "Done")
        await it.code("repo acme/docs")
        await it.told("ann", "acme/docs")
        view = await form(it)
        assert await offered(it, view, "?") == []
        assert await offered(it, view, "") == ["acme/docs", "acme/one", "acme/two", "other/lib"]
        assert await offered(it, view, "two ") == ["acme/two"]
        assert await offered(it, view, "other/LI") == ["other/LI", "other/lib"]


async def test_the_menu_of_a_form_without_a_channel(bot: World) -> None:
    await bot.slack.shortcut("ann", "new_run")
    view = await opened(bot)
    assert await offered(bot, view, "") == ["acme/api"]


async def test_the_menu_tells_guests_nothing(bot: World) -> None:
    view = await form(bot)
    before = len(bot.slack.deliveries)
    assert await offered(bot, view, "") == ["acme/api"]
    guest = {"id": "U0GUEST", "name": "guest", "team_id": "T0LOCAL"}
    delivery = await bot.slack.interact(bot.slack.deliveries[before].payload | {"user": guest})
    assert delivery.body == {"options": []}
