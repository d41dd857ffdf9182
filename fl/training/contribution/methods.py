"""What each base station contributed to a global round, measured on the test samples of the target labels.

Four ways, for n base stations with an update (evaluations of a model on the test samples are what each costs):

| method | a base station's contribution | evaluations per global round |
|---|---|---|
| `margin` | accuracy of its local model less that of the global model it started from | n |
| `leave-one-out` | accuracy of the average less that of the average without it | n + 1 (1 for n = 1) |
| `shapley`, n ≤ 10 | its Shapley value: mean gain in accuracy over all orders of joining | 2ⁿ − 1 |
| `shapley`, n > 10 | the same over random orders, each cut short near the full accuracy | ≤ 1 + P·(n − 1), P = 3n |

The margin is the paper's ("the margin accuracy of the local model", section IV-C). It judges each base station alone,
so where their data differ it misprices those that know few labels well; leave-one-out is blind to what two base
stations both bring. The Shapley value is neither, adds up to the round's gain in accuracy, and costs most.

Whoever holds the artefacts can measure any of them again. Contributions are fractions: nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fl.training.errors import DivergedError, TrainingError

if TYPE_CHECKING:
    from fl.training.model.evaluation import Evaluation
    from fl.training.model.parameters import State
    from fl.training.update import Update

EXACT_STATIONS = 10
"""Up to so many base stations the Shapley value is exact."""

Worth: TypeAlias = Callable[[frozenset[int]], Fraction]
"""What a set of base stations is worth; of no base station, what there is without any."""


@dataclass(frozen=True)
class Contributions:
    """Contributions and what they cost to measure.

    Attributes:
        values: by base station.
        evaluations: models that were evaluated.
    """

    values: Mapping[int, Fraction]
    evaluations: int


def measure_margins(
    start: Evaluation, updates: Iterable[Update], judge: Callable[[State], Evaluation]
) -> dict[int, Fraction]:
    """Margin in accuracy of each base station in one global round, by its index; −1 … 1.

    A local model whose loss is not a finite number classifies nothing.

    Args:
        start: the global model at the start of the round, judged.
        updates: of the base stations present.
        judge: accuracy on the same test samples; called once for each update, which is all that measuring costs.
    """
    margins = {}
    for update in updates:
        try:
            accuracy = judge(update.state).exact_accuracy
        except DivergedError:
            accuracy = Fraction(0)
        margins[update.station] = accuracy - start.exact_accuracy
    return margins


def count_evaluations(method: str, stations: int) -> int:
    """The most models that measuring the contributions of so many base stations takes to evaluate, as tabled above."""
    if method == "none" or not stations:
        return 0
    if method == "margin":
        return stations
    if method == "leave-one-out":
        return stations + 1 if stations > 1 else 1
    if stations <= EXACT_STATIONS:
        return (1 << stations) - 1
    return 1 + _ORDERS * stations * (stations - 1)


_ORDERS = 3
"""Random orders for each base station."""


class _Counted:
    """Asks for each coalition's worth once, and counts; that of nobody is known from the round before."""

    def __init__(self, worth: Worth):
        self._worth = worth
        self._known: dict[frozenset[int], Fraction] = {}
        self.evaluations = 0

    def __call__(self, coalition: frozenset[int]) -> Fraction:
        if coalition not in self._known:
            self._known[coalition] = self._worth(coalition)
            self.evaluations += bool(coalition)
        return self._known[coalition]


def leave_one_out(stations: Sequence[int], worth: Worth) -> Contributions:
    """What all are worth less what all but one are worth, for each base station."""
    counted, everyone = _Counted(worth), frozenset(stations)
    values = {station: counted(everyone) - counted(everyone - {station}) for station in stations}
    return Contributions(values, counted.evaluations)


def exact_shapley(stations: Sequence[int], worth: Worth) -> Contributions:
    """`φᵢ = Σ_S |S|! (n − |S| − 1)! / n! · (v(S ∪ i) − v(S))` over all S without i (Shapley 1953).

    Raises:
        TrainingError: there are more than `EXACT_STATIONS`, whose subsets are too many.
    """
    count = len(stations)
    if count > EXACT_STATIONS:
        raise TrainingError(f"the exact Shapley value is for {EXACT_STATIONS} base stations at most, not {count}")
    counted = _Counted(worth)
    values = {station: Fraction(0) for station in stations}
    for station in stations:
        others = [other for other in stations if other != station]
        for size in range(count):
            joined = [frozenset(chosen) for chosen in combinations(others, size)]
            gain = sum((counted(some | {station}) - counted(some) for some in joined), Fraction(0))
            values[station] += gain * Fraction(factorial(size) * factorial(count - size - 1), factorial(count))
    return Contributions(values, counted.evaluations)


def truncated_shapley(
    stations: Sequence[int],
    worth: Worth,
    *,
    permutations: int | None = None,
    tolerance: Fraction = Fraction(1, 200),
    seed: int = 0,
) -> Contributions:
    """The Shapley value's mean over random orders, truncated (TMC-Shapley, Ghorbani and Zou 2019, Algorithm 1).

    Along an order, once what has joined is worth everybody's worth within the tolerance, the rest count as 0.

    Args:
        stations: the base stations.
        worth: of a set of them.
        permutations: P, number of orders; None: three times the number of base stations.
        tolerance: in accuracy; 0 truncates only where nothing is left to gain.
        seed: of the orders.
    """
    random, counted = np.random.default_rng(seed), _Counted(worth)
    orders = _ORDERS * len(stations) if permutations is None else permutations
    full = counted(frozenset(stations))
    values = {station: Fraction(0) for station in stations}
    for _ in range(orders):
        joined: frozenset[int] = frozenset()
        for place in random.permutation(len(stations)):
            before = counted(joined)
            if abs(full - before) <= tolerance:
                break
            joined |= {stations[place]}
            values[stations[place]] += (counted(joined) - before) / orders
    return Contributions(values, counted.evaluations)
