"""The contributions of a whole training, and the points that the winner reports for them.

Contributions are added up over the global rounds with their sign, an absence counting 0, and a negative sum is 0: a
base station that spoils the model in one round and mends it in the next has contributed nothing. Contributions are
fractions and points are integers: only the largest remainders are rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from fl.training.errors import TrainingError

TOTAL_POINTS = 1_000_000
"""What the points of a report add up to (mechanism.md, "Base stations' rewards")."""


def total_margins(rounds: Iterable[Mapping[int, Fraction]]) -> dict[int, Fraction]:
    """Each base station's margins added up over the global rounds, a negative sum as 0; by index."""
    sums: dict[int, Fraction] = {}
    for margins in rounds:
        for station, margin in margins.items():
            sums[station] = sums.get(station, Fraction(0)) + margin
    return {station: max(Fraction(0), sums[station]) for station in sorted(sums)}


def contribution_points(margins: Sequence[Fraction | float], total: int = TOTAL_POINTS) -> list[int]:
    """The points the winner reports for the base stations that it lists, in proportion to their margins.

    Exact shares `total · mⱼ / Σm` rounded by largest remainder (the first on a tie). A share below one point
    is raised to one at the others' expense, for an explicit 0 would take a base station's reward and bond
    (mechanism.md, "Silence and absence"): so every listed station gets at least 1, and none gets the total.
    All margins 0: equal shares.

    Args:
        margins: of each listed base station, not negative. List every one that recorded an update. Where only
            one did, list another committed one besides, with margin 0: points must stay below the total. It
            gets 1 point and, having recorded nothing, no reward.
        total: what the points add up to.

    Returns:
        Integers in the same order, each 1 … total − 1, adding up to `total`.

    Raises:
        TrainingError: fewer than two stations, more than `total`, or a margin that is negative or not a
            number.
    """
    count = len(margins)
    if not 2 <= count <= total:
        raise TrainingError(f"{total} points need 2 to {total} listed base stations, not {count}")
    if bad := [margin for margin in margins if not 0 <= margin < float("inf")]:
        raise TrainingError(f"a contribution is a margin of at least 0, not {bad[0]}")
    weights = [Fraction(margin) for margin in margins]
    if not any(weights):
        weights = [Fraction(1)] * count

    shared = set(range(count))  # who gets a proportional share; the others one point
    while True:
        rest, weight = total - (count - len(shared)), sum(weights[i] for i in shared)
        if below := {i for i in shared if weights[i] * rest < weight}:
            shared -= below
        else:
            break
    exact = {i: weights[i] * rest / weight for i in shared}
    points = [int(exact[i]) if i in shared else 1 for i in range(count)]
    by_remainder = sorted(shared, key=lambda i: (int(exact[i]) - exact[i], i))
    for i in by_remainder[: total - sum(points)]:
        points[i] += 1
    return points
