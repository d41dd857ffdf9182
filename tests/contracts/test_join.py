"""`join`: who may, with what lock, paid from where."""

from dataclasses import replace

import pytest
from eth_utils import keccak

from analysis.devnode.actors import actor
from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound, round_slot
from fl.market.membership import Entry
from fl.market.terms import GWEI, Policy, Role, RoundTerms, Stage

# With the default terms an owner locks 2 * 100 gwei, a base station 50 gwei, both 200 gwei of bond on top.
OWNER_LOCK = 400 * GWEI
STATION_LOCK = 250 * GWEI
# Bit offsets in a round's first slot (contracts/types/Ledger.sol).
COMMITTED_OFFSETS = (65, 85)
ESCROW_OFFSET = 160


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
    assert (member.proposer, member.ordinal, member.claimant, member.sealedBid) == (False, 0, False, 0)
    assert round_.state.escrow == OWNER_LOCK
    assert round_.state.committed == [0, 0]
    assert round_.market.free(alice.account) == 0


def test_join__base_station__locks_its_cap_and_the_bond(create_round: CreateRound) -> None:
    round_ = create_round()
    north = round_.stations[0]
    assert round_.join(north).send().event("Joined")["value"] == STATION_LOCK
    assert round_.member(north).role == Role.BASE_STATION
    assert round_.state.escrow == STATION_LOCK


def test_join__staked_round__a_station_locks_the_stake_an_owner_does_not(create_round: CreateRound) -> None:
    round_ = create_round(contribution_stake=13 * GWEI)
    alice, north = round_.owners[0], round_.stations[0]
    assert round_.join(north).send().event("Joined")["value"] == STATION_LOCK + 13 * GWEI
    assert round_.join(alice).send().event("Joined")["value"] == OWNER_LOCK
    assert round_.member(north).points == 0, "its points are the winner's to list"


def test_join__owner_with_points__locks_its_cap_a_point(create_round: CreateRound) -> None:
    round_ = create_round(owner_policy=Policy.CAPABILITY, owner_points=(7, 1, 1))
    alice = round_.owners[0]
    assert round_.join(alice).send().event("Joined")["value"] == 8 * 100 * GWEI + 200 * GWEI
    assert round_.member(alice).points == 7


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("stake", [0, 3 * GWEI])
@pytest.mark.parametrize("policy", Policy)
def test_lock_and_worst_loss__every_policy_and_side__as_in_python(
    create_round: CreateRound, role: Role, stake: int, policy: Policy
) -> None:
    round_ = create_round(owner_policy=policy, contribution_stake=stake)
    market, terms = round_.market, round_.terms
    for points in (1, 5, 2**32 - 1):
        assert market.view("lockOf", round_.id, role, points) == terms.lock(role, points)
        assert market.view("worstLossOf", round_.id, role, points) == terms.worst_loss(role, points)
    assert terms.lock(role) == (OWNER_LOCK if role is Role.OWNER else STATION_LOCK + stake)
    assert terms.worst_loss(role) == terms.lock(role) - terms.bond


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
    market.call("join", 1, bytes(32), 0, 1, [], sender=stranger).reverts_with("UnknownRound", roundId=1)
    market.call("joinAndCommit", 9, bytes(32), 0, 1, [], bytes(32), sender=stranger).reverts_with(
        "UnknownRound", roundId=9
    )


@pytest.mark.parametrize("role", Role)
def test_join__twice__reverts_in_either_role(create_round: CreateRound, role: Role) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    round_.join(alice).send()
    round_.call("join", round_.terms.hash, role, 1, [], sender=alice, value=OWNER_LOCK).reverts_with(
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
    call = round_.call("join", round_.terms.hash, Role.OWNER, points, [], sender=round_.owners[0], value=10**30)
    call.reverts_with("InvalidPoints", points=points)


def test_join__capability__a_stations_points_must_be_one_all_the_same(create_round: CreateRound) -> None:
    listed = Entry(actor("stranger"), Role.BASE_STATION, 2)
    round_ = create_round(owner_policy=Policy.CAPABILITY, strangers=(listed,))
    proof = round_.tree.proof(listed)
    call = round_.call("join", round_.terms.hash, listed.role, 2, proof, sender=listed.account, value=10**30)
    call.reverts_with("InvalidPoints", points=2)


def test_join__capability_without_points__reverts(create_round: CreateRound) -> None:
    listed = Entry(actor("stranger"), Role.OWNER, 0)
    round_ = create_round(owner_policy=Policy.CAPABILITY, strangers=(listed,))
    proof = round_.tree.proof(listed)
    call = round_.call("join", round_.terms.hash, listed.role, 0, proof, sender=listed.account, value=10**30)
    call.reverts_with("InvalidPoints", points=0)


def assert_not_admitted(
    round_: LiveRound, account: str, role: Role, points: int, terms: RoundTerms, proof: object
) -> None:
    """Neither by a join nor by a late one."""
    refusal = {"account": account, "role": role, "points": points, "termsHash": terms.hash}
    arguments = (terms.hash, role, points, proof)
    round_.call("join", *arguments, sender=account, value=10**30).reverts_with("NotAdmitted", **refusal)
    with round_.market.chain.snapshot():
        round_.wait_for("join")
        late = round_.call("joinAndCommit", *arguments, bytes(32), sender=account, value=10**30)
        late.reverts_with("NotAdmitted", **refusal)


def test_join__stranger_with_a_members_proof__not_admitted(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round()
    assert_not_admitted(round_, stranger, Role.OWNER, 1, round_.terms, round_.proof(round_.owners[0]))


def test_join__listed_for_the_other_side__not_admitted(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    assert_not_admitted(round_, alice.account, Role.BASE_STATION, 1, round_.terms, round_.proof(alice))


def test_join__more_points_than_listed__not_admitted(create_round: CreateRound) -> None:
    round_ = create_round(owner_policy=Policy.CAPABILITY, owner_points=(3, 2, 1))
    alice = round_.owners[0]
    assert_not_admitted(round_, alice.account, Role.OWNER, 4, round_.terms, round_.proof(alice))
    round_.join(alice).send()


@pytest.mark.parametrize("proof", [[], [keccak(text="junk")]], ids=["none", "junk"])
def test_join__without_a_proof__not_admitted(create_round: CreateRound, proof: list[bytes]) -> None:
    round_ = create_round()
    assert_not_admitted(round_, round_.owners[0].account, Role.OWNER, 1, round_.terms, proof)


@pytest.mark.parametrize(
    "change",
    [{"max_owner_bid": 99}, {"bond": 201 * GWEI}, {"contribution_stake": GWEI}, {"surplus_bps": (5_000, 5_001)}],
    ids=lambda change: next(iter(change)),
)
def test_join__terms_other_than_the_rounds__not_admitted(create_round: CreateRound, change: dict[str, object]) -> None:
    """Who read other terms locks nothing, however little they differ."""
    round_ = create_round()
    alice = round_.owners[0]
    read = replace(round_.terms, **change)  # type: ignore[arg-type]
    assert_not_admitted(round_, alice.account, Role.OWNER, 1, read, round_.proof(alice))


def test_join__another_round_under_that_number__not_admitted(create_round: CreateRound) -> None:
    """A reorganisation, or a creator that is faster, puts other terms under the number that a member has read."""
    read, swapped = create_round(), create_round(max_owner_bid=10**6)
    alice = read.owners[0]
    arguments = (read.terms.hash, Role.OWNER, 1, read.proof(alice))
    swapped.call("join", *arguments, sender=alice, value=10**30).reverts_with(
        "NotAdmitted", account=alice.account, role=Role.OWNER, points=1, termsHash=read.terms.hash
    )


def test_join__escrow_beyond_its_field__reverts(create_round: CreateRound) -> None:
    """2^96 wei a round: more ether than there is, so the escrow is written into the round's first slot."""
    round_ = create_round()
    market, slot, alice = round_.market, round_slot(round_.id), round_.owners[0]
    ledger = market.chain.read_slot(market.address, slot)
    with market.chain.snapshot():
        market.chain.write_slot(market.address, slot, ledger | ((2**96 - OWNER_LOCK) << ESCROW_OFFSET))
        assert round_.state.escrow == 2**96 - OWNER_LOCK, "the escrow is not where it is looked for"
        round_.join(alice).reverts_with("RoundFull", roundId=round_.id)
        market.chain.write_slot(market.address, slot, ledger | ((2**96 - 1 - OWNER_LOCK) << ESCROW_OFFSET))
        round_.join(alice).send()
        assert round_.state.escrow == 2**96 - 1


def test_join__largest_lock_there_is__is_more_than_a_round_can_hold(create_round: CreateRound) -> None:
    """The largest cap, bond and points, just below 2^107 wei: refused, not cut to the escrow's 96 bits."""
    round_ = create_round(
        owner_policy=Policy.CAPABILITY,
        owner_points=(2**32 - 1, 1, 1),
        max_owner_bid=2**44 - 1,
        max_station_bid=2**44 - 1,
        bond=(2**54 - 1) * GWEI,
        contribution_stake=(2**44 - 1) * GWEI,
    )
    alice, bob, _ = round_.owners
    round_.market.chain.set_balance(alice.account, 2**107)
    assert round_.lock(alice) == ((2**44 - 1) * 2**32 + 2**54 - 1) * GWEI > 2**96
    round_.join(alice).reverts_with("RoundFull", roundId=round_.id)
    for seat in (bob, round_.stations[0]):
        round_.market.chain.set_balance(seat.account, 2**90)
        before = round_.state.escrow
        round_.join(seat).send()
        assert round_.state.escrow - before == round_.lock(seat)


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
