"""Put the parties of a run together: data split over base stations, a model, a judge."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeAlias

import numpy as np
import torch
from torch import nn

from fl.training.config import DEFAULTS, StationConfig, TrainingConfig
from fl.training.data.dataset import Dataset, Samples, load_dataset
from fl.training.data.splits import Indices, Parts, check_parts, split_hierarchy
from fl.training.errors import DataError, TrainingError
from fl.training.model.evaluation import Evaluation, evaluate, judge
from fl.training.model.objective import CLASSIFY, Objective
from fl.training.model.optimizers import rate_in
from fl.training.model.parameters import State
from fl.training.model.runtime import check_graphs, check_precision, pick_device
from fl.training.model.spec import ModelSpec
from fl.training.named import asking, function_of, is_path, resolve
from fl.training.participation import count_drawn
from fl.training.seeds import Stream, derive_seed
from fl.training.station import Station
from fl.training.strategies import strategy_of
from fl.training.strategy import Strategy, asked

log = logging.getLogger(__name__)

Partition: TypeAlias = Callable[[Samples, int, int, int], Parts]
"""A way to split training samples, given them, the number of base stations, that of clients of each, and a seed.

Base stations may have other numbers of clients than that. Samples may be left out; none has two clients.
"""

_PLAIN = StationConfig()

_TRIED = 100
"""Global rounds for which a schedule is tried before anything is trained."""


@dataclass(frozen=True, eq=False)
class Federation:
    """All parties of one run in one process.

    Attributes:
        config: what it was built from.
        dataset: restricted to the target labels, on the run's device, the training samples client by client.
        model: what is trained.
        stations: the base stations, by index.
    """

    config: TrainingConfig
    dataset: Dataset
    model: ModelSpec
    stations: tuple[Station, ...]

    def initial_state(self) -> State:
        """The global model before the first round: the parameters that its owner proposes."""
        return self.model.initial_state(self.config.seed)

    @property
    def device(self) -> torch.device:
        """Where its samples lie, and so it trains and judges."""
        return self.dataset.test.labels.device

    @property
    def objective(self) -> Objective:
        """What models are judged by."""
        return objective_of(self.config)

    def workspace(self) -> nn.Module:
        """A module to train and evaluate in, on the run's device: one serves all parties of a process."""
        return self.model.build(device=self.device)

    def evaluate(
        self, state: State, labels: Sequence[str] | None = None, workspace: nn.Module | None = None
    ) -> Evaluation:
        """Judge a model on the test samples of the target labels, or of some of them.

        Args:
            state: the model's parameters.
            labels: target labels to judge by (an owner's own interest); None: all of them.
            workspace: a module to compute in; its parameters are overwritten.

        Raises:
            DataError: a label is not a target label.
            ModelError: `state` is of another model.
            DivergedError: the loss is not a finite number.
        """
        test = self.dataset.test
        if labels is not None:
            if not self.dataset.has_classes:
                raise DataError("these samples have no target labels to choose from, but numbers to predict")
            names = self.dataset.label_names
            if unknown := [label for label in labels if label not in names]:
                raise DataError(f"not target labels of this model: {', '.join(unknown)} (it has {', '.join(names)})")
            kept = [names.index(label) for label in labels]
            test = test.take(np.flatnonzero(np.isin(test.labels.cpu().numpy(), kept)))
        module = self.workspace() if workspace is None else workspace
        return evaluate(module, state, test, self.stations[0].config.threads, self.objective)


def objective_of(config: TrainingConfig) -> Objective:
    """What a run's models are judged by: its metric, and the loss that its base stations minimise."""
    return Objective.of(config.station or StationConfig(), config.metric)


def build_federation(
    config: TrainingConfig, dataset: Dataset | None = None, partition: Parts | None = None
) -> Federation:
    """Load the samples of the target labels and split the training samples over base stations and clients.

    Args:
        config: what to build.
        dataset: the whole data set if it is loaded already, used instead of the one that the configuration names. Of
            a name that is not in `DEFAULTS` it needs a configuration with a `model`.
        partition: for each base station, for each of its clients, the indices of its training samples (among those of
            the target labels); None: as the configuration says.

    Raises:
        DataError: the data set, a label, the number of samples or the split cannot be had.
        ModelError: the model is unknown or does not fit the samples.
        TrainingError: the device is not there or cannot do what is asked of it, or a rule needs more models than
            there are.
    """
    if dataset is None:
        dataset = load_dataset(
            config.dataset,
            config.data_dir,
            targets=config.targets,
            train_images=config.train_images,
            test_images=config.test_images,
            seed=config.seed,
        )
    elif not isinstance(dataset, Dataset):
        raise DataError(f"dataset is {type(dataset).__name__}, not a Dataset: call the function that returns one")
    else:
        dataset = dataset.restricted_to(config.targets, config.train_images, config.test_images, config.seed)
    defaults = DEFAULTS.get(dataset.name)
    suited = _PLAIN if defaults is None else defaults.station
    station = config.station or suited
    name = config.model if config.model or defaults is None else defaults.model
    if name is None:
        raise TrainingError(f"no model is known to suit the data set {dataset.name!r}: give one (model, --model)")
    if not dataset.has_classes and (CLASSIFY.loss == station.loss or CLASSIFY.metric == config.metric):
        raise TrainingError(
            "the labels are numbers to predict, no classes: give a loss and a metric for them, such as "
            "mse_loss and within(tolerance=0.1)"
        )
    model = ModelSpec(name, dataset.input_shape, len(dataset.label_names))
    strategy = strategy_of(config)
    known = model.has_images and dataset.train.inputs.dtype == torch.uint8
    objective, device = objective_of(config), pick_device(config.device)
    split = _split(config, dataset.train, partition)  # which says first where there are too few samples
    each_station = [config.per_station.get(index, station) for index in range(config.stations)]
    settings = _recorded(each_station, model, strategy, device)
    _check_rules(config, settings, [len(clients) for clients in split])
    for each in dict.fromkeys(settings):
        check_precision(each.precision, device)
        check_graphs(bool(each.graphs), device)
        if each.augment and not model.has_images:
            raise TrainingError(f"augment is for images, and inputs of shape {dataset.input_shape} are none")
        if each.optimizer != "SGD" and each.momentum not in (0, _PLAIN.momentum, suited.momentum):
            log.warning(
                "momentum %g is of plain SGD, and %s does not get it: give it as in 'SGD(momentum=0.9)'",
                each.momentum,
                each.optimizer,
            )
        rate_in(each, min(config.rounds, _TRIED) - 1)
        with asked(strategy):
            strategy.check(each)
        if each.transform:
            function_of(each.transform, "transform")
        if model.is_own or not known or (each.optimizer, each.loss) != (_PLAIN.optimizer, _PLAIN.loss):
            model.check(dataset.train, each)
    if (objective.loss, objective.metric) != (CLASSIFY.loss, CLASSIFY.metric):
        tried = dataset.test.take(np.arange(min(2, len(dataset.test))))
        judge(model.build(), model.initial_state(0), tried, 1, objective)
    # One copy of the samples, client by client, which are views of it.
    parts = [part for clients in split for part in clients]
    train = dataset.train.take(np.concatenate(parts)).to(device)
    views = iter(train.cut([len(part) for part in parts]))
    stations = tuple(
        Station(index, model, tuple(islice(views, len(clients))), settings[index], config.seed, strategy)
        for index, clients in enumerate(split)
    )
    return Federation(config, replace(dataset, train=train, test=dataset.test.to(device)), model, stations)


def _recorded(
    stations: Sequence[StationConfig], model: ModelSpec, strategy: Strategy, device: torch.device
) -> Sequence[StationConfig]:
    """The settings, with steps recorded where that is left open and a GPU gains by it; says where they cannot be."""
    if device.type != "cuda":
        return stations
    reasons = [_unrecordable(each, model, strategy) if each.graphs is None else "" for each in stations]
    for reason in dict.fromkeys(filter(None, reasons)):
        log.warning(
            "clients' steps are not recorded (%s): the GPU waits for each operation, and base stations for each other",
            reason,
        )
    return [
        replace(each, graphs=True) if each.graphs is None and not reason else each
        for each, reason in zip(stations, reasons, strict=True)
    ]


def _unrecordable(station: StationConfig, model: ModelSpec, strategy: Strategy) -> str:
    """Why steps are not recorded unless that is asked for; empty where they are.

    Not where the code is anybody's: what it does besides operations on the GPU would be done once and never again.
    """
    if not station.recordable:
        return "an optimizer or a schedule is named"
    if type(strategy).correction is not Strategy.correction:
        return f"{type(strategy).__name__} corrects them"
    return "" if is_ours(model, station) else "a model, loss or transform is one's own: --graphs asks for it"


def is_ours(model: ModelSpec, station: StationConfig) -> bool:
    """Whether a client's steps run no code of others: a model, loss or transform of one's own."""
    return not (model.is_own or is_path(station.loss) or station.transform is not None)


def _split(config: TrainingConfig, train: Samples, given: Parts | None) -> Sequence[Sequence[Indices]]:
    seed = derive_seed(config.seed, Stream.SPLIT)
    if given is not None and (config.alpha, config.shards, config.partition) != (None, None, None):
        raise TrainingError("there are a partition and one that the configuration asks for: give one of them")
    if given is None and config.partition is None:
        labels = train.labels.cpu().numpy()
        return split_hierarchy(labels, config.stations, config.clients, config.alpha, seed, config.shards)
    if given is None:
        function: Partition = resolve(str(config.partition), "partition")
        with asking(f"the partition {config.partition} fails", DataError):
            given = function(train, config.stations, config.clients, seed)
    return check_parts(given, len(train), config.stations)


def _check_rules(config: TrainingConfig, stations: Sequence[StationConfig], clients: Sequence[int]) -> None:
    needs = [(config.rule, config.stations, "base stations")]
    for station, count in zip(stations, clients, strict=True):
        needs.append((station.rule, count_drawn(station, count), "clients drawn by a base station"))
    for rule, models, what in needs:
        if models < rule.least:
            raise TrainingError(f"{rule} needs at least {rule.least} models; there are {models} {what}")
