"""Data sets in memory, restricted to a proposal's target labels.

Images are uint8 tensors and become floats a batch at a time (`to_input`): a quarter of the memory, and no
statistics of the data to agree on between parties. A data set of one's own may hold any other tensors instead, such as
vectors of floats or numbers of words, which are a model's input as they are. `data.md` shows how.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fl.training.data.libraries import LIBRARIES, library_source
from fl.training.data.sources import DOWNLOAD_DIR, SOURCES, Part, Source
from fl.training.data.splits import Indices
from fl.training.errors import DataError
from fl.training.named import asking, is_path, resolve
from fl.training.seeds import Stream, derive_seed

if TYPE_CHECKING:
    import torch

Shape: TypeAlias = tuple[int, ...]
"""Of one input; of an image channels, height, width."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled images, or whatever else a model learns from.

    Attributes:
        inputs: [n, *shape]: of bytes, 0 … 255, such as images [n, channels, height, width]; or of another type, which a
            model is given as it is.
        labels: int64 [n], indices into the data set's label names; or floats [n, outputs], what a model is to give.
    """

    inputs: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Indices) -> Samples:
        """The samples at these indices, in their order."""
        import torch

        chosen = torch.from_numpy(indices).to(self.labels.device)
        return Samples(self.inputs[chosen], self.labels[chosen])

    def cut(self, sizes: Sequence[int]) -> tuple[Samples, ...]:
        """Consecutive parts of these sizes; views, which hold no sample twice."""
        parts = zip(self.inputs.split(list(sizes)), self.labels.split(list(sizes)), strict=True)
        return tuple(Samples(inputs, labels) for inputs, labels in parts)

    def to(self, device: str | torch.device) -> Samples:
        """The samples on a device; themselves if they are there."""
        return Samples(self.inputs.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set, or what is left of it for some target labels.

    Attributes:
        name: "digits", "cifar10", or another for data of one's own.
        label_names: name of each label; a label's index is the model's output for it. Where labels are floats, the name
            of each output.
        train: what is split over the clients.
        test: what models are judged by; the same for every party and seed.

    Raises:
        DataError: a label has two or no names, labels are neither int64 nor floats [n, outputs], there are not as many
            inputs as labels, a number is not finite, or inputs for training and testing differ in shape or type.
    """

    name: str
    label_names: tuple[str, ...]
    train: Samples
    test: Samples

    def __post_init__(self) -> None:
        object.__setattr__(self, "label_names", tuple(self.label_names))  # a list means the same
        if bad := [name for name in self.label_names if not isinstance(name, str)]:
            raise DataError(f"a label's name is text, not {bad[0]!r}")
        if len(set(self.label_names)) != len(self.label_names):
            raise DataError(f"a label is named twice: {listed(self.label_names)}")
        for what, part in (("training", self.train), ("test", self.test)):
            _check_inputs(part, what)
            _check_labels(part.labels, self.label_names, what)
        one, other = self.train.inputs, self.test.inputs
        if one.shape[1:] != other.shape[1:]:
            raise DataError(f"training and test samples differ in size: {_sizes(one)} and {_sizes(other)}")
        if one.dtype != other.dtype:
            raise DataError(f"training and test samples differ in type: {one.dtype} and {other.dtype}")

    @property
    def input_shape(self) -> Shape:
        """Of one input; of an image channels, height, width."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def has_classes(self) -> bool:
        """Whether each label is one of the named ones, rather than the numbers that a model is to give."""
        return self.train.labels.dim() == 1

    def restricted_to(
        self,
        targets: Sequence[str] | None = None,
        train_images: int | None = None,
        test_images: int | None = None,
        seed: int = 0,
    ) -> Dataset:
        """What `load_dataset` with the same arguments loads, from what is loaded already."""
        train, test = (
            Part(part.labels.cpu().numpy(), part.inputs.cpu().__getitem__) for part in (self.train, self.test)
        )
        return _load(self.name, self.label_names, train, test, targets, train_images, test_images, seed)


def digest_of(label_names: Sequence[str], parts: Iterable[Samples]) -> str:
    """SHA-256 over label names, and the inputs and labels of each part, in their order: equal data, equal digests."""
    total = hashlib.sha256("\0".join(label_names).encode())
    for part in parts:
        for tensor in (part.inputs, part.labels):
            total.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
            total.update(tensor.cpu().contiguous().numpy().data)
    return total.hexdigest()


def _check_inputs(part: Samples, what: str) -> None:
    import torch

    if not isinstance(part, Samples):
        raise DataError(f"the {what} part is {type(part).__name__}, not fl.training.data.dataset.Samples")
    for name, each in (("inputs", part.inputs), ("labels", part.labels)):
        if not isinstance(each, torch.Tensor) or each.layout != torch.strided or each.dim() == 0:
            kind = str(each.layout) if isinstance(each, torch.Tensor) else type(each).__name__
            raise DataError(
                f"{what} {name} are {kind if kind != 'torch.strided' else 'one number'}, not a dense tensor of n: "
                "torch.from_numpy makes one of an array, to_dense of a sparse one"
            )
        if each.is_floating_point() and not _all_finite(each):
            number = int((~each.isfinite()).reshape(len(each), -1).any(1).nonzero()[0])
            raise DataError(f"training and test {name} are finite numbers; {what} sample {number} has another")
    if len(part.inputs) != len(part.labels):
        raise DataError(f"there are {len(part.inputs)} {what} samples and {len(part.labels)} labels of them")
    if part.inputs.dim() < 2 or part.inputs.is_complex():
        shape = list(part.inputs.shape)
        raise DataError(
            f"inputs are [n, *shape] of real numbers, such as [n, 1] of a single one each, and the {what} samples' are "
            f"{part.inputs.dtype} {shape}"
        )


def _all_finite(values: torch.Tensor) -> bool:
    """Without a copy where they are, as a sum shows: one that is not finite may be of numbers that are."""
    import torch

    return bool(values.sum(dtype=torch.float64).isfinite()) or bool(values.isfinite().all())


def _check_labels(labels: torch.Tensor, names: Sequence[str], what: str) -> None:
    if labels.is_floating_point() and labels.dim() > 1:
        if tuple(labels.shape[1:]) != (len(names),):
            raise DataError(
                f"{what} labels of floats are [n, {len(names)}], a number for each of {listed(names)}, "
                f"not {list(labels.shape)}"
            )
        return
    if str(labels.dtype) != "torch.int64" or labels.dim() != 1:
        raise DataError(
            f"labels are torch.int64 [n] to classify, floats [n, outputs] for anything else, and the {what} samples' "
            f"are {labels.dtype} {list(labels.shape)}"
        )
    if not len(labels):
        return
    least, most = int(labels.min()), int(labels.max())
    if least < 0 or most >= len(names):
        raise DataError(
            f"a {what} sample has label {least if least < 0 else most}; the {len(names)} label names "
            f"are for 0 … {len(names) - 1}"
        )


def _sizes(inputs: torch.Tensor) -> str:
    return "×".join(map(str, inputs.shape[1:])) or "1"


def listed(labels: Iterable[str]) -> str:
    """Labels for people, as the command line takes them: one that holds a comma stands in quotes."""
    return ", ".join('"{}"'.format(label.replace('"', '""')) if "," in label else label for label in labels)


def labels_of(dataset: str, data_dir: Path | str | None = None) -> tuple[str, ...]:
    """The label names of a data set, without loading it (and without torch).

    Raises:
        DataError: the data set is unknown, or the folder does not have the right layout.
    """
    folder = None if data_dir is None else Path(data_dir)
    return load_own(dataset, folder).label_names if is_own(dataset) else _source_of(dataset).label_names(folder)


def check_targets(label_names: Sequence[str], targets: Sequence[str]) -> list[int]:
    """Indices of the target labels in ascending order.

    Raises:
        DataError: a label is unknown or named twice, or there are fewer than two.
    """
    places = {name: place for place, name in enumerate(label_names)}
    if unknown := [target for target in targets if target not in places]:
        raise DataError(f"unknown target labels {listed(unknown)}: choose from {listed(label_names)}")
    if len(set(targets)) != len(targets):
        raise DataError(f"a target label is named twice: {listed(targets)}")
    if len(targets) < 2:
        raise DataError(f"a model tells at least two target labels apart, not {len(targets)}")
    return sorted(places[target] for target in targets)


def _source_of(dataset: str) -> Source:
    library, mark, name = dataset.partition(":")
    if mark and library in LIBRARIES:
        return library_source(library, name)
    if dataset not in SOURCES:
        raise DataError(
            f"unknown data set {dataset!r}: choose one of {', '.join(SOURCES)}, "
            f"{', '.join(f'{library}:<name>' for library in LIBRARIES)}, or give the dotted path of a function"
        )
    return SOURCES[dataset]


def is_own(name: str) -> bool:
    """Whether the name of a data set is the path of a function, which loading it imports and calls."""
    return name.partition(":")[0] not in LIBRARIES and is_path(name)


@lru_cache(maxsize=1)
def load_own(name: str, data_dir: Path | None) -> Dataset:
    """What a function of one's own returns, called with the folder if there is one; kept until another is asked for.

    Raises:
        DataError: it cannot be found, it fails, or what it returns is no data set.
    """
    with asking(f"the data set {name} cannot be loaded", DataError):
        dataset = resolve(name, "data set")(*() if data_dir is None else (data_dir,))
    if not isinstance(dataset, Dataset):
        raise DataError(f"{name} returns {type(dataset).__name__}, not a fl.training.data.dataset.Dataset")
    return dataset


def load_dataset(
    name: str,
    data_dir: Path | str | None = None,
    *,
    targets: Sequence[str] | None = None,
    train_images: int | None = None,
    test_images: int | None = None,
    seed: int = 0,
    download_dir: Path = DOWNLOAD_DIR,
) -> Dataset:
    """Load a data set, or the part of it that is needed, into memory.

    Args:
        name: "digits": scikit-learn's 1,797 digits, a fixed fifth of each label for testing; no download.
            "cifar10": CIFAR-10, 50,000 and 10,000 images, downloaded by torchvision unless it is there.
            "sklearn:wine", "torchvision:FashionMNIST": one of those libraries' own, where its files are at hand
            (`fl.training.data.libraries`). "package.module:function": what a function of one's own returns.
        data_dir: for "cifar10", read this folder instead of downloading: images in torchvision's `ImageFolder`
            layout, `train/<label>/` and `test/<label>/`, all of one size; or `cifar-10-batches-py`, as torchvision
            downloads it. For others where their files are; it is the argument of a function of one's own.
        targets: keep the samples of these labels only, which get the numbers 0 … len(targets) − 1 in the order
            of the data set (a set of targets is one task, in whichever order they are named); None: all.
        train_images: keep only so many of the training images, drawn by the seed (the paper's section V-B
            trains on 10,000); None: all.
        test_images: keep only so many of the test images, the same for every seed; None: all.
        seed: of the draw of training samples.
        download_dir: where torchvision keeps the download.

    Raises:
        DataError: the data set or a target label is unknown, there are not that many samples, the folder does
            not have the right layout, or the download failed.
    """
    data_dir = None if data_dir is None else Path(data_dir)
    if is_own(name):
        return load_own(name, data_dir).restricted_to(targets, train_images, test_images, seed)
    source = _source_of(name)
    label_names = source.label_names(data_dir)
    train, test = source.open(data_dir, download_dir)
    return _load(name, label_names, train, test, targets, train_images, test_images, seed)


def to_input(inputs: torch.Tensor) -> torch.Tensor:
    """A model's input, of the same shape: bytes 0 … 255 are scaled to [−1, 1], in torch's default type.

    Floats keep their values in that type, and other numbers, such as those of words, are left as they are.
    """
    import torch

    if inputs.dtype == torch.uint8:
        return inputs.to(torch.get_default_dtype()).div_(127.5).sub_(1)
    return inputs.to(torch.get_default_dtype()) if inputs.is_floating_point() else inputs


def _load(
    name: str,
    label_names: tuple[str, ...],
    train: Part,
    test: Part,
    targets: Sequence[str] | None,
    train_images: int | None,
    test_images: int | None,
    seed: int,
) -> Dataset:
    if train.labels.ndim > 1:
        if targets is not None:
            raise DataError(f"there are no target labels to choose from: {listed(label_names)} are numbers to predict")
        kept = None
    else:
        kept = check_targets(label_names, label_names if targets is None else targets)
    return Dataset(
        name,
        label_names if kept is None else tuple(label_names[label] for label in kept),
        _choose(train, kept, train_images, derive_seed(seed, Stream.SUBSET), "training"),
        _choose(test, kept, test_images, derive_seed(0, Stream.SUBSET), "test"),
    )


def _choose(part: Part, kept: Sequence[int] | None, count: int | None, seed: int, what: str) -> Samples:
    import torch

    indices = np.arange(len(part.labels)) if kept is None else np.flatnonzero(np.isin(part.labels, kept))
    if count is not None:
        if count > len(indices):
            raise DataError(f"{count} {what} samples were asked for, the target labels have {len(indices)}")
        indices = np.sort(np.random.default_rng(seed).choice(indices, count, replace=False))
    labels = part.labels[indices]
    return Samples(part.inputs(indices), torch.from_numpy(labels if kept is None else np.searchsorted(kept, labels)))
