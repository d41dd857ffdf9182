"""Recorded steps train what steps taken one operation at a time do, and never wait for the device.

CUDA graphs need a GPU; here a record computes again on the same tensors, which is what a replayed graph does.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fl.training.client import train_client
from fl.training.config import StationConfig, TrainingConfig
from fl.training.data.augment import Views
from fl.training.data.dataset import Dataset, Samples
from fl.training.errors import DivergedError, TrainingError
from fl.training.federation import Federation, build_federation
from fl.training.model import steps
from fl.training.model.parameters import State, put_state
from fl.training.model.runtime import exactly
from fl.training.model.spec import ModelSpec
from fl.training.model.steps import Batch, Steps, steps_on
from tests.fl.training.support import copy_state, equal, train, with_station
from tests.support.drift import assert_trained_alike
from tests.support.gpu import needs_gpu

CreateFederation = Callable[..., Federation]
CONFIG = StationConfig(local_epochs=2, batch_size=16, learning_rate=0.05)
CPU = torch.device("cpu")


class Recorder:
    """Computes on the same tensors again; counts."""

    def __init__(self) -> None:
        self.records = 0
        self.replays = 0

    def __call__(self, compute: Callable[[], None], device: torch.device) -> Callable[[], None]:
        assert device == CPU
        self.records += 1
        for _ in range(3):
            compute()

        def replay() -> None:
            self.replays += 1
            compute()

        return replay


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    found = Recorder()
    monkeypatch.setattr(steps, "record_graph", found)
    return found


def dense() -> nn.Module:
    return ModelSpec("small-cnn", (1, 8, 8), 10).build(seed=1)


def with_dropout() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))


def with_statistics() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10))


def first(digits: Dataset, count: int, start: int = 0) -> Samples:
    return digits.train.take(np.arange(start, start + count))


@pytest.mark.parametrize("build", [dense, with_dropout, with_statistics])
@pytest.mark.parametrize(
    "config",
    [CONFIG, replace(CONFIG, momentum=0.0), replace(CONFIG, proximal=0.5), replace(CONFIG, augment=True)],
    ids=["momentum", "at rest", "FedProx", "augmented"],
)
def test_train_client__recorded__trains_the_same_bits(
    digits: Dataset, recorder: Recorder, build: Callable[[], nn.Module], config: StationConfig
) -> None:
    """Client after client, the third from parameters of another, with smaller batches at the ends of epochs."""
    torch.manual_seed(5)
    module = build()
    start = copy_state(module)
    found = []
    for graphs in (False, True):
        chosen = replace(config, graphs=graphs)
        put_state(module, start)
        for seed, size in enumerate((40, 32, 35)):
            loss = train_client(module, first(digits, size, 50 * seed), chosen, seed)
            found.append((loss, copy_state(module)))
    for (loss, state), (other_loss, other) in zip(found[:3], found[3:], strict=True):
        assert loss == other_loss
        assert equal(state, other)
    assert recorder.records == 3, "batches of 16, 8 and 3 images"
    assert recorder.replays == 2 * (3 + 2 + 3), "every step is a replay"


def test_train__recorded__is_what_it_is_without(create_federation: CreateFederation, recorder: Recorder) -> None:
    federation = create_federation(edge_aggregations=2)
    *_, expected = train(federation)
    *_, found = train(with_station(federation, graphs=True))
    assert equal(found.state, expected.state)
    assert recorder.replays > recorder.records > 0


def test_train_client__after_one_that_diverged__starts_at_rest(digits: Dataset, recorder: Recorder) -> None:
    config = replace(CONFIG, graphs=True)
    module = dense()
    start = copy_state(module)
    train_client(module, first(digits, 32), config, seed=0)
    expected = copy_state(module)
    put_state(module, {name: torch.full_like(tensor, torch.nan) for name, tensor in start.items()})
    with pytest.raises(DivergedError):
        train_client(module, first(digits, 32), config, seed=0)
    put_state(module, start)
    train_client(module, first(digits, 32), config, seed=0)
    assert equal(copy_state(module), expected)


def test_train_client__recorded__says_in_which_epoch_it_diverged(digits: Dataset, recorder: Recorder) -> None:
    """Though it is read after the last one only."""
    said = []
    for graphs in (False, True):
        config = replace(CONFIG, local_epochs=4, batch_size=32, learning_rate=1e30, graphs=graphs)
        with pytest.raises(DivergedError, match=r"in local epoch [23]:") as error:
            train_client(dense(), first(digits, 32), config, seed=0)
        said.append(str(error.value))
    assert said[0] == said[1]


def test_steps_on__recorded__are_kept_as_long_as_their_module(recorder: Recorder) -> None:
    module, config = dense(), replace(CONFIG, graphs=True)
    kept = steps_on(module, config)
    assert steps_on(module, config) is kept
    assert steps_on(module, replace(config, learning_rate=0.1)) is not kept
    assert steps_on(module, CONFIG) is not steps_on(module, CONFIG)
    gone = weakref.ref(kept)
    del kept, module
    gc.collect()
    assert gone() is None


def test_take__a_step_that_cannot_be_recorded__says_so(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(compute: Callable[[], None], device: torch.device) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(steps, "record_graph", fails)
    with pytest.raises(
        TrainingError, match=r"cannot be recorded \(operation not permitted .* capturing\): use --no-graphs"
    ):
        train_client(dense(), first(digits, 16), replace(CONFIG, graphs=True), seed=0)


class OnOneDevice(TorchDispatchMode):
    """Refuses operations between the device of no memory and the CPU: on a GPU they would wait for it."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        fused = function is torch.ops.aten._fused_sgd_.default  # which is not there without memory
        result = None if fused else function(*args, **(kwargs or {}))
        tensors = [each for each in tree_leaves((args, kwargs, result)) if isinstance(each, torch.Tensor)]
        assert {each.device.type for each in tensors if each.dim()} <= {"meta"}, f"{function} reads the CPU's memory"
        return result


def on_no_memory(take: Callable[[Steps, Batch], None], model: str) -> None:
    module = ModelSpec(model, (3, 32, 32), 10).build().to("meta")
    taken = Steps(module, replace(CONFIG, proximal=0.1, augment=True))
    rows = torch.zeros(4, dtype=torch.int64, device="meta")
    batch = Batch(torch.zeros(4, 3, 32, 32, dtype=torch.uint8, device="meta"), rows, Views(rows, rows, rows > 0))
    with OnOneDevice():
        take(taken, batch)


@pytest.mark.parametrize("model", ["cnn", "resnet18"])
def test_take__any_step__reads_nothing_back(model: str) -> None:
    """A graph cannot be captured of a step that looks at a value, or fetches one from the CPU."""
    on_no_memory(Steps.take, model)


def test_take__that_would_read_back__is_found() -> None:
    def looks(taken: Steps, batch: Batch) -> None:
        taken.take(batch)
        float(taken.total)

    def fetches(taken: Steps, batch: Batch) -> None:
        taken.take(Batch(batch.inputs + torch.ones(4, 1, 1, 1), batch.labels, batch.views))

    for wrong in (looks, fetches):
        with pytest.raises((RuntimeError, AssertionError)):
            on_no_memory(wrong, "cnn")


def test_build__graphs_without_a_gpu__says_what_they_are_for(digits: Dataset) -> None:
    with pytest.raises(TrainingError, match="CUDA graphs are for a CUDA device, not cpu: leave --graphs out"):
        build_federation(TrainingConfig(station=StationConfig(graphs=True)), digits)


# ── what a recording must leave as it was, and what it says when it fails ──


class Counting(nn.Module):
    """A buffer beside the state, counted up in each step."""

    def __init__(self, in_place: bool = True) -> None:
        super().__init__()
        self.dense = nn.Linear(64, 10)
        self.register_buffer("seen", torch.zeros(()), persistent=False)
        self.in_place = in_place

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.in_place:
            self.seen += 1
        else:
            self.seen = self.seen + 1
        return self.dense(images.flatten(1))


def test_take__recorded__counts_in_a_buffer_beside_the_state_as_single_steps_do(
    digits: Dataset, recorder: Recorder
) -> None:
    found = []
    for graphs in (False, True):
        torch.manual_seed(0)
        module = Counting()
        train_client(module, first(digits, 40), replace(CONFIG, graphs=graphs), seed=0)
        found.append(float(module.seen))
    assert found == [6.0, 6.0], "2 epochs of 3 batches; warm-ups are none of them"


def test_take__buffer_that_is_replaced__cannot_be_recorded_and_is_put_back(digits: Dataset, recorder: Recorder) -> None:
    module = Counting(in_place=False)
    before = copy_state(module)
    with pytest.raises(TrainingError, match=r"cannot be recorded \(its buffer seen is replaced, .*\): use --no-graphs"):
        train_client(module, first(digits, 16), replace(CONFIG, graphs=True), seed=0)
    assert equal(copy_state(module), before)


@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_take__model_that_fails_in_a_warm_up__is_one_line(
    digits: Dataset, recorder: Recorder, kind: type[Exception]
) -> None:
    class Fails(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(64, 10)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            raise kind("not these images")

    with pytest.raises(TrainingError, match=r"cannot be recorded \(.*not these images\): use --no-graphs"):
        train_client(Fails(), first(digits, 16), replace(CONFIG, graphs=True), seed=0)


class FakeGraph:
    """Notes in which pool it is captured; like CUDA's, a broken capture also fails when it ends."""

    pools: ClassVar[list[object]] = []

    def capture_begin(self, pool: object) -> None:
        self.pools.append(pool)

    def capture_end(self) -> None:
        if self.pools[-1] == "broken":
            raise RuntimeError("the capture is invalid")

    def replay(self) -> None: ...


class FakeStream:
    def wait_stream(self, other: object) -> None: ...


@pytest.fixture
def without_cuda(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """As much of CUDA as `record_graph` calls; the value is where graphs were captured."""
    handles = iter(range(9))
    monkeypatch.setattr(FakeGraph, "pools", [])
    current = FakeStream()
    for name, value in {
        "CUDAGraph": FakeGraph,
        "Stream": lambda device: FakeStream(),
        "current_stream": lambda device: current,
        "stream": lambda chosen: nullcontext(),
        "synchronize": lambda device: None,
        "empty_cache": lambda: None,
        "graph_pool_handle": lambda: next(handles),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return FakeGraph.pools


def test_record_graph__all_of_a_stream__compute_in_one_pool_while_there_is_one(
    without_cuda: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [steps.record_graph(lambda: None, CPU) for _ in range(3)]
    assert without_cuda == [0, 0, 0]
    del kept
    gc.collect()
    again = steps.record_graph(lambda: None, CPU)
    assert without_cuda[-1] == 1, "a pool ends with its last graph"
    other = FakeStream()
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: other)
    beside = steps.record_graph(lambda: None, CPU)
    assert without_cuda[-1] == 2, "another stream's graphs are replayed at the same time"
    del again, beside


def test_record_graph__warm_up_that_fails__is_waited_for(
    without_cuda: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it still writes to is put back, or freed, as soon as the error is there."""
    waits: list[object] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waits.append)

    def compute() -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        steps.record_graph(compute, CPU)
    assert waits == [CPU]


@pytest.mark.parametrize("graphs", [False, True])
def test_train_client__model_that_a_gpu_has_no_memory_for__is_not_the_models_fault(
    graphs: bool, digits: Dataset, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the command says what needs less memory."""

    def to_input(inputs: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(steps, "to_input", to_input)
    with pytest.raises(torch.OutOfMemoryError):
        train_client(dense(), first(digits, 16), replace(CONFIG, graphs=graphs), seed=0)


def test_record_graph__operation_that_cannot_be_captured__says_what_it_says(
    without_cuda: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "broken")
    calls = []

    def compute() -> None:
        calls.append(1)
        if without_cuda:
            raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError, match="operation not permitted"):
        steps.record_graph(compute, CPU)
    assert len(calls) == 4, "three warm-ups and the capture"


# ── on a GPU ──


def resnet() -> nn.Module:
    return ModelSpec("resnet18", (3, 32, 32), 10).build(seed=1)


def convolutions() -> nn.Module:
    return ModelSpec("cnn", (3, 32, 32), 10).build(seed=1)


def random_images(count: int, shape: tuple[int, ...], seed: int) -> Samples:
    random = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=random)
    return Samples(images.cuda(), torch.randint(0, 10, (count,), generator=random).cuda())


@needs_gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"momentum": 0.0}, {"proximal": 0.5}, {"augment": True}],
    ids=["", "rest", "FedProx", "seen"],
)
@pytest.mark.parametrize("build", [dense, with_dropout, with_statistics, convolutions, resnet])
def test_train_client__as_cuda_graphs__trains_the_same_bits(
    build: Callable[[], nn.Module], changes: dict[str, Any], precision: str
) -> None:
    """Client after client, the third from parameters of another, with smaller batches at the ends of epochs."""
    torch.manual_seed(5)
    module = build().cuda()
    shape = (3, 32, 32) if build in (convolutions, resnet) else (1, 8, 8)
    start, found = copy_state(module), []
    for graphs in (False, True):
        chosen = replace(CONFIG, graphs=graphs, precision=precision, **changes)
        put_state(module, start)
        for seed, size in enumerate((40, 32, 35)):
            loss = train_client(module, random_images(size, shape, seed), chosen, seed)
            found.append((loss, copy_state(module)))
    for (loss, state), (other_loss, other) in zip(found[:3], found[3:], strict=True):
        assert loss == other_loss
        assert equal(state, other)


@needs_gpu
@pytest.mark.parametrize("build", [convolutions, resnet])
def test_train_client__again_on_a_gpu__gives_the_same_bits(build: Callable[[], nn.Module]) -> None:
    module = build().cuda()
    start, samples, found = copy_state(module), random_images(40, (3, 32, 32), 0), []
    for _ in range(2):
        put_state(module, start)
        train_client(module, samples, CONFIG, seed=0)
        found.append(copy_state(module))
    assert equal(*found)


@needs_gpu
def test_exactly__convolution_and_product_on_a_gpu__are_those_of_float32() -> None:
    """TF32 would be wrong in the third or fourth digit."""
    random = torch.Generator().manual_seed(0)
    images, weights = torch.randn(8, 64, 16, 16, generator=random), torch.randn(64, 64, 3, 3, generator=random)
    rows = images.flatten(1)
    with exactly(torch.device("cuda")):
        for compute, given in ((nn.functional.conv2d, (images, weights)), (torch.matmul, (rows, rows.T))):
            found = compute(*(each.cuda() for each in given)).cpu()
            expected = compute(*(each.double() for each in given))
            assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5


@needs_gpu
def test_take__module_that_looks_at_a_value__says_that_it_cannot_be_captured() -> None:
    class Looks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(64, 10)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert float(images.sum()) > -1e9
            return self.dense(images.flatten(1))

    with pytest.raises(TrainingError, match=r"cannot be recorded \(.*captur.*\): use --no-graphs"):
        train_client(Looks().cuda(), random_images(16, (1, 8, 8), 0), replace(CONFIG, graphs=True), seed=0)


@needs_gpu
def test_train__as_cuda_graphs__is_what_it_is_without(digits: Dataset) -> None:
    config = TrainingConfig(train_images=200, rounds=2, device="cuda", station=replace(CONFIG, proximal=0.1))
    federation = build_federation(config, digits)
    expected, found = (list(train(with_station(federation, graphs=graphs)))[-1].state for graphs in (False, True))
    assert_trained_alike(to_cpu(found), to_cpu(expected), federation.initial_state())


def to_cpu(state: State) -> State:
    return {name: tensor.cpu() for name, tensor in state.items()}
