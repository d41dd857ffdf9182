"""`recordGlobalRound` and `recordUpdate`: who may record which epoch, and until when."""

import pytest
from eth_utils import keccak

from analysis.devnode.market import Market
from analysis.devnode.rounds import TRAINING_ROUNDS, CreateRound, LiveRound
from fl.market.terms import Phase, Role, Status


def training(create_round: CreateRound, **terms: object) -> LiveRound:
    """A round in training; bob has won with model 1."""
    round_: LiveRound = create_round(**terms)
    return round_.selected()


def test_record_global_round__winner__announced_and_guided(create_round: CreateRound) -> None:
    round_ = training(create_round)
    assert not round_.state.guided
    receipt = round_.record_global_round(epoch=2).send()
    assert receipt.names == ["GlobalRoundRecorded"]
    assert receipt.event("GlobalRoundRecorded") == {
        "roundId": round_.id,
        "winner": round_.owners[1].account,
        "epoch": 2,
        "modelDigest": keccak(text="global model 2"),
        "updatesRoot": keccak(text="updates 2"),
    }
    assert round_.state.guided
    assert round_.state.recorders == 0


def test_record_global_round__every_epoch__once_each(create_round: CreateRound) -> None:
    round_ = training(create_round)
    for epoch in range(TRAINING_ROUNDS):
        round_.record_global_round(epoch=epoch).send()
    for epoch in range(TRAINING_ROUNDS):
        round_.record_global_round(epoch=epoch).reverts_with(
            "AlreadyRecorded", account=round_.winner.account, epoch=epoch
        )


def test_record_global_round__not_the_winner__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = training(create_round)
    winner = round_.winner.account
    for account in (round_.owners[0].account, round_.stations[0].account, stranger):
        round_.call("recordGlobalRound", 0, bytes(32), bytes(32), sender=account).reverts_with(
            "NotTheWinner", caller=account, winner=winner
        )


def test_record_update__base_station__announced_and_counted_once(create_round: CreateRound) -> None:
    round_ = training(create_round)
    north = round_.stations[0]
    receipt = round_.record_update(north, epoch=1).send()
    assert receipt.names == ["UpdateRecorded"]
    assert receipt.event("UpdateRecorded") == {
        "roundId": round_.id,
        "station": north.account,
        "epoch": 1,
        "updateDigest": keccak(text="north's update 1"),
    }
    assert round_.member(north).recorded
    assert round_.state.recorders == 1
    round_.record_update(north, epoch=0).send()
    assert round_.state.recorders == 1, "a second update is no second recorder"


def test_record_update__without_a_global_round__needs_no_call_by_the_winner(
    create_round: CreateRound,
) -> None:
    round_ = training(create_round).trained(guided=False)
    assert (round_.state.recorders, round_.state.guided) == (3, False)


def test_record_update__same_epoch_twice__reverts(create_round: CreateRound) -> None:
    round_ = training(create_round)
    north, south, _ = round_.stations
    round_.record_update(north, epoch=1).send()
    round_.record_update(north, epoch=1).reverts_with("AlreadyRecorded", account=north.account, epoch=1)
    round_.record_update(south, epoch=1).send()


def test_record_update__owner__reverts(create_round: CreateRound) -> None:
    round_ = training(create_round)
    bob = round_.winner
    round_.record_update(bob).reverts_with(
        "WrongRole", account=bob.account, actual=Role.OWNER, required=Role.BASE_STATION
    )


def test_record_update__not_a_member__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = training(create_round)
    round_.call("recordUpdate", 0, bytes(32), sender=stranger).reverts_with(
        "NotAMember", roundId=round_.id, account=stranger
    )


@pytest.mark.parametrize("silence", ["never committed", "never revealed"])
def test_record_update__station_that_did_not_reveal__reverts(create_round: CreateRound, silence: str) -> None:
    round_ = create_round().joined()
    north = round_.stations[0]
    round_.committed(but=[north] if silence == "never committed" else [])
    round_.revealed(but=[north]).selected()
    round_.record_update(north).reverts_with("NotRevealed", roundId=round_.id, station=north.account)


@pytest.mark.parametrize("epoch", [TRAINING_ROUNDS, 256, 2**256 - 1])
def test_record__epoch_beyond_the_proposal__reverts(create_round: CreateRound, epoch: int) -> None:
    round_ = training(create_round)
    for call in (
        round_.record_global_round(epoch=epoch),
        round_.record_update(round_.stations[0], epoch=epoch),
    ):
        call.reverts_with("InvalidEpoch", epoch=epoch, trainingRounds=TRAINING_ROUNDS)


def test_record__last_of_256_epochs__fits_the_bitmap(create_round: CreateRound) -> None:
    round_ = create_round(proposers=(0,), owner_bids=((60,), (1,)), station_bids=((1,), (1,)))
    alice = round_.owners[0]
    round_.market.send_all([round_.join(seat) for seat in round_.members])
    round_.propose(alice, training_rounds=256).send()
    round_.joined(but=round_.members).selected()
    for epoch in (255, 0):
        round_.record_global_round(epoch=epoch).send()
        round_.record_update(round_.stations[0], epoch=epoch).send()
    round_.record_global_round(epoch=255).reverts_with("AlreadyRecorded", account=alice.account, epoch=255)
    round_.record_global_round(epoch=256).reverts_with("InvalidEpoch", epoch=256, trainingRounds=256)


def test_record__to_the_second__open_then_closed(create_round: CreateRound) -> None:
    round_ = training(create_round).wait_for("train", -1)
    assert round_.state.phase == Phase.TRAIN
    round_.record_global_round().send()
    round_.record_update(round_.stations[0]).send()
    round_.wait_for("train")
    assert round_.state.phase == Phase.REPORT
    deadline = round_.terms.deadlines.train
    round_.record_global_round(epoch=1).reverts_with("DeadlinePassed", roundId=round_.id, deadline=deadline)
    round_.record_update(round_.stations[1]).reverts_with("DeadlinePassed", roundId=round_.id, deadline=deadline)


def test_record__before_a_selection__reverts(create_round: CreateRound) -> None:
    round_ = create_round().revealed()
    for call in (
        round_.record_global_round(sender=round_.owners[1]),
        round_.record_update(round_.stations[0]),
    ):
        call.reverts_with("WrongStatus", roundId=round_.id, actual=Status.OPEN, required=Status.TRAINING)


def test_record__after_the_report__reverts(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    for call in (round_.record_global_round(epoch=1), round_.record_update(round_.stations[0], epoch=1)):
        call.reverts_with("WrongStatus", roundId=round_.id, actual=Status.REPORTED, required=Status.TRAINING)


def test_record__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("recordGlobalRound", 1, 0, bytes(32), bytes(32), sender=stranger).reverts_with(
        "UnknownRound", roundId=1
    )
    market.call("recordUpdate", 1, 0, bytes(32), sender=stranger).reverts_with("UnknownRound", roundId=1)
