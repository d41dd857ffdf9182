"""Silence, absence, partial work, a bad winner: who loses what, and that nobody gains it.

Amounts start from the table in `test_settle.py`.
"""

from collections.abc import Callable

import pytest

from analysis.devnode.rounds import GLOBAL_ROUNDS, CreateRound, LiveRound
from fl.market.terms import GWEI, Policy, Status
from tests.support.reference import assert_settles_like_reference

BOND = 200 * GWEI
NOTHING = dict.fromkeys(("share", "tax", "slashed", "reward", "forfeited", "bonus"), 0)


def settlement(round_: LiveRound, name: str) -> dict[str, int]:
    """What settling that member announces; taken back."""
    seat = next(seat for seat in round_.members if seat.name == name)
    with round_.market.chain.snapshot():
        event = round_.settle(seat).send().event("MemberSettled")
    return {key: event[key] for key in NOTHING}


def kept(round_: LiveRound) -> int:
    """What stays in the contract once all are settled and the lot is claimed, wei; taken back."""
    with round_.market.chain.snapshot():
        round_.settled()
        round_.claim_lot().send()
        escrow: int = round_.state.escrow
    return escrow


def test_silent_owner__pays_a_share_for_zeros_and_its_bond(create_round: CreateRound) -> None:
    """Without carol's bids V = 60, 30 and E = 33, 12: model 0 wins. Her share for a claim of 0 is 29/4 + 60/4."""
    round_ = create_round().drawn()
    round_.revealed(but=[round_.owners[2]]).voted()
    assert round_.state.selected == 0
    assert settlement(round_, "carol") == {**NOTHING, "share": 22.25 * GWEI, "slashed": BOND}
    assert 0 <= kept(round_) - BOND < 6, "the bond, and the rounding of shares"


def test_silent_station__no_reward_and_its_bond(create_round: CreateRound) -> None:
    """Without south's bids K = 28, 2 and E = 60, 174. Its reward for a claim of 0 would be 2/2 + 90/6."""
    round_ = create_round().drawn()
    round_.revealed(but=[round_.stations[1]]).voted()
    assert settlement(round_, "south") == {**NOTHING, "slashed": BOND, "forfeited": 16 * GWEI}
    assert kept(round_) == BOND + 16 * GWEI


def test_claimant__silent_by_rule__neither_slashed_nor_unpaid(create_round: CreateRound) -> None:
    for number, name in enumerate(("north", "south", "east")):
        round_ = create_round(claimant=number).voted()
        assert settlement(round_, name)["slashed"] == 0
        assert settlement(round_, name)["reward"] > 0


@pytest.mark.parametrize("recorded", range(GLOBAL_ROUNDS + 1))
@pytest.mark.parametrize(("name", "reward"), [("south", 16), ("east", 19)])
def test_station__part_of_the_work__paid_by_the_part_and_slashed_by_the_rest(
    create_round: CreateRound, name: str, reward: int, recorded: int
) -> None:
    """The claimant, east, like any other: reward · e / T rounded down, bond · (T - e) / T rounded up."""
    round_ = create_round().selected()
    seat = next(seat for seat in round_.stations if seat.name == name)
    round_.trained(recorded={seat: recorded}).voted()
    earned = reward * GWEI * recorded // GLOBAL_ROUNDS
    slashed = -(-BOND * (GLOBAL_ROUNDS - recorded) // GLOBAL_ROUNDS)
    expected = {**NOTHING, "reward": earned, "forfeited": reward * GWEI - earned, "slashed": slashed}
    assert settlement(round_, name) == expected
    assert kept(round_) == slashed + reward * GWEI - earned


def test_absent_station__pivotal_beyond_its_lock__tax_is_cut_to_what_is_left(create_round: CreateRound) -> None:
    """V = 102, 102, K = 50 + 0, 0 + 49: E = 54, 57; north turns the choice, r = 0 + 17, 24.5 + 17.

    A = 54 + 3 (50 - 17) = 153, 57 + 3 (0 - 41.5) = -67.5: a tax of 73.5, but the lock holds 50 beside the bond, and
    the reward is gone.
    """
    round_ = create_round(((60, 60), (42, 42)), ((50, 0), (0, 49), (0, 0))).selected()
    assert round_.state.selected == 1
    north = round_.stations[0]
    with round_.market.chain.snapshot():
        round_.trained().voted()
        assert settlement(round_, "north") == {**NOTHING, "reward": 41.5 * GWEI, "tax": 73.5 * GWEI}
    round_.trained(but=[north]).voted()
    assert settlement(round_, "north") == {
        **NOTHING,
        "tax": 50 * GWEI,
        "slashed": BOND,
        "forfeited": 41.5 * GWEI,
    }


def test_winner__recorded_no_global_round__moves_no_money(create_round: CreateRound) -> None:
    settled = {}
    for guided in (False, True):
        round_ = create_round().trained(guided=guided).voted()
        settled[guided] = [settlement(round_, seat.name) for seat in round_.members]
    assert settled[True] == settled[False]


def test_bad_winner__loses_its_bond_to_nobody(create_round: CreateRound) -> None:
    round_ = create_round().reported()
    round_.voted(punish=round_.electors)
    assert settlement(round_, "bob") == {**NOTHING, "share": 24 * GWEI, "slashed": BOND}
    assert kept(round_) == BOND


def test_silent_and_bad_winner__loses_one_bond(create_round: CreateRound) -> None:
    round_ = create_round().drawn()
    bob = round_.owners[1]
    round_.revealed(but=[bob]).reported()
    assert round_.winner == bob
    round_.voted(punish=round_.electors)
    assert settlement(round_, "bob")["slashed"] == BOND


def test_nobody_recorded__no_shares_rewards_or_taxes_but_every_stations_bond(create_round: CreateRound) -> None:
    """The claimant's too: it could record like the others."""
    round_ = create_round().selected()
    round_.trained(but=round_.stations).voted()
    for seat in round_.owners:
        assert settlement(round_, seat.name) == NOTHING
    for seat in round_.stations:
        assert settlement(round_, seat.name) == {**NOTHING, "slashed": BOND}
    assert kept(round_) == 3 * BOND


def test_all_owners_silent__nothing_is_trained_and_their_bonds_are_kept(create_round: CreateRound) -> None:
    round_ = create_round().drawn()
    round_.revealed(but=round_.owners).selected()
    assert round_.state.status == Status.NOTHING_TRAINED
    assert settlement(round_, "alice")["slashed"] == BOND
    assert kept(round_) == 3 * BOND


def test_absent_proposer__bond_kept_whoever_settles_first(create_round: CreateRound) -> None:
    """Alice proposed and never committed: bob and carol get nothing of it, before and after she is settled."""
    round_ = create_round().joined()
    alice = round_.owners[0]
    round_.committed(but=[alice]).voted()
    assert settlement(round_, "alice") == {**NOTHING, "slashed": BOND}
    others = [seat for seat in round_.members if seat != alice]
    with round_.market.chain.snapshot():
        round_.settle_many([alice, *others]).send()
        after = {seat.name: round_.market.free(seat.account) for seat in round_.members}
    round_.settle_many([*others, alice]).send()
    assert {seat.name: round_.market.free(seat.account) for seat in round_.members} == after
    assert round_.state.escrow - round_.lot >= BOND


def silent(*places: tuple[str, int]) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.drawn()
        round_.revealed(but=[getattr(round_, side)[number] for side, number in places]).voted()

    return play


def working(*recorded: int, guided: bool = True, punished: bool = False) -> Callable[[LiveRound], None]:
    """So many global rounds of each base station, the claimant last."""

    def play(round_: LiveRound) -> None:
        round_.selected()
        round_.trained(recorded=dict(zip(round_.stations, recorded, strict=True)), guided=guided).reported()
        round_.voted(punish=round_.electors if punished else ())

    return play


def never_commits(*places: tuple[str, int]) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.joined()
        round_.committed(but=[getattr(round_, side)[number] for side, number in places]).voted()

    return play


def listed(*points: int, punished: bool = False, upheld: bool = True) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.trained().reported(dict(zip(round_.stations, points, strict=False)))
        round_.voted(punish=round_.electors if punished else (), reject=() if upheld else round_.electors)

    return play


def aborted(*recorded: int, silent_winner: bool = False) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.drawn().revealed(but=[round_.owners[1]] if silent_winner else ()).selected()
        round_.trained(recorded=dict(zip(round_.stations, recorded, strict=True))).aborted()

    return play


def no_owner_reveals(round_: LiveRound) -> None:
    round_.drawn().revealed(but=round_.owners).selected()
    assert round_.state.status == Status.NOTHING_TRAINED


PLAYS: dict[str, Callable[[LiveRound], object]] = {
    "honest": working(3, 3, 3, 3),
    "silent owner": silent(("owners", 2)),
    "silent winner": silent(("owners", 1)),
    "silent pivotal station": silent(("stations", 0)),
    "silent on both sides": silent(("owners", 0), ("stations", 1)),
    "all owners silent": no_owner_reveals,
    "one station left": silent(("stations", 0), ("stations", 1)),
    "absent station": working(0, 3, 3, 3),
    "absent claimant": working(3, 3, 3, 0),
    "partial work": working(1, 2, 3, 1),
    "partial, unguided": working(1, 2, 3, 1, guided=False),
    "partial, punished": working(1, 2, 3, 1, punished=True),
    "all absent": working(0, 0, 0, 0),
    "all absent, punished": working(0, 0, 0, 0, punished=True),
    "listed": listed(100_000, 200_000, 300_000, 400_000),
    "listed, a zero": listed(0, 500_000, 500_000),
    "listed, two have all": listed(500_000, 500_000),
    "listed, a zero of the claimant": listed(500_000, 300_000, 200_000, 0),
    "listed, rejected": listed(0, 500_000, 500_000, upheld=False),
    "listed, punished": listed(0, 500_000, 500_000, punished=True),
    "listed, one short": listed(0, 499_999, 500_000, 0),
    "aborted": aborted(3, 3, 3, 3),
    "aborted, partial work": aborted(1, 0, 2, 3),
    "aborted, nobody recorded": aborted(0, 0, 0, 0),
    "aborted by a silent winner": aborted(3, 2, 1, 0, silent_winner=True),
    "absent proposer": never_commits(("owners", 0)),
    "absent on both sides": never_commits(("owners", 0), ("stations", 2)),
}


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("play", PLAYS)
def test_every_conduct__under_either_policy__like_the_reference(
    create_round: CreateRound, play: str, policy: Policy
) -> None:
    round_ = create_round(
        station_bids=((28, 2), (1, 14), (1, 13), (9, 9)),
        owner_policy=policy,
        owner_points=(5, 3, 7) if policy is Policy.CAPABILITY else None,
        bond=51 * GWEI,
        contribution_stake=7 * GWEI,
    )
    PLAYS[play](round_)
    assert_settles_like_reference(round_)
