"""`reportContributions`: what the winner may list, under every policy, and what an entry replaces."""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.bids import pack_bids
from fl.market.terms import Phase, Policy, Role, Status

ALL = 1_000_000


def trained(create_round: CreateRound, policy: Policy = Policy.CONTRIBUTION) -> LiveRound:
    """A round in which everybody has recorded; bob has won with model 1."""
    round_: LiveRound = create_round(base_policy=policy)
    return round_.trained()


def test_contributions__listed__announced_and_stored(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    north, south, east = round_.stations
    receipt = round_.report_contributions({north: 500_000, south: 300_000, east: 200_000}).send()
    assert [event.values for event in receipt.events] == [
        {"roundId": round_.id, "station": seat.account, "points": points}
        for seat, points in ((north, 500_000), (south, 300_000), (east, 200_000))
    ]
    assert [round_.member(seat).points for seat in round_.stations] == [500_000, 300_000, 200_000]
    assert not any(round_.member(seat).listedZero for seat in round_.stations)
    assert round_.report_contributions({north: 5}).send().event("ContributionReported")["points"] == 5


def test_contributions__several_calls__add_up(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    north, south, east = round_.stations
    round_.report_contributions({north: 600_000}).send()
    round_.report_result().reverts_with("ContributionsDoNotAddUp", sum=600_000, required=ALL)
    round_.report_contributions({south: 400_000, east: 0}).send()
    round_.report_result().send()
    assert round_.state.status == Status.REPORTED


def test_contributions__entry_repeated__the_later_one_counts(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    north, south, east = round_.stations
    round_.report_contributions({north: 999_999, south: 0}).send()
    assert round_.member(south).listedZero
    round_.report_contributions({north: 0, south: 700_000, east: 300_000}).send()
    assert [round_.member(seat).points for seat in round_.stations] == [0, 700_000, 300_000]
    assert [round_.member(seat).listedZero for seat in round_.stations] == [True, False, False]
    round_.report_result().send()


def test_contributions__same_station_twice_in_a_call__the_later_entry_counts(
    create_round: CreateRound,
) -> None:
    round_ = trained(create_round)
    north, south, _ = round_.stations
    words = north.sealed.words * 2 + south.sealed.words
    accounts = [north.account, north.account, south.account]
    round_.call("reportContributions", accounts, [900_000, 400_000, 600_000], words, sender=round_.winner).send()
    assert round_.member(north).points == 400_000
    round_.report_result().send()


@pytest.mark.parametrize("total", [ALL - 1, ALL + 1])
def test_report__contributions_off_by_one__reverts(create_round: CreateRound, total: int) -> None:
    round_ = trained(create_round)
    north, south, _ = round_.stations
    round_.report_contributions({north: 500_000, south: total - 500_000}).send()
    round_.report_result().reverts_with("ContributionsDoNotAddUp", sum=total, required=ALL)


def test_report__nothing_listed_under_contribution__reverts(create_round: CreateRound) -> None:
    trained(create_round).report_result().reverts_with("ContributionsDoNotAddUp", sum=0, required=ALL)


def test_report__nobody_recorded__contributions_need_not_add_up(create_round: CreateRound) -> None:
    round_ = create_round(base_policy=Policy.CONTRIBUTION)
    round_.trained(but=round_.stations).wait_for("train")
    round_.report_contributions({round_.stations[0]: 5}).send()
    round_.report_result().send()
    assert round_.state.status == Status.REPORTED


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("points", [ALL, ALL + 1, 2**32 - 1])
def test_contributions__all_of_it_or_more__reverts(create_round: CreateRound, policy: Policy, points: int) -> None:
    round_ = trained(create_round, policy)
    north = round_.stations[0]
    round_.report_contributions({north: points}).reverts_with(
        "InvalidContribution", station=north.account, points=points
    )
    round_.report_contributions({north: ALL - 1}).send()


def test_contributions__more_stations_than_points__reverts(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    accounts = [seat.account for seat in round_.stations]
    words = [word for seat in round_.stations for word in seat.sealed.words]
    round_.call("reportContributions", accounts, [1, 2], words, sender=round_.winner).reverts_with(
        "LengthMismatch", first=3, second=2
    )


@pytest.mark.parametrize("words", [0, 1, 3])
def test_contributions__wrong_number_of_words__reverts(create_round: CreateRound, words: int) -> None:
    round_ = trained(create_round)
    accounts = [seat.account for seat in round_.stations[:2]]
    round_.call("reportContributions", accounts, [1, 2], [0] * words, sender=round_.winner).reverts_with(
        "WrongBidLength", length=words, required=2
    )


def test_contributions__somebody_elses_bids__reverts(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    north = round_.stations[0]
    for words in (pack_bids((28, 3)), [0], round_.stations[1].sealed.words):
        round_.call("reportContributions", [north.account], [5], words, sender=round_.winner).reverts_with(
            "WrongBids", member=north.account
        )


def test_contributions__silent_station__listed_with_zeros(create_round: CreateRound) -> None:
    round_ = create_round(base_policy=Policy.CONTRIBUTION).committed()
    north = round_.stations[0]
    round_.revealed(but=[north]).trained()
    round_.call("reportContributions", [north.account], [5], north.sealed.words, sender=round_.winner).reverts_with(
        "WrongBids", member=north.account
    )
    round_.report_contributions({north: 5}).send()
    assert round_.member(north).points == 5


def test_contributions__station_that_never_committed__reverts(create_round: CreateRound) -> None:
    round_ = create_round(base_policy=Policy.CONTRIBUTION).joined()
    east = round_.stations[2]
    round_.committed(but=[east]).trained()
    round_.report_contributions({east: 5}).reverts_with("NotCommitted", roundId=round_.id, account=east.account)


def test_contributions__an_owner__reverts(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    alice = round_.owners[0]
    round_.report_contributions({alice: 5}).reverts_with(
        "WrongRole", account=alice.account, actual=Role.OWNER, required=Role.BASE_STATION
    )


def test_contributions__a_stranger__reverts(create_round: CreateRound, stranger: str) -> None:
    round_ = trained(create_round)
    round_.call("reportContributions", [stranger], [5], [0], sender=round_.winner).reverts_with(
        "NotAMember", roundId=round_.id, account=stranger
    )


def test_contributions__not_the_winner__reverts(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    for sender in (round_.owners[0], round_.stations[0]):
        round_.report_contributions({round_.stations[0]: 5}, sender=sender).reverts_with(
            "NotTheWinner", caller=sender.account, winner=round_.winner.account
        )


@pytest.mark.parametrize("policy", [Policy.EQUAL, Policy.CAPABILITY])
def test_contributions__other_policies__bids_are_ignored_and_only_zero_marks(
    create_round: CreateRound, policy: Policy
) -> None:
    round_ = create_round(base_policy=policy, station_points=(2, 3, 4)) if policy else create_round()
    round_.trained()
    accounts = [seat.account for seat in round_.stations]
    before = [round_.member(seat).points for seat in round_.stations]
    round_.call("reportContributions", accounts, [7, 0, 8], [], sender=round_.winner).send()
    assert [round_.member(seat).listedZero for seat in round_.stations] == [False, True, False]
    assert [round_.member(seat).points for seat in round_.stations] == before
    round_.report_contributions({round_.stations[1]: 1}).send()
    assert not round_.member(round_.stations[1]).listedZero, "the later entry takes the zero back"
    round_.report_result().send()


def test_contributions__to_the_second__from_train_to_the_report_deadline(
    create_round: CreateRound,
) -> None:
    round_ = trained(create_round)
    north = round_.stations[0]
    round_.report_contributions({north: 1}).send()
    round_.wait_for("report", -1)
    assert round_.state.phase == Phase.REPORT
    round_.report_contributions({north: 2}).send()
    round_.wait_for("report")
    round_.report_contributions({north: 3}).reverts_with(
        "DeadlinePassed", roundId=round_.id, deadline=round_.terms.deadlines.report
    )


def test_contributions__before_a_selection_or_after_the_report__reverts(
    create_round: CreateRound,
) -> None:
    round_ = create_round().revealed()
    north, bob = round_.stations[0], round_.owners[1]
    round_.report_contributions({north: 1}, sender=bob).reverts_with(
        "WrongStatus", roundId=round_.id, actual=Status.OPEN, required=Status.TRAINING
    )
    round_.reported()
    round_.report_contributions({north: 1}).reverts_with(
        "WrongStatus", roundId=round_.id, actual=Status.REPORTED, required=Status.TRAINING
    )


def test_contributions__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("reportContributions", 1, [], [], [], sender=stranger).reverts_with("UnknownRound", roundId=1)
