"""What must hold for every round: truthfulness, budget balance, bounded payments, the page's own formulas."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.mechanism import (
    BASIS_POINTS,
    CONTRIBUTION_ONE,
    MIN_STATIONS,
    THETA_ONE,
    WEI_PER_GWEI,
    contribution_bonus,
    draw,
    theta_numerator,
)
from tests.analysis.page_formulas import claims_at, rounded_shares, score_of
from tests.analysis.round_strategies import MAX_CAP, Auction, auctions, bids, contribution_points

examples = settings(deadline=None)
Case = tuple[Auction, int, list[tuple[int, ...]]]


@st.composite
def auctions_and_lies(draw: st.DrawFn) -> Case:
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
def test_settle__any_lie__never_pays(case: Case) -> None:
    """Theorem 1, exactly; the lot counted."""
    auction, member, lies = case
    for capped in (True, False):
        truthful = auction.utility(member, auction.settle(capped=capped))
        for lie in lies:
            lying = auction.utility(member, auction.with_bids(member, lie).settle(capped=capped))
            assert lying <= truthful, lie


@examples
@given(auctions_and_lies())
def test_settle__own_claim_changed_but_not_the_selection__same_share_and_tax(case: Case) -> None:
    auction, member, lies = case
    truthful = auction.settle()
    for lie in lies:
        lying = auction.with_bids(member, lie).settle()
        if lying.selected == truthful.selected:
            assert lying.shares[member] == truthful.shares[member]
            assert lying.taxes[member] == truthful.taxes[member]


@examples
@given(auctions(), bids(MAX_CAP, 8))
def test_settle__claimant__whatever_it_bids__nothing_changes(auction: Auction, bid: tuple[int, ...]) -> None:
    member = len(auction.owner_bids) + auction.claimant
    expected = auction.settle()
    assert expected.taxes[member] == 0
    for row in (bid[: len(auction.live)], (), (-1,)):
        assert auction.with_bids(member, row).settle() == expected


@examples
@given(auctions())
def test_settle__any_round__shares_pay_the_rewards_and_taxes_are_left_over(auction: Auction) -> None:
    """Theorem 2, and how far rounding goes: below one wei a member."""
    result = auction.settle()
    owners = len(auction.owner_bids)
    collected, rewards = sum(result.shares[:owners]), -sum(result.shares[owners:])
    assert collected >= result.pool >= rewards >= 0
    assert collected - result.pool < owners
    assert result.pool - rewards < len(auction.station_bids)
    assert all(share >= 0 for share in result.shares[:owners])
    assert all(share <= 0 for share in result.shares[owners:])
    assert all(tax >= 0 for tax in result.taxes)
    assert sum(result.payments) >= sum(result.taxes)


@examples
@given(auctions())
def test_settle__any_round__nobody_owes_more_than_its_lock(auction: Auction) -> None:
    """An owner at most `maxOwnerBid * (1 + p)`, a base station net of its reward at most `maxStationBid`."""
    result = auction.settle()
    owners = len(auction.owner_bids)
    for owner, (share, payment) in enumerate(zip(result.shares[:owners], result.payments[:owners], strict=True)):
        own_points = 1 if auction.owner_points is None else auction.owner_points[owner]
        assert share <= auction.max_owner_bid * WEI_PER_GWEI * own_points
        assert payment <= auction.max_owner_bid * WEI_PER_GWEI * (1 + own_points)
    assert all(payment <= auction.max_station_bid * WEI_PER_GWEI for payment in result.payments[owners:])
    assert result.payments[owners + auction.claimant] <= 0


@examples
@given(auctions())
def test_settle__any_round__equals_the_formulas_of_the_page(auction: Auction) -> None:
    """Once more from mechanism.md, in fractions and in its own order of writing."""
    result = auction.settle()
    shares = [rounded_shares(auction, model) for model in range(len(auction.live))]
    scores = [score_of(auction, model) for model in range(len(auction.live))]
    assert result.scores == scores
    for member in range(auction.members):
        claims, weight = auction.signed_claims(member), auction.weight(member)
        enjoyed = []
        for model, score in enumerate(scores):
            if auction.is_owner(member):
                own_points = 1 if auction.owner_points is None else auction.owner_points[member]
                cap = own_points * auction.max_owner_bid * WEI_PER_GWEI
                shares[model][member] = min(shares[model][member], cap)
            enjoyed.append(score - weight * (claims[model] - shares[model][member]))
        best = max([0] + [enjoyed[model] for model, live in enumerate(auction.live) if live])
        own_share = 0 if result.selected is None else shares[result.selected][member]
        own_enjoyed = 0 if result.selected is None else enjoyed[result.selected]
        tax = 0 if auction.is_claimant(member) else ceil(Fraction(best - own_enjoyed, weight))
        assert result.shares[member] == own_share
        assert result.taxes[member] == tax
        assert result.payments[member] == own_share + tax


@examples
@given(auctions())
def test_settle__any_round__largest_positive_live_score_lowest_index(auction: Auction) -> None:
    result = auction.settle()
    candidates = [m for m, live in enumerate(auction.live) if live and result.scores[m] > 0]
    if not candidates:
        assert result.selected is None
        assert result.pool == 0
        assert not any(result.shares)
    else:
        assert result.selected == max(candidates, key=lambda m: (result.scores[m], -m))
        values, costs = claims_at(auction, result.selected)
        stations = len(costs)
        assert sum(costs) * Fraction(stations, stations - 1) <= result.pool <= sum(values)


@examples
@given(auctions(), st.randoms(use_true_random=False))
def test_settle__members_reordered__results_reordered(auction: Auction, random: Random) -> None:
    """The order in which members joined and committed plays no part, but for whom the draw names."""
    owners, stations = len(auction.owner_bids), len(auction.station_bids)
    owner_order = random.sample(range(owners), owners)
    station_order = random.sample(range(stations), stations)

    def pick(row: tuple, order: list[int]) -> tuple:  # type: ignore[type-arg]
        return tuple(row[place] for place in order)

    reordered = replace(
        auction,
        owner_bids=pick(auction.owner_bids, owner_order),
        station_bids=pick(auction.station_bids, station_order),
        claimant=station_order.index(auction.claimant),
        owner_points=auction.owner_points and pick(auction.owner_points, owner_order),
    ).settle()
    expected = auction.settle()
    order = owner_order + [owners + place for place in station_order]
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
        station_bids=tuple(tuple(row[model] for model in alive) for row in auction.station_bids),
        live=(True,) * len(alive),
    ).settle()
    expected = auction.settle()
    assert without.payments == expected.payments
    assert (None if without.selected is None else alive[without.selected]) == expected.selected


@examples
@given(auctions())
def test_settle__bids_within_their_caps__cutting_shares_changes_nothing(auction: Auction) -> None:
    """A share beyond `p * maxOwnerBid` only occurs at a model that the others would rather not train (PROOFS.md)."""
    cut, whole = auction.settle(capped=True), auction.settle(capped=False)
    assert (cut.selected, cut.shares, cut.pool) == (whole.selected, whole.shares, whole.pool)
    total = sum(auction.owner_points or (1,) * len(auction.owner_bids))
    most = 0 if total * (len(auction.station_bids) - 1) <= WEI_PER_GWEI else 1
    assert all(0 <= b - a <= most for a, b in zip(cut.taxes, whole.taxes, strict=True))


# ── the draw ──


@given(st.integers(0, BASIS_POINTS - 1), st.integers(0, BASIS_POINTS - 1), st.integers(0, 2**64 - 1))
def test_theta__any_number__within_the_range(one: int, other: int, u: int) -> None:
    lo, hi = sorted((one, other))
    theta = Fraction(theta_numerator(lo, hi, u, False), THETA_ONE)
    assert Fraction(lo, BASIS_POINTS) - Fraction(1, THETA_ONE) < theta <= Fraction(hi, BASIS_POINTS) < 1
    assert theta_numerator(lo, lo, u, False) == lo * THETA_ONE // BASIS_POINTS
    assert theta_numerator(lo, hi, u, True) == 0


@given(st.integers(0, 2**256 - 1), st.integers(MIN_STATIONS, 2**20), st.integers(0, BASIS_POINTS - 1))
def test_draw__any_hash__lowest_bits_for_theta_and_the_next_for_the_claimant(c: int, stations: int, hi: int) -> None:
    drawn = draw(c, stations, 0, hi, False)
    word = c.to_bytes(32, "big")
    assert drawn.theta_numerator == hi * int.from_bytes(word[24:], "big") // BASIS_POINTS
    assert drawn.claimant == int.from_bytes(word[12:24], "big") % stations


# ── contributions ──


@examples
@given(st.integers(2, 6).flatmap(lambda n: st.tuples(contribution_points(n), st.integers(0, MAX_CAP * WEI_PER_GWEI))))
def test_contribution_bonus__any_points__stakes_shared_out_again_but_for_rounding(
    case: tuple[tuple[int, ...], int],
) -> None:
    listed, stake = case
    bonuses = contribution_bonus(stake, listed)
    assert -len(listed) < sum(bonuses) <= 0
    assert all(-stake <= bonus <= stake for bonus in bonuses)
    for points, bonus in zip(listed, bonuses, strict=True):
        assert bonus == floor(Fraction(len(listed) * stake * points, CONTRIBUTION_ONE)) - stake
    assert contribution_bonus(stake, [points or None for points in listed]) == bonuses
