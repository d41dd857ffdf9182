"""What every contender starts from."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from analysis.benchmarks.training import inputs
from fl.training.model.spec import MODELS


@pytest.mark.parametrize("name", ["cnn", "small-cnn"])
def test_as_usual__model_of_the_engine__is_the_same_model_with_each_relu_before_its_pooling(name: str) -> None:
    ours = MODELS[name]((3, 8, 8), 4)
    usual = inputs.as_usual(ours)
    assert type(usual) is nn.Sequential
    assert list(usual.state_dict()) == list(ours.state_dict())
    kinds = [type(layer) for layer in usual]
    assert [nn.Conv2d, nn.ReLU, nn.MaxPool2d] == kinds[:3]
    images = torch.randn(5, 3, 8, 8)
    torch.testing.assert_close(usual(images), ours(images), rtol=1e-5, atol=1e-6)


def test_as_usual__resnet__is_the_same_model_with_pytorchs_normalisations() -> None:
    ours = MODELS["resnet18"]((3, 8, 8), 4)
    names, images = list(ours.state_dict()), torch.randn(2, 3, 8, 8)
    expected = ours(images)
    usual = inputs.as_usual(ours)
    assert list(usual.state_dict()) == names
    assert {type(part) for part in usual.modules() if isinstance(part, nn.GroupNorm)} == {nn.GroupNorm}
    assert torch.equal(usual(images), expected)
