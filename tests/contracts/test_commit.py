"""`commitBid`: one sealed bid a member, in the commit phase; what a commitment binds."""

import pytest
from eth_utils import keccak

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound
from fl.market.terms import GWEI, Phase, Policy, Stage


def test_commit__joined_member__stored_and_counted(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("join")
    carol = round_.owners[2]
    receipt = round_.commit_bid(carol).send()
    commitment = round_.commitment(carol)
    assert receipt.names == ["BidCommitted"]
    assert receipt.event("BidCommitted") == {
        "roundId": round_.id,
        "member": carol.account,
        "commitment": commitment,
    }
    member = round_.member(carol)
    assert member.stage == Stage.COMMITTED
    assert member.payload == int.from_bytes(commitment[:26], "big"), "the top 208 bits are kept"
    assert round_.state.committed == [1, 0]
    assert round_.state.phase == Phase.COMMIT
    assert round_.state.live == 0, "carol has proposed nothing"


def test_commit__base_station__counted_on_its_side(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("join")
    round_.commit_bid(round_.stations[1]).send()
    assert round_.state.committed == [0, 1]
    assert round_.state.points == [0, 1]


def test_commit__proposers__their_models_live(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("join")
    alice, bob, _ = round_.owners
    round_.commit_bid(bob).send()
    assert round_.state.live == 0b10
    round_.commit_bid(alice).send()
    assert round_.state.live == 0b11


def test_commit__any__no_wei_moves(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    held, escrow = round_.market.held, round_.state.escrow
    round_.committed()
    assert (round_.market.held, round_.state.escrow) == (held, escrow) == (1_950 * GWEI, 1_950 * GWEI)


def test_commit__under_capability__points_are_summed_by_side(create_round: CreateRound) -> None:
    round_ = create_round(
        owner_policy=Policy.CAPABILITY,
        owner_points=(2**32 - 1, 3, 4),
        max_owner_bid=100,
        base_policy=Policy.CAPABILITY,
        station_points=(2**32 - 1, 2**32 - 1, 7),
    ).committed()
    assert round_.state.points == [2**32 + 6, 2**33 + 5]


def test_commit__under_contribution__every_station_weighs_one(create_round: CreateRound) -> None:
    round_ = create_round(base_policy=Policy.CONTRIBUTION).committed()
    assert round_.state.points == [3, 3]


def test_commit__before_join_closes__reverts(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("join", -1)
    call = round_.commit_bid(round_.owners[0])
    call.reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.join)
    round_.wait_for("join")
    call.send()


def test_commit__to_the_second__open_then_closed(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("commit", -1)
    round_.commit_bid(round_.owners[0]).send()
    round_.wait_for("commit")
    round_.commit_bid(round_.owners[1]).reverts_with(
        "DeadlinePassed", roundId=round_.id, deadline=round_.terms.deadlines.commit
    )


def test_commit__twice__reverts(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("join")
    alice = round_.owners[0]
    round_.commit_bid(alice).send()
    round_.call("commitBid", keccak(text="another"), sender=alice).reverts_with(
        "AlreadyCommitted", roundId=round_.id, account=alice.account
    )


def test_commit__not_a_member__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().joined().wait_for("join")
    round_.call("commitBid", keccak(text="c"), sender=stranger).reverts_with(
        "NotAMember", roundId=round_.id, account=stranger
    )


def test_commit__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("commitBid", 1, keccak(text="c"), sender=stranger).reverts_with("UnknownRound", roundId=1)


@pytest.mark.parametrize("change", ["round", "member", "bids", "salt"])
def test_commitment_of__anything_else__another_commitment(create_round: CreateRound, change: str) -> None:
    round_ = create_round()
    alice, bob, _ = round_.owners
    words, salt = alice.sealed.words, alice.sealed.salt
    arguments = {
        "round": (round_.id + 1, alice.account, words, salt),
        "member": (round_.id, bob.account, words, salt),
        "bids": (round_.id, alice.account, [words[0] + (1 << 64)], salt),
        "salt": (round_.id, alice.account, words, keccak(text="another salt")),
    }[change]
    commitment = round_.market.view("commitmentOf", round_.id, alice.account, words, salt)
    assert commitment == round_.commitment(alice)
    assert commitment != round_.market.view("commitmentOf", *arguments)
