"""Convolutions whose activations lie in memory in the blocks of channels that oneDNN computes on."""

from __future__ import annotations

import torch
from torch import nn


class Blocked(nn.Sequential):
    """A sequence whose layers before its `Flatten` compute on oneDNN's own tensors where that is possible.

    It computes what `nn.Sequential` does, up to rounding. PyTorch's tensors have to be put into blocks for each
    convolution and back again; these stay so from layer to layer, and the indices of poolings take a byte each instead
    of eight. Under autocast to bfloat16 activations are of that type, where the CPU has the instructions. On another
    device or with other types it is an `nn.Sequential`.

    The layers before the `Flatten` must be such that PyTorch has for oneDNN's tensors, with gradients: convolutions
    whose padding is given in numbers, poolings, ReLU.
    """

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of float32 images [n, channels, height, width]."""
        kind = _kind_for(images)
        values = images if kind is None else images.contiguous().to_mkldnn(kind)
        for layer in self:
            if isinstance(layer, nn.Flatten) and values.is_mkldnn:
                values = values.to_dense(torch.float32)
            if isinstance(layer, nn.Conv2d) and values.is_mkldnn and values.dtype == torch.bfloat16:
                values = _convolution(layer, values)
            else:
                values = layer(values)
        return values


def _kind_for(images: torch.Tensor) -> torch.dtype | None:
    """The type to compute in on oneDNN's tensors; None: not on these."""
    if images.device.type != "cpu" or images.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return None
    if not torch.is_autocast_enabled("cpu"):
        return torch.float32
    kind = torch.get_autocast_dtype("cpu")
    return kind if kind == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported() else None


def _convolution(layer: nn.Conv2d, values: torch.Tensor) -> torch.Tensor:
    # `conv2d` wants weights of the type of its input; oneDNN converts them while it puts them into its order
    assert not isinstance(layer.padding, str)
    return torch.mkldnn_convolution(
        values, layer.weight, layer.bias, layer.padding, layer.stride, layer.dilation, layer.groups
    )
