"""Data of one's own: the page's examples, the libraries' data sets, partitions, transforms, settings of one station."""

from __future__ import annotations

import importlib
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import fl.training
from fl.training.client import train_client
from fl.training.command.identity import differences, identity_of
from fl.training.command.options import parse
from fl.training.config import Rule, StationConfig, TrainingConfig
from fl.training.crews.pool import Pool
from fl.training.data.dataset import Dataset, Samples, labels_of, load_dataset, to_input
from fl.training.errors import DataError, ModelError, TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.model.artefact import load_model, save_model
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec
from tests.fl.training.support import equal, train, train_in

CreateFederation = Callable[..., Federation]
PAGE = Path(fl.training.__file__).with_name("data.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


# The page


@pytest.mark.parametrize("number", range(3))
def test_page__each_example__runs_as_it_stands(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(EXAMPLES) == 3
    (tmp_path / f"example_{number}.py").write_text(EXAMPLES[number], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(f"example_{number}")
    assert len(capsys.readouterr().out.splitlines()) == module.config.rounds


# Tensors of any kind


def vectors(count: int = 60, features: int = 5, classes: int = 3) -> Dataset:
    random = torch.Generator().manual_seed(1)
    inputs = torch.randn(2 * count, features, generator=random)
    labels = inputs[:, :classes].argmax(1)
    parts = (Samples(inputs[:count], labels[:count]), Samples(inputs[count:], labels[count:]))
    return Dataset("vectors", tuple(map(str, range(classes))), *parts)


PLAIN = StationConfig(1, 1, batch_size=8, learning_rate=0.1)


@pytest.mark.parametrize("kind", [torch.int64, torch.int32, torch.bool])
def test_to_input__numbers_that_are_no_bytes__are_left_as_they_are(kind: torch.dtype) -> None:
    words = torch.tensor([[0, 1], [1, 0]], dtype=kind)
    assert torch.equal(to_input(words), words) and to_input(words).dtype == kind


@pytest.mark.parametrize("model", ["linear", "mlp"])
@pytest.mark.parametrize("shape", [(5,), (2, 3), (1, 4, 4), (2, 2, 2, 2)])
def test_build__models_for_any_shape__give_logits_and_travel_as_artefacts(model: str, shape: tuple[int, ...]) -> None:
    spec = ModelSpec(model, shape, 3)
    assert spec.build()(torch.zeros(2, *shape)).shape == (2, 3)
    assert load_model(save_model(spec, spec.initial_state(0)))[0] == spec


@pytest.mark.parametrize("model", ["small-cnn", "cnn", "resnet18"])
def test_build__model_of_images_for_vectors__says_what_it_takes(model: str) -> None:
    with pytest.raises(ModelError, match=rf"model {model} takes images \[channels, height, width\], not inputs 5"):
        build_federation(TrainingConfig(model=model, station=PLAIN), vectors())


def test_train__vectors_spread_over_workers_and_resumed__have_the_same_digests(tmp_path: Path) -> None:
    config = TrainingConfig(model="mlp", stations=3, clients=2, rounds=2, station=PLAIN)
    federation = build_federation(config, vectors())
    *_, last = train(federation)
    with Pool(federation, 2) as crew:
        *_, spread = train(federation, crew=crew)
    assert equal(last.state, spread.state) and last.evaluation == spread.evaluation
    one = build_federation(replace(config, rounds=1), vectors())
    train_in(tmp_path / "a", one)
    assert train_in(tmp_path / "a", federation)[-1]["model"] == train_in(tmp_path / "b", federation)[-1]["model"]


def embedding(input_shape: tuple[int, ...], classes: int) -> nn.Module:
    return nn.Sequential(nn.Embedding(4, 6), nn.Flatten(), nn.Linear(6 * input_shape[0], classes))


def test_build__a_single_sample__is_enough() -> None:
    words = Samples(torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    config = TrainingConfig(model=f"{__name__}:embedding", stations=1, clients=1, rounds=1, station=PLAIN)
    (done,) = train(build_federation(config, Dataset("words", ("a", "b"), words, words)))
    assert done.evaluation.samples == 1


class Recurrent(nn.Module):
    """As PyTorch packs sequences: one of padding alone has no length, and is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.cell = nn.Embedding(4, 6, padding_idx=0, sparse=True), nn.LSTM(6, 2, batch_first=True)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        lengths = (words != 0).sum(1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(self.embedding(words), lengths, True, enforce_sorted=False)
        return self.cell(packed)[1][0][-1]


def recurrent(input_shape: tuple[int, ...], classes: int) -> nn.Module:
    return Recurrent()


def test_train__padded_sequences_and_a_sparse_embedding__is_trained_and_has_an_identity() -> None:
    words = Samples(torch.tensor([[1, 2, 0], [3, 0, 0], [2, 1, 3], [3, 1, 0]]), torch.arange(4) % 2)
    config = TrainingConfig(model=f"{__name__}:recurrent", stations=2, clients=2, rounds=1, station=PLAIN)
    federation = build_federation(config, Dataset("words", ("a", "b"), words, words))
    (done,) = train(federation)
    before = federation.initial_state()["embedding.weight"]
    moved = (done.state["embedding.weight"] != before).any(1).tolist()
    assert moved == [False, True, True, True], "padding has no gradient, each word that was read has one"
    assert len(identity_of(federation)["model.outputs"]) == 4


def test_identity__of_words__is_worked_out_on_words() -> None:
    words = Samples(torch.arange(24).reshape(8, 3) % 4, torch.arange(8) % 2)
    config = TrainingConfig(model=f"{__name__}:embedding", stations=2, clients=2, station=PLAIN)
    assert len(identity_of(build_federation(config, Dataset("words", ("a", "b"), words, words)))["model.outputs"]) == 4


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"inputs": torch.zeros(3, 1, 4, 5)}, "training and test samples differ in size: 1×4×4 and 1×4×5"),
        ({"inputs": torch.zeros(3, 1, 4, 4).byte()}, "differ in type: torch.float32 and torch.uint8"),
        ({"labels": torch.zeros(3, 1)}, r"test labels of floats are \[n, 2\], a number for each of a, b, not \[3, 1\]"),
        ({"labels": torch.zeros(3, 2).long()}, r"labels are torch.int64 \[n\] to .* are torch.int64 \[3, 2\]"),
    ],
)
def test_dataset__parts_that_do_not_fit__says_what(change: dict[str, Any], text: str) -> None:
    part = Samples(torch.zeros(3, 1, 4, 4), torch.tensor([0, 1, 1]))
    with pytest.raises(DataError, match=text):
        Dataset("own", ("a", "b"), part, replace(part, **change))


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        (np.zeros((3, 4)), "test inputs are ndarray, not a dense tensor of n: torch.from_numpy makes one of an array"),
        (torch.zeros(3, 4).to_sparse(), "test inputs are torch.sparse_coo, not a dense tensor of n"),
        (torch.tensor(1.0), "test inputs are one number, not a dense tensor"),
        (torch.zeros(3), r"inputs are \[n, \*shape\] .* such as \[n, 1\] .* test samples' are torch.float32 \[3\]"),
        (torch.zeros(3, 4).to(torch.complex64), "of real numbers, .* test samples' are torch.complex64"),
        (torch.tensor([[0.0], [1.0], [float("nan")]]), "inputs are finite numbers; test sample 2 has another"),
        (torch.tensor([[0.0], [float("inf")], [1.0]]), "inputs are finite numbers; test sample 1 has another"),
    ],
)
def test_dataset__inputs_that_no_model_takes__says_what(inputs: Any, text: str) -> None:
    part = Samples(torch.zeros(3, 4), torch.tensor([0, 1, 1]))
    with pytest.raises(DataError, match=text):
        Dataset("own", ("a", "b"), part, replace(part, inputs=inputs))


def test_dataset__what_is_no_sample_label_or_name__says_what() -> None:
    part = Samples(torch.zeros(3, 4), torch.tensor([0, 1, 1]))
    assert Dataset("own", ["a", "b"], part, part).label_names == ("a", "b")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"the training part is tuple, not fl\.training\.data\.dataset\.Samples"):
        Dataset("own", ("a", "b"), (part.inputs, part.labels), part)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="dataset is function, not a Dataset: call the function that returns one"):
        build_federation(TrainingConfig(model="linear"), vectors)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="a label's name is text, not 0"):
        Dataset("own", (0, 1), part, part)  # type: ignore[arg-type]
    nothing = torch.full((3, 2), float("nan"))
    with pytest.raises(DataError, match="training and test labels are finite numbers; training sample 0 has another"):
        Dataset("own", ("a", "b"), replace(part, labels=nothing), replace(part, labels=nothing))
    large = replace(part, inputs=torch.full((3, 4), 3e38))
    assert Dataset("own", ("a", "b"), large, large).input_shape == (4,), "finite, though float32 has no sum of them"


@pytest.mark.parametrize("kind", [torch.int64, torch.bool])
def test_build__inputs_of_a_kind_that_the_model_does_not_take__says_so_before_it_trains(kind: torch.dtype) -> None:
    words = Samples(torch.ones(8, 3).to(kind), torch.arange(8) % 2)
    with pytest.raises(ModelError, match=rf"model mlp does not take inputs \(3,\) of {kind}: "):
        build_federation(TrainingConfig(model="mlp"), Dataset("words", ("a", "b"), words, words))


def test_train__number_of_a_word_beyond_the_embedding__says_which_samples() -> None:
    words = Samples(torch.arange(24).reshape(8, 3) % 4, torch.arange(8) % 2)
    test = replace(words, inputs=words.inputs + 1)
    config = TrainingConfig(model=f"{__name__}:embedding", stations=2, clients=2, station=PLAIN)
    with pytest.raises(ModelError, match="the model fails on test samples 0 … 7: IndexError: index out of range"):
        list(train(build_federation(config, Dataset("words", ("a", "b"), words, test))))


def test_evaluate__some_labels_of_numbers_to_predict__says_that_there_are_none() -> None:
    numbers = Samples(torch.zeros(8, 3), torch.zeros(8, 2))
    dataset = Dataset("numbers", ("x", "y"), numbers, numbers)
    with pytest.raises(DataError, match="no target labels to choose from: x, y are numbers to predict"):
        dataset.restricted_to(("x",))
    assert len(dataset.restricted_to(train_images=5).train) == 5
    config = TrainingConfig(
        model="linear", metric="within", station=replace(PLAIN, loss="mse_loss"), stations=2, clients=2
    )
    for way in ({"alpha": 1.0}, {"shards": 2}):
        with pytest.raises(DataError, match="alpha and shards split by label, and these labels are numbers"):
            build_federation(replace(config, **way), dataset)
    federation = build_federation(config, dataset)
    with pytest.raises(DataError, match="no target labels to choose from, but numbers to predict"):
        federation.evaluate(federation.initial_state(), ("x",))


def test_augment__of_vectors__is_refused() -> None:
    with pytest.raises(TrainingError, match=r"augment is for images, and inputs of shape \(5,\) are none"):
        build_federation(TrainingConfig(model="mlp", station=replace(PLAIN, augment=True)), vectors())


# By the path of a function


def from_folder(folder: Path, count: int = 60) -> Dataset:
    return replace(vectors(count), name=str(folder))


def no_dataset() -> int:
    return 5


def failing() -> Dataset:
    raise KeyError("no such\nfile")


def rambling() -> Dataset:
    raise RuntimeError("word " * 1000)


def leaving(*_: object) -> Any:
    raise SystemExit(3)


def test_load__path_of_a_function__is_what_it_returns_restricted(tmp_path: Path) -> None:
    path = f"{__name__}:from_folder(count=40)"
    found = load_dataset(path, tmp_path, targets=("2", "0"), train_images=7, seed=3)
    assert labels_of(path, tmp_path) == ("0", "1", "2") and found.label_names == ("0", "2")
    expected = vectors(40).restricted_to(("0", "2"), 7, None, 3)
    assert torch.equal(found.train.inputs, expected.train.inputs)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (f"{__name__}:no_dataset", "no_dataset returns int, not a fl.training.data.dataset.Dataset"),
        (f"{__name__}:failing", "failing cannot be loaded: KeyError: .*no such"),
        (f"{__name__}:leaving", "leaving cannot be loaded: SystemExit: 3$"),
        (f"{__name__}:rambling", r"rambling cannot be loaded: (word ){55,60}…$"),
        ("nowhere.at_all:load", r"the data set nowhere.at_all:load cannot be imported \(No module named 'nowhere'\)"),
        ("os:getcwd(5)", r"the data set 'os:getcwd\(5\)' is not written as name\(argument=value, …\)"),
        ("os:getcwd(x=1, x=2)", r"is not written as name\(argument=value, …\)"),
        ("os:getcwd(**{'x': 1})", r"is not written as name\(argument=value, …\)"),
        ("os:getcwd(x=", r"is not written as name\(argument=value, …\)"),
        ("os:getcwd(x=open('a'))", r"is not written as name\(argument=value, …\)"),
        ("mnist", "unknown data set 'mnist': choose one of digits, cifar10, sklearn:<name>, torchvision:<name>, or"),
    ],
)
def test_load__bad_path__says_what_in_one_line(name: str, text: str) -> None:
    with pytest.raises(DataError, match=text) as caught:
        load_dataset(name)
    assert "\n" not in str(caught.value)


# Libraries' data sets


def test_load__of_sklearn__is_the_librarys_standardised_over_its_training_part() -> None:
    wine = load_dataset("sklearn:wine")
    assert (len(wine.train), len(wine.test), wine.input_shape) == (142, 36, (13,))
    assert wine.label_names == labels_of("sklearn:wine") == ("class_0", "class_1", "class_2")
    assert torch.allclose(wine.train.inputs.mean(0), torch.zeros(13), atol=1e-6)
    assert torch.allclose(wine.train.inputs.std(0, correction=0), torch.ones(13), atol=1e-5)
    assert wine.test.labels.bincount().tolist() == [12, 14, 10]
    assert len(load_dataset("sklearn:wine", targets=("class_0", "class_2"), train_images=9).train) == 9
    diabetes = load_dataset("sklearn:diabetes")
    assert (diabetes.label_names, diabetes.train.labels.shape) == (("y0",), (353, 1))
    assert load_dataset("sklearn:linnerud").label_names == ("Weight", "Waist", "Pulse")


def write_idx(path: Path, array: np.ndarray) -> None:
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + array.astype(np.uint8).tobytes())


def test_load__of_torchvision__is_read_where_its_files_are(tmp_path: Path) -> None:
    raw, random = tmp_path / "FashionMNIST" / "raw", np.random.default_rng(0)
    raw.mkdir(parents=True)
    pixels = {}
    for part, count in (("train", 30), ("t10k", 20)):
        pixels[part] = random.integers(0, 256, (count, 28, 28))
        write_idx(raw / f"{part}-images-idx3-ubyte", pixels[part])
        write_idx(raw / f"{part}-labels-idx1-ubyte", np.arange(count) % 10)
    found = load_dataset("torchvision:FashionMNIST", tmp_path, targets=("Coat", "Bag"))
    assert found.label_names == ("Coat", "Bag") and found.input_shape == (1, 28, 28)
    assert found.train.inputs.dtype == torch.uint8 and found.train.inputs[0, 0].tolist() == pixels["train"][4].tolist()
    assert found.test.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("name", "folder", "text"),
    [
        ("sklearn:wines", None, "scikit-learn has no data set 'wines'"),
        ("sklearn:sample_images", None, "scikit-learn's data set sample_images is no table with a target"),
        ("sklearn:wine(return_X_y=True)", None, "scikit-learn's data set wine is no table with a target"),
        ("sklearn:wine", "empty", "wine comes with scikit-learn: leave the data folder out"),
        ("sklearn:covtype", "empty", "scikit-learn's data set covtype cannot be loaded: .*not found"),
        ("torchvision:MNIST", None, "torchvision's data set MNIST is read from a folder: name it"),
        ("torchvision:MNIST", "empty", "torchvision's data set MNIST in .*empty cannot be loaded: Dataset not found"),
        ("torchvision:wordnet", "empty", "torchvision has no data set 'wordnet'"),
        ("torchvision:SVHN", "empty", "torchvision's data set SVHN in .* cannot be loaded: .*train"),
    ],
)
def test_load__of_a_library_and_not_at_hand__says_so(
    name: str, folder: str | None, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=text):
        load_dataset(name, folder and tmp_path / folder)


# Partitions


def by_sign(samples: Samples, stations: int, clients: int, seed: int) -> list[list[list[int]]]:
    """One client for each sign of the first feature, and a third of those that are left over."""
    assert seed > 0
    positive = samples.inputs[:, 0] > 0
    found = [part.nonzero()[:, 0].tolist() for part in (positive, ~positive)]
    return [[found[0]], [found[1][:10], found[1][10:15], found[1][15:]]]


def test_build__partition_of_ones_own__is_what_clients_have() -> None:
    config = TrainingConfig(model="linear", stations=2, station=PLAIN, partition=f"{__name__}:by_sign")
    with pytest.raises(TrainingError, match="a partition and one that the configuration asks for: give one of them"):
        build_federation(config, vectors(), [[range(30)], [range(30, 60)]])
    stations = build_federation(config, vectors()).stations
    assert [len(station.clients) for station in stations] == [1, 3]
    assert bool((stations[0].clients[0].inputs[:, 0] > 0).all())
    assert [len(client) for client in stations[1].clients][:2] == [10, 5]
    given = build_federation(replace(config, partition=None), vectors(), by_sign(vectors().train, 2, 1, 1))
    assert equal_data(stations, given.stations)
    assert parse(["--partition", "a.b:c"]).config.partition == "a.b:c"


def equal_data(some: Any, others: Any) -> bool:
    pairs = zip(some, others, strict=True)
    return all(
        torch.equal(a.inputs, b.inputs) for one, other in pairs for a, b in zip(one.clients, other.clients, strict=True)
    )


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ([[[0]]], "the partition is for 1 base stations, not 2"),
        ([[[0]], []], "gives base station 1 no client"),
        ([[[0]], [[1], []]], "gives client 1 of base station 1 no training sample"),
        ([[[0]], [[1, 60]]], "gives client 0 of base station 1 indices beyond 0 … 59"),
        ([[[0]], [[-1]]], "indices beyond 0 … 59"),
        ([[[0, 2]], [[1], [2]]], "gives training sample 2 to more than one client"),
        ([[[0]], [[0.5]]], "indices that are no whole numbers"),
        (5, "a partition holds, for each base station, for each of its clients, indices"),
        ([[0, 1], [2, 3]], "a partition holds, for each base station, for each of its clients, indices"),
        ("data:by_sign", "for each of its clients, indices; a function that returns one is named in the configuration"),
    ],
)
def test_build__partition_that_is_none__says_what(parts: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        build_federation(TrainingConfig(model="linear", stations=2, station=PLAIN), vectors(), parts)


def test_build__partition_with_too_few_clients_for_the_rule__is_refused() -> None:
    station = replace(PLAIN, rule=Rule("trimmed-mean", 1))
    config = TrainingConfig(model="linear", stations=2, clients=3, station=station)
    build_federation(config, vectors())
    with pytest.raises(TrainingError, match="needs at least 3 models; there are 2 clients drawn"):
        build_federation(config, vectors(), [[[0], [1], [2]], [[3], [4]]])
    with pytest.raises(TrainingError, match="alpha and partition are two ways to split: give one of them"):
        TrainingConfig(alpha=1.0, partition="a.b:c")
    with pytest.raises(DataError, match=r"the partition os:getcwd fails: .*getcwd"):
        build_federation(replace(config, partition="os:getcwd"), vectors())
    with pytest.raises(DataError, match=r"the partition .*leaving fails: SystemExit: 3"):
        build_federation(replace(config, partition=f"{__name__}:leaving"), vectors())


# Transforms


def noisy(inputs: torch.Tensor) -> torch.Tensor:
    return inputs + torch.randn(inputs.shape)


def unchanged(inputs: torch.Tensor) -> torch.Tensor:
    return inputs


def shorter(inputs: torch.Tensor) -> torch.Tensor:
    return inputs[:1]


def test_train__transform_that_draws__follows_from_the_seed_alone() -> None:
    def state(seed: int, transform: str | None) -> State:
        station = replace(PLAIN, transform=transform and f"{__name__}:{transform}")
        config = TrainingConfig(model="linear", stations=2, rounds=1, seed=seed, station=station)
        federation = build_federation(config, vectors())
        (here,) = train(federation)
        if transform and seed == 1:
            with Pool(federation, 2) as crew:
                (spread,) = train(federation, crew=crew)
            assert equal(here.state, spread.state)
        return here.state

    one, other, plain, none = (state(*each) for each in ((1, "noisy"), (2, "noisy"), (1, "unchanged"), (1, None)))
    assert not equal(one, other) and not equal(one, plain) and equal(plain, none)


SEEN: list[torch.Tensor] = []


def noting(inputs: torch.Tensor) -> torch.Tensor:
    SEEN.extend((inputs[:, 0].long(), torch.randperm(len(inputs))))
    return inputs


def test_train__transform_that_draws_an_order__does_not_draw_that_of_the_samples() -> None:
    samples = Samples(torch.arange(50.0)[:, None], torch.arange(50) % 2)
    config = StationConfig(1, 1, batch_size=50, learning_rate=1e-6, transform=f"{__name__}:noting")
    SEEN.clear()
    train_client(nn.Linear(1, 2), samples, config, seed=5)
    seen, drawn = SEEN
    assert sorted(seen.tolist()) == list(range(50)) and not torch.equal(seen, drawn)


def test_train__transform_that_loses_inputs__is_refused() -> None:
    config = TrainingConfig(model="linear", station=replace(PLAIN, transform=f"{__name__}:shorter"))
    with pytest.raises(TrainingError, match="the transform gives no tensor of 8 inputs"):
        list(train(build_federation(config, vectors())))


def scaled(images: torch.Tensor) -> torch.Tensor:
    """As torchvision's users do it, where bytes would be scaled to [−1, 1]."""
    return images.float() / 255


def test_train__transform_that_makes_floats_of_bytes__is_refused() -> None:
    """It would train on another scale than it is judged on."""
    images = Samples(torch.arange(8 * 16).reshape(8, 1, 4, 4).byte(), torch.arange(8) % 2)
    station = replace(PLAIN, transform=f"{__name__}:scaled")
    federation = build_federation(
        TrainingConfig(model="linear", stations=1, station=station), Dataset("bytes", ("a", "b"), images, images)
    )
    with pytest.raises(TrainingError, match=r"turns bytes into torch\.float32, .*: let it return bytes, and normalise"):
        list(train(federation))


def test_page__normalisation_in_a_model__is_that_of_its_users() -> None:
    from torchvision.transforms import v2

    (first_layer,) = re.findall(r"first layer is `(Normalize\(.*?\))`", PAGE)
    mean, std = [0.49, 0.48, 0.45], [0.25, 0.24, 0.26]
    layer = eval(first_layer, {"Normalize": v2.Normalize, "mean": mean, "std": std})
    images = torch.arange(2 * 3 * 16).reshape(2, 3, 4, 4).byte()
    usual = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])
    torch.testing.assert_close(layer(to_input(images)), usual(images), rtol=0, atol=1e-5)


# Settings of one base station


def test_train__transform_that_is_a_class__is_made_with_its_arguments() -> None:
    images = Samples(torch.arange(8 * 16).reshape(8, 1, 4, 4).byte(), torch.arange(8) % 2)

    def state(transform: str | None, images: Samples) -> State:
        station = replace(PLAIN, transform=transform and f"torchvision.transforms.v2:{transform}")
        config = TrainingConfig(model="linear", stations=2, clients=2, rounds=1, station=station)
        (done,) = train(build_federation(config, Dataset("images", ("a", "b"), images, images)))
        return done.state

    assert equal(state("RandomInvert(p=1.0)", images), state(None, replace(images, inputs=255 - images.inputs)))
    with pytest.raises(TrainingError, match=r"the transform .*:RandomInvert\(q=1\) cannot be made: .*'q'"):
        state("RandomInvert(q=1)", images)


def test_pool__code_of_ones_own_that_fails__is_one_line() -> None:
    station = replace(PLAIN, transform=f"{__name__}:leaving")
    federation = build_federation(TrainingConfig(model="linear", stations=2, station=station), vectors())
    failure = pytest.raises(TrainingError, match=r"the transform fails on a batch of shape .*: SystemExit: 3$")
    with Pool(federation, 2) as crew, failure as caught:
        list(crew.play(federation.initial_state(), 0, [0]))
    assert not hasattr(caught.value, "__notes__"), "where it was raised says nothing to who gave the transform"


def test_train__settings_of_one_base_station__change_its_update_alone(tmp_path: Path) -> None:
    config = TrainingConfig(model="linear", stations=3, rounds=1, station=PLAIN)
    own = replace(config, per_station={1: replace(PLAIN, learning_rate=0.3)})
    (plain,), (one,) = (train(build_federation(each, vectors())) for each in (config, own))
    alike = [equal(a.state, b.state) for a, b in zip(plain.updates, one.updates, strict=True)]
    assert alike == [True, False, True]
    there, here = (identity_of(build_federation(each, vectors())) for each in (config, own))
    assert differences(there, here) == ["station.learning_rate is 0.1 there, [0.1, 0.3, 0.1] here"]
    (tmp_path / "own.toml").write_text("[1]\nlearning_rate = 0.3\n")
    parsed = parse(["--learning-rate", "0.2", "--per-station", str(tmp_path / "own.toml")]).config
    assert {index: each.learning_rate for index, each in parsed.per_station.items()} == {1: 0.3}
    assert parsed.station == replace(parsed.per_station[1], learning_rate=0.2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[9]\nlearning_rate = 0.3", r"per_station names base station 9; there are 0 … 3"),
        ("[1]\nlearning_rate = -1.0", "learning_rate must be positive, not -1.0"),
        ("[1]\nspeed = 1", "holds no settings of base stations: there is no setting speed of a base station"),
        ("[one]\nmomentum = 0.5", "one is no number of a base station: its settings stand below"),
        ("momentum = 0.5", "momentum is no number of a base station: its settings stand below"),
        ("[1]\nmomentum = 0.5\n[01]\nmomentum = 0.6", "01 is no number of a base station"),
        ("[1]\nrule = 'median'", r"rule is a table of its own, below \[3.rule\] for base station 3"),
        ("[1.rule]\nkind = 'median'", "holds no settings of base stations: .*'kind'"),
        ("[1.privacy]\nclipping_norm = -1.0\nnoise_multiplier = 1.0", "clipping_norm must be above 0"),
        ("[1]\nmomentum = 0.5\noptimizer = 'Adam'", "momentum is of plain SGD: give it to the optimizer"),
        ("[1", "holds no settings of base stations"),
    ],
)
def test_parse__file_of_base_stations_settings_that_is_none__says_what(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(text)
    with pytest.raises(TrainingError, match=said):
        parse(["--per-station", str(tmp_path / "own.toml")])
    with pytest.raises(TrainingError, match=r"holds no settings of base stations: .*No such file"):
        parse(["--per-station", str(tmp_path / "none.toml")])


def test_identity__settings_that_are_younger_than_the_format__are_named_where_they_are_used() -> None:
    """So that folders of before go on."""
    plain = identity_of(build_federation(TrainingConfig(model="linear", station=PLAIN), vectors()))
    assert not {"partition", "per_station", "station.transform"} & plain.keys()
    station = replace(PLAIN, transform=f"{__name__}:unchanged")
    own = identity_of(build_federation(TrainingConfig(model="linear", station=station), vectors()))
    assert differences(plain, own) == [f"station.transform is None there, {station.transform} here"]


@pytest.mark.parametrize("before", [False, None, True])
def test_identity__folder_that_names_whether_steps_are_recorded__goes_on(before: bool | None) -> None:
    """The digests are the same."""
    for graphs in (None, False):
        station = replace(PLAIN, graphs=graphs)
        here = identity_of(build_federation(TrainingConfig(model="linear", station=station), vectors()))
        assert differences({**here, "station.graphs": before}, here) == []
