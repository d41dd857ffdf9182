"""What the engine is to reach, and whether it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from analysis.benchmarks.training import measures
from analysis.benchmarks.training.measures import Spread
from analysis.benchmarks.training.record import Measured

Figure: TypeAlias = "Callable[[Measured], float | None]"


@dataclass(frozen=True)
class Target:
    """A bound on a figure of one workload.

    Attributes:
        device: on which it is to be reached.
        workload: its name.
        text: for people, with the bound.
        figure: what is bounded; None where it was not measured.
        bound: the value to reach.
        at_most: whether the figure is to stay below the bound rather than to reach it.
        unit: of the figure, for people.
    """

    device: str
    workload: str
    text: str
    figure: Figure
    bound: float
    at_most: bool = False
    unit: str = "×"

    def reached(self, figure: float) -> bool:
        """Whether a figure is within the bound."""
        return figure <= self.bound if self.at_most else figure >= self.bound


def _ratio(
    upper: str, lower: str, of: Callable[..., Spread | None] = measures.seconds
) -> Callable[[Measured], float | None]:
    def figure(measured: Measured) -> float | None:
        found = measures.ratio(measured.passes, upper, lower, of)
        return None if found is None else found.median

    return figure


def _gigabytes(contender: str) -> Figure:
    def figure(measured: Measured) -> float | None:
        found = measures.peak(measured.passes, contender)
        return None if found is None else found / 1e9

    return figure


TARGETS = (
    Target("cpu", "10x1", "at least 1.4 × as fast as the plain loop", _ratio("plain", "ours"), 1.4),
    Target("cpu", "10x1", "at least 1.5 × as fast as Flower's defaults", _ratio("flower", "ours"), 1.5),
    Target("cpu", "10x1", "bf16 at least 2.4 × as fast as the plain loop", _ratio("plain", "ours-bf16"), 2.4),
    Target(
        "cpu",
        "10x1",
        "three rounds with the start in half of Flower's time",
        _ratio("ours", "flower", measures.whole),
        0.5,
        at_most=True,
    ),
    Target("cpu", "10x1", "peak memory below 1.9 GB", _gigabytes("ours"), 1.9, at_most=True, unit="GB"),
    Target("cpu", "10x1", "at most 1.6 × slower with one core busy", _ratio("ours-busy", "ours"), 1.6, at_most=True),
    Target(
        "cpu",
        "10x100",
        "1,000 base stations × 1 client at most 1.5 × slower",
        _ratio("ours-1000x1", "ours"),
        1.5,
        at_most=True,
    ),
    Target("cuda", "10x10", "bf16 at least 5 × as fast as Flower's defaults", _ratio("flower", "ours-bf16"), 5.0),
    Target("cuda", "10x10", "bf16 at least 5 × as fast as pfl-research", _ratio("pfl", "ours-bf16"), 5.0),
    # in TF32, as the plain loop computes convolutions unless told
    Target("cuda", "resnet50", "TF32 at least 2 × as fast as the plain loop", _ratio("plain", "ours-tf32"), 2.0),
)


def figures(measured: Mapping[str, Measured], device: str) -> list[tuple[Target, float | None]]:
    """The device's targets, each with its figure where it was measured."""
    return [
        (target, target.figure(measured[target.workload]) if target.workload in measured else None)
        for target in TARGETS
        if target.device == device
    ]
