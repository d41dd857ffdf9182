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
"""What the points of a report add up to (mechanism.md, "Contribution stake")."""


def total_margins(rounds: Iterable[Mapping[int, Fraction]]) -> dict[int, Fraction]:
    """Each base station's margins added up over the global rounds, a negative sum as 0; by index."""
    sums: dict[int, Fraction] = {}
    for margins in rounds:
        for station, margin in margins.items():
            sums[station] = sums.get(station, Fraction(0)) + margin
    return {station: max(Fraction(0), sums[station]) for station in sorted(sums)}


def contribution_points(
    margins: Sequence[Fraction | float], total: int = TOTAL_POINTS, most: int | None = None
) -> list[int]:
    """The points the winner reports for the base stations that it lists, in proportion to their margins.

    Exact shares `total · mⱼ / Σm` rounded by largest remainder (the first on a tie). A share above the most that a
    round allows is cut to it, and the others have what is over, in proportion. A share below one point is raised to one
    at the others' expense, for an upheld 0 takes a base station's bond (mechanism.md, "Contribution stake"): so every
    listed station gets at least 1. Where all margins that are not cut are 0, what is left goes to them in equal parts.

    Args:
        margins: of each listed base station, not negative. List every one that recorded an update.
        total: what the points add up to.
        most: what no base station may exceed, `2 · total // n` with n committed ones on chain; None: no limit.

    Returns:
        Integers in the same order, each 1 … most, adding up to `total`.

    Raises:
        TrainingError: fewer than two stations, more than `total`, too few for `total` within `most`, or a margin that
            is negative or not a number.
    """
    count = len(margins)
    if not 2 <= count <= total:
        raise TrainingError(f"{total} points need 2 to {total} listed base stations, not {count}")
    most = total if most is None else most
    if count * most < total:
        raise TrainingError(f"{count} base stations of at most {most} points do not add up to {total}")
    if bad := [margin for margin in margins if not 0 <= margin < float("inf")]:
        raise TrainingError(f"a contribution is a margin of at least 0, not {bad[0]}")
    weights = [Fraction(margin) for margin in margins]

    shares = _bounded_shares(weights, total, most)
    points = [int(share) for share in shares]
    by_remainder = sorted(range(count), key=lambda i: (points[i] - shares[i], i))
    for i in by_remainder[: total - sum(points)]:
        points[i] += 1
    return points


def _bounded_shares(weights: Sequence[Fraction], total: int, most: int) -> list[Fraction]:
    """`total` in parts as `weights`, each within 1 … most: what one bound takes or leaves is the others', likewise.

    The parts are `min(most, max(1, λ · weight))` with the one λ by which they add up. Where even the largest λ leaves
    something, it goes to those without weight, in equal parts.
    """
    weighted = [i for i, weight in enumerate(weights) if weight]
    idle = len(weights) - len(weighted)
    if len(weighted) * most + idle <= total:
        rest = Fraction(total - len(weighted) * most, idle or 1)
        return [Fraction(most) if weight else rest for weight in weights]
    # The sum grows with λ, and its slope changes where a part leaves the least or reaches the most.
    slope, fixed, at = Fraction(0), len(weights), Fraction(0)
    for point, change, step in sorted(
        [(1 / weights[i], weights[i], -1) for i in weighted]
        + [(most / weights[i], -weights[i], most) for i in weighted]
    ):
        if fixed + slope * point >= total:
            break
        slope, fixed, at = slope + change, fixed + step, point
    scale = (total - fixed) / slope if slope else at
    return [min(Fraction(most), max(Fraction(1), scale * weight)) for weight in weights]
