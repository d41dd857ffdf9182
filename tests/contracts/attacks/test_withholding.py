"""Salts withheld, by one and by all, at the smallest bond there is; sides of one; proposers that vanish."""

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.terms import GWEI, Phase, Policy, Role, Status
from tests.support.assertions import assert_settles_like_reference

SMALLEST_BOND = 50 * GWEI  # the default cap of base stations


def utility(round_: LiveRound, seat: Seat) -> int:
    """True value, less true cost if it trained, of the outcome; and what its settlement gave or took, wei."""
    market = round_.market
    with market.chain.snapshot():
        before = market.free(seat.account)
        round_.settle(seat).send()
        money = market.free(seat.account) - before - round_.lock(seat)
        state = round_.state
        if state.status != Status.REPORTED:
            return money
        worth = seat.bids[state.selected] * GWEI
        if seat.role is Role.OWNER:
            return money + worth
        return money - (worth if round_.member(seat).recorded else 0)


# Every member's bids are true. North's cost is its cap where it is selected: it would rather not have been heard.
VALUES = ((90, 100), (60, 10), (12, 60))
COSTS = ((50, 50), (1, 14), (1, 14))


def last_to_reveal(create_round: CreateRound, name: str, *, silent: bool, base_policy: Policy) -> int:
    """The utility of the member that reveals after all others, or does not."""
    round_: LiveRound = create_round(
        VALUES,
        COSTS,
        bond=SMALLEST_BOND,
        base_policy=base_policy,
        station_points=(3, 2, 1) if base_policy else None,
    )
    last = next(seat for seat in round_.members if seat.name == name)
    round_.committed().revealed(but=[last])
    if not silent:
        round_.reveal_bid(last).send()
    return utility(round_.voted(), last)


@pytest.mark.parametrize("base_policy", [Policy.EQUAL, Policy.CAPABILITY])
@pytest.mark.parametrize("name", ["alice", "bob", "carol", "north", "south", "east"])
def test_salt_withheld_by_one__after_all_others_are_read__never_pays(
    create_round: CreateRound, name: str, base_policy: Policy
) -> None:
    """The last to reveal knows the sums and can still choose to be silent."""
    told = last_to_reveal(create_round, name, silent=False, base_policy=base_policy)
    silent = last_to_reveal(create_round, name, silent=True, base_policy=base_policy)
    assert silent < told, f"{name} gains {silent - told} wei by withholding its salt"


def test_salt_withheld_by_a_station__without_the_bond__would_pay(create_round: CreateRound) -> None:
    """It is the bond that decides the test above: north's word is worth less to it than its silence otherwise."""
    told = last_to_reveal(create_round, "north", silent=False, base_policy=Policy.EQUAL)
    silent = last_to_reveal(create_round, "north", silent=True, base_policy=Policy.EQUAL)
    assert silent < told < silent + SMALLEST_BOND


@pytest.mark.parametrize("side", ["owners", "stations", "members"])
def test_salts_withheld_by_all__of_a_side_or_both__all_of_them_lose_their_bond(
    create_round: CreateRound, side: str
) -> None:
    round_ = create_round(bond=SMALLEST_BOND).committed()
    silent = getattr(round_, side)
    round_.revealed(but=silent).selected().over()
    expected = Status.NOTHING_TRAINED if side == "owners" else Status.CANCELLED
    assert round_.state.status == expected
    with round_.market.chain.snapshot():
        slashed = {seat: receipt.event("MemberSettled")["slashed"] for seat, receipt in round_.settled().items()}
    assert slashed == {seat: SMALLEST_BOND if seat in silent else 0 for seat in round_.members}
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("owner_policy", [Policy.EQUAL, Policy.CAPABILITY])
@pytest.mark.parametrize("base_policy", Policy)
def test_one_member_a_side__cancelled__everybody_gets_its_lock_back(
    create_round: CreateRound, owner_policy: Policy, base_policy: Policy
) -> None:
    """A share of a lone member would be its own claim's (divided by n − 1 = 0)."""
    round_ = create_round(
        ((60,),), ((10,),), proposers=(0,), owner_policy=owner_policy, base_policy=base_policy
    ).committed()
    round_.wait_for("commit", -1)
    alice, north = round_.members
    round_.settle(alice, bids=[0]).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.OPEN)
    round_.wait_for("commit")
    assert (round_.state.status, round_.state.phase) == (Status.CANCELLED, Phase.SETTLE)
    for seat in (alice, north):
        round_.settle(seat, bids=[0]).send()
        assert round_.market.free(seat.account) == round_.lock(seat)
    for seat in (alice, north):
        assert round_.claim_rebate(seat).send().event("RebatePaid")["amount"] == 0
    assert round_.state.escrow == 0


def test_one_member_a_side__revealed_before_anybody_cancelled__gets_its_lock_back_all_the_same(
    create_round: CreateRound,
) -> None:
    round_ = create_round(((60,),), ((10,),), proposers=(0,)).revealed()
    round_.select().send()
    assert round_.state.status == Status.CANCELLED
    for seat in round_.members:
        round_.settle(seat).send()
        assert round_.market.free(seat.account) == round_.lock(seat)


def test_proposer_that_never_commits__its_model_cannot_win_and_it_pays_the_others(create_round: CreateRound) -> None:
    """It could else fill the list of models for nothing, or win and not be there. V is 60 and 100 without it."""
    round_ = create_round(((0, 100), (30, 50), (30, 50)), proposers=(1, 0)).joined()
    alice, bob, carol = round_.owners
    round_.committed(but=[alice]).selected()
    assert (round_.state.live, round_.winner) == (0b01, bob)
    round_.voted()
    with round_.market.chain.snapshot():
        assert round_.settled()[alice].event("MemberSettled")["slashed"] == round_.terms.bond
        assert round_.rebate(bob) >= round_.terms.bond // 2 <= round_.rebate(carol)
    assert_settles_like_reference(round_)
