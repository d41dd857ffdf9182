"""What must hold for every round: truthfulness, budget balance, bounded payments, the page's own formulas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.mechanism import THETA_ONE, WEI_PER_GWEI, contribution_rewards
from tests.analysis.round_strategies import Auction, auctions, bids, contribution_points

examples = settings(deadline=None)


@st.composite
def auctions_and_lies(draw: st.DrawFn) -> tuple[Auction, int, list[tuple[int, ...]]]:
    """A round of true bids, one member, and lies that it could tell within its cap."""
    auction = draw(auctions())
    member = draw(st.integers(0, auction.members - 1))
    models, cap = len(auction.live), auction.cap(member)
    truth = [abs(claim) // WEI_PER_GWEI for claim in auction.signed_claims(member)]
    model = draw(st.integers(0, models - 1))
    return (
        auction,
        member,
        [
            (0,) * models,
            (cap,) * models,
            tuple(cap if other == model else 0 for other in range(models)),
            tuple(bid if other == model else 0 for other, bid in enumerate(truth)),
            tuple(cap if other == model else bid for other, bid in enumerate(truth)),
            tuple(0 if other == model else bid for other, bid in enumerate(truth)),
            tuple(min(bid + 1, cap) if other == model else bid for other, bid in enumerate(truth)),
            tuple(max(bid - 1, 0) if other == model else bid for other, bid in enumerate(truth)),
            draw(bids(cap, models)),
            draw(bids(cap, models)),
        ],
    )


@examples
@given(auctions_and_lies())
def test_settle__any_lie__never_pays(case: tuple[Auction, int, list[tuple[int, ...]]]) -> None:
    """Theorem 1, exactly."""
    auction, member, lies = case
    for capped in (True, False):
        truthful = auction.utility(member, auction.settle(capped=capped))
        for lie in lies:
            lying = auction.utility(member, auction.with_bids(member, lie).settle(capped=capped))
            assert lying <= truthful, lie


@examples
@given(auctions_and_lies())
def test_settle__own_claim_changed_but_not_the_selection__same_share_and_tax(
    case: tuple[Auction, int, list[tuple[int, ...]]],
) -> None:
    auction, member, lies = case
    truthful = auction.settle()
    for lie in lies:
        lying = auction.with_bids(member, lie).settle()
        if lying.selected == truthful.selected:
            assert lying.shares[member] == truthful.shares[member]
            assert lying.taxes[member] == truthful.taxes[member]


@examples
@given(auctions())
def test_settle__any_round__shares_pay_the_rewards_and_taxes_are_left_over(auction: Auction) -> None:
    """Theorem 2, and how far rounding goes: below one wei a member, below two under given points."""
    result = auction.settle()
    owners = len(auction.owner_bids)
    collected, rewards = sum(result.shares[:owners]), -sum(result.shares[owners:])
    assert collected >= result.pool >= rewards >= 0
    assert collected - result.pool < owners * (1 if auction.owner_points is None else 2)
    assert result.pool - rewards < len(auction.base_bids) * (1 if auction.base_points is None else 2)
    assert all(share >= 0 for share in result.shares[:owners])
    assert all(share <= 0 for share in result.shares[owners:])
    assert all(tax >= 0 for tax in result.taxes)
    assert sum(result.payments) >= 0


@examples
@given(auctions())
def test_settle__any_round__nobody_owes_more_than_its_lock(auction: Auction) -> None:
    """An owner at most `maxOwnerBid * (1 + p)`, a base station net of its reward at most `maxBaseBid`.

    With equal weights even its tax alone stays within `2 * maxBaseBid`: the lock of the contribution policy.
    """
    result = auction.settle()
    owners = len(auction.owner_bids)
    for owner, payment in enumerate(result.payments[:owners]):
        own_points = 1 if auction.owner_points is None else auction.owner_points[owner]
        assert payment <= auction.max_owner_bid * WEI_PER_GWEI * (1 + own_points)
    for payment, tax in zip(result.payments[owners:], result.taxes[owners:], strict=True):
        assert payment <= auction.max_base_bid * WEI_PER_GWEI
        if auction.base_points is None:
            assert tax <= 2 * auction.max_base_bid * WEI_PER_GWEI


@examples
@given(auctions())
def test_settle__any_round__equals_the_formulas_of_the_page(auction: Auction) -> None:
    """Once more from mechanism.md, in fractions and in its own order of writing."""
    result = auction.settle()
    shares = _shares_of_the_page(auction)
    for member in range(auction.members):
        claims = auction.signed_claims(member)
        enjoyed = []
        for model, margin in enumerate(result.margins):
            if auction.is_owner(member):
                own_points = 1 if auction.owner_points is None else auction.owner_points[member]
                cap = own_points * auction.max_owner_bid * WEI_PER_GWEI
                shares[model][member] = min(shares[model][member], cap)
            enjoyed.append(margin - claims[model] + shares[model][member])
        best = max([0] + [enjoyed[model] for model, live in enumerate(auction.live) if live])
        own_share = 0 if result.selected is None else shares[result.selected][member]
        own_enjoyed = 0 if result.selected is None else enjoyed[result.selected]
        assert result.shares[member] == own_share
        assert result.taxes[member] == best - own_enjoyed
        assert result.payments[member] == own_share + best - own_enjoyed


def _shares_of_the_page(auction: Auction) -> list[list[int]]:
    """Signed shares, `[model][member]`, from the formula with `w_l` and `1 - w_l`."""
    theta = Fraction(auction.theta_numerator, THETA_ONE)
    shares = []
    for model in range(len(auction.live)):
        values = [row[model] * WEI_PER_GWEI for row in auction.owner_bids]
        costs = [row[model] * WEI_PER_GWEI for row in auction.base_bids]
        owner_sums = _others(values, auction.owner_points, ceil)
        base_sums = _others(costs, auction.base_points, floor)
        row = [ceil(w * ((1 - theta) * sum(costs) + theta * others)) for w, others in owner_sums]
        row += [-floor(w * ((1 - theta) * others + theta * sum(values))) for w, others in base_sums]
        shares.append(row)
    return shares


def _others(
    claims: list[int], points: tuple[int, ...] | None, rounding: Callable[[Fraction], int]
) -> list[tuple[Fraction, Fraction]]:
    """`(w_i, sum over l != i of claim_l / (1 - w_l))` by member; the terms rounded if points are given."""
    given_points = points or (1,) * len(claims)
    weights = [Fraction(p, sum(given_points)) for p in given_points]
    terms = [claim / (1 - w) for claim, w in zip(claims, weights, strict=True)]
    if points is not None:
        terms = [Fraction(rounding(term)) for term in terms]
    return [
        (w, sum((term for other, term in enumerate(terms) if other != i), Fraction(0))) for i, w in enumerate(weights)
    ]


@examples
@given(auctions())
def test_settle__any_round__largest_positive_live_margin_lowest_index(auction: Auction) -> None:
    result = auction.settle()
    sides = (auction.owner_bids, auction.base_bids)
    values, costs = ([sum(row[m] for row in side) for m in range(len(auction.live))] for side in sides)
    assert result.margins == [(v - k) * WEI_PER_GWEI for v, k in zip(values, costs, strict=True)]
    candidates = [m for m, live in enumerate(auction.live) if live and result.margins[m] > 0]
    if not candidates:
        assert result.selected is None
        assert result.pool == 0
        assert not any(result.shares)
    else:
        assert result.selected == max(candidates, key=lambda m: (result.margins[m], -m))


@examples
@given(auctions(), st.randoms(use_true_random=False))
def test_settle__members_reordered__results_reordered(auction: Auction, random: Random) -> None:
    owners, base_stations = len(auction.owner_bids), len(auction.base_bids)
    owner_order = random.sample(range(owners), owners)
    base_order = random.sample(range(base_stations), base_stations)

    def pick(row: tuple, order: list[int]) -> tuple:  # type: ignore[type-arg]
        return tuple(row[place] for place in order)

    reordered = replace(
        auction,
        owner_bids=pick(auction.owner_bids, owner_order),
        base_bids=pick(auction.base_bids, base_order),
        owner_points=auction.owner_points and pick(auction.owner_points, owner_order),
        base_points=auction.base_points and pick(auction.base_points, base_order),
    ).settle()
    expected = auction.settle()
    order = owner_order + [owners + place for place in base_order]
    assert reordered.selected == expected.selected
    assert reordered.shares == [expected.shares[place] for place in order]
    assert reordered.taxes == [expected.taxes[place] for place in order]


@examples
@given(auctions())
def test_settle__dead_models_left_out__same_payments(auction: Auction) -> None:
    """A model whose proposer did not commit does not exist."""
    alive = [model for model, live in enumerate(auction.live) if live]
    without = replace(
        auction,
        owner_bids=tuple(tuple(row[model] for model in alive) for row in auction.owner_bids),
        base_bids=tuple(tuple(row[model] for model in alive) for row in auction.base_bids),
        live=(True,) * len(alive),
    ).settle()
    expected = auction.settle()
    assert without.payments == expected.payments
    assert (None if without.selected is None else alive[without.selected]) == expected.selected


@examples
@given(auctions())
def test_settle__equal_policy__cap_changes_nothing(auction: Auction) -> None:
    """A share beyond the cap only occurs where the others would rather train nothing."""
    equal = replace(auction, owner_points=None)
    assert equal.settle(capped=True) == equal.settle(capped=False)


@st.composite
def contribution_cases(draw: st.DrawFn) -> tuple[Auction, int, tuple[int, ...], tuple[int, ...]]:
    auction = draw(auctions())
    return (
        auction,
        draw(st.integers(0, len(auction.live) - 1)),
        draw(contribution_points(len(auction.base_bids))),
        draw(bids(auction.max_base_bid, len(auction.live))),
    )


@examples
@given(contribution_cases())
def test_contribution_rewards__any_points__pool_paid_out_and_own_claim_without_effect(
    case: tuple[Auction, int, tuple[int, ...], tuple[int, ...]],
) -> None:
    auction, selected, shares_of_a_million, lie = case
    arguments = auction.theta_numerator, selected, shares_of_a_million
    rewards = contribution_rewards(auction.owner_bids, auction.base_bids, *arguments)
    value = sum(row[selected] for row in auction.owner_bids) * WEI_PER_GWEI
    cost = sum(row[selected] for row in auction.base_bids) * WEI_PER_GWEI
    pool = cost + Fraction(auction.theta_numerator, THETA_ONE) * (value - cost)
    assert 0 <= pool - sum(rewards) < 2 * len(rewards)
    for station, (reward, listed) in enumerate(zip(rewards, shares_of_a_million, strict=True)):
        lying = auction.with_bids(len(auction.owner_bids) + station, lie)
        assert contribution_rewards(lying.owner_bids, lying.base_bids, *arguments)[station] == reward
        assert reward >= 0
        assert listed or reward == 0
