"""The terminal beside pyte: ``python -m tests.bench.terminal [--megabytes 50]``.

Each input is repeated to its size and fed in the slices that the bot feeds:

- what well-known programs printed (``tests/samples``), and logs, plain and coloured;
- floods: the inputs that cost the terminal most for each byte, all of them found by trying every control, with small
  and large numbers, alone and between characters, in every mode.

pyte is slow, so it gets the first part of the same bytes (a megabyte by default), right before ours. It keeps colours,
and no lines that scrolled out; ours keeps those, and no colours. Bytes are those of UTF-8; the time is the process's
own, so that a busy machine changes little. Memory is the highest while half a megabyte is fed, as Python counts it.
"""

import argparse
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyte

from bot.core.terminal import Terminal
from tests.bench import report

SLICE = 16_384  # characters, as the bot takes them
MEGABYTE = 1_000_000
MEMORY_MEGABYTES = 0.5
KIB = 1024
COLUMNS, ROWS = 100, 40
SAMPLES = Path(__file__).parent.parent / "samples"

Feed = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Figures:
    """One input's: megabytes a second (``pyte`` only where it was measured), and the most memory in KiB."""

    kind: str
    name: str
    ours: float
    pyte: float | None
    peak_kib: float

    @property
    def ratio(self) -> float | None:
        """How many times as fast ours is."""
        return self.ours / self.pyte if self.pyte else None


def recorded() -> dict[str, str]:
    """What programs printed, by their names."""
    return {path.stem: path.read_bytes().decode() for path in sorted(SAMPLES.glob("*.raw"))}


def logs() -> dict[str, str]:
    """A server's log, of lines of many lengths, plain and coloured."""
    chosen = random.Random(4)
    plain, coloured = [], []
    for number in range(5000):
        level, colour = chosen.choice([("INFO ", 32), ("DEBUG", 36), ("WARN ", 33), ("ERROR", 31)])
        moment = f"2025-06-01T12:{number // 60 % 60:02}:{number % 60:02}.{chosen.randrange(1000):03}Z"
        words = " ".join(
            chosen.choice(["GET", "/api/items", "200", "in", "cache", "miss", "user=42", "retry"])
            for _ in range(chosen.randrange(3, 12))
        )
        plain.append(f"{moment} {level} worker.{chosen.randrange(8)} {words}\n")
        coloured.append(
            f"\x1b[2m{moment}\x1b[0m \x1b[{colour}m{level}\x1b[0m \x1b[1mworker\x1b[22m {words}\r\n"
        )
    return {"plain log": "".join(plain), "coloured log": "".join(coloured)}


def floods() -> dict[str, str]:
    """Inputs made to be slow, by what they flood with."""
    chosen = random.Random(4)
    number = chosen.randrange
    finals = "@ABCDEFGHIJKLMPSTXZ`abdefhlrsu"

    def mixed(unit: Callable[[], str]) -> str:
        return "".join(unit() for _ in range(20_000))

    return {
        "repeat (REP)": "\x1b[9999b",
        "a character, repeat": "x\x1b[9999b",
        "a character, repeat so often": mixed(lambda: f"x\x1b[{number(10_000)}b"),
        "scroll up (SU)": "\x1b[9999S",
        "scroll up by a screen": "\x1b[40S",
        "a character, scroll down": "x\x1b[9999T",
        "insert characters": "\x1b[@x",
        "insert mode": "\x1b[4habc",
        "insert and delete lines": "\x1b[Lx\x1b[M",
        "erase the screen": "x\x1b[2J",
        "reset": "\x1bcx",
        "alternate screens": "\x1b[?1049hx\x1b[?1049l",
        "a character, backspace": "x\b",
        "a character, tab": "x\t",
        "a character, tab, no autowrap": "\x1b[?7l" + "x\t" * 20_000,
        "a character, reverse index": "x\x8d",
        "marks at the line's start": "\r\u0301",
        "marks and wide characters": mixed(
            lambda: chr(number(0x4E00, 0x9000)) + chr(number(0x300, 0x370)) + chosen.choice("\b\r\n")
        ),
        "controls in a sequence": "\x1b[" + "\n\b\t" * 70 + "A",
        "any controls in sequences": mixed(
            lambda: "\x1b[" + "".join(chosen.choices("\n\b\t\r\a", k=8)) + "A"
        ),
        "strings without an end": "\x1b]8;;" + "x" * MEGABYTE,
        "sequences without an end": "\x1b[" + "1;" * 127,
        "long numbers": ("\x1b[" + "1" * 120 + ";" + "2" * 120 + "A") * 2 + "x",
        "any place": mixed(lambda: f"\x1b[{number(1, 41)};{number(1, 101)}Hx"),
        "any number with a colon": mixed(lambda: f"x\x1b[{number(100)}:{number(100)}{chosen.choice(finals)}"),
        "any sequence": mixed(lambda: f"x\x1b[{number(10_000)}{chosen.choice(finals)}"),
        "any control": mixed(lambda: chosen.choice("xyz\b\t\n\r\v")),
        "any bytes": bytes(number(256) for _ in range(200_000)).decode(errors="replace"),
        "any characters": mixed(lambda: chr(number(0x20, 0xD800))),
    }


def slices(unit: str, megabytes: float) -> Iterator[tuple[str, int]]:
    """``unit`` over and over, in slices and with their bytes, until there are so many megabytes."""
    text = unit * (SLICE * 16 // len(unit) + 1)
    pieces = [text[start : start + SLICE] for start in range(0, len(text), SLICE)]
    sizes = [len(piece.encode(errors="replace")) for piece in pieces]
    left = megabytes * MEGABYTE
    while True:
        for piece, size in zip(pieces, sizes, strict=True):
            if left <= 0:
                return
            left -= size
            yield piece, size


def speed(feed: Feed, unit: str, megabytes: float) -> float:
    """Megabytes a second."""
    total = 0
    start = time.process_time()
    for piece, size in slices(unit, megabytes):
        feed(piece)
        total += size
    return total / MEGABYTE / (time.process_time() - start)


def our_speed(unit: str, megabytes: float) -> float:
    """Ours, with a look at the end, so that nothing is left undone."""
    terminal = Terminal(COLUMNS, ROWS)
    found = speed(terminal.feed, unit, megabytes)
    terminal.last_line()
    return found


def pyte_speed(unit: str, megabytes: float) -> float:
    """pyte's."""
    return speed(pyte.Stream(pyte.Screen(COLUMNS, ROWS)).feed, unit, megabytes)


def peak(unit: str) -> float:
    """The most memory, in KiB, that a terminal takes while it is fed."""
    pieces = list(slices(unit, MEMORY_MEGABYTES))
    tracemalloc.start()
    terminal = Terminal(COLUMNS, ROWS)
    for piece, _ in pieces:
        terminal.feed(piece)
    terminal.last_line()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / KIB


def measure(megabytes: float, flood_megabytes: float, pyte_megabytes: float) -> list[Figures]:
    """All inputs, one after the other."""
    found = [
        Figures(kind, name, our_speed(unit, megabytes), pyte_speed(unit, pyte_megabytes), peak(unit))
        for kind, inputs in (("recorded", recorded()), ("log", logs()))
        for name, unit in inputs.items()
    ]
    return found + [
        Figures("flood", name, our_speed(unit, flood_megabytes), None, peak(unit))
        for name, unit in floods().items()
    ]


def draw(path: Path, found: list[Figures]) -> None:
    """Megabytes a second: beside pyte on the left, the floods on the right."""
    usual = [one for one in found if one.pyte]
    worst = [one for one in found if not one.pyte]
    with report.figure(path, panels=2, size=(10, 4.5)) as (left, right):
        places = range(len(usual))
        left.barh(places, [one.ours for one in usual], 0.4, color=report.PALETTE[0], label="ours")
        below = [place + 0.4 for place in places]
        left.barh(below, [one.pyte or 0 for one in usual], 0.4, color=report.PALETTE[1], label="pyte")
        left.set_yticks([place + 0.2 for place in places], [one.name for one in usual])
        left.set(title="what programs print, MB/s", xscale="log")
        left.legend()
        right.barh([one.name for one in worst], [one.ours for one in worst], color=report.PALETTE[0])
        right.set(title="floods, MB/s", xscale="log")
        left.invert_yaxis()
        right.invert_yaxis()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=float, default=50, help="of each recording and log (default: 50)")
    parser.add_argument("--floods", type=float, default=10, help="megabytes of each flood (default: 10)")
    parser.add_argument("--pyte", type=float, default=1, help="megabytes for pyte (default: 1)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--png", type=Path, help="draw them into this file")
    arguments = parser.parse_args()
    found = measure(arguments.megabytes, arguments.floods, arguments.pyte)
    report.table(
        f"terminal, {COLUMNS} by {ROWS}, in slices of {SLICE} characters",
        ["input", "MB/s", "pyte MB/s", "times as fast", "peak KiB"],
        [
            (one.name, one.ours, report.number(one.pyte), report.number(one.ratio, 1), round(one.peak_kib))
            for one in found
        ],
    )
    if arguments.json:
        sizes = {
            "megabytes": arguments.megabytes,
            "flood_megabytes": arguments.floods,
            "pyte_megabytes": arguments.pyte,
        }
        figures = [{**asdict(one), "ratio": one.ratio} for one in found]
        report.write_json(arguments.json, {**sizes, "slice_chars": SLICE, "inputs": figures})
    if arguments.png:
        draw(arguments.png, found)


if __name__ == "__main__":
    main()
