"""The paper's formulas at their word: worked by hand, and what any round must show."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.figures import literal
from analysis.figures.first_version import settle_first
from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from analysis.round_facts import Member, Round
from tests.analysis.round_strategies import Auction, auctions

examples = settings(deadline=None)
HALF = THETA_ONE // 2
rules = pytest.mark.parametrize("rule", [literal.apart, literal.together])


@rules
def test_literal__one_model_nobody_pivotal__everybody_pays_an_equal_part_of_the_drawn_payment(rule) -> None:  # type: ignore[no-untyped-def]
    outcome = rule([[12], [8]], [[2], [2]], HALF)
    assert outcome.selected == 0
    assert outcome.payments == (6 * WEI_PER_GWEI, 6 * WEI_PER_GWEI, -6 * WEI_PER_GWEI, -6 * WEI_PER_GWEI)


def test_literal__one_owner_decides__pays_its_own_side_or_everybody() -> None:
    """V = 10, K = 4, C = 7. Apart: the other owner loses 3.5. Together: all others lose 4 - 3.5 = 0.5."""
    bids = [[10], [0]], [[2], [2]], HALF
    assert literal.apart(*bids).payments[0] == 7 * WEI_PER_GWEI
    assert literal.together(*bids).payments[0] == 4 * WEI_PER_GWEI


@rules
def test_literal__costs_exceed_values__nothing_is_trained(rule) -> None:  # type: ignore[no-untyped-def]
    outcome = rule([[1], [1]], [[2], [2]], HALF)
    assert outcome.selected is None
    assert min(outcome.payments) >= 0


@rules
def test_literal__rows_of_different_lengths__says_so(rule) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="one bid a model"):
        rule([[1], [1, 2]], [[2], [2]], HALF)


@examples
@given(auctions())
def test_literal__any_round__selects_the_largest_margin_and_never_runs_a_deficit(auction: Auction) -> None:
    margins = [
        sum(row[model] for row in auction.owner_bids) - sum(row[model] for row in auction.station_bids)
        for model in range(len(auction.live))
    ]
    best = max(margins)
    for rule in (literal.apart, literal.together):
        outcome = rule(auction.owner_bids, auction.station_bids, auction.theta_numerator)
        assert outcome.selected == (margins.index(best) if best > 0 else None)
        assert sum(outcome.payments) >= 0


@examples
@given(auctions(), st.data())
def test_literal__theta_of_nothing__together_charges_owners_what_the_first_version_charged(
    auction: Auction, data: st.DataObject
) -> None:
    """Without theta an owner's share is a part of the costs alone: there the paper's share has no own claim in it."""
    models = min(len(auction.live), len(auction.owner_bids))
    owners, stations = ([row[:models] for row in side] for side in (auction.owner_bids, auction.station_bids))
    round_ = Round(
        owners=tuple(Member(row) for row in owners),
        stations=tuple(Member(row, recorded=1) for row in stations),
        proposers=tuple(range(models)),
        claimant=None,
        theta_numerator=0,
        max_owner_bid=auction.max_owner_bid,
        max_station_bid=auction.max_station_bid,
        bond=auction.max_station_bid * WEI_PER_GWEI,
    )
    owner = data.draw(st.integers(0, len(owners) - 1))
    charged = literal.together(owners, stations, 0).payments[owner]
    assert abs(settle_first(round_).payments[owner] - Fraction(charged)) < 2
