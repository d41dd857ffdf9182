"""`reportContributions`: what the winner may list, what an entry replaces, and when the list counts."""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import POINTS, CreateRound, LiveRound
from fl.market.terms import GWEI, Phase, Role, Status
from tests.support.reference import assert_settles_like_reference

STAKE = 30 * GWEI
BOND = 200 * GWEI
LARGEST = 2 * POINTS // 3  # of three base stations


def trained(create_round: CreateRound, **terms: object) -> LiveRound:
    """A round in which everybody has recorded; bob has won with model 1."""
    round_: LiveRound = create_round(**{"contribution_stake": STAKE, **terms})
    return round_.trained()


def settlements(round_: LiveRound) -> dict[str, dict[str, int]]:
    """What settling each base station announces; taken back."""
    with round_.market.chain.snapshot():
        receipts = {seat: round_.settle(seat).send() for seat in round_.stations}
        for seat, receipt in receipts.items():
            event = receipt.event("MemberSettled")
            gained = event["reward"] + event["bonus"] - event["tax"] - event["slashed"]
            assert round_.market.free(seat.account) == round_.lock(seat) + gained, seat.name
    return {seat.name: receipt.event("MemberSettled") for seat, receipt in receipts.items()}


def test_contributions__listed__announced_and_stored(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    north, south, east = round_.stations
    receipt = round_.report_contributions({north: 500_000, south: 300_000, east: 200_000}).send()
    assert [event.values for event in receipt.events] == [
        {"roundId": round_.id, "station": seat.account, "points": points}
        for seat, points in ((north, 500_000), (south, 300_000), (east, 200_000))
    ]
    assert [round_.member(seat).points for seat in round_.stations] == [500_000, 300_000, 200_000]
    assert all(round_.member(seat).listed for seat in round_.stations)
    assert round_.state.listedPoints == POINTS
    assert round_.report_contributions({north: 5}).send().event("ContributionReported")["points"] == 5


def test_contributions__several_calls__add_up(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    north, south, east = round_.stations
    round_.report_contributions({north: 600_000}).send()
    assert [round_.member(seat).listed for seat in round_.stations] == [True, False, False]
    round_.report_contributions({south: 400_000, east: 0}).send()
    assert round_.state.listedPoints == POINTS
    assert round_.member(east).listed, "a zero is an entry"


def test_contributions__entry_repeated__the_later_one_counts(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    north, south, east = round_.stations
    round_.report_contributions({north: 666_666, south: 0}).send()
    round_.report_contributions({north: 0, south: 600_000, east: 400_000}).send()
    assert [round_.member(seat).points for seat in round_.stations] == [0, 600_000, 400_000]
    assert round_.state.listedPoints == POINTS


def test_contributions__same_station_twice_in_a_call__the_later_entry_counts(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    north, south, _ = round_.stations
    accounts = [north.account, north.account, south.account]
    round_.call("reportContributions", accounts, [600_000, 400_000, 600_000], sender=round_.winner).send()
    assert round_.member(north).points == 400_000
    assert round_.state.listedPoints == POINTS


def test_contributions__upheld__stakes_are_shared_out_again(create_round: CreateRound) -> None:
    """Of 90 gwei 45, 27 and 18 go back, of 30 each; rewards, taxes and bonds stay as they are."""
    round_ = trained(create_round)
    north, south, east = round_.stations
    round_.reported({north: 500_000, south: 300_000, east: 200_000}).voted()
    settled = settlements(round_)
    assert {name: event["bonus"] / GWEI for name, event in settled.items()} == {"north": 15, "south": -3, "east": -12}
    assert {name: event["reward"] / GWEI for name, event in settled.items()} == {"north": 22, "south": 16, "east": 19}
    assert not any(event["slashed"] for event in settled.values())
    assert settled["north"]["tax"] == 10.5 * GWEI
    assert_settles_like_reference(round_)


def test_contributions__upheld_zero__loses_stake_and_bond_one_left_out_its_stake(create_round: CreateRound) -> None:
    round_ = trained(create_round, station_bids=((28, 2), (1, 14), (1, 14), (1, 14)))
    north, south, east, west = round_.stations
    round_.reported({north: 500_000, south: 500_000, east: 0}).voted()
    settled = settlements(round_)
    assert {name: event["bonus"] for name, event in settled.items()} == {
        "north": STAKE,
        "south": STAKE,
        "east": -STAKE,
        "west": -STAKE,
    }
    assert {name: event["slashed"] for name, event in settled.items()} == {
        "north": 0,
        "south": 0,
        "east": BOND,
        "west": 0,
    }
    assert west == round_.claimant and settled["east"]["reward"] > 0, "rewards follow attendance alone"
    assert_settles_like_reference(round_)


def test_contributions__upheld_zero_of_the_claimant__costs_it_as_any_other(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    north, south, east = round_.stations
    round_.reported({north: 500_000, south: 500_000, east: 0}).voted()
    assert settlements(round_)["east"]["slashed"] == BOND
    assert_settles_like_reference(round_)


def test_contributions__nothing_staked__an_upheld_zero_costs_the_bond_all_the_same(create_round: CreateRound) -> None:
    round_ = trained(create_round, contribution_stake=0)
    north, south, east = round_.stations
    round_.reported({north: 500_000, south: 500_000, east: 0}).voted()
    settled = settlements(round_)
    assert [settled[name]["bonus"] for name in ("north", "south", "east")] == [0, 0, 0]
    assert [settled[name]["slashed"] for name in ("north", "south", "east")] == [0, 0, BOND]
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("why", ["a point short", "a point over", "rejected", "just half", "none"])
def test_contributions__not_upheld__everybody_gets_its_stake(create_round: CreateRound, why: str) -> None:
    """More than the threshold of all electors must uphold a list that adds up."""
    round_ = trained(create_round)
    alice, _, carol = round_.owners
    last = {"a point short": 399_999, "a point over": 400_001}.get(why, 400_000)
    points = dict(zip(round_.stations, (0, 600_000, last), strict=True))
    round_.reported({} if why == "none" else points)
    round_.voted(reject={"rejected": [alice, carol], "just half": [alice]}.get(why, ()))
    for event in settlements(round_).values():
        assert (event["bonus"], event["slashed"]) == (0, 0)
    assert_settles_like_reference(round_)


def test_contributions__winner_punished__stand_all_the_same(create_round: CreateRound) -> None:
    """Else who has few points gains by the winner's punishment, which a base station can bring about."""
    round_ = trained(create_round)
    round_.reported(dict(zip(round_.stations, (0, 600_000, 400_000), strict=True)))
    round_.voted(punish=round_.electors)
    settled = settlements(round_)
    assert [event["bonus"] for event in settled.values()] == [-STAKE, 24 * GWEI, 6 * GWEI]
    assert [event["slashed"] for event in settled.values()] == [BOND, 0, 0]
    assert_settles_like_reference(round_)


def test_contributions__electors_silent__do_not_uphold(create_round: CreateRound) -> None:
    """A winner and half of the electors that stay away cannot pass a list."""
    round_ = trained(create_round)
    north, south, east = round_.stations
    round_.reported({north: 0, south: 500_000, east: 500_000})
    round_.vote(round_.owners[0]).send()
    round_.wait_for("vote")
    for event in settlements(round_).values():
        assert (event["bonus"], event["slashed"]) == (0, 0)
    assert_settles_like_reference(round_)


def test_contributions__silent_and_absent_stations__listed_like_others_and_slashed_once(
    create_round: CreateRound,
) -> None:
    """South was silent, the claimant recorded a third: both are listed with 0 and lose no more than a bond."""
    round_ = create_round(contribution_stake=STAKE, station_bids=((1, 2), (1, 14), (1, 14), (1, 14))).drawn()
    north, south, east, west = round_.stations
    round_.revealed(but=[south]).trained(recorded={west: 1})
    round_.reported({north: 500_000, south: 0, east: 500_000, west: 0}).voted()
    settled = settlements(round_)
    assert [settled[seat.name]["slashed"] for seat in round_.stations] == [0, BOND, 0, BOND]
    assert [settled[seat.name]["bonus"] for seat in round_.stations] == [STAKE, -STAKE, STAKE, -STAKE]
    assert settled["south"]["reward"] == 0
    assert_settles_like_reference(round_)


def test_contributions__odd_stake__rounded_down_and_the_rest_is_kept(create_round: CreateRound) -> None:
    round_ = trained(create_round, contribution_stake=GWEI)
    north, south, east = round_.stations
    round_.reported({north: 333_333, south: 333_333, east: 333_334}).voted()
    bonuses = [event["bonus"] for event in settlements(round_).values()]
    assert bonuses == [3 * GWEI * points // POINTS - GWEI for points in (333_333, 333_333, 333_334)]
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("points", [LARGEST + 1, POINTS, 2**32 - 1])
def test_contributions__more_than_twice_an_equal_part__reverts(create_round: CreateRound, points: int) -> None:
    round_ = trained(create_round)
    north = round_.stations[0]
    round_.report_contributions({north: points}).reverts_with(
        "ContributionTooLarge", station=north.account, points=points, maximum=LARGEST
    )
    round_.report_contributions({north: LARGEST}).send()


def test_contributions__every_station_with_the_most__fits_its_field(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    before = round_.market.view("termsOf", round_.id)
    round_.report_contributions(dict.fromkeys(round_.stations, LARGEST)).send()
    assert round_.state.listedPoints == 3 * LARGEST
    assert round_.market.view("termsOf", round_.id) == before


def test_contributions__more_stations_than_points__reverts(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    accounts = [seat.account for seat in round_.stations]
    round_.call("reportContributions", accounts, [1, 2], sender=round_.winner).reverts_with(
        "LengthMismatch", first=3, second=2
    )


def test_contributions__station_that_never_committed__reverts(create_round: CreateRound) -> None:
    round_ = create_round(station_bids=((28, 2), (1, 14), (1, 14), (1, 14))).joined()
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
    round_.call("reportContributions", [stranger], [5], sender=round_.winner).reverts_with(
        "NotAMember", roundId=round_.id, account=stranger
    )


def test_contributions__not_the_winner__reverts(create_round: CreateRound) -> None:
    round_ = trained(create_round)
    for sender in (round_.owners[0], round_.stations[0]):
        round_.report_contributions({round_.stations[0]: 5}, sender=sender).reverts_with(
            "NotTheWinner", caller=sender.account
        )


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
    market.call("reportContributions", 1, [], [], sender=stranger).reverts_with("UnknownRound", roundId=1)
