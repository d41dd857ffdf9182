"""`abortTraining`: the winner never reports. It loses its bond; everybody else pays and is paid as after a report.

Amounts start from the table in `test_settle.py`: bob wins, owes a share of 24 gwei, no tax, and the bond of 200.
"""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Phase, Stage, Status
from tests.support.reference import assert_settles_like_reference

BOND = 200 * GWEI


def settlements(round_: LiveRound) -> dict[str, dict[str, int]]:
    """What settling each member announces; taken back."""
    with round_.market.chain.snapshot():
        return {seat.name: receipt.event("MemberSettled") for seat, receipt in round_.settled().items()}


def test_abort__everybody_recorded__all_but_the_winners_bond_as_after_a_report(create_round: CreateRound) -> None:
    round_ = create_round().trained().wait_for("report")
    receipt = round_.abort().send()
    assert receipt.names == ["TrainingAborted"]
    assert receipt.event("TrainingAborted") == {"roundId": round_.id, "winner": round_.owners[1].account}
    assert (round_.state.status, round_.state.phase) == (Status.ABORTED, Phase.SETTLE)
    settled = settlements(round_)
    assert [settled[name]["share"] / GWEI for name in ("alice", "bob", "carol")] == [21.5, 24, 11.5]
    assert [settled[name]["reward"] / GWEI for name in ("north", "south", "east")] == [22, 16, 19]
    assert {name: dues["tax"] / GWEI for name, dues in settled.items() if dues["tax"]} == {
        "carol": 21.25,
        "north": 10.5,
    }
    assert {name: dues["slashed"] for name, dues in settled.items() if dues["slashed"]} == {"bob": BOND}
    round_.settled()
    assert round_.state.escrow == BOND + round_.lot, "what is left over is kept"
    assert round_.lot == 31.75 * GWEI
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("silent", [None, "alice", "bob", "south"])
@pytest.mark.parametrize("recorded", [(3, 3, 3), (1, 0, 2), (0, 0, 1), (0, 0, 0)])
def test_abort__whoever_worked_or_was_silent__settles_like_a_punished_report(
    create_round: CreateRound, recorded: tuple[int, int, int], silent: str | None
) -> None:
    """Whether a winner reports rubbish or nothing makes no difference to anybody: so none is worth a bribe."""
    round_ = create_round(bond=50 * GWEI).drawn()
    round_.revealed(but=[seat for seat in round_.members if seat.name == silent]).selected()
    records = dict(zip(round_.stations, recorded, strict=True))
    round_.trained(recorded={seat: number for seat, number in records.items() if seat.name != silent})
    with round_.market.chain.snapshot():
        reported = settlements(round_.reported().voted(punish=round_.electors))
    assert settlements(round_.aborted()) == reported


@pytest.mark.parametrize("bond", [50, 70, 200])
def test_abort__another_records_nothing__gains_nobody_anything(create_round: CreateRound, bond: int) -> None:
    """Were the bond shared among those who recorded, each would gain if another failed: 25, not 16.67, of 50."""
    rewards = []
    for but in (0, 1):
        round_ = create_round(bond=bond * GWEI).selected()
        round_.trained(but=round_.stations[:but]).aborted()
        rewards.append([settlements(round_)[name]["reward"] for name in ("south", "east")])
    assert rewards[0] == rewards[1]


def test_abort__recorded_in_part__earns_that_part_and_loses_the_other_of_its_bond(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    north, south, east = round_.stations
    round_.trained(recorded={north: 1, south: 0, east: 2}).aborted()
    settled = settlements(round_)
    rewards, slashed = ([settled[name][what] for name in ("north", "south", "east")] for what in ("reward", "slashed"))
    assert rewards == [22 * GWEI // 3, 0, 19 * GWEI * 2 // 3]
    assert slashed == [-(-BOND * 2 // 3), BOND, -(-BOND // 3)]
    assert_settles_like_reference(round_)


def test_abort__no_recorder__bonds_alone(create_round: CreateRound) -> None:
    round_ = create_round().selected().wait_for("report")
    round_.abort().send()
    settled = settlements(round_)
    assert not any(dues[what] for dues in settled.values() for what in ("share", "tax", "reward"))
    assert {name for name, dues in settled.items() if dues["slashed"]} == {"bob", "north", "south", "east"}
    round_.settled()
    assert round_.state.escrow == 4 * BOND
    assert_settles_like_reference(round_)


def test_abort__pivotal_winner__its_tax_is_in_the_lot(create_round: CreateRound) -> None:
    """Carol instead of bob proposes the model that she alone wants: she is the winner and pivotal."""
    round_ = create_round(proposers=(0, 2)).trained().aborted()
    settled = round_.settled()
    carol = settled[round_.owners[2]].event("MemberSettled")
    assert (carol["share"], carol["slashed"], carol["tax"]) == (11.5 * GWEI, BOND, 21.25 * GWEI)
    assert round_.claim_lot().send().event("LotClaimed")["amount"] == (21.25 + 10.5) * GWEI
    assert_settles_like_reference(round_)


def test_abort__silent_winner__owes_share_and_bond_like_any_other(create_round: CreateRound) -> None:
    """Its bids count as zeros: a share of 4 + 80 / 4 = 24 gwei. Silence before the abort saves nothing."""
    round_ = create_round().drawn()
    bob = round_.owners[1]
    round_.revealed(but=[bob]).trained().aborted()
    assert round_.winner == bob
    settled = settlements(round_)
    assert (settled["bob"]["share"], settled["bob"]["slashed"]) == (24 * GWEI, BOND), "the bond is taken once"
    # The others' values are 80 now: V / 6 is 13.33 instead of 15.
    assert settled["north"]["reward"] == 7 * GWEI + 80 * GWEI // 6
    assert_settles_like_reference(round_)


def test_abort__others_were_silent__slashed_all_the_same(create_round: CreateRound) -> None:
    round_ = create_round().drawn()
    alice, south = round_.owners[0], round_.stations[1]
    round_.revealed(but=[alice, south]).trained().aborted()
    settled = settlements(round_)
    assert (settled["alice"]["slashed"], settled["south"]["slashed"]) == (BOND, BOND)
    assert_settles_like_reference(round_)


def test_abort__contributions_listed_before__stakes_go_back(create_round: CreateRound) -> None:
    round_ = create_round(contribution_stake=30 * GWEI).trained()
    north, south, east = round_.stations
    round_.report_contributions({north: 0, south: 500_000, east: 500_000}).send()
    round_.aborted()
    settled = settlements(round_)
    for name in ("north", "south", "east"):
        assert (settled[name]["bonus"], settled[name]["slashed"]) == (0, 0)
    assert_settles_like_reference(round_)


def test_abort__by_a_stranger__anyone_may(create_round: CreateRound, stranger: str) -> None:
    round_ = create_round().trained().wait_for("report")
    round_.call("abortTraining", sender=stranger).send()
    assert round_.state.status == Status.ABORTED


def test_abort__before_the_report_deadline__reverts(create_round: CreateRound) -> None:
    round_ = create_round().trained().wait_for("report", -1)
    round_.abort().reverts_with("PhaseNotOpen", roundId=round_.id, opensAt=round_.terms.deadlines.report)
    round_.wait_for("report").abort().send()


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
    round_.abort().reverts_with("WrongStatus", roundId=round_.id, actual=status, required=Status.TRAINING)


def test_abort__never_called__settlement_stays_shut_until_it_is(create_round: CreateRound) -> None:
    round_ = create_round().trained().wait_for("vote", 10**6)
    alice = round_.owners[0]
    round_.settle(alice).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.TRAINING)
    round_.abort().send()
    round_.settle(alice).send()
    assert round_.stage(alice) is Stage.NONE


@pytest.mark.parametrize("recorders", [0, 1])
def test_abort__settled_by_anybody__bids_are_looked_at_where_shares_follow(
    create_round: CreateRound, recorders: int
) -> None:
    round_ = create_round().selected()
    round_.trained(but=round_.stations[recorders:]).aborted()
    for seat, other in (round_.owners[:2], round_.stations[:2]):
        wrong = round_.settle(seat, bids=other.sealed.words)
        if recorders:
            wrong.reverts_with("WrongBids", member=seat.account)
        else:
            wrong.send()
    assert_settles_like_reference(round_)


def test_abort__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("abortTraining", 1, sender=stranger).reverts_with("UnknownRound", roundId=1)
