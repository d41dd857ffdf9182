"""`revealBid`: openings, the sums that they add to, and every opening that is refused."""

import pytest
from eth_utils import keccak

from analysis.devnode.market import Call, Market
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.bids import commitment_of, pack_bids
from fl.market.terms import Phase, Policy, Stage, Status

MAX_CAP = 2**44 - 1
SALT = keccak(text="salt")


def reveal_words(round_: LiveRound, seat: Seat, words: list[int]) -> Call:
    """Commit to these words as they are, well formed or not; the reveal of all others comes first."""
    commitment = commitment_of(round_.market.chain_id, round_.market.address, round_.id, seat.account, words, SALT)
    round_.call("commitBid", commitment, sender=seat).send()
    round_.committed(but=[seat]).revealed(but=[seat])
    return round_.call("revealBid", words, SALT, sender=seat)


def test_reveal__committed_member__bids_announced_and_added(create_round: CreateRound) -> None:
    round_ = create_round().committed().wait_for("commit")
    alice = round_.owners[0]
    receipt = round_.reveal_bid(alice).send()
    words = pack_bids(alice.bids)
    assert receipt.names == ["BidRevealed"]
    assert receipt.event("BidRevealed") == {"roundId": round_.id, "member": alice.account, "bids": words}
    sums = round_.market.view("sumsOf", round_.id)
    assert (sums.values, sums.costs) == ([30, 20], [0, 0])
    state = round_.state
    assert (state.revealed, state.phase) == ([1, 0], Phase.REVEAL)
    member = round_.member(alice)
    assert member.stage == Stage.REVEALED
    packed = b"".join(word.to_bytes(32, "big") for word in words)
    assert member.payload == int.from_bytes(keccak(packed)[:26], "big"), "the hash replaces the commitment"


def test_reveal__everybody__sums_by_model_and_side(create_round: CreateRound) -> None:
    round_ = create_round().revealed()
    sums = round_.market.view("sumsOf", round_.id)
    assert sums.values == [30 + 30 + 12, 20 + 10 + 60]
    assert sums.costs == [28 + 1 + 1, 2 + 14 + 14]
    assert (round_.state.revealed, round_.state.phase) == ([3, 3], Phase.SELECT)


@pytest.mark.parametrize("models", [1, 2, 3, 4, 5, 7, 8, 11, 12, 64])
def test_reveal__largest_bids_in_every_lane__no_lane_spills(create_round: CreateRound, models: int) -> None:
    """All but one bid the cap everywhere; the last bids a different amount a model."""
    top = (MAX_CAP,) * models
    last = tuple(range(models))
    round_ = create_round(
        owner_bids=(top,) * (models + 1) + (last,),
        station_bids=(top, last),
        proposers=range(models),
        max_owner_bid=MAX_CAP,
        max_base_bid=MAX_CAP,
        bond=MAX_CAP * 10**9,
    ).revealed()
    sums = round_.market.view("sumsOf", round_.id)
    assert sums.values == [(models + 1) * MAX_CAP + m for m in range(models)]
    assert sums.costs == [MAX_CAP + m for m in range(models)]
    assert round_.state.revealed == [models + 2, 2]


def test_reveal__to_the_second__open_then_closed(create_round: CreateRound) -> None:
    round_ = create_round().committed().wait_for("commit", -1)
    alice, bob, _ = round_.owners
    round_.reveal_bid(alice).reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.commit)
    round_.wait_for("commit")
    round_.reveal_bid(alice).send()
    round_.wait_for("reveal", -1)
    round_.reveal_bid(bob).send()
    round_.wait_for("reveal")
    round_.reveal_bid(round_.owners[2]).reverts_with(
        "DeadlinePassed", roundId=round_.id, deadline=round_.terms.deadlines.reveal
    )


def test_reveal__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("revealBid", 1, [0], SALT, sender=stranger).reverts_with("UnknownRound", roundId=1)


def test_reveal__not_a_member__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().committed().wait_for("commit")
    round_.call("revealBid", [0], SALT, sender=stranger).reverts_with("NotAMember", roundId=round_.id, account=stranger)


def test_reveal__joined_but_not_committed__reverts(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    carol = round_.owners[2]
    round_.committed(but=[carol]).wait_for("commit")
    round_.reveal_bid(carol).reverts_with("NotCommitted", roundId=round_.id, account=carol.account)


def test_reveal__twice__reverts(create_round: CreateRound) -> None:
    round_ = create_round().committed().wait_for("commit")
    alice = round_.owners[0]
    round_.reveal_bid(alice).send()
    round_.reveal_bid(alice).reverts_with("AlreadyRevealed", roundId=round_.id, account=alice.account)


@pytest.mark.parametrize("models", [1, 3, 4])
@pytest.mark.parametrize("off_by", [-1, 1])
def test_reveal__wrong_number_of_words__reverts(create_round: CreateRound, models: int, off_by: int) -> None:
    """One to three models take a word, four take two."""
    round_ = create_round(
        owner_bids=((1,) * models,) * 4, station_bids=((1,) * models,) * 2, proposers=range(models)
    ).joined()
    required = models // 4 + 1
    call = reveal_words(round_.wait_for("join"), round_.owners[0], [0] * (required + off_by))
    call.reverts_with("WrongBidLength", length=required + off_by, required=required)


def test_reveal__wrong_salt__reverts(create_round: CreateRound) -> None:
    round_ = create_round().committed().wait_for("commit")
    alice = round_.owners[0]
    salt = keccak(text="not the salt")
    opened = round_.market.view("commitmentOf", round_.id, alice.account, alice.sealed.words, salt)
    round_.call("revealBid", alice.sealed.words, salt, sender=alice).reverts_with(
        "WrongOpening", member=alice.account, commitment=opened
    )


def test_reveal__other_bids__reverts(create_round: CreateRound) -> None:
    round_ = create_round().committed().wait_for("commit")
    alice = round_.owners[0]
    words = pack_bids((30, 21))
    opened = round_.market.view("commitmentOf", round_.id, alice.account, words, alice.sealed.salt)
    round_.call("revealBid", words, alice.sealed.salt, sender=alice).reverts_with(
        "WrongOpening", member=alice.account, commitment=opened
    )


def test_reveal__copied_commitment__copier_cannot_open_it(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("join")
    alice, bob, _ = round_.owners
    round_.commit_bid(alice).send()
    round_.call("commitBid", round_.commitment(alice), sender=bob).send()
    round_.wait_for("commit")
    round_.reveal_bid(alice).send()
    opened = round_.market.view("commitmentOf", round_.id, bob.account, alice.sealed.words, alice.sealed.salt)
    round_.call("revealBid", alice.sealed.words, alice.sealed.salt, sender=bob).reverts_with(
        "WrongOpening", member=bob.account, commitment=opened
    )


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("model", range(9))
def test_reveal__bid_a_gwei_over_the_cap__reverts_and_names_it(
    create_round: CreateRound, side: int, model: int
) -> None:
    caps = (100, 50)
    round_ = create_round(owner_bids=((1,) * 9,) * 9, station_bids=((1,) * 9,) * 2, proposers=range(9)).joined()
    seat = (round_.owners, round_.stations)[side][0]
    bids = [caps[side]] * 9
    bids[model] += 1
    call = reveal_words(round_.wait_for("join"), seat, pack_bids(bids))
    call.reverts_with("BidOverCap", model=model, bid=caps[side] + 1, cap=caps[side])


def test_reveal__bids_at_the_cap__accepted(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("join")
    reveal_words(round_, round_.owners[0], pack_bids((100, 100))).send()
    assert round_.market.view("sumsOf", round_.id).values == [100 + 30 + 12, 100 + 10 + 60]


@pytest.mark.parametrize("bit", [63, 44, 62])
def test_reveal__bid_beyond_44_bits__reverts(create_round: CreateRound, bit: int) -> None:
    """Also in a lane's top bit, which the packed comparison uses itself."""
    round_ = create_round(max_owner_bid=MAX_CAP).joined().wait_for("join")
    call = reveal_words(round_, round_.owners[0], [1 << (64 + bit)])
    call.reverts_with("BidOverCap", model=0, bid=1 << bit, cap=MAX_CAP)


def test_reveal__bid_that_borrows_from_its_neighbour__reverts(create_round: CreateRound) -> None:
    """2^64 - 1 in lane 1: cap + 2^63 less this leaves the lane's top bit as it was, and lane 2 one less."""
    round_ = create_round().joined().wait_for("join")
    call = reveal_words(round_, round_.owners[0], [(2**64 - 1) << 64])
    call.reverts_with("BidOverCap", model=0, bid=2**64 - 1, cap=100)


@pytest.mark.parametrize(
    "word", [1, 1 << 63, 1 << 192, 1 << 255, 2**64 - 1], ids=lambda word: f"bit {word.bit_length() - 1}"
)
def test_reveal__something_in_a_lane_without_a_bid__reverts(create_round: CreateRound, word: int) -> None:
    """Two models: lane 0 is the counter's, lane 3 nobody's."""
    round_ = create_round().joined().wait_for("join")
    reveal_words(round_, round_.owners[0], [word]).reverts_with("MalformedBids", wordIndex=0, word=word)


def test_reveal__something_after_the_last_model__reverts(create_round: CreateRound) -> None:
    """Four models: only lane 0 of the second word holds a bid."""
    round_ = create_round(owner_bids=((1,) * 4,) * 4, station_bids=((1,) * 4,) * 2, proposers=range(4))
    round_.joined().wait_for("join")
    call = reveal_words(round_, round_.owners[0], [0, 1 << 64])
    call.reverts_with("MalformedBids", wordIndex=1, word=1 << 64)


def test_reveal__after_a_cancellation_is_stored__reverts(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    round_.committed(but=round_.owners[1:]).wait_for("commit")
    round_.select().send()
    round_.reveal_bid(round_.owners[0]).reverts_with(
        "WrongStatus", roundId=round_.id, actual=Status.CANCELLED, required=Status.OPEN
    )


def test_reveal__lone_member_under_capability__reverts(create_round: CreateRound) -> None:
    """Its round cannot be held, and its term would divide by zero."""
    round_ = create_round(owner_policy=Policy.CAPABILITY).joined()
    round_.committed(but=round_.owners[1:]).wait_for("commit")
    round_.reveal_bid(round_.owners[0]).reverts_with(
        "WrongStatus", roundId=round_.id, actual=Status.CANCELLED, required=Status.OPEN
    )
