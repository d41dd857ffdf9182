"""Both policies, every claimant, theta at its ends, and every conduct: the contract settles like the reference."""

from collections.abc import Callable
from typing import Any

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound
from fl.market.terms import GWEI, Policy, Status
from tests.support.reference import assert_settles_like_reference

UNEVEN: dict[str, Any] = {
    "owner_bids": ((31, 7, 0, 97), (29, 100, 1, 3), (11, 61, 99, 1), (5, 7, 11, 13)),
    "station_bids": ((28, 2, 49, 3), (1, 14, 50, 5), (1, 13, 0, 7), (3, 3, 17, 5)),
    "proposers": (2, 0, 3, 1),
    "contribution_stake": GWEI,
}


# The claimant goes round, and theta comes from the ends of its range and from the middle.
@pytest.mark.parametrize("bps", [0, 1, 5_000, 9_999, None])
@pytest.mark.parametrize("claimant", range(4))
def test_settle__equal__every_theta_and_claimant_like_the_reference(
    create_round: CreateRound, claimant: int, bps: int | None
) -> None:
    """Uneven bids, so that every division leaves a remainder; four models take two words."""
    surplus = (0, 9_999) if bps is None else (bps, bps)
    round_ = create_round(**UNEVEN, surplus_bps=surplus, claimant=claimant)
    assert_settles_like_reference(round_.voted())


@pytest.mark.parametrize("claimant", range(4))
@pytest.mark.parametrize("points", [(7, 3, 1, 11), (2**32 - 1, 1, 2**31, 7)])
def test_settle__capability__every_claimant_like_the_reference(
    create_round: CreateRound, points: tuple[int, ...], claimant: int
) -> None:
    round_ = create_round(**UNEVEN, owner_points=points, owner_policy=Policy.CAPABILITY, claimant=claimant)
    assert_settles_like_reference(round_.voted())


def test_settle__members_in_another_order__same_amounts(create_round: CreateRound) -> None:
    """Whoever joins and commits first gains nothing by it, but for who is drawn: here the same station."""
    amounts = []
    for order in ((0, 1, 2, 3), (2, 0, 3, 1), (3, 2, 1, 0)):
        round_ = create_round(
            owner_bids=[UNEVEN["owner_bids"][i] for i in order],
            station_bids=[UNEVEN["station_bids"][i] for i in order],
            proposers=[order.index(i) for i in UNEVEN["proposers"]],
            claimant=order.index(2),
        )
        settled = round_.voted().settled()
        events = {seat.bids: receipt.event("MemberSettled") | {"member": ""} for seat, receipt in settled.items()}
        amounts.append({bids: {**event, "roundId": 0} for bids, event in events.items()})
    assert amounts[0] == amounts[1] == amounts[2]
    assert any(event["tax"] for event in amounts[0].values()), "nobody is pivotal"


# ── conduct ──


def silent(*places: tuple[str, int]) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.drawn()
        round_.revealed(but=[getattr(round_, side)[number] for side, number in places]).voted()

    return play


def absent(*numbers: int, recorded: int = 0, punished: bool = False) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.selected()
        round_.trained(recorded={round_.stations[number]: recorded for number in numbers}).reported()
        round_.voted(punish=round_.electors if punished else ())

    return play


def never_commits(*places: tuple[str, int]) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.joined()
        round_.committed(but=[getattr(round_, side)[number] for side, number in places]).voted()

    return play


def listed(*points: int, upheld: bool = True, punished: bool = False) -> Callable[[LiveRound], None]:
    def play(round_: LiveRound) -> None:
        round_.trained().reported(dict(zip(round_.stations, points, strict=False)))
        electors = round_.electors
        round_.voted(punish=electors if punished else (), reject=() if upheld else electors)

    return play


def no_owner_reveals(round_: LiveRound) -> None:
    round_.drawn().revealed(but=round_.owners).selected()
    assert round_.state.status == Status.NOTHING_TRAINED


# North is the pivotal base station, west the claimant.
PLAYS: dict[str, Callable[[LiveRound], None]] = {
    "honest": absent(),
    "silent owner": silent(("owners", 2)),
    "silent winner": silent(("owners", 1)),
    "silent pivotal station": silent(("stations", 0)),
    "silent on both sides": silent(("owners", 0), ("stations", 1)),
    "all owners silent": no_owner_reveals,
    "one station and the claimant left": silent(("stations", 0), ("stations", 1)),
    "absent station": absent(0),
    "lazy station": absent(0, recorded=1),
    "lazy claimant": absent(3, recorded=2),
    "absent, punished": absent(0, punished=True),
    "two absent": absent(0, 2),
    "all absent": absent(0, 1, 2, 3),
    "all absent, punished": absent(0, 1, 2, 3, punished=True),
    "punished": absent(punished=True),
    "zero upheld": listed(0, 500_000, 300_000, 200_000),
    "zero of the claimant upheld": listed(500_000, 300_000, 200_000, 0),
    "zero not upheld": listed(0, 500_000, 300_000, 200_000, upheld=False),
    "zero, punished": listed(0, 500_000, 300_000, 200_000, punished=True),
    "two have all": listed(500_000, 500_000),
    "list does not add up": listed(0, 500_000, 300_000, 199_999),
    "absent proposer": never_commits(("owners", 0)),
    "absent proposer, owner and station": never_commits(("owners", 0), ("owners", 3), ("stations", 2)),
}


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("play", PLAYS)
def test_every_policy__settles_like_the_reference(create_round: CreateRound, play: str, policy: Policy) -> None:
    round_ = create_round(
        ((30, 20), (30, 10), (12, 60), (5, 5)),
        ((28, 2), (1, 14), (1, 14), (2, 2)),
        owner_policy=policy,
        owner_points=(5, 3, 7, 2) if policy is Policy.CAPABILITY else None,
        contribution_stake=30 * GWEI,
    )
    PLAYS[play](round_)
    assert_settles_like_reference(round_)
