"""The base stations of a federation spread over the ranks that torchrun started.

Station i is played by rank i modulo the number of ranks, with its edge aggregations; every rank runs `train`. Once a
global round all ranks tell each other what their base stations did, a few kilobytes; the mean is then one all-reduce of
8 bytes per parameter, and exact (`fl.training.averaging.exact_mean`), so that the digests are those of a single process
however many ranks there are. Evaluation is shared out by batches of test samples.

Only what needs every update on every rank fetches them, one broadcast each: robust rules, and contributions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import torch

from fl.training.averaging.aggregate import aggregate, in_order
from fl.training.averaging.exact_mean import ExactSum, Peaks, highest_of, peaks_of
from fl.training.config import Rule
from fl.training.crews.crew import Crew, judge_clients
from fl.training.crews.ranks import Group
from fl.training.errors import TrainingError
from fl.training.federation import Federation
from fl.training.model.evaluation import BATCH, Evaluation, judge, summarise
from fl.training.model.parameters import State
from fl.training.station import StationRound
from fl.training.strategy import NOTHING, Carried
from fl.training.update import Update


class Spread:
    """The part of a crew in this rank (see `fl.training.crews.crew.Crew`).

    Args:
        federation: the same on every rank.
        group: the ranks.
        crew: that plays this rank's base stations.

    Raises:
        TrainingError: there are more ranks than base stations.
    """

    def __init__(self, federation: Federation, group: Group, crew: Crew):
        stations, test = len(federation.stations), federation.dataset.test
        if group.size > stations:
            raise TrainingError(
                f"{group.size} ranks for {stations} base stations: a rank plays at least one, so start fewer"
            )
        self._group = group
        self._crew = crew
        self._stations = federation.stations
        self._workspace = federation.workspace()
        self._objective = federation.objective
        self._threads = federation.stations[0].config.threads
        batches = -(-len(test) // BATCH)
        # whole batches, so that each is computed as in a single process
        first, last = (min(BATCH * (batches * rank // group.size), len(test)) for rank in (group.rank, group.rank + 1))
        self._test = test.cut([first, last - first, len(test) - last])[1]
        self._device = federation.device
        self._like: State = {}  # the global model, for the names, shapes and types of its tensors
        self._states: dict[int, State] = {}  # of the updates that this rank holds, by base station
        self._everywhere: set[int] = set()  # base stations whose updates all ranks hold
        self._peaks: dict[int, Peaks] = {}  # of all updates

    def play(
        self, state: State, global_round: int, stations: Sequence[int], carried: Carried = NOTHING
    ) -> Iterator[StationRound]:
        """See `Crew`: first this rank's base stations, then the others'."""
        self._like = {name: tensor.to(self._device) for name, tensor in state.items()}
        self._states, self._peaks, self._everywhere = {}, {}, set()
        mine: list[StationRound] = []
        failure: list[TrainingError] = []
        try:
            own = [each for each in stations if self._is_mine(each)]
            for played in self._crew.play(state, global_round, own, carried):
                mine.append(played)
                yield played
        except TrainingError as error:
            failure.append(error)

        def told() -> list[tuple[StationRound, Peaks]]:
            if failure:
                raise failure[0]
            return [(_bare(played), peaks_of(played.update.state) if played.update else {}) for played in mine]

        self._states = {played.station: played.update.state for played in mine if played.update is not None}
        for rank, rounds in enumerate(self._group.exchange(told)):
            for played, peaks in rounds:
                self._peaks[played.station] = peaks
                if rank != self._group.rank:
                    yield played

    def combine(self, updates: Sequence[Update], rule: Rule, dropped: int = 0) -> State:
        """See `Crew`."""
        ordered = in_order(updates)
        if rule.name != "mean":
            return aggregate(self.gather(ordered), rule, dropped)
        peaks = highest_of(self._peaks[update.station] for update in ordered)
        total = ExactSum(self._like, peaks, sum(update.samples for update in ordered))
        for update in ordered:
            if self._is_mine(update.station):
                total.add(update.state, update.samples)
        self._group.add_up(total.sums)
        return total.mean()

    def gather(self, updates: Sequence[Update]) -> Sequence[Update]:
        """See `Crew`."""
        for update in in_order(updates):
            if update.station not in self._everywhere:
                self._states[update.station] = self._from_holder(update.station)
                self._everywhere.add(update.station)
        return [replace(update, state=self._states[update.station]) for update in updates]

    def evaluate(self, state: State) -> Evaluation:
        """See `Crew`."""
        shares = self._group.exchange(lambda: judge(self._workspace, state, self._test, self._threads, self._objective))
        return summarise([batch for share in shares for batch in share])

    def evaluate_clients(self, state: State) -> Mapping[int, Sequence[int | Fraction]]:
        """See `LocalCrew`; each rank judges for the base stations that it plays."""
        mine = [station for station in self._stations if self._is_mine(station.index)]
        shares = self._group.exchange(
            lambda: {station.index: judge_clients(station, state, self._workspace, self._objective) for station in mine}
        )
        found = {index: counts for share in shares for index, counts in share.items()}
        return {index: found[index] for index in sorted(found)}

    def _is_mine(self, station: int) -> bool:
        return station % self._group.size == self._group.rank

    def _from_holder(self, station: int) -> State:
        """The state of a base station's update, sent by the rank that holds it to all others."""
        held = self._states.get(station, self._like)
        state = {name: held[name] for name in self._like}  # in the order that all ranks have
        data = torch.cat([tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in state.values()])
        self._group.spread(data, station % self._group.size)
        result: State = {}
        for (name, tensor), part in zip(
            state.items(), data.split([each.nbytes for each in state.values()]), strict=True
        ):
            # a copy, for a type larger than the ones before it would not lie at a multiple of its size
            values = part.clone().view(tensor.dtype).reshape(tensor.shape)
            result[name] = torch.empty_like(tensor).copy_(values)
        return result


def _bare(played: StationRound) -> StationRound:
    """The base station's round without the parameters, which stay where they are."""
    return played if played.update is None else replace(played, update=replace(played.update, state={}))
