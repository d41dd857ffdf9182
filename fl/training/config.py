"""What a training run is made of, as plain values (no torch here)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fl.training.errors import TrainingError


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise TrainingError(f"{name} must be at least {least}, not {value}")


@dataclass(frozen=True)
class StationConfig:
    """How a base station trains one global round with its clients (HierFAVG, Liu et al. 2020, Algorithm 1).

    Attributes:
        local_epochs: κ1, passes of each client over its data between two edge aggregations.
        edge_aggregations: κ2, averages over the clients of a base station in one global round.
        batch_size: images a step of a client's SGD.
        learning_rate: of the clients' SGD.
        momentum: of the clients' SGD; starts at rest at each edge aggregation.
        threads: torch's threads while it computes. One is fastest for models this small, and never waits for
            a core that something else holds.
    """

    local_epochs: int = 2
    edge_aggregations: int = 2
    batch_size: int = 16
    learning_rate: float = 0.1
    momentum: float = 0.8
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("local_epochs", "edge_aggregations", "batch_size", "threads"):
            _at_least(name, getattr(self, name), 1)
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise TrainingError(f"learning_rate must be positive, not {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            raise TrainingError(f"momentum must be in [0, 1), not {self.momentum}")


@dataclass(frozen=True)
class Defaults:
    """What suits a data set: three global rounds of four base stations of two clients learn it."""

    model: str
    station: StationConfig


DEFAULTS: Mapping[str, Defaults] = {
    "digits": Defaults("small-cnn", StationConfig()),
    "cifar10": Defaults("cnn", StationConfig(2, 1, batch_size=25, learning_rate=0.05, momentum=0.9)),
}
"""By name of the data set."""


@dataclass(frozen=True)
class TrainingConfig:
    """A whole hierarchical training run; equal configurations give equal digests on one machine.

    Attributes:
        dataset: "digits" (8×8, ships with scikit-learn) or "cifar10".
        data_dir: a folder of images to read instead (`train/<label>/*.jpg`, `test/<label>/*.jpg`), for
            "cifar10" only.
        targets: the target labels, what the model is trained on and judged by; None: all.
        train_images: how many training images of the target labels to use, drawn by the seed; None: all.
        test_images: how many test images of the target labels to judge by, the same for every seed; None:
            all.
        model: a name in `fl.training.models.MODELS`; None: what suits the data set (`DEFAULTS`).
        stations: number of base stations.
        clients: number of clients of each base station.
        alpha: concentration of the Dirichlet split of each label over all clients (small: uneven); None: IID.
        rounds: number of global rounds.
        seed: of the split, the initial model and every client's order of images.
        station: how a base station trains one global round; None: what suits the data set (`DEFAULTS`).
    """

    dataset: str = "digits"
    data_dir: Path | None = None
    targets: tuple[str, ...] | None = None
    train_images: int | None = None
    test_images: int | None = None
    model: str | None = None
    stations: int = 4
    clients: int = 2
    alpha: float | None = None
    rounds: int = 3
    seed: int = 0
    station: StationConfig | None = None

    def __post_init__(self) -> None:
        for name in ("stations", "clients", "rounds"):
            _at_least(name, getattr(self, name), 1)
        _at_least("seed", self.seed, 0)
        for name in ("train_images", "test_images"):
            if getattr(self, name) is not None:
                _at_least(name, getattr(self, name), 1)
        if self.alpha is not None and not (self.alpha > 0 and math.isfinite(self.alpha)):
            raise TrainingError(f"alpha must be positive, not {self.alpha}")
