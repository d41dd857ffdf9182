"""Sums and shares of a million members at the largest cap: no lane reaches its neighbour, nothing wraps around."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import pytest

from analysis.devnode.rounds import CreateRound, LiveRound, Seat
from fl.market.terms import GWEI, Policy, Role
from tests.contracts.attacks.storage import conduct_of, draw_of, ledger_of, member_of, sums_of

MAX_CAP = 2**44 - 1
MAX_BOND = (2**54 - 1) * GWEI
MAX_POINTS = 2**32 - 1
MOST = 2**20 - 1  # committed members of a side
Q = 2**64
RICH = 2**120  # wei: the largest lock and more


@pytest.mark.parametrize("models", [1, 3, 4, 7])
def test_sums__a_million_members_at_the_cap__no_lane_spills(create_round: CreateRound, models: int) -> None:
    """All but one are placed; the last one's reveal takes every lane, and the counter, to its largest."""
    top = (MAX_CAP,) * models
    round_ = create_round(
        (top,) * max(2, models),
        (top,) * 3,
        proposers=range(models),
        max_owner_bid=MAX_CAP,
        max_station_bid=MAX_CAP,
        bond=MAX_BOND,
    )
    for seat in round_.members:
        round_.market.chain.set_balance(seat.account, RICH)
    round_.drawn()
    words = [sums_of(round_, Role.OWNER, w) for w in range(models // 4 + 1)]
    for w, word in enumerate(words):
        filled = {f"lane {lane}": (MOST - 1) * MAX_CAP for lane in range(4) if 1 <= 4 * w + lane <= models}
        word.place(**filled | ({"lane 0": MOST - 1} if w == 0 else {}))
    round_.reveal_bid(round_.owners[0]).send()
    sums = round_.market.view("sumsOf", round_.id)
    assert sums.values == [MOST * MAX_CAP] * models
    assert sums.costs == [0] * models
    assert round_.state.revealed == [MOST, 0]
    beyond = [word[f"lane {lane}"] for w, word in enumerate(words) for lane in range(4) if 4 * w + lane > models]
    assert beyond == [0] * len(beyond)


@dataclass(frozen=True)
class Million:
    """A round of a million members a side, as its words tell it: sums of gwei by model, theta, the owners' points."""

    values: tuple[int, int, int]
    costs: tuple[int, int, int]
    theta: int = 0
    points: int = MOST
    own_points: int = 1
    owner_cap: int = MAX_CAP

    @property
    def scores(self) -> list[int]:
        """E, wei."""
        return [GWEI * ((MOST - 1) * v - MOST * k) for v, k in zip(self.values, self.costs, strict=True)]

    @property
    def selected(self) -> int:
        return max(range(3), key=lambda m: (self.scores[m], -m))

    def owner_share(self, m: int, bid: int) -> int:
        """As mechanism.md has it, in fractions."""
        theta, estimate = Fraction(self.theta, Q), Fraction(self.costs[m] * GWEI * MOST, MOST - 1)
        if self.points != MOST:
            exact = self.own_points * estimate / self.points
        else:
            exact = (1 - theta) * estimate / MOST + theta * GWEI * (self.values[m] - bid) / (MOST - 1)
        return min(ceil(exact), self.own_points * self.owner_cap * GWEI)

    def reward(self, m: int, bid: int, others: int) -> int:
        """Of a base station that has so many others (but the claimant) beside it."""
        theta = Fraction(self.theta, Q)
        return floor((1 - theta) * GWEI * (self.costs[m] - bid) / others + theta * self.values[m] * GWEI / MOST)

    def dues(self, seat: Seat, claimant: bool) -> dict[str, int]:
        """Share, reward and tax, before they are cut to the lock."""
        if claimant:
            return {"share": 0, "reward": self.reward(self.selected, 0, MOST - 1), "tax": 0}
        if seat.role is Role.OWNER:
            weight, shares = MOST - 1, [self.owner_share(m, bid) for m, bid in enumerate(seat.bids)]
            claims = [bid * GWEI for bid in seat.bids]
        else:
            weight, shares = MOST, [-self.reward(m, bid, MOST - 2) for m, bid in enumerate(seat.bids)]
            claims = [-bid * GWEI for bid in seat.bids]
        enjoyed = [e - weight * (u - s) for e, u, s in zip(self.scores, claims, shares, strict=True)]
        tax = -(-(max(0, *enjoyed) - enjoyed[self.selected]) // weight)
        share = shares[self.selected]
        return {"share": max(share, 0), "reward": max(-share, 0), "tax": tax}


TOP = MOST * MAX_CAP
STATION_TOP = (MOST - 1) * MAX_CAP  # all but the claimant
HEAVY_CAP = 2**33 - 1  # gwei: with the most points as much as a round can hold
HEAVY_TOP = MOST * HEAVY_CAP
# In each the first two models are so close that a member with the largest bid decides between them.
EDGES = {
    "theta 0": Million((TOP, TOP, TOP), (STATION_TOP - 2**45, STATION_TOP - 2**45 + 2**43, STATION_TOP)),
    "theta half": Million((TOP, TOP - 2**43, 2**45), (STATION_TOP // 3, STATION_TOP // 3, 0), theta=Q // 2 + 1),
    "theta nearly 1": Million((TOP, TOP, TOP - 2**45), (2**45, 2**45 + 2**43, STATION_TOP), theta=Q - 1),
    "one heavy owner": Million(
        (HEAVY_TOP,) * 3,
        (HEAVY_TOP - 2**45, HEAVY_TOP - 2**45 + 2**32, STATION_TOP),
        points=MOST - 1 + MAX_POINTS,
        own_points=MAX_POINTS,
        owner_cap=HEAVY_CAP,
    ),
    "all heavy": Million(
        (HEAVY_TOP,) * 3,
        (HEAVY_TOP - 2**45, HEAVY_TOP - 2**45 + 2**32, STATION_TOP),
        points=MOST * MAX_POINTS,
        own_points=MAX_POINTS,
        owner_cap=HEAVY_CAP,
    ),
}


def placed(create_round: CreateRound, edge: Million) -> LiveRound:
    """A round that was played to its end, with the words of the million put in the place of its own."""
    weighted = edge.points != MOST
    round_: LiveRound = create_round(
        ((edge.owner_cap, 0, edge.owner_cap), (0, edge.owner_cap, 1), (edge.owner_cap,) * 3),
        ((0, MAX_CAP, 1), (MAX_CAP, 0, 0), (0, 0, 0)),
        proposers=(0, 1, 2),
        owner_policy=Policy.CAPABILITY if weighted else Policy.EQUAL,
        owner_points=(1, 1, 1) if weighted else None,
        max_owner_bid=edge.owner_cap,
        max_station_bid=MAX_CAP,
        bond=MAX_BOND,
    )
    for seat in round_.members:
        round_.market.chain.set_balance(seat.account, RICH)
    round_.voted().wait_for("vote")
    ledger_of(round_).place(owners=MOST, stations=MOST, points=edge.points, escrow=2**96 - 1)
    draw_of(round_).place(**{"θ": edge.theta})
    conduct_of(round_).place(selected=edge.selected)
    for side, sums in ((Role.OWNER, edge.values), (Role.BASE_STATION, edge.costs)):
        sums_of(round_, side, 0).place(**{f"lane {m + 1}": total for m, total in enumerate(sums)})
    for seat in round_.owners:
        member_of(round_, seat).place(points=edge.own_points)
    return round_


@pytest.mark.parametrize("edge", EDGES.values(), ids=EDGES)
def test_shares_and_taxes__a_million_members_at_every_edge__as_in_numbers_without_bounds(
    create_round: CreateRound, edge: Million
) -> None:
    """The arithmetic of the settlement is not checked by the compiler: here it would show if it wrapped around."""
    assert (
        edge.scores[edge.selected] > 0 and max(edge.values) <= MOST * edge.owner_cap and max(edge.costs) <= STATION_TOP
    )
    pivotal = 0
    with create_round().market.chain.snapshot():
        round_ = placed(create_round, edge)
        for seat in round_.members:
            owed = edge.dues(seat, claimant=seat is round_.stations[2])
            lock = round_.terms.lock(seat.role, edge.own_points if seat.role is Role.OWNER else 1)
            left = lock + owed["reward"] - owed["share"]
            expected = owed | {"tax": min(owed["tax"], left)}
            with round_.market.chain.snapshot():
                told = round_.settle(seat).send().event("MemberSettled")
            assert {name: told[name] for name in expected} == expected, seat.name
            pivotal += owed["tax"] > 0
    assert pivotal, "a round without a tax would prove little"
