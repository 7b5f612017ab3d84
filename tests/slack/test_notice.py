"""Answers to one person: lists with buttons."""

from bot.runs.ports import Notice, NoticeRow
from bot.simulator.slack import flatten
from bot.simulator.slack.blocks import message_problems
from bot.slack.blocks import render_notice
from bot.slack.limits import BLOCKS


def test_rows_follow_the_text_and_carry_their_buttons() -> None:
    rows = (NoticeRow("*Running* · `r-1`", stop="r-1"), NoticeRow("… and 3 more"))
    rendered = render_notice(Notice("One.", rows=rows))
    assert message_problems(rendered.blocks) == []
    assert rendered.text == "One.\n*Running* · `r-1`\n… and 3 more"
    _, first, last = rendered.blocks
    assert first["accessory"]["value"] == "r-1"
    assert "accessory" not in last
    assert "[Stop]" in flatten(rendered.blocks)


def test_a_long_list_of_long_lines_is_within_slacks_limits() -> None:
    rows = tuple(NoticeRow(f"`{'&amp;' * 400}` {number}", stop=f"r-{number}") for number in range(200))
    rendered = render_notice(Notice("Many.", rows=rows))
    assert message_problems(rendered.blocks) == []
    assert len(rendered.blocks) < BLOCKS
    assert len(rendered.text) <= 3_000
    assert sum(len(block["text"]["text"]) for block in rendered.blocks) < 9_000


def test_settings_have_a_button_to_edit_them() -> None:
    rendered = render_notice(Notice("Yours.", edit_settings=True))
    assert message_problems(rendered.blocks) == []
    assert "[Edit]" in flatten(rendered.blocks)
