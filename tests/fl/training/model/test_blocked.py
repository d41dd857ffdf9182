"""Convolutions on oneDNN's tensors compute what `nn.Sequential` does."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fl.training.client import train_client
from fl.training.config import StationConfig
from fl.training.data.dataset import Dataset
from fl.training.model.blocked import Blocked
from fl.training.model.spec import cnn
from tests.fl.training.support import copy_state
from tests.support.drift import LIMIT, drift

sizes = st.integers(4, 20)

ROUNDING = LIMIT * torch.finfo(torch.float32).eps
FLIP = 0.05
"""oneDNN's tensors are float32 alone, where rounding can decide on which side of 0 an activation lies (see
`tests.support.drift`): a gradient then lacks one pixel's part. One whose numbers are in another order is off by more
than its norm."""


def twins(channels: int, height: int, width: int, seed: int) -> tuple[Blocked, nn.Sequential]:
    torch.manual_seed(seed)
    blocked = cnn((channels, height, width), 5)
    assert isinstance(blocked, Blocked)
    return blocked, nn.Sequential(*blocked)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 7), st.sampled_from([1, 3]), sizes, sizes, st.integers(0, 99))
def test_forward_and_backward__any_images__are_those_of_a_sequential(
    count: int, channels: int, height: int, width: int, seed: int
) -> None:
    blocked, dense = twins(channels, height, width, seed)
    images = torch.randn(count, channels, height, width)
    outputs, expected = blocked(images), dense(images)
    assert torch.linalg.norm(outputs - expected) <= ROUNDING * torch.linalg.norm(expected)
    parameters, weights = list(dense.parameters()), torch.randn(count, 5)
    of_blocked = torch.autograd.grad((outputs * weights).sum(), parameters)
    of_dense = torch.autograd.grad((expected * weights).sum(), parameters)
    for found, wanted in zip(of_blocked, of_dense, strict=True):
        assert found.layout == torch.strided
        assert torch.linalg.norm(found - wanted) <= FLIP * torch.linalg.norm(wanted)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")
def test_forward__float32_on_the_cpu__computes_on_onednns_tensors() -> None:
    blocked, _ = twins(3, 8, 8, seed=0)
    seen = []
    for layer in blocked:
        layer.register_forward_hook(lambda _layer, _inputs, outputs: seen.append(outputs.is_mkldnn))
    blocked(torch.zeros(1, 3, 8, 8))
    assert seen == [True] * 6 + [False] * 4


@pytest.mark.parametrize("where", ["autocast without the instructions", "autocast to float16", "float64"])
def test_forward__what_onednns_tensors_are_not_for__is_a_sequential(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked, dense = twins(1, 8, 8, seed=0)
    images = torch.randn(2, 1, 8, 8)
    if where == "float64":
        assert torch.equal(blocked.double()(images.double()), dense(images.double()))
        return
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: "without" not in where)
    with torch.autocast("cpu", dtype=torch.float16 if "float16" in where else torch.bfloat16):
        assert torch.equal(blocked(images), dense(images))


@pytest.mark.skipif(not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="no bfloat16 for oneDNN's tensors")
def test_forward_and_backward__in_bfloat16__are_those_of_a_sequential_under_autocast() -> None:
    blocked, dense = twins(3, 16, 16, seed=0)
    images = torch.randn(20, 3, 16, 16)
    parameters = list(dense.parameters())
    exact = torch.autograd.grad(dense(images).square().sum(), parameters)
    seen = []
    blocked[1].register_forward_hook(lambda _layer, _inputs, outputs: seen.append((outputs.is_mkldnn, outputs.dtype)))
    errors = []
    for module in (dense, blocked):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = module(images)
        found = torch.autograd.grad(outputs.float().square().sum(), parameters)
        assert {(each.layout, each.dtype) for each in found} == {(torch.strided, torch.float32)}
        pairs = zip(found, exact, strict=True)
        errors.append([float(torch.linalg.norm(one - other) / torch.linalg.norm(other)) for one, other in pairs])
    assert seen == [(False, torch.bfloat16), (True, torch.bfloat16)]
    for of_dense, of_blocked in zip(*errors, strict=True):
        assert of_blocked <= 2 * of_dense + torch.finfo(torch.bfloat16).eps


def test_train_client__on_onednns_tensors__is_that_of_a_sequential(digits: Dataset) -> None:
    """The gradients of oneDNN's convolutions lie in memory in another order than weights that are channels last."""
    blocked, _ = twins(1, 8, 8, seed=0)
    blocked.to(memory_format=torch.channels_last)
    dense = nn.Sequential(*copy.deepcopy(blocked))
    start = copy_state(dense)
    samples = digits.train.take(np.arange(200))
    samples = replace(samples, labels=samples.labels % 5)
    config = StationConfig(local_epochs=2, batch_size=20, learning_rate=0.05)
    assert train_client(blocked, samples, config, seed=1) == pytest.approx(
        train_client(dense, samples, config, seed=1), rel=1e-3
    )
    assert drift(blocked.state_dict(), dense.state_dict(), start) < FLIP
