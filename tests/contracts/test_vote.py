"""`vote`: who is an elector, the threshold, and how the vote ends."""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.terms import Phase, Role, Status
from tests.support.reference import assert_settles_like_reference


def test_vote__elector__announced_and_counted(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    alice, _, carol = round_.owners
    receipt = round_.vote(alice, 8_799, uphold=False).send()
    assert receipt.names == ["Voted"]
    assert receipt.event("Voted") == {
        "roundId": round_.id,
        "elector": alice.account,
        "measuredAccuracyBps": 8_799,
        "upholdContributions": False,
    }
    state = round_.state
    assert (state.votesPunish, state.votesUphold, state.votesCast) == (1, 0, 1)
    round_.vote(carol, 8_800).send()
    state = round_.state
    assert (state.votesPunish, state.votesUphold, state.votesCast) == (1, 1, 2), "9,100 claimed less 300 is reached"
    assert [round_.member(seat).voted for seat in round_.owners] == [True, False, True]


def test_vote__all_electors__vote_ends_early(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    alice, bob, carol = round_.owners
    round_.vote(alice).send()
    assert round_.state.phase == Phase.VOTE
    round_.settle(bob).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.REPORTED)
    round_.vote(carol).send()
    assert round_.market.chain.now < round_.terms.deadlines.vote
    assert round_.state.phase == Phase.SETTLE
    round_.settle(bob).send()


def test_vote__to_the_second__open_then_settlement(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    alice, _, carol = round_.owners
    round_.wait_for("vote", -1)
    round_.vote(alice).send()
    round_.settle(alice).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.REPORTED)
    round_.wait_for("vote")
    assert round_.state.phase == Phase.SETTLE
    round_.vote(carol).reverts_with("DeadlinePassed", roundId=round_.id, deadline=round_.terms.deadlines.vote)
    round_.settle(alice).send()


def test_vote__silent_owner__is_an_elector(create_round: CreateRound) -> None:
    round_ = create_round().committed()
    carol = round_.owners[2]
    round_.revealed(but=[carol]).reported()
    # Without carol's bids model 0 scores 2 · 60 − 3 · 29, model 1 2 · 30 − 3 · 16.
    assert round_.winner is round_.owners[0]
    round_.vote(carol).send()
    assert round_.state.votesCast == 1


def test_vote__winner__reverts(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    round_.vote(round_.winner).reverts_with("NotAnElector", account=round_.winner.account)


def test_vote__losing_proposer__may_vote(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    assert round_.member(round_.owners[0]).proposer
    round_.vote(round_.owners[0]).send()


def test_vote__owner_that_never_committed__reverts(create_round: CreateRound) -> None:
    round_ = create_round().joined()
    alice = round_.owners[0]
    round_.committed(but=[alice]).reported()
    round_.vote(alice).reverts_with("NotAnElector", account=alice.account)
    round_.settle(alice, bids=[0]).send()
    round_.vote(alice).reverts_with("NotAMember", roundId=round_.id, account=alice.account)


def test_vote__base_station__reverts(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    north = round_.stations[0]
    round_.vote(north).reverts_with("WrongRole", account=north.account, actual=Role.BASE_STATION, required=Role.OWNER)


def test_vote__stranger__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().reported()
    round_.call("vote", 0, True, sender=stranger).reverts_with("NotAMember", roundId=round_.id, account=stranger)


def test_vote__twice__reverts(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    alice = round_.owners[0]
    round_.vote(alice).send()
    round_.vote(alice, 0).reverts_with("AlreadyVoted", account=alice.account)


def test_vote__accuracy_above_one__reverts(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    alice = round_.owners[0]
    round_.vote(alice, accuracy_bps=10_001).reverts_with("InvalidAccuracy", bps=10_001)
    round_.vote(alice, accuracy_bps=10_000).send()


@pytest.mark.parametrize("status", [Status.OPEN, Status.TRAINING, Status.ABORTED])
def test_vote__no_report__reverts(create_round: CreateRound, status: Status) -> None:
    round_ = create_round().revealed()
    if status is not Status.OPEN:
        round_.trained()
    if status is Status.ABORTED:
        round_.wait_for("report").abort().send()
    round_.vote(round_.owners[0]).reverts_with(
        "WrongStatus", roundId=round_.id, actual=status, required=Status.REPORTED
    )


def test_vote__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("vote", 1, 0, True, sender=stranger).reverts_with("UnknownRound", roundId=1)


# A verdict needs votes · 10,000 > threshold · electors; four electors here.
@pytest.mark.parametrize(
    ("threshold_bps", "votes", "passes"),
    [
        (5_000, 2, False),
        (5_000, 3, True),
        (7_500, 3, False),
        (7_499, 3, True),
        (9_999, 3, False),
        (9_999, 4, True),
    ],
)
def test_vote__around_the_threshold__both_verdicts_only_above_it(
    create_round: CreateRound, threshold_bps: int, votes: int, passes: bool
) -> None:
    round_ = create_round(
        owner_bids=((60,), (10,), (10,), (10,), (10,)),
        station_bids=((5,), (6,), (7,)),
        proposers=(0,),
        threshold_bps=threshold_bps,
    ).trained()
    north, south, east = round_.stations
    round_.reported({north: 0, south: 500_000, east: 500_000})
    chain = round_.market.chain
    with chain.snapshot():
        round_.voted(punish=round_.owners[1 : 1 + votes])
        assert slashed_of(round_, round_.winner) == (round_.terms.bond if passes else 0)
    round_.voted(reject=round_.owners[1 + votes :])
    assert slashed_of(round_, north) == (round_.terms.bond if passes else 0)
    assert_settles_like_reference(round_)


def slashed_of(round_: LiveRound, seat: Seat) -> int:
    """What settling that member takes of its bond; taken back."""
    with round_.market.chain.snapshot():
        slashed: int = round_.settle(seat).send().event("MemberSettled")["slashed"]
    return slashed


def test_vote__some_never_vote__the_absent_count_as_electors(create_round: CreateRound) -> None:
    """One of two votes for: no more than half of the electors."""
    round_ = create_round().reported()
    round_.vote(round_.owners[0], 0).send()
    round_.wait_for("vote")
    assert round_.settle(round_.winner).send().event("MemberSettled")["slashed"] == 0
    assert_settles_like_reference(round_)


def test_vote__two_owners__the_other_one_alone_decides(create_round: CreateRound) -> None:
    round_ = create_round(((30,), (30,)), ((1,), (1,), (1,)), proposers=(0,)).reported()
    round_.voted(punish=round_.electors)
    assert slashed_of(round_, round_.winner) == round_.terms.bond
    assert_settles_like_reference(round_)


def test_vote__punished__the_bond_is_kept_and_nobody_gains(create_round: CreateRound) -> None:
    """Neither who voted nor the stations."""
    gains = {}
    for punish in (False, True):
        round_ = create_round().reported()
        with round_.market.chain.snapshot():
            round_.voted(punish=round_.electors if punish else ()).settled()
            round_.claim_lot().send()
            gains[punish] = {seat.name: round_.market.free(seat.account) for seat in round_.members}
            assert round_.state.escrow == (round_.terms.bond if punish else 0)
    assert gains[True] == {**gains[False], "bob": gains[False]["bob"] - round_.terms.bond}
