"""Data sets of scikit-learn and torchvision by their names there, where their files are at hand.

`sklearn:wine` is `sklearn.datasets.load_wine`, which comes with the library, and `sklearn:covtype` what
`fetch_covtype` finds in `data_dir` (without one, where scikit-learn keeps what it downloads). A fifth is for testing,
the same for everyone; each feature has mean 0 and deviation 1 over the rest. Where the target is a number, the model is
to predict it, with mean 0 and deviation 1 too.

`torchvision:FashionMNIST` is `torchvision.datasets.FashionMNIST` in `data_dir`: any that has `train` and `test` images
of one size in memory. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.training.data.sources import Part, Source
from fl.training.errors import DataError
from fl.training.named import asking, split

_TEST_SHARE = 0.2


def library_source(library: str, text: str) -> Source:
    """A library's data set as a source.

    Args:
        library: in `LIBRARIES`.
        text: the data set's name there, with arguments if need be (`fl.training.named`).
    """
    open_ = lru_cache(maxsize=1)(partial(LIBRARIES[library], text))
    return Source(lambda folder: open_(folder)[0], lambda folder, _: open_(folder)[1:])


def _of_sklearn(text: str, folder: Path | None) -> tuple[tuple[str, ...], Part, Part]:
    import torch
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    name, arguments = split(text, "data set")
    load = getattr(datasets, f"load_{name}", None)
    if load is not None and folder is not None:
        raise DataError(f"{name} comes with scikit-learn: leave the data folder out")
    if load is None and (load := getattr(datasets, f"fetch_{name}", None)) is not None:
        arguments = {"download_if_missing": False, "data_home": folder and str(folder), **arguments}
    if load is None:
        raise DataError(f"scikit-learn has no data set {name!r}")
    with asking(f"scikit-learn's data set {name} cannot be loaded", DataError):
        bunch = load(**arguments)
        if not hasattr(bunch, "data") or not hasattr(bunch, "target"):
            raise DataError(f"scikit-learn's data set {name} is no table with a target")
        inputs = bunch.data.toarray() if hasattr(bunch.data, "toarray") else np.asarray(bunch.data)
        inputs, labels, names = inputs.astype(np.float64), np.asarray(bunch.target), bunch.get("target_names")
    classes = np.issubdtype(labels.dtype, np.integer) and labels.ndim == 1
    where = np.arange(len(labels))
    train, test = train_test_split(where, test_size=_TEST_SHARE, stratify=labels if classes else None, random_state=0)
    if classes:
        values, labels = np.unique(labels, return_inverse=True)
        known = names is not None and len(names) == len(values)
        label_names = tuple(map(str, names if known else values))
    else:
        labels = labels.reshape(len(labels), -1).astype(np.float64)
        known = names is not None and len(names) == labels.shape[1]
        label_names = tuple(map(str, names)) if known else tuple(f"y{index}" for index in range(labels.shape[1]))
        labels = _standardised(labels, train)
    tensor = torch.from_numpy(_standardised(inputs, train))
    ours, theirs = (Part(labels[part], tensor[torch.from_numpy(part)].__getitem__) for part in (train, test))
    return label_names, ours, theirs


def _standardised(values: NDArray[np.float64], over: NDArray[np.int64]) -> NDArray[np.float32]:
    """Each column with mean 0 and deviation 1 over some rows; one that is the same in all of them is 0."""
    deviation = values[over].std(axis=0)
    result: NDArray[np.float64] = (values - values[over].mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return result.astype(np.float32)


def _of_torchvision(text: str, folder: Path | None) -> tuple[tuple[str, ...], Part, Part]:
    from torchvision import datasets

    name, arguments = split(text, "data set")
    if folder is None:
        raise DataError(f"torchvision's data set {name} is read from a folder: name it (data_dir)")
    if not isinstance(kind := getattr(datasets, name, None), type):
        raise DataError(f"torchvision has no data set {name!r}")
    with asking(f"torchvision's data set {name} in {folder} cannot be loaded", DataError):
        train, test = (kind(str(folder), train=which, download=False, **arguments) for which in (True, False))
        return tuple(map(str, train.classes)), _images(train), _images(test)


def _images(dataset: Any) -> Part:
    import torch

    images, labels = torch.as_tensor(dataset.data), np.asarray(dataset.targets, dtype=np.int64)
    if images.dim() == len(("n", "height", "width")):
        images = images[:, None]
    elif not isinstance(dataset.data, torch.Tensor):  # arrays have their channels last
        images = images.permute(0, 3, 1, 2)
    return Part(labels, images.contiguous().__getitem__)


LIBRARIES: Mapping[str, Callable[[str, Path | None], tuple[tuple[str, ...], Part, Part]]] = {
    "sklearn": _of_sklearn,
    "torchvision": _of_torchvision,
}
"""Label names, training part and test part of a data set by its name in the library."""
