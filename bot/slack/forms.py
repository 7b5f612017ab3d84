"""The form *New run* at work: opened, changed while it is filled in, and read when it is submitted."""

import asyncio
from dataclasses import dataclass, replace

import structlog

from bot.core.slacktext import plain
from bot.core.text import escape, shorten
from bot.errors import SlackError, SlackRejected, StoreUnavailable
from bot.model import Audience, Invocation, Options, Place
from bot.runs import repositories
from bot.runs.answers import Request
from bot.runs.intake import Intake
from bot.runs.ports import Notice
from bot.runs.supervisor import Supervisor
from bot.slack import form_draft, form_view
from bot.slack.deliveries import FormAction, FormSubmitted, OptionsWanted, claim_key
from bot.slack.form_draft import FIELD_CHARS, PROMPT, REPO, WHERE, Draft, Origin
from bot.slack.form_view import View
from bot.slack.messenger import SlackMessenger
from bot.words import labels, refusals

log = structlog.get_logger("bot.form")

QUICK = 0.5  # seconds within which the form is made ready before it is opened; Slack's trigger is valid for 3
FACTS = 2.0  # seconds that the database may take for defaults and repositories; Slack waits 3 for the latter


@dataclass(frozen=True, slots=True)
class Start:
    """What the form begins with: a text in Slack's notation, and the message ``ts`` that it is from, if any."""

    text: str = ""
    ts: str | None = None


@dataclass(slots=True)
class Forms:
    """What is behind the form's listeners; none of it makes an acknowledgement wait, except for suggestions."""

    messenger: SlackMessenger
    intake: Intake
    supervisor: Supervisor

    def open(self, audience: Audience, trigger_id: str, start: Start | None = None) -> None:
        """Open it for whoever asked; without a channel in ``audience`` the form asks for one."""
        request = Request(audience, f"trigger:{trigger_id}", "")
        self.intake.button(request, self._open(audience, trigger_id, start or Start()))

    async def _open(self, audience: Audience, trigger_id: str, start: Start) -> None:
        ready = asyncio.create_task(self._first_view(audience, start), name="form's view")
        try:
            await asyncio.wait({ready}, timeout=QUICK)
            if ready.done():
                await self.messenger.open_view(trigger_id, await ready)
            else:
                view_id = await self.messenger.open_view(trigger_id, form_view.loading())
                await self.messenger.update_view(view_id, await ready)
        except SlackError as error:
            log.warning("form.not_opened", error=str(error))
            await self.intake.admission.tell(audience, Notice(refusals.form_unavailable()))
        finally:
            ready.cancel()

    async def _first_view(self, audience: Audience, start: Start) -> View:
        refusal, defaults, link = await asyncio.gather(
            self.intake.admission.refusal(audience, None),
            self._defaults(audience),
            self._link(audience, start),
        )
        if refusal is not None:
            return form_view.message(refusal)
        below = f"\n\n{link}" if link else ""
        prompt = shorten(plain(start.text).strip(), FIELD_CHARS - len(below)) + below
        draft = form_draft.with_options(Draft(prompt=prompt.strip()), defaults)
        return form_view.form(draft, Origin(audience.channel, audience.thread_ts, audience.response_url))

    async def _defaults(self, audience: Audience) -> Options:
        """The options that hold there; the operator's where the database doesn't say, for the form can do without."""
        try:
            async with asyncio.timeout(FACTS):
                return await self.intake.defaults_at(audience)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("form.no_defaults", error=str(error))
            return self.intake.defaults

    async def _link(self, audience: Audience, start: Start) -> str | None:
        if start.ts is None:
            return None
        return await self.messenger.permalink(Place(audience.workspace, audience.channel), start.ts)

    def change(self, pressed: FormAction) -> None:
        """Another row, or another shape: the form keeps what was typed."""
        self.supervisor.start("form's change", self._change(pressed))

    async def _change(self, pressed: FormAction) -> None:
        origin, rows = form_draft.recalled(pressed.private_metadata)
        draft, note = form_draft.read(pressed.values, rows), ""
        match pressed.action:
            case form_view.SEVERAL if not draft.rows:
                draft = form_draft.as_several(draft)
            case form_view.ADD_TASK if draft.rows:
                draft = form_draft.with_a_row(draft)
            case form_view.ONE if draft.rows:
                one = form_draft.as_one(draft)
                draft, note = (draft, labels.FORM_TOO_LONG) if one is None else (one, "")
            case _:
                return
        view = form_view.form(draft, origin, note)
        try:
            await self.messenger.update_view(pressed.view_id, view, pressed.view_hash)
        except SlackRejected as error:  # closed meanwhile, or a second press on what has changed already
            log.debug("form.not_changed", error=str(error))
        except SlackError as error:
            log.warning("form.not_changed", error=str(error))

    async def repositories(self, wanted: OptionsWanted) -> list[str]:
        """What the repository's menu offers for what was typed; the database's part is left out where it is slow."""
        policy = self.intake.admission.policy
        origin, _ = form_draft.recalled(wanted.private_metadata)
        channel = origin.channel or wanted.values.get(WHERE, "")
        try:
            async with asyncio.timeout(FACTS):
                known = await self._known(Audience(wanted.workspace, channel, wanted.user))
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("form.no_repositories", error=str(error))
            known = []
        except Exception:  # the menu can't say it, and does without them
            log.exception("form.no_repositories")
            known = []
        return repositories.offered(known, wanted.typed, policy)

    async def _known(self, audience: Audience) -> list[str]:
        """The repositories that are likely there; none for those who may not use them anyway."""
        admission = self.intake.admission
        if await admission.refusal(audience, None) is not None:
            return []
        likely = await repositories.likely(self.intake.store, audience)
        default = (await self.intake.defaults_at(audience)).repo
        return [*likely, *([default] if default else []), *repositories.named(admission.policy)]

    def read(self, form: FormSubmitted) -> tuple[Request, Invocation] | dict[str, str]:
        """The request in a submitted form, or what is wrong with it: a sentence for each field's block id.

        While the bot ends, the form stays open: what is sent again in a minute reaches the next process.
        """
        if self.intake.queue.draining:
            return {REPO: refusals.draining("")}
        origin, rows = form_draft.recalled(form.private_metadata)
        draft = form_draft.read(form.values, rows)
        asked = form_draft.asked(draft)
        if not isinstance(asked, Invocation):
            # Errors quote what was typed, shortened: so without secrets from the start.
            safe = replace(draft, prompt=self.intake.admission.secrets.redact(draft.prompt))
            told = form_draft.asked(safe)
            return told if isinstance(told, dict) else {PROMPT: labels.FORM_NOT_A_PROMPT}
        repo = asked.options.repo
        if repo is None or not self.intake.admission.policy.opens(repo):
            return {REPO: labels.FORM_REPO_NOT_OPEN.format(repo=repo) if repo else labels.FORM_REPO}
        if not (origin.channel or draft.where):
            return {WHERE: labels.FORM_WHERE}
        audience = Audience(
            workspace=form.workspace,
            channel=origin.channel or draft.where,
            user=form.user,
            thread_ts=origin.thread_ts,
            response_url=form.response_url or origin.response_url,
            is_stranger=form.is_stranger,
        )
        # A request's text is in Slack's notation, while fields hold plain text.
        return Request(audience, claim_key(form), escape(draft.text)), asked
