"""A member's own numbers: what a model is worth to an owner, what training it costs a base station.

The plans here are examples, those of the paper's simulation. A plan of one's own is a function of the same kind, named
in `member.yaml` by its dotted path; it is imported by its member only.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from fl.store.texts import OwnersView, StationsView

Worth: TypeAlias = Callable[[OwnersView], int]
"""v(acc, y): gwei that a proposed model is worth to an owner, if it is as accurate as it is claimed to be."""

Cost: TypeAlias = Callable[[StationsView], int]
"""k(ω, t, M): gwei that training a proposed model costs a base station."""


def by_label(values: Mapping[str, int], exponent: float = 1) -> Worth:
    """Labels times a power of the claimed accuracy (paper, sections III-C.3 and V), rounded.

    Args:
        values: gwei that each label is worth in a model that is never wrong.
        exponent: of the accuracy; 1: half as accurate is worth half as much. Nothing is more accurate than 1.
    """

    def worth(view: OwnersView) -> int:
        labels, accuracy = (
            sum(values.get(label, 0) for label in set(view.targets)),
            min(view.claimed_accuracy_bps, 10_000),
        )
        if exponent == 1:
            return (labels * accuracy + 5_000) // 10_000
        return round(labels * float((accuracy / 10_000) ** exponent))

    return worth


def per_label(gwei: int) -> Cost:
    """The same for each label that a model tells apart (paper, section V)."""

    def cost(view: StationsView) -> int:
        return gwei * view.label_count

    return cost
