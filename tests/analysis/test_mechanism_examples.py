"""Rounds small enough to work out by hand, in gwei; every number is derived in the comment above it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from analysis.mechanism import THETA_ONE, contribution_rewards, settle

GWEI = 10**9
HALF = THETA_ONE // 2
LARGEST = THETA_ONE - 1


def gwei(*amounts: float) -> list[int]:
    return [int(Fraction(amount) * GWEI) for amount in amounts]


def test_settle__one_model_equal_policy__shares_from_the_others_claims() -> None:
    # V = 10, K = 6, D = 4, theta = 1/2: C = 6 + 4/2 = 8.
    # c_0 = 1/2 (1/2 * 6 + 1/2 * 2 * 4 / 1) = 3.5     c_1 = 1/2 (3 + 6) = 4.5
    # r_0 = 1/2 (1/2 * 2 * 4 / 1 + 1/2 * 10) = 4.5    r_1 = 1/2 (2 + 5) = 3.5
    # A = D - u + s: 4 - 6 + 3.5 = 1.5, 4 - 4 + 4.5 = 4.5, 4 + 2 - 4.5 = 1.5, 4 + 4 - 3.5 = 4.5; none is
    # negative, so nobody is pivotal.
    result = settle([[6], [4]], [[2], [4]], HALF)
    assert result.selected == 0
    assert result.margins == gwei(4)
    assert result.pool == 8 * GWEI
    assert result.shares == gwei(3.5, 4.5, -4.5, -3.5)
    assert result.taxes == [0, 0, 0, 0]
    assert result.payments == gwei(3.5, 4.5, -4.5, -3.5)


def test_settle__owner_turns_the_selection__pays_the_others_loss() -> None:
    # V = (11, 6), K = (2, 2), D = (9, 4): model 0. theta = 0, so c = K / 2 = 1 and r = the other's cost = 1.
    # A_0 = (9 - 10 + 1, 4 - 0 + 1) = (0, 5): tax 5.   A_1 = (9 - 1 + 1, 4 - 6 + 1) = (9, -1): tax 0.
    # Base stations: A = D + k - r = (9, 4): tax 0.
    result = settle([[10, 0], [1, 6]], [[1, 1], [1, 1]], 0)
    assert result.selected == 0
    assert result.shares == gwei(1, 1, -1, -1)
    assert result.taxes == gwei(5, 0, 0, 0)
    assert result.payments == gwei(6, 1, -1, -1)


def test_settle__base_station_turns_the_selection__pays_the_others_loss() -> None:
    # V = (10, 10), K = (9, 1 + 4 = 5), D = (1, 5): model 1. theta = 0: c = K / 2 = (4.5, 2.5);
    # r_0 = k_1 = (1, 4), r_1 = k_0 = (8, 1).
    # A_0 = D + k - r = (1 + 8 - 1, 5 + 1 - 4) = (8, 2): tax 6.   A_1 = (1 + 1 - 8, 5 + 4 - 1) = (-6, 8): 0.
    # Owners: A = D - v + c = (1 - 5 + 4.5, 5 - 5 + 2.5) = (0.5, 2.5): tax 0.
    result = settle([[5, 5], [5, 5]], [[8, 1], [1, 4]], 0)
    assert result.selected == 1
    assert result.shares == gwei(2.5, 2.5, -4, -1)
    assert result.taxes == gwei(0, 0, 6, 0)
    assert result.payments == gwei(2.5, 2.5, 2, -1)


def test_settle__nothing_worth_its_cost__taxes_whoever_prevented_it() -> None:
    # V = 10, K = 12, D = -2: nothing. theta = 0: c = 6, r_0 = k_1 = 9, r_1 = k_0 = 3.
    # Owners: A = -2 - 8 + 6 < 0 and -2 - 2 + 6 = 2: owner 1 keeps the others from training, tax 2.
    # Base stations: A = -2 + 3 - 9 < 0 and -2 + 9 - 3 = 4: tax 4.
    result = settle([[8], [2]], [[3], [9]], 0)
    assert result.selected is None
    assert result.pool == 0
    assert result.shares == [0, 0, 0, 0]
    assert result.payments == gwei(0, 2, 0, 4)


def test_settle__margin_of_zero__nothing_selected() -> None:
    assert settle([[1], [1]], [[1], [1]], 0).selected is None


def test_settle__equal_margins__lowest_index() -> None:
    assert settle([[1, 2, 2], [1, 2, 2]], [[0, 0, 0], [1, 1, 1]], 0).selected == 1


def test_settle__dead_model_has_the_largest_margin__not_selected_nor_taxed_for() -> None:
    # D = (18, 2); model 0 is dead. Looked at all the same, it would tax owner 1: A_1 = (18 - 0, 2 - 1), 17.
    bids = [[18, 1], [0, 1]], [[0, 0], [0, 0]], 0
    result = settle(*bids, live=[False, True])
    assert result.selected == 1
    assert result.margins == gwei(18, 2)
    assert result.taxes == [0, 0, 0, 0]


def test_settle__thirds_of_a_gwei__owners_up_base_stations_down() -> None:
    # theta = 0. Three owners share K = 1 gwei: 333,333,333.3 wei each, rounded up. Four stations, cost 1 of
    # the last: r = 1/4 * 4 * (1 - k_j) / 3: a third each but for the last, rounded down.
    result = settle([[1], [1], [1]], [[0], [0], [0], [1]], 0)
    assert result.shares == [333_333_334] * 3 + [-333_333_333] * 3 + [0]


def test_settle__least_theta__rounding_sees_it() -> None:
    # t = 1, K = 0, V = 2: c = V_others / 2**64 of a gwei: 1 wei, rounded up; r = V / 2 / 2**64: 0.
    assert settle([[1], [1]], [[0], [0]], 1).shares == [1, 1, 0, 0]


def test_settle__capability_points__shares_by_weight() -> None:
    # Points 1 and 3 (P = 4), theta = 1/2, v = (6, 4), k = (2, 4): V = 10, K = 6.
    # Owners' terms v * 4 / (4 - p): 8, 16.   c_0 = 1/4 (3 + 1/2 * 16) = 2.75   c_1 = 3/4 (3 + 1/2 * 8) = 5.25
    # Stations 3 and 1: terms 8, 16/3.   r_0 = 3/4 (1/2 * 16/3 + 5) = 5.75   r_1 = 1/4 (1/2 * 8 + 5) = 2.25
    # The term 16/3 gwei is 5,333,333,333.3 wei, rounded down: r_0 = 3/4 * 7,666,666,666.5 =
    # 5,749,999,999.875.
    result = settle([[6], [4]], [[2], [4]], HALF, owner_points=[1, 3], base_points=[3, 1])
    assert result.shares == [*gwei(2.75, 5.25), -5_749_999_999, *gwei(-2.25)]


def test_settle__capability_points__term_rounded_before_the_share() -> None:
    # Points 1 and 7, theta = 1/2, K = 0. Owner 0's term is 8/7 gwei = 1,142,857,142.86 wei, rounded up to
    # ...143. c_1 = 7/8 * 1/2 * 1,142,857,143 = 500,000,000.06, rounded up; unrounded terms would have given
    # 500,000,000. c_0 = 1/8 * 1/2 * 8 gwei = 0.5 gwei.
    result = settle([[1], [1]], [[0], [0]], HALF, owner_points=[1, 7])
    assert result.shares[:2] == [500_000_000, 500_000_001]


def test_settle__equal_points_are_not_the_equal_policy__a_wei_apart() -> None:
    # Four owners, theta = 1/2, K = 0, v = (1, 1, 1, 0). A term is 4/3 gwei; c_3 = 1/4 * 1/2 * 3 * 4/3 = 0.5
    # gwei. By points the term is 1,333,333,334 wei and c_3 = 1/8 * 4,000,000,002 = 500,000,000.25, rounded
    # up.
    bids = [[1], [1], [1], [0]], [[0], [0]], HALF
    assert settle(*bids).shares[3] == 500_000_000
    assert settle(*bids, owner_points=[1] * 4).shares[3] == 500_000_001


def test_settle__share_beyond_the_cap__counts_as_the_cap() -> None:
    # Bids of 9 are beyond the cap of 1 (the contract refuses them), which alone makes the cut show by more
    # than a wei. K = 0 and theta = 1/2: c is half of what the other owner claims.
    # Model 0: v = (0, 9), D = 9. Model 1: v = (10, 0), D = 10: selected. A_0 at model 0 = 9 - 0 + 4.5 =
    # 13.5, cut to 9 - 0 + 1 = 10; at model 1 = 10 - 10 + 0 = 0. Tax 13.5, or 10 with the cap.
    bids = [[0, 10], [9, 0]], [[0, 0], [0, 0]], HALF
    assert settle(*bids).taxes[0] == 13.5 * GWEI
    assert settle(*bids, max_owner_bid=1).taxes[0] == 10 * GWEI
    # So it is at the selected model: owner 1 would share 10 / 2 = 5 there.
    assert settle(*bids).shares[1] == 5 * GWEI
    assert settle(*bids, max_owner_bid=1).shares[1] == 1 * GWEI


def test_settle__tied_models_and_a_share_rounded_over_the_cap__a_lie_saves_nothing() -> None:
    """Where an uncut share at the selected model would let a lie save a wei (mechanism.md leaves it uncut)."""
    # Four owners with a point each, cap 1, theta ~ 1. Term of 1 gwei: 4/3, rounded up to 1,333,333,334 wei.
    # Model 0: v = (1, 1, 1, 1), k = (1, 0), D = 3: c_0 = 1/4 * 4,000,000,002 - = 1,000,000,001, one wei
    # over the cap, cut to it. Model 1: v = (1, 1, 1, 0), k = (0, 0), D = 3. Truth selects model 0, no tax:
    # utility 0 (uncut: -1 wei). Claiming 0 at model 0 selects model 1: utility 0.
    others, costs = [[1, 1], [1, 1], [1, 0]], [[1, 0], [0, 0]]
    options: dict[str, Any] = {"owner_points": [1] * 4, "max_owner_bid": 1}
    truthful = settle([[1, 1], *others], costs, LARGEST, **options)
    lying = settle([[0, 1], *others], costs, LARGEST, **options)
    assert (truthful.selected, lying.selected) == (0, 1)
    assert settle([[1, 1], *others], costs, LARGEST, owner_points=[1] * 4).shares[0] == GWEI + 1
    assert GWEI - truthful.payments[0] == 0
    assert GWEI - lying.payments[0] == 0


def test_contribution_rewards__half_a_quarter_a_quarter__by_hand() -> None:
    # f = (1/2, 1/4, 1/4), theta = 1/2, k = (2, 3, 6), V = 20: K = 11, C = 15.5. Terms k / (1 - f): 4, 4, 8.
    # r_0 = 1/2 (1/2 * 12 + 10) = 8   r_1 = 1/4 (1/2 * 12 + 10) = 4   r_2 = 1/4 (1/2 * 8 + 10) = 3.5: 15.5.
    points = [500_000, 250_000, 250_000]
    rewards = contribution_rewards([[12], [8]], [[2], [3], [6]], HALF, 0, points)
    assert rewards == gwei(8, 4, 3.5)


def test_contribution_rewards__station_not_listed__plain_claim_as_term() -> None:
    # f = (1/2, 1/2, 0), theta = 0, k = (1, 2, 5): terms 2, 4, 5. r = 1/2 * 9, 1/2 * 7, 0: K = 8.
    rewards = contribution_rewards([[9], [9]], [[1], [2], [5]], 0, 0, [500_000, 500_000, 0])
    assert rewards == gwei(4.5, 3.5, 0)


def test_contribution_rewards__term_rounded_down_before_the_reward() -> None:
    # theta = 0, q = (700,000, 300,000), k = (0, 1): term 10/7 gwei = 1,428,571,428.57 -> ...428.
    # r_0 = 0.7 * 1,428,571,428 = 999,999,999.6 -> 999,999,999; unrounded it would be one gwei.
    # With q_1 = 700,000 and k_1 = 1: term 10/3 = 3,333,333,333.3 -> r_0 = 0.3 * 3,333,333,333 =
    # 999,999,999.9.
    assert contribution_rewards([[2], [0]], [[0], [1]], 0, 0, [700_000, 300_000]) == [999_999_999, 0]
    assert contribution_rewards([[2], [0]], [[0], [1]], 0, 0, [300_000, 700_000]) == [999_999_999, 0]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[1]], [[1], [1]], 0), {}, "two committed owners"),
        (([[1], [1]], [[1]], 0), {}, "two committed base stations"),
        (([[1], [1, 2]], [[1], [1]], 0), {}, "every member bids on every model"),
        (([[1], [-1]], [[1], [1]], 0), {}, "negative owner bid"),
        (([[1], [1]], [[1], [1]], THETA_ONE), {}, "theta_numerator"),
        (([[1], [1]], [[1], [1]], -1), {}, "theta_numerator"),
        (([[1], [1]], [[1], [1]], 0), {"owner_points": [1, 0]}, "2 owners need"),
        (([[1], [1]], [[1], [1]], 0), {"base_points": [1, 2**32]}, "2 base stations need"),
        (([[1], [1]], [[1], [1]], 0), {"base_points": [1]}, "2 base stations need"),
        (([[1], [1]], [[1], [1]], 0), {"live": [True, True]}, "2 live flags"),
    ],
)
def test_settle__bad_argument__clear_error(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settle(*arguments, **options)


def test_settle__float_bid__refused() -> None:
    with pytest.raises(TypeError):
        settle([[1.0], [1]], [[1], [1]], 0)  # type: ignore[list-item]


@pytest.mark.parametrize("points", [[1_000_000, 0], [500_000, 499_999], [1_000_001, -1], [1_000_000]])
def test_contribution_rewards__points_that_do_not_add_up__refused(points: list[int]) -> None:
    with pytest.raises(ValueError, match="contribution points"):
        contribution_rewards([[1], [1]], [[1], [1]], 0, 0, points)


def test_contribution_rewards__no_such_model__refused() -> None:
    with pytest.raises(ValueError, match="selected model 1"):
        contribution_rewards([[1], [1]], [[1], [1]], 0, 1, [500_000, 500_000])
