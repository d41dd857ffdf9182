"""Means over seeds, and how sure they are: Student's t, 95 %."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CONFIDENCE = 0.95
NAME = "95 % interval of the mean (Student t over {count} seeds)"


@dataclass(frozen=True)
class Band:
    """A mean and half the width of its interval, at each point."""

    mean: NDArray[np.float64]
    half: NDArray[np.float64]

    @property
    def low(self) -> NDArray[np.float64]:
        return self.mean - self.half

    @property
    def high(self) -> NDArray[np.float64]:
        return self.mean + self.half


def band(rows: Sequence[Sequence[float]]) -> Band:
    """The band of these rows, one a seed, each with a number a point; pointwise.

    Raises:
        ValueError: there are fewer than two seeds.
    """
    if len(rows) < 2:
        raise ValueError("an interval takes two seeds or more")
    values = np.asarray(rows, dtype=np.float64)
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(rows) - 1)
    return Band(values.mean(axis=0), quantile * values.std(axis=0, ddof=1) / np.sqrt(len(rows)))
