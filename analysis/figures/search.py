"""What a member gains by other conduct than agreed, net of every flow, under several rules; and a search for the most.

A `Round` in which all are truthful is the truth: its members' bids are what the models are worth to them or cost them;
the claimant's too, at which our rule never looks. A deviation is the same round with another `Member` or more in it:
other bids, a bid never revealed, fewer updates recorded. Members are numbered owners first.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from itertools import product
from random import Random
from typing import Generic, TypeAlias, TypeVar

from analysis.figures import literal
from analysis.figures.first_version import settle_first
from analysis.mechanism import WEI_PER_GWEI
from analysis.round_facts import Member, Round
from analysis.settlement import settle_round

Row: TypeAlias = tuple[int, ...]
Rows: TypeAlias = tuple[Row, ...]
Wei: TypeAlias = int | Fraction
Conduct: TypeAlias = tuple[Member, ...]
"""What some members do, in the order in which they are named."""


class Kind(StrEnum):
    """How a member may deviate."""

    LIE = "lie"  # bid something else
    SILENCE = "silence"  # never reveal
    EFFORT = "effort"  # record fewer updates than global rounds


@dataclass(frozen=True)
class Outcome:
    """What a rule makes of a round: the model that is trained, if one is, and what each member pays in the end, wei."""

    trained: int | None
    payments: Sequence[Wei]


Rule: TypeAlias = Callable[[Round], Outcome]


def ours(round_: Round) -> Outcome:
    """The whole money of `analysis.settlement`: shares, taxes, bonds, rewards, bonuses, and the lot."""
    result = settle_round(round_)
    payments = [dues.payment for dues in result.owners + result.stations]
    if round_.claimant is not None:
        payments[len(round_.owners) + round_.claimant] -= result.lot
    return Outcome(result.selected if any(station.recorded for station in round_.stations) else None, payments)


def first(round_: Round) -> Outcome:
    """The first version: rebates are counted."""
    outcome = settle_first(round_)
    net = [paid - back for paid, back in zip(outcome.payments, outcome.rebates, strict=True)]
    return Outcome(outcome.selected if any(station.recorded for station in round_.stations) else None, net)


def burnt(round_: Round) -> Outcome:
    """The first version, but no tax comes back to anybody."""
    return replace(first(round_), payments=settle_first(round_).payments)


def apart(round_: Round) -> Outcome:
    """The paper's formulas: each side taxed alone, shares of the drawn payment."""
    return _literal(round_, literal.apart)


def together(round_: Round) -> Outcome:
    """One auction over both sides, still with shares of the drawn payment."""
    return _literal(round_, literal.together)


def _literal(round_: Round, rule: Callable[..., literal.Outcome]) -> Outcome:
    owners, stations = ([member.bids for member in side] for side in (round_.owners, round_.stations))
    decided = rule(owners, stations, round_.theta_numerator)
    return Outcome(decided.selected, decided.payments)


RULES: Mapping[str, Rule] = {"apart": apart, "together": together, "first": first, "ours": ours}


def members_of(round_: Round) -> Conduct:
    """Owners first."""
    return round_.owners + round_.stations


def with_conduct(round_: Round, changed: Mapping[int, Member]) -> Round:
    """The same round, these members doing that."""
    members = [changed.get(number, member) for number, member in enumerate(members_of(round_))]
    owners = len(round_.owners)
    return replace(round_, owners=tuple(members[:owners]), stations=tuple(members[owners:]))


def cap_of(round_: Round, member: int) -> int:
    """On the member's bids, gwei."""
    return round_.max_owner_bid if member < len(round_.owners) else round_.max_station_bid


def utility(truth: Round, played: Round, outcome: Outcome, member: int) -> Wei:
    """True value, or true cost of the global rounds that it worked, of the trained model, less what it pays; wei."""
    if outcome.trained is None:
        return -outcome.payments[member]
    worth = members_of(truth)[member].bids[outcome.trained] * WEI_PER_GWEI
    if member < len(truth.owners):
        return worth - outcome.payments[member]
    worked, total = members_of(played)[member].recorded, truth.global_rounds
    return -(worth if worked == total else Fraction(worth * worked, total)) - outcome.payments[member]


def gain_of(rule: Rule, truth: Round, members: Sequence[int]) -> Callable[[Conduct], Wei]:
    """What these members together have of a conduct beyond what the truth brings them, wei; all others do as before."""

    def together(played: Round) -> Wei:
        outcome = rule(played)
        return sum(utility(truth, played, outcome, member) for member in members)

    told = together(truth)
    return lambda conduct: together(with_conduct(truth, dict(zip(members, conduct, strict=True)))) - told


# ── searching ──

T = TypeVar("T")


@dataclass(frozen=True)
class Found(Generic[T]):
    """What a search has found.

    Attributes:
        tried: different ways to act.
        profitable: those of them with a gain.
        gain: of the best, wei; at most 0 where none is profitable.
        best: the best.
    """

    tried: int
    profitable: int
    gain: Wei
    best: T


def best_deviation(
    rule: Rule,
    truth: Round,
    members: Sequence[int],
    random: Random,
    steps: int,
    kinds: Collection[Kind] = (Kind.LIE,),
    also: Iterable[Conduct] = (),
) -> Found[Conduct]:
    """Search for what these members together gain most by not doing as agreed, while all others tell the truth.

    Args:
        rule: the payment rule.
        truth: a round of true claims.
        members: who deviates together.
        random: where the search draws from.
        steps: of hill climbing, after the obvious.
        kinds: how they may deviate.
        also: where to start from beside the obvious.
    """
    true = tuple(members_of(truth)[member] for member in members)
    starts = (conduct for conduct in (*_obvious_conduct(truth, members, kinds), *also) if conduct != true)
    return climb(
        gain_of(rule, truth, members),
        starts,
        lambda conduct: _changed_conduct(truth, members, conduct, kinds, random),
        steps,
    )


def climb(gain: Callable[[T], Wei], starts: Iterable[T], change: Callable[[T], T], steps: int) -> Found[T]:
    """Try these starts, then change the best so far at random, keeping what is no worse.

    Args:
        gain: of acting so, wei.
        starts: at least one.
        change: one step away, at random.
        steps: changes tried.
    """
    tried = {start: gain(start) for start in starts}
    best = max(tried, key=lambda acted: tried[acted])
    for _ in range(steps):
        acted = change(best)
        if acted not in tried:
            tried[acted] = gain(acted)
        if tried[acted] >= tried[best]:
            best = acted
    return Found(len(tried), sum(value > 0 for value in tried.values()), tried[best], best)


def every_deviation(truth: Round, member: int, bids: Sequence[int]) -> Iterator[Member]:
    """All that a member can do with these bids to choose from: every row of them at every effort, and silence."""
    true = members_of(truth)[member]
    efforts = range(truth.global_rounds + 1) if _is_station(truth, member) else (0,)
    rows = product(bids, repeat=len(truth.proposers))
    for row, effort in product((true.bids,) if _is_aside(truth, member) else rows, efforts):
        yield replace(true, bids=row, recorded=effort)
    if not _is_aside(truth, member):
        yield _silent(true)


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


def changed_rows(rows: Rows, caps: Sequence[int], random: Random) -> Rows:
    """One row, at one model or at all of them: to an end, a little, by a factor, or anywhere."""
    place = random.randrange(len(rows))
    cap, row = caps[place], list(rows[place])
    models = range(len(row)) if random.random() < 0.25 else [random.randrange(len(row))]
    kind, factor, step = random.randrange(5), random.uniform(0, 2), random.choice((-10, -3, -1, 1, 3, 10))
    for model in models:
        wanted = (0, cap, row[model] + step, round(row[model] * factor), random.randint(0, cap))[kind]
        row[model] = min(max(wanted, 0), cap)
    return (*rows[:place], tuple(row), *rows[place + 1 :])


def _obvious_conduct(truth: Round, members: Sequence[int], kinds: Collection[Kind]) -> Iterator[Conduct]:
    true = tuple(members_of(truth)[member] for member in members)
    if Kind.LIE in kinds:
        for rows in obvious(tuple(member.bids for member in true), [cap_of(truth, member) for member in members]):
            yield tuple(replace(member, bids=row) for member, row in zip(true, rows, strict=True))
    for place, member in enumerate(members):
        alone: list[Member] = []
        if Kind.SILENCE in kinds and not _is_aside(truth, member):
            alone.append(_silent(true[place]))
        if Kind.EFFORT in kinds and _is_station(truth, member):
            total = truth.global_rounds
            alone += [replace(true[place], recorded=effort) for effort in {0, total // 2, total - 1}]
        for acted in alone:
            yield (*true[:place], acted, *true[place + 1 :])


def _changed_conduct(
    truth: Round, members: Sequence[int], conduct: Conduct, kinds: Collection[Kind], random: Random
) -> Conduct:
    """One step away: other bids, or at times another effort of one member, or its silence begun or ended."""
    place = random.randrange(len(members))
    member, acted, full = members[place], conduct[place], members_of(truth)[members[place]]
    other = random.random()
    if Kind.EFFORT in kinds and _is_station(truth, member) and other < 0.2:
        acted = replace(full, bids=acted.bids, recorded=random.randint(0, truth.global_rounds))
    elif Kind.SILENCE in kinds and not _is_aside(truth, member) and other < 0.3:
        acted = _silent(acted) if acted.revealed else replace(full, bids=acted.bids)
    elif Kind.LIE in kinds:
        rows = changed_rows((acted.bids,), (cap_of(truth, member),), random)
        acted = replace(acted, bids=rows[0])
    return (*conduct[:place], acted, *conduct[place + 1 :])


def _is_station(round_: Round, member: int) -> bool:
    return member >= len(round_.owners)


def _is_aside(round_: Round, member: int) -> bool:
    """Whether it is the claimant, that never reveals."""
    return round_.claimant is not None and member == len(round_.owners) + round_.claimant


def _silent(member: Member) -> Member:
    return replace(member, revealed=False, recorded=0)
