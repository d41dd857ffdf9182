"""Convolutions whose activations lie in memory in the blocks of channels that oneDNN computes on."""

from __future__ import annotations

import torch
from torch import nn


class Blocked(nn.Sequential):
    """A sequence whose layers before its `Flatten` compute on oneDNN's own tensors where that is possible.

    It computes what `nn.Sequential` does, up to rounding. PyTorch's tensors have to be put into blocks for each
    convolution and back again; these stay so from layer to layer, and the indices of poolings take a byte each instead
    of eight. On another device, with other types than float32 or under autocast it is an `nn.Sequential`.

    The layers before the `Flatten` must be such that PyTorch has for oneDNN's tensors, with gradients: convolutions,
    poolings, ReLU.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of float32 images [n, channels, height, width]."""
        values = images.contiguous().to_mkldnn() if _suits(images) else images
        for layer in self:
            if isinstance(layer, nn.Flatten) and values.is_mkldnn:
                values = values.to_dense()
            values = layer(values)
        return values


def _suits(images: torch.Tensor) -> bool:
    return (
        images.device.type == "cpu"
        and images.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and not torch.is_autocast_enabled("cpu")
    )
