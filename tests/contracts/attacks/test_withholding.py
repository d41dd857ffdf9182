"""Salts withheld, by one and by all, at the smallest bond there is; proposers that never commit."""

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Status
from tests.support.reference import assert_settles_like_reference
from tests.support.utility import utilities

SMALLEST_BOND = 50 * GWEI  # the default cap of base stations

# Every member's bids are true. North's cost is its cap where it is selected: it would rather not have been heard.
VALUES = ((90, 100), (60, 10), (12, 60))
COSTS = ((50, 50), (1, 14), (1, 14))
# Alice, bob and carol want model 0 or 1 in turn; without one of them the other two are pivotal.
TORN_VALUES = ((90, 10), (0, 100), (100, 0))
TORN_COSTS = ((3, 4), (1, 1), (1, 8))


def played(round_: LiveRound) -> LiveRound:
    """To its settlement, whatever is selected."""
    round_.selected()
    if round_.state.status == Status.TRAINING:
        return round_.voted()
    return round_.over()


@pytest.mark.parametrize("bids", [(VALUES, COSTS), (TORN_VALUES, TORN_COSTS)], ids=["plain", "torn"])
@pytest.mark.parametrize("name", ["alice", "bob", "carol", "north", "south"])
def test_salt_withheld_by_one__after_all_others_are_read__never_pays(
    create_round: CreateRound, name: str, bids: tuple[tuple[tuple[int, ...], ...], ...]
) -> None:
    """The last to reveal knows the sums and can still choose to be silent: net of every flow it loses by it.

    In the first version others' taxes came back to it: up to 75 gwei more than its bond of 50.
    """
    reached = {}
    for silent in (False, True):
        round_ = create_round(*bids, bond=SMALLEST_BOND).drawn()
        last = next(seat for seat in round_.members if seat.name == name)
        round_.revealed(but=[last])
        if not silent:
            round_.reveal_bid(last).send()
        reached[silent] = utilities(played(round_))[name]
    assert reached[True] < reached[False], f"{name} gains {reached[True] - reached[False]} wei by withholding its salt"


def test_salt_withheld_by_a_station__without_the_bond__would_pay(create_round: CreateRound) -> None:
    """It is the bond that keeps north from leaving a training whose reward does not pay for its work."""
    reached = {}
    for silent in (False, True):
        round_ = create_round(VALUES, COSTS, bond=SMALLEST_BOND).drawn()
        north = round_.stations[0]
        round_.revealed(but=[north] if silent else [])
        reached[silent] = utilities(played(round_))["north"]
    assert reached[True] < reached[False] < reached[True] + SMALLEST_BOND


@pytest.mark.parametrize("side", ["owners", "stations", "members"])
def test_salts_withheld_by_all__of_a_side_or_both__all_of_them_lose_their_bond(
    create_round: CreateRound, side: str
) -> None:
    """All but the claimant, which has nothing to open; what they lose is kept."""
    round_ = create_round(bond=SMALLEST_BOND).drawn()
    silent = set(getattr(round_, side)) - {round_.claimant}
    round_.revealed(but=silent).selected().over()
    assert round_.state.status == (Status.NOTHING_TRAINED if side == "owners" else Status.CANCELLED)
    with round_.market.chain.snapshot():
        slashed = {seat: receipt.event("MemberSettled")["slashed"] for seat, receipt in round_.settled().items()}
        assert round_.state.escrow == len(silent) * SMALLEST_BOND
    assert slashed == {seat: SMALLEST_BOND if seat in silent else 0 for seat in round_.members}
    assert_settles_like_reference(round_)


def test_proposer_that_never_commits__its_model_cannot_win_and_its_bond_is_kept(create_round: CreateRound) -> None:
    """It could else fill the list of models for nothing, or win and not be there. V is 60 and 100 without it."""
    round_ = create_round(((0, 100), (30, 50), (30, 50)), proposers=(1, 0)).joined()
    alice, bob, _ = round_.owners
    round_.committed(but=[alice]).selected()
    assert (round_.state.live, round_.winner) == (0b01, bob)
    round_.voted()
    with round_.market.chain.snapshot():
        assert round_.settled()[alice].event("MemberSettled")["slashed"] == round_.terms.bond
    assert_settles_like_reference(round_)


@pytest.mark.parametrize(("bond", "gained"), [(SMALLEST_BOND, 35), (200 * GWEI, -115)], ids=["smallest", "default"])
def test_owner_and_claimant_are_one_party__owners_silence__can_pay(
    create_round: CreateRound, bond: int, gained: int
) -> None:
    """Not stopped (contracts/attacks.md): the claimant is known before reveals, and others' taxes are its lot.

    Alice's silence brings east 85 gwei more than it costs her, and it costs her a bond: here that of clients' default,
    twice the largest bid, is enough; among many members it need not be.
    """
    reached = {}
    for silent in (False, True):
        round_ = create_round(TORN_VALUES, TORN_COSTS, bond=bond).drawn()
        round_.revealed(but=round_.owners[:1] if silent else [])
        totals = utilities(played(round_))
        reached[silent] = totals["alice"] + totals["east"]
    assert reached[True] - reached[False] == gained * GWEI
