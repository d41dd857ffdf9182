"""`reportResult`: the sealed claim is opened, training ends, the vote opens."""

from dataclasses import replace

import pytest
from eth_utils import keccak

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, Opening
from fl.market.terms import Phase, Status


def test_report__everybody_recorded__ends_train_and_opens_the_vote(create_round: CreateRound) -> None:
    round_ = create_round().trained()
    assert round_.market.chain.now < round_.terms.deadlines.train
    receipt = round_.report_result().send()
    assert receipt.names == ["ResultReported"]
    event = receipt.event("ResultReported")
    assert (event["roundId"], event["winner"]) == (round_.id, round_.owners[1].account)
    assert event["modelDigest"] == keccak(text="final model")
    opened = event["opening"]
    assert (opened.claimedAccuracyBps, opened.targetsDigest, opened.salt) == round_.opening.encoded
    assert (round_.state.status, round_.state.phase) == (Status.REPORTED, Phase.VOTE)


def test_report__updates_missing__only_from_the_train_deadline(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    round_.trained(but=[round_.stations[2]]).wait_for("train", -1)
    round_.report_result().reverts_with("UpdatesMissing", recorders=2, revealed=3)
    round_.wait_for("train")
    round_.report_result().send()
    assert round_.state.status == Status.REPORTED


def test_report__silent_station__its_update_is_not_waited_for(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    round_.revealed(but=[round_.stations[0]]).trained()
    assert round_.market.chain.now < round_.terms.deadlines.train
    round_.report_result().send()


def test_report__to_the_second__open_then_closed(create_round: CreateRound) -> None:
    round_ = create_round().trained().wait_for("report", -1)
    with round_.market.chain.snapshot():
        round_.report_result().send()
        assert round_.state.phase == Phase.VOTE
    round_.wait_for("report")
    round_.report_result().reverts_with("DeadlinePassed", roundId=round_.id, deadline=round_.terms.deadlines.report)


@pytest.mark.parametrize(
    "change",
    [
        {"claimed_accuracy_bps": 9_099},
        {"targets_digest": keccak(text="other labels")},
        {"salt": keccak(text="other salt")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_report__claim_other_than_sealed__reverts(create_round: CreateRound, change: dict[str, object]) -> None:
    round_ = create_round().trained()
    false = replace(round_.opening, **change)  # type: ignore[arg-type]
    digest = false.digest(round_.market, round_.id, round_.winner.account)
    sealed = round_.opening.digest(round_.market, round_.id, round_.winner.account)
    round_.report_result(opening=false).reverts_with("WrongProposalOpening", digest=digest, proposed=sealed)


def test_report__digest_copied_from_another_proposer__cannot_be_opened(create_round: CreateRound) -> None:
    round_ = create_round()
    alice, bob, _ = round_.owners
    copied = round_.proposal(alice)
    round_.market.send_all([round_.join(seat) for seat in round_.members])
    round_.propose(alice).send()
    round_.call("propose", copied, sender=bob).send()
    round_.joined(but=round_.members).trained()
    assert round_.winner == bob
    round_.report_result().reverts_with(
        "WrongProposalOpening",
        digest=round_.opening.digest(round_.market, round_.id, bob.account),
        proposed=copied[0],
    )


def test_report__not_the_winner__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().trained()
    for sender in (round_.owners[0].account, round_.stations[0].account, stranger):
        round_.call("reportResult", bytes(32), Opening().encoded, sender=sender).reverts_with(
            "NotTheWinner", caller=sender, winner=round_.winner.account
        )


def test_report__twice__reverts(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    round_.report_result().reverts_with(
        "WrongStatus", roundId=round_.id, actual=Status.REPORTED, required=Status.TRAINING
    )


def test_report__nothing_selected__reverts(create_round: CreateRound) -> None:
    round_ = create_round(owner_bids=((0, 0),) * 3).selected()
    round_.report_result(sender=round_.owners[0]).reverts_with(
        "WrongStatus", roundId=round_.id, actual=Status.NOTHING_TRAINED, required=Status.TRAINING
    )


def test_report__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("reportResult", 1, bytes(32), Opening().encoded, sender=stranger).reverts_with(
        "UnknownRound", roundId=1
    )
