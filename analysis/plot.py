"""How drawings look: readable in print and without colour, and the same picture for the same data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib import RcParams, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

WIDTH = 9.0
"""Inches, of a drawing with two panels; 4.6 for one."""

SERIES: tuple[dict[str, Any], ...] = (
    {"color": "#08519c", "linestyle": "-", "marker": "o"},
    {"color": "#d95f0e", "linestyle": "--", "marker": "s"},
    {"color": "#31a354", "linestyle": "-.", "marker": "^"},
    {"color": "#756bb1", "linestyle": ":", "marker": "D"},
    {"color": "#636363", "linestyle": (0, (5, 1, 1, 1, 1, 1)), "marker": "v"},
)
"""Colours of different lightness, each with a line and a marker of its own: they survive greyscale."""

_RC = RcParams(
    {
        # a fixed salt, so that the same data give the same file
        "svg.hashsalt": "hcfl",
        "svg.fonttype": "none",
        # which points of a path another CPU would leave out hangs on how it rounds
        "path.simplify": False,
        "font.size": 9,
        "axes.titlesize": 10,
        "legend.fontsize": 8,
        "lines.linewidth": 1.5,
        "lines.markersize": 4,
    }
)


@contextmanager
def style() -> Iterator[None]:
    """Draw and save within this."""
    with rc_context(_RC):
        yield


def panels(columns: int, height: float = 3.6, rows: int = 1, width: float | None = None) -> tuple[Figure, list[Axes]]:
    """A drawing with panels, row by row."""
    with style():
        figure = Figure(figsize=(width or (WIDTH if columns > 1 else 4.6), height), layout="constrained")
        return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def plain_numbers() -> FuncFormatter:
    """Ticks as plain numbers, of a logarithmic axis too, whatever the last digits of their positions."""
    return FuncFormatter(lambda value, _: f"{value:,g}")


def finish(axes: Axes, title: str, x: str, y: str, legend: bool = True) -> None:
    """Label the axes (with units), and take out what carries nothing."""
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, color="0.85", linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(frameon=False)


def save(figure: Figure, stem: Path) -> Path:
    """Write the drawing as `stem`.svg, without its date."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    path = stem.with_suffix(".svg")
    with style():
        figure.savefig(path, metadata={"Date": None})
    return path
