from hypothesis import given
from hypothesis import strategies as st

from bot.core.pace import Pace


def opened(at: float = 0.0, most: int = 9) -> Pace[str]:
    """A pace of ten seconds, of which ``a`` was just shown."""
    pace: Pace[str] = Pace(10, most)
    pace.hurry("a", at)
    assert pace.due(at) == ["a"]
    pace.shown("a")
    return pace


def test_what_nobody_watches_is_never_shown() -> None:
    pace: Pace[str] = Pace(10, 9)
    pace.changed("a", 0)
    pace.later("a", 1)
    assert pace.next_time() is None
    assert pace.due(100) == []


def test_the_first_change_is_shown_at_once_and_later_ones_together() -> None:
    pace = opened()
    pace.changed("a", 5)
    assert pace.next_time() == 5
    assert pace.due(5) == ["a"]
    pace.shown("a")
    pace.changed("a", 6)
    pace.changed("a", 9)
    assert pace.next_time() == 15
    assert pace.due(14.9) == []
    assert pace.due(15) == ["a"]
    pace.shown("a")
    assert pace.next_time() is None


def test_what_someone_does_themselves_and_its_effect_wait_for_no_pause() -> None:
    pace = opened()
    pace.changed("a", 5)
    assert pace.due(5) == ["a"]
    pace.shown("a")
    pace.hurry("a", 6)
    assert pace.due(6) == ["a"]
    pace.shown("a")
    pace.changed("a", 7)
    assert pace.due(7) == ["a"]
    pace.shown("a")
    pace.changed("a", 8)
    assert pace.next_time() == 17


def test_nothing_is_shown_twice_at_the_same_time() -> None:
    pace = opened()
    pace.changed("a", 1)
    assert pace.due(1) == ["a"]
    pace.hurry("a", 2)
    assert pace.next_time() is None
    assert pace.due(3) == []
    pace.shown("a")
    assert pace.next_time() == 2
    assert pace.due(3) == ["a"]


def test_what_could_not_be_shown_is_tried_again() -> None:
    pace = opened()
    pace.changed("a", 1)
    assert pace.due(1) == ["a"]
    pace.later("a", 31)
    pace.shown("a")
    pace.changed("a", 2)
    assert pace.next_time() == 31
    pace.forget("a")
    pace.later("a", 40)
    assert pace.next_time() is None


def test_only_the_newest_are_watched() -> None:
    pace = opened(most=2)
    pace.hurry("b", 1)
    pace.hurry("c", 2)
    pace.changed("a", 3)
    assert pace.due(3) == ["b", "c"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4)), max_size=60))
def test_changes_are_never_shown_more_often_than_every_ten_seconds_and_none_is_lost(
    changes: list[tuple[str, int]],
) -> None:
    pace = opened()
    pace.hurry("b", 0)
    assert pace.due(0) == ["b"]
    pace.shown("b")
    now = 0
    shown = {"a": [-10], "b": [-10]}
    changed: dict[str, int] = {}
    for key, wait in [*changes, ("", 10), ("", 10)]:
        until = now + wait
        for now in range(now, until + 1):  # noqa: B020  a clock that goes on
            for due in pace.due(now):
                assert now - shown[due][-1] >= 10
                shown[due].append(now)
                pace.shown(due)
        if key:
            pace.changed(key, now)
            changed[key] = now
    assert pace.next_time() is None
    assert all(shown[key][-1] >= at for key, at in changed.items())
