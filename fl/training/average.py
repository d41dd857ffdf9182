"""The average weighted by samples, at a base station over its clients and globally over base stations."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import torch

from fl.training.errors import ModelError, TooFewError, TrainingError
from fl.training.model.parameters import State, on_gpu


def average(states: Iterable[tuple[State, int]]) -> State:
    """`Σ nᵢ wᵢ / Σ nᵢ` (HierFAVG, Liu et al. 2020, Algorithm 1: EdgeAggregation and CloudAggregation).

    Sums in double precision and in the order given, one state at a time: from a generator it holds one sum
    and one state, however many there are.

    Args:
        states: pairs of tensors by name and the number of samples that they were trained on.

    Returns:
        Tensors of the same names, shapes and types (whole numbers are rounded).

    Raises:
        TooFewError: there is nothing to average.
        TrainingError: a number of samples is not positive.
        ModelError: the states are not of one model.
    """
    sums: State = {}
    doubles: list[torch.Tensor] = []
    kinds: dict[str, torch.dtype] = {}
    total = alone = 0
    for state, samples in states:
        if samples < 1:
            raise TrainingError(f"an average over samples needs at least 1 sample of each model, not {samples}")
        if total == 0:
            kinds = {name: tensor.dtype for name, tensor in state.items()}
            sums = dict(zip(state, wide(state.values()), strict=True))
            alone = samples
        else:
            check_alike(state, sums)
            if alone:  # weighed only now: a single model is its own mean, with nothing to work out
                torch._foreach_mul_(list(sums.values()), alone)
            terms = [state[name] for name in sums]
            if on_gpu(terms[0]):  # which adds in one launch what is of one type; a CPU saves the copy
                doubles = doubles or [torch.empty_like(each) for each in sums.values()]
                torch._foreach_copy_(doubles, terms)
                terms = doubles
            torch._foreach_add_(list(sums.values()), terms, alpha=samples)
            alone = 0
        total += samples
    if total == 0:
        raise TooFewError("nothing to average: no model was given")
    if not alone:
        torch._foreach_div_(list(sums.values()), total)
    return {name: cast(sums[name], kind) for name, kind in kinds.items()}


def wide(tensors: Collection[torch.Tensor]) -> list[torch.Tensor]:
    """Copies in double precision."""
    copies = [torch.empty_like(tensor, dtype=torch.float64) for tensor in tensors]
    torch._foreach_copy_(copies, list(tensors))
    return copies


def check_alike(one: State, other: State) -> None:
    """Check that two states are of one model.

    Raises:
        ModelError: a name or a shape differs.
    """
    if {name: tensor.shape for name, tensor in one.items()} != {name: t.shape for name, t in other.items()}:
        raise ModelError("models of different names or shapes of tensors cannot be averaged")


def cast(tensor: torch.Tensor, kind: torch.dtype) -> torch.Tensor:
    """The tensor in another type; to whole numbers it is rounded."""
    return (tensor if kind.is_floating_point else tensor.round()).to(kind)
