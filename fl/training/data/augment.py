"""Random shifts and mirror images, on whatever device the images are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

PADDING = 4
"""Black pixels around an image, within which it is shifted (He et al. 2016, section 4.2)."""


@dataclass(frozen=True, eq=False)
class Views:
    """How each of n images is seen in one epoch.

    Attributes:
        top: first row in the padded image, 0 … 2·PADDING, int64 [n].
        left: first column, the same.
        mirrored: bool [n].
    """

    top: torch.Tensor
    left: torch.Tensor
    mirrored: torch.Tensor

    def __getitem__(self, part: slice) -> Views:
        return Views(self.top[part], self.left[part], self.mirrored[part])


def draw_views(count: int, random: torch.Generator, device: torch.device) -> Views:
    """Draw views uniformly; on the CPU, so that every device sees the same."""
    top, left = send(torch.randint(0, 2 * PADDING + 1, (2, count), generator=random), device)
    mirrored = torch.rand(count, generator=random) < 0.5
    return Views(top, left, send(mirrored, device))


def send(drawn: torch.Tensor, device: torch.device) -> torch.Tensor:
    """What was drawn on the CPU, on the device.

    PyTorch's blocking copy waits for all that a GPU has to do; CUDA's own has read the memory when it returns.
    """
    return drawn.to(device, non_blocking=device.type == "cuda")


def augment(images: torch.Tensor, views: Views) -> torch.Tensor:
    """The images as seen, same shape and type.

    Args:
        images: [n, channels, height, width].
        views: of n images.
    """
    count, channels, height, width = images.shape
    device = images.device
    rows = views.top[:, None] + torch.arange(height, device=device)
    steps = torch.arange(width, device=device)
    columns = views.left[:, None] + torch.where(views.mirrored[:, None], width - 1 - steps, steps)
    # black, which is −1 where images are a model's input already
    padded = functional.pad(images, (PADDING,) * 4, value=-1 if images.is_floating_point() else 0)
    return padded[
        torch.arange(count, device=device)[:, None, None, None],
        torch.arange(channels, device=device)[None, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
