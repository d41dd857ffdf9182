"""Updates of few bits for each parameter, that are right on average (QSGD, Alistarh et al. 2017).

What is sent of a tensor is what it has moved by since the model that its sender received: its largest magnitude m as a
float32, and of each coordinate d a whole number q in −s … s, s = 2^(bits − 1) − 1, which stands for q · m / s. That is
one of the two neighbours of d, drawn so that d is its expectation. What is no parameter, such as a batch
normalisation's statistics, is sent as it is.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod

import torch
from torch import nn

from fl.training.model.parameters import State
from fl.training.model.spec import ModelSpec

_SCALE_BYTES = 4


def quantise(module: nn.Module, start: State, bits: int, seed: int) -> None:
    """Replace a module's parameters by what arrives of them.

    Args:
        module: changed in place.
        start: the model that its sender received, which the receiver has.
        bits: of each parameter, at least 2.
        seed: of the draws.
    """
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(arriving(parameter, start[name].to(parameter.device), bits, random))


def arriving(tensor: torch.Tensor, start: torch.Tensor, bits: int, random: torch.Generator) -> torch.Tensor:
    """What arrives of a tensor, of the same shape.

    Args:
        tensor: finite floats.
        start: what its receiver has of it already.
        bits: of each coordinate.
        random: on the CPU, so that every device draws the same.
    """
    if tensor.numel() == 0:
        return tensor
    most = (1 << bits - 1) - 1
    moved = tensor - start
    scale = moved.abs().amax().clamp_min(torch.finfo(tensor.dtype).tiny)
    drawn = torch.rand(tensor.shape, generator=random, dtype=torch.float32).to(moved)
    # a draw close to 1, added to `most`, would be rounded up to one more
    whole = (moved / scale * most + drawn).floor_().clamp_(-most, most)
    return whole.mul_(scale / most).add_(start)


@lru_cache(maxsize=64)
def update_bytes(model: ModelSpec, bits: int | None) -> int:
    """Bytes of an update.

    Args:
        model: of which.
        bits: of each parameter; None: it is sent as a model.

    Raises:
        ModelError: the model cannot be built.
    """
    tensors = model.tensors()
    if bits is None:
        return sum(prod(shape) * kind.itemsize for shape, kind in tensors.values())
    once, names = model.trained(), set(model.trained(tied=True))
    quantised = sum(-(-prod(tensors[name][0]) * bits // 8) + _SCALE_BYTES for name in once)
    return quantised + sum(prod(shape) * kind.itemsize for name, (shape, kind) in tensors.items() if name not in names)
