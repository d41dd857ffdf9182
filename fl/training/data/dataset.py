"""Data sets in memory, restricted to a proposal's target labels.

Images are uint8 tensors and become floats a batch at a time (`to_float`): a quarter of the memory, and no
statistics of the data to agree on between parties. A data set of one's own may hold images of floats instead, which
are a model's input as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fl.training.data.sources import DOWNLOAD_DIR, Part, source_of
from fl.training.data.splits import Indices
from fl.training.errors import DataError
from fl.training.seeds import Stream, derive_seed

if TYPE_CHECKING:
    import torch

ImageShape: TypeAlias = tuple[int, int, int]
"""Channels, height, width."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled images.

    Attributes:
        images: [n, channels, height, width]: uint8, 0 … 255; or floats, which a model is given as they are.
        labels: int64 [n], indices into the data set's label names.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Indices) -> Samples:
        """The samples at these indices, in their order."""
        import torch

        chosen = torch.from_numpy(indices).to(self.labels.device)
        return Samples(self.images[chosen], self.labels[chosen])

    def cut(self, sizes: Sequence[int]) -> tuple[Samples, ...]:
        """Consecutive parts of these sizes; views, which hold no image twice."""
        parts = zip(self.images.split(list(sizes)), self.labels.split(list(sizes)), strict=True)
        return tuple(Samples(images, labels) for images, labels in parts)

    def to(self, device: str | torch.device) -> Samples:
        """The samples on a device; themselves if they are there."""
        return Samples(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set, or what is left of it for some target labels.

    Attributes:
        name: "digits", "cifar10", or another for data of one's own.
        label_names: name of each label; a label's index is the model's output for it.
        train: what is split over the clients.
        test: what models are judged by; the same for every party and seed.

    Raises:
        DataError: a label has two or no names, labels are no int64, or there are not as many images as labels.
    """

    name: str
    label_names: tuple[str, ...]
    train: Samples
    test: Samples

    def __post_init__(self) -> None:
        if len(set(self.label_names)) != len(self.label_names):
            raise DataError(f"a label is named twice: {listed(self.label_names)}")
        for what, part in (("training", self.train), ("test", self.test)):
            if len(part.images) != len(part.labels):
                raise DataError(f"there are {len(part.images)} {what} images and {len(part.labels)} labels of them")
            if str(part.labels.dtype) != "torch.int64":
                raise DataError(f"labels are int64, not {part.labels.dtype} as those of the {what} images")
            if not len(part.labels):
                continue
            least, most = int(part.labels.min()), int(part.labels.max())
            if least < 0 or most >= len(self.label_names):
                raise DataError(
                    f"a {what} image has label {least if least < 0 else most}; the {len(self.label_names)} label names "
                    f"are for 0 … {len(self.label_names) - 1}"
                )

    @property
    def image_shape(self) -> ImageShape:
        """Channels, height, width."""
        channels, height, width = self.train.images.shape[1:]
        return (channels, height, width)

    def restricted_to(
        self,
        targets: Sequence[str] | None = None,
        train_images: int | None = None,
        test_images: int | None = None,
        seed: int = 0,
    ) -> Dataset:
        """What `load_dataset` with the same arguments loads, from what is loaded already."""
        train, test = (
            Part(part.labels.cpu().numpy(), part.images.cpu().__getitem__) for part in (self.train, self.test)
        )
        return _load(self.name, self.label_names, train, test, targets, train_images, test_images, seed)


def digest_of(label_names: Sequence[str], parts: Iterable[Samples]) -> str:
    """SHA-256 over label names and the images and labels of each part, in their order: equal data, equal digests."""
    total = hashlib.sha256("\0".join(label_names).encode())
    for part in parts:
        for tensor in (part.images, part.labels):
            total.update(f"{tuple(tensor.shape)}{tensor.dtype}".encode())
            total.update(tensor.cpu().contiguous().numpy().data)
    return total.hexdigest()


def listed(labels: Iterable[str]) -> str:
    """Labels for people, as the command line takes them: one that holds a comma stands in quotes."""
    return ", ".join('"{}"'.format(label.replace('"', '""')) if "," in label else label for label in labels)


def labels_of(dataset: str, data_dir: Path | str | None = None) -> tuple[str, ...]:
    """The label names of a data set, without loading it (and without torch).

    Raises:
        DataError: the data set is unknown, or the folder does not have the right layout.
    """
    return source_of(dataset).label_names(None if data_dir is None else Path(data_dir))


def check_targets(label_names: Sequence[str], targets: Sequence[str]) -> list[int]:
    """Indices of the target labels in ascending order.

    Raises:
        DataError: a label is unknown or named twice, or there are fewer than two.
    """
    if unknown := [target for target in targets if target not in label_names]:
        raise DataError(f"unknown target labels {listed(unknown)}: choose from {listed(label_names)}")
    if len(set(targets)) != len(targets):
        raise DataError(f"a target label is named twice: {listed(targets)}")
    if len(targets) < 2:
        raise DataError(f"a model tells at least two target labels apart, not {len(targets)}")
    return sorted(label_names.index(target) for target in targets)


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
        data_dir: for "cifar10", read this folder instead of downloading: images in torchvision's `ImageFolder`
            layout, `train/<label>/` and `test/<label>/`, all of one size; or `cifar-10-batches-py`, as torchvision
            downloads it.
        targets: keep the images of these labels only, which get the numbers 0 … len(targets) − 1 in the order
            of the data set (a set of targets is one task, in whichever order they are named); None: all.
        train_images: keep only so many of the training images, drawn by the seed (the paper's section V-B
            trains on 10,000); None: all.
        test_images: keep only so many of the test images, the same for every seed; None: all.
        seed: of the draw of training images.
        download_dir: where torchvision keeps the download.

    Raises:
        DataError: the data set or a target label is unknown, there are not that many images, the folder does
            not have the right layout, or the download failed.
    """
    source, data_dir = source_of(name), None if data_dir is None else Path(data_dir)
    label_names = source.label_names(data_dir)
    train, test = source.open(data_dir, download_dir)
    return _load(name, label_names, train, test, targets, train_images, test_images, seed)


def to_float(images: torch.Tensor) -> torch.Tensor:
    """A model's input, of torch's default type and the same shape: whole numbers 0 … 255 are scaled to [−1, 1].

    Floats keep their values: they are an input already.
    """
    import torch

    if images.is_floating_point():
        return images.to(torch.get_default_dtype())
    return images.to(torch.get_default_dtype()).div_(127.5).sub_(1)


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
    kept = check_targets(label_names, label_names if targets is None else targets)
    dataset = Dataset(
        name,
        tuple(label_names[label] for label in kept),
        _choose(train, kept, train_images, derive_seed(seed, Stream.SUBSET), "training"),
        _choose(test, kept, test_images, derive_seed(0, Stream.SUBSET), "test"),
    )
    if dataset.train.images.shape[1:] != dataset.test.images.shape[1:]:
        raise DataError("training and test images differ in size")
    return dataset


def _choose(part: Part, kept: Sequence[int], count: int | None, seed: int, what: str) -> Samples:
    import torch

    indices = np.flatnonzero(np.isin(part.labels, kept))
    if count is not None:
        if count > len(indices):
            raise DataError(f"{count} {what} images were asked for, the target labels have {len(indices)}")
        indices = np.sort(np.random.default_rng(seed).choice(indices, count, replace=False))
    return Samples(part.images(indices), torch.from_numpy(np.searchsorted(kept, part.labels[indices])))
