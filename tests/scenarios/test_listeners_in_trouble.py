"""Everything that Slack delivers is answered in time, whatever is behind it; who asked is told, and the log has it once."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.simulator.slack import Ephemeral, LocalSlack, Message, View
from bot.simulator.slack.delivery import ACK_SECONDS, Delivery
from tests.support.cloudcoding import Fail, Out, Wait
from tests.support.wire import captured_log
from tests.support.world import World, world


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    with captured_log() as stream:
        yield stream


@dataclass(slots=True)
class Scene:
    """A run that goes on, one that failed, and something of every kind to press."""

    it: World
    run: str
    root: Message
    asked: Message
    failed: Message
    offer: Ephemeral
    opener: Ephemeral
    listed: Ephemeral
    settings: Ephemeral
    form: View
    settings_form: View
    home: View

    def everything(self) -> dict[str, Awaitable[Any]]:
        """One of everything that Slack delivers and the bot acts on."""
        slack, root = self.it.slack, self.root
        return {
            "a command": slack.command("ben", "#team", "/code", "command"),
            "a whole-text command": slack.command("ben", "#team", "/code", "status"),
            "the command alone": slack.command("ben", "#team", "/code", ""),
            "a mistake": slack.command("ben", "#team", "/code", "repo=foo x"),
            "a mention": slack.say("ben", "#team", "@code mention"),
            "a direct message": slack.say("ben", "@ben", "direct"),
            "a reply": slack.say("ben", "#team", "reply", thread_ts=root.ts),
            "a control word": slack.say("ben", "#team", "mute", thread_ts=root.ts),
            "an edit": slack.edit("ann", self.asked, "@code fix the layout"),
            "Stop": slack.press("ben", root, "Stop"),
            "Retry": slack.press("ben", self.failed, "Retry"),
            "Retry failed": slack.press("ben", self.failed, "Retry failed"),
            "Rerun": slack.press("ann", self.offer, "Rerun"),
            "Open form": slack.press("ann", self.opener, "Open form"),
            "Stop in a list": slack.press("ann", self.listed, "Stop"),
            "Edit settings": slack.press("ann", self.settings, "Edit"),
            "Stop at home": slack.press("ann", self.home, "Stop"),
            "a form's button": slack.press("ann", self.form, "Run as several tasks"),
            "a menu": slack.fill("ann", self.form, {"Repository": "acme/other"}),
            "the settings form": slack.submit("ann", self.settings_form, {"Repository": "acme/docs"}),
            "a shortcut": slack.shortcut("ann", "new_run"),
            "a message's shortcut": slack.message_shortcut("ann", self.asked, "run_on_message"),
            "home": slack.open_home("ben"),
            "the direct messages": slack.open_chat("ben"),
            "Slack's own Stop": slack.stop_session("ben", root),
            "a changed user": slack.event({"type": "user_change", "user": {"id": "U0BEN"}}),
            "a reaction": slack.event({"type": "reaction_added", "user": "U0BEN", "reaction": "eyes"}),
        }

    async def deliver(self) -> list[Delivery]:
        """All of that at once; returns the deliveries."""
        before = len(self.it.slack.deliveries)
        await asyncio.gather(*self.everything().values())
        return list(self.it.slack.deliveries[before:])

    def told(self, user: str) -> str:
        """All that somebody was told alone."""
        return "\n".join(told.text for told in self.it.slack.ephemerals(user))


@asynccontextmanager
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    # Nothing is delivered a second time by itself: what is looked at is the first answer.
    local = LocalSlack(limits=None, retry_delays=())
    async with world(tmp_path, local=local) as it, it.running():
        it.slack.access.agents = True
        it.serve(Out("a\n", "a"), Fail("b", "broken"))
        await it.code("parallel\na: one\nb: two")
        failed = await it.root()
        await it.shows(failed, "Failed", "[Retry failed]")
        it.serve(Out("one\n"), Wait(asyncio.Event()))
        asked = await it.slack.say("ann", "#team", "@code fix the login")
        root = await it.root(1)
        await it.says(root, "one")
        await it.slack.edit("ann", asked, "@code fix the logout")
        offer = await it.told("ann", "You changed your request")
        await it.slack.say("ann", "#team", "@code")
        opener = await it.told("ann", "What should I do?")
        await it.code("status")
        listed = await it.told("ann", "1 running")
        await it.code("settings")
        settings = await it.told("ann", "Repository:")
        await it.slack.open_home("ann")
        await it.slack.wait_for(lambda: "[Stop]" in it.slack.visible(it.slack.home("ann")))
        await it.slack.press("ann", settings, "Edit")
        settings_form = await it.slack.wait_for(lambda: it.slack.modal("ann"))
        await it.slack.press("ann", opener, "Open form")
        form = await it.slack.wait_for(lambda: it.slack.views[-1] if len(it.slack.views) > 1 else None)
        run = next(e["value"] for b in root.blocks if b["type"] == "actions" for e in b["elements"])
        home = it.slack.home("ann")
        yield Scene(it, run, root, asked, failed, offer, opener, listed, settings, form, settings_form, home)


def newly_told(it: World, user: str, before: int) -> list[Ephemeral]:
    return list(it.slack.ephemerals(user)[before:])


def in_time(deliveries: list[Delivery]) -> bool:
    return all(delivery.status is not None and delivery.seconds < ACK_SECONDS for delivery in deliveries)


async def readiness(it: World) -> tuple[int, str]:
    """What ``/readyz`` says: its status, and the reason where there is one."""
    assert it.bot is not None
    url = f"http://127.0.0.1:{it.bot.port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, (await answer.json()).get("reason", "")


def records(log: io.StringIO, *levels: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in lines if line["level"] in levels]


async def test_while_slacks_web_api_hangs(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        at.it.slack.fail("*", timeout=30, times=None)
        at.it.slack.fail("response_url", timeout=30, times=None)
        deliveries = await at.deliver()
        assert in_time(deliveries)
        assert not [delivery for delivery in deliveries if not delivery.accepted]
        at.it.slack.heal()


async def test_while_the_database_hangs(tmp_path: Path, log: io.StringIO) -> None:
    async with scene(tmp_path) as at:
        with at.it.database.locked():
            deliveries = await at.deliver()
            assert in_time(deliveries)
            # What Slack doesn't deliver again is accepted, and answered.
            assert all(one.accepted for one in deliveries if one.kind.value != "events_api")
            await at.it.slack.wait_for(lambda: "database unreachable" in at.told("ben"))
    assert not records(log, "error", "critical")


async def test_while_the_database_fails(tmp_path: Path, log: io.StringIO) -> None:
    async with scene(tmp_path) as at:
        slack = at.it.slack
        assert (await readiness(at.it))[0] == 200
        with at.it.database.refusing():
            assert await readiness(at.it) == (503, "the database does not answer")
            deliveries = await at.deliver()
            assert in_time(deliveries)
            assert all(one.accepted for one in deliveries if one.kind.value != "events_api")
            told = [
                ("ben", "database unreachable). Your request was not started"),
                ("ben", "That didn't work (database unreachable)"),
                ("ann", "That didn't work (database unreachable)"),
                ("ben", "`repo=foo` is not a repository"),
                ("ann", "Your defaults can't be shown right now"),
                ("ann", "Your defaults could not be saved"),
            ]
            for user, text in told:
                await at.it.told(user, text)
            await slack.wait_for(lambda: "can't read the runs right now" in slack.visible(slack.home("ben")))
            # Slack's last attempt: what it won't deliver again is given back.
            mention = next(one for one in deliveries if "mention" in str(one.event.get("text")))
            before = len(slack.ephemerals("ben", "#team"))
            for number in (1, 3):
                await slack.redeliver(mention, number=number)

            def given_back() -> list[Ephemeral]:
                return [one for one in slack.ephemerals("ben", "#team")[before:] if "mention" in one.text]

            await slack.wait_for(given_back)
            assert len(given_back()) == 1
        assert (await readiness(at.it))[0] == 200
    assert not records(log, "error", "critical")


async def test_an_error_that_nobody_foresaw(tmp_path: Path, log: io.StringIO) -> None:
    async with scene(tmp_path) as at:
        slack = at.it.slack
        at.it.database.rows("UPDATE runs SET invocation = '[]'")
        mine, bens = len(slack.ephemerals("ann")), len(slack.ephemerals("ben"))
        steps: list[tuple[Awaitable[Any], str, str]] = [
            (slack.press("ben", at.root, "Stop"), "ben", at.run),
            (slack.press("ann", at.offer, "Rerun"), "ann", at.run),
            (slack.press("ann", at.listed, "Stop"), "ann", at.run),
            (slack.command("ben", "#team", "/code", "status"), "ben", ""),
            (slack.say("ben", "#team", "reply", thread_ts=at.root.ts), "ben", ""),
        ]
        for number, (step, user, run) in enumerate(steps, 1):
            before = len(slack.ephemerals(user))
            await step
            told = await at.it.slack.wait_for(partial(newly_told, at.it, user, before))
            assert "Something went wrong on my side" in told[0].text
            assert "Traceback" not in told[0].text
            failures = records(log, "error", "critical")
            assert len(failures) == number
            assert failures[-1].get("run", "") == run
            assert len(told) == 1
        assert len(slack.ephemerals("ann")) + len(slack.ephemerals("ben")) == mine + bens + len(steps)
        # What can't be answered is logged once all the same, and not delivered again.
        count = len(steps)
        await slack.edit("ann", at.asked, "@code fix the layout")
        assert len(records(log, "error")) == count + 1
        assert slack.deliveries[-1].accepted
        await slack.press("ann", at.home, "Stop")
        await slack.wait_for(lambda: "Something went wrong" in slack.visible(slack.home("ann")))
