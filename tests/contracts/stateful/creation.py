"""Random rounds to create: both policies, small and largest caps, with and without a stake, every range of theta."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from analysis.mechanism import WEI_PER_GWEI
from fl.market.membership import Entry, MembershipTree
from fl.market.terms import SHORTEST_PHASE, Deadlines, Policy, Role, RoundTerms
from tests.analysis.round_strategies import caps, points

THRESHOLDS = (5_000, 6_667, 9_999)  # 1/10,000 of the electors
TOLERANCES = (0, 300, 9_999)  # 1/10,000
RANGES = ((2_000, 6_000), (0, 9_999), (5_000, 5_000), (0, 0), (9_999, 9_999))  # of theta, 1/10,000


@dataclass(frozen=True)
class Creation:
    """A round's terms, its members to be, and the tree over them."""

    terms: RoundTerms
    entries: tuple[Entry, ...]
    tree: MembershipTree


@st.composite
def creations(draw: st.DrawFn, accounts: Sequence[str], now: int) -> Creation:
    """With two to five owners and two to five base stations out of the accounts; with two it cannot be held."""
    policy = draw(st.sampled_from(Policy))
    order = iter(draw(st.permutations(accounts)))
    stations = draw(st.sampled_from((4, 5, 4, 3, 5, 2)))
    owners = draw(st.integers(2, min(5, len(accounts) - stations)))
    entries = tuple(
        Entry(next(order), role, draw(points()) if policy is Policy.CAPABILITY and role is Role.OWNER else 1)
        for role, size in ((Role.OWNER, owners), (Role.BASE_STATION, stations))
        for _ in range(size)
    )
    max_station_bid = draw(caps())
    terms = RoundTerms(
        max_owner_bid=draw(caps()),
        max_station_bid=max_station_bid,
        bond=(max_station_bid + draw(st.sampled_from((0, 1, 7)))) * WEI_PER_GWEI,
        contribution_stake=draw(st.sampled_from((0, 0, 1, 7, max_station_bid))) * WEI_PER_GWEI,
        deadlines=Deadlines.after(now, draw(st.integers(SHORTEST_PHASE, SHORTEST_PHASE + 40))),
        owner_policy=policy,
        surplus_bps=draw(st.sampled_from(RANGES)) if policy is Policy.EQUAL else (0, 0),
        threshold_bps=draw(st.sampled_from(THRESHOLDS)),
        tolerance_bps=draw(st.sampled_from(TOLERANCES)),
        max_models=draw(st.integers(1, 8)),
    )
    return Creation(terms, entries, MembershipTree(entries))
