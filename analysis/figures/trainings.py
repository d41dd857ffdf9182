"""Hierarchical trainings of many target sets, each told apart by its seed; as many at once as there are cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.figures.figure import FigureError, Request
from fl.training.config import StationConfig, TrainingConfig
from fl.training.data import dataset as datasets
from fl.training.errors import TrainingError

if TYPE_CHECKING:
    from analysis.figures.interests import Targets
    from fl.training.data.dataset import Dataset

STATIONS = 10


@dataclass(frozen=True)
class Plan:
    """How every model of a figure is trained.

    Attributes:
        dataset: "digits" or "cifar10".
        model: a name in `fl.training.model.spec.MODELS`.
        train_images: the same for every model, whatever its number of target labels.
        rounds: global rounds.
        station: how a base station trains in one; each has one client.
        test_images: by which a model is judged, of each label; None: all.
    """

    dataset: str
    model: str
    train_images: int
    rounds: int
    station: StationConfig
    test_images: int | None = None

    def as_json(self) -> dict[str, Any]:
        told = {name: value for name, value in asdict(self).items() if name != "station"}
        kept = ("local_epochs", "batch_size", "learning_rate", "momentum", "augment")
        return {**told, "stations": STATIONS, **{name: getattr(self.station, name) for name in kept}}


@dataclass(frozen=True)
class Training:
    """A training, and what its models are judged by.

    Attributes:
        seed: of the training.
        targets: the model's labels.
        judged: those of them whose test images count.
    """

    seed: int
    targets: Targets
    judged: Targets


def train_all(plan: Plan, trainings: Collection[Training], request: Request) -> dict[Training, tuple[float, ...]]:
    """Run every training once, however often it is named.

    The CPU trains as many at once as it has cores, a GPU one after the other. The results are the same.

    Returns:
        The accuracy after each global round, 0 … 1.

    Raises:
        FigureError: the data cannot be had, or a training fails.
    """
    wanted = list(dict.fromkeys(trainings))
    device = "cpu" if request.quick else request.device
    found: dict[Training, tuple[float, ...]] = {}
    try:
        for training, accuracies in zip(wanted, _run(plan, wanted, _folder(request), device), strict=True):
            found[training] = accuracies
            request.say(f"{len(found)} of {len(wanted)} models trained")
    except TrainingError as error:
        raise FigureError(str(error)) from None
    return found


def labels_of(plan: Plan, request: Request) -> tuple[str, ...]:
    """The labels of the plan's data set.

    Raises:
        FigureError: the data cannot be had.
    """
    try:
        return datasets.labels_of(plan.dataset, _folder(request))
    except TrainingError as error:
        raise FigureError(str(error)) from None


def _folder(request: Request) -> Path | None:
    return None if request.data_dir is None else Path(request.data_dir)


def _run(plan: Plan, trainings: list[Training], folder: Path | None, device: str) -> Iterator[tuple[float, ...]]:
    from fl.training.model.runtime import pick_device

    workers = 1 if pick_device(device).type == "cuda" else min(os.cpu_count() or 1, len(trainings))
    if workers == 1:
        yield from map(_Trainer(plan, folder, device), trainings)
        return
    # spawned: a forked process would inherit torch's threads in the middle of whatever they do
    with ProcessPoolExecutor(workers, get_context("spawn"), _hire, (plan, folder, device)) as pool:
        yield from pool.map(_work, trainings)


class _Trainer:
    """Trains one model after the other on data that are loaded once."""

    def __init__(self, plan: Plan, folder: Path | None, device: str) -> None:
        dataset = datasets.load_dataset(plan.dataset, folder)
        self._dataset = dataset if plan.test_images is None else _thinned(dataset, plan.test_images)
        self._config = TrainingConfig(
            dataset=plan.dataset,
            data_dir=folder,
            train_images=plan.train_images,
            model=plan.model,
            stations=STATIONS,
            clients=1,
            rounds=plan.rounds,
            station=plan.station,
            contribution="none",
            device=device,
        )

    def __call__(self, training: Training) -> tuple[float, ...]:
        from fl.training.cloud import train
        from fl.training.crews.crew import InProcess
        from fl.training.federation import build_federation

        config = replace(self._config, targets=training.targets, seed=training.seed)
        federation = build_federation(config, self._dataset)
        workspace = federation.workspace()
        return tuple(
            done.evaluation.accuracy
            if training.judged == training.targets
            else federation.evaluate(done.state, training.judged, workspace).accuracy
            for done in train(federation.config, federation.model, InProcess(federation))
        )


def _thinned(dataset: Dataset, test_images: int) -> Dataset:
    """The data set with the first so many test images of each label."""
    import numpy as np

    labels = dataset.test.labels.numpy()
    kept = [np.flatnonzero(labels == label)[:test_images] for label in range(len(dataset.label_names))]
    return replace(dataset, test=dataset.test.take(np.sort(np.concatenate(kept))))


_hired: Callable[[Training], tuple[float, ...]]
"""The trainer of a worker process."""


def _hire(plan: Plan, folder: Path | None, device: str) -> None:
    global _hired
    _hired = _Trainer(plan, folder, device)


def _work(training: Training) -> tuple[float, ...]:
    return _hired(training)
