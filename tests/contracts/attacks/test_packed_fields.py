"""Amounts and counters at the edges of every packed field: the largest value goes in, the neighbours stay untouched.

Fields are read where `contracts/types` draws them, so a drawing that is wrong fails here as well. Counters that no test
can reach by calls are placed one call below their edge; the call that takes them there is real.
"""

from dataclasses import astuple

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.bids import commitment_of, pack_bids
from fl.market.terms import Deadlines, Policy, RoundTerms, Stage, Status
from tests.contracts.attacks.layout import WORD_BITS, fields_of
from tests.contracts.attacks.storage import (
    conduct_of,
    contributions_of,
    draw_of,
    ledger_of,
    member_of,
    pot_of,
    terms_of,
)

MAX_CAP = 2**44 - 1
MAX_BOND = 2**89 - 1
MAX_POINTS = 2**32 - 1
MOST = 2**20 - 1  # committed members of a side
YEAR = 365 * 24 * 60 * 60
TYPES = ("Ledger", "Terms", "Conduct", "Draw", "Member")


@pytest.mark.parametrize("type_name", TYPES)
def test_layout__as_drawn__fields_side_by_side_without_gap_or_overlap(type_name: str) -> None:
    taken = 0
    for field in fields_of(type_name).values():
        assert taken & field.mask == 0, f"{field.name} lies upon another field"
        taken |= field.mask
    assert taken < 1 << WORD_BITS


@pytest.mark.parametrize("longest", range(7))
def test_creation__largest_value_of_every_term__each_in_its_field(create_round: CreateRound, longest: int) -> None:
    """One phase in turn lasts nearly a year; all else is at its largest."""
    market = create_round().market
    now = market.chain.now
    times = [now + 1 + i if i < longest else now + YEAR - 6 + i for i in range(7)]
    terms = RoundTerms(
        max_owner_bid=MAX_CAP,
        max_base_bid=MAX_CAP,
        bond=MAX_BOND,
        deadlines=Deadlines(*times),
        owner_policy=Policy.CAPABILITY,
        base_policy=Policy.CONTRIBUTION,
        punish_threshold_bps=9_999,
        max_models=64,
        membership_root=b"\xff" * 32,
    )
    event = market.call("createRound", terms.encode(), sender=market.address).send().event("RoundCreated")
    round_ = LiveRound(market, event["roundId"], terms, [], [], [], None, create_round().opening)
    join, commit, reveal, select, train, report, vote = astuple(terms.deadlines)

    def assert_holds(word: int, type_name: str, **expected: int) -> None:
        fields = fields_of(type_name)
        told = {name: field.of(word) for name, field in fields.items()}
        assert told == {name: expected.get(name, 0) for name in fields}

    assert_holds(ledger_of(round_).value, "Ledger", joinDeadline=join, commitAfter=commit - join, ownersWeighted=1)
    assert_holds(
        terms_of(round_).value,
        "Terms",
        commitDeadline=commit,
        revealAfter=reveal - commit,
        maxOwnerBid=MAX_CAP,
        maxBaseBid=MAX_CAP,
        bond=MAX_BOND,
        ownerPolicy=Policy.CAPABILITY,
        basePolicy=Policy.CONTRIBUTION,
    )
    assert_holds(
        conduct_of(round_).value,
        "Conduct",
        selectDeadline=select,
        trainAfter=train - select,
        reportAfter=report - train,
        voteAfter=vote - report,
        status=Status.OPEN,
    )
    assert_holds(draw_of(round_).value, "Draw", **{"θ": event["thetaNumerator"]}, threshold=9_999, maxModels=64)


@pytest.mark.parametrize("side", [0, 1])
def test_ledger__last_member_that_a_side_can_count__only_its_counter(create_round: CreateRound, side: int) -> None:
    round_ = create_round().joined().wait_for("join")
    ledger = ledger_of(round_)
    names = ("owners", "stations")
    ledger.place(**{names[side]: MOST - 1, names[1 - side]: MOST, "settled": 2 * MOST})
    seat = (round_.owners, round_.stations)[side][2]
    with ledger.changes_only([names[side]]):
        round_.commit_bid(seat).send()
    assert round_.state.committed == [MOST, MOST]


def test_ledger__largest_escrow__only_the_escrow(create_round: CreateRound) -> None:
    round_ = create_round()
    ledger, alice = ledger_of(round_), round_.owners[0]
    with round_.market.chain.snapshot():
        ledger.place(escrow=2**128 - 1 - round_.lock(alice), owners=MOST, stations=MOST, settled=2**21 - 1)
        with ledger.changes_only(["escrow"]):
            round_.join(alice).send()
        assert round_.state.escrow == 2**128 - 1
        round_.join(round_.stations[0]).reverts_with("RoundFull", roundId=round_.id)


def test_ledger__last_of_two_million_settled__only_the_counter_and_the_escrow(create_round: CreateRound) -> None:
    round_ = create_round().voted()
    ledger = ledger_of(round_)
    with round_.market.chain.snapshot():
        ledger.place(owners=MOST, stations=MOST, settled=2 * MOST - 1)
        round_.wait_for("vote")
        with ledger.changes_only(["settled", "escrow"]):
            round_.settle(round_.stations[1]).send()
        assert ledger["settled"] == 2 * MOST
        assert round_.rebate(round_.stations[1]) == 0, "due, and nothing is in the pot"
        round_.claim_rebate(round_.stations[1]).send()


def test_terms_and_member__last_model__only_its_count_and_its_index(create_round: CreateRound) -> None:
    round_ = create_round()
    alice = round_.owners[0]
    round_.join(alice).send()
    terms, member, conduct = terms_of(round_), member_of(round_, alice), conduct_of(round_)
    terms.place(modelCount=63)
    with terms.changes_only(["modelCount"]), member.changes_only(["proposer", "model"]), conduct.changes_only([]):
        round_.propose(alice).send()
    assert (terms["modelCount"], member["model"], round_.member(alice).model) == (64, 63, 63)
    round_.wait_for("join")
    with conduct.changes_only(["live"]), member.changes_only(["stage", "payload"]):
        round_.call("commitBid", b"\xff" * 32, sender=alice).send()
    assert (conduct["live"], member["payload"]) == (1 << 63, 2**208 - 1)


def last_model_alone(create_round: CreateRound) -> LiveRound:
    """64 models, of which only the last is live; everybody has revealed."""
    bids = (0,) * 63
    round_: LiveRound = create_round(((*bids, 60), (*bids, 10)), ((*bids, 5), (*bids, 6)), proposers=(0,))
    alice = round_.owners[0]
    round_.market.send_all([round_.join(seat) for seat in round_.members])
    terms_of(round_).place(modelCount=63)
    round_.propose(alice).send()
    return round_.joined(but=round_.members).revealed()


def test_conduct__last_model_selected__only_index_and_status(create_round: CreateRound) -> None:
    round_ = last_model_alone(create_round)
    conduct = conduct_of(round_)
    with conduct.changes_only(["selected", "status"]), terms_of(round_).changes_only([]):
        round_.select().send()
    assert (conduct["selected"], conduct["status"]) == (63, Status.TRAINING)
    assert round_.market.view("roundOf", round_.id).selected == 63


def test_conduct__last_recorder_and_last_vote__only_their_counters(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    conduct, north, alice = conduct_of(round_), round_.stations[0], round_.owners[0]
    with conduct.changes_only(["guided"]):
        round_.record_global_round().send()
    conduct.place(recorders=MOST - 1, votesFor=MOST - 1, votesCast=MOST - 1)
    with conduct.changes_only(["recorders"]), member_of(round_, north).changes_only(["recorded"]):
        round_.record_update(north).send()
    assert round_.state.recorders == MOST
    round_.wait_for("train")
    with conduct.changes_only(["status"]):
        round_.report_result().send()
    with conduct.changes_only(["votesFor", "votesCast"]), member_of(round_, alice).changes_only(["voted"]):
        round_.vote(alice, punish=True).send()
    assert (round_.state.votesFor, round_.state.votesCast) == (MOST, MOST)


def test_terms_and_conduct__cancelled__only_the_flag_and_the_status(create_round: CreateRound) -> None:
    round_ = create_round(bond=MAX_BOND, max_owner_bid=MAX_CAP, max_base_bid=MAX_CAP).wait_for("commit")
    with terms_of(round_).changes_only(["cancelled"]), conduct_of(round_).changes_only(["status"]):
        round_.call("selectModel", sender=round_.market.address).send()


@pytest.mark.parametrize("side", [0, 1])
def test_draw_and_member__largest_points__only_their_sides_sum(create_round: CreateRound, side: int) -> None:
    """2^20 − 1 members of 2^32 − 1 points stay below 2^52; the sum is placed so that the last fills the field."""
    round_ = create_round(
        owner_points=(MAX_POINTS, 1, 1),
        station_points=(MAX_POINTS, 1, 1),
        owner_policy=Policy.CAPABILITY,
        base_policy=Policy.CAPABILITY,
    )
    seat = (round_.owners, round_.stations)[side][0]
    round_.join(seat).send()
    member, draw = member_of(round_, seat), draw_of(round_)
    stored = {name: field.of(member.value) for name, field in member.fields.items()}
    assert stored == dict.fromkeys(stored, 0) | {"points": MAX_POINTS, "stage": Stage.JOINED, "role": seat.role}
    names = ("ownerPoints", "basePoints")
    draw.place(**{names[side]: 2**52 - 1 - MAX_POINTS, names[1 - side]: 2**52 - 1})
    round_.wait_for("join")
    with draw.changes_only([names[side]]):
        round_.commit_bid(seat).send()
    assert draw[names[side]] == 2**52 - 1


def test_member__largest_contribution__only_the_points(create_round: CreateRound) -> None:
    round_ = create_round(base_policy=Policy.CONTRIBUTION).trained()
    north = round_.stations[0]
    with member_of(round_, north).changes_only(["points"]):
        round_.report_contributions({north: 999_999}).send()
    with member_of(round_, north).changes_only(["points", "listedZero"]):
        round_.report_contributions({north: 0}).send()


def test_contributions__sum_beyond_32_bits__does_not_wrap_around(create_round: CreateRound) -> None:
    """4,295 stations of 999,999 points pass 2^32; what is left must not be taken for a million."""
    round_ = create_round(base_policy=Policy.CONTRIBUTION).trained()
    north, south, _ = round_.stations
    listed = contributions_of(round_)
    for wrap in (2**32, 2**64):
        listed.place(points=wrap)
        round_.report_contributions({north: 999_999, south: 1}).send()
        round_.report_result().reverts_with("ContributionsDoNotAddUp", sum=wrap + 1_000_000, required=1_000_000)
        round_.report_contributions({north: 0, south: 0}).send()
        assert listed["points"] == wrap


@pytest.mark.parametrize("field", ["excess", "points"])
def test_contributions__beyond_its_field__refused_instead_of_spilling(create_round: CreateRound, field: str) -> None:
    round_ = create_round(base_policy=Policy.CONTRIBUTION).trained()
    listed = contributions_of(round_)
    listed.place(**{field: 2**128 - 1})
    call = round_.report_contributions({round_.stations[0]: 999_999})
    with pytest.raises(Exception, match=r"Panic\(code=17\)"):
        call.returns()


@pytest.mark.parametrize("side", [0, 1])
def test_pot__largest_amount__only_its_half(create_round: CreateRound, side: int) -> None:
    """Carol's tax of 37.5 gwei, north's of 17.5: each fills its own side's pot to the last wei."""
    round_ = create_round().voted()
    seat = (round_.owners[2], round_.stations[0])[side]
    tax = (37_500_000_000, 17_500_000_000)[side]
    pot, other = pot_of(round_, side), pot_of(round_, 1 - side)
    with round_.market.chain.snapshot():
        pot.place(inside=2**128 - 1 - tax, outside=2**128 - 1)
        with pot.changes_only(["inside"]), other.changes_only([]):
            round_.settle(seat).send()
        assert (pot["inside"], member_of(round_, seat)["payload"]) == (2**128 - 1, tax)


def test_member__hash_of_the_bids__takes_the_commitments_place_and_nothing_else(create_round: CreateRound) -> None:
    round_ = create_round().joined().wait_for("join")
    seat: Seat = round_.owners[2]
    member = member_of(round_, seat)
    words, salt = pack_bids(seat.bids), b"\xff" * 32
    commitment = commitment_of(round_.market.chain_id, round_.market.address, round_.id, seat.account, words, salt)
    with member.changes_only(["stage", "payload"]):
        round_.call("commitBid", commitment, sender=seat).send()
    round_.wait_for("commit")
    with member.changes_only(["stage", "payload"]):
        round_.call("revealBid", words, salt, sender=seat).send()
    assert member["stage"] == Stage.REVEALED
