"""Bad winners and electors: a winner that rushes, withholds, claims too much or works with some; votes that lie."""

from collections.abc import Callable

import pytest
from eth_utils import keccak

from analysis.devnode.market import Call
from analysis.devnode.rounds import CreateRound, LiveRound, Opening, Seat
from fl.market.terms import GWEI, Phase, Status
from tests.contracts.attacks.contract_member import ContractMember
from tests.support.reference import assert_settles_like_reference
from tests.support.utility import gains, utilities

MakeContract = Callable[[str], ContractMember]
BOND = 200 * GWEI
STAKE = 12 * GWEI
FIVE_OWNERS = ((30, 20), (30, 10), (12, 60), (1, 1), (1, 1))


def dues(round_: LiveRound, seat: Seat) -> dict[str, int]:
    """What settling this member announces; taken back."""
    with round_.market.chain.snapshot():
        event = round_.settle(seat).send().event("MemberSettled")
    return {name: event[name] for name in ("slashed", "reward", "forfeited", "bonus")}


def rushed(round_: LiveRound) -> list[Call]:
    """Selection, a global round and the report of bob, who wins with model 1."""
    bob = round_.owners[1]
    return [round_.select(bob), round_.record_global_round(bob), round_.report_result(bob)]


def listed(round_: LiveRound, *points: int) -> dict[Seat, int]:
    return dict(zip(round_.stations, points, strict=True))


def test_winner__selects_and_reports_in_one_transaction__refused(
    create_round: CreateRound, make_contract: MakeContract
) -> None:
    """No base station could have recorded: all of them would lose reward and bond."""
    round_ = create_round().revealed()
    bob = make_contract(round_.owners[1].account)
    bob.run(rushed(round_)).reverts_with("UpdatesMissing", finished=0, required=3)
    bob.run(rushed(round_)[:-1]).send()
    assert round_.state.phase == Phase.TRAIN, "stations have until the train deadline"


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_winner__reports_before_the_last_station_has_recorded_all__refused_until_the_train_deadline(
    create_round: CreateRound, missing: int
) -> None:
    """Two of three are done: the third still has all of the time that it was promised for what it has left."""
    round_ = create_round().selected()
    south = round_.stations[1]
    round_.trained(recorded={south: 3 - missing}).wait_for("train", -1)
    round_.report_result().reverts_with("UpdatesMissing", finished=2, required=3)
    round_.market.send_all([round_.record_update(south, g) for g in range(3 - missing, 3)])
    round_.reported().voted()
    assert dues(round_, south) == {"slashed": 0, "reward": 16 * GWEI, "forfeited": 0, "bonus": 0}


def test_winner_and_all_stations__everything_in_one_block__electors_still_have_their_vote(
    create_round: CreateRound, make_contract: MakeContract
) -> None:
    """They may say that they have trained; the owners have until the vote deadline to look at what they got."""
    round_ = create_round().revealed()
    alice, bob, carol = round_.owners
    revealed_at = round_.market.chain.now
    first, *rest = rushed(round_)
    records = [round_.record_update(seat, g) for seat in round_.stations for g in range(3)]
    make_contract(bob.account).run([first]).send()
    round_.market.send_all(records)
    make_contract(bob.account).run(rest).send()
    assert round_.market.chain.now == revealed_at
    assert round_.state.phase == Phase.VOTE
    round_.settle(bob).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.REPORTED)
    round_.wait_for("vote", -1)
    for elector in (alice, carol):
        round_.vote(elector, accuracy_bps=100).send()
    assert dues(round_, bob)["slashed"] == BOND


def test_winner__withholds_the_model__loses_its_bond_and_nobody_gains_it(create_round: CreateRound) -> None:
    """It reports a digest of something that it shows to nobody. The electors have measured nothing, and say so."""
    honest = gains(create_round().voted())
    round_ = create_round().trained()
    withheld = keccak(text="a model that nobody gets to see")
    round_.call("reportResult", withheld, round_.opening.encoded, sender=round_.winner).send()
    for elector in round_.electors:
        round_.vote(elector, accuracy_bps=0).send()
    assert gains(round_) == honest | {"bob": honest["bob"] - BOND}
    assert_settles_like_reference(round_)


@pytest.mark.parametrize(
    ("claimed", "measured", "lost"), [(9_100, 8_800, 0), (9_100, 8_799, BOND), (10_000, 5_000, BOND)]
)
def test_winner__claims_more_than_the_model_does__costs_its_bond(
    create_round: CreateRound, claimed: int, measured: int, lost: int
) -> None:
    """Owners bid on claims: one that is not reached by more than the tolerance is paid for, to the basis point."""
    round_ = create_round(opening=Opening(claimed_accuracy_bps=claimed)).reported()
    for elector in round_.electors:
        round_.vote(elector, accuracy_bps=measured).send()
    assert dues(round_, round_.winner)["slashed"] == lost


def test_winner__omits_a_station__costs_it_its_stake_if_the_electors_agree_and_nothing_else(
    create_round: CreateRound,
) -> None:
    """Rewards and bonds do not follow the list; half of the electors are not enough for the stake either."""
    for votes_for, bonus in ((2, -STAKE), (1, 0)):
        round_ = create_round(contribution_stake=STAKE).trained()
        north, south, east = round_.stations
        round_.reported({north: 600_000, south: 400_000}).voted(reject=round_.electors[votes_for:])
        assert dues(round_, east) == {"slashed": 0, "reward": 19 * GWEI, "forfeited": 0, "bonus": bonus}
        assert_settles_like_reference(round_)


@pytest.mark.parametrize(
    "points", [(0, 0, 0), (500_000, 499_999, 0), (500_000, 500_001, 0), (1, 2, 3), (666_666, 666_666, 666_666)], ids=str
)
def test_contributions__all_zero_or_not_adding_up__count_for_nothing(
    create_round: CreateRound, points: tuple[int, int, int]
) -> None:
    """Upheld by everybody: it would be a word of the winner by which stations lose bonds, or stakes are made."""
    round_ = create_round(contribution_stake=STAKE).trained()
    honest = gains(round_.reported(listed(round_, *points)).voted())
    assert [dues(round_, seat)["slashed"] for seat in round_.stations] == [0, 0, 0]
    assert [dues(round_, seat)["bonus"] for seat in round_.stations] == [0, 0, 0]
    assert sum(honest.values()) == 0
    assert_settles_like_reference(round_)


def test_winner_and_a_station__give_it_twice_its_part__it_gains_a_stake_at_most(
    create_round: CreateRound,
) -> None:
    """The most that a list can move to one station is one stake, and it is the others' stakes that pay for it."""
    round_ = create_round(contribution_stake=STAKE).trained()
    north = round_.stations[0]
    round_.report_contributions({north: 666_667}).reverts_with(
        "ContributionTooLarge", station=north.account, points=666_667, maximum=666_666
    )
    round_.reported(listed(round_, 666_666, 333_334, 0)).voted()
    bonuses = [dues(round_, seat)["bonus"] for seat in round_.stations]
    assert bonuses == [3 * STAKE * points // 1_000_000 - STAKE for points in (666_666, 333_334, 0)]
    assert max(bonuses) <= STAKE and sum(bonuses) <= 0
    assert_settles_like_reference(round_)


def test_winner__never_reports__loses_its_bond_and_moves_nothing_else(create_round: CreateRound) -> None:
    round_ = create_round().trained()
    with round_.market.chain.snapshot():
        told = gains(round_.reported().voted())
    bob = round_.winner
    assert gains(round_.aborted()) == told | {bob.name: told[bob.name] - BOND}
    assert_settles_like_reference(round_)


def test_all_owners__have_the_model_and_never_report_it__save_nothing(create_round: CreateRound) -> None:
    """Every owner has the global models by then. Were nothing due, they would save 54.25 gwei for a bond of 50."""
    round_ = create_round(bond=50 * GWEI).trained()
    owners = [seat.name for seat in round_.owners]
    with round_.market.chain.snapshot():
        told = gains(round_.reported().voted())
    kept = gains(round_.aborted())
    assert sum(kept[name] - told[name] for name in owners) == -50 * GWEI
    assert all(kept[seat.name] == told[seat.name] for seat in round_.stations)


def test_winner__silent_and_never_reports__loses_no_less(create_round: CreateRound) -> None:
    """In the first version the bond for silence came back to its own side, and the abort found none to take."""
    round_ = create_round(((1, 0), (30, 80), (12, 60)), proposers=(1, 0)).drawn()
    alice = round_.owners[0]
    round_.revealed(but=[alice]).trained().aborted()
    assert round_.winner == alice
    assert gains(round_)["alice"] <= -BOND
    assert_settles_like_reference(round_)


@pytest.mark.parametrize(("liars", "punished"), [(1, False), (2, False), (3, True), (4, True)])
def test_electors__vote_with_accuracies_that_they_never_measured__need_more_than_half_of_all(
    create_round: CreateRound, liars: int, punished: bool
) -> None:
    """Four electors; the others stay away, which helps no verdict. What a false one takes from bob, nobody gets."""
    honest = gains(create_round(FIVE_OWNERS).trained().reported().voted())
    round_ = create_round(FIVE_OWNERS).reported()
    bob = round_.winner
    for elector in round_.electors[:liars]:
        round_.vote(elector, accuracy_bps=0).send()
    round_.over().wait_for("vote")
    assert gains(round_) == honest | {bob.name: honest[bob.name] - (BOND if punished else 0)}
    assert_settles_like_reference(round_)


def test_winner_and_most_electors__zero_two_stations__their_bonds_are_kept_and_their_stakes_are_gained(
    create_round: CreateRound,
) -> None:
    """Not stopped (contracts/attacks.md): bob, alice, carol and north, against south and east.

    South and east lose 200 of bond and 12 of stake each. Of that north gets 12; the rest is lost to all.
    """
    gang, victims = ("alice", "bob", "carol", "north"), ("south", "east")
    reached = []
    for points in ((250_000,) * 4, (500_000, 0, 0, 500_000)):
        round_ = create_round(station_bids=((28, 2), *[(1, 14)] * 3), contribution_stake=STAKE).trained()
        reached.append(utilities(round_.reported(listed(round_, *points)).voted()))
    fair, robbing = reached
    assert {name: fair[name] - robbing[name] for name in victims} == dict.fromkeys(victims, BOND + STAKE)
    assert sum(robbing[name] - fair[name] for name in gang) == STAKE
    assert_settles_like_reference(round_)


@pytest.mark.parametrize(
    ("points", "punished", "bonus"),
    [((500_000, 500_000), False, -STAKE), ((500_000, 500_000), True, -STAKE), ((666_666,), False, 0)],
    ids=["upheld", "its absence has the winner punished", "two of three"],
)
def test_station__attends_without_training__loses_its_stake_where_a_list_stands(
    create_round: CreateRound, points: tuple[int, ...], punished: bool, bonus: int
) -> None:
    """Not stopped (contracts/attacks.md): a record is attendance. Lists of clients leave out who has no update.

    The largest list of one station in three is one point short of two thirds.
    """
    round_ = create_round(contribution_stake=STAKE).trained()
    idle = round_.stations[-1]
    round_.reported(dict(zip(round_.stations, points, strict=False))).voted(punish=round_.electors if punished else ())
    assert dues(round_, idle) == {"slashed": 0, "reward": 19 * GWEI, "forfeited": 0, "bonus": bonus}
    assert_settles_like_reference(round_)
