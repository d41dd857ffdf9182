"""The cloud's aggregation: base stations' updates become one model."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fl.training.average import check_alike
from fl.training.averaging.combine import combine_held
from fl.training.averaging.exact_mean import ExactSum, are_finite, highest_of, peaks_of
from fl.training.config import Rule
from fl.training.errors import DivergedError, TooFewError, TrainingError
from fl.training.model.parameters import State
from fl.training.update import Update

log = logging.getLogger(__name__)

_MEAN = Rule()


def aggregate(updates: Iterable[Update], rule: Rule = _MEAN, dropped: int = 0) -> State:
    """The next global model: the updates combined, by default averaged by samples (HierFAVG: CloudAggregation).

    Weights are over those present. The order of the updates does not matter, and the mean is exact (`exact_mean`), so
    that whoever holds the updates finds the same digest. An update with a parameter that is no finite number is left
    out and reported, and counts among the wrong ones that a rule tolerates.

    Args:
        updates: of one global round.
        rule: how they are combined.
        dropped: number of updates that were left out already because they are not finite.

    Raises:
        TooFewError: there are fewer updates than the rule needs.
        DivergedError: no update has finite parameters, or more are left out than the rule tolerates.
        TrainingError: two updates are of one base station, or they are of different global rounds.
        ModelError: they are of different models.
    """
    ordered = in_order(updates)
    peaks = {update.station: peaks_of(update.state) for update in ordered}
    finite = [update for update in ordered if are_finite(peaks[update.station])]
    for update in ordered:
        if update not in finite:
            log.warning(
                "global round %d, base station %d: a parameter is no finite number; the update is left out",
                update.global_round,
                update.station,
            )
    if not finite:
        raise DivergedError(f"global round {ordered[0].global_round}: no update has finite parameters")
    if rule.name != "mean":
        dropped += len(ordered) - len(finite)
        if dropped:
            log.warning(
                "global round %d: %d updates that are left out count against %s", ordered[0].global_round, dropped, rule
            )
        trained = finite[0].model.trained() if rule.name == "multi-krum" else None
        return combine_held(rule, [update.state for update in finite], dropped, trained)
    for update in finite[1:]:
        check_alike(update.state, finite[0].state)
    highest = highest_of(peaks[update.station] for update in finite)
    total = ExactSum(finite[0].state, highest, sum(update.samples for update in finite))
    for update in finite:
        total.add(update.state, update.samples)
    return total.mean()


def in_order(updates: Iterable[Update]) -> list[Update]:
    """The updates of a global round by base station.

    Raises:
        TooFewError: there is none.
        TrainingError: two are of one base station, they are of different global rounds, or one is of no sample.
    """
    ordered = sorted(updates, key=lambda update: update.station)
    if not ordered:
        raise TooFewError("no base station returned an update in this global round")
    if len({update.station for update in ordered}) < len(ordered):
        raise TrainingError("a base station returned two updates in one global round")
    if len({update.global_round for update in ordered}) > 1:
        raise TrainingError("updates of different global rounds cannot be averaged")
    if bad := [update for update in ordered if update.samples < 1]:
        raise TrainingError(f"an average over samples needs at least 1 sample of each model, not {bad[0].samples}")
    return ordered
