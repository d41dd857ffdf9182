"""`join`: who may, with what lock, paid from where."""

import pytest
from eth_utils import keccak

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, round_slot
from fl.market.membership import Entry
from fl.market.terms import GWEI, Policy, Role, Stage

# With the default terms an owner locks 2 * 100 gwei, a base station 50 gwei, both 200 gwei of bond on top.
OWNER_LOCK = 400 * GWEI
STATION_LOCK = 250 * GWEI
# Bit offsets in a round's first slot (contracts/types/Ledger.sol).
COMMITTED_OFFSETS = (65, 85)
ESCROW_OFFSET = 128


def test_join__owner_with_exact_value__locked(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    receipt = round_.join(alice, value=OWNER_LOCK).send()
    assert receipt.names == ["Joined"]
    assert receipt.event("Joined") == {
        "roundId": round_.id,
        "member": alice.account,
        "role": Role.OWNER,
        "points": 1,
        "value": OWNER_LOCK,
    }
    member = round_.member(alice)
    assert (member.stage, member.role, member.points) == (Stage.JOINED, Role.OWNER, 1)
    assert (member.proposer, member.payload) == (False, 0)
    assert round_.state.escrow == OWNER_LOCK
    assert round_.state.committed == [0, 0]
    assert round_.market.free(alice.account) == 0


def test_join__base_station__locks_its_cap_and_the_bond(create_round: CreateRound) -> None:
    round_ = create_round()
    north = round_.stations[0]
    assert round_.join(north).send().event("Joined")["value"] == STATION_LOCK
    assert round_.member(north).role == Role.BASE_STATION
    assert round_.state.escrow == STATION_LOCK


def test_join__station_under_contribution__locks_twice_its_cap(create_round: CreateRound) -> None:
    round_ = create_round(base_policy=Policy.CONTRIBUTION)
    north = round_.stations[0]
    receipt = round_.join(north).send()
    assert receipt.event("Joined")["value"] == 300 * GWEI
    assert receipt.event("Joined")["points"] == 1
    assert round_.member(north).points == 0, "points by contribution are the winner's to report"


def test_join__owner_with_points__locks_its_cap_a_point(create_round: CreateRound) -> None:
    round_ = create_round(owner_policy=Policy.CAPABILITY, owner_points=(7, 1, 1))
    alice = round_.owners[0]
    assert round_.join(alice).send().event("Joined")["value"] == 8 * 100 * GWEI + 200 * GWEI
    assert round_.member(alice).points == 7


def test_join__station_with_points__lock_does_not_grow(create_round: CreateRound) -> None:
    round_ = create_round(base_policy=Policy.CAPABILITY, station_points=(9, 1, 1))
    assert round_.join(round_.stations[0]).send().event("Joined")["value"] == STATION_LOCK


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("policy", Policy)
def test_lock_of__every_policy__as_joining_takes(create_round: CreateRound, role: Role, policy: Policy) -> None:
    round_ = create_round(base_policy=policy)
    assert round_.market.view("lockOf", round_.id, role, 5) == round_.terms.lock(role, 5)


def test_join__too_little_value__taken_from_the_free_balance(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    market = round_.market
    market.call("deposit", sender=alice.account, value=OWNER_LOCK).send()
    round_.join(alice, value=150 * GWEI).send()
    assert market.free(alice.account) == 150 * GWEI
    assert round_.state.escrow == OWNER_LOCK


def test_join__too_much_value__surplus_is_free(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    round_.join(alice, value=OWNER_LOCK + 7).send()
    assert round_.market.free(alice.account) == 7
    assert round_.state.escrow == OWNER_LOCK


def test_join__neither_value_nor_balance__reverts(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    round_.market.call("deposit", sender=alice.account, value=5).send()
    round_.join(alice, value=OWNER_LOCK - 6).reverts_with("InsufficientBalance", available=5, required=6)
    round_.join(alice, value=OWNER_LOCK - 5).send()
    assert round_.market.free(alice.account) == 0


def test_join__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("join", 1, 0, 1, [], [], sender=stranger).reverts_with("UnknownRound", roundId=1)
    market.call("joinAndCommit", 9, 0, 1, [], [], bytes(32), sender=stranger).reverts_with("UnknownRound", roundId=9)


@pytest.mark.parametrize("role", Role)
def test_join__twice__reverts_in_either_role(create_round: CreateRound, role: Role) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    round_.join(alice).send()
    round_.call("join", role, 1, [], [], sender=alice, value=OWNER_LOCK).reverts_with(
        "AlreadyJoined", roundId=round_.id, account=alice.account
    )


def test_join__in_two_rounds__locked_in_both(create_round: CreateRound) -> None:
    first, second = create_round(), create_round()
    alice = first.owners[0]
    first.join(alice).send()
    second.join(alice).send()
    assert (first.state.escrow, second.state.escrow) == (OWNER_LOCK, OWNER_LOCK)
    assert first.market.held == 2 * OWNER_LOCK


def test_join__last_second__open(create_round: CreateRound) -> None:
    round_ = create_round().wait_for("join", -1)
    round_.join(round_.owners[0]).send()
    assert round_.stage(round_.owners[0]) is Stage.JOINED


def test_join__at_the_deadline__reverts(create_round: CreateRound) -> None:
    round_ = create_round().wait_for("join")
    round_.join(round_.owners[0]).reverts_with(
        "DeadlinePassed", roundId=round_.id, deadline=round_.terms.deadlines.join
    )


@pytest.mark.parametrize("points", [0, 2, 2**32 - 1])
def test_join__equal_policy__points_must_be_one(create_round: CreateRound, points: int) -> None:
    round_ = create_round()
    round_.call("join", Role.OWNER, points, [], [], sender=round_.owners[0], value=10**30).reverts_with(
        "InvalidPoints", points=points
    )


def test_join__station_under_contribution__points_must_be_one(create_round: CreateRound) -> None:
    round_ = create_round(base_policy=Policy.CONTRIBUTION, station_points=(2, 1, 1))
    round_.join(round_.stations[0]).reverts_with("InvalidPoints", points=2)


def test_join__capability_without_points__reverts(create_round: CreateRound) -> None:
    entry = Entry("0x" + "11" * 20, Role.OWNER, 0)
    round_ = create_round(owner_policy=Policy.CAPABILITY, strangers=(entry,))
    round_.call("join", Role.OWNER, 0, [], [], sender=round_.owners[0], value=10**30).reverts_with(
        "InvalidPoints", points=0
    )


def test_join__stranger_with_a_members_proof__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round(rooted=True)
    proof = round_.proof(round_.owners[0])
    round_.call("join", Role.OWNER, 1, proof, [], sender=stranger, value=OWNER_LOCK).reverts_with(
        "InvalidProof", account=stranger, role=Role.OWNER, points=1
    )


def test_join__listed_for_the_other_side__reverts(create_round: CreateRound) -> None:
    round_ = create_round(rooted=True)
    alice = round_.owners[0]
    proof = round_.proof(alice)
    round_.call("join", Role.BASE_STATION, 1, proof, [], sender=alice, value=OWNER_LOCK).reverts_with(
        "InvalidProof", account=alice.account, role=Role.BASE_STATION, points=1
    )


def test_join__more_points_than_listed__reverts(create_round: CreateRound) -> None:
    round_ = create_round(owner_policy=Policy.CAPABILITY, owner_points=(3, 2, 1))
    alice = round_.owners[0]
    proof = round_.proof(alice)
    round_.call("join", Role.OWNER, 4, proof, [], sender=alice, value=10**30).reverts_with(
        "InvalidProof", account=alice.account, role=Role.OWNER, points=4
    )
    round_.join(alice).send()


def test_join__rooted_round_without_proof__reverts(create_round: CreateRound) -> None:
    round_ = create_round(rooted=True)
    alice = round_.owners[0]
    round_.call("join", Role.OWNER, 1, [], [], sender=alice, value=OWNER_LOCK).reverts_with(
        "InvalidProof", account=alice.account, role=Role.OWNER, points=1
    )


def test_join__open_round__proof_is_ignored(create_round: CreateRound) -> None:
    round_ = create_round()
    junk = [keccak(text="junk")]
    alice = round_.owners[0]
    round_.call("join", Role.OWNER, 1, junk, [], sender=alice, value=OWNER_LOCK).send()
    assert round_.stage(alice) is Stage.JOINED


def test_join__escrow_beyond_its_field__reverts(create_round: CreateRound) -> None:
    """2^128 wei a round: more ether than there is, so the escrow is written into the round's first slot."""
    round_ = create_round()
    market, slot, alice = round_.market, round_slot(round_.id), round_.owners[0]
    ledger = market.chain.read_slot(market.address, slot)
    with market.chain.snapshot():
        market.chain.write_slot(market.address, slot, ledger | ((2**128 - OWNER_LOCK) << ESCROW_OFFSET))
        assert round_.state.escrow == 2**128 - OWNER_LOCK, "the escrow is not where it is looked for"
        round_.join(alice).reverts_with("RoundFull", roundId=round_.id)
        market.chain.write_slot(market.address, slot, ledger | ((2**128 - 1 - OWNER_LOCK) << ESCROW_OFFSET))
        round_.join(alice).send()
        assert round_.state.escrow == 2**128 - 1


def test_join__largest_lock_there_is__fits(create_round: CreateRound) -> None:
    """The largest cap, bond and points: just below 2^107 wei, on both sides the same as in Python."""
    round_ = create_round(
        owner_policy=Policy.CAPABILITY,
        owner_points=(2**32 - 1, 1, 1),
        max_owner_bid=2**44 - 1,
        max_base_bid=2**44 - 1,
        bond=2**89 - 1,
    )
    alice = round_.owners[0]
    round_.market.chain.set_balance(alice.account, 2**107)
    lock = round_.join(alice).send().event("Joined")["value"]
    assert lock == (2**44 - 1) * GWEI * 2**32 + 2**89 - 1
    assert round_.state.escrow == lock


@pytest.mark.parametrize("side", [0, 1])
def test_commit__more_members_than_a_side_can_count__reverts(create_round: CreateRound, side: int) -> None:
    """2^20 - 1 a side; who joins beyond is released like whoever never commits."""
    round_ = create_round().joined().wait_for("join")
    market, slot = round_.market, round_slot(round_.id)
    ledger = market.chain.read_slot(market.address, slot)
    full = ledger | ((2**20 - 1) << COMMITTED_OFFSETS[side])
    with market.chain.snapshot():
        market.chain.write_slot(market.address, slot, full)
        assert round_.state.committed[side] == 2**20 - 1, "the count is not where it is looked for"
        seat = (round_.owners, round_.stations)[side][0]
        round_.commit_bid(seat).reverts_with("RoundFull", roundId=round_.id)
        other = (round_.owners, round_.stations)[1 - side][0]
        round_.commit_bid(other).send()
