"""A client: local epochs on its own samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import nn

from fl.training.config import StationConfig
from fl.training.data.augment import Views, draw_views, send
from fl.training.data.dataset import Samples
from fl.training.errors import DivergedError, TrainingError
from fl.training.model.parameters import floats_of, magnitudes, on_gpu, view_state
from fl.training.model.runtime import reproducible
from fl.training.model.steps import Batch, steps_on
from fl.training.named import asking, function_of
from fl.training.seeds import Stream, derive_seed


def train_client(
    module: nn.Module,
    samples: Samples,
    config: StationConfig,
    seed: int,
    epochs: int | None = None,
    rate: float | None = None,
    correction: Mapping[str, torch.Tensor] | None = None,
) -> float:
    """Train the module in place for κ1 local epochs (HierFAVG, Liu et al. 2020, Algorithm 1: ClientUpdate).

    With `config.proximal` μ > 0 the loss is FedProx's, `F(w) + μ/2 · ‖w − w₀‖²` (Li et al. 2020, equation 2),
    where w₀ are the module's parameters at the start.

    Args:
        module: at the base station's current model; at the client's model afterwards.
        samples: the client's samples, at least one, on the module's device.
        config: κ1 and the settings of SGD.
        seed: of the order of samples, their augmentation and what the transform and the module draw.
        epochs: local epochs; None: κ1.
        rate: learning rate; None: the configuration's.
        correction: what is added to each step's gradient, by parameter; None: nothing.

    Returns:
        Mean loss over the samples in the last local epoch, without FedProx's term.

    Raises:
        DivergedError: the loss or a parameter is not a finite number.
    """
    device = samples.labels.device
    random = torch.Generator().manual_seed(seed)
    module.train()
    transform = None if config.transform is None else function_of(config.transform, "transform")
    epochs = config.local_epochs if epochs is None else epochs
    totals: list[torch.Tensor] = []
    mean = math.nan

    def mean_of(epoch: int, total: float) -> float:
        mean = total / len(samples)
        if not math.isfinite(mean):
            raise DivergedError(
                f"the loss became {mean} in local epoch {epoch + 1}: lower the learning rate ({config.learning_rate})"
            )
        return mean

    # of another seed than the order's: of the same, a permutation that the transform draws would be that order
    with reproducible(derive_seed(seed, Stream.MODULE), device, config.precision):
        steps = steps_on(module, config, rate, correction)
        for epoch, (order, views) in enumerate(_orders(samples, epochs, config.augment, random)):
            steps.total.zero_()
            first = 0
            for inputs, labels in _batches(samples, order, config.batch_size):
                part = slice(first, first := first + config.batch_size)
                if transform is not None:
                    inputs = _transformed(inputs, transform)
                steps.take(Batch(inputs, labels, views[part] if views else None))
            if config.graphs:  # a replay cannot fail on a number that is none, and each read waits for the GPU
                totals.append(steps.total.clone())
            else:
                mean = mean_of(epoch, float(steps.total))
    found = magnitudes(floats_of(view_state(module)))
    read = (torch.cat((torch.stack(totals), found)) if totals else found).tolist()
    for epoch, total in enumerate(read[: len(totals)]):
        mean = mean_of(epoch, total)
    if not all(map(math.isfinite, read[len(totals) :])):
        raise DivergedError(
            f"a parameter is no finite number after the last step: lower the learning rate ({config.learning_rate})"
        )
    return mean


_TOGETHER = 64
"""Batches that a GPU gathers at once: few launches, and no copy of all that a client has."""


def _orders(
    samples: Samples, epochs: int, augment: bool, random: torch.Generator
) -> Iterator[tuple[torch.Tensor, Views | None]]:
    """The order of samples in each epoch, and how they are seen; drawn one after the other, to a GPU sent together."""
    count, device = len(samples), samples.labels.device
    drawn = (
        (torch.randperm(count, generator=random), draw_views(count, random, device) if augment else None)
        for _ in range(epochs)
    )
    if not on_gpu(samples.labels) or epochs == 0:
        return drawn
    orders, views = zip(*drawn, strict=True)
    return zip(send(torch.stack(orders), device), views, strict=True)


def _batches(samples: Samples, order: torch.Tensor, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Inputs and labels of each batch of an epoch."""
    if not on_gpu(order):
        return ((samples.inputs[chosen], samples.labels[chosen]) for chosen in order.split(size))
    return (
        batch
        for chosen in order.split(_TOGETHER * size)
        for batch in zip(samples.inputs[chosen].split(size), samples.labels[chosen].split(size), strict=True)
    )


def _transformed(inputs: torch.Tensor, transform: Callable[[torch.Tensor], object]) -> torch.Tensor:
    with asking(f"the transform fails on a batch of shape {list(inputs.shape)}"):
        result = transform(inputs)
    if not isinstance(result, torch.Tensor) or len(result) != len(inputs):
        raise TrainingError(f"the transform gives no tensor of {len(inputs)} inputs")
    if inputs.dtype == torch.uint8 != result.dtype:
        raise TrainingError(
            f"the transform turns bytes into {result.dtype}, which a model gets as they are, while the bytes of test "
            "samples are scaled to [−1, 1]: let it return bytes, and normalise in the data set or the model"
        )
    return result
