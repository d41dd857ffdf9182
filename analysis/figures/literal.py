"""The paper's payment rules taken at their word: two readings, neither of them truthful.

They are what `analysis.mechanism` departs from, kept so that the departure can be measured. Both select the model with
the largest margin (paper, section III-C.3) and both divide the drawn payment `C = K + theta * (V - K)` equally, `c_i =
C / N` (section III-B.1): whoever claims less lowers its own share. They differ in whose loss the tax counts:

- `apart`: "the VCG auction will be held in both model owner side and base station side independently" (III-B.1). The
  others are those of the member's own side.
- `together`: one auction over both sides, as in mechanism.md, "Clarke tax".

The three cases of the paper's tax are one formula: `max(0, max_m A_i^m) - A_i^selected`, `A_i^m` being what the others
claim less what they pay at model `m` (cases 1 and 2 where a model is chosen; case 3 where none is, and `A_i` is 0). The
bars around sums in III-B.1 are read as brackets: with absolute values a model that all the others detest could be `m'`.
At a model whose costs exceed its values the interval of payments is empty; `C` goes on along the same line.

Exact fractions of a wei: nothing here is rounded. Units and shapes as in `analysis.mechanism`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from analysis.mechanism import THETA_ONE, WEI_PER_GWEI, Bids


@dataclass(frozen=True)
class Outcome:
    """What a rule decides.

    Attributes:
        selected: Index of the model to train, None where no margin is positive.
        payments: Share plus tax in wei, owners first; negative receives.
    """

    selected: int | None
    payments: tuple[Fraction, ...]


def apart(owner_bids: Bids, station_bids: Bids, theta_numerator: int) -> Outcome:
    """Each side taxed alone: `A_i` sums over the others of its own side (paper, III-B.1)."""
    return _settle(owner_bids, station_bids, theta_numerator, two_sided=False)


def together(owner_bids: Bids, station_bids: Bids, theta_numerator: int) -> Outcome:
    """One auction over both sides: `A_i` sums over all others."""
    return _settle(owner_bids, station_bids, theta_numerator, two_sided=True)


def _settle(owner_bids: Bids, station_bids: Bids, theta_numerator: int, *, two_sided: bool) -> Outcome:
    owners, stations = len(owner_bids), len(station_bids)
    if not owners or not stations or len({len(row) for row in (*owner_bids, *station_bids)}) != 1:
        raise ValueError("both sides need members, and each of them one bid a model")
    # All amounts below are in units of wei / scale, in which every share is an integer.
    scale = THETA_ONE * owners * stations
    unit = scale * WEI_PER_GWEI
    values, costs = _sums(owner_bids), _sums(station_bids)
    pools = [
        (THETA_ONE * cost + theta_numerator * (value - cost)) * owners * stations * WEI_PER_GWEI
        for value, cost in zip(values, costs, strict=True)
    ]
    margins = [value - cost for value, cost in zip(values, costs, strict=True)]
    best = max(margins)
    selected = margins.index(best) if best > 0 else None

    payments = []
    for row in owner_bids:
        shares = [pool // owners for pool in pools]
        enjoyed = [
            ((margin if two_sided else value) - bid) * unit + share - (0 if two_sided else pool)
            for margin, value, bid, share, pool in zip(margins, values, row, shares, pools, strict=True)
        ]
        payments.append(_payment(shares, enjoyed, selected))
    for row in station_bids:
        shares = [-pool // stations for pool in pools]
        enjoyed = [
            ((margin if two_sided else -cost) + bid) * unit + share + (0 if two_sided else pool)
            for margin, cost, bid, share, pool in zip(margins, costs, row, shares, pools, strict=True)
        ]
        payments.append(_payment(shares, enjoyed, selected))
    return Outcome(selected, tuple(Fraction(payment, scale) for payment in payments))


def _payment(shares: Sequence[int], enjoyed: Sequence[int], selected: int | None) -> int:
    """Share plus tax; `enjoyed` is `A_i`, 0 where nothing is selected."""
    share, at_selected = (0, 0) if selected is None else (shares[selected], enjoyed[selected])
    return share + max(0, *enjoyed) - at_selected


def _sums(rows: Bids) -> list[int]:
    return [sum(bids) for bids in zip(*rows, strict=True)]
