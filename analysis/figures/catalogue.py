"""All figures, by name; each module is imported when it is asked for, as some bring torch along and some a node."""

from __future__ import annotations

from importlib import import_module

from analysis.figures.figure import Figure

NAMES: tuple[str, ...] = (
    "truth",
    "misreports",
    "tax",
    "accuracy",
    "social-utility",
    "throughput",
    "budget",
    "participation",
    "collusion",
    "punishment",
    "cost",
)
"""In the order of the paper, then ours. A figure's module has its name, with underscores, and a `FIGURE`."""


def figure(name: str) -> Figure:
    """The figure of this name."""
    found: Figure = import_module(f"analysis.figures.{name.replace('-', '_')}").FIGURE
    return found
