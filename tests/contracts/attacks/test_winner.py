"""Bad winners: one that rushes, withholds the model, omits or zeroes a base station, or works with some of them."""

from collections.abc import Callable

import pytest
from eth_utils import keccak

from analysis.devnode.market import Call
from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.terms import GWEI, Phase, Policy, Status
from tests.contracts.attacks.contract_member import ContractMember
from tests.support.assertions import assert_settles_like_reference

MakeContract = Callable[[str], ContractMember]
BOND = 200 * GWEI
ALL = 1_000_000


def dues(round_: LiveRound, seat: Seat) -> dict[str, int]:
    """What settling this member announces; taken back."""
    with round_.market.chain.snapshot():
        event = round_.settle(seat).send().event("MemberSettled")
    return {name: event[name] for name in ("slashed", "reward", "forfeited")}


def rushed(round_: LiveRound) -> list[Call]:
    """Selection, a global round and the report of bob, who wins with model 1."""
    bob = round_.owners[1]
    return [round_.select(bob), round_.record_global_round(bob), round_.report_result(bob)]


def test_winner__selects_and_reports_in_one_transaction__refused(
    create_round: CreateRound, make_contract: MakeContract
) -> None:
    """No base station could have recorded: all of them would lose reward and bond."""
    round_ = create_round().revealed()
    bob = make_contract(round_.owners[1].account)
    bob.run(rushed(round_)).reverts_with("UpdatesMissing", recorders=0, revealed=3)
    bob.run(rushed(round_)[:-1]).send()
    assert round_.state.phase == Phase.TRAIN, "stations have until the train deadline"


def test_winner__reports_before_the_last_station_has_recorded__refused_until_the_train_deadline(
    create_round: CreateRound,
) -> None:
    """Two of three work with it: the third still has all of the time that it was promised."""
    round_ = create_round().selected()
    east = round_.stations[2]
    round_.trained(but=[east]).wait_for("train", -1)
    round_.report_result().reverts_with("UpdatesMissing", recorders=2, revealed=3)
    round_.record_update(east).send()
    round_.reported().voted()
    assert dues(round_, east) == {"slashed": 0, "reward": 19 * GWEI, "forfeited": 0}


def test_winner_and_all_stations__everything_in_one_block__electors_still_have_their_vote(
    create_round: CreateRound, make_contract: MakeContract
) -> None:
    """They may say that they have trained; the owners have until the vote deadline to look at what they got."""
    round_ = create_round().revealed()
    alice, bob, carol = round_.owners
    first, *rest = rushed(round_)
    station_calls = [round_.record_update(seat) for seat in round_.stations]
    make_contract(bob.account).run([first]).send()
    round_.market.send_all(station_calls)
    make_contract(bob.account).run(rest).send()
    assert round_.market.chain.now == round_.terms.deadlines.commit
    assert round_.state.phase == Phase.VOTE
    round_.settle(bob).reverts_with("SettlementNotOpen", roundId=round_.id, status=Status.REPORTED)
    round_.wait_for("vote", -1)
    for elector in (alice, carol):
        round_.vote(elector, punish=True, accuracy_bps=100).send()
    assert dues(round_, bob)["slashed"] == BOND


def test_winner__withholds_the_model__loses_its_bond_to_the_stations(create_round: CreateRound) -> None:
    """It reports a digest of something that it shows to nobody. Its bond goes to who did the work, not to who votes."""
    round_ = create_round().trained()
    kept = keccak(text="a model that nobody gets to see")
    round_.call("reportResult", kept, round_.opening.encoded, sender=round_.winner).send()
    bob = round_.winner
    for elector in round_.electors:
        round_.vote(elector, punish=True, accuracy_bps=0).send()
    assert dues(round_, bob)["slashed"] == BOND
    with round_.market.chain.snapshot():
        round_.settle_many(round_.members).send()
        stations = [round_.rebate(seat) for seat in round_.stations]
        owners = [round_.rebate(seat) for seat in round_.owners]
    assert [rebate >= BOND // 3 for rebate in stations] == [True] * 3
    assert owners == [18.75 * GWEI, 18.75 * GWEI, 0], "carol's tax, and nothing of the bond"


@pytest.mark.parametrize("policy", [Policy.EQUAL, Policy.CAPABILITY])
def test_winner__omits_a_station__no_effect_where_rewards_follow_claims(
    create_round: CreateRound, policy: Policy
) -> None:
    round_ = create_round(base_policy=policy, station_points=(1, 1, 1)).trained()
    north, south, east = round_.stations
    round_.reported({north: 600_000, south: 400_000}).voted()
    assert dues(round_, east) == {"slashed": 0, "reward": 19 * GWEI, "forfeited": 0}
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("how", ["omitted", "explicit zero"])
def test_winner__leaves_a_station_out_under_contribution__vote_pays_it_all_the_same(
    create_round: CreateRound, how: str
) -> None:
    """Its two friends get everything unless the owners, who have the recorded updates, vote against the winner."""
    round_ = create_round(base_policy=Policy.CONTRIBUTION).trained()
    north, south, east = round_.stations
    round_.reported({north: 600_000, south: 400_000} | ({east: 0} if how == "explicit zero" else {}))
    with round_.market.chain.snapshot():
        round_.wait_for("vote")
        slashed = BOND if how == "explicit zero" else 0
        assert dues(round_, east) == {"slashed": slashed, "reward": 0, "forfeited": 0}
    round_.voted(punish=round_.electors)
    assert [dues(round_, seat)["reward"] / GWEI for seat in round_.stations] == [22, 19, 19]
    assert [dues(round_, seat)["slashed"] for seat in round_.stations] == [0, 0, 0]
    assert dues(round_, round_.winner)["slashed"] == BOND
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("claim", [2, 50])
def test_winner_and_a_station__give_it_nearly_all_points__its_own_claim_still_earns_nothing(
    create_round: CreateRound, claim: int
) -> None:
    """Part f = 0.999999, V = 300, θ = 1/2; the others' terms are 14 / 0.999999, rounded down, and 14."""
    round_ = create_round(
        ((100,),) * 3, ((claim,), (14,), (14,)), proposers=(0,), base_policy=Policy.CONTRIBUTION
    ).trained()
    north, south, _ = round_.stations
    round_.reported({north: ALL - 1, south: 1}).voted()
    terms = 14 * GWEI * ALL // (ALL - 1) + 14 * GWEI
    rewards = [dues(round_, seat)["reward"] for seat in round_.stations]
    assert rewards[0] == (ALL - 1) * (terms + 300 * GWEI) // (2 * ALL)
    assert sum(rewards) <= (claim + 28 + 300) * GWEI // 2, "no more than the pool"
    assert_settles_like_reference(round_)


@pytest.mark.parametrize(
    "points", [{0: 0, 1: 0, 2: 0}, {0: 500_000, 1: 499_999}, {0: 999_999, 1: 999_999, 2: 2}, {}], ids=str
)
def test_contributions__all_zero_or_not_adding_up__refused(create_round: CreateRound, points: dict[int, int]) -> None:
    round_ = create_round(base_policy=Policy.CONTRIBUTION).trained()
    listed = {round_.stations[number]: share for number, share in points.items()}
    round_.report_contributions(listed).send()
    round_.report_result().reverts_with("ContributionsDoNotAddUp", sum=sum(points.values()), required=ALL)


def test_contributions__all_zero_under_another_policy__vote_makes_them_void(create_round: CreateRound) -> None:
    """Every station would lose reward and bond by a word of the winner, who would train for nothing."""
    round_ = create_round().trained()
    round_.reported(dict.fromkeys(round_.stations, 0)).voted(punish=round_.electors)
    assert [dues(round_, seat)["reward"] / GWEI for seat in round_.stations] == [22, 19, 19]
    assert [dues(round_, seat)["slashed"] for seat in round_.stations] == [0, 0, 0]
    assert_settles_like_reference(round_)


def test_winner__never_reports__stations_are_paid_from_its_lock(create_round: CreateRound) -> None:
    """Share of 25 and bond of 200: holding the report back costs more than the share alone."""
    round_ = create_round().trained().aborted()
    bob = round_.winner
    with round_.market.chain.snapshot():
        lost = round_.lock(bob)
        round_.settled()
        assert lost - round_.market.free(bob.account) == 225 * GWEI
    assert [dues(round_, seat)["reward"] for seat in round_.stations] == [75 * GWEI] * 3
    assert_settles_like_reference(round_)


def test_winner_and_half_of_the_electors__zero_two_stations__take_their_bonds_and_no_more(
    create_round: CreateRound,
) -> None:
    """Not stopped (contracts/attacks.md): bob, alice and north; no more than half of the electors vote against bob.

    South and east lose 200 of bond and 19 of reward each. North, alone unharmed, gets both halved among two: 219.
    """
    round_ = create_round().trained()
    north, south, east = round_.stations
    round_.reported({south: 0, east: 0}).voted(punish=[round_.owners[2]])
    for victim in (south, east):
        assert dues(round_, victim) == {"slashed": BOND, "reward": 0, "forfeited": 19 * GWEI}
    with round_.market.chain.snapshot():
        round_.settle_many(round_.members).send()
        assert round_.rebate(north) == 219 * GWEI
        for victim in (south, east):
            free = round_.market.free(victim.account)
            assert free == round_.lock(victim) - BOND, "never more than the bond"
    assert_settles_like_reference(round_)
