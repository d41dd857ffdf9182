"""Rules that combine models into one: the mean, and rules that withstand some arbitrarily wrong models.

All but the mean count every model once, whatever its number of samples: a model must not weigh more because its
sender says so. The mean holds one sum, however many models there are; the others hold every model.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import torch

from fl.training.average import average, cast, check_alike
from fl.training.config import Rule
from fl.training.errors import DivergedError, TooFewError
from fl.training.model.parameters import State

_CHUNK = 1 << 18
"""Coordinates worked on at a time, so that the rules need little memory beside the models."""


def combine(rule: Rule, states: Iterable[tuple[State, int] | None], trained: Collection[str] | None = None) -> State:
    """Combine models by a rule.

    Args:
        rule: which.
        states: pairs of finite tensors by name and the number of samples that they were trained on. A state may
            change once the next is asked for. None stands for a model that is left out because it is not finite.
        trained: see `combine_held`.

    Returns:
        Tensors of the same names, shapes and types (whole numbers are rounded).

    Raises:
        TooFewError: there are fewer models than the rule needs.
        DivergedError: more are left out than the rule tolerates.
        ModelError: the states are not of one model.
    """
    if rule.name == "mean":
        return average(each for each in states if each is not None)
    held: list[State] = []
    dropped = 0
    for each in states:
        if each is None:
            dropped += 1
        else:
            held.append({name: tensor.detach().clone() for name, tensor in each[0].items()})
    return combine_held(rule, held, dropped, trained)


def combine_held(
    rule: Rule, states: Sequence[State], dropped: int = 0, trained: Collection[str] | None = None
) -> State:
    """Combine models that all lie in memory by a rule that counts each once; they are not copied.

    Models that were left out because they are not finite are wrong ones that need no outvoting: they count among the
    f that the rule tolerates, and it withstands f less so many among the others.

    Args:
        rule: not the mean.
        states: finite tensors by name.
        dropped: number of models that are left out.
        trained: names of the tensors that multi-Krum measures distances over, the model's parameters: a batch
            normalisation's counter would drown them. None: all.

    Returns:
        Tensors of the same names, shapes and types (whole numbers are rounded).

    Raises:
        TooFewError: there are fewer models than the rule needs.
        DivergedError: more are left out than the rule tolerates.
        ModelError: the states are not of one model.
    """
    if rule.tolerate and dropped > rule.tolerate:
        raise DivergedError(
            f"{dropped} of {len(states) + dropped} models are no finite numbers, which is more than {rule} withstands: "
            "lower the learning rate, or tolerate more"
        )
    if len(states) < (least := rule.least_beside(dropped)):
        beside = f" beside {dropped} left out" if dropped else ""
        raise TooFewError(f"{rule} needs at least {least} models{beside}, not {len(states)}")
    for state in states[1:]:
        check_alike(state, states[0])
    tolerate = max(0, rule.tolerate - dropped)
    if rule.name == "multi-krum":
        return average((states[index], 1) for index in multi_krum(states, tolerate, trained))
    return _mean_of_middle(states, tolerate if rule.name == "trimmed-mean" else (len(states) - 1) // 2)


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


def multi_krum(states: Sequence[State], tolerate: int, trained: Collection[str] | None = None) -> list[int]:
    """Which models multi-Krum keeps (Blanchard et al. 2017): the m = n − f − 2 nearest to their neighbours.

    A model's score is the sum of its squared distances to the n − f − 2 models nearest to it. For this m it
    withstands f wrong models of n ≥ 2f + 3 (Damaskinos et al. 2019, AggregaThor).

    Args:
        states: n of them.
        tolerate: f.
        trained: names of the tensors that distances are measured over; None: all.

    Returns:
        Indices in ascending order.
    """
    near = len(states) - tolerate - 2
    distances = _squared_distances(states, states[0].keys() if trained is None else trained)
    # the model itself is the nearest, at distance 0
    scores = distances.sort(dim=1).values[:, 1 : near + 1].sum(dim=1)
    return sorted(scores.argsort(stable=True)[:near].tolist())


def _squared_distances(states: Sequence[State], names: Collection[str]) -> torch.Tensor:
    """Between all pairs over these tensors, double precision [n, n]."""
    first = next(iter(states[0].values()))
    sums = torch.zeros(len(states), len(states), dtype=torch.float64, device=first.device)
    for name in names:
        columns = [state[name].reshape(-1) for state in states]
        for start in range(0, columns[0].numel(), _CHUNK):
            rows = torch.stack([column[start : start + _CHUNK] for column in columns]).double()
            sums += torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").square_()
    return sums
