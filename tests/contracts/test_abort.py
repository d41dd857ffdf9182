"""`abortTraining`: the winner never reports; its share and bond go to those who recorded."""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound
from fl.market.bids import pack_bids
from fl.market.terms import GWEI, Phase, Policy, Stage, Status
from tests.support.assertions import assert_settles_like_reference

# Bob wins; he owes a share of 25 gwei (see test_settle.py) and the bond of 200.
SHARE_AND_BOND = 225 * GWEI


def test_abort__recorders__share_and_bond_divided_among_them(create_round: CreateRound) -> None:
    round_ = create_round().trained().wait_for("report")
    receipt = round_.abort().send()
    assert receipt.names == ["TrainingAborted"]
    assert receipt.event("TrainingAborted") == {
        "roundId": round_.id,
        "winner": round_.owners[1].account,
        "partPerRecorder": SHARE_AND_BOND // 3,
    }
    assert (round_.state.status, round_.state.phase) == (Status.ABORTED, Phase.SETTLE)
    settled = {seat.name: r.event("MemberSettled") for seat, r in round_.settled().items()}
    assert (settled["bob"]["share"], settled["bob"]["slashed"]) == (25 * GWEI, 200 * GWEI)
    for name in ("north", "south", "east"):
        assert settled[name]["reward"] == 75 * GWEI
    for name in ("alice", "carol"):
        assert (settled[name]["share"], settled[name]["tax"]) == (0, 0), "nobody else pays"


def test_abort__by_a_stranger__anyone_may(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().trained().wait_for("report")
    round_.call("abortTraining", round_.winner.sealed.words, sender=stranger).send()
    assert round_.state.status == Status.ABORTED


@pytest.mark.parametrize("recorders", [0, 1, 2, 3])
@pytest.mark.parametrize("policy", Policy)
def test_abort__any_number_of_recorders__settles_like_the_reference(
    create_round: CreateRound, policy: Policy, recorders: int
) -> None:
    round_ = create_round(base_policy=policy).selected()
    round_.trained(but=round_.stations[recorders:]).aborted()
    assert_settles_like_reference(round_)


def test_abort__no_recorder__no_share_and_the_bond_to_the_base_stations(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    round_.wait_for("report")
    assert round_.abort().send().event("TrainingAborted")["partPerRecorder"] == 0
    settled = round_.settled()
    bob = settled[round_.owners[1]].event("MemberSettled")
    assert (bob["share"], bob["slashed"]) == (0, 200 * GWEI)
    assert [round_.rebate(seat) for seat in round_.stations] == [200 * GWEI // 3] * 3
    assert [round_.rebate(seat) for seat in round_.owners] == [0, 0, 0]


def test_abort__pivotal_winner__tax_goes_to_its_own_side(create_round: CreateRound) -> None:
    """Carol instead of bob proposes the model that she alone wants: she is the winner and pivotal."""
    round_ = create_round(proposers=(0, 2)).trained().aborted()
    settled = round_.settled()
    carol = settled[round_.owners[2]].event("MemberSettled")
    assert (carol["share"], carol["slashed"], carol["tax"]) == (12.5 * GWEI, 200 * GWEI, 37.5 * GWEI)
    assert [round_.rebate(seat) for seat in round_.owners] == [18.75 * GWEI, 18.75 * GWEI, 0]


def test_abort__winner_never_revealed__silence_takes_the_bond_first(create_round: CreateRound) -> None:
    """Its bids count as zeros, so its share is higher: 5 + (80 − 0) / 4 = 25 gwei at θ = 1/2."""
    round_ = create_round().committed()
    bob = round_.owners[1]
    round_.revealed(but=[bob]).trained().wait_for("report")
    assert round_.winner == bob
    part = round_.abort(bids=[0]).send().event("TrainingAborted")["partPerRecorder"]
    assert part == 25 * GWEI // 3, "the share alone is divided"
    assert_settles_like_reference(round_)


def test_abort__winner_never_revealed_and_nobody_recorded__settles_like_the_reference(
    create_round: CreateRound,
) -> None:
    round_ = create_round().committed()
    round_.revealed(but=[round_.owners[1]]).selected().aborted()
    assert_settles_like_reference(round_)


def test_abort__others_were_silent__slashed_all_the_same(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    alice, north = round_.owners[0], round_.stations[0]
    round_.revealed(but=[alice, north]).trained().aborted()
    with round_.market.chain.snapshot():
        settled = round_.settled()
        assert settled[alice].event("MemberSettled")["slashed"] == 200 * GWEI
        assert settled[north].event("MemberSettled")["slashed"] == 200 * GWEI
    assert_settles_like_reference(round_)


def test_abort__before_the_report_deadline__reverts(create_round: CreateRound) -> None:
    round_ = create_round().trained().wait_for("report", -1)
    round_.abort().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.report)
    round_.wait_for("report").abort().send()


def test_abort__bids_that_are_not_the_winners__reverts(create_round: CreateRound) -> None:
    round_ = create_round().trained().wait_for("report")
    bob = round_.winner
    for bids in (pack_bids((30, 11)), [0], round_.owners[0].sealed.words):
        round_.abort(bids=bids).reverts_with("WrongBids", member=bob.account)


def test_abort__silent_winner_with_other_than_zeros__reverts(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    bob = round_.owners[1]
    round_.revealed(but=[bob]).selected().wait_for("report")
    round_.abort(bids=bob.sealed.words).reverts_with("WrongBids", member=bob.account)


@pytest.mark.parametrize("words", [0, 2])
def test_abort__wrong_number_of_words__reverts(create_round: CreateRound, words: int) -> None:
    round_ = create_round().trained().wait_for("report")
    round_.abort(bids=[0] * words).reverts_with("WrongBidLength", length=words, required=1)


@pytest.mark.parametrize("status", [Status.OPEN, Status.REPORTED, Status.ABORTED, Status.NOTHING_TRAINED])
def test_abort__not_in_training__reverts(create_round: CreateRound, status: Status) -> None:
    round_ = create_round(owner_bids=((0, 0),) * 3) if status is Status.NOTHING_TRAINED else create_round()
    {
        Status.OPEN: round_.revealed,
        Status.REPORTED: round_.reported,
        Status.ABORTED: round_.aborted,
        Status.NOTHING_TRAINED: round_.selected,
    }[status]()
    round_.wait_for("report")
    round_.abort(bids=[0]).reverts_with("WrongStatus", roundId=round_.id, actual=status, required=Status.TRAINING)


def test_abort__never_called__settlement_stays_shut_until_it_is(create_round: CreateRound) -> None:
    round_ = create_round().trained().wait_for("vote", 10**6)
    alice = round_.owners[0]
    round_.settle(alice).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.TRAINING)
    round_.abort().send()
    round_.settle(alice).send()
    assert round_.stage(alice) is Stage.SETTLED


def test_abort__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("abortTraining", 1, [], sender=stranger).reverts_with("UnknownRound", roundId=1)
