"""A client: local epochs of SGD on its own images."""

from __future__ import annotations

import math

import torch
from torch import nn

from fl.training.config import StationConfig
from fl.training.data.augment import draw_views
from fl.training.data.dataset import Samples
from fl.training.errors import DivergedError
from fl.training.model.parameters import is_finite, view_state
from fl.training.model.runtime import reproducible
from fl.training.model.steps import Batch, steps_on


def train_client(
    module: nn.Module, samples: Samples, config: StationConfig, seed: int, epochs: int | None = None
) -> float:
    """Train the module in place for κ1 local epochs (HierFAVG, Liu et al. 2020, Algorithm 1: ClientUpdate).

    With `config.proximal` μ > 0 the loss is FedProx's, `F(w) + μ/2 · ‖w − w₀‖²` (Li et al. 2020, equation 2),
    where w₀ are the module's parameters at the start.

    Args:
        module: at the base station's current model; at the client's model afterwards.
        samples: the client's images, at least one, on the module's device.
        config: κ1 and the settings of SGD.
        seed: of the order of images, their augmentation and what the module draws.
        epochs: local epochs; None: κ1.

    Returns:
        Mean cross-entropy over the images in the last local epoch, without FedProx's term.

    Raises:
        DivergedError: the loss or a parameter is not a finite number.
    """
    device = samples.labels.device
    random = torch.Generator().manual_seed(seed)
    module.train()
    mean = math.nan
    with reproducible(seed, device):
        steps = steps_on(module, config)
        for epoch in range(config.local_epochs if epochs is None else epochs):
            steps.total.zero_()
            order = torch.randperm(len(samples), generator=random).to(device)
            views = draw_views(len(samples), random, device) if config.augment else None
            for first in range(0, len(samples), config.batch_size):
                part = slice(first, first + config.batch_size)
                chosen = order[part]
                steps.take(Batch(samples.images[chosen], samples.labels[chosen], views[part] if views else None))
            mean = float(steps.total) / len(samples)
            if not math.isfinite(mean):
                raise DivergedError(
                    f"the loss became {mean} in local epoch {epoch + 1}: lower the learning rate "
                    f"({config.learning_rate})"
                )
    if not is_finite(view_state(module)):
        raise DivergedError(
            f"a parameter is no finite number after the last step: lower the learning rate ({config.learning_rate})"
        )
    return mean
