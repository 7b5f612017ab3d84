"""Frames as Block Kit.

A message that shows a run or a task is one rich text block, which parses nothing of what users wrote and tasks
printed, and, where it has buttons, one actions block. Neither comes nor goes while the message lives, so that
edits move nothing in Slack's window.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.core.durations import clock, duration, plural
from bot.core.run import RunState, TaskState
from bot.core.terminal import Tail
from bot.core.text import (
    clean,
    escape,
    one_line,
    shorten,
    shorten_middle,
    shorten_mrkdwn,
    split_mrkdwn,
)
from bot.model import Link
from bot.runs.frames import AnswerFrame, Frame, NoteFrame, RunFrame, TaskFrame, TaskLine
from bot.runs.ports import Notice, NoticeRow
from bot.slack import limits
from bot.slack.buttons import (
    EDIT_SETTINGS,
    OPEN_FORM,
    STOP_LISTED,
    button,
    controls,
    plain_text,
    rerun_button,
    stop_button,
    task_controls,
)
from bot.slack.text import Element, emoji, plain, rich, text, user
from bot.words import labels

EMOJI = {
    RunState.QUEUED: "hourglass_flowing_sand",
    RunState.RUNNING: "large_blue_circle",
    RunState.DONE: "white_check_mark",
    RunState.FAILED: "x",
    RunState.STOPPED: "octagonal_sign",
    RunState.INTERRUPTED: "warning",
}
_DOT = " · "


@dataclass(frozen=True, slots=True)
class Rendered:
    """What ``chat.postMessage`` and ``chat.update`` take; ``text`` is the notification, in escaped mrkdwn."""

    text: str
    blocks: list[dict[str, Any]]


def render(frame: Frame) -> Rendered:
    """The message that shows this frame, within Slack's limits whatever the frame holds."""
    match frame:
        case RunFrame():
            parts = [
                _section(_run_header(frame)),
                *_quote(_prompt(frame)),
                *_roll_up(frame),
                *_note(frame.note),
            ]
            return Rendered(
                _run_summary(frame), [_rich_text("run", parts), _run_controls(frame, frame.links)]
            )
        case TaskFrame():
            parts = [_section(_task_header(frame)), *_output(frame), *_note(frame.note)]
            return Rendered(
                _task_summary(frame), [_rich_text("task", parts), *_task_controls(frame, frame.links)]
            )
        case AnswerFrame():
            answer = shorten(clean(frame.markdown), limits.MESSAGE - 1).strip() or labels.NO_ANSWER
            return Rendered(
                _answer_summary(frame), [{"type": "markdown", "block_id": "answer", "text": answer}]
            )
        case NoteFrame():
            return Rendered(_fallback(frame.note, limits.SUMMARY), _sections(frame.note))


def bare(frame: Frame) -> Rendered:
    """The least that says how things stand, of the same blocks, for when Slack refused the full message."""
    match frame:
        case RunFrame():
            known = [frame.state.value.capitalize(), frame.run, _elapsed(frame.state, frame.elapsed)]
            parts = [_section(text(_DOT.join(filter(None, known)))), *_bare_note(frame.note)]
            return Rendered(_run_summary(frame), [_rich_text("run", parts), _run_controls(frame, ())])
        case TaskFrame():
            known = [frame.state.value.capitalize(), _plain_name(frame.name), clock(frame.elapsed)]
            parts = [
                _section(text(_DOT.join([*filter(None, known), plural(frame.line_count, "line")]))),
                _section(text(labels.NOT_SHOWN)),
                *_bare_note(frame.note),
            ]
            return Rendered(_task_summary(frame), [_rich_text("task", parts), *_task_controls(frame, ())])
        case AnswerFrame():
            answer = shorten(clean(frame.markdown), limits.MESSAGE - 1).strip() or labels.NO_ANSWER
            return Rendered(_answer_summary(frame), [_rich_text("answer", [_section(text(answer))])])
        case NoteFrame():
            note = shorten(clean(plain(frame.note)), limits.SUMMARY).strip() or labels.NOT_SHOWN
            block = {"type": "section", "block_id": "note:1", "text": plain_text(note)}
            return Rendered(escape(shorten(note, limits.SUMMARY // 5)), [block])


def render_notice(notice: Notice) -> Rendered:
    """An answer to one person alone."""
    blocks = _sections(notice.text)
    if notice.open_form:
        # What a button can't carry whole is better not carried: nobody would notice that its end is missing.
        typed = notice.typed if len(notice.typed) <= limits.VALUE else ""
        opener = button(OPEN_FORM, labels.OPEN_FORM, typed)
        blocks.append({"type": "actions", "block_id": "controls", "elements": [opener]})
    if notice.rerun:
        blocks.append({"type": "actions", "block_id": "rerun", "elements": [rerun_button(notice.rerun)]})
    if notice.edit_settings:
        edit = button(EDIT_SETTINGS, labels.EDIT)
        blocks.append({"type": "actions", "block_id": "settings", "elements": [edit]})
    rows = notice.rows[: limits.ROWS]
    blocks += [_row(number, row) for number, row in enumerate(rows, 1)]
    return Rendered(_fallback("\n".join([notice.text, *(row.text for row in rows)]), limits.SECTION), blocks)


def _row(number: int, row: NoticeRow) -> dict[str, Any]:
    shown = {"type": "mrkdwn", "text": _fallback(row.text, limits.ROW)}
    section = {"type": "section", "block_id": f"row:{number}", "text": shown}
    return section | {"accessory": stop_button(STOP_LISTED, row.stop)} if row.stop else section


# The root message


def _run_header(frame: RunFrame) -> list[Element]:
    options = frame.options
    facts = [
        f"asked in {one_line(options.repo, 80)}" if options.repo else "asked",
        shorten_middle(one_line(options.branch or "", 300), 50),
        options.model.value if options.model else "",
        shorten_middle(one_line(options.directory or "", 300), 50),
        f"attempt {frame.attempt}" if frame.attempt > 1 else "",
        "" if frame.lines and not frame.state.ended else _elapsed(frame.state, frame.elapsed),
    ]
    return [
        *_state(frame.state, frame.position),
        *text(_DOT),
        *_person(frame.requester),
        *text(f" {_DOT.join(filter(None, facts))}{_DOT}"),
        *text(one_line(frame.run, limits.TASK_NAME) or "-", code=True),
    ]


def _elapsed(state: RunState, seconds: int | None) -> str:
    """A run's time: ticking while it lasts, in words once it is over."""
    if seconds is None:
        return ""
    return duration(seconds) if state.ended else clock(seconds)


def _person(requester: str) -> list[Element]:
    if labels.is_user_id(requester):
        return [user(requester)]
    return text(one_line(requester, limits.TASK_NAME) or "someone")


def _prompt(frame: RunFrame) -> str:
    if not frame.tasks:
        lines = clean(frame.prompt).strip().split("\n")
        shown = "\n".join(lines[: limits.PROMPT_LINES])
        more = "\n…" if len(lines) > limits.PROMPT_LINES else ""
        return shorten(f"{shown}{more}", limits.PROMPT)
    shown_tasks = frame.tasks[: limits.TASKS]
    width = min(300, limits.TASK_PROMPTS // len(shown_tasks))
    tasks = [one_line(f"{task.name}: {task.prompt}", width) for task in shown_tasks]
    return "\n".join([*tasks, *_more(len(frame.tasks) - len(shown_tasks))])


def _roll_up(frame: RunFrame) -> list[Element]:
    """One line a task, and under several how many are in which state."""
    if not frame.lines:
        return []
    elements: list[Element] = []
    for index, line in enumerate(frame.lines[: limits.TASKS]):
        elements += [*text("\n" if index else ""), emoji(EMOJI[RunState(line.state)])]
        elements += text(f" {_task_line(line, over=frame.state.ended)}")
    rest = _more(len(frame.lines) - limits.TASKS)
    if len(frame.lines) > 1:
        counts = Counter(line.state for line in frame.lines)
        rest = (*rest, _DOT.join(f"{counts[state]} {state.value}" for state in TaskState if counts[state]))
    return [_section([*elements, *text("".join(f"\n{line}" for line in rest))])]


def _task_line(line: TaskLine, *, over: bool) -> str:
    """``Running · testing · 0:42 · its last line``; once the run is over, only what went wrong has a last line."""
    name = one_line(line.name, limits.TASK_NAME)
    head = _DOT.join(filter(None, (labels.state_word(line.state), name, clock(line.elapsed))))
    room = limits.WIDTH - len("🔵 ") - 1 - len(head) - len(_DOT)  # an emoji is two characters wide
    if room < len("an error …") or (over and line.state in {TaskState.DONE, TaskState.STOPPED}):
        return head
    last = one_line(line.last_line, room)
    return f"{head}{_DOT}{last}" if last else head


def _more(count: int) -> tuple[str, ...]:
    return (f"… {plural(count, 'more task')}",) if count > 0 else ()


# A task's message


def _task_header(frame: TaskFrame) -> list[Element]:
    facts = [one_line(frame.name, limits.TASK_NAME)]
    if frame.state != RunState.QUEUED:
        facts += [clock(frame.elapsed), plural(frame.line_count, "line")]
    return [*_state(frame.state, frame.position), *text("".join(f"{_DOT}{fact}" for fact in facts if fact))]


def _output(frame: TaskFrame) -> list[Element]:
    if frame.state == RunState.QUEUED:
        return []
    lines, hidden = _last_lines(frame.tail)
    if not lines:
        return [_section(text(labels.NO_OUTPUT if frame.state.ended else labels.NO_OUTPUT_YET, italic=True))]
    parts: list[Element] = []
    if hidden:
        parts.append(_section(text(f"… {plural(hidden, 'earlier line')}", italic=True)))
    return [*parts, {"type": "rich_text_preformatted", "elements": text("\n".join(lines))}]


def _last_lines(tail: Tail) -> tuple[list[str], int]:
    """The tail's last lines that fit, and how many lines came before them."""
    lines = clean(tail.text).rstrip().split("\n")
    shown: list[str] = []
    room = limits.TAIL
    for line in reversed(lines[-limits.TAIL_LINES :]):
        room -= len(escape(line)) + 1  # as Slack stores it
        if room < 0 and shown:
            break
        shown.append(line if room >= 0 else shorten_middle(line, limits.TAIL // len("&amp;")))
    shown.reverse()
    return ([], 0) if shown == [""] else (shown, tail.hidden + len(lines) - len(shown))


# What both have


def _state(state: RunState | TaskState, position: int | None) -> list[Element]:
    return [emoji(EMOJI[RunState(state)]), *text(" "), *text(labels.state_word(state, position), bold=True)]


def _note(note: str) -> list[Element]:
    elements = rich(shorten_mrkdwn(clean(note).strip(), limits.NOTE))
    return [_section(elements)] if elements else []


def _bare_note(note: str) -> list[Element]:
    elements = text(shorten(plain(note).strip(), limits.NOTE))
    return [_section(elements)] if elements else []


def _run_controls(frame: RunFrame, links: Iterable[Link]) -> dict[str, Any]:
    several = max(len(frame.tasks), len(frame.lines)) > 1
    return controls(
        frame.run,
        links,
        over=frame.state.ended,
        retry_failed=several and frame.failed_tasks > 0,
        waiting_reply=_waiting_reply(frame),
    )


def _task_controls(frame: TaskFrame, links: Iterable[Link]) -> list[dict[str, Any]]:
    if frame.controls:
        waiting = _waiting_reply(frame)
        over = frame.state.ended
        return [controls(frame.run, links, over=over, retry_failed=False, waiting_reply=waiting)]
    return [task_controls(frame.run, frame.task)] if frame.task is not None else []


def _waiting_reply(frame: RunFrame | TaskFrame) -> bool:
    return frame.reply and frame.state == RunState.QUEUED


# Notifications


def _run_summary(frame: RunFrame) -> str:
    asked = frame.prompt if not frame.tasks else ", ".join(task.name for task in frame.tasks[: limits.TASKS])
    where = f" in {escape(one_line(frame.options.repo, 80))}" if frame.options.repo else ""
    head = f"{labels.state_word(frame.state, frame.position)}{_DOT}{labels.mention(frame.requester)}{where}"
    return shorten_mrkdwn(f"{head}: {escape(one_line(asked, 100))}", limits.SUMMARY)


def _task_summary(frame: TaskFrame) -> str:
    facts = [labels.state_word(frame.state, frame.position), escape(one_line(frame.name, limits.TASK_NAME))]
    return _DOT.join(filter(None, facts))


def _answer_summary(frame: AnswerFrame) -> str:
    return shorten_mrkdwn(escape(one_line(frame.markdown, 150)), limits.SUMMARY) or labels.NO_ANSWER


def _fallback(mrkdwn: str, limit: int) -> str:
    return shorten_mrkdwn(clean(mrkdwn), limit).strip() or labels.NOT_SHOWN


# Block Kit's pieces


def _rich_text(block_id: str, parts: list[Element]) -> dict[str, Any]:
    return {"type": "rich_text", "block_id": block_id, "elements": parts}


def _section(elements: list[Element]) -> Element:
    return {"type": "rich_text_section", "elements": elements}


def _quote(quoted: str) -> list[Element]:
    return [{"type": "rich_text_quote", "elements": text(quoted)}] if quoted.strip() else []


def _sections(mrkdwn: str) -> list[dict[str, Any]]:
    pieces = split_mrkdwn(shorten_mrkdwn(clean(mrkdwn), limits.NOTICE), limits.SECTION) or [labels.NOT_SHOWN]
    return [
        {"type": "section", "block_id": f"note:{number}", "text": {"type": "mrkdwn", "text": piece}}
        for number, piece in enumerate(pieces, start=1)
    ]


def _plain_name(name: str) -> str:
    return "".join(letter for letter in name if letter.isascii() and (letter.isalnum() or letter in "._-"))[
        :40
    ]
