"""Group normalisation of images that lie channels last, forward and backward, as Triton's kernels for a GPU.

A program of a kernel normalises an image's group: it loads the group's numbers once, computes on them in float32 in
registers, and writes them once. Where a group's channels are less than a sector of memory wide, a program takes as many
groups as fill one. Nothing is added atomically, so that the same numbers give the same bits.
"""

# mypy: disable-error-code="untyped-decorator, no-untyped-def"
# (what Triton compiles has types of its own)

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch.autograd.function import once_differentiable

_SECTOR = 32
"""Bytes of memory that a GPU reads at once, and at least."""

_MOST = 16_384
"""Numbers that a program can keep in registers, in the backward pass those of images and of their gradient."""

_LIKED = 8_192
"""Numbers up to which a program takes further groups: with more there would be too few programs."""


class Tile(NamedTuple):
    """What a program loads: numbers [pixels, groups, width], and how large that is, padded to powers of two.

    Attributes:
        pixels: of an image.
        groups: of an image.
        width: channels of a group.
        tile_pixels: `pixels`, padded.
        tile_groups: that a program takes.
        tile_width: `width`, padded.
    """

    pixels: int
    groups: int
    width: int
    tile_pixels: int
    tile_groups: int
    tile_width: int

    @property
    def numbers(self) -> int:
        """In the tile."""
        return self.tile_pixels * self.tile_groups * self.tile_width

    @property
    def programs(self) -> int:
        """For each image."""
        return -(-self.groups // self.tile_groups)

    @property
    def warps(self) -> int:
        """Of a program: at 16 numbers for each thread of 32."""
        return min(max(self.numbers // 512, 1), 16)


def tile_for(images: torch.Tensor, groups: int) -> Tile:
    """How images [n, channels, height, width] are shared out."""
    _, channels, height, width = images.shape
    return _tile_of(height * width, groups, channels // groups, images.element_size())


@lru_cache(maxsize=256)
def _tile_of(pixels: int, groups: int, width: int, size: int) -> Tile:
    tile_pixels, tile_width = triton.next_power_of_2(pixels), triton.next_power_of_2(width)
    taken = 1
    while taken < groups and taken * width * size < _SECTOR and 2 * taken * tile_width * tile_pixels <= _LIKED:
        taken *= 2
    return Tile(pixels, groups, width, tile_pixels, taken, tile_width)


def fits(images: torch.Tensor, groups: int) -> bool:
    """Whether a program's numbers fit into its registers."""
    return tile_for(images, groups).numbers <= _MOST


class NormaliseGroups(torch.autograd.Function):
    """`torch.nn.functional.group_norm` of images [n, channels, height, width], channels last, in their own type.

    Autocast leaves it alone: it knows none of the operations in it.
    """

    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, groups: int, epsilon: float
    ) -> torch.Tensor:
        """The images normalised by group, times weight [channels], plus bias [channels]."""
        images = images.contiguous(memory_format=torch.channels_last)
        outputs = torch.empty_like(images)
        statistics = images.new_empty(len(images), 2, groups, dtype=torch.float32)
        tile = tile_for(images, groups)
        with torch.cuda.device_of(images):  # where Triton launches; nothing on a CPU, under Triton's interpreter
            _normalise[(len(images) * tile.programs,)](
                images, weight, bias, outputs, statistics, epsilon, *tile, num_warps=tile.warps
            )
        ctx.save_for_backward(images, weight, statistics)
        ctx.tile = tile
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Gradients of the images, channels last, and of weight and bias, each in its type."""
        images, weight, statistics = ctx.saved_tensors
        tile: Tile = ctx.tile
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        inwards = torch.empty_like(images)
        parts = images.new_empty(len(images), 2, images.shape[1], dtype=torch.float32)
        with torch.cuda.device_of(images):
            _differentiate[(len(images) * tile.programs,)](
                images, weight, statistics, gradient, inwards, parts, *tile, num_warps=tile.warps
            )
        of_weight, of_bias = parts.sum(0)
        return inwards, of_weight, of_bias, None, None


@triton.jit
def _tile(
    PIXELS: tl.constexpr,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    TILE_PIXELS: tl.constexpr,
    TILE_GROUPS: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
):
    """Which numbers are a program's.

    Returns:
        Its image, groups [groups], channels [groups, width], whether there are such, places in the image
        [pixels, groups, width], whether there are such.
    """
    PROGRAMS: tl.constexpr = (GROUPS + TILE_GROUPS - 1) // TILE_GROUPS
    image = (tl.program_id(0) // PROGRAMS).to(tl.int64)  # all images together may have more than 2³¹ numbers
    groups = tl.program_id(0) % PROGRAMS * TILE_GROUPS + tl.arange(0, TILE_GROUPS)
    within = tl.arange(0, TILE_WIDTH)
    channels = groups[:, None] * WIDTH + within[None, :]
    is_channel = (groups < GROUPS)[:, None] & (within < WIDTH)[None, :]
    pixels = tl.arange(0, TILE_PIXELS)
    places = pixels[:, None, None] * (GROUPS * WIDTH) + channels[None, :, :]
    is_place = (pixels < PIXELS)[:, None, None] & is_channel[None, :, :]
    return image, groups, channels, is_channel, places, is_place


@triton.jit
def _normalise(
    images,
    weight,
    bias,
    outputs,
    statistics,
    epsilon,
    PIXELS: tl.constexpr,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    TILE_PIXELS: tl.constexpr,
    TILE_GROUPS: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
):
    """Writes outputs, and statistics [n, 2, groups]: means and inverse standard deviations."""
    image, groups, channels, is_channel, places, is_place = _tile(
        PIXELS, GROUPS, WIDTH, TILE_PIXELS, TILE_GROUPS, TILE_WIDTH
    )
    start = image * (PIXELS * GROUPS * WIDTH)
    x = tl.load(images + start + places, mask=is_place, other=0.0).to(tl.float32)
    mean = tl.sum(tl.sum(x, axis=2), axis=0) / (PIXELS * WIDTH)
    away = tl.where(is_place, x - mean[None, :, None], 0.0)
    variance = tl.sum(tl.sum(away * away, axis=2), axis=0) / (PIXELS * WIDTH)
    inverse = tl.rsqrt(variance + epsilon)
    w = tl.load(weight + channels, mask=is_channel, other=0.0).to(tl.float32)
    b = tl.load(bias + channels, mask=is_channel, other=0.0).to(tl.float32)
    y = away * (inverse[:, None] * w)[None, :, :] + b[None, :, :]
    tl.store(outputs + start + places, y, mask=is_place)
    found = statistics + image * (2 * GROUPS) + groups
    tl.store(found, mean, mask=groups < GROUPS)
    tl.store(found + GROUPS, inverse, mask=groups < GROUPS)


@triton.jit
def _differentiate(
    images,
    weight,
    statistics,
    gradient,
    inwards,
    parts,
    PIXELS: tl.constexpr,
    GROUPS: tl.constexpr,
    WIDTH: tl.constexpr,
    TILE_PIXELS: tl.constexpr,
    TILE_GROUPS: tl.constexpr,
    TILE_WIDTH: tl.constexpr,
):
    """Writes the images' gradient inwards, and parts [n, 2, channels]: each image's of weight and of bias.

    With x̂ normalised, g the gradient, w the weight, and means over a group's numbers, the images' gradient is
    (w·g − mean(w·g) − x̂·mean(w·g·x̂)) / standard deviation. The means come of the parts.
    """
    image, groups, channels, is_channel, places, is_place = _tile(
        PIXELS, GROUPS, WIDTH, TILE_PIXELS, TILE_GROUPS, TILE_WIDTH
    )
    start = image * (PIXELS * GROUPS * WIDTH)
    x = tl.load(images + start + places, mask=is_place, other=0.0).to(tl.float32)
    g = tl.load(gradient + start + places, mask=is_place, other=0.0).to(tl.float32)
    w = tl.load(weight + channels, mask=is_channel, other=0.0).to(tl.float32)
    found = statistics + image * (2 * GROUPS) + groups
    mean = tl.load(found, mask=groups < GROUPS, other=0.0)
    inverse = tl.load(found + GROUPS, mask=groups < GROUPS, other=0.0)
    normalised = (x - mean[None, :, None]) * inverse[None, :, None]
    of_weight = tl.sum(g * normalised, axis=0)
    of_bias = tl.sum(g, axis=0)
    along = tl.sum(w * of_weight, axis=1) / (PIXELS * WIDTH)
    level = tl.sum(w * of_bias, axis=1) / (PIXELS * WIDTH)
    dx = (w[None, :, :] * g - level[None, :, None] - normalised * along[None, :, None]) * inverse[None, :, None]
    tl.store(inwards + start + places, dx, mask=is_place)
    part = parts + image * (2 * GROUPS * WIDTH) + channels
    tl.store(part, of_weight, mask=is_channel)
    tl.store(part + GROUPS * WIDTH, of_bias, mask=is_channel)
