import pytest

from bot.core.durations import clock, duration, ordinal, plural


@pytest.mark.parametrize(
    ("seconds", "shown", "words"),
    [
        (-3, "0:00", "0 s"),
        (0, "0:00", "0 s"),
        (42.9, "0:42", "42 s"),
        (60, "1:00", "1 min"),
        (201, "3:21", "3 min 21 s"),
        (725, "12:05", "12 min 5 s"),
        (3600, "1:00:00", "1 h"),
        (3723, "1:02:03", "1 h 2 min"),
        (360_000, "100:00:00", "100 h"),
    ],
)
def test_times(seconds: float, shown: str, words: str) -> None:
    assert clock(seconds) == shown
    assert duration(seconds) == words


def test_ordinals() -> None:
    numbers = (1, 2, 3, 4, 10, 11, 12, 13, 20, 21, 22, 23, 101, 111, 112, 113, 121)
    assert " ".join(map(ordinal, numbers)) == (
        "1st 2nd 3rd 4th 10th 11th 12th 13th 20th 21st 22nd 23rd 101st 111th 112th 113th 121st"
    )


def test_counts() -> None:
    assert [plural(count, "line") for count in (0, 1, 2, 12_345)] == [
        "0 lines",
        "1 line",
        "2 lines",
        "12,345 lines",
    ]
