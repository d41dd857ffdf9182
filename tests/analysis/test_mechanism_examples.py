"""Rounds small enough to work out by hand, in gwei; every number is derived in the comment above it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from analysis.mechanism import (
    CONTRIBUTION_ONE,
    THETA_ONE,
    Draw,
    contribution_bonus,
    draw,
    most_contribution_points,
    settle,
    theta_numerator,
)

GWEI = 10**9
HALF = THETA_ONE // 2


def gwei(*amounts: float) -> list[int]:
    return [int(Fraction(amount) * GWEI) for amount in amounts]


def test_settle__one_model__shares_from_the_others_claims() -> None:
    # n_O = n_B = 3, the last station stands aside. V = 21, K = 2 + 4 = 6, K^ = 6 * 3/2 = 9, E = 2 * 21 - 3 * 6 = 24.
    # theta = 1/2: C = 9 + (21 - 9)/2 = 15.
    # c = 1/2 * 9/3 + 1/2 * (21 - v)/2: 4.5 of the value 9, 5.25 of each 6: 15.
    # r = 1/2 * (6 - k)/1 + 1/2 * 21/3: 5.5 and 4.5; the claimant's 1/2 * 6/2 + 3.5 = 5: 15.
    # A = 24 - 2 (v - c) = 15, 22.5, 22.5 and 24 + 3 (k - r) = 13.5, 22.5: none is negative, so nobody is pivotal.
    result = settle([[9], [6], [6]], [[2], [4], [5]], HALF, claimant=2)
    assert result.selected == 0
    assert result.scores == gwei(24)
    assert result.pool == 15 * GWEI
    assert result.shares == gwei(4.5, 5.25, 5.25, -5.5, -4.5, -5)
    assert result.taxes == [0] * 6
    assert result.payments == result.shares


def test_settle__claimant__first_or_last__its_cost_counts_for_nothing() -> None:
    # As above with the first station aside: K = 4 + 5 = 9, K^ = 13.5, E = 42 - 27 = 15, C = 13.5 + 7.5/2 = 17.25.
    # r = 1/2 * (9 - k) + 3.5: 6 and 5.5; the claimant's 1/2 * 9/2 + 3.5 = 5.75: 17.25.
    for cost in (2, 0, 1_000):
        result = settle([[9], [6], [6]], [[cost], [4], [5]], HALF, claimant=0)
        assert result.scores == gwei(15)
        assert result.shares[3:] == gwei(-5.75, -6, -5.5)


def test_settle__owner_turns_the_selection__pays_the_others_loss() -> None:
    # V = (11, 6), K = (2, 2): E = 2 V - 3 K = (16, 6): model 0. theta = 0, K^ = 3: c = 3/2, r = (1, 1, 2/2 = 1).
    # A_0 = E - 2 (v - c) = (16 - 2 * 8.5, 6 + 3) = (-1, 9): tax (9 + 1)/2 = 5.
    # A_1 = (16 - 2 * -0.5, 6 - 2 * 4.5) = (17, -3): 0. Stations: A = E + 3 (k - r) = (16, 6): 0.
    result = settle([[10, 0], [1, 6]], [[1, 1], [1, 1], [0, 0]], 0, claimant=2)
    assert result.selected == 0
    assert result.shares == gwei(1.5, 1.5, -1, -1, -1)
    assert result.taxes == gwei(5, 0, 0, 0, 0)
    assert result.payments == gwei(6.5, 1.5, -1, -1, -1)


def test_settle__base_station_turns_the_selection__pays_the_others_loss() -> None:
    # V = (10, 10), K = (9, 1 + 4 = 5): E = 2 V - 3 K = (-7, 5): model 1. theta = 0: r_0 = k_1 = (1, 4), r_1 = (8, 1).
    # A_0 = E + 3 (k - r) = (-7 + 3 * 7, 5 - 3 * 3) = (14, -4): tax 18/3 = 6.   A_1 = (-7 - 21, 5 + 9) = (-28, 14): 0.
    # K^ = (13.5, 7.5), c = (6.75, 3.75). Owners: A = E - 2 (v - c) = (-3.5, 2.5): 0. The claimant: 5/2.
    result = settle([[5, 5], [5, 5]], [[8, 1], [1, 4], [9, 9]], 0, claimant=2)
    assert result.selected == 1
    assert result.shares == gwei(3.75, 3.75, -4, -1, -2.5)
    assert result.taxes == gwei(0, 0, 6, 0, 0)
    assert result.payments == gwei(3.75, 3.75, 2, -1, -2.5)


def test_settle__nothing_worth_its_cost__taxes_whoever_prevented_it() -> None:
    # V = 10, K = 3 + 5 = 8, E = 20 - 24 = -4: nothing. theta = 0: K^ = 12, c = 6; r_0 = 5, r_1 = 3.
    # A = -4 - 2 (8 - 6) < 0; -4 - 2 (2 - 6) = 4: owner 1 kept the others from training, tax 4/2.
    # A = -4 + 3 (3 - 5) < 0; -4 + 3 (5 - 3) = 2: tax 2/3, up.
    result = settle([[8], [2]], [[3], [5], [7]], 0, claimant=2)
    assert result.selected is None
    assert result.pool == 0
    assert result.shares == [0] * 5
    assert result.payments == [0, 2 * GWEI, 0, 666_666_667, 0]


def test_settle__score_of_zero__nothing_selected() -> None:
    assert settle([[3], [3]], [[2], [2], [9]], 0, claimant=2).scores == [0]
    assert settle([[3], [3]], [[2], [2], [9]], 0, claimant=2).selected is None


def test_settle__equal_scores__lowest_index() -> None:
    assert settle([[1, 3, 3], [1, 3, 3]], [[0, 0, 0], [1, 1, 1], [0, 9, 0]], 0, claimant=2).selected == 1


def test_settle__dead_model_has_the_largest_score__not_selected_nor_taxed_for() -> None:
    # E = (36, 4); model 0 is dead. Looked at all the same, it would tax owner 1: A_1 = (36 - 0, 4 - 2).
    bids = [[18, 1], [0, 1]], [[0, 0]] * 3, 0
    result = settle(*bids, claimant=0, live=[False, True])
    assert result.selected == 1
    assert result.scores == gwei(36, 4)
    assert result.taxes == [0] * 5


def test_settle__thirds_of_a_gwei__owners_up_base_stations_down() -> None:
    # theta = 0, four stations, K = 1, K^ = 4/3. Three owners: 4/9 gwei each, up. Stations: (1 - k)/2, 0.5 but for the
    # last; the claimant 1/3, down.
    result = settle([[1], [1], [1]], [[0], [0], [9], [1]], 0, claimant=2)
    assert result.shares == [444_444_445] * 3 + [-500_000_000, -500_000_000, -333_333_333, 0]


def test_settle__least_theta__rounding_sees_it() -> None:
    # t = 1, K = 0, V = 2: c = v of the other / 2**64 of a gwei: 1 wei, up; r = V / 3 / 2**64: 0.
    assert settle([[1], [1]], [[0], [0], [0]], 1, claimant=0).shares == [1, 1, 0, 0, 0]


def test_settle__capability_points__the_papers_shares() -> None:
    # Points 27/1/1/1, values 100/4/4/4, K = 20, K^ = 30 (the first version shared 14.6 / 17.1 / 17.1 / 17.1 here):
    # c = p/30 * 30 = 27, 1, 1, 1. Equal: 7.5 each.
    bids = [[100], [4], [4], [4]], [[10], [10], [9]], 0
    assert settle(*bids, claimant=2, owner_points=[27, 1, 1, 1]).shares[:4] == gwei(27, 1, 1, 1)
    assert settle(*bids, claimant=2).shares[:4] == gwei(7.5, 7.5, 7.5, 7.5)
    assert settle(*bids, claimant=2, owner_points=[5] * 4) == settle(*bids, claimant=2)


def test_settle__capability_points__rounded_up_once() -> None:
    # Points 1 and 6, K = 2, K^ = 3: 3/7 and 18/7 gwei.
    result = settle([[9], [9]], [[1], [1], [0]], 0, claimant=2, owner_points=[1, 6])
    assert result.shares[:2] == [428_571_429, 2_571_428_572]


def test_settle__share_beyond_the_cap__counts_as_the_cap() -> None:
    # Bids of 9 are beyond the cap of 1 (the contract refuses them), which alone makes the cut show.
    # K = 0, theta = 1/2: c is half of what the other owner claims. V = (9, 10), E = (18, 20): model 1.
    # A_0 at model 0 = 18 + 2 * 4.5 = 27, cut 18 + 2 = 20; at model 1 = 20 - 20 + 0 = 0. Tax 13.5, or 10 with the cap.
    bids = [[0, 10], [9, 0]], [[0, 0]] * 3, HALF
    assert settle(*bids, claimant=0).taxes[0] == 13.5 * GWEI
    assert settle(*bids, claimant=0, max_owner_bid=1).taxes[0] == 10 * GWEI
    # So it is at the selected model: owner 1 would share 10/2 = 5 there.
    assert settle(*bids, claimant=0).shares[1] == 5 * GWEI
    assert settle(*bids, claimant=0, max_owner_bid=1).shares[1] == 1 * GWEI


def test_settle__billions_of_points__the_cut_spares_a_wei() -> None:
    """The one corner in which the cut shows though all bids respect their caps (PROOFS.md)."""
    # Points 3 * 10^9 and 1, cap 1; K^ = 4/3 K is a third of a gwei above 3 * 10^9 + 1: owner 0's share is above its
    # cap, and A_0 = 3 (1 - K^ + c) is -1/3 gwei / (3 * 10^9 + 1) before c is rounded up, above 0 after.
    cost = 2_250_000_001
    bids = [[0], [1]], [[0], [cost], [0], [0]], 0
    options: dict[str, Any] = {"claimant": 0, "owner_points": [3 * 10**9, 1]}
    assert settle(*bids, **options).taxes[0] == 1
    assert settle(*bids, **options, max_owner_bid=1).taxes[0] == 0


THREE = [[1], [1], [1]]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[1]], THREE, 0), {}, "the round is not held"),
        (([[1], [1]], [[1], [1]], 0), {}, "the round is not held"),
        (([[1], [1, 2]], THREE, 0), {}, "every member bids on each of 1 models"),
        (([[1], [1]], [[1], [1], [1, 2]], 0), {}, "every member bids on each of 1 models"),
        (([[1], [-1]], THREE, 0), {}, "negative owner bid"),
        (([[1], [1]], [[1], [1], [-1]], 0), {}, "negative base station bid"),
        (([[1], [1]], THREE, 0), {"claimant": 3}, "claimant 3 is not one of 3"),
        (([[1], [1]], THREE, 0), {"claimant": -1}, "claimant -1"),
        (([[1], [1]], THREE, THETA_ONE), {}, "theta_numerator"),
        (([[1], [1]], THREE, -1), {}, "theta_numerator"),
        (([[1], [1]], THREE, 0), {"owner_points": [1, 0]}, "2 owners need"),
        (([[1], [1]], THREE, 0), {"owner_points": [1, 2**32]}, "2 owners need"),
        (([[1], [1]], THREE, 0), {"owner_points": [1]}, "2 owners need"),
        (([[1], [1]], THREE, 1), {"owner_points": [1, 1]}, "a theta of 0"),
        (([[1], [1]], THREE, 0), {"live": [True, True]}, "2 live flags"),
    ],
)
def test_settle__bad_argument__clear_error(arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settle(*arguments, **{"claimant": 0, **options})


def test_settle__float_bid__refused() -> None:
    with pytest.raises(TypeError):
        settle([[1.0], [1]], THREE, 0, claimant=0)  # type: ignore[list-item]


# ── the draw ──


def test_theta__by_hand() -> None:
    # From 20 to 60 %: half way is 40 %. 2**64 = 18,446,744,073,709,551,616; a fifth of it is ...741,910,323.2.
    assert theta_numerator(2_000, 6_000, 0, False) == 3_689_348_814_741_910_323
    assert theta_numerator(2_000, 6_000, 2**63, False) == 4_000 * 2**64 // 10_000
    assert theta_numerator(0, 9_999, 2**64 - 1, False) < 9_999 * 2**64 // 10_000
    assert theta_numerator(0, 0, 2**64 - 1, False) == 0


def test_theta__owners_weighted__nothing() -> None:
    assert theta_numerator(2_000, 6_000, 2**63, True) == 0


def test_draw__claimant__place_by_the_bits_above_those_of_theta() -> None:
    # 10 mod 3 = 1; what lies above the 160 lowest bits plays no part.
    assert draw((10 << 64) + 5, 3, 0, 5_000, False) == Draw(2, 1)
    assert draw((7 << 160) + (10 << 64) + 5, 3, 0, 5_000, False) == Draw(2, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 3, 0, 0, False), "hash"),
        ((2**256, 3, 0, 0, False), "hash"),
        ((0, 2, 0, 0, False), "2 base stations"),
        ((0, 3, 1, 0, False), "range"),
        ((0, 3, -1, 0, False), "range"),
        ((0, 3, 0, 10_000, False), "range"),
    ],
)
def test_draw__bad_argument__clear_error(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(*arguments)


def test_theta__too_large_a_number__refused() -> None:
    with pytest.raises(ValueError, match="u "):
        theta_numerator(0, 1, 2**64, False)


# ── contributions ──


def test_contribution_bonus__half_a_quarter_a_quarter__by_hand() -> None:
    # Three stakes of 4 are 12: 6, 3 and 3 come back.
    assert contribution_bonus(4 * GWEI, [500_000, 250_000, 250_000]) == gwei(2, -1, -1)


def test_contribution_bonus__not_listed__loses_its_stake_like_a_zero() -> None:
    assert contribution_bonus(7, [666_666, None, 333_334]) == [3 * 7 * 666_666 // 10**6 - 7, -7, 0]
    assert contribution_bonus(7, [666_666, 0, 333_334]) == contribution_bonus(7, [666_666, None, 333_334])
    assert contribution_bonus(0, [666_666, None, 333_334]) == [0, 0, 0]


def test_most_contribution_points__twice_an_equal_part() -> None:
    assert [most_contribution_points(n) for n in (2, 3, 10)] == [CONTRIBUTION_ONE, 666_666, 200_000]


@pytest.mark.parametrize(
    "points", [[666_667, 333_333, 0], [500_000, 499_999, 0], [600_000, 400_001, -1], [None, None, None], []]
)
def test_contribution_bonus__points_that_cannot_stand__refused(points: list[int | None]) -> None:
    with pytest.raises(ValueError, match="contribution points"):
        contribution_bonus(5, points)


def test_contribution_bonus__negative_stake__refused() -> None:
    with pytest.raises(ValueError, match="stake"):
        contribution_bonus(-1, [500_000, 500_000])
