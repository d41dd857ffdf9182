"""Data sets: label subsets, folders of images, and what is refused."""

from __future__ import annotations

import hashlib
import pickle
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.datasets import CIFAR10

from fl.training.config import StationConfig, TrainingConfig
from fl.training.data.augment import augment, draw_views
from fl.training.data.dataset import Dataset, labels_of, load_dataset, to_float
from fl.training.errors import DataError, TrainingError
from fl.training.federation import build_federation
from fl.training.model.runtime import pick_device

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
    text = r"no folder .*: a data folder holds train/<label>/.* and test/<label>/.*, or cifar-10-batches-py"
    with pytest.raises(DataError, match=text):
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


# CIFAR-10 as torchvision downloads it


@pytest.fixture
def batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Few random images in the files and format of CIFAR-10's Python version, with digests to match."""
    folder, random = tmp_path / "cifar-10-batches-py", np.random.default_rng(0)
    folder.mkdir()

    def store(name: str, content: dict[str, object]) -> list[str]:
        data = pickle.dumps(content)
        (folder / name).write_bytes(data)
        return [name, hashlib.md5(data).hexdigest()]

    def batch(name: str) -> list[str]:
        labels = [int(label) for label in random.permutation(10)] * 2
        return store(name, {"data": random.integers(0, 256, (20, 3072), dtype=np.uint8), "labels": labels})

    monkeypatch.setattr(CIFAR10, "train_list", [batch(f"data_batch_{number}") for number in range(1, 6)])
    monkeypatch.setattr(CIFAR10, "test_list", [batch("test_batch")])
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    _, digest = store("batches.meta", {"label_names": names})
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": digest})
    return folder


def test_batches__in_a_local_folder__are_loaded(batches: Path) -> None:
    for named in (batches, batches.parent):
        dataset = load_dataset("cifar10", named, targets=("cat", "ship"))
        assert labels_of("cifar10", named)[3] == "cat"
        assert (len(dataset.train), len(dataset.test), dataset.image_shape) == (20, 4, (3, 32, 32))
    content = pickle.loads((batches / "test_batch").read_bytes())
    first = content["labels"].index(3), content["labels"].index(8)
    expected = torch.from_numpy(content["data"][min(first)].reshape(3, 32, 32))
    assert torch.equal(dataset.test.images[0], expected)


def test_batches__a_file_damaged_or_missing__says_which_folder(batches: Path) -> None:
    data = bytearray((batches / "data_batch_3").read_bytes())
    data[-20] ^= 1
    (batches / "data_batch_3").write_bytes(data)
    with pytest.raises(DataError, match=r"cifar-10-batches-py is incomplete or not CIFAR-10's Python version"):
        load_dataset("cifar10", batches)
    (batches / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"cifar-10-batches-py is incomplete or not CIFAR-10's Python version"):
        load_dataset("cifar10", batches)


# Samples in memory


def test_build__clients__are_views_of_one_copy_of_the_images(digits: Dataset) -> None:
    """Memory grows with the data, not with the number of clients."""
    federation = build_federation(TrainingConfig(stations=3, clients=5, alpha=0.5), digits)
    whole = federation.dataset.train.images
    clients = [client for station in federation.stations for client in station.clients]
    assert {client.images.untyped_storage().data_ptr() for client in clients} == {whole.untyped_storage().data_ptr()}
    assert torch.equal(torch.cat([client.images for client in clients]), whole)
    assert torch.equal(torch.cat([client.labels for client in clients]), federation.dataset.train.labels)
    ours, all_ = (
        sorted((int(y), x.numpy().tobytes()) for x, y in zip(part.images, part.labels, strict=True))
        for part in (federation.dataset.train, digits.train)
    )
    assert ours == all_


def test_digest__of_data__changes_with_any_pixel_label_or_name(digits: Dataset) -> None:
    task = digits.restricted_to(("0", "1"), 20, 20)
    pixels, labels = task.train.images.clone(), task.test.labels.clone()
    pixels[3, 0, 4, 4] ^= 1
    labels[7] ^= 1
    others = [
        replace(task, train=replace(task.train, images=pixels)),
        replace(task, test=replace(task.test, labels=labels)),
        replace(task, label_names=("0", "7")),
    ]
    assert len({each.digest() for each in (task, *others)}) == 4
    assert task.digest() == digits.restricted_to(("1", "0"), 20, 20).digest()


# Augmentation


def test_augment__drawn_views__are_shifts_and_mirror_images() -> None:
    random = torch.Generator().manual_seed(0)
    images = torch.arange(1, 1 + 60 * 3 * 6 * 8, dtype=torch.int32).reshape(60, 3, 6, 8)
    views = draw_views(60, random, images.device)
    seen = augment(images, views)
    for image, top, left, mirrored, result in zip(
        images, views.top.tolist(), views.left.tolist(), views.mirrored.tolist(), seen, strict=True
    ):
        padded = torch.zeros(3, 14, 16, dtype=torch.int32)
        padded[:, 4:10, 4:12] = image
        expected = padded[:, top : top + 6, left : left + 8]
        assert torch.equal(result, expected.flip(2) if mirrored else expected)
    assert set(views.top.tolist()) == set(views.left.tolist()) == set(range(9))
    assert 15 < int(views.mirrored.sum()) < 45


def test_augment__in_training__changes_the_model_by_seed_only(digits: Dataset) -> None:
    models = []
    for seed, chosen in ((1, True), (1, True), (1, False), (2, True)):
        config = TrainingConfig(
            stations=1, clients=1, train_images=40, seed=seed, station=StationConfig(1, 1, augment=chosen)
        )
        federation = build_federation(config, digits)
        start = federation.model.initial_state(0)
        models.append(federation.stations[0].train_round(start, 0).state["0.weight"])
    assert torch.equal(models[0], models[1])
    assert not torch.equal(models[0], models[2]) and not torch.equal(models[0], models[3])


def test_device__that_is_not_there__says_so() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda")
    with pytest.raises(TrainingError, match=r"device cuda:99 is not there: torch finds \d+ GPUs"):
        pick_device("cuda:99")
    for name in ("gpu", "meta", "cuda:x"):
        with pytest.raises(TrainingError, match=f"unknown device '{name}': choose cpu"):
            pick_device(name)
