"""The paper's formulas at their word: worked by hand, and what any round must show."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import literal
from analysis.mechanism import THETA_ONE, WEI_PER_GWEI, settle
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
def test_literal__any_round__selects_what_we_select_and_never_runs_a_deficit(auction: Auction) -> None:
    ours = settle(auction.owner_bids, auction.base_bids, auction.theta_numerator)
    for rule in (literal.apart, literal.together):
        outcome = rule(auction.owner_bids, auction.base_bids, auction.theta_numerator)
        assert outcome.selected == ours.selected
        assert sum(outcome.payments) >= 0


@examples
@given(auctions(), st.data())
def test_literal__theta_of_nothing__together_charges_owners_what_we_charge(
    auction: Auction, data: st.DataObject
) -> None:
    """Without theta an owner's share is a part of the costs alone: there the paper's share has no own claim in it."""
    ours = settle(auction.owner_bids, auction.base_bids, 0)
    outcome = literal.together(auction.owner_bids, auction.base_bids, 0)
    owner = data.draw(st.integers(0, len(auction.owner_bids) - 1))
    assert abs(ours.payments[owner] - Fraction(outcome.payments[owner])) < 2
