"""How numbers read: times, places and counts in words."""

_MINUTE = 60
_HOUR = 3600


def clock(seconds: float) -> str:
    """A running time as ``m:ss`` or ``h:mm:ss``: ``0:42``, ``12:05``, ``1:02:03``."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // _HOUR, whole // _MINUTE % _MINUTE, whole % _MINUTE
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """A time that is over, in its two largest units: ``42 s``, ``3 min 21 s``, ``1 h 2 min``."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // _HOUR, whole // _MINUTE % _MINUTE, whole % _MINUTE
    if hours:
        parts = [(hours, "h"), (minutes, "min")]
    elif minutes:
        parts = [(minutes, "min"), (rest, "s")]
    else:
        return f"{rest} s"
    return " ".join(f"{count} {unit}" for count, unit in parts if count)


def ordinal(number: int) -> str:
    """A place in English: ``1st``, ``2nd``, ``3rd``, ``4th``, ``11th``, ``21st``."""
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{({1: 'st', 2: 'nd', 3: 'rd'}).get(number % 10, 'th')}"


def plural(count: int, noun: str) -> str:
    """A count with its noun, thousands grouped: ``1 line``, ``12,345 lines``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
