"""The file that every contender reads its data from, so that none spends time on JPEGs, and what follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import nn

from analysis.benchmarks.training.workload import Workload
from fl.training.data.dataset import Dataset, Samples, load_dataset
from fl.training.federation import build_federation
from fl.training.model.artefact import load_metadata, load_state, save_state
from fl.training.model.normalisation import GroupNorm
from fl.training.model.parameters import State
from fl.training.model.spec import MODELS, ModelSpec
from fl.training.seeds import Stream, derive_seed


def as_usual(module: nn.Module) -> nn.Module:
    """A module without what the engine's own does to be fast: each ReLU before its pooling, PyTorch's normalisations.

    The parameters are the module's and keep their names; the module itself is no longer to be used.
    """
    for part in list(module.modules()):
        for name, child in part.named_children():
            if isinstance(child, GroupNorm):
                usual = nn.GroupNorm(child.num_groups, child.num_channels, child.eps)
                usual.weight, usual.bias = child.weight, child.bias
                setattr(part, name, usual)
    if not isinstance(module, nn.Sequential):
        return module
    layers = list(module)
    for place in range(1, len(layers)):
        if isinstance(layers[place - 1], nn.MaxPool2d) and isinstance(layers[place], nn.ReLU):
            layers[place - 1], layers[place] = layers[place], layers[place - 1]
    return nn.Sequential(*layers)


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a contender starts from, on the CPU.

    Attributes:
        workload: what to do.
        dataset: training images, and the test images to judge by after each global round.
        clients: images of each client, the clients of a base station next to each other.
        spec: of the model.
        initial: its parameters.
    """

    workload: Workload
    dataset: Dataset
    clients: tuple[Samples, ...]
    spec: ModelSpec
    initial: State

    def module(self) -> nn.Module:
        """The model as it is usually written in PyTorch, at the initial parameters."""
        module = as_usual(MODELS[self.spec.name](self.spec.input_shape, self.spec.classes))
        module.load_state_dict(self.initial)
        return module

    def orders(self, global_round: int, client: int) -> Iterator[torch.Tensor]:
        """Indices of a client's images in the order to train on them, int64 [n], for each local epoch.

        `fl.training` draws the same, so that contenders differ in rounding only, and so do their accuracies.
        """
        station, number = divmod(client, self.workload.clients)
        seed = derive_seed(self.workload.seed, Stream.CLIENT, global_round, 0, station, number)
        random = torch.Generator().manual_seed(seed)
        for _ in range(self.workload.local_epochs):
            yield torch.randperm(len(self.clients[client]), generator=random)


def prepare(workload: Workload, data_dir: Path | None, path: Path) -> Samples:
    """Write the file.

    Returns:
        All test images, by which the models of all contenders are compared at the end.

    Raises:
        DataError: the data set cannot be had.
    """
    full = load_dataset(workload.dataset, data_dir, train_images=workload.train_images, seed=workload.seed)
    dataset = full.restricted_to(test_images=workload.judge_images, seed=workload.seed)
    tensors = {
        "train.inputs": dataset.train.inputs,
        "train.labels": dataset.train.labels,
        "test.inputs": dataset.test.inputs,
        "test.labels": dataset.test.labels,
    }
    path.write_bytes(save_state(tensors, {"workload": workload.as_json(), "labels": dataset.label_names}))
    return full.test


def read_dataset(path: Path) -> tuple[Workload, Dataset]:
    """Read the file as it is."""
    data = path.read_bytes()
    tensors, metadata = load_state(data), load_metadata(data)
    workload = Workload(**metadata["workload"])
    train, test = (Samples(tensors[f"{part}.inputs"], tensors[f"{part}.labels"]) for part in ("train", "test"))
    return workload, Dataset(workload.dataset, tuple(metadata["labels"]), train, test)


@lru_cache(maxsize=1)
def read(path: Path) -> Inputs:
    """Read the file, split the images, draw the initial parameters; once per process."""
    workload, dataset = read_dataset(path)
    federation = build_federation(workload.config(1, "cpu"), dataset)
    clients = tuple(samples for station in federation.stations for samples in station.clients)
    return Inputs(workload, federation.dataset, clients, federation.model, federation.initial_state())


def state_digest(state: State) -> str:
    """SHA-256 of parameters."""
    return hashlib.sha256(save_state(state)).hexdigest()


def images_digest(samples: Samples) -> int:
    """48 bits of the SHA-256 of a client's images and labels: a number, as Flower's clients can report one."""
    total = hashlib.sha256()
    for tensor in (samples.inputs, samples.labels):
        total.update(tensor.cpu().contiguous().numpy().tobytes())
    return int.from_bytes(total.digest()[:6], "big")


def split_digest(clients: Sequence[int]) -> str:
    """One digest of the clients' `images_digest`, whatever their order."""
    return hashlib.sha256(json.dumps(sorted(clients)).encode()).hexdigest()
