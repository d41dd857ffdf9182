"""`abortTraining`: the winner never reports; its bond pays those who recorded, and nobody else pays.

Amounts start from the table in `test_settle.py`: bob wins, owes a share of 24 gwei, no tax, and the bond of 200.
"""

import pytest

from analysis.devnode.market import Market
from analysis.devnode.rounds import GLOBAL_ROUNDS, CreateRound, LiveRound
from fl.market.terms import GWEI, Phase, Stage, Status
from tests.support.reference import assert_settles_like_reference

BOND = 200 * GWEI


def settlements(round_: LiveRound) -> dict[str, dict[str, int]]:
    """What settling each member announces; taken back."""
    with round_.market.chain.snapshot():
        return {seat.name: receipt.event("MemberSettled") for seat, receipt in round_.settled().items()}


def test_abort__everybody_recorded__earns_what_it_would_have(create_round: CreateRound) -> None:
    """A third of the bond is more than any reward."""
    round_ = create_round().trained().wait_for("report")
    receipt = round_.abort().send()
    assert receipt.names == ["TrainingAborted"]
    assert receipt.event("TrainingAborted") == {"roundId": round_.id, "winner": round_.owners[1].account}
    assert (round_.state.status, round_.state.phase) == (Status.ABORTED, Phase.SETTLE)
    settled = settlements(round_)
    assert (settled["bob"]["share"], settled["bob"]["slashed"], settled["bob"]["tax"]) == (24 * GWEI, BOND, 0)
    assert [settled[name]["reward"] / GWEI for name in ("north", "south", "east")] == [22, 16, 19]
    for name in ("alice", "carol", "north", "south", "east"):
        assert (settled[name]["share"], settled[name]["tax"], settled[name]["slashed"]) == (0, 0, 0), "nobody else pays"
    round_.settled()
    assert round_.state.escrow == (24 + 200 - 22 - 16 - 19) * GWEI, "what is left over is kept"
    assert round_.lot == 0
    assert_settles_like_reference(round_)


def test_abort__rewards_above_an_equal_part_of_the_bond__cut_to_it(create_round: CreateRound) -> None:
    """A bond of 50 gives each of three 16.67 at most: south keeps its 16."""
    round_ = create_round(bond=50 * GWEI).trained().aborted()
    settled = settlements(round_)
    part = 50 * GWEI // 3
    assert [settled[name]["reward"] for name in ("north", "south", "east")] == [part, 16 * GWEI, part]
    round_.settled()
    assert round_.state.escrow == (24 + 50 - 16) * GWEI - 2 * part
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("bond", [50, 70, 200])
def test_abort__another_records_nothing__gains_nobody_anything(create_round: CreateRound, bond: int) -> None:
    """Were the bond shared among those who recorded, each would gain if another failed: 25, not 16.67, of 50."""
    rewards = []
    for but in (0, 1):
        round_ = create_round(bond=bond * GWEI).selected()
        round_.trained(but=round_.stations[:but]).aborted()
        rewards.append([settlements(round_)[name]["reward"] for name in ("south", "east")])
    assert rewards[0] == rewards[1]


def test_abort__recorded_in_part__earns_that_part_and_keeps_its_bond(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    north, south, east = round_.stations
    round_.trained(recorded={north: 1, south: 0, east: 2}).aborted()
    settled = settlements(round_)
    rewards = [settled[name]["reward"] for name in ("north", "south", "east")]
    assert rewards == [22 * GWEI // 3, 0, 19 * GWEI * 2 // 3]
    assert not any(settled[name]["slashed"] for name in ("north", "south", "east"))
    assert_settles_like_reference(round_)


def test_abort__no_recorder__no_share_but_the_bond(create_round: CreateRound) -> None:
    round_ = create_round().selected().wait_for("report")
    round_.abort().send()
    settled = settlements(round_)
    assert (settled["bob"]["share"], settled["bob"]["slashed"]) == (0, BOND)
    assert not any(settled[name]["reward"] for name in ("north", "south", "east"))
    round_.settled()
    assert round_.state.escrow == BOND
    assert_settles_like_reference(round_)


def test_abort__pivotal_winner__its_tax_is_the_lot(create_round: CreateRound) -> None:
    """Carol instead of bob proposes the model that she alone wants: she is the winner and pivotal."""
    round_ = create_round(proposers=(0, 2)).trained().aborted()
    settled = round_.settled()
    carol = settled[round_.owners[2]].event("MemberSettled")
    assert (carol["share"], carol["slashed"], carol["tax"]) == (11.5 * GWEI, BOND, 21.25 * GWEI)
    assert round_.lot == 21.25 * GWEI
    assert round_.claim_lot().send().event("LotClaimed")["amount"] == 21.25 * GWEI
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
    assert (settled["alice"]["share"], settled["alice"]["tax"]) == (0, 0)
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


@pytest.mark.parametrize("recorders", [0, 1, 2, 3])
@pytest.mark.parametrize("bond", [50, 59, 200])
def test_abort__any_number_of_recorders__the_bond_pays_for_all(
    create_round: CreateRound, bond: int, recorders: int
) -> None:
    round_ = create_round(bond=bond * GWEI).selected()
    round_.trained(but=round_.stations[recorders:]).aborted()
    settled = settlements(round_)
    paid = sum(event["reward"] for event in settled.values())
    assert paid <= settled["bob"]["slashed"] == bond * GWEI
    round_.settled()
    share = 24 * GWEI if recorders else 0
    assert round_.state.escrow == share + bond * GWEI - paid
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


def test_abort__settled_by_anybody__bids_of_members_that_pay_nothing_are_not_looked_at(
    create_round: CreateRound,
) -> None:
    round_ = create_round().trained(but=[]).aborted()
    alice, bob, _ = round_.owners
    round_.settle(alice, bids=[7]).send()
    round_.settle(bob, bids=alice.sealed.words).reverts_with("WrongBids", member=bob.account)
    north = round_.stations[0]
    round_.settle(north, bids=[0]).reverts_with("WrongBids", member=north.account)
    assert round_.member(north).recorded == GLOBAL_ROUNDS
    assert_settles_like_reference(round_)


def test_abort__unknown_round__reverts(market: Market, stranger: str) -> None:
    market.call("abortTraining", 1, sender=stranger).reverts_with("UnknownRound", roundId=1)
