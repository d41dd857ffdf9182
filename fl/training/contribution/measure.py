"""The contributions of one global round's base stations, by any of the `methods`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from fl.training.average import average
from fl.training.config import TrainingConfig
from fl.training.contribution.methods import (
    EXACT_STATIONS,
    Contributions,
    exact_shapley,
    leave_one_out,
    measure_margins,
    truncated_shapley,
)
from fl.training.errors import DivergedError
from fl.training.model.evaluation import Evaluation
from fl.training.model.parameters import State
from fl.training.seeds import Stream, derive_seed
from fl.training.update import Update


def measure_contributions(
    config: TrainingConfig,
    global_round: int,
    before: Evaluation,
    updates: Sequence[Update],
    judge: Callable[[State], Evaluation],
) -> Contributions:
    """Measure the contribution of each base station with an update, by the method that the configuration names.

    Args:
        config: of the run.
        global_round: the global round.
        before: the global model that it started from, judged.
        updates: of the base stations present, each with its state.
        judge: judges a model, always on the same samples.
    """
    method = config.contribution
    if method == "none" or not updates:
        return Contributions({}, 0)
    if method == "margin":
        return Contributions(measure_margins(before, updates, judge), len(updates))
    worth = coalition_worth(before, updates, judge)
    players = [update.station for update in updates]
    if method == "leave-one-out":
        return leave_one_out(players, worth)
    if len(players) <= EXACT_STATIONS:
        return exact_shapley(players, worth)
    return truncated_shapley(players, worth, seed=derive_seed(config.seed, Stream.PERMUTATIONS, global_round))


def coalition_worth(
    before: Evaluation, updates: Sequence[Update], judge: Callable[[State], Evaluation]
) -> Callable[[frozenset[int]], Fraction]:
    """What a set of base stations is worth: the accuracy of the average of their updates.

    The average is weighted by samples, whatever rule and momentum the run aggregates by (Song et al. 2019; Wang et
    al. 2020). Nobody is worth the accuracy that the round started from. A model whose loss is not a finite number
    classifies nothing.
    """
    by_station = {update.station: update for update in updates}

    def worth(coalition: frozenset[int]) -> Fraction:
        if not coalition:
            return before.exact_accuracy
        chosen = [by_station[station] for station in sorted(coalition)]
        try:
            return judge(average((update.state, update.samples) for update in chosen)).exact_accuracy
        except DivergedError:
            return Fraction(0)

    return worth
