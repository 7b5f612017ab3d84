"""The picture of the staleness benchmark: mean ages by the number of tasks, and what a roll-up gives and takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.playing import OURS
from tests.bench.policies import NAIVE
from tests.bench.report import INK, PALETTE, figure

__all__ = ["draw"]

AGES = (0, 0.5, 1, 2, 5, 10, 20, 50)


def draw(path: Path, policies: dict[str, Any], rollups: dict[str, Any]) -> None:
    """Mean ages by the number of tasks, and the roll-up's trade."""
    shapes = [shape for shape in ("steady", "mixed") if any(name.startswith(shape) for name in policies)]
    with figure(path, panels=len(shapes) + 1, size=(10, 3.4)) as panels:
        for panel, shape in zip(panels, shapes, strict=False):
            names = [name for name in policies if name.startswith(shape)]
            for colour, kind in zip((INK, *PALETTE), ("bound", OURS, *NAIVE), strict=False):
                drawn = list(_ages(policies, names, kind))
                style = {"linestyle": ":"} if kind == "bound" else {"marker": "o", "markersize": 3}
                panel.plot(*zip(*drawn, strict=True), color=colour, label=kind, **style)
            panel.set_xscale("log", base=2)
            panel.set_yscale("symlog", linthresh=1)
            panel.set_ylim(bottom=0)
            panel.set_yticks(AGES, [f"{age:g}" for age in AGES])
            panel.minorticks_off()
            panel.set_xticks(
                ticks := sorted({int(name.split()[1]) for name in names}), [str(t) for t in ticks]
            )
            panel.set_title(f"{shape} output")
            panel.set_xlabel("tasks")
        panels[0].set_ylabel("mean age of what isn't shown, s")
        panels[0].legend()
        panel = panels[-1]
        many = [name for name in rollups if name.split()[1] in ("16", "50")] or list(rollups)
        for colour, name in zip(PALETTE, many, strict=False):
            swept = [one for one in rollups[name] if one["root"]]
            line = sorted((one["tasks"]["mean"], one["root"]["p95"]) for one in swept)
            panel.plot(*zip(*line, strict=True), color=colour, label=name, marker="o", markersize=2)
            chosen = next(one for one in swept if one["chosen"])
            panel.plot(chosen["tasks"]["mean"], chosen["root"]["p95"], "s", color=colour, markersize=6)
        panel.set_title("roll-up, by its part (squares: the bot's)")
        panel.set_xlabel("mean age in tasks' messages, s")
        panel.set_ylabel("p95 age of lines in the root, s")
        panel.set_ylim(bottom=0)
        panel.set_xlim(left=0)
        panel.legend(loc="lower center", ncols=3, fontsize=7, handlelength=1, columnspacing=1)


def _ages(policies: dict[str, Any], names: list[str], kind: str) -> Iterator[tuple[int, float]]:
    for name in names:
        age = policies[name].get(kind)
        if age is not None:
            yield int(name.split()[1]), age if kind == "bound" else age["mean"]
