"""Amounts and counters at the edges of every packed field: the largest value goes in, the neighbours stay untouched.

Fields are read where `contracts/types` draws them, so a drawing that is wrong fails here as well. Counters that no test
can reach by calls are placed one call below their edge; the call that takes them there is real.
"""

import pytest
from eth_utils import keccak

from analysis.devnode.rounds import CreateRound, LiveRound, Opening, Seat
from fl.market.bids import commitment_of, pack_bids
from fl.market.terms import DRAW_DELAY, GWEI, Policy, Role, Stage, Status
from tests.contracts.attacks.storage import conduct_of, draw_of, ledger_of, lot_of, member_of, terms_of

MAX_CAP = 2**44 - 1
MAX_BOND = 2**54 - 1  # gwei
MAX_POINTS = 2**32 - 1
MOST = 2**20 - 1  # committed members of a side


@pytest.mark.parametrize("side", [0, 1])
def test_ledger__last_member_that_a_side_can_count__only_its_counter(create_round: CreateRound, side: int) -> None:
    round_ = create_round().joined().wait_for("join")
    ledger = ledger_of(round_)
    names = ("owners", "stations")
    ledger.place(**{names[side]: MOST - 1, names[1 - side]: MOST})
    seat = (round_.owners, round_.stations)[side][2]
    with ledger.changes_only([names[side], *(["points"] if side == Role.OWNER else [])]):
        round_.commit_bid(seat).send()
    assert round_.state.committed == [MOST, MOST]
    assert round_.member(seat).ordinal == (MOST if side == Role.BASE_STATION else 0)


def test_ledger__largest_escrow__only_the_escrow(create_round: CreateRound) -> None:
    round_ = create_round()
    ledger, alice = ledger_of(round_), round_.owners[0]
    with round_.market.chain.snapshot():
        ledger.place(escrow=2**96 - 1 - round_.lock(alice), owners=MOST, stations=MOST, points=2**52 - 1)
        with ledger.changes_only(["escrow"]):
            round_.join(alice).send()
        assert round_.state.escrow == 2**96 - 1
        round_.join(round_.stations[0]).reverts_with("RoundFull", roundId=round_.id)


def test_ledger__settled_out_of_a_full_escrow__only_the_escrow(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    ledger, carol = ledger_of(round_), round_.owners[2]
    with round_.market.chain.snapshot():
        ledger.place(escrow=2**96 - 1)
        with ledger.changes_only(["escrow"]):
            round_.settle(carol).send()
        with ledger.changes_only(["escrow"]):
            round_.claim_lot().send()
        released = round_.lock(carol) - int(11.5 * GWEI)
        assert round_.state.escrow == 2**96 - 1 - released, "of the tax, too, nothing is left"


def test_ledger__escrow_that_holds_less_than_is_due__refused_instead_of_borrowing(create_round: CreateRound) -> None:
    """It cannot come to that; if it did, another round's money would not pay for it."""
    round_ = create_round().voted()
    carol = round_.owners[2]
    with round_.market.chain.snapshot():
        ledger_of(round_).place(escrow=1)
        with pytest.raises(Exception, match=r"Panic\(code=17\)"):
            round_.settle(carol).returns()


def test_terms_and_member__last_model__only_its_count_and_its_index(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    round_.join(alice).send()
    terms, member, draw = terms_of(round_), member_of(round_, alice), draw_of(round_)
    terms.place(modelCount=63)
    with terms.changes_only(["modelCount"]), member.changes_only(["proposer", "model"]), draw.changes_only([]):
        round_.propose(alice).send()
    assert (terms["modelCount"], member["model"], round_.member(alice).model) == (64, 63, 63)
    round_.wait_for("join")
    with draw.changes_only(["live"]), member.changes_only(["stage", "sealedBid"]), terms.changes_only([]):
        round_.call("commitBid", b"\xff" * 32, sender=alice).send()
    assert (draw["live"], member["sealedBid"]) == (1 << 63, 2**182 - 1)


@pytest.mark.parametrize("surplus", [(1, 9_999), (9_999, 9_999)])
def test_terms_and_draw__drawn_among_a_million__only_claimant_and_theta(
    create_round: CreateRound, surplus: tuple[int, int]
) -> None:
    round_ = create_round(surplus_bps=surplus).committed().wait_for("commit", DRAW_DELAY)
    ledger_of(round_).place(stations=MOST)
    draw_of(round_).place(live=2**64 - 1)
    with terms_of(round_).changes_only(["claimant"]), draw_of(round_).changes_only(["θ"]):
        round_.draw().send()
    assert 1 <= terms_of(round_)["claimant"] <= MOST
    assert surplus[0] * 2**64 // 10_000 <= draw_of(round_)["θ"] <= surplus[1] * 2**64 // 10_000 < 2**64
    terms_of(round_).place(claimant=MOST)
    assert round_.state.claimant == MOST


def last_model_alone(create_round: CreateRound) -> LiveRound:
    """64 models, of which only the last is live; everybody has revealed."""
    bids = (0,) * 63
    round_: LiveRound = create_round(((*bids, 60), (*bids, 10)), ((*bids, 5), (*bids, 6), (*bids, 6)), proposers=(0,))
    alice = round_.owners[0]
    round_.market.send_all([round_.join(seat) for seat in round_.members])
    terms_of(round_).place(modelCount=63)
    round_.propose(alice, 256).send()
    return round_.joined(but=round_.members).revealed()


def test_conduct__last_model_and_most_global_rounds_selected__only_these_and_the_status(
    create_round: CreateRound,
) -> None:
    round_ = last_model_alone(create_round)
    conduct = conduct_of(round_)
    with conduct.changes_only(["selected", "globalRounds", "status"]), terms_of(round_).changes_only([]):
        round_.select().send()
    assert (conduct["selected"], conduct["globalRounds"], conduct["status"]) == (63, 256, Status.TRAINING)
    assert round_.market.view("roundOf", round_.id).selected == 63


def test_conduct_and_member__all_256_global_rounds__only_their_counters(create_round: CreateRound) -> None:
    round_ = create_round().joined(global_rounds=256).selected()
    north = round_.stations[0]
    conduct, member = conduct_of(round_), member_of(round_, north)
    conduct.place(recorders=MOST - 1, finished=MOST - 1)
    with conduct.changes_only(["recorders"]), member.changes_only(["recorded"]):
        round_.record_update(north).send()
    with conduct.changes_only([]), member.changes_only(["recorded"]):
        round_.market.send_all([round_.record_update(north, g) for g in range(1, 255)])
    with conduct.changes_only(["finished"]), member.changes_only(["recorded"]):
        round_.record_update(north, 255).send()
    assert (member["recorded"], round_.state.recorders, round_.state.finished) == (256, MOST, MOST)
    winner = member_of(round_, round_.winner)
    with conduct.changes_only([]), winner.changes_only(["recorded"]):
        round_.record_global_round().send()


@pytest.mark.parametrize(
    ("claimed", "required"), [(65_535, 10_001), (10_301, 10_001), (300, 0), (0, 0), (9_100, 8_800)]
)
def test_conduct__any_claim__only_the_accuracy_and_the_status(
    create_round: CreateRound, claimed: int, required: int
) -> None:
    """At the tolerance of 300, beyond what any elector can measure, and at the largest number that there is."""
    round_ = create_round(opening=Opening(claimed_accuracy_bps=claimed)).trained()
    conduct = conduct_of(round_)
    with conduct.changes_only(["accuracy", "status"]):
        round_.report_result().send()
    assert conduct["accuracy"] == required


def test_conduct__last_vote__only_its_counters(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    conduct, alice = conduct_of(round_), round_.owners[0]
    conduct.place(votesPunish=MOST - 1, votesUphold=MOST - 1, votesCast=MOST - 1, recorders=MOST, finished=MOST)
    votes = ["votesPunish", "votesUphold", "votesCast"]
    with conduct.changes_only(votes), member_of(round_, alice).changes_only(["voted"]):
        round_.vote(alice, accuracy_bps=0, uphold=True).send()
    state = round_.state
    assert (state.votesPunish, state.votesUphold, state.votesCast) == (MOST, MOST, MOST)


def test_conduct__cancelled__only_the_status(create_round: CreateRound) -> None:
    round_ = create_round(bond=MAX_BOND * GWEI, max_owner_bid=MAX_CAP, max_station_bid=MAX_CAP)
    round_.wait_for("commit", DRAW_DELAY)
    others = terms_of(round_), draw_of(round_), ledger_of(round_)
    before = [word.value for word in others]
    with conduct_of(round_).changes_only(["status"]):
        round_.draw().send()
    assert [word.value for word in others] == before


def test_ledger_and_member__largest_points__only_their_sum(create_round: CreateRound) -> None:
    """2^20 − 1 owners of 2^32 − 1 points stay below 2^52; the sum is placed so that the last fills the field."""
    round_ = create_round(owner_points=(MAX_POINTS, 1, 1), owner_policy=Policy.CAPABILITY)
    seat = round_.owners[0]
    round_.join(seat).send()
    member, ledger = member_of(round_, seat), ledger_of(round_)
    assert member.content == {"points": MAX_POINTS, "stage": Stage.JOINED}
    ledger.place(points=2**52 - 1 - MAX_POINTS)
    round_.wait_for("join")
    with ledger.changes_only(["points", "owners"]):
        round_.commit_bid(seat).send()
    assert ledger["points"] == 2**52 - 1


def test_draw_and_member__largest_contributions__only_points_flag_and_sum(create_round: CreateRound) -> None:
    """Three base stations with 666,666 each: the sum is nearly two million, as much as it can be."""
    round_ = create_round().trained()
    draw = draw_of(round_)
    for seat in round_.stations:
        with member_of(round_, seat).changes_only(["points", "listed"]), draw.changes_only(["listed"]):
            round_.report_contributions({seat: 666_666}).send()
    assert draw["listed"] == 1_999_998
    with member_of(round_, seat).changes_only(["points"]), draw.changes_only(["listed"]):
        round_.report_contributions({seat: 0}).send()
    assert draw["listed"] == 1_333_332


@pytest.mark.parametrize("stations", [3, 7, 1_000, 2**19, 10**6, MOST])
def test_draw__two_equal_parts_each_from_a_million_stations__sum_fits(create_round: CreateRound, stations: int) -> None:
    """The bound that the contract puts on each, times their number, in 21 bits, at any number of base stations."""
    round_ = create_round().trained()
    north = round_.stations[0]
    with round_.market.chain.snapshot():
        ledger_of(round_).place(stations=stations)
        most = 2_000_000 // stations
        round_.report_contributions({north: most + 1}).reverts_with(
            "ContributionTooLarge", station=north.account, points=most + 1, maximum=most
        )
        draw = draw_of(round_)
        draw.place(listed=(stations - 1) * most)
        with draw.changes_only(["listed"]):
            round_.report_contributions({north: most}).send()
        assert 1_000_000 <= draw["listed"] == stations * most <= 2_000_000, "a million is in reach"


def test_lot__a_word_of_its_own__holds_all_that_a_round_can_hold(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    lot, carol = lot_of(round_), round_.owners[2]
    with round_.market.chain.snapshot():
        lot.value = 2**96 - 1
        round_.settle(carol).send()
        assert lot.value == round_.lot == 2**96 - 1 + int(21.25 * GWEI)


def test_member__hash_of_the_bids__takes_the_commitments_place_and_nothing_else(create_round: CreateRound) -> None:
    """The top 182 bits of each: what two openings of one's own commitment cost is the root of 2^182."""
    round_ = create_round().joined().wait_for("join")
    seat: Seat = round_.owners[2]
    member = member_of(round_, seat)
    words, salt = pack_bids(seat.bids), b"\xff" * 32
    commitment = commitment_of(round_.market.chain_id, round_.market.address, round_.id, seat.account, words, salt)
    with member.changes_only(["stage", "sealedBid"]):
        round_.call("commitBid", commitment, sender=seat).send()
    assert member["sealedBid"] == int.from_bytes(commitment, "big") >> 74
    round_.committed(but=[seat]).drawn()
    with member.changes_only(["stage", "sealedBid"]):
        round_.call("revealBid", words, salt, sender=seat).send()
    packed = b"".join(word.to_bytes(32, "big") for word in words)
    assert (member["stage"], member["sealedBid"]) == (Stage.REVEALED, int.from_bytes(keccak(packed), "big") >> 74)


def test_member__station_with_everything__each_in_its_field(create_round: CreateRound) -> None:
    round_ = create_round().trained().reported({})
    with round_.market.chain.snapshot():
        member = member_of(round_, round_.stations[0])
        member.place(ordinal=MOST, recorded=256, points=666_666, listed=1)
        view = round_.member(round_.stations[0])
        assert (view.ordinal, view.recorded, view.listed, view.points) == (MOST, 256, True, 666_666)
        assert (view.stage, view.role, view.voted, view.proposer) == (Stage.REVEALED, Role.BASE_STATION, False, False)
