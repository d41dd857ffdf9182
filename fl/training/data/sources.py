"""Where images come from; nothing is decoded before it is known which are needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fl.faults import line_of
from fl.training.data.splits import Indices
from fl.training.errors import DataError

if TYPE_CHECKING:
    import torch

DOWNLOAD_DIR = Path(".cache/data")
"""Where torchvision keeps what it downloads, relative to the working directory."""

_DIGITS_TEST_SHARE = 0.2
_DIGITS_DEPTH = 16
_DIGITS = tuple("0123456789")
_BATCHES = "cifar-10-batches-py"
_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

Inputs: TypeAlias = "Callable[[Indices], torch.Tensor]"
"""The inputs at these indices, such as images: uint8 [n, channels, height, width]."""


@dataclass(frozen=True, eq=False)
class Part:
    """The training or the test images of a source, or what it has instead of images.

    Attributes:
        labels: of each image, shape [n]; or the numbers to predict, shape [n, outputs].
        inputs: gives the images at some indices.
    """

    labels: NDArray[Any]
    inputs: Inputs


@dataclass(frozen=True, eq=False)
class Source:
    """A data set that can be loaded; reading its labels needs no torch, opening it may."""

    label_names: Callable[[Path | None], tuple[str, ...]]
    open: Callable[[Path | None, Path], tuple[Part, Part]]


def _digits_labels(folder: Path | None) -> tuple[str, ...]:
    if folder is not None:
        raise DataError("digits come with scikit-learn: a data folder goes with cifar10")
    return _DIGITS


def _open_digits(folder: Path | None, download_dir: Path) -> tuple[Part, Part]:
    import torch
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = torch.from_numpy((digits.images[:, None] * (255 // _DIGITS_DEPTH)).astype(np.uint8))
    labels = digits.target.astype(np.int64)
    # the same test images for every party and seed
    parts = train_test_split(np.arange(len(labels)), test_size=_DIGITS_TEST_SHARE, stratify=labels, random_state=0)
    train, test = (Part(labels[part], images[part].__getitem__) for part in parts)
    return train, test


def _cifar10_labels(folder: Path | None) -> tuple[str, ...]:
    if folder is None or _parent_of_batches(folder) is not None:
        return _CIFAR10
    return _folder_labels(folder)


def _open_cifar10(folder: Path | None, download_dir: Path) -> tuple[Part, Part]:
    if folder is None:
        return _open_batches(download_dir, train=True, download=True), _open_batches(download_dir, train=False)
    if parent := _parent_of_batches(folder):
        return _open_batches(parent, train=True), _open_batches(parent, train=False)
    label_names = _folder_labels(folder)
    return _open_folder(folder / "train", label_names), _open_folder(folder / "test", label_names)


def _parent_of_batches(folder: Path) -> Path | None:
    """The folder that holds torchvision's `cifar-10-batches-py`, where `folder` is that or the batches themselves."""
    if (folder / _BATCHES).is_dir():
        return folder
    return folder.parent if folder.name == _BATCHES and folder.is_dir() else None


def _open_batches(folder: Path, *, train: bool, download: bool = False) -> Part:
    """CIFAR-10 as its authors publish it; torchvision checks each file against its published digest."""
    import torch
    from torchvision.datasets import CIFAR10

    try:
        source = CIFAR10(str(folder), train=train, download=download)
    except (OSError, RuntimeError) as error:
        if not download:
            raise DataError(f"{folder / _BATCHES} is incomplete or not CIFAR-10's Python version: {error}") from error
        raise DataError(
            f"CIFAR-10 could not be downloaded to {folder} ({error}): "
            "name a folder of its images instead (--data-dir: train/<label>/*.jpg and test/<label>/*.jpg)"
        ) from error
    images = torch.from_numpy(source.data).permute(0, 3, 1, 2).contiguous()
    return Part(np.array(source.targets, dtype=np.int64), images.__getitem__)


def _folder_labels(folder: Path) -> tuple[str, ...]:
    found: list[tuple[str, ...]] = []
    for part in ("train", "test"):
        if not (folder / part).is_dir():
            raise DataError(
                f"no folder {folder / part}: a data folder holds train/<label>/*.jpg and test/<label>/*.jpg, "
                f"or {_BATCHES}"
            )
        found.append(_subfolders(folder / part))
    if not found[0]:
        raise DataError(f"{folder / 'train'} holds no folder named by a label")
    if found[0] != found[1]:
        different = sorted(set(found[0]) ^ set(found[1]))
        raise DataError(f"{folder}/train and {folder}/test differ in labels: {', '.join(different)}")
    return found[0]


def _subfolders(folder: Path) -> tuple[str, ...]:
    """Names of the folders in a folder; hidden ones are no labels but some program's own."""
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not _is_hidden(entry))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            shown = os.fsencode(name)
            raise DataError(f"a folder in {folder} has a name that is no UTF-8, {shown!r}: rename it") from None
    return tuple(names)


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _open_folder(folder: Path, label_names: Sequence[str]) -> Part:
    import torch

    paths, labels = list[Path](), list[int]()
    for label, name in enumerate(label_names):
        found = _images_in(folder / name)
        if not found:
            raise DataError(f"images in {folder} cannot be read: there is none in {folder / name}")
        paths += found
        labels += [label] * len(found)

    def images(indices: Indices) -> torch.Tensor:
        pixels: list[NDArray[np.uint8]] = []
        for index in indices:
            pixels.append(_decode(paths[index]))
            if (size := pixels[-1].shape) != (first := pixels[0].shape):
                sizes = f"{size[1]}×{size[0]} and {first[1]}×{first[0]}"
                raise DataError(f"images in {folder} differ in size: {sizes} pixels ({paths[index]})")
        return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()

    return Part(np.array(labels, dtype=np.int64), images)


_SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""Of images, as torchvision's `ImageFolder` has them."""


def _images_in(folder: Path) -> list[Path]:
    """The images in a folder and its subfolders, hidden ones left out, in the order of torchvision's `ImageFolder`."""

    def refuse(error: OSError) -> None:
        raise DataError(f"images in {error.filename} cannot be read: {error.strerror}") from error

    found: list[Path] = []
    for root, _, names in sorted(os.walk(folder, onerror=refuse, followlinks=True)):
        if not any(part.startswith(".") for part in Path(root).relative_to(folder).parts):
            paths = [Path(root, name) for name in sorted(names)]
            found += [path for path in paths if path.suffix.lower() in _SUFFIXES and not _is_hidden(path)]
    return found


def _decode(path: Path) -> NDArray[np.uint8]:
    """An image as [height, width, 3]; of 16 bits per value the upper 8."""
    from PIL import Image

    if not path.is_file():  # a pipe would wait for somebody to write to it
        raise DataError(f"not an image that can be read: {path} is no file")
    try:
        with Image.open(path) as image:
            if image.mode.startswith("I;16"):
                grey = (np.asarray(image) >> 8).astype(np.uint8)
                return np.repeat(grey[:, :, None], 3, axis=2)
            if image.mode not in ("I", "F"):
                return np.asarray(image.convert("RGB"))
    except Exception as error:  # what a decoder raises on bytes that are no image is whatever they lead it to
        raise DataError(f"not an image that can be read: {path} ({line_of(error) or type(error).__name__})") from error
    raise DataError(f"{path} has 32 bits for each pixel, of which nobody knows which is white: save it with 8 or 16")


SOURCES: Mapping[str, Source] = {
    "digits": Source(_digits_labels, _open_digits),
    "cifar10": Source(_cifar10_labels, _open_cifar10),
}
