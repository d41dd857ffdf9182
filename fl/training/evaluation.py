"""Accuracy and loss of a model on test images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import nn
from torch.nn import functional

from fl.training.data import Samples, to_float
from fl.training.errors import DataError, DivergedError
from fl.training.runtime import use_threads
from fl.training.state import State, put_state

_BATCH = 500


@dataclass(frozen=True)
class Evaluation:
    """How a model does on test images.

    Attributes:
        correct: number of images whose label has the highest output.
        samples: number of images.
        loss: mean cross-entropy.
    """

    correct: int
    samples: int
    loss: float

    @property
    def accuracy(self) -> float:
        """Share of images classified correctly, 0 … 1."""
        return self.correct / self.samples

    @property
    def exact_accuracy(self) -> Fraction:
        """The accuracy as a fraction, for what must add up exactly."""
        return Fraction(self.correct, self.samples)

    @property
    def accuracy_bps(self) -> int:
        """The accuracy in basis points, 0 … 10,000, rounded down: how it is claimed and voted on chain."""
        return self.correct * 10_000 // self.samples


def evaluate(module: nn.Module, state: State, samples: Samples, threads: int = 1) -> Evaluation:
    """Judge the model on the samples.

    Args:
        module: to compute in; its parameters are overwritten.
        state: the parameters to judge.
        samples: at least one.
        threads: torch's threads.

    Raises:
        DataError: there is no sample.
        ModelError: `state` is not the module's.
        DivergedError: the loss is not a finite number.
    """
    if len(samples) == 0:
        raise DataError("no test image to judge a model by")
    put_state(module, state)
    module.eval()
    correct, loss = 0, 0.0
    with use_threads(threads), torch.inference_mode():
        for images, labels in zip(samples.images.split(_BATCH), samples.labels.split(_BATCH), strict=True):
            outputs = module(to_float(images))
            correct += int((outputs.argmax(1) == labels).sum())
            loss += float(functional.cross_entropy(outputs, labels, reduction="sum"))
    result = Evaluation(correct, len(samples), loss / len(samples))
    if not math.isfinite(result.loss):
        raise DivergedError(f"the model's test loss is {result.loss}")
    return result
