"""ε of clients whose updates `fl.training.sending.privacy` hides.

Each edge aggregation is a Gaussian mechanism with the multiplier z for each client in it. Who is drawn follows from the
seed, and hides nobody. So a client's ε counts the edge aggregations that it was drawn for and returned from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from fl.training.participation import draw_clients, is_missing
from fl.training.sending.epsilon import epsilon_of
from fl.training.station import Station


class Accountant:
    """Counts how often each client was heard, which follows from the seed, and works out ε from it.

    Args:
        stations: whose clients they are.
        dropout: probability that a base station is missing in a global round.
    """

    def __init__(self, stations: Iterable[Station], dropout: float = 0.0):
        self._dropout = dropout
        self._stations = [each for each in stations if each.config.privacy is not None]
        self._heard = {each.index: np.zeros(len(each.clients), dtype=np.int64) for each in self._stations}
        self._counted = 0

    def after(self, global_round: int) -> Mapping[int, float]:
        """The largest ε of the clients of each base station that hides them, after a global round from the first on.

        Args:
            global_round: none before one that was asked for.
        """
        for number in range(self._counted, global_round + 1):
            self._count(number)
        self._counted = global_round + 1
        epsilons = {}
        for station in self._stations:
            if (privacy := station.config.privacy) is not None:
                most = int(self._heard[station.index].max())
                epsilons[station.index] = epsilon_of(privacy.noise_multiplier, most, privacy.delta)
        return epsilons

    def _count(self, global_round: int) -> None:
        for station in self._stations:
            if is_missing(self._dropout, station.seed, global_round, station.index):
                continue
            for aggregation in range(station.config.edge_aggregations):
                place = (station.seed, global_round, aggregation, station.index)
                for part in draw_clients(station.config, len(station.clients), *place):
                    self._heard[station.index][part.client] += part.returns
