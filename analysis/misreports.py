"""What a lie brings, under any of three rules, and a search for the one that brings most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from typing import TypeAlias

from analysis import literal, mechanism
from analysis.mechanism import WEI_PER_GWEI

Row: TypeAlias = tuple[int, ...]
Rows: TypeAlias = tuple[Row, ...]


@dataclass(frozen=True)
class Auction:
    """The bids of a round, `[member][model]`, gwei; members are numbered owners first.

    Attributes:
        theta_numerator: `theta * 2**64`.
        max_owner_bid: cap on an owner's bid, gwei.
        max_base_bid: cap on a base station's bid, gwei.
    """

    owner_bids: Rows
    base_bids: Rows
    theta_numerator: int
    max_owner_bid: int
    max_base_bid: int

    def is_owner(self, member: int) -> bool:
        return member < len(self.owner_bids)

    def cap(self, member: int) -> int:
        return self.max_owner_bid if self.is_owner(member) else self.max_base_bid

    def bids(self, member: int) -> Row:
        return (*self.owner_bids, *self.base_bids)[member]

    def with_bids(self, changed: Mapping[int, Row]) -> Auction:
        """The same round, these members claiming that."""
        rows = [changed.get(member, row) for member, row in enumerate((*self.owner_bids, *self.base_bids))]
        owners = len(self.owner_bids)
        return replace(self, owner_bids=tuple(rows[:owners]), base_bids=tuple(rows[owners:]))


@dataclass(frozen=True)
class Outcome:
    """What a rule decides: the selected model and what each member pays, wei."""

    selected: int | None
    payments: Sequence[int | Fraction]


Rule: TypeAlias = Callable[[Auction], Outcome]


def ours(auction: Auction) -> Outcome:
    """`analysis.mechanism`, the equal policy."""
    settled = mechanism.settle(
        auction.owner_bids, auction.base_bids, auction.theta_numerator, max_owner_bid=auction.max_owner_bid
    )
    return Outcome(settled.selected, settled.payments)


def apart(auction: Auction) -> Outcome:
    """The paper's formulas: each side taxed alone, shares of the drawn payment."""
    settled = literal.apart(auction.owner_bids, auction.base_bids, auction.theta_numerator)
    return Outcome(settled.selected, settled.payments)


def together(auction: Auction) -> Outcome:
    """One auction over both sides, still with shares of the drawn payment."""
    settled = literal.together(auction.owner_bids, auction.base_bids, auction.theta_numerator)
    return Outcome(settled.selected, settled.payments)


RULES: Mapping[str, Rule] = {"apart": apart, "together": together, "ours": ours}


def utility(truth: Auction, outcome: Outcome, member: int) -> Fraction | int:
    """True value (minus true cost) of the selected model less the payment, wei."""
    worth = 0 if outcome.selected is None else truth.bids(member)[outcome.selected] * WEI_PER_GWEI
    return (worth if truth.is_owner(member) else -worth) - outcome.payments[member]


@dataclass(frozen=True)
class Found:
    """What a search has found.

    Attributes:
        tried: different bids.
        profitable: those of them with a gain.
        gain: of the best, wei; at most 0 where none is profitable.
        rows: the best, a row a liar, gwei.
    """

    tried: int
    profitable: int
    gain: Fraction | int
    rows: Rows


def best_lie(
    rule: Rule, truth: Auction, liars: Sequence[int], random: Random, steps: int, also: Iterable[Rows] = ()
) -> Found:
    """Search for what these members together gain most by claiming instead of the truth.

    Args:
        rule: the payment rule.
        truth: a round of true claims.
        liars: members that bid together; all others tell the truth.
        random: where the search draws from.
        steps: of hill climbing, after the obvious lies.
        also: bids to start from beside the obvious ones, a row a liar.
    """

    def joint(outcome: Outcome) -> Fraction | int:
        return sum(utility(truth, outcome, member) for member in liars)

    told = joint(rule(truth))
    rows, caps = tuple(truth.bids(member) for member in liars), [truth.cap(member) for member in liars]
    return climb(
        lambda lies: joint(rule(truth.with_bids(dict(zip(liars, lies, strict=True))))) - told,
        [lies for lies in (*obvious(rows, caps), *also) if lies != rows],
        caps,
        random,
        steps,
    )


def climb(
    gain: Callable[[Rows], Fraction | int], starts: Iterable[Rows], caps: Sequence[int], random: Random, steps: int
) -> Found:
    """Try these bids, then change the best so far at random, keeping what is no worse.

    Args:
        gain: of bidding these rows, wei.
        starts: at least one, each a row a name under which bids are made.
        caps: on the bids of each row, gwei.
        random: where changes are drawn from.
        steps: changes tried.
    """
    tried = {rows: gain(rows) for rows in starts}
    best = max(tried, key=lambda rows: tried[rows])
    for _ in range(steps):
        rows = _changed(best, caps, random)
        if rows not in tried:
            tried[rows] = gain(rows)
        if tried[rows] >= tried[best]:
            best = rows
    return Found(len(tried), sum(value > 0 for value in tried.values()), tried[best], best)


def obvious(truth: Rows, caps: Sequence[int]) -> Iterator[Rows]:
    """Nothing, everything, half, double; and one model alone put to 0 or to the cap, or as the only one wanted."""
    for factor in (Fraction(0), Fraction(1, 2), Fraction(2), None):
        yield tuple(
            tuple(cap if factor is None else min(int(bid * factor), cap) for bid in row)
            for row, cap in zip(truth, caps, strict=True)
        )
    for model in range(len(truth[0])):
        for at_model, elsewhere in ((0, None), (1, None), (1, 0), (0, 1)):
            yield tuple(
                tuple(
                    cap * at_model if other == model else bid if elsewhere is None else cap * elsewhere
                    for other, bid in enumerate(row)
                )
                for row, cap in zip(truth, caps, strict=True)
            )


def _changed(rows: Rows, caps: Sequence[int], random: Random) -> Rows:
    """One row, at one model or at all of them: to an end, a little, by a factor, or anywhere."""
    place = random.randrange(len(rows))
    cap, row = caps[place], list(rows[place])
    models = range(len(row)) if random.random() < 0.25 else [random.randrange(len(row))]
    kind, factor, step = random.randrange(5), random.uniform(0, 2), random.choice((-10, -3, -1, 1, 3, 10))
    for model in models:
        wanted = (0, cap, row[model] + step, round(row[model] * factor), random.randint(0, cap))[kind]
        row[model] = min(max(wanted, 0), cap)
    return (*rows[:place], tuple(row), *rows[place + 1 :])
