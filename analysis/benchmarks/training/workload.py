"""What every contender has to do: the same data, split, initial model and number of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path
from typing import Any

from fl.training.config import StationConfig, TrainingConfig


@dataclass(frozen=True)
class Workload:
    """Federated averaging of all clients in each global round, the split IID.

    Attributes:
        name: in `WORKLOADS`.
        title: for people.
        dataset: "cifar10" or "digits".
        model: in `fl.training.model.spec.MODELS`.
        stations: number of base stations.
        clients: number of clients of each.
        train_images: split over all clients.
        judge_images: test images that the global model is judged by after each global round, as part of it.
        batch_size: images in one step.
        learning_rate: of the clients' SGD.
        momentum: of the clients' SGD.
        local_epochs: κ1; κ2 is 1, as neither Flower nor pfl-research has base stations.
        seed: of everything that is drawn.
    """

    name: str
    title: str
    dataset: str
    model: str
    stations: int
    clients: int
    train_images: int
    judge_images: int = 1_000
    batch_size: int = 50
    learning_rate: float = 0.05
    momentum: float = 0.9
    local_epochs: int = 2
    seed: int = 0

    @property
    def parties(self) -> int:
        """Number of clients of all base stations."""
        return self.stations * self.clients

    def steps(self, sizes: list[int]) -> int:
        """Steps of SGD in one global round.

        Args:
            sizes: number of images of each client.
        """
        return sum(self.local_epochs * ceil(size / self.batch_size) for size in sizes)

    def config(self, rounds: int, device: str, data_dir: Path | None = None) -> TrainingConfig:
        """The same as a configuration of `fl.training`."""
        return TrainingConfig(
            dataset=self.dataset,
            data_dir=data_dir,
            train_images=self.train_images,
            model=self.model,
            stations=self.stations,
            clients=self.clients,
            rounds=rounds,
            seed=self.seed,
            station=StationConfig(self.local_epochs, 1, self.batch_size, self.learning_rate, self.momentum),
            contribution="none",
            device=device,
        )

    def as_json(self) -> dict[str, Any]:
        """All settings."""
        return asdict(self)


def _by_name(*workloads: Workload) -> Mapping[str, Workload]:
    return {workload.name: workload for workload in workloads}


WORKLOADS = _by_name(
    Workload("10x1", "small CNN, 10 base stations × 1 client, batch 50", "cifar10", "cnn", 10, 1, 10_000),
    Workload("10x10", "small CNN, 10 base stations × 10 clients, batch 50", "cifar10", "cnn", 10, 10, 10_000),
    Workload("10x100", "small CNN, 10 base stations × 100 clients, batch 50", "cifar10", "cnn", 10, 100, 10_000),
    Workload("10x10-all", "the same with all 50,000 images", "cifar10", "cnn", 10, 10, 50_000),
    Workload("resnet50", "ResNet-50, 10 × 1, batch 32", "cifar10", "resnet50", 10, 1, 10_000, batch_size=32),
    Workload("digits", "digits, a try-out of seconds", "digits", "small-cnn", 2, 2, 400, 200, 20),
)
ON_CPU = ("10x1", "10x10", "10x100")
ON_GPU = ("10x1", "10x10", "10x10-all", "resnet50")
