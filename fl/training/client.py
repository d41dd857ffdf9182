"""A client: local epochs of SGD on its own images."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional
from torch.optim.sgd import sgd

from fl.training.config import StationConfig
from fl.training.data import Samples, to_float
from fl.training.errors import DivergedError


def train_client(module: nn.Module, samples: Samples, config: StationConfig, seed: int) -> float:
    """Train the module in place for κ1 local epochs (HierFAVG, Liu et al. 2020, Algorithm 1: ClientUpdate).

    Args:
        module: at the base station's current model; at the client's model afterwards.
        samples: the client's images, at least one.
        config: κ1 and the settings of SGD.
        seed: of the order of images.

    Returns:
        Mean cross-entropy over the images in the last local epoch.

    Raises:
        DivergedError: the loss is not a finite number.
    """
    random = torch.Generator().manual_seed(seed)
    parameters: list[torch.Tensor] = [parameter for parameter in module.parameters() if parameter.requires_grad]
    velocities: list[torch.Tensor | None] = [None] * len(parameters)
    module.train()
    mean = math.nan
    for epoch in range(config.local_epochs):
        total = torch.zeros((), device=samples.labels.device)
        order = torch.randperm(len(samples), generator=random).to(samples.labels.device)
        for batch in order.split(config.batch_size):
            loss = functional.cross_entropy(module(to_float(samples.images[batch])), samples.labels[batch])
            # torch.optim.SGD is this function behind a class whose constructor spends 1.4 s on importing
            # torch's compiler
            sgd(
                parameters,
                list(torch.autograd.grad(loss, parameters)),
                velocities,
                fused=True,
                weight_decay=0.0,
                momentum=config.momentum,
                lr=config.learning_rate,
                dampening=0.0,
                nesterov=False,
                maximize=False,
            )
            total += loss.detach() * len(batch)
        mean = float(total) / len(samples)
        if not math.isfinite(mean):
            raise DivergedError(
                f"the loss became {mean} in local epoch {epoch + 1}: lower the learning rate ({config.learning_rate})"
            )
    return mean
