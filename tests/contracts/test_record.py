"""`recordGlobalRound` and `recordUpdate`: who may record which global round, and until when."""

import pytest
from eth_utils import keccak

from analysis.devnode.market import Market
from analysis.devnode.rounds import GLOBAL_ROUNDS, CreateRound, LiveRound
from fl.market.terms import Phase, Role, Status


def training(create_round: CreateRound, **terms: object) -> LiveRound:
    """A round in training; bob has won with model 1."""
    round_: LiveRound = create_round(**terms)
    return round_.selected()


def test_record_global_round__winner__announced_and_counted(create_round: CreateRound) -> None:
    round_ = training(create_round)
    receipt = round_.record_global_round().send()
    assert receipt.names == ["GlobalRoundRecorded"]
    assert receipt.event("GlobalRoundRecorded") == {
        "roundId": round_.id,
        "winner": round_.owners[1].account,
        "globalRound": 0,
        "modelDigest": keccak(text="global model 0"),
        "updatesRoot": keccak(text="updates 0"),
    }
    assert round_.member(round_.winner).recorded == 1
    assert (round_.state.recorders, round_.state.finished) == (0, 0), "the winner is no base station"


def test_record_global_round__not_the_winner__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = training(create_round)
    for account in (round_.owners[0].account, round_.owners[2].account, round_.stations[0].account, stranger):
        round_.call("recordGlobalRound", 0, bytes(32), bytes(32), sender=account).reverts_with(
            "NotTheWinner", caller=account
        )


def test_record_update__base_station__announced_and_counted(create_round: CreateRound) -> None:
    round_ = training(create_round)
    north, south, _ = round_.stations
    receipt = round_.record_update(north).send()
    assert receipt.names == ["UpdateRecorded"]
    assert receipt.event("UpdateRecorded") == {
        "roundId": round_.id,
        "station": north.account,
        "globalRound": 0,
        "updateDigest": keccak(text="north's update 0"),
    }
    counts = []
    for seat, g in ((north, 1), (south, 0), (north, 2), (south, 1)):
        round_.record_update(seat, g).send()
        counts.append((round_.member(seat).recorded, round_.state.recorders, round_.state.finished))
    assert counts == [(2, 1, 0), (1, 2, 0), (3, 2, 1), (2, 2, 1)]


def test_record_update__claimant__trains_like_the_others(create_round: CreateRound) -> None:
    round_ = training(create_round)
    for g in range(GLOBAL_ROUNDS):
        round_.record_update(round_.claimant, g).send()
    assert round_.member(round_.claimant).recorded == GLOBAL_ROUNDS
    assert (round_.state.recorders, round_.state.finished) == (1, 1)


def test_record_update__without_a_global_round__needs_no_call_by_the_winner(create_round: CreateRound) -> None:
    round_ = training(create_round).trained(guided=False)
    assert (round_.state.recorders, round_.state.finished) == (3, 3)
    assert round_.member(round_.winner).recorded == 0


def test_record_update__one_global_round_in_all__first_and_last_at_once(create_round: CreateRound) -> None:
    round_ = create_round(proposers=(0,), owner_bids=((60,), (1,)), station_bids=((1,),) * 3)
    round_.market.send_all([round_.join(seat) for seat in round_.members])
    round_.propose(round_.owners[0], global_rounds=1).send()
    round_.joined(but=round_.members).selected()
    round_.record_update(round_.stations[0]).send()
    assert (round_.state.recorders, round_.state.finished) == (1, 1)


@pytest.mark.parametrize("global_round", [0, 2, 2**256 - 1])
def test_record__out_of_order__reverts(create_round: CreateRound, global_round: int) -> None:
    """None is left out and none recorded twice."""
    round_ = training(create_round)
    north = round_.stations[0]
    round_.record_update(north).send()
    round_.record_global_round().send()
    for call in (
        round_.call("recordUpdate", global_round, bytes(32), sender=north),
        round_.call("recordGlobalRound", global_round, bytes(32), bytes(32), sender=round_.winner),
    ):
        call.reverts_with("WrongGlobalRound", globalRound=global_round, next=1, globalRounds=GLOBAL_ROUNDS)


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
    round_ = create_round(station_bids=((28, 2), (1, 14), (1, 14), (1, 14))).joined()
    north = round_.stations[0]
    round_.committed(but=[north] if silence == "never committed" else [])
    round_.revealed(but=[north]).selected()
    round_.record_update(north).reverts_with("NotRevealed", roundId=round_.id, station=north.account)


@pytest.mark.parametrize("global_round", [GLOBAL_ROUNDS - 1, GLOBAL_ROUNDS])
def test_record__all_are_recorded__nothing_is_left(create_round: CreateRound, global_round: int) -> None:
    round_ = training(create_round).trained()
    for call in (
        round_.record_global_round(global_round=global_round),
        round_.record_update(round_.stations[0], global_round),
    ):
        call.reverts_with("WrongGlobalRound", globalRound=global_round, next=GLOBAL_ROUNDS, globalRounds=GLOBAL_ROUNDS)


def test_record__256_global_rounds__fit_their_field(create_round: CreateRound) -> None:
    round_ = create_round(proposers=(0,), owner_bids=((60,), (1,)), station_bids=((1,),) * 3)
    alice, north = round_.owners[0], round_.stations[0]
    round_.market.send_all([round_.join(seat) for seat in round_.members])
    round_.propose(alice, global_rounds=256).send()
    round_.joined(but=round_.members).selected()
    before = round_.member(north)
    for g in range(256):
        round_.record_global_round(global_round=g).send()
        round_.record_update(north, g).send()
    after = round_.member(north)
    assert (round_.member(alice).recorded, after.recorded, round_.state.finished) == (256, 256, 1)
    assert {**vars(after), "recorded": 0} == vars(before), "nothing else moves"
    for call in (round_.record_global_round(global_round=256), round_.record_update(north, 256)):
        call.reverts_with("WrongGlobalRound", globalRound=256, next=256, globalRounds=256)


def test_record__to_the_second__open_then_closed(create_round: CreateRound) -> None:
    round_ = training(create_round).wait_for("train", -1)
    assert round_.state.phase == Phase.TRAIN
    round_.record_global_round().send()
    round_.record_update(round_.stations[0]).send()
    round_.wait_for("train")
    assert round_.state.phase == Phase.REPORT
    deadline = round_.terms.deadlines.train
    round_.record_global_round(global_round=1).reverts_with("DeadlinePassed", roundId=round_.id, deadline=deadline)
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
    for call in (round_.record_global_round(), round_.record_update(round_.stations[0])):
        call.reverts_with("WrongStatus", roundId=round_.id, actual=Status.REPORTED, required=Status.TRAINING)


def test_record__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("recordGlobalRound", 1, 0, bytes(32), bytes(32), sender=stranger).reverts_with(
        "UnknownRound", roundId=1
    )
    market.call("recordUpdate", 1, 0, bytes(32), sender=stranger).reverts_with("UnknownRound", roundId=1)
