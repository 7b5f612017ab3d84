"""The home tab as a view: what one person has running, what they had, and what they have set."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.core.durations import clock, duration
from bot.core.text import clean, code, inert, shorten_mrkdwn
from bot.slack import limits
from bot.slack.blocks import EMOJI
from bot.slack.buttons import EDIT_SETTINGS, STOP_AT_HOME, button, plain_text, stop_button
from bot.store.records import UserSettings
from bot.words import labels, replies
from bot.words.replies import RunSummary

ACTIVE = 20  # of a person's running and queued runs
PAST = 10

NOTHING_SET = UserSettings()

View = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HomePage:
    """What it shows. ``active`` and ``past`` are the person's runs, ``unlisted`` how many active ones are left out.

    ``running`` and ``waiting`` count the workspace's; ``now`` is Unix time; ``note`` answers what they just did.
    """

    now: float
    active: tuple[RunSummary, ...] = ()
    unlisted: int = 0
    past: tuple[RunSummary, ...] = ()
    settings: UserSettings = NOTHING_SET
    default_repo: str | None = None
    running: int = 0
    waiting: int = 0
    note: str = ""


def render_home(page: HomePage) -> View:
    """The view, within Slack's limits whatever the page holds."""
    begun = bool(page.active or page.past)
    blocks = [
        *([_section("note", page.note)] if page.note else []),
        _header("running", labels.HOME_RUNNING),
        *_active(page),
        _context("load", f"{replies.load(page.running, page.waiting)} {moment(page.now)}"),
        *([_header("last", labels.HOME_LAST)] if page.past else []),
        *(_section(f"past:{number}", _past(run)) for number, run in enumerate(page.past[:PAST], 1)),
        _header("defaults", labels.HOME_DEFAULTS),
        _settings(page) | {"accessory": button(EDIT_SETTINGS, labels.EDIT)},
        *([] if begun else _begin(page)),
    ]
    return {"type": "home", "blocks": blocks}


def unavailable(note: str) -> View:
    """What stands there while nothing can be read."""
    return {"type": "home", "blocks": [_section("note", note)]}


def moment(at: float) -> str:
    """A time in mrkdwn, which Slack shows each reader in their own zone; ``at`` is Unix time."""
    known = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{known}>"


def _active(page: HomePage) -> list[View]:
    if not page.active:
        return [_section("idle", replies.home_idle())]
    rows = [
        _section(f"run:{number}", _line(run, clock(run.elapsed) if run.elapsed is not None else ""))
        | {"accessory": stop_button(STOP_AT_HOME, run.run)}
        for number, run in enumerate(page.active[:ACTIVE], 1)
    ]
    more = page.unlisted + max(0, len(page.active) - ACTIVE)
    return [*rows, _context("more", replies.more_runs(more))] if more else rows


def _past(run: RunSummary) -> str:
    return _line(
        run,
        duration(run.elapsed) if run.elapsed is not None else "",
        moment(run.ended_at) if run.ended_at is not None else "",
    )


def _line(run: RunSummary, *times: str) -> str:
    parts = [
        f":{EMOJI[run.state]}: *{labels.state_word(run.state, run.position)}*",
        inert(run.repo or "", 80),
        code(run.prompt, 60) if clean(run.prompt).strip() else "",
        *times,
        f"<{inert(run.link, limits.URL)}|Open>" if run.link else "",
    ]
    return " · ".join(part for part in parts if part)


def _settings(page: HomePage) -> View:
    mine = page.settings.options
    said = replies.settings(mine.repo, mine.branch, mine.model, page.default_repo, page.settings.notify)
    return _section("settings", said)


def _begin(page: HomePage) -> list[View]:
    repo = page.settings.options.repo or page.default_repo
    return [_header("begin", labels.HOME_BEGIN), _section("begin:lines", replies.how_to_begin(repo))]


def _section(block_id: str, mrkdwn: str) -> View:
    shown = shorten_mrkdwn(clean(mrkdwn), limits.SECTION)
    return {"type": "section", "block_id": block_id, "text": {"type": "mrkdwn", "text": shown}}


def _context(block_id: str, mrkdwn: str) -> View:
    return {"type": "context", "block_id": block_id, "elements": [{"type": "mrkdwn", "text": mrkdwn}]}


def _header(block_id: str, title: str) -> View:
    return {"type": "header", "block_id": block_id, "text": plain_text(title)}
