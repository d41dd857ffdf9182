"""Global rounds: base stations train, their updates become the next global model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from fl.training.average import average
from fl.training.contribution import measure_margins
from fl.training.edge import Update
from fl.training.errors import TrainingError
from fl.training.evaluation import Evaluation
from fl.training.federation import Federation
from fl.training.state import State

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class GlobalRound:
    """A finished global round.

    Attributes:
        epoch: which, 0 … rounds − 1.
        state: the global model after it.
        updates: of the base stations present, by index.
        evaluation: of the global model after it, on the test images of the target labels.
        margins: margin in accuracy of each base station present, by index (see `fl.training.contribution`).
    """

    epoch: int
    state: State
    updates: tuple[Update, ...]
    evaluation: Evaluation
    margins: Mapping[int, Fraction]


def aggregate(updates: Iterable[Update]) -> State:
    """The next global model: the average of the updates weighted by samples (HierFAVG: CloudAggregation).

    Weights are over those present, and the order of the updates does not matter: they are summed by base
    station.

    Raises:
        TrainingError: there is no update, two are of one base station, or they are of different global
            rounds.
        ModelError: they are of different models.
    """
    ordered = sorted(updates, key=lambda update: update.station)
    if not ordered:
        raise TrainingError("no base station returned an update in this global round")
    if len({update.station for update in ordered}) < len(ordered):
        raise TrainingError("a base station returned two updates in one global round")
    if len({update.epoch for update in ordered}) > 1:
        raise TrainingError("updates of different global rounds cannot be averaged")
    return average((update.state, update.samples) for update in ordered)


def train(
    federation: Federation,
    *,
    state: State | None = None,
    first_epoch: int = 0,
    present: Callable[[int, int], bool] = lambda epoch, station: True,
    on_update: Callable[[Update], None] = lambda update: None,
) -> Iterator[GlobalRound]:
    """Run the global rounds of the federation, one each time the next is asked for.

    Args:
        federation: the parties.
        state: the global model to start from; None: the initial one.
        first_epoch: the global round to start with; with the `state` after the round before, a run goes on as
            if it had never stopped.
        present: whether a base station (second argument) takes part in a global round (first argument).
        on_update: called with each update as it comes, for progress.

    Yields:
        Each finished global round.

    Raises:
        TrainingError: no base station is present in a round.
        DivergedError: a loss is not a finite number; the rounds yielded before stand.
    """
    workspace = federation.model.build()
    state = federation.initial_state() if state is None else state
    before = federation.evaluate(state, workspace=workspace)
    for epoch in range(first_epoch, federation.config.rounds):
        updates = []
        for station in federation.stations:
            if present(epoch, station.index):
                updates.append(station.train_round(state, epoch, workspace))
                on_update(updates[-1])
        margins = measure_margins(before, updates, lambda local: federation.evaluate(local, workspace=workspace))
        state = aggregate(updates)
        before = federation.evaluate(state, workspace=workspace)
        log.info("global round %d: accuracy %.4f, loss %.4f", epoch, before.accuracy, before.loss)
        yield GlobalRound(epoch, state, tuple(updates), before, margins)
