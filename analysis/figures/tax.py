"""What to do with the tax: burn it, give it back to a side, or leave it to one base station that has no say."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from random import Random
from statistics import fmean, stdev
from typing import Any, TypeAlias

from matplotlib.figure import Figure as Drawing

from analysis.figures.draws import MEAN_COST, MEAN_VALUE, SETTINGS, draw_round
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.plot import SERIES, finish, panels
from analysis.mechanism import WEI_PER_GWEI
from analysis.misreports import (
    Kind,
    Row,
    Rule,
    best_deviation,
    burnt,
    cap_of,
    first,
    gain_of,
    members_of,
    ours,
)
from analysis.round_facts import Round


def _scaled(factor: float, row: Row) -> list[float]:
    return [bid * factor for bid in row]


def _spread(factor: float, row: Row) -> list[float]:
    mean = fmean(row)
    return [mean + (bid - mean) * factor for bid in row]


RULES: Mapping[str, Rule] = {"burnt": burnt, "rebated": first, "claimant": ours}
TITLES = {"burnt": "burnt", "rebated": "rebated to the others of a side", "claimant": "residual claimant (HCFL)"}
MARKETS = {"wide": MEAN_VALUE, "thin": MEAN_COST}
"""Mean values of owners, gwei; costs stay at theirs."""
SIDES = ("owner", "base station")
BLIND: Mapping[str, Callable[[Row], list[float]]] = {
    **{f"times {factor}": partial(_scaled, factor) for factor in (0, 0.5, 0.75, 0.9, 0.95, 1.05, 1.1, 1.25, 1.5, 2)},
    **{f"spread times {factor}": partial(_spread, factor) for factor in (0, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5)},
}
"""Lies that look at nothing but one's own values: all claims times a factor, or their distances from their mean."""

SIZES, QUICK_SIZES = (3, 4, 5, 7, 10, 14, 20), (3, 5, 10, 20)
DRAWS, QUICK_DRAWS = 800, 200  # at three members a side; fewer of more
SEARCHES, QUICK_SEARCHES = 60, 12  # rounds searched, likewise
STEPS = 40  # of hill climbing in each

Amounts: TypeAlias = dict[str, Any]


def measure(request: Request) -> Data:
    """The same draws under each rule: welfare under the truth, the best lie that sees all, and the best blind one."""
    sizes = QUICK_SIZES if request.quick else SIZES
    draws, searches = (QUICK_DRAWS, QUICK_SEARCHES) if request.quick else (DRAWS, SEARCHES)
    markets: dict[str, dict[str, Amounts]] = {market: {} for market in MARKETS}
    for market, mean in MARKETS.items():
        for size in sizes:
            random = Random(f"tax {request.seed} {market} {size}")
            rounds = [draw_round(random, size, size, mean_value=mean) for _ in range(_fewer(draws, size))]
            markets[market][str(size)] = {
                "draws": len(rounds),
                "first_best_gwei": sum(_first_best(round_) for round_ in rounds),
                "welfare_gwei": {rule: _welfare(rounds, rule) for rule in RULES},
                "seeing_all": _seeing_all(rounds[: _fewer(searches, size)], request.seed),
                "seeing_nothing": {rule: _seeing_nothing(rounds, RULES[rule]) for rule in RULES},
            }
            request.say(f"{market} margins, {size} members a side: done")
    return {
        "settings": {
            **{key: value for key, value in SETTINGS.items() if key not in ("members_a_side", "models", "values")},
            "members_a_side_and_models": list(sizes),
            "values": {market: f"uniform, 0 to {2 * mean} gwei" for market, mean in MARKETS.items()},
            "climbing_steps": STEPS,
            "blind_lies": list(BLIND),
            "deviations": "lies, and silence; one member of each side in each round",
        },
        "markets": markets,
    }


def _fewer(count: int, size: int) -> int:
    """Large rounds take longer, and differ less."""
    return max(8, count * 3 // size)


def _worth(round_: Round, model: int | None) -> int:
    """True value less true cost of a model, gwei."""
    if model is None:
        return 0
    return sum(o.bids[model] for o in round_.owners) - sum(s.bids[model] for s in round_.stations)


def _first_best(round_: Round) -> int:
    return max(0, *(_worth(round_, model) for model in range(len(round_.proposers))))


def _welfare(rounds: Sequence[Round], rule: str) -> float:
    """What all members have of all rounds together if everybody tells the truth, gwei; dust counts as lost."""
    total = 0.0
    for round_ in rounds:
        outcome = RULES[rule](round_)
        total += _worth(round_, outcome.trained) - float(sum(outcome.payments)) / WEI_PER_GWEI
    return total


def _followed(round_: Round) -> dict[str, int]:
    """The first owner, the first base station."""
    return {"owner": 0, "base station": len(round_.owners)}


def _seeing_all(rounds: Sequence[Round], seed: int) -> dict[str, dict[str, Amounts]]:
    """By rule and side: the best lie or silence in each round, for who knows all others' bids and the draw."""
    found: dict[str, dict[str, Amounts]] = {}
    for name, rule in RULES.items():
        found[name] = {}
        for side in SIDES:
            random = Random(f"search {seed} {side}")  # the same for every rule
            best = [
                best_deviation(rule, round_, (_followed(round_)[side],), random, STEPS, (Kind.LIE, Kind.SILENCE))
                for round_ in rounds
            ]
            found[name][side] = {
                "gains_gwei": [round(float(max(0, each.gain) / WEI_PER_GWEI), 3) for each in best],
                "tried": sum(each.tried for each in best),
                "profitable": sum(each.profitable for each in best),
            }
    return found


def _seeing_nothing(rounds: Sequence[Round], rule: Rule) -> dict[str, Amounts]:
    """By side: the blind lie that gains most in every second round, and what it gains in the others, gwei a round."""
    found: dict[str, Amounts] = {}
    for side in SIDES:
        gains = [_blind_gains(round_, _followed(round_)[side], rule) for round_ in rounds]
        chosen = max(BLIND, key=lambda lie: fmean(of_round[lie] for of_round in gains[::2]))
        measured = [of_round[chosen] for of_round in gains[1::2]]
        found[side] = {
            "lie": chosen,
            "mean_gwei": round(fmean(measured), 4),
            "standard_error_gwei": round(stdev(measured) / len(measured) ** 0.5, 4),
            "tried": len(BLIND) * len(rounds),
            "profitable": sum(gain > 0 for of_round in gains for gain in of_round.values()),
        }
    return found


def _blind_gains(round_: Round, member: int, rule: Rule) -> dict[str, float]:
    gain = gain_of(rule, round_, (member,))
    true, cap = members_of(round_)[member], cap_of(round_, member)
    rows = {lie: tuple(min(max(round(bid), 0), cap) for bid in claim(true.bids)) for lie, claim in BLIND.items()}
    return {lie: float(gain((replace(true, bids=row),)) / WEI_PER_GWEI) for lie, row in rows.items()}


def draw(data: Data) -> Drawing:
    """A row a market: welfare left, the mean gain of a lie that sees all, and of one that sees nothing, by size."""
    figure, axes = panels(3, height=6.4, rows=len(MARKETS), width=11)
    for row, market in enumerate(MARKETS):
        sizes = data["markets"][market]
        welfare, seeing, blind = axes[3 * row : 3 * row + 3]
        numbers = [int(size) for size in sizes]
        for rule, look in zip(RULES, SERIES, strict=False):
            marked = {**look, "label": TITLES[rule]}
            welfare.plot(numbers, [_percent(entry, rule) for entry in sizes.values()], **marked)
            seeing.plot(numbers, [_mean_gain(entry, rule) for entry in sizes.values()], **marked)
            found = [_best_blind(entry, rule) for entry in sizes.values()]
            blind.errorbar(
                numbers,
                [each["mean_gwei"] for each in found],
                yerr=[1.96 * each["standard_error_gwei"] for each in found],
                capsize=2,
                **marked,
            )
        welfare.set_ylim(0, 105)
        top = 1.1 * max(_mean_gain(entry, rule) for entry in sizes.values() for rule in RULES)
        for each in (seeing, blind):
            each.set_ylim(-0.3 * top, top)
            each.axhline(0, color="black", linewidth=0.8)
        titles = ("welfare", "best lie, seeing all", "best blind lie")
        units = ("welfare (% of first best)", "mean gain (gwei a round)", "mean gain (gwei a round)")
        for each, title, unit in zip((welfare, seeing, blind), titles, units, strict=True):
            finish(each, f"{market.capitalize()} margins: {title}", "members a side, and models", unit, legend=False)
            each.set_xticks(numbers)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(RULES), frameon=False)
    return figure


def _percent(entry: Mapping[str, Any], rule: str) -> float:
    return float(100 * entry["welfare_gwei"][rule] / entry["first_best_gwei"])


def _mean_gain(entry: Mapping[str, Any], rule: str) -> float:
    """Of the best lie that sees all, over both sides; 0 where none gains, as one can always tell the truth."""
    return fmean(gain for side in SIDES for gain in entry["seeing_all"][rule][side]["gains_gwei"])


def _best_blind(entry: Mapping[str, Any], rule: str) -> Mapping[str, Any]:
    """On the side on which it gains more."""
    found: Mapping[str, Any] = max(entry["seeing_nothing"][rule].values(), key=lambda each: each["mean_gwei"])
    return found


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    entries = [entry for sizes in data["markets"].values() for entry in sizes.values()]

    def count(rule: str, key: str) -> int:
        kinds = ("seeing_all", "seeing_nothing")
        return sum(int(entry[kind][rule][side][key]) for entry in entries for kind in kinds for side in SIDES)

    def left(market: str, rule: str) -> list[float]:
        return [_percent(entry, rule) for entry in data["markets"][market].values()]

    found = [
        gain > 0 for entry in entries for side in SIDES for gain in entry["seeing_all"]["rebated"][side]["gains_gwei"]
    ]
    means = [_mean_gain(entry, "rebated") for entry in entries]
    blind = [_best_blind(entry, "rebated") for entry in entries]
    return [
        Claim(
            "Left to a base station that has no say, taxes pay no lie and no silence, seeing all or nothing: of "
            f"{count('claimant', 'tried'):,} none gains. Burnt, they pay none of {count('burnt', 'tried'):,} either.",
            count("claimant", "profitable") == count("burnt", "profitable") == 0,
        ),
        Claim(
            f"Given back, they pay a lie in {100 * fmean(found):.0f} % of rounds to who sees all, {min(means):.0f} to "
            f"{max(means):.0f} gwei on average.",
            fmean(found) > 0.8 and min(means) > 1,
        ),
        Claim(
            f"Who sees nothing gains little by it: the best of {len(BLIND)} blind lies, chosen on half of the rounds, "
            f"brings at most {max(each['mean_gwei'] for each in blind):.1f} gwei in the others, less than a fifth of "
            "what sight brings.",
            all(each["mean_gwei"] < mean / 5 for each, mean in zip(blind, means, strict=True)),
        ),
        *(
            Claim(
                f"{market.capitalize()} margins: the claimant leaves {left(market, 'claimant')[0]:.1f} % of first-best "
                f"welfare at {next(iter(data['markets'][market]))} members a side and "
                f"{left(market, 'claimant')[-1]:.1f} % at {[*data['markets'][market]][-1]}; burnt taxes leave "
                f"{min(left(market, 'burnt')):.0f} to {max(left(market, 'burnt')):.0f} %.",
                min(left(market, "claimant")) > least and min(left(market, "claimant")) > max(left(market, "burnt")),
            )
            for market, least in (("wide", 97), ("thin", 80))
        ),
        Claim(
            "Given back, taxes cost no welfare if all tell the truth, but for dust; that is what makes it tempting.",
            all(99.999 < _percent(entry, "rebated") <= 100 for entry in entries),
        ),
    ]


FIGURE = Figure("tax", "what to do with the tax: burnt, rebated, or left to a residual claimant", measure, draw, claims)
