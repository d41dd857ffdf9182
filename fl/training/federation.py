"""Put the parties of a run together: data split over base stations, a model, a judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from fl.training.config import DEFAULTS, TrainingConfig
from fl.training.data import Dataset, load_dataset
from fl.training.edge import Station
from fl.training.errors import DataError
from fl.training.evaluation import Evaluation, evaluate
from fl.training.models import ModelSpec
from fl.training.seeds import Stream, derive_seed
from fl.training.splits import split_hierarchy
from fl.training.state import State


@dataclass(frozen=True, eq=False)
class Federation:
    """All parties of one run in one process.

    Attributes:
        config: what it was built from.
        dataset: restricted to the target labels.
        model: what is trained.
        stations: the base stations, by index.
    """

    config: TrainingConfig
    dataset: Dataset
    model: ModelSpec
    stations: tuple[Station, ...]

    def initial_state(self) -> State:
        """The global model before the first round: the parameters that its owner proposes."""
        return self.model.initial_state(derive_seed(self.config.seed, Stream.MODEL))

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
            test = test.take(np.flatnonzero(np.isin(test.labels.numpy(), kept)))
        module = self.model.build() if workspace is None else workspace
        return evaluate(module, state, test, self.stations[0].config.threads)


def build_federation(config: TrainingConfig, dataset: Dataset | None = None) -> Federation:
    """Load the images of the target labels and split the training images over base stations and clients.

    Args:
        config: what to build.
        dataset: the whole data set if it is loaded already; it must be the one that the configuration names.

    Raises:
        DataError: the data set, a label, the number of images or the split cannot be had.
        ModelError: the model is unknown or does not fit the images.
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
    defaults = DEFAULTS[dataset.name]
    station = config.station or defaults.station
    model = ModelSpec(config.model or defaults.model, dataset.image_shape, len(dataset.label_names))
    seed = derive_seed(config.seed, Stream.SPLIT)
    split = split_hierarchy(dataset.train.labels.numpy(), config.stations, config.clients, config.alpha, seed)
    stations = tuple(
        Station(index, model, tuple(dataset.train.take(part) for part in parts), station, config.seed)
        for index, parts in enumerate(split)
    )
    return Federation(config, dataset, model, stations)
