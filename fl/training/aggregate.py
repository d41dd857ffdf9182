"""The cloud's aggregation: base stations' updates become one model."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fl.training.config import Rule
from fl.training.edge import Update
from fl.training.errors import DivergedError, TooFewError, TrainingError
from fl.training.rules import combine
from fl.training.state import State, is_finite

log = logging.getLogger(__name__)

_MEAN = Rule()


def aggregate(updates: Iterable[Update], rule: Rule = _MEAN) -> State:
    """The next global model: the updates combined, by default averaged by samples (HierFAVG: CloudAggregation).

    Weights are over those present, and the order of the updates does not matter: they are summed by base
    station. An update with a parameter that is no finite number is left out and reported.

    Raises:
        TooFewError: there are fewer updates than the rule needs.
        DivergedError: no update has finite parameters.
        TrainingError: two updates are of one base station, or they are of different global rounds.
        ModelError: they are of different models.
    """
    ordered = sorted(updates, key=lambda update: update.station)
    if not ordered:
        raise TooFewError("no base station returned an update in this global round")
    if len({update.station for update in ordered}) < len(ordered):
        raise TrainingError("a base station returned two updates in one global round")
    if len({update.epoch for update in ordered}) > 1:
        raise TrainingError("updates of different global rounds cannot be averaged")
    finite = [update for update in ordered if is_finite(update.state)]
    for update in ordered:
        if update not in finite:
            log.warning(
                "global round %d, base station %d: a parameter is no finite number; the update is left out",
                update.epoch,
                update.station,
            )
    if not finite:
        raise DivergedError(f"global round {ordered[0].epoch}: no update has finite parameters")
    return combine(rule, ((update.state, update.samples) for update in finite))
