"""Differential privacy of clients: their updates are clipped, and Gaussian noise is added.

Hidden is whether a client trained on its samples or sent back what it got (user-level privacy, McMahan et al. 2018).
What a model has moved by is clipped to the norm C. Then a base station adds N(0, (z · C)²) to each parameter of the sum
of its clients' updates, or every client adds as much to its own. Numbers of samples are not hidden, nor are losses and
accuracies of clients, where a simulation shows them.

The noise follows from a secret and from what it hides. So whoever makes the same again sends the same again, and
nothing else has that noise: a difference of two updates with the same noise would be free of it. It is drawn from
SHAKE-256: torch's own generator begins from 32 bits, which whoever reads an update can try one by one.
"""

from __future__ import annotations

import hashlib
import hmac
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fl.training.config import Privacy
from fl.training.errors import ModelError
from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec


def check_hidden(model: ModelSpec) -> None:
    """Check that all that is sent of a model are parameters, which noise can hide.

    Raises:
        ModelError: it has other tensors, such as a batch normalisation's statistics.
    """
    if beside := sorted(model.tensors().keys() - set(model.trained(tied=True))):
        raise ModelError(
            f"model {model.name} sends {beside[0]}, which is no parameter, so that no noise hides it: normalise groups "
            "or layers, not batches, or leave privacy out"
        )


def clip(module: nn.Module, start: State, norm: float) -> None:
    """Shorten what a module has moved by to a Euclidean norm, over all of its parameters.

    Args:
        module: changed in place; its parameters are finite.
        start: the model that it moved from.
        norm: that it has at most then.
    """
    with torch.no_grad():
        trained = {name: each for name, each in module.named_parameters() if each.requires_grad}
        origins = {name: start[name].to(each.device).double() for name, each in trained.items()}
        moved = {name: each.double() - origins[name] for name, each in trained.items()}
        length = math.sqrt(sum(float(each.square().sum()) for each in moved.values()))
        if length > norm:
            for name, parameter in trained.items():
                parameter.copy_(moved[name].mul_(norm / length).add_(origins[name]))


def add_noise(module: nn.Module, privacy: Privacy, secret: bytes, terms: int = 1) -> None:
    """Add the noise that hides a client in a mean of so many terms, or in its own update.

    Args:
        module: changed in place.
        privacy: C and z.
        secret: that the noise follows from, beside all of the above.
        terms: of the mean.
    """
    deviation = privacy.noise_multiplier * privacy.clipping_norm / terms
    trained = [each for each in module.parameters() if each.requires_grad]
    with torch.no_grad():
        key = hmac.new(secret, repr((privacy, terms)).encode(), "sha256")
        for parameter in trained:
            key.update(parameter.cpu().double().numpy().tobytes())
        for number, parameter in enumerate(trained):
            drawn = _normal(key.digest() + number.to_bytes(4), parameter.numel())
            parameter.add_(torch.from_numpy(drawn).view(parameter.shape).to(parameter), alpha=deviation)


def _normal(key: bytes, count: int) -> NDArray[np.float64]:
    """So many independent standard normal numbers, float64 (Box and Muller 1958)."""
    pairs = -(-count // 2)
    drawn = np.frombuffer(hashlib.shake_256(key).digest(16 * pairs), "<u8") >> np.uint64(11)
    first, second = ((drawn + 1.0) * 2.0**-53).reshape(2, pairs)  # above 0, 1 at most
    radius, angle = np.sqrt(-2 * np.log(first)), 2 * np.pi * second
    normal: NDArray[np.float64] = np.concatenate((radius * np.cos(angle), radius * np.sin(angle)))
    return normal[:count]
