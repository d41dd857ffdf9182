"""Data sets: label subsets, folders of images, and what is refused."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fl.training.data import Dataset, labels_of, load_dataset, to_float
from fl.training.errors import DataError

CreateFolder = Callable[..., Path]


def test_digits__loaded__are_all_of_scikit_learn(digits: Dataset) -> None:
    assert (len(digits.train), len(digits.test), digits.image_shape) == (1437, 360, (1, 8, 8))
    assert digits.label_names == labels_of("digits") == tuple("0123456789")
    assert digits.train.images.dtype == torch.uint8
    assert {int(value) for value in digits.train.images.unique()} == {15 * value for value in range(17)}
    assert min(torch.bincount(digits.test.labels)) >= 34


def test_digits__train_and_test__have_no_image_in_common(digits: Dataset) -> None:
    train, test = ({image.numpy().tobytes() for image in part.images} for part in (digits.train, digits.test))
    assert not train & test


@settings(max_examples=40)
@given(st.sets(st.sampled_from("0123456789"), min_size=2).flatmap(lambda s: st.permutations(sorted(s))))
def test_restricted__to_any_targets__keeps_their_images_and_numbers_them_in_order(
    digits: Dataset, targets: list[str]
) -> None:
    task = digits.restricted_to(targets)
    assert task.label_names == tuple(sorted(targets))
    for whole, part in ((digits.train, task.train), (digits.test, task.test)):
        kept = np.isin(whole.labels.numpy(), [int(target) for target in targets])
        assert torch.equal(part.images, whole.images[torch.from_numpy(kept)])
        assert [task.label_names[label] for label in part.labels] == [str(int(label)) for label in whole.labels[kept]]


def test_restricted__to_some_images__draws_training_images_by_seed_and_test_images_alike(
    digits: Dataset,
) -> None:
    first, again, other = (digits.restricted_to(None, 200, 50, seed) for seed in (1, 1, 2))
    assert (len(first.train), len(first.test)) == (200, 50)
    assert torch.equal(first.train.images, again.train.images)
    assert not torch.equal(first.train.images, other.train.images)
    assert torch.equal(first.test.images, other.test.images)


def test_load__a_part__is_that_part_of_the_whole(digits: Dataset, create_folder: CreateFolder) -> None:
    part = load_dataset("digits", targets=("8", "3"), train_images=100, seed=4)
    whole = digits.restricted_to(("8", "3"), train_images=100, seed=4)
    assert torch.equal(part.train.images, whole.train.images)
    assert torch.equal(part.test.labels, whole.test.labels)
    folder = create_folder(("dog", "cat", "emu"))
    (folder / "train" / "dog" / "0.png").write_text("no image, not looked at")
    assert load_dataset("cifar10", folder, targets=("emu", "cat")).train.labels.tolist() == [0] * 4 + [1] * 4


def test_to_float__bytes__are_scaled_to_minus_one_to_one() -> None:
    assert to_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


def test_folder__of_images__is_loaded(create_folder: CreateFolder) -> None:
    folder = create_folder(("dog", "cat", "emu"))
    dataset = load_dataset("cifar10", folder)
    assert dataset.label_names == labels_of("cifar10", folder) == ("cat", "dog", "emu")
    assert dataset.image_shape == (3, 8, 8)
    assert dataset.train.labels.tolist() == dataset.test.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert not torch.equal(dataset.train.images, dataset.test.images)


@pytest.mark.parametrize(
    ("targets", "text"),
    [
        (("0", "zebra", "11"), "unknown target labels zebra, 11: choose from 0, 1, 2"),
        (("0", "1", "0"), "a target label is named twice: 0, 1, 0"),
        (("3",), "at least two target labels apart, not 1"),
        ((), "at least two target labels apart, not 0"),
    ],
)
def test_restricted__bad_targets__says_what(digits: Dataset, targets: tuple[str, ...], text: str) -> None:
    with pytest.raises(DataError, match=text):
        digits.restricted_to(targets)


def test_restricted__to_too_many_images__says_how_many_there_are(digits: Dataset) -> None:
    with pytest.raises(DataError, match="2000 training images were asked for, the target labels have 1437"):
        digits.restricted_to(train_images=2000)
    with pytest.raises(DataError, match="73 test images were asked for, the target labels have 72"):
        digits.restricted_to(("0", "1"), test_images=73)


def test_load__unknown_data_set__names_the_known() -> None:
    with pytest.raises(DataError, match="unknown data set 'mnist': choose one of digits, cifar10"):
        load_dataset("mnist")


def test_load__digits_from_a_folder__says_that_they_need_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="digits come with scikit-learn"):
        load_dataset("digits", tmp_path)


def test_load__cifar10_without_network__points_to_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    with pytest.raises(DataError, match=r"CIFAR-10 could not be downloaded to .*--data-dir"):
        load_dataset("cifar10", download_dir=tmp_path)


@pytest.mark.parametrize("parts", [(), ("train",), ("test",)])
def test_folder__without_train_and_test__says_the_layout(create_folder: CreateFolder, parts: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"no folder .*: a data folder holds train/<label>/.* and test/<label>/"):
        load_dataset("cifar10", create_folder(parts=parts))


def test_folder__without_labels__says_so(create_folder: CreateFolder) -> None:
    folder = create_folder(labels=())
    for part in ("train", "test"):
        (folder / part).mkdir()
    with pytest.raises(DataError, match="train holds no folder named by a label"):
        load_dataset("cifar10", folder)


def test_folder__train_and_test_differ__names_the_labels(create_folder: CreateFolder) -> None:
    folder = create_folder()
    (folder / "test" / "emu").mkdir()
    with pytest.raises(DataError, match="differ in labels: emu"):
        load_dataset("cifar10", folder)


def test_folder__label_without_images__names_it(create_folder: CreateFolder) -> None:
    folder = create_folder()
    for part in ("train", "test"):
        (folder / part / "emu").mkdir()
    with pytest.raises(DataError, match=r"cannot be read: .*emu"):
        load_dataset("cifar10", folder)


def test_folder__not_an_image__names_it(create_folder: CreateFolder) -> None:
    folder = create_folder()
    (folder / "train" / "dog" / "0.png").write_text("no image")
    with pytest.raises(DataError, match=r"not an image that can be read: .*dog/0\.png"):
        load_dataset("cifar10", folder)


def test_folder__images_of_two_sizes__names_one(create_folder: CreateFolder) -> None:
    folder = create_folder()
    Image.new("RGB", (16, 12)).save(folder / "train" / "dog" / "3.png")
    with pytest.raises(DataError, match=r"differ in size: 16×12 and 8×8 pixels \(.*dog/3\.png\)"):
        load_dataset("cifar10", folder)
