"""Accuracy and loss of a model on test samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl.training.data.dataset import Samples, to_input
from fl.training.errors import DataError, DivergedError, ModelError
from fl.training.model.objective import CLASSIFY, Objective
from fl.training.model.parameters import State, put_state
from fl.training.model.runtime import exactly, use_threads
from fl.training.named import asking

BATCH = 500
"""Test samples judged at a time."""

MOST_LABELS = 100
"""Beyond which there is no confusion matrix: of the 10,000 words of a vocabulary it would have gigabytes."""


@dataclass(frozen=True)
class Evaluation:
    """How a model does on test samples.

    Attributes:
        correct: number of samples whose label has the highest output; with another metric, its sum over the samples.
        samples: number of samples.
        loss: mean cross-entropy, or what other loss there is.
        confusion: number of samples by their label (row) and the label with the highest output (column); empty where
            labels are no classes, or more than `MOST_LABELS`.
        by_label: of each label the number of samples classified correctly, and of all; empty where labels are no
            classes.
    """

    correct: int | Fraction
    samples: int
    loss: float
    confusion: tuple[tuple[int, ...], ...] = ()
    by_label: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        for name in ("confusion", "by_label"):
            object.__setattr__(self, name, tuple(map(tuple, getattr(self, name))))  # JSON knows lists only

    @property
    def label_accuracies(self) -> tuple[float | None, ...]:
        """Share of each label's samples classified correctly; None where there is no sample of it."""
        return tuple(correct / samples if samples else None for correct, samples in self.by_label)

    @property
    def accuracy(self) -> float:
        """Share of samples classified correctly, 0 … 1; with another metric, its mean."""
        return float(self.correct / self.samples)

    @property
    def exact_accuracy(self) -> Fraction:
        """The accuracy as a fraction, for what must add up exactly."""
        return Fraction(self.correct) / self.samples

    @property
    def accuracy_bps(self) -> int:
        """The accuracy in basis points, 0 … 10,000, rounded down: how it is claimed and voted on chain."""
        return self.correct * 10_000 // self.samples


UNJUDGED = Evaluation(0, 1, math.nan)
"""Of a model that nobody has looked at."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What evaluation found on a batch.

    Attributes:
        correct: as of `Evaluation`.
        samples: number of samples.
        loss: sum of their cross-entropies, or of what other loss there is.
        labels: how many there are; 0 where labels are no classes.
        pairs: int64 [2, samples], of each sample its label and the label with the highest output; [2, 0] where labels
            are no classes.
    """

    correct: int | Fraction
    samples: int
    loss: float
    labels: int
    pairs: NDArray[np.int64]


def evaluate(
    module: nn.Module, state: State, samples: Samples, threads: int = 1, objective: Objective = CLASSIFY
) -> Evaluation:
    """Judge the model on the samples.

    Args:
        module: to compute in; its parameters are overwritten.
        state: the parameters to judge.
        samples: at least one.
        threads: torch's threads.
        objective: what it is judged by.

    Raises:
        DataError: there is no sample.
        TrainingError: the loss or the metric fails.
        ModelError: `state` is not the module's.
        DivergedError: the loss is not a finite number.
    """
    return summarise(judge(module, state, samples, threads, objective))


def judge(
    module: nn.Module, state: State, samples: Samples, threads: int = 1, objective: Objective = CLASSIFY
) -> list[Judged]:
    """Judge the model on each `BATCH` of the samples; arguments as of `evaluate`, which sums up.

    Raises:
        ModelError: `state` is not the module's, or the module fails.
        TrainingError: the loss or the metric fails.
    """
    put_state(module, state)
    module.eval()
    names = 0
    sizes, losses, pairs, scores = [], [], [], []
    with use_threads(threads), exactly(samples.labels.device, objective.precision), torch.inference_mode():
        for first in range(0, len(samples), BATCH):
            inputs, labels = samples.inputs[first : first + BATCH], samples.labels[first : first + BATCH]
            with asking(f"the model fails on test samples {first} … {first + len(labels) - 1}", ModelError):
                outputs = module(to_input(inputs))
            sizes.append(len(labels))
            losses.append(objective.total_loss(outputs, labels))
            if labels.dim() == 1 and not labels.is_floating_point():
                names = outputs.shape[1]
                pairs.append(torch.stack((labels, outputs.argmax(1))))
            if not pairs or objective.metric != CLASSIFY.metric:
                scores.append(objective.total_score(outputs, labels))
        if not sizes:
            return []
        # read at the end, as each read waits for the GPU
        read, parts = torch.stack(losses).tolist(), [np.empty((2, 0), np.int64)] * len(sizes)
        if pairs:
            parts = [part.numpy() for part in torch.cat(pairs, dim=1).cpu().split(sizes, dim=1)]
    scores = scores or [int((part[0] == part[1]).sum()) for part in parts]
    return [Judged(*each) for each in zip(scores, sizes, read, repeat(names), parts)]


def summarise(batches: Sequence[Judged]) -> Evaluation:
    """What was found on all batches, in this order.

    Raises:
        DataError: there is no batch.
        DivergedError: the loss is not a finite number.
    """
    samples = sum(batch.samples for batch in batches)
    if samples == 0:
        raise DataError("no test sample to judge a model by")
    loss = 0.0
    for batch in batches:  # plainly: Python 3.12's `sum` rounds otherwise than 3.11's
        loss += batch.loss
    if not math.isfinite(loss):
        raise DivergedError(f"the judged model's loss is {loss / samples}: lower the learning rate, or scale the data")
    count = batches[0].labels
    labels, taken = np.concatenate([batch.pairs for batch in batches], axis=1)
    correct, of = (np.bincount(each, minlength=count).tolist() for each in (labels[labels == taken], labels))
    confusion: tuple[tuple[int, ...], ...] = ()
    if count <= MOST_LABELS:
        confusion = tuple(np.bincount(labels * count + taken, minlength=count**2).reshape(count, count).tolist())
    by_label = tuple(zip(correct, of, strict=True))
    return Evaluation(sum(batch.correct for batch in batches), samples, loss / samples, confusion, by_label)


def score_of(
    module: nn.Module, state: State, samples: Samples, threads: int = 1, objective: Objective = CLASSIFY
) -> int | Fraction:
    """The metric added up over the samples, whatever the loss; arguments as of `evaluate`."""
    return sum((batch.correct for batch in judge(module, state, samples, threads, objective)), start=0)
