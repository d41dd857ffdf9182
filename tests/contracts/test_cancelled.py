"""Cancelled rounds of every kind: from when, said by whom, and who is slashed."""

from collections.abc import Callable

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Phase, Policy, Stage, Status
from tests.support.assertions import assert_settles_like_reference

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
    "one station": held_by(3, 1),
    "no live model": no_live_model,
}


@pytest.mark.parametrize("kind", CANNOT_BE_HELD)
def test_cannot_be_held__cancelled_when_commits_close(create_round: CreateRound, kind: str) -> None:
    round_ = CANNOT_BE_HELD[kind](create_round(FOUR_OWNERS))
    round_.wait_for("commit", -1)
    assert (round_.state.status, round_.state.phase) == (Status.OPEN, Phase.COMMIT)
    round_.select().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.commit)
    round_.wait_for("commit")
    assert (round_.state.status, round_.state.phase) == (Status.CANCELLED, Phase.SETTLE)
    receipt = round_.select().send()
    assert receipt.names == ["RoundCancelled"]
    assert receipt.event("RoundCancelled") == {"roundId": round_.id}
    assert round_.state.status == Status.CANCELLED


@pytest.mark.parametrize("owner_policy", [Policy.EQUAL, Policy.CAPABILITY])
@pytest.mark.parametrize("base_policy", Policy)
@pytest.mark.parametrize("kind", CANNOT_BE_HELD)
def test_cannot_be_held__nobody_revealed__nobody_is_slashed_but_dead_proposers(
    create_round: CreateRound, kind: str, owner_policy: Policy, base_policy: Policy
) -> None:
    round_ = create_round(FOUR_OWNERS, owner_policy=owner_policy, base_policy=base_policy)
    CANNOT_BE_HELD[kind](round_).wait_for("commit")
    committed = [seat for seat in round_.owners if round_.stage(seat) is Stage.COMMITTED]
    with round_.market.chain.snapshot():
        settled = round_.settled()
        for seat, receipt in settled.items():
            dead = seat in round_.proposers and seat not in committed and committed
            assert receipt.event("MemberSettled")["slashed"] == (BOND if dead else 0), seat.name
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("kind", ["one owner", "one station", "no live model"])
def test_cannot_be_held__settled_without_a_selection__cancellation_is_announced_once(
    create_round: CreateRound, kind: str
) -> None:
    round_ = CANNOT_BE_HELD[kind](create_round(FOUR_OWNERS)).wait_for("commit")
    first = round_.settle(round_.members[0]).send()
    assert first.names == ["RoundCancelled", "MemberSettled"]
    assert round_.settle(round_.members[1]).send().names == ["MemberSettled"]
    round_.select().reverts_with("WrongStatus", roundId=round_.id, actual=Status.CANCELLED, required=Status.OPEN)


def test_two_a_side_and_a_live_model__can_be_held(create_round: CreateRound) -> None:
    round_ = held_by(2, 2)(create_round(FOUR_OWNERS)).wait_for("commit")
    assert (round_.state.status, round_.state.phase) == (Status.OPEN, Phase.REVEAL)
    assert_settles_like_reference(round_.voted())


def test_no_base_station_revealed__cancelled_from_the_reveal_deadline(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    round_.revealed(but=round_.stations).wait_for("reveal", -1)
    round_.select().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.reveal)
    round_.wait_for("reveal")
    assert round_.select().send().names == ["RoundCancelled"]
    with round_.market.chain.snapshot():
        slashed = {seat.name: r.event("MemberSettled")["slashed"] for seat, r in round_.settled().items()}
        assert slashed == {"alice": 0, "bob": 0, "carol": 0} | dict.fromkeys(("north", "south", "east"), BOND)
    assert_settles_like_reference(round_)


def test_nobody_revealed_at_all__everybody_slashed_and_repaid_by_the_others(
    create_round: CreateRound,
) -> None:
    round_ = create_round().committed().wait_for("reveal")
    round_.select().send()
    with round_.market.chain.snapshot():
        round_.settled()
        assert [round_.rebate(seat) for seat in round_.members] == [BOND] * 6
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
    assert_settles_like_reference(round_)


def test_never_selected__silent_members_and_dead_proposer__slashed(create_round: CreateRound) -> None:
    round_ = create_round(FOUR_OWNERS).joined()
    alice, _, carol, _ = round_.owners
    round_.committed(but=[alice]).revealed(but=[carol, round_.stations[0]]).wait_for("select")
    with round_.market.chain.snapshot():
        slashed = {seat.name: r.event("MemberSettled")["slashed"] for seat, r in round_.settled().items()}
        assert {name for name, amount in slashed.items() if amount} == {"alice", "carol", "north"}
    assert_settles_like_reference(round_)


def test_settle_many__implicit_cancellation__stored_as_well(create_round: CreateRound) -> None:
    round_ = create_round().revealed().wait_for("select", 10**7)
    receipt = round_.settle_many(round_.members).send()
    assert receipt.names == ["RoundCancelled"] + ["MemberSettled"] * 6
    assert round_.state.escrow == 0


@pytest.mark.parametrize("committed_owners", [1, 2])
def test_cancelled__dead_proposer__bond_to_the_owners_that_committed(
    create_round: CreateRound, committed_owners: int
) -> None:
    """Alice proposed and never committed; no base station did. A lone owner gets all of her bond."""
    round_ = create_round(proposers=(0,), owner_bids=((1,),) * 3, station_bids=((1,),) * 2).joined()
    alice, bob, carol = round_.owners
    staying = [bob, carol][:committed_owners]
    round_.committed(but=[seat for seat in round_.members if seat not in staying]).wait_for("commit")
    with round_.market.chain.snapshot():
        assert round_.settled()[alice].event("MemberSettled")["slashed"] == BOND
        assert [round_.rebate(seat) for seat in staying] == [BOND // committed_owners] * committed_owners
    assert_settles_like_reference(round_)
