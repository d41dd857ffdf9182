"""Sums at their edges: a million members at the largest cap, the heaviest weights; no lane reaches its neighbour."""

import pytest

from analysis.devnode.rounds import CreateRound
from fl.market.terms import GWEI, Policy, Role
from tests.contracts.attacks.storage import sums_of, terms128_of

MAX_CAP = 2**44 - 1
MAX_BOND = 2**89 - 1
MAX_POINTS = 2**32 - 1
MOST = 2**20 - 1  # committed members of a side
RICH = 2**120  # wei: the largest lock and more


@pytest.mark.parametrize("models", [1, 3, 4, 7])
def test_sums__a_million_members_at_the_cap__no_lane_spills(create_round: CreateRound, models: int) -> None:
    """All but one are placed; the last one's reveal takes every lane, and the counter, to its largest."""
    top = (MAX_CAP,) * models
    round_ = create_round(
        (top,) * max(2, models),
        (top, top),
        proposers=range(models),
        max_owner_bid=MAX_CAP,
        max_base_bid=MAX_CAP,
        bond=MAX_BOND,
    )
    for seat in round_.members:
        round_.market.chain.set_balance(seat.account, RICH)
    round_.committed().wait_for("commit")
    words = [sums_of(round_, Role.OWNER, w) for w in range(models // 4 + 1)]
    for w, word in enumerate(words):
        filled = {f"lane {lane}": (MOST - 1) * MAX_CAP for lane in range(4) if 1 <= 4 * w + lane <= models}
        word.place(**filled | ({"lane 0": MOST - 1} if w == 0 else {}))
    round_.reveal_bid(round_.owners[0]).send()
    sums = round_.market.view("sumsOf", round_.id)
    assert sums.values == [MOST * MAX_CAP] * models
    assert sums.costs == [0] * models
    assert round_.state.revealed == [MOST, 0]
    beyond = [word[f"lane {lane}"] for w, word in enumerate(words) for lane in range(4) if 4 * w + lane > models]
    assert beyond == [0] * len(beyond)


def test_terms128__largest_weighted_terms__each_stays_in_its_half(create_round: CreateRound) -> None:
    """The heaviest owner beside two of a point: its term is its claim times 2^31, near 2^105 wei."""
    round_ = create_round(
        ((MAX_CAP, 1, MAX_CAP),) * 3,
        ((1, 1, 1),) * 2,
        proposers=(0, 1, 2),
        owner_policy=Policy.CAPABILITY,
        owner_points=(MAX_POINTS, 1, 1),
        max_owner_bid=MAX_CAP,
        max_base_bid=MAX_CAP,
        bond=MAX_BOND,
    )
    for seat in round_.members:
        round_.market.chain.set_balance(seat.account, RICH)
    round_.committed().wait_for("commit")
    first, second = (terms128_of(round_, Role.OWNER, word) for word in range(2))
    total, rest = MAX_POINTS + 2, 2
    large, small = (-(-claim * GWEI * total // rest) for claim in (MAX_CAP, 1))
    with round_.market.chain.snapshot():
        first.place(even=2**128 - 1 - large, odd=2**128 - 1 - small)
        second.place(even=2**128 - 1 - large)
        round_.reveal_bid(round_.owners[0]).send()
        assert (first.value, second.value) == (2**256 - 1, 2**128 - 1)
