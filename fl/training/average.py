"""The average weighted by samples, at a base station over its clients and globally over base stations."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from fl.training.errors import ModelError, TrainingError
from fl.training.state import State


def average(states: Iterable[tuple[State, int]]) -> State:
    """`Σ nᵢ wᵢ / Σ nᵢ` (HierFAVG, Liu et al. 2020, Algorithm 1: EdgeAggregation and CloudAggregation).

    Sums in double precision and in the order given, one state at a time: from a generator it holds one sum
    and one state, however many there are.

    Args:
        states: pairs of tensors by name and the number of samples that they were trained on.

    Returns:
        Tensors of the same names, shapes and types (whole numbers are rounded).

    Raises:
        TrainingError: there is nothing to average, or a number of samples is not positive.
        ModelError: the states are not of one model.
    """
    sums: State = {}
    kinds: dict[str, torch.dtype] = {}
    total = 0
    for state, samples in states:
        if samples < 1:
            raise TrainingError(f"an average over samples needs at least 1 a model, not {samples}")
        if total == 0:
            kinds = {name: tensor.dtype for name, tensor in state.items()}
            sums = {name: torch.zeros_like(tensor, dtype=torch.float64) for name, tensor in state.items()}
        if {name: tensor.shape for name, tensor in state.items()} != {name: s.shape for name, s in sums.items()}:
            raise ModelError("models of different names or shapes of tensors cannot be averaged")
        for name, tensor in state.items():
            sums[name].add_(tensor.double(), alpha=samples)
        total += samples
    if total == 0:
        raise TrainingError("nothing to average: no model was given")
    return {name: _cast(sums[name] / total, kind) for name, kind in kinds.items()}


def _cast(tensor: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    return (tensor if kind.is_floating_point else tensor.round()).to(kind)
