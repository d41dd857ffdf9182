"""Who plays the base stations' rounds, and where: in this process, or spread over others.

`fl.training.cloud.train` asks a crew for everything that is heavy. What a base station does in a global round depends
on the global model and the seed only (`Station.play`), so every crew ends with the same digests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from torch import nn

from fl.training.averaging.aggregate import aggregate
from fl.training.config import Rule
from fl.training.federation import Federation
from fl.training.model.evaluation import Evaluation, score_of
from fl.training.model.objective import Objective
from fl.training.model.parameters import State, is_finite
from fl.training.station import Station, StationRound
from fl.training.strategy import NO_STATES, NOTHING, Carried, States
from fl.training.update import Update


class Crew(Protocol):
    """Plays, combines and judges for the global rounds of one federation.

    A crew may be the part in this process of one that spans several, each of which runs `train`. All of them then make
    the same calls in the same order and are told the same, but for one thing: an update's `state` is empty in the
    processes that do not hold it, until `gather` brings it. Whoever makes a crew closes it.
    """

    def play(
        self, state: State, global_round: int, stations: Sequence[int], carried: Carried = NOTHING
    ) -> Iterator[StationRound]:
        """Let base stations play a global round.

        Args:
            state: the global model, left unchanged.
            global_round: the global round.
            stations: their indices.
            carried: what the strategy sends with the global model, and what it carries for clients.

        Yields:
            Each one's round as it ends, in any order, checked by `play_station`.
        """
        ...

    def combine(self, updates: Sequence[Update], rule: Rule, dropped: int = 0) -> State:
        """`fl.training.averaging.aggregate.aggregate` of updates that `play` yielded."""
        ...

    def gather(self, updates: Sequence[Update]) -> Sequence[Update]:
        """Updates that `play` yielded, each with its state."""
        ...

    def evaluate(self, state: State) -> Evaluation:
        """Judge a model on the test samples of the target labels, as `Federation.evaluate` does."""
        ...


class LocalCrew(Crew, Protocol):
    """A crew that holds the samples of all clients, of which the chain's has none."""

    def evaluate_clients(self, state: State) -> Mapping[int, Sequence[int | Fraction]]:
        """The metric of the model added up over its own samples, of each client of each base station by index."""
        ...


class InProcess:
    """The base stations one after the other in this process, in one resident module."""

    def __init__(self, federation: Federation):
        self._federation = federation
        self._workspace = federation.workspace()

    def play(
        self, state: State, global_round: int, stations: Sequence[int], carried: Carried = NOTHING
    ) -> Iterator[StationRound]:
        """See `Crew`."""
        for index in stations:
            clients = carried.clients.get(index, NO_STATES)
            station = self._federation.stations[index]
            yield play_station(station, state, global_round, self._workspace, carried.server, clients)

    def combine(self, updates: Sequence[Update], rule: Rule, dropped: int = 0) -> State:
        """See `Crew`."""
        return aggregate(updates, rule, dropped)

    def gather(self, updates: Sequence[Update]) -> Sequence[Update]:
        """See `Crew`."""
        return updates

    def evaluate(self, state: State) -> Evaluation:
        """See `Crew`."""
        return self._federation.evaluate(state, workspace=self._workspace)

    def evaluate_clients(self, state: State) -> Mapping[int, Sequence[int | Fraction]]:
        """See `LocalCrew`."""
        stations, objective = self._federation.stations, self._federation.objective
        return {each.index: judge_clients(each, state, self._workspace, objective) for each in stations}


def judge_clients(
    station: Station, state: State, workspace: nn.Module, objective: Objective
) -> Sequence[int | Fraction]:
    """The metric of the model added up over its own samples, of each client."""
    return [score_of(workspace, state, samples, station.config.threads, objective) for samples in station.clients]


def play_station(
    station: Station,
    state: State,
    global_round: int,
    workspace: nn.Module,
    broadcast: State | None = None,
    clients: States = NO_STATES,
) -> StationRound:
    """The base station's round, without its update where a parameter of that is no finite number."""
    played = station.play(state, global_round, workspace, broadcast, clients)
    if played.update is None or is_finite(played.update.state):
        return played
    reason = "a parameter of its update is no finite number"
    return StationRound(station.index, None, played.work, reason, True, clients)
