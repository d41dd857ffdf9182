"""The HCFL mechanism in exact integers: selection, shares and Clarke tax of one round.

This is the reference that the contract must equal to the wei. It follows `mechanism.md` (cited below by
section) where the paper (Liu et al., "A Smart Contract based Crowdfunding Mechanism for Hierarchical
Federated Learning", sections III-B and IV) leaves a choice open. It imports nothing of the project and uses
no floating point.

Units and shapes: bids come in gwei as `[member][model]`; every result is in wei. Theta is
`theta_numerator / 2**64`. Members are the *committed* members of a side; one that never revealed takes part
with a row of zeros.

Rounding is always towards paying more. Writing a share signed, `s = +c` for an owner and `s = -r` for a
base station, `c` is rounded up and `r` down: `s` is rounded up on both sides. Under given points a claim's
term `claim * P / (P - p)` is rounded first, once, in the direction of the shares that it goes into, and its
own member's share leaves out that same rounded term, so that nobody's own claim moves its own share by a wei.

A lie therefore never pays, exactly. Where this departs from `mechanism.md`: an owner's share is cut to
`points * max_owner_bid` at every model, the selected one too. There the exact share is never above that, but
under capability points rounding can lift it a wei over; left uncut at the selected model alone, with two models
exactly tied, an owner could save that wei by a lie. The cut is at an integer no less than the exact share, so the
shares still pay the pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import index

WEI_PER_GWEI = 10**9
# The numerator of a theta of 1, which is never drawn: the largest is one less.
THETA_ONE = 2**64
# What the contribution points of a round add up to.
CONTRIBUTION_ONE = 1_000_000
MAX_POINTS = 2**32 - 1

Bids = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Settlement:
    """What the mechanism decides for one round.

    Amounts are wei. Members are owners first, then base stations, each side in the order given.

    Attributes:
        selected: Index of the model to train, or None when no margin is positive (nothing is trained).
        margins: `D = V - K` of every model; also of dead ones, which are never selected.
        pool: Total payment `C = K + theta * (V - K)` of the selected model, exactly; 0 without one.
        shares: Signed shares at the selected model, positive for owners (they pay), negative for base
            stations; all 0 without one.
        taxes: Clarke taxes, never negative. A member with a positive one is pivotal.
        payments: `share + tax`; positive pays, negative receives.
    """

    selected: int | None
    margins: list[int]
    pool: Fraction
    shares: list[int]
    taxes: list[int]
    payments: list[int]


def settle(
    owner_bids: Bids,
    base_bids: Bids,
    theta_numerator: int,
    *,
    owner_points: Sequence[int] | None = None,
    base_points: Sequence[int] | None = None,
    max_owner_bid: int | None = None,
    live: Sequence[bool] | None = None,
) -> Settlement:
    """Select a model and work out every member's share and tax.

    Source: mechanism.md, "Selection" to "Rounding, to the wei"; the paper's section III-B. The result holds
    as if everybody recorded and was paid in full; `analysis.settlement` does the rest.

    Args:
        owner_bids: Claimed values in gwei, `[owner][model]`, at least two owners.
        base_bids: Claimed costs in gwei, `[base station][model]`, at least two base stations.
        theta_numerator: `theta * 2**64`, 0 to `2**64 - 1`.
        owner_points: Capability points by owner, 1 to `2**32 - 1`; None is the equal policy. Equal *points*
            are not the equal *policy*: they round term by term.
        base_points: The same by base station. None also under the contribution policy, whose tax uses equal
            weights.
        max_owner_bid: The round's cap on an owner's bid in gwei. An owner's share counts as at most
            `points * max_owner_bid`. None leaves every share whole. Whether the bids respect the cap is not
            checked here.
        live: Whether each model's proposer committed; None means all. A dead model is never selected and no
            tax looks at it.

    Raises:
        ValueError: A side has fewer than two members (such a round is cancelled, there is nothing to
            settle), rows differ in length, or a number is out of its range.
        TypeError: A number is not an integer.
    """
    values, costs = _claims(owner_bids, "owner"), _claims(base_bids, "base station")
    models = _count_models(values, costs)
    theta = _checked_theta(theta_numerator)
    owner_weights = _checked_points(owner_points, len(values), "owner")
    base_weights = _checked_points(base_points, len(costs), "base station")
    alive = [True] * models if live is None else [bool(flag) for flag in live]
    if len(alive) != models:
        raise ValueError(f"{len(alive)} live flags for {models} models")

    value_sums, cost_sums = _sums(values, models), _sums(costs, models)
    margins = [value - cost for value, cost in zip(value_sums, cost_sums, strict=True)]
    selected = _select(margins, alive)

    claims = values + [[-cost for cost in row] for row in costs]
    shares_by_model = [
        _owner_shares([row[model] for row in values], cost_sums[model], theta, owner_weights)
        + [-reward for reward in _rewards([row[model] for row in costs], value_sums[model], theta, base_weights)]
        for model in range(models)
    ]
    caps = _share_caps(max_owner_bid, owner_weights, len(values)) + [None] * len(costs)

    shares, taxes = [], []
    for member, (own_claims, cap) in enumerate(zip(claims, caps, strict=True)):
        own_shares = [row[member] if cap is None else min(row[member], cap) for row in shares_by_model]
        shares.append(0 if selected is None else own_shares[selected])
        taxes.append(_tax(_others_enjoy(margins, own_claims, own_shares), alive, selected))
    return Settlement(
        selected=selected,
        margins=margins,
        pool=_pool(value_sums, cost_sums, theta, selected),
        shares=shares,
        taxes=taxes,
        payments=[share + tax for share, tax in zip(shares, taxes, strict=True)],
    )


def contribution_rewards(
    owner_bids: Bids, base_bids: Bids, theta_numerator: int, selected: int, points: Sequence[int]
) -> list[int]:
    """Share the selected model's pool by contribution.

    Source: mechanism.md, "Base stations' rewards"; the paper's section IV-C. The formula is that of a base
    station's share with `points / 1,000,000` for its weight, rounded down term by term and once more; the
    rewards add up to the pool less at most two wei a station.

    Args:
        owner_bids: Claimed values in gwei, `[owner][model]`, at least two owners.
        base_bids: Claimed costs in gwei, `[base station][model]`, at least two base stations.
        theta_numerator: `theta * 2**64`, 0 to `2**64 - 1`.
        selected: Index of the selected model.
        points: Contribution points by base station, 0 for one that is not listed (its term is then its plain
            claim). They add up to 1,000,000 and each is below that.

    Returns:
        Rewards in wei by base station, never negative.

    Raises:
        ValueError: A number is out of its range, or the points do not fit the stations or do not add up.
        TypeError: A number is not an integer.
    """
    values, costs = _claims(owner_bids, "owner"), _claims(base_bids, "base station")
    models = _count_models(values, costs)
    theta = _checked_theta(theta_numerator)
    if not 0 <= index(selected) < models:
        raise ValueError(f"selected model {selected} is not one of {models}")
    weights = [index(p) for p in points]
    if len(weights) != len(costs):
        raise ValueError(f"{len(weights)} contribution points for {len(costs)} base stations")
    if any(not 0 <= p < CONTRIBUTION_ONE for p in weights) or sum(weights) != CONTRIBUTION_ONE:
        raise ValueError(f"contribution points must each be below {CONTRIBUTION_ONE} and add up to it: {weights}")
    return _rewards([row[selected] for row in costs], sum(row[selected] for row in values), theta, weights)


def _select(margins: list[int], alive: list[bool]) -> int | None:
    """Largest positive margin of a live model, lowest index on a tie."""
    selected, best = None, 0
    for model, margin in enumerate(margins):
        if alive[model] and margin > best:
            selected, best = model, margin
    return selected


def _pool(value_sums: list[int], cost_sums: list[int], theta: int, selected: int | None) -> Fraction:
    """`C = K + theta * (V - K)` of the selected model, 0 without one."""
    if selected is None:
        return Fraction(0)
    return cost_sums[selected] + Fraction(theta, THETA_ONE) * (value_sums[selected] - cost_sums[selected])


def _owner_shares(claims: list[int], cost: int, theta: int, points: list[int] | None) -> list[int]:
    """Owners' shares at one model, rounded up.

    `c_i = w_i * [(1 - theta) * K + theta * sum over l != i of v_l / (1 - w_l)]`, which under the equal policy
    is `[(2**64 - t) * (n - 1) * K + t * n * (V - v_i)] / [2**64 * n * (n - 1)]`.
    """
    rest = THETA_ONE - theta
    if points is None:
        n, value = len(claims), sum(claims)
        scale = THETA_ONE * n * (n - 1)
        return [_ceil_div(rest * (n - 1) * cost + theta * n * (value - claim), scale) for claim in claims]
    total = sum(points)
    terms = [_ceil_div(claim * total, total - p) for claim, p in zip(claims, points, strict=True)]
    terms_sum, scale = sum(terms), THETA_ONE * total
    return [
        _ceil_div(p * (rest * cost + theta * (terms_sum - term)), scale) for p, term in zip(points, terms, strict=True)
    ]


def _rewards(claims: list[int], value: int, theta: int, points: list[int] | None) -> list[int]:
    """Base stations' rewards at one model, rounded down.

    `r_j = w_j * [(1 - theta) * sum over l != j of k_l / (1 - w_l) + theta * V]`, which under the equal policy
    is `[(2**64 - t) * n * (K - k_j) + t * (n - 1) * V] / [2**64 * n * (n - 1)]`.
    """
    rest = THETA_ONE - theta
    if points is None:
        n, cost = len(claims), sum(claims)
        scale = THETA_ONE * n * (n - 1)
        return [(rest * n * (cost - claim) + theta * (n - 1) * value) // scale for claim in claims]
    total = sum(points)
    terms = [claim * total // (total - p) for claim, p in zip(claims, points, strict=True)]
    terms_sum, scale = sum(terms), THETA_ONE * total
    return [p * (rest * (terms_sum - term) + theta * value) // scale for p, term in zip(points, terms, strict=True)]


def _others_enjoy(margins: list[int], claims: list[int], shares: list[int]) -> list[int]:
    """`A_i = D - u_i + s_i` at every model."""
    return [margin - claim + share for margin, claim, share in zip(margins, claims, shares, strict=True)]


def _tax(others_enjoy: list[int], alive: list[bool], selected: int | None) -> int:
    """`max(0, max_m A_i) - A_i at the selected model`; over live models, and `A_i` is 0 without a model."""
    best = max([0, *(enjoyed for enjoyed, flag in zip(others_enjoy, alive, strict=True) if flag)])
    return best - (0 if selected is None else others_enjoy[selected])


def _share_caps(max_owner_bid: int | None, points: list[int] | None, owners: int) -> list[int | None]:
    """`p_i * maxOwnerBid` in wei by owner; points are 1 under the equal policy."""
    if max_owner_bid is None:
        return [None] * owners
    return [p * index(max_owner_bid) * WEI_PER_GWEI for p in points or [1] * owners]


def _claims(bids: Bids, side: str) -> list[list[int]]:
    """Bids of one side in wei."""
    if len(bids) < 2:
        raise ValueError(f"a settlement needs two committed {side}s, not {len(bids)}: the round is cancelled")
    claims = [[index(bid) * WEI_PER_GWEI for bid in row] for row in bids]
    if any(claim < 0 for row in claims for claim in row):
        raise ValueError(f"negative {side} bid")
    return claims


def _count_models(values: list[list[int]], costs: list[list[int]]) -> int:
    lengths = {len(row) for row in values + costs}
    if len(lengths) != 1:
        raise ValueError(f"every member bids on every model, but there are rows of {sorted(lengths)} bids")
    return lengths.pop()


def _checked_theta(theta_numerator: int) -> int:
    theta = index(theta_numerator)
    if not 0 <= theta < THETA_ONE:
        raise ValueError(f"theta_numerator {theta} is not in 0 ... 2**64 - 1")
    return theta


def _checked_points(points: Sequence[int] | None, members: int, side: str) -> list[int] | None:
    if points is None:
        return None
    checked = [index(p) for p in points]
    if len(checked) != members or any(not 1 <= p <= MAX_POINTS for p in checked):
        raise ValueError(f"{members} {side}s need as many points of 1 ... 2**32 - 1, not {checked}")
    return checked


def _sums(rows: list[list[int]], models: int) -> list[int]:
    return [sum(row[model] for row in rows) for model in range(models)]


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
