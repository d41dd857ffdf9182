"""Put the parties of a run together: data split over base stations, a model, a judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from fl.training.config import DEFAULTS, StationConfig, TrainingConfig
from fl.training.data.dataset import Dataset, load_dataset
from fl.training.data.splits import split_hierarchy
from fl.training.errors import DataError, TrainingError
from fl.training.model.evaluation import Evaluation, evaluate
from fl.training.model.parameters import State
from fl.training.model.runtime import check_graphs, check_precision, pick_device
from fl.training.model.spec import ModelSpec
from fl.training.participation import count_drawn
from fl.training.seeds import Stream, derive_seed
from fl.training.station import Station


@dataclass(frozen=True, eq=False)
class Federation:
    """All parties of one run in one process.

    Attributes:
        config: what it was built from.
        dataset: restricted to the target labels, on the run's device, the training images client by client.
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

    def workspace(self) -> nn.Module:
        """A module to train and evaluate in, on the run's device: one serves all parties of a process."""
        return self.model.build(device=self.dataset.test.labels.device)

    def evaluate(
        self, state: State, labels: Sequence[str] | None = None, workspace: nn.Module | None = None
    ) -> Evaluation:
        """Judge a model on the test images of the target labels, or of some of them.

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
            names = self.dataset.label_names
            if unknown := [label for label in labels if label not in names]:
                raise DataError(f"not target labels of this model: {', '.join(unknown)} (it has {', '.join(names)})")
            kept = [names.index(label) for label in labels]
            test = test.take(np.flatnonzero(np.isin(test.labels.cpu().numpy(), kept)))
        module = self.workspace() if workspace is None else workspace
        return evaluate(module, state, test, self.stations[0].config.threads)


def build_federation(config: TrainingConfig, dataset: Dataset | None = None) -> Federation:
    """Load the images of the target labels and split the training images over base stations and clients.

    Args:
        config: what to build.
        dataset: the whole data set if it is loaded already, used instead of the one that the configuration names. Of
            a name that is not in `DEFAULTS` it needs a configuration with `model` and `station`.

    Raises:
        DataError: the data set, a label, the number of images or the split cannot be had.
        ModelError: the model is unknown or does not fit the images.
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
    else:
        dataset = dataset.restricted_to(config.targets, config.train_images, config.test_images, config.seed)
    defaults = DEFAULTS.get(dataset.name)
    station = config.station if config.station or defaults is None else defaults.station
    name = config.model if config.model or defaults is None else defaults.model
    if station is None or name is None:
        raise TrainingError(
            f"nothing is known of what suits the data set {dataset.name!r}: give a model and a station's settings"
        )
    _check_rules(config, station)
    model = ModelSpec(name, dataset.image_shape, len(dataset.label_names))
    if model.is_own:
        model.check()
    device = pick_device(config.device)
    check_precision(station.precision, device)
    check_graphs(station.graphs, device)
    seed = derive_seed(config.seed, Stream.SPLIT)
    labels = dataset.train.labels.cpu().numpy()
    split = split_hierarchy(labels, config.stations, config.clients, config.alpha, seed, config.shards)
    # One copy of the images, client by client, which are views of it.
    parts = [part for parts in split for part in parts]
    train = dataset.train.take(np.concatenate(parts)).to(device)
    clients = train.cut([len(part) for part in parts])
    stations = tuple(
        Station(index, model, clients[first : first + config.clients], station, config.seed)
        for index, first in enumerate(range(0, len(clients), config.clients))
    )
    return Federation(config, replace(dataset, train=train, test=dataset.test.to(device)), model, stations)


def _check_rules(config: TrainingConfig, station: StationConfig) -> None:
    drawn = count_drawn(station, config.clients)
    for rule, models, what in (
        (station.rule, drawn, "clients drawn by a base station"),
        (config.rule, config.stations, "base stations"),
    ):
        if models < rule.least:
            raise TrainingError(f"{rule} needs at least {rule.least} models; there are {models} {what}")
