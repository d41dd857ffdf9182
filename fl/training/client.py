"""A client: local epochs of SGD on its own images."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional
from torch.optim.sgd import sgd

from fl.training.augment import augment, draw_views
from fl.training.config import StationConfig
from fl.training.data import Samples, to_float
from fl.training.errors import DivergedError
from fl.training.runtime import autocast, reproducible
from fl.training.state import is_finite, view_state


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
    parameters: list[torch.Tensor] = [parameter for parameter in module.parameters() if parameter.requires_grad]
    start = [parameter.detach().clone() for parameter in parameters] if config.proximal else []
    velocities: list[torch.Tensor | None] = [None] * len(parameters)
    module.train()
    mean = math.nan
    with reproducible(seed, device):
        for epoch in range(config.local_epochs if epochs is None else epochs):
            total = torch.zeros((), device=device)
            order = torch.randperm(len(samples), generator=random).to(device)
            views = draw_views(len(samples), random, device) if config.augment else None
            for first in range(0, len(samples), config.batch_size):
                part = slice(first, first + config.batch_size)
                images = samples.images[order[part]]
                if views is not None:
                    images = augment(images, views[part])
                with autocast(config.precision, device):
                    outputs = module(to_float(images))
                loss = functional.cross_entropy(outputs.float(), samples.labels[order[part]])
                gradients = gradients_of(loss, parameters)
                if start:
                    with torch.no_grad():
                        torch._foreach_add_(gradients, torch._foreach_sub(parameters, start), alpha=config.proximal)
                descend(parameters, gradients, velocities, config.learning_rate, config.momentum)
                total += loss.detach() * len(images)
            mean = float(total) / len(samples)
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


def gradients_of(loss: torch.Tensor, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients that lie in memory as their parameters do, which `autograd.grad` does not promise.

    The fused step takes both as rows of numbers, and would give a parameter the gradient of another without a word.
    """
    found = torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True)
    return [
        gradient if gradient.stride() == parameter.stride() else torch.empty_like(parameter).copy_(gradient)
        for gradient, parameter in zip(found, parameters, strict=True)
    ]


def descend(
    parameters: list[torch.Tensor],
    gradients: list[torch.Tensor],
    velocities: list[torch.Tensor | None],
    rate: float,
    momentum: float,
) -> None:
    """A step of SGD in place, one pass over all three; a velocity that is None starts at rest."""
    # torch.optim.SGD is this function behind a class whose constructor spends 1.4 s on importing torch's compiler
    sgd(
        parameters,
        gradients,
        velocities,
        fused=True,
        weight_decay=0.0,
        momentum=momentum,
        lr=rate,
        dampening=0.0,
        nesterov=False,
        maximize=False,
    )
