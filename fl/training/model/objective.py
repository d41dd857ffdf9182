"""What clients minimise and models are judged by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import torch
from torch import nn
from torch.nn import functional

from fl.training.config import StationConfig
from fl.training.errors import TrainingError
from fl.training.model.metrics import METRICS
from fl.training.named import asking, function_of, is_path, split

_LOSSES = "torch.nn.functional"


def mean_loss(loss: str, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The mean loss of a batch, with its gradient.

    Args:
        loss: as `fl.training.config.StationConfig` names it.
        outputs: [n, outputs], of torch's default type.
        labels: of as many samples.

    Raises:
        TrainingError: there is no such loss, it fails, or what it returns is no mean.
    """
    if loss == "cross_entropy":
        return functional.cross_entropy(outputs, labels)
    function = function_of(loss, "loss", _LOSSES)
    with asking(f"the loss {loss} fails on {_what(outputs, labels)}"):
        value: torch.Tensor = function(outputs, labels, **_weights(loss, outputs.dtype, outputs.device))
    number = isinstance(value, torch.Tensor) and value.dim() == 0 and value.is_floating_point()
    if not number or (outputs.requires_grad and not value.requires_grad):
        raise TrainingError(f"the loss {loss} gives no mean of {_what(outputs, labels)}, one number with a gradient")
    return value


@lru_cache(maxsize=64)
def _weights(loss: str, kind: torch.dtype, device: torch.device) -> Mapping[str, torch.Tensor]:
    """Arguments of a loss of torch.nn.functional that are several numbers, which it takes as a tensor."""
    if is_path(loss):
        return {}
    with torch.inference_mode(False):  # or steps could not use what judging has made
        return {
            name: torch.tensor(value, dtype=kind, device=device)
            for name, value in split(loss, "loss")[1].items()
            if isinstance(value, tuple)
        }


def check_loss(loss: str, outputs: torch.Tensor, labels: torch.Tensor) -> None:
    """Refuse what fails nowhere and trains something else: a sum for a mean, and a loss that is to be trained itself.

    Args:
        loss: as of `mean_loss`.
        outputs: of a few samples, without a gradient.
        labels: theirs.

    Raises:
        TrainingError: it is such a loss, or fails.
    """
    one, two = (float(mean_loss(loss, outputs.repeat(times, 1), torch.cat([labels] * times))) for times in (1, 2))
    if 0 < abs(one) < math.inf and math.isclose(two, 2 * one, rel_tol=1e-3):
        raise TrainingError(
            f"the loss {loss} of the same samples twice is twice as large: it adds up, and has to give their mean "
            "(reduction='mean', or divide by their number)"
        )
    function = function_of(loss, "loss", _LOSSES)
    if isinstance(function, nn.Module) and any(each.requires_grad for each in function.parameters()):
        raise TrainingError(f"the loss {loss} has parameters, which no client trains: they belong into the model")


@dataclass(frozen=True)
class Objective:
    """What models are judged by.

    Attributes:
        loss: as `fl.training.config.StationConfig` names it.
        metric: as `fl.training.config.TrainingConfig` names it; None: by the loss alone.
        precision: in which a GPU judges, "float32" or "tf32".
    """

    loss: str = "cross_entropy"
    metric: str | None = "accuracy"
    precision: str = "float32"

    @classmethod
    def of(cls, station: StationConfig, metric: str | None) -> Objective:
        """What a base station's models are judged by.

        Where clients compute in less than float32 a GPU judges in TF32.
        """
        return cls(station.loss, metric, "float32" if station.precision == "float32" else "tf32")

    def total_loss(self, outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The loss of a batch, added up over its samples, in double precision.

        Raises:
            TrainingError: see `mean_loss`.
        """
        if self.loss == "cross_entropy":
            return functional.cross_entropy(outputs, labels, reduction="sum").double()
        return mean_loss(self.loss, outputs, labels).double() * len(labels)

    def total_score(self, outputs: torch.Tensor, labels: torch.Tensor) -> int | Fraction:
        """The metric of a batch, added up over its samples; exactly, so that sums of sums are the same in any order.

        Raises:
            TrainingError: there is no such metric, it fails, or what it returns is not from 0 to 1 for each sample.
        """
        if self.metric is None:
            return 0
        function = function_of(self.metric, "metric", METRICS)
        with asking(f"the metric {self.metric} fails on {_what(outputs, labels)}"):
            scores = function(outputs, labels)
        if not isinstance(scores, torch.Tensor) or scores.shape != labels.shape[:1]:
            raise TrainingError(f"the metric {self.metric} gives no number for each of {len(labels)} samples")
        if scores.dtype == torch.bool:
            return int(scores.sum())
        values = scores.double().tolist()
        if outputs.isfinite().all() and not all(0 <= value <= 1 for value in values):
            raise TrainingError(f"the metric {self.metric} gives a sample {min(values)} or {max(values)}, not 0 … 1")
        # one rounding of the exact sum, whose value no order changes
        return Fraction(math.fsum(value for value in values if 0 <= value <= 1))


CLASSIFY = Objective()
"""The highest output names the label."""


def _what(outputs: torch.Tensor, labels: torch.Tensor) -> str:
    return f"outputs {list(outputs.shape)} and labels {list(labels.shape)}"
