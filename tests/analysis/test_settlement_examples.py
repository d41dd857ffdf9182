"""One small round in all its ways to end, worked out by hand in gwei.

Three owners value the one model of owner 0 at (9, 6, 6), two stations ask (3, 5); caps 10 and 8, bond 16,
theta = 1/2. V = 21, K = 8, D = 13, C = 14.5. Owners' shares c = 1/3 (4 + 1/2 * 3 * (21 - v) / 2):
c_0 = 13/3 = 4.333..., c_1 = c_2 = 61/12 = 5.08333...; up: 4,333,333,334 and 5,083,333,334 wei, together 14.5
gwei + 2 wei. Rewards r = 1/2 (1/2 * 2 * k_other + 10.5): r_0 = 7.75, r_1 = 6.75. Every A at the model is
positive: no taxes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analysis.mechanism import THETA_ONE
from analysis.round_facts import Member, Round, Side
from analysis.settlement import is_punished, rebate, settle_round

GWEI = 10**9
BOND = 16 * GWEI
C_0, C_1 = 4_333_333_334, 5_083_333_334
R_0, R_1 = 7_750_000_000, 6_750_000_000
OWNERS = tuple(Member(bids=(value,)) for value in (9, 6, 6))
STATIONS = tuple(Member(bids=(cost,), recorded=True) for cost in (3, 5))
ROUND = Round(
    owners=OWNERS,
    base_stations=STATIONS,
    proposers=(0,),
    theta_numerator=THETA_ONE // 2,
    max_owner_bid=10,
    max_base_bid=8,
    bond=BOND,
)
SILENT = Member(revealed=False)
ABSENT = Member(bids=(5,))
NEVER_COMMITTED = Member(committed=False, revealed=False)


def payments(round_: Round) -> list[int]:
    result = settle_round(round_)
    return [statement.payment for statement in result.owners + result.base_stations]


def rebates(round_: Round) -> list[int]:
    result = settle_round(round_)
    return [statement.rebate for statement in result.owners + result.base_stations]


def test_settle_round__everybody_plays__shares_pay_rewards() -> None:
    result = settle_round(ROUND)
    assert result.status == "settled"
    assert payments(ROUND) == [C_0, C_1, C_1, -R_0, -R_1]
    assert result.escrow_left == 2
    assert [statement.lock for statement in result.owners] == [36 * GWEI] * 3
    assert [statement.lock for statement in result.base_stations] == [24 * GWEI] * 2


def test_settle_round__owner_silent__pays_as_for_zeros_and_its_bond() -> None:
    # v = (9, 6, 0): V = 15, D = 7. c = 1/3 (4 + 3/4 * (15 - v)): 17/6, 43/12, 61/12: 2.8333..., 3.58333...,
    # C_1. A_2 = 7 - 0 + c > 0: no tax. The bond goes to the other two owners, in halves: 8 each.
    # r = 1/2 (k_other + 7.5) = 6.25, 5.25.
    round_ = replace(ROUND, owners=(*OWNERS[:2], SILENT))
    paid = [2_833_333_334, 3_583_333_334, C_1 + BOND, -6_250_000_000, -5_250_000_000]
    assert payments(round_) == paid
    assert rebates(round_) == [8 * GWEI, 8 * GWEI, 0, 0, 0]


def test_settle_round__station_silent__no_reward_bond_to_the_other() -> None:
    # k = (3, 0): K = 3, D = 18. r_0 = 1/2 (0 + 10.5) = 5.25, r_1 = 1/2 (3 + 10.5) = 6.75, forfeited.
    # Together with the bond that is 22.75 for station 0 to get back.
    round_ = replace(ROUND, base_stations=(STATIONS[0], SILENT))
    result = settle_round(round_)
    assert result.base_stations[0].payment == -5_250_000_000
    assert result.base_stations[1].payment == BOND
    assert result.base_stations[1].forfeited == R_1
    assert result.base_side == Side(inside=BOND + R_1, outside=0)
    assert [statement.rebate for statement in result.base_stations] == [BOND + R_1, 0]


def test_settle_round__station_silent_and_pivotal__taxed_beyond_its_bond_as_far_as_the_lock_goes() -> None:
    # Models of owners 0 and 1, theta = 0: V = (7, 16), K = (0, 8), D = (7, 8), model 1. The silent station's
    # r_1 = k_0 = (0, 8), A_1 = (7 - 0, 8 - 8) = (7, 0): tax 7. Of its lock of 8 + 16 the bond takes 16.
    owners = (Member(bids=(3, 8)), Member(bids=(4, 8)))
    stations = (Member(bids=(0, 8), recorded=True), SILENT)
    round_ = replace(ROUND, owners=owners, base_stations=stations, proposers=(0, 1), theta_numerator=0)
    silent = settle_round(round_).base_stations[1]
    assert (silent.slashed, silent.tax, silent.payment) == (BOND, 7 * GWEI, 23 * GWEI)
    assert silent.lock == 24 * GWEI


def test_settle_round__station_absent__forfeits_reward_and_bond() -> None:
    round_ = replace(ROUND, base_stations=(STATIONS[0], ABSENT))
    assert payments(round_)[3:] == [-R_0, BOND]
    assert rebates(round_)[3:] == [BOND + R_1, 0]


def test_settle_round__station_listed_with_zero__as_absent() -> None:
    round_ = replace(ROUND, contributions=(1_000, 0))
    assert payments(round_)[3:] == [-R_0, BOND]
    assert rebates(round_)[3:] == [BOND + R_1, 0]


@pytest.mark.parametrize("fault", [{"global_round_recorded": False}, {"punished": True}])
def test_settle_round__winner_at_fault__zeros_ignored_and_absence_not_slashed(fault: dict[str, Any]) -> None:
    listed = settle_round(replace(ROUND, contributions=(None, 0), **fault))
    assert [statement.payment for statement in listed.base_stations] == [-R_0, -R_1]
    # An absent station still gets nothing; what it was due goes to the other.
    absent = settle_round(replace(ROUND, base_stations=(STATIONS[0], ABSENT), **fault))
    assert [statement.payment for statement in absent.base_stations] == [-R_0, 0]
    assert absent.base_stations[1].forfeited == R_1
    assert absent.base_side.inside == R_1


def test_settle_round__punished__bond_to_the_stations_in_equal_parts() -> None:
    round_ = replace(ROUND, punished=True)
    assert payments(round_) == [C_0 + BOND, C_1, C_1, -R_0, -R_1]
    assert rebates(round_) == [0, 0, 0, 8 * GWEI, 8 * GWEI]


def test_settle_round__silent_winner_punished__bond_slashed_once_for_silence() -> None:
    # v = (0, 6, 6): V = 12. Half of the bond for each other owner.
    round_ = replace(ROUND, owners=(SILENT, *OWNERS[1:]), punished=True)
    result = settle_round(round_)
    assert result.owners[0].slash == "silence"
    assert result.base_side == Side(inside=0, outside=0)
    assert [statement.rebate for statement in result.owners] == [0, 8 * GWEI, 8 * GWEI]


def test_settle_round__nobody_recorded__no_shares_rewards_or_forfeits() -> None:
    stations = tuple(replace(station, recorded=False) for station in STATIONS)
    round_ = replace(ROUND, base_stations=stations, contributions=(0, 0))
    assert payments(round_) == [0] * 5


def test_settle_round__aborted__share_and_bond_to_the_recorders() -> None:
    # 16 gwei + 4,333,333,334 wei in halves.
    round_ = replace(ROUND, reported=False)
    part = (BOND + C_0) // 2
    result = settle_round(round_)
    assert result.status == "aborted"
    assert payments(round_) == [BOND + C_0, 0, 0, -part, -part]
    assert result.abort_remainder == result.escrow_left == 0
    # With one recorder all of it; the absent one is not slashed.
    alone = replace(round_, base_stations=(replace(STATIONS[0], recorded=False), STATIONS[1]))
    assert payments(alone)[3:] == [0, -(BOND + C_0)]


def test_settle_round__aborted_by_silent_winner__only_its_share_to_the_recorders() -> None:
    # v = (0, 6, 6): V = 12; c_0 = 1/3 (4 + 3/4 * 12) = 13/3 as before; the bond is the other owners'.
    round_ = replace(ROUND, owners=(SILENT, *OWNERS[1:]), reported=False)
    assert payments(round_) == [C_0 + BOND, 0, 0, -C_0 // 2, -C_0 // 2]
    assert rebates(round_) == [0, 8 * GWEI, 8 * GWEI, 0, 0]


def test_settle_round__aborted_without_recorder__bond_to_the_stations_side() -> None:
    stations = tuple(replace(station, recorded=False) for station in STATIONS)
    round_ = replace(ROUND, base_stations=stations, reported=False)
    assert payments(round_) == [BOND, 0, 0, 0, 0]
    assert rebates(round_) == [0, 0, 0, 8 * GWEI, 8 * GWEI]


def test_settle_round__contribution_policy__points_share_the_pool() -> None:
    # f = (3/4, 1/4), terms 12 and 20/3 = 6,666,666,666.67, down. r_0 = 3/4 (1/2 * 6,666,666,666 + 10.5) =
    # 10,374,999,999.75; r_1 = 1/4 (6 + 10.5) = 4.125 gwei.
    round_ = replace(ROUND, base_policy="contribution", contributions=(750_000, 250_000))
    assert payments(round_)[3:] == [-10_374_999_999, -4_125_000_000]
    # A punished winner's points are ignored.
    assert payments(replace(round_, punished=True))[3:] == [-R_0, -R_1]
    with pytest.raises(ValueError, match="contribution points"):
        settle_round(replace(round_, contributions=(750_000, None)))


def test_settle_round__one_owner_committed__cancelled_and_silence_forgiven() -> None:
    owners = (SILENT, NEVER_COMMITTED, NEVER_COMMITTED)
    result = settle_round(replace(ROUND, owners=owners))
    assert result.status == "cancelled"
    assert not any(payments(replace(ROUND, owners=owners)))


def test_settle_round__proposer_never_committed__bond_to_the_committed_owners() -> None:
    # Its model is the only one: cancelled. Owners 1 and 2 get half of the bond each.
    round_ = replace(ROUND, owners=(NEVER_COMMITTED, *OWNERS[1:]))
    assert payments(round_) == [BOND, 0, 0, 0, 0]
    assert rebates(round_) == [0, 8 * GWEI, 8 * GWEI, 0, 0]
    # Without a committed owner it keeps its bond; with one, that one gets it all.
    assert not any(payments(replace(ROUND, owners=(NEVER_COMMITTED,) * 3)))
    one = replace(ROUND, owners=(NEVER_COMMITTED, NEVER_COMMITTED, OWNERS[2]))
    assert rebates(one)[:3] == [0, 0, BOND]


@pytest.mark.parametrize("cause", [{"selected_in_time": False}, {"base_stations": (SILENT, SILENT)}])
def test_settle_round__cancelled_after_the_commits__silence_slashed(cause: dict[str, Any]) -> None:
    round_ = replace(ROUND, **{"owners": (*OWNERS[:2], SILENT), **cause})
    result = settle_round(round_)
    assert result.status == "cancelled"
    assert [statement.payment for statement in result.owners] == [0, 0, BOND]
    assert [statement.rebate for statement in result.owners] == [8 * GWEI, 8 * GWEI, 0]


@pytest.mark.parametrize(
    ("votes_for", "electors", "threshold", "punished"),
    [(2, 3, 6_666, True), (2, 3, 6_667, False), (1, 2, 5_000, False), (1, 1, 0, True), (0, 1, 0, False)],
)
def test_is_punished__share_of_all_electors_above_threshold(
    votes_for: int, electors: int, threshold: int, punished: bool
) -> None:
    assert is_punished(votes_for, electors, threshold) is punished


def test_rebate__both_parts_floored_apart() -> None:
    # (10 - 3) // 2 + 5 // 3
    assert rebate(Side(inside=10, outside=5), 3, 3) == 3 + 1
    assert rebate(Side(inside=0, outside=5), 0, 1) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"bond": 8 * GWEI - 1},
        {"bond": BOND - 1, "base_policy": "contribution"},
        {"proposers": (0, 0)},
        {"proposers": (3,)},
        {"owners": (*OWNERS[:2], Member(bids=(11,)))},
        {"owners": (*OWNERS[:2], Member(bids=(1, 1)))},
        {"owners": (*OWNERS[:2], Member(bids=(1,), points=2))},
        {"base_stations": (STATIONS[0], replace(SILENT, recorded=True))},
        {"contributions": (1,)},
        {"theta_numerator": THETA_ONE},
    ],
)
def test_round__impossible_facts__refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        replace(ROUND, **change)
