"""Metrics by name: what a model's outputs for some samples are worth, each from 0 (wrong) to 1 (right).

A metric takes outputs [n, outputs] and labels, and returns [n], of floats or of truth values. What it returns is added
up over the test samples exactly, so that it is the same however these are shared out, and stands for accuracy in all
that builds on that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch


def accuracy(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Whether the label has the highest output."""
    return outputs.argmax(1) == labels


def label_accuracy(outputs: torch.Tensor, labels: torch.Tensor, threshold: float = 0.0) -> torch.Tensor:
    """Of several labels at once the share that is right; a sample has those whose output is above the threshold."""
    return ((outputs > threshold) == (labels > 0.5)).double().mean(1)


def exact_match(outputs: torch.Tensor, labels: torch.Tensor, threshold: float = 0.0) -> torch.Tensor:
    """Of several labels at once whether all are right; a sample has those whose output is above the threshold."""
    return ((outputs > threshold) == (labels > 0.5)).all(1)


def within(outputs: torch.Tensor, labels: torch.Tensor, tolerance: float = 0.5) -> torch.Tensor:
    """Whether each predicted number is off by no more than a tolerance."""
    return ((outputs - labels).abs() <= tolerance).all(1)


METRICS: Mapping[str, Callable[..., Any]] = {
    each.__name__: each for each in (accuracy, label_accuracy, exact_match, within)
}
"""By name."""
