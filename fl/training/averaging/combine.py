"""Rules that combine models into one: the mean, and rules that withstand some arbitrarily wrong models.

All but the mean count every model once, whatever its number of samples: a model must not weigh more because its
sender says so. The mean holds one sum, however many models there are; the others hold every model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from fl.training.average import average, cast, check_alike
from fl.training.config import Rule
from fl.training.errors import TooFewError
from fl.training.model.parameters import State

_CHUNK = 1 << 18
"""Coordinates worked on at a time, so that the rules need little memory beside the models."""


def combine(rule: Rule, states: Iterable[tuple[State, int]]) -> State:
    """Combine models by a rule.

    Args:
        rule: which.
        states: pairs of finite tensors by name and the number of samples that they were trained on. A state may
            change once the next is asked for.

    Returns:
        Tensors of the same names, shapes and types (whole numbers are rounded).

    Raises:
        TooFewError: there are fewer models than the rule needs.
        ModelError: the states are not of one model.
    """
    if rule.name == "mean":
        return average(states)
    held = [{name: tensor.detach().clone() for name, tensor in state.items()} for state, _ in states]
    if len(held) < rule.least:
        raise TooFewError(f"{rule} needs at least {rule.least} models, not {len(held)}")
    for state in held[1:]:
        check_alike(state, held[0])
    if rule.name == "multi-krum":
        return average((held[index], 1) for index in multi_krum(held, rule.tolerate))
    trimmed = rule.tolerate if rule.name == "trimmed-mean" else (len(held) - 1) // 2
    return _mean_of_middle(held, trimmed)


def _mean_of_middle(states: Sequence[State], trimmed: int) -> State:
    """Each coordinate's mean without its `trimmed` smallest and largest values (Yin et al. 2018).

    The median trims all but the middle one or two.
    """
    result: State = {}
    for name, first in states[0].items():
        columns = [state[name].reshape(-1) for state in states]
        kept = torch.empty_like(columns[0])
        for start in range(0, first.numel(), _CHUNK):
            part = slice(start, start + _CHUNK)
            values = torch.stack([column[part] for column in columns], dim=1).sort(dim=1).values
            middle = values[:, trimmed : len(states) - trimmed].double().mean(dim=1)
            kept[part] = cast(middle, first.dtype)
        result[name] = kept.reshape(first.shape)
    return result


def multi_krum(states: Sequence[State], tolerate: int) -> list[int]:
    """Which models multi-Krum keeps (Blanchard et al. 2017): the m = n − f − 2 nearest to their neighbours.

    A model's score is the sum of its squared distances to the n − f − 2 models nearest to it. For this m it
    withstands f wrong models of n ≥ 2f + 3 (Damaskinos et al. 2019, AggregaThor).

    Args:
        states: n of them.
        tolerate: f.

    Returns:
        Indices in ascending order.
    """
    near = len(states) - tolerate - 2
    distances = _squared_distances(states)
    # the model itself is the nearest, at distance 0
    scores = distances.sort(dim=1).values[:, 1 : near + 1].sum(dim=1)
    return sorted(scores.argsort(stable=True)[:near].tolist())


def _squared_distances(states: Sequence[State]) -> torch.Tensor:
    """Between all pairs, double precision [n, n]."""
    first = next(iter(states[0].values()))
    sums = torch.zeros(len(states), len(states), dtype=torch.float64, device=first.device)
    for name, tensor in states[0].items():
        columns = [state[name].reshape(-1) for state in states]
        for start in range(0, tensor.numel(), _CHUNK):
            rows = torch.stack([column[start : start + _CHUNK] for column in columns]).double()
            sums += torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").square_()
    return sums
