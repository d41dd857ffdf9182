"""Hierarchical trainings of many target sets, each told apart by its seed; as many at once as there are cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
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
    from fl.training.federation import Federation

STATIONS = 10
PILOT = 0.2
"""Part of the training images on which a proposer trains a pilot, to forecast the accuracy of its model."""


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


@dataclass(frozen=True)
class Pilot:
    """A pilot of a proposal.

    Attributes:
        seed: of the training that it forecasts.
        targets: the model's labels.
        owner: the proposer, who judges the pilot by test images of its own; from 0.
    """

    seed: int
    targets: Targets
    owner: int


def train_all(plan: Plan, trainings: Collection[Training], request: Request) -> dict[Training, tuple[float, ...]]:
    """Run every training once, however often it is named.

    The CPU trains as many at once as it has cores, a GPU one after the other. The results are the same.

    Returns:
        The accuracy after each global round, 0 … 1.

    Raises:
        FigureError: the data cannot be had, or a training fails.
    """
    wanted = list(dict.fromkeys(trainings))
    return dict(zip(wanted, _all(plan, wanted, request, "models"), strict=True))


def forecast_all(
    plan: Plan, proposals: Sequence[tuple[int, Sequence[Targets]]], request: Request
) -> list[tuple[float, ...]]:
    """What honest proposers claim, as in `fl.crowdfunding`: each judges a pilot by test images of its own.

    Args:
        plan: of the trainings that are forecast.
        proposals: by market, the seed of its trainings and each owner's target labels.
        request: how the figure was asked for.

    Returns:
        By market, each owner's claimed accuracy, 0 … 1.

    Raises:
        FigureError: the data cannot be had, or a training fails.
    """
    pilots = [Pilot(seed, targets, owner) for seed, crowd in proposals for owner, targets in enumerate(crowd)]
    claims = iter(_all(plan, pilots, request, "pilots"))
    return [tuple(next(claims)[-1] for _ in crowd) for _, crowd in proposals]


def _all(plan: Plan, jobs: Sequence[Training | Pilot], request: Request, what: str) -> list[tuple[float, ...]]:
    """What becomes of each, in order."""
    device = "cpu" if request.quick else request.device
    found: list[tuple[float, ...]] = []
    try:
        for accuracies in _run(plan, jobs, _folder(request), device):
            found.append(accuracies)
            request.say(f"{len(found)} of {len(jobs)} {what} trained")
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


def _run(plan: Plan, jobs: Sequence[Training | Pilot], folder: Path | None, device: str) -> Iterator[tuple[float, ...]]:
    from fl.training.model.runtime import pick_device

    workers = 1 if pick_device(device).type == "cuda" else min(os.cpu_count() or 1, len(jobs))
    if workers == 1:
        yield from map(_Trainer(plan, folder, device), jobs)
        return
    # spawned: a forked process would inherit torch's threads in the middle of whatever they do
    with ProcessPoolExecutor(workers, get_context("spawn"), _hire, (plan, folder, device)) as pool:
        yield from pool.map(_work, jobs)


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

    def __call__(self, job: Training | Pilot) -> tuple[float, ...]:
        from fl.training.federation import build_federation

        federation = build_federation(replace(self._config, targets=job.targets, seed=job.seed), self._dataset)
        return _forecast(federation, job) if isinstance(job, Pilot) else _trained(federation, job)


def _forecast(federation: Federation, pilot: Pilot) -> tuple[float, ...]:
    """The accuracy that its proposer claims, alone."""
    from fl.crowdfunding.simulated import with_own_data
    from fl.training.pilot import expected_bps, forecast

    return (expected_bps(forecast(with_own_data(federation, pilot.owner), PILOT)) / 10_000,)


def _trained(federation: Federation, training: Training) -> tuple[float, ...]:
    """The accuracy after each global round."""
    from fl.training.cloud import train
    from fl.training.crews.crew import InProcess

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


_hired: Callable[[Training | Pilot], tuple[float, ...]]
"""The trainer of a worker process."""


def _hire(plan: Plan, folder: Path | None, device: str) -> None:
    global _hired
    _hired = _Trainer(plan, folder, device)


def _work(job: Training | Pilot) -> tuple[float, ...]:
    return _hired(job)
