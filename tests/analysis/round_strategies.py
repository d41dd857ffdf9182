"""Random rounds for the property tests: small and largest caps, ties, both policies, theta at both ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import get_args

from hypothesis import strategies as st

from analysis.mechanism import (
    CONTRIBUTION_ONE,
    MAX_POINTS,
    THETA_ONE,
    WEI_PER_GWEI,
    Settlement,
    most_contribution_points,
    settle,
)
from analysis.round_facts import Member, OwnerPolicy, Round

MAX_CAP = 2**44 - 1
OWNERS = st.sampled_from((3, 2, 4, 5, 3, 2, 4, 6, 3, 2, 4, 1))
STATIONS = st.sampled_from((3, 4, 3, 5, 4, 3, 6, 3, 4, 5, 2, 1))
Rows = tuple[tuple[int, ...], ...]
USUALLY, SELDOM = st.sampled_from((True,) * 9 + (False,)), st.sampled_from((False,) * 4 + (True,))


@dataclass(frozen=True)
class Auction:
    """The arguments of `settle`, and the base stations' cap that bounds their bids; the claimant's are true costs."""

    owner_bids: Rows
    station_bids: Rows
    theta_numerator: int
    claimant: int
    owner_points: tuple[int, ...] | None
    max_owner_bid: int
    max_station_bid: int
    live: tuple[bool, ...]

    @property
    def members(self) -> int:
        return len(self.owner_bids) + len(self.station_bids)

    def is_owner(self, member: int) -> bool:
        return member < len(self.owner_bids)

    def is_claimant(self, member: int) -> bool:
        return member == len(self.owner_bids) + self.claimant

    def cap(self, member: int) -> int:
        return self.max_owner_bid if self.is_owner(member) else self.max_station_bid

    def weight(self, member: int) -> int:
        """Of its claims in the scores."""
        return len(self.station_bids) - self.is_owner(member)

    def settle(self, *, capped: bool = True) -> Settlement:
        return settle(
            self.owner_bids,
            self.station_bids,
            self.theta_numerator,
            claimant=self.claimant,
            owner_points=self.owner_points,
            max_owner_bid=self.max_owner_bid if capped else None,
            live=self.live,
        )

    def signed_claims(self, member: int) -> list[int]:
        """`u_i` by model in wei: `+v` or `-k`."""
        if self.is_owner(member):
            return [bid * WEI_PER_GWEI for bid in self.owner_bids[member]]
        return [-bid * WEI_PER_GWEI for bid in self.station_bids[member - len(self.owner_bids)]]

    def with_bids(self, member: int, bids: tuple[int, ...]) -> Auction:
        """The same round but for one member's bids."""
        if self.is_owner(member):
            return replace(self, owner_bids=_replaced(self.owner_bids, member, bids))
        return replace(self, station_bids=_replaced(self.station_bids, member - len(self.owner_bids), bids))

    def utility(self, member: int, settlement: Settlement) -> int:
        """Of a member whose true claims are this auction's, under what another bid made of it; the lot included."""
        claims = self.signed_claims(member)
        gained = 0 if settlement.selected is None else claims[settlement.selected]
        return gained - settlement.payments[member] + (sum(settlement.taxes) if self.is_claimant(member) else 0)


def _replaced(rows: Rows, place: int, row: tuple[int, ...]) -> Rows:
    return (*rows[:place], row, *rows[place + 1 :])


def caps() -> st.SearchStrategy[int]:
    """Caps in gwei; small ones make ties and equal scores common."""
    return st.sampled_from((1, 3, 100, 10**6, MAX_CAP))


def thetas() -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from((0, 1, THETA_ONE // 2, THETA_ONE - 1)), st.integers(0, THETA_ONE - 1))


def points() -> st.SearchStrategy[int]:
    return st.one_of(st.integers(1, 9), st.sampled_from((1, MAX_POINTS)), st.integers(1, MAX_POINTS))


def bids(cap: int, models: int) -> st.SearchStrategy[tuple[int, ...]]:
    """One row of bids; a quarter of them at each end of the range, where bounds are met."""
    bid = st.integers(-cap // 2, cap + cap // 2)
    return st.tuples(*[bid] * models).map(lambda row: tuple(min(max(bid, 0), cap) for bid in row))


@st.composite
def auctions(draw: st.DrawFn) -> Auction:
    owners, stations, models = draw(st.integers(2, 6)), draw(st.integers(3, 6)), draw(st.integers(1, 8))
    max_owner_bid, max_station_bid = draw(caps()), draw(caps())
    owner_points = draw(st.none() | st.tuples(*[points()] * owners))
    return Auction(
        owner_bids=tuple(draw(bids(max_owner_bid, models)) for _ in range(owners)),
        station_bids=tuple(draw(bids(max_station_bid, models)) for _ in range(stations)),
        theta_numerator=0 if owner_points else draw(thetas()),
        claimant=draw(st.integers(0, stations - 1)),
        owner_points=owner_points,
        max_owner_bid=max_owner_bid,
        max_station_bid=max_station_bid,
        live=tuple(draw(st.integers(0, 7)) > 0 for _ in range(models)),
    )


@st.composite
def contribution_points(draw: st.DrawFn, stations: int) -> tuple[int, ...]:
    """Points that add up to 1,000,000, each within its bound, often at an end of what it may be."""
    most, left, listed = most_contribution_points(stations), CONTRIBUTION_ONE, []
    for remaining in reversed(range(stations)):
        low, high = max(0, left - remaining * most), min(most, left)
        listed.append(draw(st.one_of(st.sampled_from((low, high)), st.integers(low, high))))
        left -= listed[-1]
    return tuple(listed)


@st.composite
def rounds(draw: st.DrawFn, *, agreed: bool = False) -> Round:
    """Whole rounds: silence, absence, members and proposers that never commit, abort, votes, stakes, nothing drawn.

    Everybody has bids, also who never reveals them: what models are worth to it, or cost it.

    Args:
        draw: given by hypothesis.
        agreed: leave out what the truth needs (mechanism.md, "Clarke tax"): a claimant is drawn, the selection is
            called, the winner reports and is not punished. Members are silent or absent all the same.
    """
    owner_policy = draw(st.sampled_from(get_args(OwnerPolicy)))
    max_owner_bid, max_station_bid = draw(caps()), draw(caps())
    if draw(USUALLY):
        max_station_bid = min(max_station_bid, max_owner_bid)
    count = draw(OWNERS.filter(lambda owners: owners > 1) if agreed else OWNERS)
    proposers = tuple(draw(st.permutations(range(count)))[: draw(st.integers(1, count))])
    total = draw(st.sampled_from((1, 2, 3, 7, 256)))
    works = draw(USUALLY)

    def member(cap: int, weighted: bool, station: bool) -> Member:
        committed = draw(USUALLY)
        revealed = committed and draw(USUALLY)
        effort = draw(st.one_of(st.just(total), st.integers(0, total))) if station and revealed and works else 0
        own = draw(points()) if weighted else 1
        return Member(draw(bids(cap, len(proposers))), own, committed, revealed, effort)

    owners = tuple(member(max_owner_bid, owner_policy == "capability", False) for _ in range(count))
    count = draw(STATIONS.filter(lambda stations: stations > 2) if agreed else STATIONS)
    stations = tuple(member(max_station_bid, False, True) for _ in range(count))
    if agreed:
        # Two owners, one of them with a model, and three base stations.
        owners = tuple(
            replace(owner, committed=True) if place in (proposers[0], (proposers[0] + 1) % len(owners)) else owner
            for place, owner in enumerate(owners)
        )
        stations = tuple(replace(station, committed=True) for station in stations[:3]) + stations[3:]
    round_ = Round(
        owners=owners,
        stations=stations,
        proposers=proposers,
        claimant=None,
        theta_numerator=0 if owner_policy == "capability" else draw(thetas()),
        max_owner_bid=max_owner_bid,
        max_station_bid=max_station_bid,
        bond=(max_station_bid + draw(st.sampled_from((0, 1, 7)))) * WEI_PER_GWEI,
        stake=draw(st.sampled_from((0, 1, 7, max_station_bid))) * WEI_PER_GWEI,
        owner_policy=owner_policy,
        selected_in_time=agreed or draw(USUALLY),
        global_rounds=total,
        reported=agreed or draw(USUALLY),
        punished=not agreed and draw(SELDOM),
        upheld=draw(st.booleans()),
        contributions=_contributions(draw, stations),
    )
    if not round_.can_be_held or not (agreed or draw(USUALLY)):
        return round_
    return with_claimant(round_, draw(st.sampled_from([j for j, s in enumerate(stations) if s.committed])))


def with_claimant(round_: Round, claimant: int) -> Round:
    """The same round in which nobody revealed for the claimant, and this base station is it."""
    stations = list(round_.stations)
    stations[claimant] = replace(stations[claimant], revealed=False)
    return replace(round_, stations=tuple(stations), claimant=claimant)


def _contributions(draw: st.DrawFn, stations: tuple[Member, ...]) -> tuple[int | None, ...]:
    """Points over the committed base stations; a 0 is at times explicit, at times not listed, a sum at times off."""
    committed = sum(station.committed for station in stations)
    if committed < 2 or not draw(USUALLY):
        return ()
    remaining = iter(draw(contribution_points(committed)))
    listed = [next(remaining) if station.committed else None for station in stations]
    off = draw(SELDOM)
    return tuple(q - 1 if q and off else q or (0 if q == 0 and draw(st.booleans()) else None) for q in listed)
