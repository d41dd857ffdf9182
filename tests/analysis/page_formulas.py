"""The formulas of `analysis/mechanism.md` once more, in fractions and in the page's own order of writing; wei."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from tests.analysis.round_strategies import Auction


def claims_at(auction: Auction, model: int) -> tuple[list[int], list[int]]:
    """Values and costs at a model, 0 for the claimant's."""
    costs = [row[model] * WEI_PER_GWEI for row in auction.station_bids]
    costs[auction.claimant] = 0
    return [row[model] * WEI_PER_GWEI for row in auction.owner_bids], costs


def score_of(auction: Auction, model: int) -> int:
    """`E = (n_B - 1) V - n_B K`."""
    (values, costs), stations = claims_at(auction, model), len(auction.station_bids)
    return (stations - 1) * sum(values) - stations * sum(costs)


def estimate_at(auction: Auction, model: int) -> Fraction:
    """`K^ = K n_B / (n_B - 1)`."""
    stations = len(auction.station_bids)
    return Fraction(sum(claims_at(auction, model)[1]) * stations, stations - 1)


def exact_shares(auction: Auction, model: int) -> tuple[list[Fraction], list[Fraction]]:
    """Owners' shares and base stations' rewards, before any rounding."""
    theta = Fraction(auction.theta_numerator, THETA_ONE)
    n_owners, n_stations = len(auction.owner_bids), len(auction.station_bids)
    values, costs = claims_at(auction, model)
    value, cost, estimate = sum(values), sum(costs), estimate_at(auction, model)
    if auction.owner_points is None:
        shares = [(1 - theta) * estimate / n_owners + theta * Fraction(value - v, n_owners - 1) for v in values]
    else:
        shares = [p * estimate / sum(auction.owner_points) for p in auction.owner_points]
    rewards = [(1 - theta) * Fraction(cost - k, n_stations - 2) + theta * Fraction(value, n_stations) for k in costs]
    rewards[auction.claimant] = (1 - theta) * Fraction(cost, n_stations - 1) + theta * Fraction(value, n_stations)
    return shares, rewards


def rounded_shares(auction: Auction, model: int) -> list[int]:
    """Signed shares of all members, owners first."""
    shares, rewards = exact_shares(auction, model)
    return [ceil(share) for share in shares] + [-floor(reward) for reward in rewards]
