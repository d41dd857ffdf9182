"""What `analysis/PROOFS.md` says in numbers: its examples, and each step of its proofs on random rounds."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from analysis.misreports import RULES, utility
from tests.analysis.round_strategies import Auction, auctions, bids
from tests.analysis.test_misreports import TRUTH

examples = settings(deadline=None)


def gain(rule: str, member: int, lie: int) -> Fraction:
    """Of claiming that for the one model of the example, gwei."""
    told, lied = RULES[rule](TRUTH), RULES[rule](TRUTH.with_bids({member: (lie,)}))
    return Fraction(utility(TRUTH, lied, member) - utility(TRUTH, told, member)) / WEI_PER_GWEI


def test_example__owner_claims_nothing__gains_under_both_readings_and_not_under_ours() -> None:
    assert gain("apart", 0, 0) == gain("together", 0, 0) == Fraction(5, 2)
    assert gain("ours", 0, 0) == 0


def test_example__base_station_claims_its_price__gains_under_both_readings_and_not_under_ours() -> None:
    assert gain("apart", 2, 10) == gain("together", 2, 10) == Fraction(5, 2)
    assert gain("ours", 2, 10) == 0


@examples
@given(auctions(), st.data())
def test_step__what_the_others_enjoy__does_not_depend_on_ones_own_claim(auction: Auction, data: st.DataObject) -> None:
    """A payment is `h_i - D_-i` at the selected model, with the same `h_i` for every claim."""
    member = data.draw(st.integers(0, auction.members - 1))
    lie = data.draw(bids(auction.cap(member), len(auction.live)))
    pivots = set()
    for claimed in (auction, auction.with_bids(member, lie)):
        settled = claimed.settle()
        rest = 0
        if settled.selected is not None:
            rest = settled.margins[settled.selected] - claimed.signed_claims(member)[settled.selected]
        pivots.add(settled.payments[member] + rest)
    assert len(pivots) == 1
    assert min(pivots) >= 0


@examples
@given(auctions())
def test_participation__truthful_member__never_below_what_its_side_may_bid(auction: Auction) -> None:
    """Never below `-p_i * maxOwnerBid` or `-maxBaseBid`."""
    settled = auction.settle()
    for member in range(auction.members):
        got = auction.utility(member, settled)
        points = auction.owner_points[member] if auction.owner_points and auction.is_owner(member) else 1
        assert got >= -points * auction.cap(member) * WEI_PER_GWEI


@examples
@given(auctions())
def test_participation__a_side_before_tax__its_part_of_the_margin_but_for_rounding(auction: Auction) -> None:
    """Owners keep `(1 - theta) D`, base stations `theta D` (the paper's equations 5 and 6)."""
    settled = auction.settle()
    if settled.selected is None:
        return
    theta, margin = Fraction(auction.theta_numerator, THETA_ONE), settled.margins[settled.selected]
    owners = len(auction.owner_bids)
    kept = [auction.signed_claims(m)[settled.selected] - settled.shares[m] for m in range(auction.members)]
    for members, part in ((kept[:owners], (1 - theta) * margin), (kept[owners:], theta * margin)):
        assert 0 <= part - sum(members) < 2 * len(members)
