"""Who takes part: clients drawn by their base station, and who of them drops out or falls behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fl.training.config import StationConfig
from fl.training.seeds import Stream, derive_seed


@dataclass(frozen=True)
class Part:
    """What a drawn client does in one edge aggregation.

    Attributes:
        client: which.
        epochs: local epochs that it gets through.
        returns: whether its model is used.
    """

    client: int
    epochs: int
    returns: bool


def count_drawn(config: StationConfig, clients: int) -> int:
    """How many of its clients a base station draws for an edge aggregation."""
    return max(1, round(config.client_fraction * clients))


def draw_clients(
    config: StationConfig, clients: int, seed: int, global_round: int, aggregation: int, station: int
) -> list[Part]:
    """The clients that a base station draws for an edge aggregation, in ascending order, at least one.

    Args:
        config: how many to draw and how they fail.
        clients: number of clients of the base station.
        seed: of the run.
        global_round: the global round.
        aggregation: the edge aggregation in it, 0 … κ2 − 1.
        station: the base station.
    """
    random = np.random.default_rng(derive_seed(seed, Stream.CLIENTS_PRESENT, global_round, aggregation, station))
    drawn = np.sort(random.choice(clients, count_drawn(config, clients), replace=False))
    # every client draws, so that one that fails does not change what the others do
    missing = random.random(clients) < config.client_dropout
    late = random.random(clients) < config.stragglers
    epochs = np.where(late, random.integers(1, config.local_epochs, clients, endpoint=True), config.local_epochs)
    returns = ~missing & ~(late & config.drop_stragglers)
    return [Part(int(client), int(epochs[client]), bool(returns[client])) for client in drawn]


def is_missing(dropout: float, seed: int, global_round: int, station: int) -> bool:
    """Whether a base station is missing in a global round, with this probability."""
    random = np.random.default_rng(derive_seed(seed, Stream.STATIONS_PRESENT, global_round, station))
    return bool(random.random() < dropout)
