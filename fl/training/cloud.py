"""Global rounds: base stations train, their updates become the next global model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from torch import nn

from fl.training.config import Rule
from fl.training.edge import StationRound, Update
from fl.training.errors import DivergedError, TooFewError, TrainingError
from fl.training.evaluation import Evaluation
from fl.training.federation import Federation
from fl.training.participation import is_missing
from fl.training.rules import combine
from fl.training.state import State, is_finite
from fl.training.valuation import value_stations

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class GlobalRound:
    """A finished global round.

    Attributes:
        epoch: which, 0 … rounds − 1.
        state: the global model after it.
        updates: that the global model was made of, by base station.
        evaluation: of the global model after it, on the test images of the target labels.
        margins: contribution of each base station with an update, by index, as the configuration measures it
            (see `fl.training.contribution`).
        stations: what each base station that the global model was sent to did, by index.
        absent: why there is no update of a base station, by index.
        velocity: of the server's momentum after it; None without.
        evaluations: number of models that measuring the contributions took to evaluate.
    """

    epoch: int
    state: State
    updates: tuple[Update, ...]
    evaluation: Evaluation
    margins: Mapping[int, Fraction]
    stations: tuple[StationRound, ...] = ()
    absent: Mapping[int, str] = field(default_factory=dict)
    velocity: State | None = None
    evaluations: int = 0


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


def train(
    federation: Federation,
    *,
    state: State | None = None,
    velocity: State | None = None,
    first_epoch: int = 0,
    present: Callable[[int, int], bool] = lambda epoch, station: True,
    on_station: Callable[[StationRound], None] = lambda played: None,
) -> Iterator[GlobalRound]:
    """Run the global rounds of the federation, one each time the next is asked for.

    A base station without an update is left out and reported; where too few have one, the global model stays as it
    is for that round.

    Args:
        federation: the parties.
        state: the global model to start from; None: the initial one.
        velocity: of the server's momentum after the round before.
        first_epoch: the global round to start with; with the `state` and `velocity` after the round before, a run
            goes on as if it had never stopped.
        present: whether a base station (second argument) takes part in a global round (first argument), beside
            those that `station_dropout` takes out.
        on_station: called with each base station's round as it ends, for progress.

    Yields:
        Each finished global round.

    Raises:
        DivergedError: no base station's loss is a finite number, or the global model's is not; the rounds yielded
            before stand.
    """
    config = federation.config
    workspace = federation.workspace()
    state = federation.initial_state() if state is None else state
    before = federation.evaluate(state, workspace=workspace)
    for epoch in range(first_epoch, config.rounds):
        stations: list[StationRound] = []
        absent: dict[int, str] = {}
        for station in federation.stations:
            here = present(epoch, station.index)
            if here and not is_missing(config.station_dropout, config.seed, epoch, station.index):
                played = station.play(state, epoch, workspace)
            else:
                played = StationRound(station.index, None, reason="it did not take part")
            if played.update is not None and not is_finite(played.update.state):
                reason = "a parameter of its update is no finite number"
                played = StationRound(station.index, None, played.work, reason, diverged=True)
            if played.update is None:
                absent[station.index] = played.reason
                log.warning("global round %d: no update of base station %d: %s", epoch, station.index, played.reason)
            stations.append(played)
            on_station(played)
        updates = tuple(played.update for played in stations if played.update is not None)
        if not updates and (reasons := [played.reason for played in stations if played.diverged]):
            raise DivergedError(f"no base station has an update left in global round {epoch}; {reasons[0]}")
        valued = value_stations(federation, epoch, state, before, updates, workspace)
        try:
            combined = aggregate(updates, config.rule)
        except TooFewError as error:
            log.warning("global round %d: the global model stays as it is: %s", epoch, error)
        else:
            state, velocity = _step(workspace, state, combined, velocity, config.server_momentum)
        before = federation.evaluate(state, workspace=workspace)
        log.info("global round %d: accuracy %.4f, loss %.4f", epoch, before.accuracy, before.loss)
        yield GlobalRound(
            epoch, state, updates, before, valued.values, tuple(stations), absent, velocity, valued.evaluations
        )


def _step(
    module: nn.Module, state: State, combined: State, velocity: State | None, momentum: float
) -> tuple[State, State | None]:
    """The server's step with momentum β (FedAvgM, Hsu, Qi and Brown 2019): v ← β·v + (w − w̄), w ← w − v.

    w̄ is the combined model. What is not a parameter, such as a batch normalisation's statistics, is taken from w̄.
    """
    if momentum == 0:
        return combined, None
    moved: State = {}
    for name, _ in module.named_parameters():
        step = state[name] - combined[name]
        moved[name] = step if velocity is None else velocity[name].to(step).mul(momentum).add_(step)
    return {name: state[name] - moved[name] if name in moved else combined[name] for name in combined}, moved
