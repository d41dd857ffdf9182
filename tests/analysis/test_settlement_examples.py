"""One small round in all its ways to end, worked out by hand in gwei.

Three owners value the one model of owner 0 at (9, 6, 6), three base stations ask (2, 4, 5), of which the last is the
claimant; caps 10 and 8, bond 16, theta = 1/2, four global rounds. As in test_mechanism_examples.py: E = 24, C = 15,
owners' shares 4.5, 5.25, 5.25, rewards 5.5, 4.5, 5, no taxes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from analysis.mechanism import THETA_ONE
from analysis.round_facts import Member, Round, RoundResult
from analysis.settlement import exceeds_threshold, settle_round

GWEI = 10**9
BOND = 16 * GWEI
OWNERS = tuple(Member(bids=(value,)) for value in (9, 6, 6))
STATIONS = (*(Member(bids=(cost,), recorded=4) for cost in (2, 4)), Member(revealed=False, recorded=4))
ROUND = Round(
    owners=OWNERS,
    stations=STATIONS,
    proposers=(0,),
    claimant=2,
    theta_numerator=THETA_ONE // 2,
    max_owner_bid=10,
    max_station_bid=8,
    bond=BOND,
    global_rounds=4,
)
SILENT = Member(revealed=False)
NEVER_COMMITTED = Member(committed=False, revealed=False)


def gwei(*amounts: float) -> list[int]:
    return [int(amount * GWEI) for amount in amounts]


def payments(result: RoundResult) -> list[int]:
    return [dues.payment for dues in result.owners + result.stations]


def with_owner(number: int, owner: Member, round_: Round = ROUND) -> Round:
    return replace(round_, owners=(*round_.owners[:number], owner, *round_.owners[number + 1 :]))


def with_station(number: int, station: Member, round_: Round = ROUND) -> Round:
    return replace(round_, stations=(*round_.stations[:number], station, *round_.stations[number + 1 :]))


def records(number: int, rounds: int) -> Member:
    return replace(STATIONS[number], recorded=rounds)


def test_settle_round__everybody_plays__shares_pay_rewards() -> None:
    result = settle_round(ROUND)
    assert (result.status, result.selected) == ("settled", 0)
    assert payments(result) == gwei(4.5, 5.25, 5.25, -5.5, -4.5, -5)
    assert (result.lot, result.kept) == (0, 0)
    assert [dues.lock for dues in result.owners] == gwei(36, 36, 36)
    assert [dues.lock for dues in result.stations] == gwei(24, 24, 24)


def test_settle_round__owner_silent__pays_as_for_zeros_and_its_bond_is_kept() -> None:
    # v = (9, 6, 0): V = 15, E = 30 - 18 = 12. c = 1.5 + (V - v)/4: 3, 3.75, 5.25. r = (6 - k)/2 + 2.5: 4.5, 3.5, 4.
    # A_2 = 12 + 2 * 5.25 > 0, the others' too: no tax.
    result = settle_round(with_owner(2, SILENT))
    assert payments(result) == gwei(3, 3.75, 5.25 + 16, -4.5, -3.5, -4)
    assert result.owners[2].slash == "silence"
    assert (result.lot, result.kept) == (0, BOND)


def test_settle_round__station_silent__no_reward_and_the_bond_is_kept() -> None:
    # k = (2, 0): K = 2, E = 36. r_0 = 0 + 3.5, r_1 = 1 + 3.5, unearned; the claimant's 1/2 + 3.5 = 4.
    # K^ = 3: c = 0.5 + (21 - v)/4: 3.5, 4.25, 4.25: 12, of which 7.5 is paid out.
    result = settle_round(with_station(1, SILENT))
    assert payments(result) == gwei(3.5, 4.25, 4.25, -3.5, 16, -4)
    silent = result.stations[1]
    assert (silent.share, silent.reward, silent.forfeited, silent.slash) == (*gwei(-4.5, 0, 4.5), "silence")
    assert result.kept == BOND + 4_500_000_000


def test_settle_round__station_silent_and_pivotal__taxed_beyond_its_bond() -> None:
    # theta = 0, models of owners 0 and 1: V = (9, 24), K = (0, 8) with station 1 silent: E = (18, 24), model 1.
    # Station 1: r = k_0 = (0, 8), A = (18 - 0, 24 - 24) = (18, 0): tax 6, of the 8 that its lock holds beside the bond.
    # K^ = 12, c = (0, 4): owner 2 is pivotal as well, A = (18, 24 - 2 * 6): tax 3.
    owners = (Member(bids=(4, 10)), Member(bids=(5, 4)), Member(bids=(0, 10)))
    stations = (Member(bids=(0, 8), recorded=4), SILENT, STATIONS[2])
    result = settle_round(replace(ROUND, owners=owners, stations=stations, proposers=(0, 1), theta_numerator=0))
    assert result.selected == 1
    silent = result.stations[1]
    assert (silent.slashed, silent.tax, silent.payment, silent.lock) == (BOND, *gwei(6, 22, 24))
    assert result.lot == 9 * GWEI


def test_settle_round__station_absent_and_pivotal__taxed_as_far_as_the_lock_goes() -> None:
    # theta = 0, V = (15, 15), K = (8, 8): E = (6, 6), model 0. Station 1: r = k_0 = (8, 0),
    # A = (6 + 3 * -8, 6 + 3 * 8): tax 48/3 = 16. It records nothing: the bond takes 16 of its lock of 24, 8 are left.
    owners = tuple(Member(bids=(5, 5)) for _ in range(3))
    stations = (Member(bids=(8, 0), recorded=4), Member(bids=(0, 8)), STATIONS[2])
    result = settle_round(replace(ROUND, owners=owners, stations=stations, proposers=(0, 1), theta_numerator=0))
    assert (result.settlement and result.settlement.taxes) == gwei(0, 0, 0, 0, 16, 0)
    assert payments(result) == gwei(4, 4, 4, 0, 24, -4)
    assert [result.lot, result.kept] == gwei(8, 24)
    # A stake is locked besides, and pays for nothing else.
    staked_round = replace(ROUND, owners=owners, stations=stations, proposers=(0, 1), theta_numerator=0, stake=5 * GWEI)
    staked = settle_round(staked_round)
    assert payments(staked) == payments(result)
    # Had it worked and were listed with an upheld 0, its reward of 8 would have paid the rest.
    worked = replace(staked_round, stake=0, stations=(stations[0], replace(stations[1], recorded=4), stations[2]))
    zeroed = settle_round(replace(worked, upheld=True, contributions=(500_000, 0, 500_000))).stations[1]
    assert (zeroed.slashed, zeroed.reward, zeroed.tax, zeroed.payment) == (BOND, *gwei(8, 16, 24))


def test_settle_round__taxes__are_the_claimants_lot() -> None:
    # theta = 0, V = (11, 6), K = (2, 2): owner 0 turns the selection and pays a tax of 5 (test_mechanism_examples.py).
    owners = (Member(bids=(10, 0)), Member(bids=(1, 6)))
    stations = (*(Member(bids=(1, 1), recorded=4) for _ in range(2)), STATIONS[2])
    result = settle_round(
        replace(ROUND, owners=owners, stations=stations, proposers=(0, 1), theta_numerator=0, bond=BOND)
    )
    assert payments(result) == gwei(6.5, 1.5, -1, -1, -1)
    assert (result.lot, result.kept) == (5 * GWEI, 0)


@pytest.mark.parametrize("number", [1, 2])
def test_settle_round__part_of_the_global_rounds__pay_and_bond_by_the_part(number: int) -> None:
    # Three of four: 3/4 of the reward, down, and 1/4 of the bond, up.
    result = settle_round(with_station(number, records(number, 3)))
    due = (5.5, 4.5, 5)[number]
    dues = result.stations[number]
    assert (dues.share, dues.reward, dues.slashed, dues.slash) == (*gwei(-due, due * 0.75, 4), "absence")
    assert payments(result)[:3] == gwei(4.5, 5.25, 5.25)
    assert result.kept == 4 * GWEI + due * GWEI / 4


def test_settle_round__part_that_does_not_divide__reward_down_bond_up() -> None:
    # Two of seven: 4.5 * 2/7 = 1.285714285714..., 16 * 5/7 = 11.428571428571...
    stations = tuple(replace(station, recorded=7) for station in STATIONS)
    round_ = replace(ROUND, global_rounds=7, stations=stations)
    dues = settle_round(with_station(1, replace(stations[1], recorded=2), round_)).stations[1]
    assert (dues.reward, dues.slashed) == (1_285_714_285, 11_428_571_429)


def test_settle_round__nothing_recorded_by_one__no_reward_and_all_of_its_bond() -> None:
    result = settle_round(with_station(1, records(1, 0)))
    assert payments(result)[3:] == gwei(-5.5, 16, -5)


def test_settle_round__nobody_recorded__bonds_and_nothing_else() -> None:
    stations = tuple(replace(station, recorded=0) for station in STATIONS)
    round_ = with_owner(2, SILENT, replace(ROUND, stations=stations, punished=True))
    result = settle_round(round_)
    assert result.status == "settled"
    assert payments(result) == gwei(16, 0, 16, 16, 16, 16)
    assert (result.lot, result.kept) == (0, 5 * BOND)
    assert [dues.slash for dues in result.owners] == ["vote", None, "silence"]


def test_settle_round__punished__the_bond_is_kept() -> None:
    result = settle_round(replace(ROUND, punished=True))
    assert payments(result) == gwei(4.5 + 16, 5.25, 5.25, -5.5, -4.5, -5)
    assert result.kept == BOND


def test_settle_round__silent_winner_punished__bond_taken_once_for_silence() -> None:
    # v = (0, 6, 6): V = 12, E = 6, c_0 = 1.5 + 3 = 4.5.
    result = settle_round(replace(with_owner(0, SILENT), punished=True))
    assert (result.owners[0].slash, result.owners[0].slashed, result.owners[0].share) == ("silence", *gwei(16, 4.5))
    assert result.kept == BOND


# ── contributions ──

STAKED = replace(ROUND, stake=6 * GWEI, upheld=True, contributions=(500_000, 250_000, 250_000))


def test_settle_round__contributions_upheld__stakes_shared_out_again() -> None:
    # Three stakes of 6 are 18: 9, 4.5, 4.5 come back: bonuses 3, -1.5, -1.5.
    result = settle_round(STAKED)
    assert result.upheld
    assert [dues.bonus for dues in result.stations] == gwei(3, -1.5, -1.5)
    assert payments(result)[3:] == gwei(-5.5 - 3, -4.5 + 1.5, -5 + 1.5)
    assert [dues.lock for dues in result.stations] == gwei(30, 30, 30)
    assert result.kept == 0


@pytest.mark.parametrize(
    "change",
    [{"upheld": False}, {"contributions": (500_000, 250_000, 249_999)}, {"reported": False}],
)
def test_settle_round__contributions_do_not_stand__everybody_gets_its_stake(change: dict[str, Any]) -> None:
    result = settle_round(replace(STAKED, **change))
    assert not result.upheld
    assert [dues.bonus for dues in result.stations] == [0, 0, 0]
    assert all(dues.slash is None for dues in result.stations)


def test_settle_round__listed_with_an_upheld_zero__stake_and_bond() -> None:
    # 2/3 of a million, down, is the most that one may have.
    listed = replace(STAKED, contributions=(666_666, 0, 333_334))
    result = settle_round(listed)
    assert (result.stations[1].slash, result.stations[1].bonus) == ("zero", -6 * GWEI)
    assert result.stations[1].payment == (-4.5 + 16 + 6) * GWEI
    # Not listed: the stake alone. And without a stake the bond all the same.
    assert settle_round(replace(listed, contributions=(666_666, None, 333_334))).stations[1].payment == 1.5 * GWEI
    assert settle_round(replace(listed, stake=0)).stations[1].payment == 11.5 * GWEI


def test_settle_round__upheld_zero_of_one_that_missed_a_round__bond_taken_once() -> None:
    round_ = replace(with_station(1, records(1, 3), STAKED), contributions=(666_666, 0, 333_334))
    dues = settle_round(round_).stations[1]
    assert (dues.slash, dues.slashed, dues.reward) == ("zero", *gwei(16, 3.375))


def test_settle_round__upheld_points_of_a_silent_station__stake_moves_bond_is_taken_for_silence() -> None:
    dues = settle_round(with_station(1, SILENT, STAKED)).stations[1]
    assert (dues.slash, dues.slashed, dues.bonus) == ("silence", *gwei(16, -1.5))


# ── abort ──


def test_settle_round__aborted__a_report_but_for_the_winners_bond() -> None:
    worked = with_station(1, records(1, 3))
    told, result = settle_round(worked), settle_round(replace(worked, reported=False))
    assert result.status == "aborted"
    assert payments(result) == [payments(told)[0] + BOND, *payments(told)[1:]]
    assert (result.lot, result.kept) == (told.lot, told.kept + BOND)
    assert [dues.slash for dues in result.owners + result.stations] == ["abort", None, None, None, "absence", None]


def test_settle_round__aborted_by_a_silent_winner__one_bond() -> None:
    silent = with_owner(0, SILENT)
    told, result = settle_round(silent), settle_round(replace(silent, reported=False))
    assert payments(result) == payments(told), "for silence"
    assert (told.owners[0].slash, result.owners[0].slash) == ("silence", "abort")


def test_settle_round__aborted_without_recorder__bonds_alone() -> None:
    # Owner 0 alone wants model 0, and would owe a tax of 10.
    owners = (Member(bids=(10, 0)), Member(bids=(0, 6)), Member(bids=(0, 6)))
    stations = (Member(bids=(1, 3)), Member(bids=(0, 0)), Member(revealed=False))
    round_ = replace(ROUND, owners=owners, stations=stations, proposers=(0, 1), theta_numerator=0, reported=False)
    result = settle_round(round_)
    assert payments(result) == [BOND, 0, 0, BOND, BOND, BOND]
    assert (result.lot, result.kept) == (0, 4 * BOND)
    # Others' bonds for silence and of absent proposers stay taken.
    both = with_owner(1, NEVER_COMMITTED, with_owner(2, SILENT, round_))
    assert [dues.slash for dues in settle_round(both).owners] == ["abort", "proposal", "silence"]
    assert payments(settle_round(both))[1:3] == [BOND, BOND]


# ── rounds that are not held, or cancelled ──


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"owners": (OWNERS[0], NEVER_COMMITTED, NEVER_COMMITTED)},
        {"stations": (STATIONS[0], SILENT, NEVER_COMMITTED)},
        {"owners": (NEVER_COMMITTED, *OWNERS[1:])},
    ],
)
def test_settle_round__never_drawn__nobody_loses_anything(change: dict[str, Any]) -> None:
    """Not enough on a side, no live model, or nobody called: not even absent proposers pay."""
    stations = (*STATIONS[:2], replace(STATIONS[2], recorded=0))
    result = settle_round(replace(ROUND, **{"claimant": None, "stations": stations, **change}))
    assert result.status == "cancelled"
    assert not any(payments(result))
    assert result.kept == 0


# With a second model, that of owner 3, which nobody wants and whose proposer never committed.
ABANDONED = replace(
    ROUND,
    owners=(*(replace(owner, bids=(*owner.bids, 0)) for owner in OWNERS), NEVER_COMMITTED, NEVER_COMMITTED),
    stations=(*(replace(station, bids=(*station.bids, 0)) for station in STATIONS[:2]), STATIONS[2]),
    proposers=(0, 3),
)


@pytest.mark.parametrize(
    "cause", [{"selected_in_time": False}, {"stations": (SILENT, SILENT, replace(STATIONS[2], recorded=0))}]
)
def test_settle_round__cancelled_after_the_draw__silence_and_absent_proposers_pay(cause: dict[str, Any]) -> None:
    result = settle_round(with_owner(2, SILENT, replace(ABANDONED, **cause)))
    assert result.status == "cancelled"
    assert payments(result)[:5] == gwei(0, 0, 16, 16, 0)
    silent = [BOND if dues.slash == "silence" else 0 for dues in result.stations]
    assert payments(result)[5:] == silent
    assert silent[2] == 0, "the claimant is not silent"
    assert result.kept == 2 * BOND + sum(silent)


def test_settle_round__proposer_never_committed__bond_kept_in_a_round_that_is_held() -> None:
    result = settle_round(ABANDONED)
    assert result.selected == 0
    assert payments(result) == gwei(4.5, 5.25, 5.25, 16, 0, -5.5, -4.5, -5)
    assert (result.owners[3].slash, result.kept) == ("proposal", BOND)


def test_settle_round__stations_that_never_committed__count_for_nothing() -> None:
    round_ = replace(ROUND, stations=(NEVER_COMMITTED, *STATIONS), claimant=3)
    assert payments(settle_round(round_)) == gwei(4.5, 5.25, 5.25, 0, -5.5, -4.5, -5)


@pytest.mark.parametrize(
    ("votes_for", "electors", "threshold", "exceeds"),
    [(2, 3, 6_666, True), (2, 3, 6_667, False), (1, 2, 5_000, False), (2, 3, 5_000, True), (0, 0, 5_000, False)],
)
def test_exceeds_threshold__more_than_that_part_of_all_electors(
    votes_for: int, electors: int, threshold: int, exceeds: bool
) -> None:
    assert exceeds_threshold(votes_for, electors, threshold) is exceeds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bond": 7 * GWEI}, "below the largest bid"),
        ({"bond": BOND + 1}, "whole gwei"),
        ({"stake": 1}, "whole gwei"),
        ({"stake": -GWEI}, "whole gwei"),
        ({"proposers": (0, 0)}, "proposers"),
        ({"proposers": (3,)}, "proposers"),
        ({"owners": (*OWNERS[:2], Member(bids=(11,)))}, "outside 0"),
        ({"owners": (*OWNERS[:2], Member(bids=(1, 1)))}, "2 bids for 1"),
        ({"owners": (*OWNERS[:2], Member(bids=(1,), points=2))}, "2 points"),
        ({"owners": (*OWNERS[:2], Member(bids=(1,), recorded=1))}, "owners record"),
        ({"stations": (STATIONS[0], replace(SILENT, recorded=1), STATIONS[2])}, "without having revealed"),
        ({"stations": (STATIONS[0], records(1, 5), STATIONS[2])}, "5 of 4"),
        ({"stations": (*STATIONS[:2], replace(STATIONS[2], bids=(1,), revealed=True))}, "never opened"),
        ({"claimant": 3}, "claimant 3"),
        ({"stations": (*STATIONS[:2], NEVER_COMMITTED)}, "claimant 2"),
        ({"owners": (OWNERS[0], NEVER_COMMITTED, NEVER_COMMITTED)}, "cannot be held"),
        ({"owners": (NEVER_COMMITTED, *OWNERS[1:])}, "cannot be held"),
        ({"contributions": (1,)}, "1 contributions"),
        ({"contributions": (666_667, None, None)}, "666667 points"),
        ({"theta_numerator": THETA_ONE}, "theta_numerator"),
        ({"owner_policy": "capability"}, "a theta of 0"),
        ({"global_rounds": 0}, "0 global rounds"),
    ],
)
def test_round__impossible_facts__refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(ROUND, **change)
