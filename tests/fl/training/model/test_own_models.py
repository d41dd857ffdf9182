"""Models of one's own with state that is easily lost: tied weights, buffers beside the state, batch normalisations."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from fl.training.client import train_client
from fl.training.config import StationConfig, TrainingConfig
from fl.training.crews.pool import Pool
from fl.training.data.dataset import Dataset
from fl.training.errors import ModelError
from fl.training.federation import Federation, build_federation
from fl.training.model.artefact import load_model, load_state, save_model, save_state
from fl.training.model.parameters import put_state
from fl.training.model.runtime import reproducible
from fl.training.model.spec import ModelSpec
from fl.training.model.steps import Batch, Steps
from tests.fl.training.support import copy_state, equal, train

CreateFederation = Callable[..., Federation]
PIXELS = 64


# Tied weights


class Tied(nn.Module):
    """One layer in two places."""

    def __init__(self, classes: int):
        super().__init__()
        self.first = nn.Linear(PIXELS, PIXELS)
        self.second = nn.Linear(PIXELS, PIXELS)
        self.second.weight = self.first.weight
        self.last = nn.Linear(PIXELS, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.second(torch.relu(self.first(images.flatten(1))))))


def tied(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return Tied(classes)


def test_train__tied_weights_with_fedavgm__stay_tied(create_federation: CreateFederation) -> None:
    federation = create_federation(model=f"{__name__}:tied", strategy="FedAvgM(momentum=0.6)", rounds=3)
    for done in train(federation):
        assert torch.equal(done.state["first.weight"], done.state["second.weight"])
        assert done.carried.server
        assert torch.equal(done.carried.server["first.weight"], done.carried.server["second.weight"])
    *_, plain = train(replace(federation, config=replace(federation.config, strategy="FedAvg")))
    assert not equal(done.state, plain.state)


def test_trained__tied_weights__are_named_once_unless_all_names_are_asked_for() -> None:
    spec = ModelSpec(f"{__name__}:tied", (1, 8, 8), 3)
    assert set(spec.trained(tied=True)) - set(spec.trained()) == {"second.weight"}


def test_save_model__tied_weights__are_loaded_as_they_were() -> None:
    spec = ModelSpec(f"{__name__}:tied", (1, 8, 8), 3)
    state = spec.initial_state(1)
    data = save_model(spec, state)
    assert equal(load_model(data, spec)[1], state)
    assert data == save_model(spec, {name: tensor.clone() for name, tensor in state.items()})


def test_save_state__views_of_one_tensor__are_loaded_as_they_were() -> None:
    whole = torch.arange(6.0)
    state = {"a": whole[:4], "b": whole[2:], "c": whole, "empty": whole[:0]}
    assert equal(load_state(save_state(state)), state)


# Buffers beside the state


class Counting(nn.Module):
    """Shifts its outputs by how often it was called, and by the last batch: both in buffers that are no state."""

    def __init__(self, classes: int):
        super().__init__()
        self.layer = nn.Linear(PIXELS, classes)
        self.register_buffer("calls", torch.zeros(classes), persistent=False)
        self.register_buffer("last", None, persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        shift = self.calls if self.last is None else self.calls + self.last.mean()
        self.calls[0] += 0.1
        self.last = images.detach()
        return self.layer(images.flatten(1)) * (1 + shift)


def counting(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return Counting(classes)


def test_put_state__buffers_beside_the_state__are_as_they_began() -> None:
    module = Counting(3)
    state = copy_state(module)
    for _ in range(2):
        put_state(module, state)
        assert module.calls.tolist() == [0, 0, 0] and module.last is None
        place = module.calls
        module(torch.ones(2, 1, 8, 8))
        assert module.calls is place, "where a recorded step finds it"
        with torch.inference_mode():
            module(torch.ones(2, 1, 8, 8))


def test_train__buffers_beside_the_state__leak_to_no_other_client(create_federation: CreateFederation) -> None:
    federation = create_federation(model=f"{__name__}:counting", clients=3, edge_aggregations=2)
    alone = [station.train_round(federation.initial_state(), 0) for station in federation.stations]
    first, last = train(federation)
    assert all(equal(one.state, other.state) for one, other in zip(first.updates, alone, strict=True))
    with Pool(federation, 2) as crew:
        *_, spread = train(federation, crew=crew)
    assert equal(spread.state, last.state) and spread.evaluation == last.evaluation


class Centred(nn.Module):
    """Takes off a running mean of what it was trained on, which lies in a plain attribute."""

    def __init__(self, classes: int, *, training: bool):
        super().__init__()
        self.layer, self.where = nn.Linear(PIXELS, classes), training
        self.mean = torch.zeros(PIXELS)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        flat = inputs.flatten(1)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * flat.detach().mean(0)
        return self.layer(flat - self.mean if self.training == self.where else flat)


def centred(input_shape: tuple[int, int, int], classes: int, training: bool = True) -> nn.Module:
    return Centred(classes, training=training)


@pytest.mark.parametrize("training", [True, False], ids=["in training", "in judging"])
def test_build__model_that_keeps_something_beside_its_state__is_refused(digits: Dataset, training: bool) -> None:
    """One client would find what another left, and how much of it would hang on the number of workers."""
    config = TrainingConfig(model=f"{__name__}:centred(training={training})", train_images=60)
    with pytest.raises(ModelError, match="computes something else the second time: it keeps what it has seen where"):
        build_federation(config, digits)


# What a module draws


def test_train_client__its_seed__costs_no_look_at_the_stack(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `torch.manual_seed` does for each kind of GPU, at a quarter of the time of a small client."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("the stack was looked at")

    module = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(PIXELS, 10))
    start = copy_state(module)
    samples = digits.train.take(np.arange(8))
    before = torch.get_rng_state()
    states = []
    with monkeypatch.context() as patch:
        patch.setattr(traceback, "format_stack", refuse)
        for seed in (1, 1, 2):
            put_state(module, start)
            train_client(module, samples, StationConfig(batch_size=8), seed, epochs=1)
            states.append(copy_state(module))
    assert equal(states[0], states[1]) and not equal(states[0], states[2])
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng(devices=[]), reproducible(7, torch.device("cpu")):
        drawn = torch.rand(3)
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(7)))


# Batch normalisations, and batches of one image


def normalised(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, classes))


@pytest.mark.parametrize("batch_size", [1, 4, 16])
def test_train__last_batch_of_one_image_with_batch_normalisation__is_trained_on(
    digits: Dataset, batch_size: int
) -> None:
    """17 images of each client: the last batch is one image."""
    config = TrainingConfig(
        stations=2,
        clients=2,
        train_images=68,
        rounds=1,
        model=f"{__name__}:normalised",
        station=StationConfig(1, 1, batch_size=batch_size, learning_rate=0.01),
    )
    federation = build_federation(config, digits)
    assert {len(client) for station in federation.stations for client in station.clients} == {17}
    (done,) = train(federation)
    assert not done.absent and not equal(done.state, federation.initial_state())


def test_take__one_image__uses_the_statistics_there_are_and_trains_every_parameter(digits: Dataset) -> None:
    torch.manual_seed(3)
    module = normalised((1, 8, 8), 10).train()
    module[2].running_mean.fill_(0.5)
    before = copy_state(module)
    image = digits.train.take(np.arange(1))
    module.eval()
    expected = float(nn.functional.cross_entropy(module(image.inputs / 127.5 - 1), image.labels))
    module.train()
    steps = Steps(module, StationConfig())
    steps.take(Batch(image.inputs, image.labels))
    assert float(steps.total) == pytest.approx(expected)
    after = copy_state(module)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {name for name, _ in module.named_parameters()}
    assert all(part.training for part in module.modules())
    assert not any(part._forward_pre_hooks for part in module.modules())


def test_take__one_image_of_many_pixels__is_normalised_over_its_pixels(digits: Dataset) -> None:
    """Where PyTorch trains on one image, nothing changes: its digests stay what they were."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10))
    image = digits.train.take(np.arange(1))
    expected = float(nn.functional.cross_entropy(module(image.inputs / 127.5 - 1), image.labels))
    steps = Steps(module, StationConfig())
    steps.take(Batch(image.inputs, image.labels))
    assert float(steps.total) == pytest.approx(expected)
    assert module[1].num_batches_tracked == 2


def picky(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    return Picky(PIXELS, classes)


class Picky(nn.Linear):
    """Takes batches of two images or more when it is trained."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training and len(images) < 2:
            raise KeyError("too lonely")
        return super().forward(images.flatten(1))


def test_build__model_that_fails_on_one_image__is_refused_before_anything_is_trained(digits: Dataset) -> None:
    with pytest.raises(ModelError, match="the model fails on a batch of 1 samples: KeyError: 'too lonely'"):
        build_federation(TrainingConfig(model=f"{__name__}:picky"), digits)
