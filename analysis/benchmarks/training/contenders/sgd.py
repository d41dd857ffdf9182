"""The plain way to train and to judge in PyTorch, as its tutorials do; all contenders but ours do this."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from fl.training.data.dataset import Samples, to_input

_JUDGE_BATCH = 500


def train(
    module: nn.Module, samples: Samples, orders: Iterable[torch.Tensor], batch: int, rate: float, momentum: float
) -> int:
    """Train in place.

    Args:
        module: to train.
        samples: a client's images, on the module's device.
        orders: the order of the images in each local epoch.
        batch: images in one step.
        rate: of SGD.
        momentum: of SGD, starting at rest.

    Returns:
        Number of steps.
    """
    optimizer = torch.optim.SGD(module.parameters(), lr=rate, momentum=momentum)
    criterion = nn.CrossEntropyLoss()
    module.train()
    steps = 0
    for order in orders:
        for part in order.to(samples.labels.device).split(batch):
            optimizer.zero_grad()
            criterion(module(to_input(samples.inputs[part])), samples.labels[part]).backward()
            optimizer.step()
            steps += 1
    return steps


def judge(module: nn.Module, samples: Samples) -> float:
    """Accuracy, 0 … 1."""
    module.eval()
    correct = 0
    with torch.inference_mode():
        for images, labels in zip(samples.inputs.split(_JUDGE_BATCH), samples.labels.split(_JUDGE_BATCH), strict=True):
            correct += int((module(to_input(images)).argmax(1) == labels).sum())
    return correct / len(samples)
