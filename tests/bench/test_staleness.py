"""The benchmark's own parts: that it measures what it says."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from bot.core.budget import Budget
from bot.errors import SlackLimited
from bot.model import MessageRef, Place
from bot.runs.frames import NoteFrame
from tests.bench import staleness
from tests.bench.bounds import lower_bound
from tests.bench.fakeslack import EDITS, POSTS, FakeSlack, halving, steadily
from tests.bench.metrics import Freshness, Show, freshness
from tests.bench.playing import OURS, Played, play
from tests.bench.policies import NAIVE
from tests.bench.report import table, write_json
from tests.bench.traces import SHAPES, Chunk, Trace, big, markers, mixed, steady, text_of
from tests.support.vtime import virtual_time

SMALL = [steady(3, 7, seconds=30), mixed(3, 7, seconds=40)]


def trace(*times: tuple[float, ...]) -> Trace:
    chunks = (Chunk(at, task, number) for task, ats in enumerate(times) for number, at in enumerate(ats))
    return Trace("by hand", tuple(sorted(chunks, key=lambda chunk: chunk.at)))


def test_traces_are_the_same_for_a_seed_and_different_for_another() -> None:
    for shape in SHAPES.values():
        assert shape(3, 5) == shape(3, 5)
        assert shape(3, 5) != shape(3, 6)
        assert all(list(times) == sorted(times) for times in shape(3, 5).arrivals)


def test_a_chunk_can_be_found_in_what_is_shown() -> None:
    flood = big(2).chunks[-1]
    text = text_of(Chunk(0, 3, 41)) + text_of(Chunk(0, 3, 42)) + text_of(flood)
    assert markers(text) == {3: 42, flood.task: flood.number}
    assert [len(text_of(chunk)) for chunk in (Chunk(0, 3, 41), Chunk(0, 0, 0, 4096))] == [80, 4096]


def test_the_age_is_that_of_the_oldest_byte_which_is_not_shown() -> None:
    printed = trace((0, 1, 4, 10))
    shows = [Show(2, 0, 0), Show(5, 0, 2), Show(10.5, 0, 3)]
    # 0…2: from 0; 2…5: from 1 (the age at 2 is 1, that at 5 is 4); 5…10: nothing is missing
    found = freshness(printed, shows)
    assert found.mean == pytest.approx((2 + 7.5) / 10)
    assert found.p95 == pytest.approx(3.5)
    assert replace(found, mean=0, p95=0) == Freshness(0, 0, final_p95=0.5, final_max=0.5, right=1, tasks=1)


def test_an_end_that_is_overwritten_or_never_shown_is_not_right() -> None:
    printed = trace((0, 1), (0, 2))
    found = freshness(printed, [Show(1, 0, 1), Show(3, 0, 0)])
    assert (found.right, found.final_p95) == (0, None)
    assert found.mean == pytest.approx((0.5 + 2) / 3)


def test_the_bound_is_exact_where_it_is_easy() -> None:
    plenty = Budget(100, 1000)
    assert lower_bound(SMALL[0], plenty, plenty, latency=0.0) == pytest.approx(0, abs=1e-6)
    lone = trace((0, 10))
    assert lower_bound(lone, plenty, plenty, latency=2.0) == pytest.approx((2 * 2 / 2) / 10)


def test_nothing_is_below_the_bound() -> None:
    for printed in SMALL:
        bound = lower_bound(printed, EDITS, POSTS)
        assert bound > 0
        for policy in (OURS, *NAIVE):
            assert play(Played(printed, policy)).tasks.mean > bound


def test_ours_is_fresher_than_the_naive_and_loses_nothing() -> None:
    for printed in SMALL:
        ours = play(Played(printed))
        assert (ours.tasks.right, ours.refused) == (printed.tasks, 0)
        assert all(play(Played(printed, policy)).tasks.mean > ours.tasks.mean for policy in NAIVE)


@pytest.mark.parametrize("printed", [steady(16, 11, seconds=60), mixed(16, 11)])
def test_lines_of_sixteen_tasks_are_at_most_two_and_a_half_seconds_old(printed: Trace) -> None:
    played = play(Played(printed, rollup=True))
    assert played.root is not None
    assert played.root.p95 <= 2.5
    assert (played.refused, played.tasks.right) == (0, 16)


def test_a_trace_takes_the_same_course_each_time() -> None:
    printed = Played(mixed(4, 9, seconds=60), edits=halving(EDITS, 20), rollup=True)
    first, second = play(printed), play(printed)
    assert first == second
    assert first.refused > 0
    assert first.early == 0
    assert first.root is not None
    assert first.root.mean < first.tasks.p95


@virtual_time
async def test_the_fake_slack_refuses_what_exceeds_its_budget() -> None:
    slack = FakeSlack(steadily(Budget(0.5, 2)), steadily(POSTS))
    place, ref = Place("T1", "C1"), MessageRef("C1", "1")
    for _ in range(2):
        await slack.update(place, ref, NoteFrame("a"))
    for _ in range(2):
        with pytest.raises(SlackLimited):
            await slack.update(place, ref, NoteFrame("b"))
    await slack.update(Place("T2", "C1"), ref, NoteFrame("another workspace"))
    await asyncio.sleep(4)
    await slack.update(place, ref, NoteFrame("c"))
    assert [shown.text for shown in slack.shown] == ["a", "a", "another workspace", "c"]
    assert [refusal.early for refusal in slack.refusals] == [False, True]


@pytest.mark.slow
def test_it_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = tmp_path / "found.json"
    staleness.main(["--quick", "--seeds", "1", "--json", str(found)])
    printed = capsys.readouterr().out
    assert "steady 4" in printed
    figures = json.loads(found.read_text())
    assert figures["policies"]["mixed 4"][OURS]["right"] == 4
    assert figures["machine"]["cpus"] >= 1


def test_tables_and_files_take_what_benches_have(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table("Figures", ["what", "how much"], [["a", 1.234], ["b", "none"]])
    assert "1.23" in capsys.readouterr().out
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "x.json", {"mean": float("nan")})
