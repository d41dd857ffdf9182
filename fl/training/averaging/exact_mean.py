"""A weighted mean that is the same to the last bit however its terms are ordered, grouped or spread over processes.

Sums of floating-point numbers depend on their order; sums of whole numbers do not. So each term `nᵢ wᵢ` is rounded to
a multiple of a power of two, which everyone works out from the largest magnitude in the tensor over all models, and
the multiples are added up as 64-bit integers. The power leaves 62 bits below the largest possible sum, where double
precision has 53: whatever is larger than 2⁻³⁷ of the tensor's largest value is as exact as float32 can hold, and the
error of the rest is below m · 2⁻⁶¹ of that value for m models.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import TypeAlias

import torch

from fl.training.average import cast, check_alike, wide
from fl.training.model.parameters import State, magnitudes, on_gpu

Peaks: TypeAlias = Mapping[str, float]
"""The largest magnitude in each tensor, by name."""

_BITS = 62
_CHUNK = 1 << 16
"""Coordinates worked on at a time, so that what lies between stays in the processor's cache."""
_GPU_CHUNK = 1 << 25
"""The same on a GPU, which takes what fits into some memory in one operation: 16 bytes for each."""
_SMALLEST = -900
"""Exponent of the smallest power of two that terms are rounded to; its reciprocal, times any count, is finite."""


def peaks_of(state: State) -> dict[str, float]:
    """The largest magnitude in each tensor; not finite where the tensor is not."""
    return dict(zip(state, magnitudes(state.values()).tolist(), strict=True))


def are_finite(peaks: Peaks) -> bool:
    """Whether every parameter is a number."""
    return all(math.isfinite(peak) for peak in peaks.values())


def highest_of(peaks: Iterable[Peaks]) -> dict[str, float]:
    """The largest of the magnitudes of several states of one model."""
    result: dict[str, float] = {}
    for each in peaks:
        for name, peak in each.items():
            result[name] = max(peak, result.get(name, 0.0))
    return result


class ExactSum:
    """`Σ nᵢ wᵢ` of some of the models; integer sums of several of these, added, are that of all their models.

    Args:
        like: a state of the model, for names, shapes, types and device.
        peaks: the largest magnitudes over all models that there are, here or elsewhere, all finite.
        samples: `Σ nᵢ` over all of them.

    Attributes:
        sums: int64 [number of coordinates], of all tensors in the order of `like`.
    """

    def __init__(self, like: State, peaks: Peaks, samples: int):
        self._like = like
        self._samples = samples
        self._exponents = {name: _exponent(peaks[name], samples) for name in like}
        sizes = [tensor.numel() for tensor in like.values()]
        device = next(iter(like.values())).device
        self.sums = torch.zeros(sum(sizes), dtype=torch.int64, device=device)
        self._parts = dict(zip(like, self.sums.split(sizes), strict=True))

    def add(self, state: State, samples: int) -> None:
        """Add `samples · state`.

        Raises:
            ModelError: the state is of another model.
        """
        check_alike(state, self._like)
        factors = {name: math.ldexp(samples, -self._exponents[name]) for name in self._parts}
        for pieces in self._pieces(state):
            terms = wide([values for _, values, _ in pieces])
            torch._foreach_mul_(terms, [factors[name] for _, _, name in pieces])
            torch._foreach_round_(terms)
            whole = [torch.empty_like(term, dtype=torch.int64) for term in terms]
            torch._foreach_copy_(whole, terms)
            torch._foreach_add_([total for total, _, _ in pieces], whole)

    def _pieces(self, state: State) -> Iterator[list[tuple[torch.Tensor, torch.Tensor, str]]]:
        """Sums, values and the tensor's name, together of so many coordinates as are worked on at a time."""
        most = _GPU_CHUNK if on_gpu(self.sums) else _CHUNK
        pieces: list[tuple[torch.Tensor, torch.Tensor, str]] = []
        left = most
        for name, part in self._parts.items():
            values = state[name].to(part.device).reshape(-1)
            for piece in zip(part.split(most), values.split(most), repeat(name)):
                if pieces and len(piece[0]) > left:
                    yield pieces
                    pieces, left = [], most
                pieces.append(piece)
                left -= len(piece[0])
        if pieces:
            yield pieces

    def mean(self) -> State:
        """The sums over `Σ nᵢ`, as tensors of the model's shapes and types (whole numbers are rounded)."""
        result: State = {}
        for name, part in self._parts.items():
            tensor = self._like[name]
            mean = part.double().mul_(math.ldexp(1.0, self._exponents[name])).div_(self._samples)
            result[name] = torch.empty_like(tensor).copy_(cast(mean, tensor.dtype).reshape(tensor.shape))
        return result


def _exponent(peak: float, samples: int) -> int:
    """The least e with samples · peak ≤ 2^(62 + e), or a little more."""
    return max(math.frexp(peak)[1] + samples.bit_length() - _BITS, _SMALLEST)
