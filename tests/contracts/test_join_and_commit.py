"""`joinAndCommit`: late members, in the commit phase."""

import pytest

from analysis.devnode.rounds import CreateRound, round_slot
from fl.market.terms import GWEI, Policy, Role, Stage

OWNER_LOCK = 400 * GWEI  # twice the default cap of 100 gwei, and the bond of 200


def test_join_and_commit__in_the_commit_phase__member_with_commitment(create_round: CreateRound) -> None:
    round_ = create_round()
    round_.joined(but=round_.owners[2:])
    carol = round_.owners[2]
    round_.wait_for("join")
    receipt = round_.join_and_commit(carol, value=OWNER_LOCK + 3).send()
    assert receipt.names == ["Joined", "BidCommitted"]
    assert receipt.event("Joined")["value"] == OWNER_LOCK + 3
    assert receipt.event("BidCommitted") == {
        "roundId": round_.id,
        "member": carol.account,
        "commitment": round_.commitment(carol),
    }
    assert round_.stage(carol) is Stage.COMMITTED
    assert round_.member(carol).sealedBid == int.from_bytes(round_.commitment(carol), "big") >> 74
    assert round_.state.committed == [1, 0]
    assert round_.market.free(carol.account) == 3


def test_join_and_commit__in_the_join_phase__reverts(create_round: CreateRound) -> None:
    round_ = create_round().wait_for("join", -1)
    round_.join_and_commit(round_.owners[0]).reverts_with(
        "PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.join
    )


def test_join_and_commit__at_the_commit_deadline__reverts(create_round: CreateRound) -> None:
    round_ = create_round().wait_for("commit", -1)
    round_.join_and_commit(round_.owners[0]).send()
    round_.wait_for("commit")
    round_.join_and_commit(round_.owners[1]).reverts_with(
        "DeadlinePassed", roundId=round_.id, deadline=round_.terms.deadlines.commit
    )


def test_join_and_commit__by_a_member__reverts(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("join")
    alice = round_.owners[0]
    round_.join_and_commit(alice).reverts_with("AlreadyJoined", roundId=round_.id, account=alice.account)


def test_join_and_commit__under_capability__points_are_counted(create_round: CreateRound) -> None:
    round_ = create_round(owner_policy=Policy.CAPABILITY, owner_points=(5, 3, 1))
    round_.joined(but=[round_.owners[2], round_.stations[2]]).committed()
    assert (round_.state.points, round_.state.committed) == (8, [2, 2])
    round_.join_and_commit(round_.owners[2]).send()
    round_.join_and_commit(round_.stations[2]).send()
    assert (round_.state.points, round_.state.committed) == (9, [3, 3])


def test_join_and_commit__staked_round__a_station_locks_the_stake(create_round: CreateRound) -> None:
    round_ = create_round(contribution_stake=5 * GWEI).wait_for("join")
    north = round_.stations[0]
    round_.join_and_commit(north).send()
    assert round_.state.escrow == round_.lock(north) == 255 * GWEI
    assert round_.member(north).ordinal == 1


def test_join_and_commit__neither_value_nor_balance__reverts(create_round: CreateRound) -> None:
    round_ = create_round().wait_for("join")
    alice = round_.owners[0]
    round_.market.call("deposit", sender=alice.account, value=7).send()
    round_.join_and_commit(alice, value=OWNER_LOCK - 8).reverts_with("InsufficientBalance", available=7, required=8)
    round_.join_and_commit(alice, value=OWNER_LOCK - 7).send()
    assert round_.market.free(alice.account) == 0


@pytest.mark.parametrize("points", [0, 2, 2**32 - 1])
def test_join_and_commit__points_that_the_policy_does_not_know__reverts(create_round: CreateRound, points: int) -> None:
    round_ = create_round().wait_for("join")
    alice = round_.owners[0]
    arguments = (round_.terms.hash, alice.role, points, round_.proof(alice), round_.commitment(alice))
    round_.call("joinAndCommit", *arguments, sender=alice, value=OWNER_LOCK).reverts_with(
        "InvalidPoints", points=points
    )


def test_join_and_commit__another_rounds_terms__not_admitted(create_round: CreateRound) -> None:
    """The commit phase is no way around the door."""
    round_, other = create_round(), create_round(tolerance_bps=301)
    alice = round_.owners[0]
    round_.wait_for("join")
    arguments = (other.terms.hash, alice.role, 1, round_.proof(alice), round_.commitment(alice))
    round_.call("joinAndCommit", *arguments, sender=alice, value=OWNER_LOCK).reverts_with(
        "NotAdmitted", account=alice.account, role=Role.OWNER, points=1, termsHash=other.terms.hash
    )


def test_join_and_commit__side_or_escrow_full__reverts_and_takes_nothing(create_round: CreateRound) -> None:
    """A million members, or that much ether, are not played but written into the round's first slot."""
    round_ = create_round().wait_for("join")
    market, slot, alice = round_.market, round_slot(round_.id), round_.owners[0]
    ledger = market.chain.read_slot(market.address, slot)
    for full in (ledger | (2**20 - 1) << 65, ledger | (2**96 - OWNER_LOCK) << 160):
        with market.chain.snapshot():
            market.chain.write_slot(market.address, slot, full)
            round_.join_and_commit(alice).reverts_with("RoundFull", roundId=round_.id)
    round_.join_and_commit(alice).send()
