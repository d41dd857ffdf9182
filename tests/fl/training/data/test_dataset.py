"""Data sets: label subsets, folders of images, and what is refused."""

from __future__ import annotations

import hashlib
import pickle
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.datasets import CIFAR10, ImageFolder

from fl.training.config import StationConfig, TrainingConfig
from fl.training.data.augment import augment, draw_views
from fl.training.data.dataset import Dataset, Samples, check_targets, digest_of, labels_of, load_dataset, to_input
from fl.training.errors import DataError, TrainingError
from fl.training.federation import build_federation
from fl.training.model.runtime import pick_device
from tests.fl.training.support import equal, train

CreateFolder = Callable[..., Path]


def test_digits__loaded__are_all_of_scikit_learn(digits: Dataset) -> None:
    assert (len(digits.train), len(digits.test), digits.input_shape) == (1437, 360, (1, 8, 8))
    assert digits.label_names == labels_of("digits") == tuple("0123456789")
    assert digits.train.inputs.dtype == torch.uint8
    assert {int(value) for value in digits.train.inputs.unique()} == {15 * value for value in range(17)}
    assert min(torch.bincount(digits.test.labels)) >= 34


def test_digits__train_and_test__have_no_image_in_common(digits: Dataset) -> None:
    train, test = ({image.numpy().tobytes() for image in part.inputs} for part in (digits.train, digits.test))
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
        assert torch.equal(part.inputs, whole.inputs[torch.from_numpy(kept)])
        assert [task.label_names[label] for label in part.labels] == [str(int(label)) for label in whole.labels[kept]]


def test_restricted__to_some_images__draws_training_images_by_seed_and_test_images_alike(
    digits: Dataset,
) -> None:
    first, again, other = (digits.restricted_to(None, 200, 50, seed) for seed in (1, 1, 2))
    assert (len(first.train), len(first.test)) == (200, 50)
    assert torch.equal(first.train.inputs, again.train.inputs)
    assert not torch.equal(first.train.inputs, other.train.inputs)
    assert torch.equal(first.test.inputs, other.test.inputs)


def test_load__a_part__is_that_part_of_the_whole(digits: Dataset, create_folder: CreateFolder) -> None:
    part = load_dataset("digits", targets=("8", "3"), train_images=100, seed=4)
    whole = digits.restricted_to(("8", "3"), train_images=100, seed=4)
    assert torch.equal(part.train.inputs, whole.train.inputs)
    assert torch.equal(part.test.labels, whole.test.labels)
    folder = create_folder(("dog", "cat", "emu"))
    (folder / "train" / "dog" / "0.png").write_text("no image, not looked at")
    assert load_dataset("cifar10", folder, targets=("emu", "cat")).train.labels.tolist() == [0] * 4 + [1] * 4


def test_to_input__bytes__are_scaled_to_minus_one_to_one() -> None:
    assert to_input(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16])
def test_to_input__floats__keep_their_values_and_their_memory(kind: torch.dtype) -> None:
    images = torch.tensor([-1.0, 0.25, 1.0], dtype=kind)
    assert to_input(images).tolist() == [-1.0, 0.25, 1.0] and to_input(images).dtype == torch.get_default_dtype()
    assert images.tolist() == [-1.0, 0.25, 1.0]


def of_floats(dataset: Dataset) -> Dataset:
    parts = (Samples(to_input(part.inputs), part.labels) for part in (dataset.train, dataset.test))
    return Dataset(dataset.name, dataset.label_names, *parts)


@pytest.mark.parametrize("augmented", [False, True])
def test_train__on_images_of_floats__is_what_it_is_on_bytes_and_leaves_them(digits: Dataset, augmented: bool) -> None:
    """Judged time and again, from the same tensors."""
    station = StationConfig(1, 1, augment=augmented)
    config = TrainingConfig(train_images=100, test_images=60, rounds=2, clients=1, station=station)
    expected = list(train(build_federation(config, digits)))
    images = of_floats(digits)
    before = images.test.inputs.clone()
    federation = build_federation(config, images)
    found = list(train(federation))
    assert all(equal(one.state, other.state) for one, other in zip(found, expected, strict=True))
    assert [done.evaluation for done in found] == [done.evaluation for done in expected]
    assert torch.equal(images.test.inputs, before)


def test_folder__of_images__is_loaded(create_folder: CreateFolder) -> None:
    folder = create_folder(("dog", "cat", "emu"))
    dataset = load_dataset("cifar10", folder)
    assert dataset.label_names == labels_of("cifar10", folder) == ("cat", "dog", "emu")
    assert dataset.input_shape == (3, 8, 8)
    assert dataset.train.labels.tolist() == dataset.test.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert not torch.equal(dataset.train.inputs, dataset.test.inputs)


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


def test_check_targets__a_vocabulary_of_labels__takes_no_time_for_each_pair() -> None:
    words = [f"word {number}" for number in range(20_000)]
    begun = perf_counter()
    assert check_targets(words, words[::-1]) == list(range(20_000))
    assert perf_counter() - begun < 1  # for each pair it would take ten seconds


def test_restricted__to_too_many_images__says_how_many_there_are(digits: Dataset) -> None:
    with pytest.raises(DataError, match="2000 training samples were asked for, the target labels have 1437"):
        digits.restricted_to(train_images=2000)
    with pytest.raises(DataError, match="73 test samples were asked for, the target labels have 72"):
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


def test_folder__hidden_folders_and_files__are_no_labels_and_no_images(create_folder: CreateFolder) -> None:
    folder = create_folder()
    expected = load_dataset("cifar10", folder)
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    (folder / "train" / "dog" / ".thumbnails").mkdir()
    for place in ("train/.ipynb_checkpoints/0.png", "train/dog/._0.png", "train/dog/.thumbnails/0.png"):
        Image.new("RGB", (8, 8)).save(folder / place)
    found = load_dataset("cifar10", folder)
    assert found.label_names == labels_of("cifar10", folder) == ("cat", "dog")
    assert torch.equal(found.train.inputs, expected.train.inputs)


def test_folder__subfolders_and_suffixes__are_read_as_torchvision_does(create_folder: CreateFolder) -> None:
    folder = create_folder()
    Image.new("RGB", (8, 8), "red").save(folder / "train" / "cat" / "A.JPEG")
    (folder / "train" / "cat" / "more" / "and").mkdir(parents=True)
    (folder / "train" / "cat" / "Zoo").mkdir()
    for number, place in enumerate(("more/b.bmp", "more/and/a.ppm", "Zoo/c.webp", "more/and/notes.txt")):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / "train" / "cat" / place, "PNG")
    found, expected = load_dataset("cifar10", folder).train, ImageFolder(str(folder / "train"))
    assert found.labels.tolist() == expected.targets
    images = np.stack([np.asarray(expected.loader(path)) for path, _ in expected.samples])
    assert torch.equal(found.inputs, torch.from_numpy(images).permute(0, 3, 1, 2))


def test_folder__image_of_16_bits__is_as_one_of_8(create_folder: CreateFolder) -> None:
    folder = create_folder(("cat", "dog"))
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    Image.fromarray(grey).save(folder / "train" / "cat" / "0.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(folder / "train" / "cat" / "1.png")
    images = load_dataset("cifar10", folder).train.inputs
    assert torch.equal(images[0], images[1]) and images[1, 2].tolist() == grey.tolist()
    Image.fromarray(grey.astype(np.float32)).save(folder / "train" / "cat" / "2.tif")
    with pytest.raises(DataError, match=r"cat/2.tif has 32 bits for each pixel, .* save it with 8 or 16"):
        load_dataset("cifar10", folder)


# Data sets of one's own


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"labels": [0, 1, 2]}, "a test sample has label 2; the 2 label names are for 0 … 1"),
        ({"labels": [0, 1, -1]}, "a test sample has label -1"),
        ({"labels": [0, 1]}, "there are 3 test samples and 2 labels of them"),
        ({"labels": [0.0, 1.0, 1.0]}, r"the test samples' are torch.float32 \[3\]"),
        ({"names": ("a", "a")}, "a label is named twice: a, a"),
    ],
)
def test_dataset__labels_that_do_not_fit__says_which(change: dict[str, list], text: str) -> None:
    """None is left out without a word."""
    images = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    test = Samples(images, torch.tensor(change.get("labels", [0, 1, 1])))
    with pytest.raises(DataError, match=text):
        Dataset("digits", change.get("names", ("a", "b")), Samples(images, torch.tensor([0, 1, 1])), test)


def test_build__data_set_of_ones_own__needs_a_model(digits: Dataset) -> None:
    wine = replace(digits, name="wine")
    for config in (TrainingConfig(), TrainingConfig(station=StationConfig())):
        with pytest.raises(TrainingError, match=r"no model is known to suit the data set 'wine': give one \(model, --"):
            build_federation(config, wine)
    assert build_federation(TrainingConfig(model="small-cnn"), wine).stations[0].config == StationConfig()


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
        assert (len(dataset.train), len(dataset.test), dataset.input_shape) == (20, 4, (3, 32, 32))
    content = pickle.loads((batches / "test_batch").read_bytes())
    first = content["labels"].index(3), content["labels"].index(8)
    expected = torch.from_numpy(content["data"][min(first)].reshape(3, 32, 32))
    assert torch.equal(dataset.test.inputs[0], expected)


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
    whole = federation.dataset.train.inputs
    clients = [client for station in federation.stations for client in station.clients]
    assert {client.inputs.untyped_storage().data_ptr() for client in clients} == {whole.untyped_storage().data_ptr()}
    assert torch.equal(torch.cat([client.inputs for client in clients]), whole)
    assert torch.equal(torch.cat([client.labels for client in clients]), federation.dataset.train.labels)
    ours, all_ = (
        sorted((int(y), x.numpy().tobytes()) for x, y in zip(part.inputs, part.labels, strict=True))
        for part in (federation.dataset.train, digits.train)
    )
    assert ours == all_


def test_digest__of_data__changes_with_any_pixel_label_or_name(digits: Dataset) -> None:
    task = digits.restricted_to(("0", "1"), 20, 20)
    pixels, labels = task.train.inputs.clone(), task.test.labels.clone()
    pixels[3, 0, 4, 4] ^= 1
    labels[7] ^= 1
    others = [
        replace(task, train=replace(task.train, inputs=pixels)),
        replace(task, test=replace(task.test, labels=labels)),
        replace(task, label_names=("0", "7")),
    ]
    same = digits.restricted_to(("1", "0"), 20, 20)
    found = [digest_of(each.label_names, (each.train, each.test)) for each in (task, same, *others)]
    assert found[0] == found[1] and len(set(found)) == 4
    assert digest_of(task.label_names, task.train.cut([5, 15])) != digest_of(task.label_names, task.train.cut([6, 14]))


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
    with pytest.raises(
        TrainingError, match=r"device cuda:99 is not there: torch finds \d+ GPUs on this machine: choose cpu, or auto$"
    ):
        pick_device("cuda:99")
    for name in ("gpu", "meta", "cuda:x"):
        with pytest.raises(TrainingError, match=f"unknown device '{name}': choose cpu"):
            pick_device(name)
