"""Group normalisation that leaves images on a GPU channels last, and in the type that they come in."""

from __future__ import annotations

import logging
from functools import lru_cache

import torch
from torch import nn

from fl.training.named import said

log = logging.getLogger(__name__)


class GroupNorm(nn.GroupNorm):
    """`nn.GroupNorm`, which on a GPU runs kernels of our own on float32 and bfloat16 images.

    PyTorch's own puts images channels first and back for each pass, and under autocast computes bfloat16 in float32,
    with a cast before and after. Here numbers of either type are normalised in float32 in registers, and rounded once.
    Elsewhere, and for groups too large for that, it is `nn.GroupNorm`. Kernels' gradients have no gradients.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images of any shape that `nn.GroupNorm` takes."""
        if images.is_cuda and self._has_kernels_for(images):
            from fl.training.model.normalisation_kernels import NormaliseGroups

            normalised: torch.Tensor = NormaliseGroups.apply(images, self.weight, self.bias, self.num_groups, self.eps)
            return normalised
        return super().forward(images)

    def _has_kernels_for(self, images: torch.Tensor) -> bool:
        if not self.affine or images.dim() != 4 or images.shape[1] != self.num_channels or not images.numel():
            return False
        if images.dtype not in (torch.float32, torch.bfloat16) or not _kernels_run_on(images.device):
            return False
        from fl.training.model.normalisation_kernels import fits

        return fits(images, self.num_groups)


@lru_cache(maxsize=16)
def _kernels_run_on(device: torch.device) -> bool:
    """Whether kernels can be compiled and run, tried on one small image."""
    try:
        from fl.training.model.normalisation_kernels import NormaliseGroups

        ones = torch.ones(2, device=device)
        NormaliseGroups.apply(ones.view(1, 2, 1, 1), ones, ones, 2, 1.0)
    except Exception as error:  # no Triton, no compiler of C for it, a GPU too old for it: each raises its own
        log.warning("group normalisation on %s is PyTorch's own, which is slower (%s)", device, said(error))
        return False
    return True
