"""Random rounds for the property tests: small and largest caps, ties, every policy, theta at both ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import get_args

from hypothesis import strategies as st

from analysis.mechanism import CONTRIBUTION_ONE, MAX_POINTS, THETA_ONE, WEI_PER_GWEI, Settlement, settle
from analysis.round_facts import BasePolicy, Member, OwnerPolicy, Round

MAX_CAP = 2**44 - 1
SIDES = st.sampled_from((3, 2, 4, 5, 3, 2, 4, 6, 3, 2, 4, 1))  # members of a side
Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Auction:
    """The arguments of `settle`, and the base stations' cap that bounds their bids."""

    owner_bids: Rows
    base_bids: Rows
    theta_numerator: int
    owner_points: tuple[int, ...] | None
    base_points: tuple[int, ...] | None
    max_owner_bid: int
    max_base_bid: int
    live: tuple[bool, ...]

    @property
    def members(self) -> int:
        return len(self.owner_bids) + len(self.base_bids)

    def is_owner(self, member: int) -> bool:
        return member < len(self.owner_bids)

    def cap(self, member: int) -> int:
        return self.max_owner_bid if self.is_owner(member) else self.max_base_bid

    def settle(self, *, capped: bool = True) -> Settlement:
        return settle(
            self.owner_bids,
            self.base_bids,
            self.theta_numerator,
            owner_points=self.owner_points,
            base_points=self.base_points,
            max_owner_bid=self.max_owner_bid if capped else None,
            live=self.live,
        )

    def signed_claims(self, member: int) -> list[int]:
        """`u_i` by model in wei: `+v` or `-k`."""
        if self.is_owner(member):
            return [bid * WEI_PER_GWEI for bid in self.owner_bids[member]]
        return [-bid * WEI_PER_GWEI for bid in self.base_bids[member - len(self.owner_bids)]]

    def with_bids(self, member: int, bids: tuple[int, ...]) -> Auction:
        """The same round but for one member's bids."""
        if self.is_owner(member):
            return replace(self, owner_bids=_replaced(self.owner_bids, member, bids))
        return replace(self, base_bids=_replaced(self.base_bids, member - len(self.owner_bids), bids))

    def utility(self, member: int, settlement: Settlement) -> int:
        """Of a member whose true claims are this auction's, under what another bid made of it."""
        claims = self.signed_claims(member)
        gained = 0 if settlement.selected is None else claims[settlement.selected]
        return gained - settlement.payments[member]


def _replaced(rows: Rows, place: int, row: tuple[int, ...]) -> Rows:
    return (*rows[:place], row, *rows[place + 1 :])


def caps() -> st.SearchStrategy[int]:
    """Caps in gwei; small ones make ties and equal margins common."""
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
    owners, base_stations, models = (
        draw(st.integers(2, 6)),
        draw(st.integers(2, 6)),
        draw(st.integers(1, 8)),
    )
    max_owner_bid, max_base_bid = draw(caps()), draw(caps())
    return Auction(
        owner_bids=tuple(draw(bids(max_owner_bid, models)) for _ in range(owners)),
        base_bids=tuple(draw(bids(max_base_bid, models)) for _ in range(base_stations)),
        theta_numerator=draw(thetas()),
        owner_points=draw(st.none() | st.tuples(*[points()] * owners)),
        base_points=draw(st.none() | st.tuples(*[points()] * base_stations)),
        max_owner_bid=max_owner_bid,
        max_base_bid=max_base_bid,
        live=tuple(draw(st.integers(0, 7)) > 0 for _ in range(models)),
    )


def contribution_points(members: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Points that add up to 1,000,000, each below it, many of them often 0."""
    cuts = st.lists(st.integers(0, CONTRIBUTION_ONE), min_size=members - 1, max_size=members - 1)
    parts = cuts.map(lambda at: _parts(sorted(at)))
    return parts.filter(lambda row: max(row) < CONTRIBUTION_ONE)


def _parts(cuts: list[int]) -> tuple[int, ...]:
    ends = [0, *cuts, CONTRIBUTION_ONE]
    return tuple(end - start for start, end in pairwise(ends))


@st.composite
def rounds(draw: st.DrawFn) -> Round:
    """Whole rounds: silence, absence, members and proposers that never commit, abort, punishment.

    Nearly half of them are trained and settled, which takes two members a side, a live model and a positive margin.
    """
    usually, seldom = st.sampled_from((True,) * 9 + (False,)), st.sampled_from((False,) * 4 + (True,))
    owner_policy = draw(st.sampled_from(get_args(OwnerPolicy)))
    base_policy = draw(st.sampled_from(get_args(BasePolicy)))
    max_owner_bid, max_base_bid = draw(caps()), draw(caps())
    if draw(usually):
        max_base_bid = min(max_base_bid, max_owner_bid)
    owners = draw(SIDES)  # one proposal each: up to 8 models
    proposers = tuple(draw(st.permutations(range(owners)))[: draw(st.integers(1, owners))])

    def member(cap: int, policy: str, records: bool) -> Member:
        committed = draw(usually)
        revealed = committed and draw(usually)
        return Member(
            bids=draw(bids(cap, len(proposers))) if revealed else (),
            points=draw(points()) if policy == "capability" else 1,
            committed=committed,
            revealed=revealed,
            recorded=revealed and records and draw(usually),
        )

    somebody_records = draw(usually)
    owner_side = tuple(member(max_owner_bid, owner_policy, False) for _ in range(owners))
    base_side = tuple(member(max_base_bid, base_policy, somebody_records) for _ in range(draw(SIDES)))
    minimum = max_base_bid * WEI_PER_GWEI * (2 if base_policy == "contribution" else 1)
    return Round(
        owners=owner_side,
        base_stations=base_side,
        proposers=proposers,
        theta_numerator=draw(thetas()),
        max_owner_bid=max_owner_bid,
        max_base_bid=max_base_bid,
        bond=minimum + draw(st.sampled_from((0, 1, 7 * WEI_PER_GWEI))),
        owner_policy=owner_policy,
        base_policy=base_policy,
        selected_in_time=draw(usually),
        global_round_recorded=draw(usually),
        reported=draw(usually),
        punished=draw(seldom),
        contributions=_contributions(draw, base_side),
    )


def _contributions(draw: st.DrawFn, base_side: tuple[Member, ...]) -> tuple[int | None, ...]:
    """Points over the committed base stations; a zero is at times explicit, at times not listed."""
    committed = sum(station.committed for station in base_side)
    if committed < 2:
        return ()
    remaining = iter(draw(contribution_points(committed)))
    listed = [next(remaining) if station.committed else None for station in base_side]
    return tuple(points or (0 if points == 0 and draw(st.booleans()) else None) for points in listed)
