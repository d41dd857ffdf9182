"""Cancelled rounds of every kind: from when, said by whom, and who is slashed."""

from collections.abc import Callable

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import DRAW_DELAY, GWEI, Phase, Policy, Status
from tests.support.reference import assert_settles_like_reference

BOND = 200 * GWEI


def held_by(owners: int, stations: int) -> Callable[[LiveRound], LiveRound]:
    """So many commit on each side."""

    def play(round_: LiveRound) -> LiveRound:
        round_.joined()
        return round_.committed(but=[*round_.owners[owners:], *round_.stations[stations:]])

    return play


def no_live_model(round_: LiveRound) -> LiveRound:
    round_.joined()
    # Alice and bob are the proposers; carol and dave are enough owners otherwise.
    return round_.committed(but=round_.owners[:2])


FOUR_OWNERS = ((30, 20), (30, 10), (12, 60), (1, 1))
CANNOT_BE_HELD = {
    "nobody": held_by(0, 0),
    "no owner": held_by(0, 3),
    "one owner": held_by(1, 3),
    "no station": held_by(3, 0),
    "two stations": held_by(3, 2),
    "no live model": no_live_model,
}


@pytest.mark.parametrize("kind", CANNOT_BE_HELD)
def test_cannot_be_held__cancelled_when_commits_close__stored_by_the_draw(create_round: CreateRound, kind: str) -> None:
    round_ = CANNOT_BE_HELD[kind](create_round(FOUR_OWNERS))
    round_.wait_for("commit", -1)
    assert (round_.state.status, round_.state.phase) == (Status.OPEN, Phase.COMMIT)
    round_.wait_for("commit")
    assert (round_.state.status, round_.state.phase) == (Status.CANCELLED, Phase.SETTLE)
    round_.select().reverts_with("NotDrawn", roundId=round_.id)
    round_.draw().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.draw_opens)
    receipt = round_.wait_for("commit", DRAW_DELAY).draw().send()
    assert receipt.names == ["RoundCancelled"]
    assert receipt.event("RoundCancelled") == {"roundId": round_.id}
    assert (round_.state.status, round_.state.claimant) == (Status.CANCELLED, 0)
    for again in (round_.draw(), round_.select()):
        again.reverts_with("WrongStatus", roundId=round_.id, actual=Status.CANCELLED, required=Status.OPEN)


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("kind", CANNOT_BE_HELD)
def test_cannot_be_held__nobody_loses_anything(create_round: CreateRound, kind: str, policy: Policy) -> None:
    """Nor a proposer that never committed: nobody takes a bond in a round that could not be held."""
    round_ = create_round(FOUR_OWNERS, owner_policy=policy, contribution_stake=GWEI)
    CANNOT_BE_HELD[kind](round_).wait_for("commit")
    for seat, receipt in round_.settled().items():
        assert receipt.event("MemberSettled")["slashed"] == 0, seat.name
        assert round_.market.free(seat.account) == round_.lock(seat), seat.name
    assert (round_.state.escrow, round_.lot) == (0, 0)
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("kind", ["one owner", "two stations", "no live model"])
def test_cannot_be_held__settled_at_once__cancellation_is_announced_once(create_round: CreateRound, kind: str) -> None:
    round_ = CANNOT_BE_HELD[kind](create_round(FOUR_OWNERS)).wait_for("commit")
    first = round_.settle(round_.members[0]).send()
    assert first.names == ["RoundCancelled", "MemberSettled"]
    assert round_.settle(round_.members[1]).send().names == ["MemberSettled"]
    round_.wait_for("commit", DRAW_DELAY).draw().reverts_with(
        "WrongStatus", roundId=round_.id, actual=Status.CANCELLED, required=Status.OPEN
    )


def test_two_owners_three_stations_and_a_live_model__can_be_held(create_round: CreateRound) -> None:
    round_ = held_by(2, 3)(create_round(FOUR_OWNERS)).wait_for("commit")
    assert (round_.state.status, round_.state.phase) == (Status.OPEN, Phase.DRAW)
    round_.voted().settled()
    assert round_.state.phase == Phase.SETTLE
    assert_settles_like_reference(round_)


def test_no_base_station_revealed__cancelled_from_the_reveal_deadline(create_round: CreateRound) -> None:
    """It is drawn: who was silent loses its bond, but not the claimant, which could not speak."""
    round_ = create_round().drawn()
    round_.revealed(but=round_.stations).wait_for("reveal", -1)
    round_.select().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.reveal)
    round_.wait_for("reveal")
    assert round_.select().send().names == ["RoundCancelled"]
    slashed = {seat.name: r.event("MemberSettled")["slashed"] for seat, r in round_.settled().items()}
    assert slashed == {"alice": 0, "bob": 0, "carol": 0, "north": BOND, "south": BOND, "east": 0}
    assert (round_.state.escrow, round_.lot) == (2 * BOND, 0), "kept, and nobody's"
    assert_settles_like_reference(round_)


def test_nobody_revealed_at_all__everybody_but_the_claimant_is_slashed(create_round: CreateRound) -> None:
    """Silence costs a cartel as well: nothing of it comes back to the others of the side."""
    round_ = create_round().drawn().wait_for("reveal")
    round_.select().send()
    round_.settled()
    assert round_.state.escrow == 5 * BOND
    for seat in round_.members:
        assert round_.market.free(seat.account) == round_.lock(seat) - (0 if seat.name == "east" else BOND)
    assert_settles_like_reference(round_)


def test_never_selected__cancelled_at_the_select_deadline(create_round: CreateRound) -> None:
    round_ = create_round().revealed().wait_for("select", -1)
    assert (round_.state.status, round_.state.phase) == (Status.OPEN, Phase.SELECT)
    alice = round_.owners[0]
    round_.settle(alice).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.OPEN)
    round_.wait_for("select")
    assert (round_.state.status, round_.state.phase) == (Status.CANCELLED, Phase.SETTLE)
    assert round_.settle(alice).send().names == ["RoundCancelled", "MemberSettled"]
    assert round_.market.free(alice.account) == round_.lock(alice)
    round_.settled()
    assert round_.state.escrow == 0
    assert_settles_like_reference(round_)


def test_never_selected__silent_members_and_absent_proposer__slashed(create_round: CreateRound) -> None:
    round_ = create_round(FOUR_OWNERS).joined()
    alice, _, carol, dave = round_.owners
    round_.committed(but=[alice, dave]).drawn().revealed(but=[carol, round_.stations[0]]).wait_for("select")
    slashed = {seat.name: r.event("MemberSettled")["slashed"] for seat, r in round_.settled().items()}
    assert {name for name, amount in slashed.items() if amount} == {"alice", "carol", "north"}
    assert set(slashed.values()) == {0, BOND}
    assert round_.state.escrow == 3 * BOND
    assert_settles_like_reference(round_)


def test_settle_many__implicit_cancellation__stored_as_well(create_round: CreateRound) -> None:
    round_ = create_round().revealed().wait_for("select", 10**7)
    receipt = round_.settle_many(round_.members).send()
    assert receipt.names == ["RoundCancelled"] + ["MemberSettled"] * 6
    assert round_.state.escrow == 0
    assert_settles_like_reference(round_)


def test_absent_owners__cancelled_round__no_bond_for_who_did_commit(create_round: CreateRound) -> None:
    """A lone committed owner must gain nothing by others' absence."""
    round_ = create_round(FOUR_OWNERS, proposers=(0, 1)).joined()
    dave = round_.owners[3]
    round_.committed(but=[seat for seat in round_.members if seat != dave]).wait_for("commit")
    round_.settled()
    assert {round_.market.free(seat.account) - round_.lock(seat) for seat in round_.members} == {0}
    assert_settles_like_reference(round_)
