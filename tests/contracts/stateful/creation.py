"""Random rounds to create: every policy, small and largest caps, open or with a list of members."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from analysis.mechanism import WEI_PER_GWEI
from fl.market.membership import Entry, MembershipTree
from fl.market.terms import Deadlines, Policy, Role, RoundTerms
from tests.analysis.round_strategies import caps, points, thetas

THRESHOLDS = (0, 3_333, 5_000, 9_999)  # 1/10,000 of the electors


@dataclass(frozen=True)
class Creation:
    """A round's terms, its members to be, the tree over them if membership is checked, and its theta's numerator."""

    terms: RoundTerms
    entries: tuple[Entry, ...]
    tree: MembershipTree | None
    theta: int


@st.composite
def creations(draw: st.DrawFn, accounts: Sequence[str], now: int) -> Creation:
    """With two to four owners and two or three base stations out of the accounts."""
    owner_policy = draw(st.sampled_from((Policy.EQUAL, Policy.CAPABILITY)))
    base_policy = draw(st.sampled_from(tuple(Policy)))
    order = iter(draw(st.permutations(accounts)))
    sizes = {Role.OWNER: draw(st.integers(2, 4)), Role.BASE_STATION: draw(st.integers(2, 3))}
    policies = {Role.OWNER: owner_policy, Role.BASE_STATION: base_policy}
    entries = tuple(
        Entry(next(order), role, draw(points()) if policies[role] is Policy.CAPABILITY else 1)
        for role, size in sizes.items()
        for _ in range(size)
    )
    rooted = draw(st.booleans()) or policies != dict.fromkeys(Role, Policy.EQUAL)
    tree = MembershipTree(entries) if rooted else None
    max_base_bid = draw(caps())
    minimum = max_base_bid * WEI_PER_GWEI * (2 if base_policy is Policy.CONTRIBUTION else 1)
    terms = RoundTerms(
        max_owner_bid=draw(caps()),
        max_base_bid=max_base_bid,
        bond=minimum + draw(st.sampled_from((0, 1, 7 * WEI_PER_GWEI))),
        deadlines=Deadlines.after(now, draw(st.integers(2, 50))),
        owner_policy=owner_policy,
        base_policy=base_policy,
        punish_threshold_bps=draw(st.sampled_from(THRESHOLDS)),
        max_models=draw(st.integers(1, 8)),
        membership_root=tree.root if tree else bytes(32),
    )
    return Creation(terms, entries, tree, draw(thetas()))
