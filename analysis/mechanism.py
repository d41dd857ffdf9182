"""The HCFL mechanism in exact integers: the draw, the selection, shares and Clarke taxes of one round.

This is the reference that the contract must equal to the wei. It follows `mechanism.md` (cited below by
section) where the paper (Liu et al., "A Smart Contract based Crowdfunding Mechanism for Hierarchical
Federated Learning", sections III-B and IV) leaves a choice open. It imports nothing of the project and uses
no floating point.

Units and shapes: bids come in gwei as `[member][model]`; every amount that results is in wei. Theta is
`theta_numerator / 2**64`. Members are the *committed* members of a side; one that never revealed takes part
with a row of zeros, and so does the claimant, whatever row is given for it.

Each share and each tax is one rational number that is rounded once, always towards paying more: an owner's share
and every tax up, a base station's reward down. No share depends on its own member's claim, by a wei either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index

WEI_PER_GWEI = 10**9
# The numerator of a theta of 1, which is never drawn: the largest is less.
THETA_ONE = 2**64
BASIS_POINTS = 10_000
# What the contribution points of a round add up to when they count.
CONTRIBUTION_ONE = 1_000_000
MAX_POINTS = 2**32 - 1
# Fewer than this have committed on a side: the round is not held.
MIN_OWNERS, MIN_STATIONS = 2, 3

Bids = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Draw:
    """What is drawn when commits have closed.

    Attributes:
        theta_numerator: `theta * 2**64`.
        claimant: Place of the claimant among the committed base stations, in the order in which they committed.
    """

    theta_numerator: int
    claimant: int


@dataclass(frozen=True)
class Settlement:
    """What the mechanism decides for one round.

    Amounts are wei. Members are owners first, then base stations, each side in the order given.

    Attributes:
        selected: Index of the model to train, or None when no score is positive (nothing is trained).
        scores: `E = (n_B - 1) * V - n_B * K` of every model, K without the claimant's cost; also of dead models, which
            are never selected.
        pool: Total payment `C` of the selected model, exactly; 0 without one.
        shares: Signed shares at the selected model, positive for owners (they pay), negative for base stations; all 0
            without one.
        taxes: Clarke taxes, never negative, the claimant's 0. A member with a positive one is pivotal.
        payments: `share + tax`, without the lot; positive pays, negative receives.
        shares_by_model: What every share would be at each model, `[member][model]`.
        others_enjoy: `A_i` of mechanism.md, "Clarke tax", in the units of the scores, `[member][model]`.
    """

    selected: int | None
    scores: list[int]
    pool: Fraction
    shares: list[int]
    taxes: list[int]
    payments: list[int]
    shares_by_model: list[list[int]]
    others_enjoy: list[list[int]]


def draw(c: int, stations: int, lo_bps: int, hi_bps: int, owners_weighted: bool) -> Draw:
    """Draw theta and the claimant.

    Source: mechanism.md, "The draw".

    Args:
        c: `keccak256(abi.encode(source, roundId))` as a number.
        stations: How many base stations committed.
        lo_bps: The lower end of the round's range of theta, basis points.
        hi_bps: The upper end.
        owners_weighted: Whether owners pay by capability; theta is then 0.

    Raises:
        ValueError: A number is out of its range.
    """
    if not 0 <= index(c) < 2**256:
        raise ValueError(f"{c} is not the number of a hash")
    if index(stations) < MIN_STATIONS:
        raise ValueError(f"a round of {stations} base stations is not held, nothing is drawn")
    u, place = c % 2**64, (c >> 64) % 2**96
    return Draw(theta_numerator(lo_bps, hi_bps, u, owners_weighted), place % stations)


def theta_numerator(lo_bps: int, hi_bps: int, u: int, owners_weighted: bool) -> int:
    """`theta * 2**64` for a number that is uniform in `0 ... 2**64 - 1`.

    `floor((lo * 2**64 + (hi - lo) * u) / 10,000)`, and 0 where owners pay by capability.

    Args:
        lo_bps: The lower end of the round's range of theta, basis points.
        hi_bps: The upper end, below 10,000.
        u: What was drawn.
        owners_weighted: Whether owners pay by capability.

    Raises:
        ValueError: A number is out of its range.
    """
    if not 0 <= index(lo_bps) <= index(hi_bps) < BASIS_POINTS:
        raise ValueError(f"theta cannot range from {lo_bps} to {hi_bps} basis points: 0 <= lo <= hi < {BASIS_POINTS}")
    if not 0 <= index(u) < 2**64:
        raise ValueError(f"u {u} is not in 0 ... 2**64 - 1")
    return 0 if owners_weighted else (lo_bps * THETA_ONE + (hi_bps - lo_bps) * u) // BASIS_POINTS


def settle(
    owner_bids: Bids,
    station_bids: Bids,
    theta_numerator: int,
    *,
    claimant: int,
    owner_points: Sequence[int] | None = None,
    max_owner_bid: int | None = None,
    live: Sequence[bool] | None = None,
) -> Settlement:
    """Select a model and work out every member's share and tax.

    Source: mechanism.md, "Selection, total payment, shares" and "Clarke tax"; the paper's section III-B. The result
    holds as if everybody recorded every global round; `analysis.settlement` does the rest.

    Args:
        owner_bids: Claimed values in gwei, `[owner][model]`, at least two owners.
        station_bids: Claimed costs in gwei, `[base station][model]`, at least three base stations.
        theta_numerator: `theta * 2**64`, 0 to `2**64 - 1`.
        claimant: Index of the base station that stands aside. Its bids are not looked at.
        owner_points: Capability points by owner, 1 to `2**32 - 1`; None is the equal policy. With points theta is 0.
        max_owner_bid: The round's cap on an owner's bid in gwei. An owner's share counts as at most
            `points * max_owner_bid`. None leaves every share whole. Whether the bids respect the cap is not
            checked here.
        live: Whether each model's proposer committed; None means all. A dead model is never selected and no
            tax looks at it.

    Raises:
        ValueError: Too few members (such a round is not held, there is nothing to settle), rows that differ in length,
            or a number out of its range.
        TypeError: A number is not an integer.
    """
    values = _claims(owner_bids, "owner")
    models = len(values[0]) if values else 0
    aside = index(claimant)
    costs = _claims([[0] * models if j == aside else row for j, row in enumerate(station_bids)], "base station")
    n, b = len(values), len(costs)
    if n < MIN_OWNERS or b < MIN_STATIONS:
        raise ValueError(
            f"a settlement needs {MIN_OWNERS} committed owners and {MIN_STATIONS} committed base stations, "
            f"not {n} and {b}: the round is not held"
        )
    if any(len(row) != models for row in values + costs):
        raise ValueError(f"every member bids on each of {models} models, but there are rows of another length")
    if not 0 <= aside < b:
        raise ValueError(f"claimant {aside} is not one of {b} base stations")
    theta = _checked_theta(theta_numerator)
    points = _checked_points(owner_points, n, theta)
    alive = [True] * models if live is None else [bool(flag) for flag in live]
    if len(alive) != models:
        raise ValueError(f"{len(alive)} live flags for {models} models")

    value_sums, cost_sums = _sums(values, models), _sums(costs, models)
    scores = [(b - 1) * value - b * cost for value, cost in zip(value_sums, cost_sums, strict=True)]
    selected = _select(scores, alive)

    claims = values + [[-cost for cost in row] for row in costs]
    weights = [b - 1] * n + [b] * b
    shares_by_model = [
        _owner_shares([row[model] for row in values], cost_sums[model], b, theta, points)
        + [-reward for reward in _rewards([row[model] for row in costs], value_sums[model], theta, aside)]
        for model in range(models)
    ]
    caps = _share_caps(max_owner_bid, points, n) + [None] * b

    shares, taxes, shares_of, others = [], [], [], []
    for member, (own_claims, cap, weight) in enumerate(zip(claims, caps, weights, strict=True)):
        own_shares = [row[member] if cap is None else min(row[member], cap) for row in shares_by_model]
        shares.append(0 if selected is None else own_shares[selected])
        enjoyed = _others_enjoy(scores, weight, own_claims, own_shares)
        shares_of.append(own_shares)
        others.append(enjoyed)
        taxes.append(0 if member == n + aside else _tax(enjoyed, weight, alive, selected))
    return Settlement(
        selected=selected,
        scores=scores,
        pool=_pool(value_sums, cost_sums, b, theta, selected),
        shares=shares,
        taxes=taxes,
        payments=[share + tax for share, tax in zip(shares, taxes, strict=True)],
        shares_by_model=shares_of,
        others_enjoy=others,
    )


def contribution_bonus(stake: int, points: Sequence[int | None]) -> list[int]:
    """What each base station gets back of all stakes, less its own: upheld points share the stakes out again.

    Source: mechanism.md, "Contribution stake"; the paper's section IV-C. `floor(n_B * S * q_j / 1,000,000) - S`, and so
    `-S` for one that is not listed. No bid plays a part.

    Args:
        stake: `S`, what every base station put in, wei.
        points: Contribution points by committed base station, None for one that is not listed. They add up to
            1,000,000, and each is at most `2,000,000 / n_B`.

    Returns:
        Amounts in wei by base station, from `-S` to `S`; together at most 0.

    Raises:
        ValueError: A number is out of its range, or the points do not add up.
        TypeError: A number is not an integer.
    """
    if index(stake) < 0:
        raise ValueError(f"negative stake {stake}")
    listed = [0 if q is None else index(q) for q in points]
    most = most_contribution_points(len(listed))
    if any(not 0 <= q <= most for q in listed) or sum(listed) != CONTRIBUTION_ONE:
        raise ValueError(f"contribution points must each be at most {most} and add up to {CONTRIBUTION_ONE}: {listed}")
    return [len(listed) * stake * q // CONTRIBUTION_ONE - stake for q in listed]


def most_contribution_points(stations: int) -> int:
    """The most points that one of so many committed base stations may be listed with, `2,000,000 / n_B`."""
    return 2 * CONTRIBUTION_ONE // max(1, stations)


def _select(scores: list[int], alive: list[bool]) -> int | None:
    """Largest positive score of a live model, lowest index on a tie."""
    selected, best = None, 0
    for model, score in enumerate(scores):
        if alive[model] and score > best:
            selected, best = model, score
    return selected


def _pool(values: list[int], costs: list[int], b: int, theta: int, selected: int | None) -> Fraction:
    """`C = K^ + theta * (V - K^)` of the selected model, `K^ = K * n_B / (n_B - 1)`; 0 without one."""
    if selected is None:
        return Fraction(0)
    cost = Fraction(costs[selected] * b, b - 1)
    return cost + Fraction(theta, THETA_ONE) * (values[selected] - cost)


def _owner_shares(claims: list[int], cost: int, stations: int, theta: int, points: list[int] | None) -> list[int]:
    """Owners' shares at one model, rounded up.

    Equal: `(1 - theta) * K^ / n_O + theta * (V - v_i) / (n_O - 1)`. Capability: `p_i * K^ / sum of p`.
    """
    n, b, value = len(claims), stations, sum(claims)
    if points is not None:
        return [_ceil_div(p * cost * b, sum(points) * (b - 1)) for p in points]
    estimate = (THETA_ONE - theta) * cost * b * (n - 1)
    scale = THETA_ONE * n * (n - 1) * (b - 1)
    return [_ceil_div(estimate + theta * (value - claim) * n * (b - 1), scale) for claim in claims]


def _rewards(claims: list[int], value: int, theta: int, claimant: int) -> list[int]:
    """Base stations' rewards at one model, rounded down; the claimant's claim is 0.

    `(1 - theta) * (K - k_j) / (n_B - 2) + theta * V / n_B`, the claimant's with `K / (n_B - 1)` in front.
    """
    b, cost = len(claims), sum(claims)
    others = [b - 1 if station == claimant else b - 2 for station in range(b)]
    return [
        ((THETA_ONE - theta) * (cost - claim) * b + theta * value * divisor) // (THETA_ONE * b * divisor)
        for claim, divisor in zip(claims, others, strict=True)
    ]


def _others_enjoy(scores: list[int], weight: int, claims: list[int], shares: list[int]) -> list[int]:
    """`A_i = E - weight * (u_i - s_i)` at every model, with the signed claim `u_i` and the signed share `s_i`.

    In the units of the scores, in which owners weigh `n_B - 1` and base stations `n_B`.
    """
    return [score - weight * (claim - share) for score, claim, share in zip(scores, claims, shares, strict=True)]


def _tax(others_enjoy: list[int], weight: int, alive: list[bool], selected: int | None) -> int:
    """`ceil((max(0, max_m A_i) - A_i^selected) / weight)`; over live models, and `A_i` is 0 without a model."""
    best = max([0, *(enjoyed for enjoyed, flag in zip(others_enjoy, alive, strict=True) if flag)])
    return _ceil_div(best - (0 if selected is None else others_enjoy[selected]), weight)


def _share_caps(max_owner_bid: int | None, points: list[int] | None, owners: int) -> list[int | None]:
    """`p_i * maxOwnerBid` in wei by owner; points are 1 under the equal policy."""
    if max_owner_bid is None:
        return [None] * owners
    return [p * index(max_owner_bid) * WEI_PER_GWEI for p in points or [1] * owners]


def _claims(bids: Bids, side: str) -> list[list[int]]:
    """Bids of one side in wei."""
    claims = [[index(bid) * WEI_PER_GWEI for bid in row] for row in bids]
    if any(claim < 0 for row in claims for claim in row):
        raise ValueError(f"negative {side} bid")
    return claims


def _checked_theta(theta_numerator: int) -> int:
    theta = index(theta_numerator)
    if not 0 <= theta < THETA_ONE:
        raise ValueError(f"theta_numerator {theta} is not in 0 ... 2**64 - 1")
    return theta


def _checked_points(points: Sequence[int] | None, owners: int, theta: int) -> list[int] | None:
    if points is None:
        return None
    checked = [index(p) for p in points]
    if len(checked) != owners or any(not 1 <= p <= MAX_POINTS for p in checked):
        raise ValueError(f"{owners} owners need as many points of 1 ... 2**32 - 1, not {checked}")
    if theta:
        raise ValueError(f"owners that pay by capability have a theta of 0, not {theta} / 2**64")
    return checked


def _sums(rows: list[list[int]], models: int) -> list[int]:
    return [sum(row[model] for row in rows) for model in range(models)]


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
