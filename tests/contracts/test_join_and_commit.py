"""`joinAndCommit`: late members, in the commit phase."""

from analysis.devnode.rounds import CreateRound
from fl.market.terms import GWEI, Policy, Stage

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
    assert round_.member(carol).payload == int.from_bytes(round_.commitment(carol), "big") >> 48
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
    round_ = create_round(
        owner_policy=Policy.CAPABILITY,
        owner_points=(5, 3, 1),
        base_policy=Policy.CAPABILITY,
        station_points=(2, 4, 8),
    )
    round_.joined(but=[round_.owners[2], round_.stations[2]]).committed()
    assert round_.state.points == [8, 6]
    round_.join_and_commit(round_.owners[2]).send()
    round_.join_and_commit(round_.stations[2]).send()
    assert round_.state.points == [9, 14]
