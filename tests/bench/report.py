"""What every benchmark ends with: a table to read, a JSON file to compare, a picture for README."""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["INK", "PALETTE", "figure", "number", "table", "write_json"]

INK = "#7d8590"  # a grey that can be read on white and on GitHub's dark background
PALETTE = ("#2f81f7", "#e8912d", "#3fb27f", "#d9534f", "#a371f7", "#7d8590")  # likewise
_WIDTH = 140  # characters of a table, where the output isn't a terminal
_DPI = 120


def number(value: float | None, digits: int = 2) -> str:
    """A figure for a table; a hyphen where there is none."""
    return "-" if value is None else f"{value:.{digits}f}"


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print figures; the first column is text, the others are numbers."""
    drawn = Table(title=title, title_justify="left", title_style="bold")
    for place, column in enumerate(columns):
        drawn.add_column(column, justify="right" if place else "left", no_wrap=not place)
    for row in rows:
        drawn.add_row(*(number(cell) if isinstance(cell, float) else str(cell) for cell in row))
    console = Console()
    (console if console.is_terminal else Console(width=_WIDTH)).print(drawn)


def write_json(path: Path, figures: Mapping[str, Any]) -> None:
    """Write the figures, and what machine they are from."""
    machine = {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }
    text = json.dumps({"machine": machine, **figures}, indent=2, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


@contextmanager
def figure(path: Path, panels: int = 1, *, size: tuple[float, float] = (8, 4)) -> "Iterator[list[Axes]]":
    """Draw a picture: yields so many panels, side by side, and writes them as a PNG of ``size`` in inches.

    Its background is transparent and its ink grey, so that it can be read on a light page and on a dark one.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  needed by those alone who draw

    drawing = Figure(figsize=size, layout="constrained")
    axes = [drawing.add_subplot(1, panels, place + 1) for place in range(panels)]
    yield axes
    for panel in axes:
        _style(panel)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, dpi=_DPI, transparent=True, metadata={"Software": None})


def _style(panel: "Axes") -> None:
    panel.set_facecolor("none")
    panel.tick_params(colors=INK, which="both", labelsize=8)
    panel.grid(visible=True, color=INK, alpha=0.25, linewidth=0.6)
    panel.set_axisbelow(True)
    for name, spine in panel.spines.items():
        spine.set_color(INK)
        spine.set_visible(name in ("left", "bottom"))
    words = [(panel.title, 10), (panel.xaxis.label, 9), (panel.yaxis.label, 9)]
    legend = panel.get_legend()
    if legend is not None:
        legend.get_frame().set_alpha(0)
        words += [(text, 8) for text in legend.get_texts()]
    for text, points in words:
        text.set_color(INK)
        text.set_fontsize(points)
