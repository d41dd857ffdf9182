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

from fl.training.blocked import Blocked
from fl.training.client import train_client
from fl.training.config import StationConfig
from fl.training.data import Dataset
from fl.training.models import cnn

sizes = st.integers(4, 20)


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
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
    parameters, weights = list(dense.parameters()), torch.randn(count, 5)
    of_blocked = torch.autograd.grad((outputs * weights).sum(), parameters)
    of_dense = torch.autograd.grad((expected * weights).sum(), parameters)
    for found, wanted in zip(of_blocked, of_dense, strict=True):
        assert found.layout == torch.strided
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="PyTorch without oneDNN")
def test_forward__float32_on_the_cpu__computes_on_onednns_tensors() -> None:
    blocked, _ = twins(3, 8, 8, seed=0)
    seen = []
    for layer in blocked:
        layer.register_forward_hook(lambda _layer, _inputs, outputs: seen.append(outputs.is_mkldnn))
    blocked(torch.zeros(1, 3, 8, 8))
    assert seen == [True] * 6 + [False] * 4


@pytest.mark.parametrize("where", ["autocast", "float64"])
def test_forward__what_onednns_tensors_are_not_for__is_a_sequential(where: str) -> None:
    blocked, dense = twins(1, 8, 8, seed=0)
    images = torch.randn(2, 1, 8, 8)
    if where == "float64":
        assert torch.equal(blocked.double()(images.double()), dense(images.double()))
    else:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(blocked(images), dense(images))


def test_train_client__on_onednns_tensors__is_that_of_a_sequential(digits: Dataset) -> None:
    """The gradients of oneDNN's convolutions lie in memory in another order than weights that are channels last."""
    blocked, _ = twins(1, 8, 8, seed=0)
    blocked.to(memory_format=torch.channels_last)
    dense = nn.Sequential(*copy.deepcopy(blocked))
    samples = digits.train.take(np.arange(200))
    samples = replace(samples, labels=samples.labels % 5)
    config = StationConfig(local_epochs=2, batch_size=20, learning_rate=0.05)
    assert train_client(blocked, samples, config, seed=1) == pytest.approx(
        train_client(dense, samples, config, seed=1), rel=1e-3
    )
    for found, wanted in zip(blocked.parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-2, atol=1e-3)
