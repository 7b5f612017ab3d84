"""Home tabs at work: published when someone opens theirs, and again as their runs change.

Only this process' runs and openings are known here: where a run goes on in another process, its requester's tab is
brought up to date when they open it.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from bot.clock import Clock
from bot.core.pace import Pace
from bot.core.redact import Secrets
from bot.core.run import RunState
from bot.errors import SlackError, SlackLimited, SlackUnavailable, StoreUnavailable
from bot.runs.summary import Summaries
from bot.runs.supervisor import Supervisor
from bot.slack import home_view
from bot.slack.home_view import HomePage, View
from bot.slack.messenger import SlackMessenger
from bot.store.store import Store
from bot.words.refusals import unexpected
from bot.words.replies import home_unavailable, press_failed

log = structlog.get_logger("bot.home")

EVERY = 10.0  # seconds between updates of one person's tab by what happens to their runs
MOST = 5_000  # tabs that are kept up to date; whose was opened longest ago is forgotten first

Tab = tuple[str, str]  # workspace and user


class HomeTabs:
    """Implements ``bot.runs.ports.Home``."""

    def __init__(
        self,
        messenger: SlackMessenger,
        store: Store,
        summaries: Summaries,
        supervisor: Supervisor,
        *,
        secrets: Secrets,
        clock: Clock,
        default_repo: str | None,
    ) -> None:
        self._messenger = messenger
        self._store = store
        self._summaries = summaries
        self._supervisor = supervisor
        self._secrets = secrets
        self._clock = clock
        self._default_repo = default_repo
        self._pace: Pace[Tab] = Pace(EVERY, MOST)
        self._notes: dict[Tab, str] = {}
        self._look = asyncio.Event()

    def opened(self, workspace: str, user: str) -> None:
        """Someone looks at their tab: publish it now, and keep it up to date from here on."""
        self.say(workspace, user, "")

    def changed(self, workspace: str, user: str) -> None:
        """A run of theirs has changed its state."""
        self._pace.changed((workspace, user), self._clock.monotonic())
        self._look.set()

    def say(self, workspace: str, user: str, note: str) -> None:
        """Publish the tab now, with this sentence on top until the next time."""
        if note:
            self._notes[workspace, user] = note
        self._pace.hurry((workspace, user), self._clock.monotonic())
        self._look.set()

    def act(self, workspace: str, user: str, work: Coroutine[Any, Any, str | None]) -> None:
        """Do what a button of the tab asks, and publish the tab with what there is to say about it."""
        self._supervisor.start("home's button", self._act(workspace, user, work))

    async def _act(self, workspace: str, user: str, work: Coroutine[Any, Any, str | None]) -> None:
        try:
            note = await work
        except StoreUnavailable as error:
            log.warning("home.store_unavailable", error=str(error))
            note = press_failed()
        except Exception:
            log.exception("home.press_failed")
            note = unexpected("")
        self.say(workspace, user, note or "")

    async def run(self) -> None:
        """Publish what is due; a supervisor holds it."""
        while True:
            self._look.clear()
            for tab in self._pace.due(self._clock.monotonic()):
                self._supervisor.start("home", self._publish(tab))
            at = self._pace.next_time()
            try:
                async with asyncio.timeout(None if at is None else max(0.0, at - self._clock.monotonic())):
                    await self._look.wait()
            except TimeoutError:
                pass

    async def _publish(self, tab: Tab) -> None:
        note = self._notes.pop(tab, "")
        try:
            await self._messenger.publish_home(tab[1], await self._view(tab, note))
        except (SlackLimited, SlackUnavailable) as error:
            log.info("home.not_published_yet", error=str(error))
            wait = error.retry_after if isinstance(error, SlackLimited) else EVERY
            self._later(tab, wait, note)
        except SlackError as error:
            log.warning("home.not_published", user=tab[1], error=str(error))
            self._pace.forget(tab)
        finally:
            self._pace.shown(tab)
            self._look.set()

    async def _view(self, tab: Tab, note: str) -> View:
        try:
            return home_view.render_home(await self._page(*tab, note))
        except StoreUnavailable as error:
            log.warning("home.store_unavailable", error=str(error))
            self._later(tab, EVERY, note)
            return home_view.unavailable(home_unavailable())
        except Exception:
            log.exception("home.failed")
            return home_view.unavailable(unexpected(""))

    def _later(self, tab: Tab, wait: float, note: str) -> None:
        self._pace.later(tab, self._clock.monotonic() + wait)
        if note:
            self._notes.setdefault(tab, note)

    async def _page(self, workspace: str, user: str, note: str) -> HomePage:
        going = await self._store.queue.listing(workspace)
        past = await self._store.runs.latest_of(workspace, user, home_view.PAST)
        over = {run.id for run in past}  # also those that have ended since the first look
        going = [run for run in going if run.id not in over]
        own = [run for run in going if run.requester == user]
        running = sum(run.state is RunState.RUNNING for run in going)
        listed = own[: home_view.ACTIVE]
        return HomePage(
            now=self._clock.wall(),
            active=tuple([await self._summaries.of(run) for run in listed]),
            unlisted=len(own) - len(listed),
            past=tuple([await self._summaries.of(run) for run in past]),
            settings=await self._store.users.settings(workspace, user),
            default_repo=self._default_repo,
            running=running,
            waiting=len(going) - running,
            note=self._secrets.redact(note),
        )
