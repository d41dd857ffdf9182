"""Figures of the passes of one workload: medians with their spread, and ratios within a pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from analysis.benchmarks.training.record import Pass
from analysis.benchmarks.training.trial import Trial

ROUNDS = 3
"""Global rounds of a run unless told otherwise: the first is counted with the start, two are timed."""


@dataclass(frozen=True)
class Spread:
    """A median with the smallest and the largest value."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Of values; None if there is none."""
        return cls(median(values), min(values), max(values)) if values else None


def trials_of(passes: Sequence[Pass], contender: str) -> list[Trial]:
    """All trials of one contender."""
    return [trial for each in passes for trial in each.trials if trial.contender == contender]


def seconds(passes: Sequence[Pass], contender: str) -> Spread | None:
    """Seconds of a global round after the first."""
    return Spread.of([taken for trial in trials_of(passes, contender) for taken in trial.rounds])


def whole(passes: Sequence[Pass], contender: str) -> Spread | None:
    """Seconds from the start of the process to the end of the third global round."""
    return Spread.of([trial.ended[ROUNDS - 1] for trial in trials_of(passes, contender) if len(trial.ended) >= ROUNDS])


def start(passes: Sequence[Pass], contender: str) -> Spread | None:
    """Seconds of the start, as far as the first global round ends later than a later one takes."""
    return Spread.of([trial.start for trial in trials_of(passes, contender)])


def peak(passes: Sequence[Pass], contender: str) -> int | None:
    """The most bytes that all its processes ever held together; None where it was not measured."""
    return max((trial.peak for trial in trials_of(passes, contender)), default=0) or None


def accuracy(passes: Sequence[Pass], contender: str) -> Spread | None:
    """Of the model after the last round."""
    return Spread.of([t.accuracy for t in trials_of(passes, contender) if t.accuracy is not None])


def ratio(
    passes: Sequence[Pass], upper: str, lower: str, of: Callable[[Sequence[Pass], str], Spread | None] = seconds
) -> Spread | None:
    """How many times as much one contender takes as another, worked out within each pass that has both."""
    pairs = ((of([each], upper), of([each], lower)) for each in passes)
    return Spread.of([a.median / b.median for a, b in pairs if a is not None and b is not None])
