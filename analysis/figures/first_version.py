"""The first version of the mechanism, as a comparator: exact within a round, and its truth ends where its taxes return.

Equal shares without a claimant: every bid counts, `D = V - K` is maximised, and a tax is what all others lose. What a
side puts in, by taxes, bonds for silence and absence, and rewards forfeited, goes back to the others of that side when
they join again; here it is counted at once. One recorded update earns the whole reward. Units and shapes as in
`analysis.mechanism`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from analysis.round_facts import Round


@dataclass(frozen=True)
class FirstOutcome:
    """What the first version decides, owners first, wei.

    Attributes:
        selected: Index of the model to train, None without one.
        payments: What settlement takes or, negative, gives; before rebates.
        taxes: The part of it that is tax.
        rebates: What each member gets back later.
    """

    selected: int | None
    payments: tuple[int, ...]
    taxes: tuple[int, ...]
    rebates: tuple[int, ...]


def settle_first(round_: Round) -> FirstOutcome:
    """Settle by the rules of the first version; everybody committed, and the winner reports.

    Whom the second version's draw named the claimant is a member like any other.
    """
    members, n, b = round_.owners + round_.stations, len(round_.owners), len(round_.stations)
    claimant = None if round_.claimant is None else n + round_.claimant
    silent = [not member.revealed and number != claimant for number, member in enumerate(members)]
    claims = [
        [0 if unknown else (bid if number < n else -bid) * WEI_PER_GWEI for bid in member.bids]
        for number, (member, unknown) in enumerate(zip(members, silent, strict=True))
    ]
    models, theta = range(len(round_.proposers)), round_.theta_numerator
    values, costs = ([sum(abs(row[m]) for row in side) for m in models] for side in (claims[:n], claims[n:]))
    margins = [value - cost for value, cost in zip(values, costs, strict=True)]
    selected = margins.index(max(margins)) if max(margins) > 0 else None
    recorded = [number < n or member.recorded > 0 for number, member in enumerate(members)]
    trained = selected is not None and any(recorded[n:])

    payments, taxes, put_in = [], [], []
    for number, row in enumerate(claims):
        if number < n:
            shares = [_owner_share(values[m] - row[m], costs[m], n, theta) for m in models]
        else:
            shares = [-_reward(values[m], costs[m] + row[m], b, theta) for m in models]
        enjoyed = [margins[m] - row[m] + shares[m] for m in models]
        due = shares[selected] if selected is not None and trained else 0
        share, reward = max(due, 0), max(-due, 0)
        paid = reward if recorded[number] else 0
        bond = round_.bond if silent[number] or (trained and not recorded[number]) else 0
        lock = round_.bond + (2 * round_.max_owner_bid if number < n else round_.max_station_bid) * WEI_PER_GWEI
        tax = max(0, *enjoyed) - (0 if selected is None else enjoyed[selected])
        tax = min(tax, lock + paid - share - bond)
        payments.append(share + bond + tax - paid)
        taxes.append(tax)
        put_in.append(tax + bond + reward - paid)
    rebates = [*_rebates(put_in[:n]), *_rebates(put_in[n:])]
    return FirstOutcome(selected, tuple(payments), tuple(taxes), tuple(rebates))


def _owner_share(others_value: int, cost: int, n: int, theta: int) -> int:
    """`(1 - theta) * K / n + theta * (V - v_i) / (n - 1)`, rounded up."""
    return -(-((THETA_ONE - theta) * (n - 1) * cost + theta * n * others_value) // (THETA_ONE * n * (n - 1)))


def _reward(value: int, others_cost: int, n: int, theta: int) -> int:
    """`(1 - theta) * (K - k_j) / (n - 1) + theta * V / n`, rounded down."""
    return ((THETA_ONE - theta) * n * others_cost + theta * (n - 1) * value) // (THETA_ONE * n * (n - 1))


def _rebates(put_in: Sequence[int]) -> list[int]:
    """What the others of a side put in, divided among them without oneself."""
    return [(sum(put_in) - own) // (len(put_in) - 1) for own in put_in]
