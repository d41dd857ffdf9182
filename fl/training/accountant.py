"""ε of clients whose updates `fl.training.sending.privacy` hides.

Each edge aggregation is a Gaussian mechanism with the multiplier z for each client in it. A sequence of k of these,
each chosen with the ones before in sight, is exactly as private as a single one with z / √k (Dong, Roth and Su 2022,
Corollary 3.3), whose ε for a δ is known exactly (Balle and Wang 2018, Theorem 8). So there is no need for the bounds of
Rényi accountants, which are for clients drawn in secret: here who is drawn follows from the seed, and hides nobody. A
client's ε counts the edge aggregations that it was drawn for and returned from.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import torch

from fl.training.participation import draw_clients, is_missing
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


def epsilon_of(noise_multiplier: float, releases: int, delta: float) -> float:
    """The least ε, rounded up a little, of so many Gaussian mechanisms in sequence.

    Args:
        noise_multiplier: z of each.
        releases: how many there are.
        delta: δ.
    """
    if releases == 0:
        return 0.0
    mu = math.sqrt(releases) / noise_multiplier
    low, high = 0.0, mu * mu / 2 + mu * math.sqrt(2 * math.log(1 / delta))  # of concentrated privacy: never too low
    while high - low > 1e-6 * max(1.0, high):
        middle = (low + high) / 2
        low, high = (low, middle) if _delta_of(middle, mu) <= delta else (middle, high)
    return high


def _delta_of(epsilon: float, mu: float) -> float:
    """δ of a Gaussian mechanism with the multiplier 1/μ: Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ)."""
    places = torch.tensor([mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu], dtype=torch.float64)
    first, second = torch.special.log_ndtr(places).tolist()
    return math.exp(first) - math.exp(min(epsilon + second, first))
