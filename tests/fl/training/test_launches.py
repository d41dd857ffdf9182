"""What a GPU does in one launch is, to the bit, what a CPU does one by one; here the CPU does both."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fl.training import average, client
from fl.training.averaging import exact_mean
from fl.training.client import train_client
from fl.training.config import StationConfig
from fl.training.data.dataset import Dataset
from fl.training.model import parameters
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec
from tests.fl.training.support import copy_state, equal
from tests.support.gpu import needs_gpu

CONFIG = StationConfig(local_epochs=3, batch_size=16, learning_rate=0.05)


def states(count: int) -> list[tuple[State, int]]:
    """Of some types, a layout of its own, one scalar and one empty tensor."""
    random = torch.Generator().manual_seed(0)
    return [
        (
            {
                "images": torch.randn(4, 3, 5, 5, generator=random).to(memory_format=torch.channels_last),
                "row": torch.randn(300, generator=random) * 10.0**number,
                "half": torch.randn(7, generator=random).bfloat16(),
                "double": torch.randn((), generator=random, dtype=torch.float64),
                "steps": torch.randint(0, 99, (2,), generator=random),
                "empty": torch.empty(0),
            },
            3 + number,
        )
        for number in range(count)
    ]


def as_on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (average, exact_mean, client, parameters):
        monkeypatch.setattr(part, "on_gpu", lambda tensor: True)
    monkeypatch.setattr(exact_mean, "_GPU_CHUNK", 256)  # less than a tensor has, more than two have


@pytest.mark.parametrize("count", [1, 2, 4])
def test_average__as_on_a_gpu__is_the_same(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    expected = average.average(states(count))
    as_on_gpu(monkeypatch)
    found = average.average(states(count))
    assert equal(found, expected)
    assert {name: each.dtype for name, each in found.items()} == {n: each.dtype for n, each in expected.items()}


def test_exact_mean__as_on_a_gpu__is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def mean() -> State:
        given = states(4)
        highest = exact_mean.highest_of(exact_mean.peaks_of(state) for state, _ in given)
        total = exact_mean.ExactSum(given[0][0], highest, sum(samples for _, samples in given))
        for state, samples in given:
            total.add(state, samples)
        return total.mean()

    expected = mean()
    as_on_gpu(monkeypatch)
    assert equal(mean(), expected)


def test_magnitudes__as_on_a_gpu__are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    given = parameters.floats_of(states(1)[0][0])
    expected = parameters.magnitudes(given)
    as_on_gpu(monkeypatch)
    assert parameters.magnitudes(given).tolist() == expected.tolist() == [float(each.abs().max()) for each in given]


def flipped(inputs: torch.Tensor) -> torch.Tensor:
    """In places that it draws."""
    return torch.where(torch.rand(inputs.shape) < 0.1, 255 - inputs, inputs)


@pytest.mark.parametrize(
    "changes", [{}, {"augment": True}, {"transform": f"{__name__}:flipped"}], ids=["", "augmented", "transformed"]
)
def test_train_client__as_on_a_gpu__trains_the_same(
    monkeypatch: pytest.MonkeyPatch, digits: Dataset, changes: dict[str, object]
) -> None:
    samples, found = digits.train.take(np.arange(40)), []
    for prepare in (lambda: None, lambda: as_on_gpu(monkeypatch)):
        prepare()
        module = ModelSpec("small-cnn", (1, 8, 8), 10).build(seed=1)
        loss = train_client(module, samples, replace(CONFIG, **changes), seed=5)
        found.append((loss, copy_state(module)))
    (loss, state), (other_loss, other) = found
    assert loss == other_loss and equal(state, other)


class Largest(TorchDispatchMode):
    """The most numbers that an operation gave."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        self.numbers = max([self.numbers, *(each.numel() for each in tree_leaves(result) if torch.is_tensor(each))])
        return result


@pytest.mark.parametrize("gpu", [False, True])
def test_train_client__many_samples_and_epochs__takes_memory_for_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch, digits: Dataset, gpu: bool
) -> None:
    """A GPU has little room beside the samples; a CPU draws an epoch's order when its turn is."""
    if gpu:
        as_on_gpu(monkeypatch)
    samples = digits.train.take(np.arange(300))
    orders = client._orders(samples, 1 if gpu else 10**9, False, torch.Generator())
    order, _ = next(orders)
    with Largest() as largest:
        sizes = [len(labels) for _, labels in client._batches(samples, order, 2)]
    assert sizes == [2] * 150
    assert largest.numbers == (client._TOGETHER if gpu else 1) * 2 * 64


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_is_finite__one_number_that_is_none__is_found_wherever_it_is(
    monkeypatch: pytest.MonkeyPatch, value: float, gpu: bool
) -> None:
    if gpu:
        as_on_gpu(monkeypatch)
    for name in ("images", "row", "half", "double"):
        state = states(1)[0][0]
        assert parameters.is_finite(state)
        state[name][(-1,) * state[name].dim()] = value
        assert not parameters.is_finite(state), name


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_is_finite__the_largest_numbers__are(monkeypatch: pytest.MonkeyPatch, kind: torch.dtype, gpu: bool) -> None:
    """Whose sums and squares are not."""
    if gpu:
        as_on_gpu(monkeypatch)
    most = torch.finfo(kind).max
    assert parameters.is_finite({"w": torch.tensor([most, -most, most], dtype=kind), "b": torch.ones(1)})
    assert parameters.is_finite({"none": torch.empty(0), "steps": torch.tensor(3)})
    assert parameters.is_finite({})


# ── on a GPU ──


def to_gpu(state: State) -> State:
    return {name: tensor.cuda() for name, tensor in state.items()}


@needs_gpu
def test_average__on_a_gpu__is_the_cpus() -> None:
    expected = average.average(states(4))
    found = average.average((to_gpu(state), samples) for state, samples in states(4))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name].cpu(), tensor)
        assert found[name].stride() == tensor.stride()


@needs_gpu
def test_exact_sum__on_a_gpu__is_the_cpus() -> None:
    given = states(4)
    highest = exact_mean.highest_of(exact_mean.peaks_of(state) for state, _ in given)
    assert highest == exact_mean.highest_of(exact_mean.peaks_of(to_gpu(state)) for state, _ in given)
    total, other = (exact_mean.ExactSum(place(given[0][0]), highest, 99) for place in (dict, to_gpu))
    for state, samples in given:
        total.add(state, samples)
        other.add(to_gpu(state), samples)
    assert torch.equal(other.sums.cpu(), total.sums)


@needs_gpu
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_is_finite__on_a_gpu__finds_one_number_that_is_none(value: float) -> None:
    for name in ("images", "row", "half", "double"):
        state = to_gpu(states(1)[0][0])
        assert parameters.is_finite(state)
        state[name][(-1,) * state[name].dim()] = value
        assert not parameters.is_finite(state), name


@needs_gpu
def test_train_client__as_cuda_graphs__reads_once(digits: Dataset) -> None:
    """Each read waits until the GPU has done all that it was given."""
    module = ModelSpec("small-cnn", (1, 8, 8), 10).build(seed=1, device="cuda")
    samples, config = digits.train.take(np.arange(40)).to("cuda"), replace(CONFIG, augment=True, graphs=True)
    start = copy_state(module)
    train_client(module, samples, config, seed=5)  # which is recorded
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            parameters.put_state(module, start)
            train_client(module, samples, config, seed=5)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    reads = [str(each) for each in found if "called a synchronizing" in str(each.message)]
    assert len(reads) == 1, reads
