"""Global rounds: base stations train, their updates become the next global model.

The cloud has no data: it knows the run's settings and the model, and a crew plays the base stations and judges. So
whoever takes its part needs a crew that brings updates, from wherever they are trained, and samples to judge by.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from fl.training.averaging.aggregate import in_order
from fl.training.config import TrainingConfig
from fl.training.contribution.measure import measure_contributions
from fl.training.crews.crew import Crew
from fl.training.errors import DivergedError, TooFewError
from fl.training.model.evaluation import UNJUDGED, Evaluation
from fl.training.model.parameters import State, is_finite, size_of
from fl.training.model.spec import ModelSpec
from fl.training.participation import is_missing
from fl.training.station import StationRound
from fl.training.strategies import strategy_of
from fl.training.strategy import NOTHING, Carried, Strategy, asked, tensors_of
from fl.training.update import Update

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class GlobalRound:
    """A finished global round.

    Attributes:
        global_round: which, 0 … rounds − 1.
        state: the global model after it.
        updates: that the global model was made of, by base station.
        evaluation: of the global model after it, on the test samples of the target labels.
        contributions: of each base station with an update, by index, as the configuration measures them
            (see `fl.training.contribution.methods`).
        stations: what each base station that the global model was sent to did, by index.
        absent: why there is no update of a base station, by index.
        carried: what the strategy carries to the next.
        broadcast: bytes of what it sent with the global model before.
        evaluations: number of models that measuring the contributions took to evaluate.
        unchanged: why the global model stayed as it was; empty where it did not.
    """

    global_round: int
    state: State
    updates: tuple[Update, ...]
    evaluation: Evaluation
    contributions: Mapping[int, Fraction]
    stations: tuple[StationRound, ...] = ()
    absent: Mapping[int, str] = field(default_factory=dict)
    carried: Carried = NOTHING
    broadcast: int = 0
    evaluations: int = 0
    unchanged: str = ""


def train(
    config: TrainingConfig,
    model: ModelSpec,
    crew: Crew,
    *,
    state: State | None = None,
    carried: Carried = NOTHING,
    first_round: int = 0,
    present: Callable[[int, int], bool] = lambda global_round, station: True,
    on_station: Callable[[StationRound], None] = lambda played: None,
    on_evaluated: Callable[[], None] = lambda: None,
    before: Evaluation | None = None,
    accuracies: Sequence[float] = (),
) -> Iterator[GlobalRound]:
    """Run global rounds, one each time the next is asked for.

    A base station without an update is left out and reported; where too few have one, the global model stays as it
    is for that round, and the round says so. One whose update is not finite counts among the wrong ones that the rule
    tolerates.

    Args:
        config: the run's settings.
        model: what is trained.
        crew: plays the base stations' rounds, and judges.
        state: the global model to start from; None: the initial one.
        carried: by the strategy from the round before.
        first_round: the global round to start with; with the `state` and what is `carried` after the round before, a
            run goes on as if it had never stopped. `next(train(…))` is that global round alone.
        present: whether a base station (second argument) takes part in a global round (first argument), beside
            those that `station_dropout` takes out.
        on_station: called with each base station's round as it ends, for progress.
        on_evaluated: called after each model that is judged to measure contributions, for progress.
        before: the model to start from, judged; None: it is judged first.
        accuracies: of the global rounds before, for the configuration's patience.

    Yields:
        Each finished global round.

    Raises:
        DivergedError: no base station's loss is a finite number, more base stations than the rule tolerates have no
            finite update, or the global model's loss is not finite; the rounds yielded before stand.
    """
    strategy = strategy_of(config)
    state = model.initial_state(config.seed) if state is None else state
    before = crew.evaluate(state) if before is None else before

    def judge(state: State) -> Evaluation:
        try:
            return crew.evaluate(state)
        finally:
            on_evaluated()

    def play(global_round: int, state: State, carried: Carried, before: Evaluation) -> GlobalRound:
        here = [
            index
            for index in range(config.stations)
            if present(global_round, index) and not is_missing(config.station_dropout, config.seed, global_round, index)
        ]
        rounds = {index: StationRound(index, None, reason="it did not take part") for index in range(config.stations)}
        for index in rounds.keys() - set(here):
            on_station(rounds[index])
        with asked(strategy):
            sent = Carried(tensors_of(strategy, "broadcast", strategy.broadcast(carried.server)), carried.clients)
        for played in crew.play(state, global_round, here, sent):
            rounds[played.station] = played
            on_station(played)
        stations = tuple(rounds.values())
        server = carried.server
        clients = {**carried.clients, **{played.station: played.clients for played in stations if played.clients}}
        absent = {played.station: played.reason for played in stations if played.update is None}
        for index, reason in absent.items():
            log.warning("global round %d: no update of base station %d: %s", global_round, index, reason)
        updates = tuple(played.update for played in stations if played.update is not None)
        if not updates and (reasons := [played.reason for played in stations if played.diverged]):
            raise DivergedError(f"no base station has an update left in global round {global_round}; {reasons[0]}")
        held = () if config.contribution == "none" else crew.gather(updates)
        measured = measure_contributions(config, global_round, before, held, judge)
        unchanged = ""
        try:
            if type(strategy).combine is Strategy.combine:
                combined = crew.combine(updates, config.rule, sum(played.diverged for played in stations))
            else:
                combined = _combined(strategy, crew.gather(updates))
        except TooFewError as error:
            unchanged = str(error)
            log.warning("global round %d: the global model stays as it is: %s", global_round, error)
        except DivergedError as error:
            reason = next((f"; {played.reason}" for played in stations if played.diverged), "")
            raise DivergedError(f"global round {global_round}: {error}{reason}") from error
        else:
            state, server = _step(strategy, model, state, combined, Carried(server, clients))
        evaluation = crew.evaluate(state)
        if evaluation is not UNJUDGED:
            log.info("global round %d: accuracy %.4f, loss %.4f", global_round, evaluation.accuracy, evaluation.loss)
        return GlobalRound(
            global_round,
            state,
            updates,
            evaluation,
            measured.values,
            stations,
            absent,
            Carried(server, clients),
            size_of(sent.server),
            measured.evaluations,
            unchanged,
        )

    seen = list(accuracies)
    for global_round in range(first_round, config.rounds):
        if config.patience is not None and seen and rounds_since_best(seen) >= config.patience:
            log.info("the accuracy has not got better for %d global rounds: the run ends", config.patience)
            return
        done = play(global_round, state, carried, before)
        state, carried, before = done.state, done.carried, done.evaluation
        seen.append(before.accuracy)
        yield done
        del done  # its updates may be large: they go before the next come, if the caller held none


def rounds_since_best(accuracies: Sequence[float]) -> int:
    """Global rounds after the first of the best."""
    return len(accuracies) - 1 - accuracies.index(max(accuracies))


def _combined(strategy: Strategy, updates: Sequence[Update]) -> State:
    ordered = in_order(updates)
    models = [update.state for update in ordered]
    with asked(strategy):
        combined = strategy.combine(models, [update.samples for update in ordered])
        return _finite(strategy, tensors_of(strategy, "combine", combined, models[0]))


def _finite(strategy: Strategy, model: State) -> State:
    if not is_finite(model):
        what = type(strategy).__name__
        raise DivergedError(f"the strategy {what} makes a model with a parameter that is no finite number")
    return model


def _step(strategy: Strategy, model: ModelSpec, state: State, combined: State, carried: Carried) -> tuple[State, State]:
    """The server's step: the next global model and the server's state.

    What is not a parameter, such as a batch normalisation's statistics, is taken from the combined model.
    """
    if type(strategy).update_server is Strategy.update_server:
        return combined, {}
    names = model.trained(tied=True)
    before = {name: state[name].to(combined[name]) for name in names}
    after = {name: combined[name] for name in names}
    with asked(strategy):
        returned = strategy.update_server(before, after, carried.server, carried.by_client())
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise TypeError("update_server returns two things, the model and the server's state")
        moved = tensors_of(strategy, "update_server", returned[0], after)
        server = tensors_of(strategy, "update_server", returned[1])
        return combined | _finite(strategy, moved), server
