"""A person's own settings: the form, what comes back from it, and where they are told of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from bot.clock import Clock
from bot.core import options
from bot.errors import SlackError, StoreUnavailable
from bot.model import Audience, Model, Options
from bot.runs.admission import Admission
from bot.runs.ports import Notice
from bot.runs.supervisor import Supervisor
from bot.slack.buttons import plain_text
from bot.slack.deliveries import FormSubmitted
from bot.slack.home import HomeTabs
from bot.slack.messenger import SlackMessenger
from bot.store.records import UserSettings
from bot.store.store import Store
from bot.words import labels, refusals, replies

log = structlog.get_logger("bot.form")

CALLBACK = "settings"
REPO, BRANCH, MODEL, NOTIFY = "repo", "branch", "model", "notify"
ANY_MODEL = "default"
LONGEST = 244  # characters of a branch's name, which is the longer of the two

View = dict[str, Any]


@dataclass(slots=True)
class SettingsForm:
    """Opens the form and stores what is submitted; who opened it at home, without a channel, is told there."""

    messenger: SlackMessenger
    store: Store
    home: HomeTabs
    admission: Admission
    supervisor: Supervisor
    clock: Clock

    def open(self, audience: Audience, trigger_id: str) -> None:
        """Open it for whoever asked, within the three seconds for which Slack's trigger is valid."""
        self.supervisor.start("settings", self._open(audience, trigger_id))

    async def _open(self, audience: Audience, trigger_id: str) -> None:
        try:
            mine = await self.store.users.settings(audience.workspace, audience.user)
            await self.messenger.open_view(trigger_id, view(mine, audience))
        except (SlackError, StoreUnavailable) as error:
            log.warning("settings.not_opened", error=str(error))
            await self._tell(audience, replies.settings_unavailable())
        except Exception:
            log.exception("settings.not_opened")
            await self._tell(audience, refusals.unexpected(""))

    def read(self, values: Mapping[str, str]) -> UserSettings | dict[str, str]:
        """What was filled in, or what is wrong with it, also by what operators allow: a sentence for each block id."""
        settings = read(values)
        repo = settings.options.repo if isinstance(settings, UserSettings) else None
        if repo is not None and not self.admission.policy.opens(repo):
            return {REPO: labels.FORM_REPO_NOT_OPEN.format(repo=repo)}
        return settings

    def save(self, audience: Audience, settings: UserSettings) -> None:
        """Store the settings and say so; an acknowledgement doesn't wait for it."""
        self.supervisor.start("settings", self._save(audience, settings))

    async def _save(self, audience: Audience, settings: UserSettings) -> None:
        now = self.clock.wall()
        try:
            await self.store.users.save(audience.workspace, audience.user, settings, now)
        except StoreUnavailable as error:
            log.warning("settings.not_saved", error=str(error))
            await self._tell(audience, replies.settings_not_saved())
            return
        except Exception:
            log.exception("settings.not_saved")
            await self._tell(audience, refusals.unexpected(""))
            return
        self.home.changed(audience.workspace, audience.user)
        await self._tell(audience, replies.settings_saved())

    async def _tell(self, audience: Audience, text: str) -> None:
        if audience.channel:
            await self.admission.tell(audience, Notice(text))
        else:
            self.home.say(audience.workspace, audience.user, text)


def view(settings: UserSettings, audience: Audience) -> View:
    """The modal with what is set; it remembers where it was opened."""
    mine = settings.options
    where = {
        "channel": audience.channel,
        "thread_ts": audience.thread_ts,
        "response_url": audience.response_url,
    }
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": plain_text(labels.SETTINGS_TITLE),
        "submit": plain_text(labels.SETTINGS_SAVE),
        "close": plain_text(labels.SETTINGS_CANCEL),
        "private_metadata": json.dumps(where),
        "blocks": [
            _input(REPO, labels.SETTINGS_REPO, _text(REPO, mine.repo, "owner/name")),
            _input(BRANCH, labels.SETTINGS_BRANCH, _text(BRANCH, mine.branch, "main"))
            | {"hint": plain_text(labels.SETTINGS_BRANCH_ALONE)},
            _input(MODEL, labels.SETTINGS_MODEL, _model(mine.model)),
            _input(NOTIFY, labels.SETTINGS_NOTIFY, _notify(on=settings.notify)),
        ],
    }


def read(values: Mapping[str, str]) -> UserSettings | dict[str, str]:
    """What was filled in, or what is wrong with it: a sentence for each field's block id."""
    errors: dict[str, str] = {}
    typed_repo, typed_branch = values.get(REPO, "").strip(), values.get(BRANCH, "").strip()
    repo, branch = options.as_repository(typed_repo), options.as_branch(typed_branch)
    if typed_repo and repo is None:
        errors[REPO] = labels.FORM_REPO
    if typed_branch and branch is None:
        errors[BRANCH] = labels.FORM_BRANCH
    if errors:
        return errors
    chosen = Options(repo, branch, options.as_model(values.get(MODEL, "")))
    return UserSettings(chosen, notify=bool(values.get(NOTIFY)))


def audience_of(form: FormSubmitted) -> Audience:
    """Whoever submitted the form, where they opened it; without a channel where that was their home tab."""
    try:
        where = json.loads(form.private_metadata)
    except ValueError:
        where = None
    known = where if isinstance(where, dict) else {}
    return Audience(
        form.workspace,
        str(known.get("channel") or ""),
        form.user,
        known.get("thread_ts"),
        known.get("response_url"),
        form.is_stranger,
    )


def _model(chosen: Model | None) -> View:
    """Slack's menus can't be emptied again, so that no choice is an entry too."""
    names = {ANY_MODEL: labels.SETTINGS_ANY_MODEL} | {
        model.value: model.value.capitalize() for model in Model
    }
    entries = {value: _option(value, label) for value, label in names.items()}
    return {
        "type": "static_select",
        "action_id": MODEL,
        "options": list(entries.values()),
        "initial_option": entries[chosen or ANY_MODEL],
    }


def _notify(*, on: bool) -> View:
    mention = _option(NOTIFY, labels.SETTINGS_MENTION)
    element: View = {"type": "checkboxes", "action_id": NOTIFY, "options": [mention]}
    return element | ({"initial_options": [mention]} if on else {})


def _option(value: str, label: str) -> View:
    return {"text": plain_text(label), "value": value}


def _text(action: str, initial: str | None, placeholder: str) -> View:
    element: View = {
        "type": "plain_text_input",
        "action_id": action,
        "placeholder": plain_text(placeholder),
        "max_length": LONGEST,
    }
    return element | ({"initial_value": initial} if initial else {})


def _input(block: str, label: str, element: View) -> View:
    return {
        "type": "input",
        "block_id": block,
        "label": plain_text(label),
        "element": element,
        "optional": True,
    }
