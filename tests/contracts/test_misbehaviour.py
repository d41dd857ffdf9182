"""Silence, absence, explicit zeros, a bad winner: who loses what, and who gets it.

Amounts worked out by hand start from the table in `test_settle.py`; all else is compared with the reference.
"""

from collections.abc import Callable

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Policy, Status
from tests.support.assertions import assert_settles_like_reference

BOND = 200 * GWEI


def settlement(round_: LiveRound, name: str) -> dict[str, int]:
    """What settling that member announces; taken back."""
    seat = next(seat for seat in round_.members if seat.name == name)
    with round_.market.chain.snapshot():
        event = round_.settle(seat).send().event("MemberSettled")
    return {key: event[key] for key in ("share", "tax", "slashed", "reward", "forfeited")}


def rebates(round_: LiveRound) -> dict[str, int]:
    """What everybody gets back once all are settled; taken back."""
    with round_.market.chain.snapshot():
        round_.settled()
        return {seat.name: round_.rebate(seat) for seat in round_.members}


def test_silent_owner__pays_a_share_for_zeros_and_its_bond(create_round: CreateRound) -> None:
    """Without carol's bids V = 60, 30: model 0 wins. Her share for a claim of 0 is 30/6 + 60/4 = 20."""
    round_ = create_round().committed()
    round_.revealed(but=[round_.owners[2]]).voted()
    assert round_.state.selected == 0
    assert settlement(round_, "carol") == {
        "share": 20 * GWEI,
        "tax": 0,
        "slashed": BOND,
        "reward": 0,
        "forfeited": 0,
    }
    got_back = rebates(round_)
    assert got_back["alice"] - got_back["carol"] == BOND // 2, "not to the one who lost it"
    assert_settles_like_reference(round_)


def test_silent_station__no_reward_and_its_bond(create_round: CreateRound) -> None:
    """Without east's bids K = 29, 16. Its reward for a claim of 0 would be 16/4 + 90/6 = 19."""
    round_ = create_round().committed()
    round_.revealed(but=[round_.stations[2]]).voted()
    dues = settlement(round_, "east")
    assert (dues["slashed"], dues["reward"], dues["forfeited"]) == (BOND, 0, 19 * GWEI)
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("how", ["records nothing", "listed with an explicit 0"])
def test_absent_station__forfeits_reward_and_bond(create_round: CreateRound, how: str) -> None:
    round_ = create_round().selected()
    east = round_.stations[2]
    if how == "records nothing":
        round_.trained(but=[east]).voted()
    else:
        round_.trained().reported({east: 0}).voted()
    assert settlement(round_, "east") == {
        "share": 0,
        "tax": 0,
        "slashed": BOND,
        "reward": 0,
        "forfeited": 19 * GWEI,
    }
    # Inside: north's tax of 17.5 and east's 219, halved among the two others of each.
    got_back = rebates(round_)
    assert [got_back[name] / GWEI for name in ("north", "south", "east")] == [109.5, 118.25, 8.75]
    assert_settles_like_reference(round_)


def test_absent_station__pivotal_beyond_its_lock__tax_is_cut_to_what_is_left(create_round: CreateRound) -> None:
    """V = 100, 101, K = 50 + 0, 0 + 50: north turns the choice. With n = 2, r = (K - k) / 2 + V / 4 = 25, 50.25.

    Tax (50 + 50 - 25) - (51 + 0 - 50.25) = 74.25, but the lock holds 50 beside the bond, the reward is gone.
    """
    round_ = create_round(((60, 60), (40, 41)), ((50, 0), (0, 50))).selected()
    assert round_.state.selected == 1
    round_.trained(but=round_.stations[:1]).voted()
    assert settlement(round_, "north") == {
        "share": 0,
        "tax": 50 * GWEI,
        "slashed": BOND,
        "reward": 0,
        "forfeited": 50_250_000_000,
    }
    assert_settles_like_reference(round_)


def test_absent_station__winner_recorded_no_global_round__keeps_its_bond(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    round_.trained(but=[round_.stations[2]], guided=False).voted()
    dues = settlement(round_, "east")
    assert (dues["slashed"], dues["reward"], dues["forfeited"]) == (0, 0, 19 * GWEI)
    assert_settles_like_reference(round_)


@pytest.mark.parametrize("fault", ["no global round", "punished"])
def test_explicit_zero__winner_at_fault__ignored(create_round: CreateRound, fault: str) -> None:
    round_ = create_round().selected()
    round_.trained(guided=fault == "punished").reported({round_.stations[2]: 0})
    round_.voted(punish=round_.electors if fault == "punished" else ())
    dues = settlement(round_, "east")
    assert (dues["slashed"], dues["reward"], dues["forfeited"]) == (0, 19 * GWEI, 0)
    assert_settles_like_reference(round_)


def test_explicit_zero__taken_back__no_effect(create_round: CreateRound) -> None:
    round_ = create_round().trained()
    round_.report_contributions({round_.stations[2]: 0}).send()
    round_.reported({round_.stations[2]: 1}).voted()
    assert settlement(round_, "east")["reward"] == 19 * GWEI
    assert_settles_like_reference(round_)


def test_bad_winner__bond_goes_to_the_base_stations(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    honest = rebates(create_round().voted())
    round_.voted(punish=round_.electors)
    assert settlement(round_, "bob") == {
        "share": 25 * GWEI,
        "tax": 0,
        "slashed": BOND,
        "reward": 0,
        "forfeited": 0,
    }
    got_back = rebates(round_)
    for name in ("alice", "bob", "carol"):
        assert got_back[name] == honest[name], "never to those who voted"
    for name in ("north", "south", "east"):
        assert got_back[name] == honest[name] + BOND // 3
    assert_settles_like_reference(round_)


def test_bad_winner__contributions_are_ignored(create_round: CreateRound) -> None:
    """Everybody who recorded gets its equal-weight reward, whatever the winner has listed."""
    round_ = create_round(base_policy=Policy.CONTRIBUTION).trained()
    north, south, east = round_.stations
    round_.reported({north: 999_999, south: 1, east: 0}).voted(punish=round_.electors)
    assert [settlement(round_, name)["reward"] / GWEI for name in ("north", "south", "east")] == [22, 19, 19]
    assert_settles_like_reference(round_)


def test_contribution__paid_by_points_from_the_others_claims(create_round: CreateRound) -> None:
    """Parts f = 1/2, 3/10, 1/5 of claims k = 2, 14, 14; terms k / (1 - f) = 4, 20, 17.5; V = 90, θ = 1/2.

    Rewards f (others' terms + V) / 2: (37.5 + 90)/4 = 31.875; 3/20 (21.5 + 90) = 16.725; (24 + 90)/10 = 11.4.
    """
    round_ = create_round(base_policy=Policy.CONTRIBUTION).trained()
    north, south, east = round_.stations
    round_.reported({north: 500_000, south: 300_000, east: 200_000}).voted()
    rewards = [settlement(round_, name)["reward"] for name in ("north", "south", "east")]
    assert rewards == [31_875_000_000, 16_725_000_000, 11_400_000_000]
    assert sum(rewards) == 60 * GWEI
    assert_settles_like_reference(round_)


def test_nobody_recorded__no_shares_and_no_rewards(create_round: CreateRound) -> None:
    round_ = create_round().selected()
    round_.trained(but=round_.stations).voted()
    for seat in round_.members:
        dues = settlement(round_, seat.name)
        assert (dues["share"], dues["reward"], dues["forfeited"], dues["slashed"]) == (0, 0, 0, 0)
    assert settlement(round_, "carol")["tax"] == 37.5 * GWEI, "taxes stand"
    assert_settles_like_reference(round_)


def test_dead_proposer__bond_to_the_committed_owners(create_round: CreateRound) -> None:
    """Alice proposed and never committed: 200 gwei to bob and carol, before and after she is settled."""
    round_ = create_round().joined()
    alice, bob, carol = round_.owners
    round_.committed(but=[alice]).voted()
    assert settlement(round_, "alice") == {
        "share": 0,
        "tax": 0,
        "slashed": BOND,
        "reward": 0,
        "forfeited": 0,
    }
    round_.settle_many([bob, carol, *round_.stations]).send()
    early = round_.rebate(bob)
    round_.settle(alice, bids=[0]).send()
    assert round_.rebate(bob) == early >= BOND // 2
    assert_settles_like_reference(round_)


def test_dead_proposer__others_claimed_before_it_is_settled__escrow_covers_it(
    create_round: CreateRound,
) -> None:
    round_ = create_round().joined()
    alice, bob, carol = round_.owners
    round_.committed(but=[alice]).voted()
    round_.settle_many([bob, carol, *round_.stations]).send()
    for seat in (bob, carol, *round_.stations):
        round_.claim_rebate(seat).send()
    assert round_.state.escrow >= round_.lock(alice) - BOND
    round_.settle(alice, bids=[0]).send()
    assert round_.market.free(alice.account) == round_.lock(alice) - BOND
    assert round_.state.escrow < 20


def silent(*places: tuple[str, int]) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.committed()
        round_.revealed(but=[getattr(round_, side)[number] for side, number in places]).voted()

    return play


def absent(*numbers: int, guided: bool = True, punished: bool = False) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.selected()
        round_.trained(but=[round_.stations[number] for number in numbers], guided=guided).reported()
        round_.voted(punish=round_.electors if punished else ())

    return play


def never_commits(*places: tuple[str, int]) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.joined()
        round_.committed(but=[getattr(round_, side)[number] for side, number in places]).voted()

    return play


def listed(points: tuple[int, ...], *, guided: bool = True, punished: bool = False) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.trained(guided=guided).reported(dict(zip(round_.stations, points, strict=False)))
        round_.voted(punish=round_.electors if punished else ())

    return play


def no_owner_reveals(round_: LiveRound) -> None:
    round_.committed()
    round_.revealed(but=round_.owners).selected()
    assert round_.state.status == Status.NOTHING_TRAINED


PLAYS = {
    "honest": absent(),
    "silent owner": silent(("owners", 2)),
    "silent winner": silent(("owners", 1)),
    "silent pivotal station": silent(("stations", 0)),
    "silent on both sides": silent(("owners", 0), ("stations", 1)),
    "all owners silent": no_owner_reveals,
    "one station left": silent(("stations", 0), ("stations", 1)),
    "absent station": absent(0),
    "absent, unguided": absent(0, guided=False),
    "absent, punished": absent(0, punished=True),
    "two absent": absent(0, 2),
    "all absent": absent(0, 1, 2),
    "all absent, unguided": absent(0, 1, 2, guided=False),
    "all absent, punished": absent(0, 1, 2, punished=True),
    "punished": absent(punished=True),
    "explicit zero": listed((0, 600_000, 400_000)),
    "explicit zero, unguided": listed((0, 600_000, 400_000), guided=False),
    "explicit zero, punished": listed((0, 600_000, 400_000), punished=True),
    "one has nearly all": listed((999_999, 1)),
    "dead proposer": never_commits(("owners", 0)),
    "dead proposer and absent owner": never_commits(("owners", 0), ("stations", 2)),
}


@pytest.mark.parametrize("base_policy", Policy)
@pytest.mark.parametrize("owner_policy", [Policy.EQUAL, Policy.CAPABILITY])
@pytest.mark.parametrize("play", PLAYS)
def test_every_policy__settles_like_the_reference(
    create_round: CreateRound, play: str, owner_policy: Policy, base_policy: Policy
) -> None:
    round_ = create_round(
        owner_policy=owner_policy,
        owner_points=(5, 3, 7) if owner_policy else None,
        base_policy=base_policy,
        station_points=(11, 2, 3) if base_policy is Policy.CAPABILITY else None,
    )
    PLAYS[play](round_)
    assert_settles_like_reference(round_)
