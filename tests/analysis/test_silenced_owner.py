"""What a silenced owner is worth to others: the figures of `contracts/attacks.md`, "Not stopped", drawn again.

Values of 0 ... 100, costs of 0 ... 50, theta of 0.2 ... 0.6, as many models as members a side; the last base station is
the claimant. Utilities are gwei, net of every flow but the silent owner's bond.
"""

from dataclasses import dataclass
from functools import cache
from random import Random
from statistics import mean

import pytest

from analysis.mechanism import THETA_ONE, WEI_PER_GWEI, settle

CAP, COST = 100, 50
ROUNDS = 1_200
SMALLEST_BOND, DEFAULT_BOND = COST, 2 * CAP


@dataclass(frozen=True)
class Effect:
    """Of an owner's silence in a round, gwei: on its party, which has the claimant too, and on another owner."""

    party: float
    other: float


def utilities(values: list[list[int]], costs: list[list[int]], theta: int, silent: bool) -> list[float]:
    """Of all members; the first owner may be silent."""
    bids = [[0] * len(values[0]), *values[1:]] if silent else values
    result = settle(bids, costs, theta, claimant=len(costs) - 1, max_owner_bid=CAP)
    worth = [0] * (len(values) + len(costs))
    if result.selected is not None:
        worth = [row[result.selected] for row in values] + [-row[result.selected] for row in costs]
    money = [-payment / WEI_PER_GWEI for payment in result.payments]
    money[-1] += sum(result.taxes) / WEI_PER_GWEI
    return [value + amount for value, amount in zip(worth, money, strict=True)]


@cache
def effects(members: int) -> list[Effect]:
    random = Random(members)
    found = []
    for _ in range(ROUNDS):
        values = [[random.randint(0, CAP) for _ in range(members)] for _ in range(members)]
        costs = [[random.randint(0, COST) for _ in range(members)] for _ in range(members)]
        theta = int(random.uniform(0.2, 0.6) * THETA_ONE)
        told, silenced = (utilities(values, costs, theta, silent) for silent in (False, True))
        change = [after - before for before, after in zip(told, silenced, strict=True)]
        found.append(Effect(change[0] + change[-1], change[1]))
    return found


@pytest.mark.parametrize(
    ("members", "gain", "amount", "above_smallest", "above_default"),
    [(3, 0.28, 22, 0.03, 0), (5, 0.32, 36, 0.08, 0), (10, 0.36, 72, 0.19, 0.016)],
)
def test_owner_and_claimant_of_one_party__silence__gains_as_the_page_says(
    members: int, gain: float, amount: float, above_smallest: float, above_default: float
) -> None:
    party = [effect.party for effect in effects(members)]
    gains = [change for change in party if change > 0]
    parts = [sum(change > bond for change in party) / ROUNDS for bond in (0, SMALLEST_BOND, DEFAULT_BOND)]
    expected = [gain, above_smallest, above_default]
    # Four standard deviations of each part among so many rounds, and what rounding on the page hides.
    for part, told in zip(parts, expected, strict=True):
        assert abs(part - told) < 4 * (told * (1 - told) / ROUNDS) ** 0.5 + 0.005, parts
    assert mean(gains) == pytest.approx(amount, rel=0.12)


@pytest.mark.parametrize(("members", "part", "amount"), [(3, 0.8, 17), (5, 0.8, 12), (10, 0.8, 8)])
def test_another_owner__first_silenced__gains_as_the_page_says(members: int, part: float, amount: float) -> None:
    other = [effect.other for effect in effects(members)]
    gains = [change for change in other if change > 0]
    assert len(gains) / ROUNDS == pytest.approx(part, abs=0.055)
    assert mean(gains) == pytest.approx(amount, rel=0.12)
