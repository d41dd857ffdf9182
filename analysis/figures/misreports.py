"""What a misreport gains under four rules, net of every flow: by factor and theta, and the worst of a search."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure as Drawing

from analysis.figures.draws import LARGEST_FACTOR, MEMBERS, SETTINGS, draw_round
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.search import RULES, Kind, Rule, Wei, best_deviation, gain_of, members_of
from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from analysis.plot import panels, style
from analysis.round_facts import Round

TITLES = {
    "apart": "paper: each side taxed alone",
    "together": "paper's shares, one auction",
    "first": "taxes rebated (first version)",
    "ours": "HCFL",
}
BOUNDARIES = (-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100)  # of the colours, gwei
SIDES = {"owner": 0, "base station": MEMBERS}

FACTORS = [round(0.125 * step, 3) for step in range(8 * LARGEST_FACTOR + 1)]
THETA_STEPS = 8
DRAWS, QUICK_DRAWS = 40, 8
SEARCHES, QUICK_SEARCHES = 300, 40  # rounds a rule and side
STEPS = 60  # of hill climbing in each
SIZES = (3, 4, 5)  # members a side and models of the searched rounds: in small ones a member weighs most
GLOBAL_ROUNDS = 4  # of the searched rounds
KINDS = {"apart": (Kind.LIE,), "together": (Kind.LIE,), "first": (Kind.LIE, Kind.SILENCE), "ours": tuple(Kind)}
"""What the search tries. The paper's formulas know bids alone; in the first version less work paid anyway."""


def measure(request: Request) -> Data:
    """Scale true bids by a factor, on the same rounds under each rule; then search freely."""
    draws, searches = (QUICK_DRAWS, QUICK_SEARCHES) if request.quick else (DRAWS, SEARCHES)
    thetas = [min(step * THETA_ONE // THETA_STEPS, THETA_ONE - 1) for step in range(THETA_STEPS + 1)]
    random = Random(f"misreports {request.seed}")
    rounds = [draw_round(random) for _ in range(draws)]
    rules: dict[str, Any] = {}
    for name, rule in RULES.items():
        rules[name] = {
            side: {
                "grid": [[_scaled(rule, rounds, member, theta, factor) for factor in FACTORS] for theta in thetas],
                # The same rounds and starts for every rule.
                "search": _search(name, side, searches, Random(f"search {request.seed} {side}")),
            }
            for side, member in SIDES.items()
        }
        request.say(f"{name}: done")
    return {
        "settings": {
            **SETTINGS,
            "theta": "of the grid: as given; of the search: uniform",
            "draws": draws,
            "searched_rounds": searches,
            "searched_sizes": list(SIZES),
            "searched_global_rounds": GLOBAL_ROUNDS,
            "searched_kinds": {name: list(kinds) for name, kinds in KINDS.items()},
            "climbing_steps": STEPS,
        },
        "factors": FACTORS,
        "thetas": [theta / THETA_ONE for theta in thetas],
        "rules": rules,
    }


def _scaled(rule: Rule, rounds: Sequence[Round], member: int, theta: int, factor: float) -> dict[str, Any]:
    """What claiming so many times the truth gains in these rounds under one theta."""
    gains: list[Wei] = []
    for drawn in rounds:
        truth = replace(drawn, theta_numerator=theta)
        true = members_of(truth)[member]
        lie = replace(true, bids=tuple(round(bid * factor) for bid in true.bids))
        gains.append(gain_of(rule, truth, (member,))((lie,)))
    return {
        "mean_gwei": float(sum(gains, Fraction(0)) / len(gains) / WEI_PER_GWEI),
        "profitable": sum(gain > 0 for gain in gains),
        "worst_wei": int(max(gains)),
    }


def _search(rule: str, side: str, searches: int, random: Random) -> dict[str, Any]:
    """The deviation that gains most, of all rounds searched; amounts are cut to whole wei."""
    tried = profitable = 0
    best: dict[str, Any] = {}
    for index in range(searches):
        size = SIZES[index % len(SIZES)]
        truth = _in_parts(draw_round(random, size, size))
        member = 0 if side == "owner" else size
        found = best_deviation(RULES[rule], truth, (member,), Random(index), STEPS, KINDS[rule])
        tried, profitable = tried + found.tried, profitable + found.profitable
        if not best or found.gain > best["gain_wei"]:
            best = {
                "gain_wei": int(found.gain),
                "owner_bids": [owner.bids for owner in truth.owners],
                "station_bids": [station.bids for station in truth.stations],
                "claimant": truth.claimant,
                "theta_numerator": str(truth.theta_numerator),
                "bids": found.best[0].bids,
                "revealed": found.best[0].revealed,
                "recorded": found.best[0].recorded,
            }
    return {"tried": tried, "profitable": profitable, "worst": best}


def _in_parts(truth: Round) -> Round:
    """With global rounds to leave out."""
    stations = tuple(replace(station, recorded=GLOBAL_ROUNDS) for station in truth.stations)
    return replace(truth, stations=stations, global_rounds=GLOBAL_ROUNDS)


def draw(data: Data) -> Drawing:
    """Heat maps of the mean gain, a row a side, a column a rule, on one scale; a dot where some round has a gain."""
    figure, axes = panels(len(TITLES), height=5.8, rows=len(SIDES), width=11.5)
    colours = colormaps["cividis"]
    norm = BoundaryNorm(BOUNDARIES, colours.N, extend="both")
    for row, side in enumerate(SIDES):
        for column, rule in enumerate(TITLES):
            _panel(axes[row * len(TITLES) + column], data, rule, side, norm)
    with style():
        figure.colorbar(
            ScalarMappable(norm, colours), ax=axes, label="mean gain of the liar (gwei a round)", ticks=BOUNDARIES
        )
    return figure


def _panel(axes: Axes, data: Data, rule: str, side: str, norm: BoundaryNorm) -> None:
    of_side: Mapping[str, Any] = data["rules"][rule][side]
    factors, thetas = np.array(data["factors"]), np.array(data["thetas"])
    gains = np.array([[cell["mean_gwei"] for cell in row] for row in of_side["grid"]])
    profits = np.array([[cell["worst_wei"] > 0 for cell in row] for row in of_side["grid"]])
    axes.pcolormesh(factors, thetas, gains, cmap="cividis", norm=norm, shading="nearest")
    rows, columns = np.nonzero(profits)
    axes.scatter(factors[columns], thetas[rows], s=2, color="black")
    axes.axvline(1, color="black", linewidth=0.8, linestyle=":")
    worst = of_side["search"]["worst"]["gain_wei"] / WEI_PER_GWEI
    verdict = f"best lie found: +{worst:.0f} gwei" if worst > 0 else "no lie found gains"
    axes.set_title(f"{TITLES[rule]}\n{verdict}", fontsize=8)
    axes.set_xlabel(f"{side}'s claim (times the truth)", fontsize=8)
    axes.set_ylabel("θ")


OTHERS = {
    "apart": "the paper's formulas",
    "together": "shares of the drawn payment",
    "first": "taxes that return to a side",
}


def claims(data: Data) -> list[Claim]:
    """What the caption says."""

    def cells(rule: str) -> list[dict[str, Any]]:
        return [cell for side in SIDES for row in data["rules"][rule][side]["grid"] for cell in row]

    def searched(rule: str, key: str) -> int:
        return sum(int(data["rules"][rule][side]["search"][key]) for side in SIDES)

    rules = data["rules"]
    scaled = len(cells("ours")) * data["settings"]["draws"]
    listed = [
        Claim(
            f"Under HCFL none of {scaled:,} scaled claims and none of {searched('ours', 'tried'):,} searched "
            "lies, silences and savings of work gains a wei, net of every flow.",
            all(cell["profitable"] == 0 and cell["worst_wei"] <= 0 for cell in cells("ours"))
            and searched("ours", "profitable") == 0
            and all(rules["ours"][side]["search"]["worst"]["gain_wei"] <= 0 for side in SIDES),
        )
    ]
    for rule, words in OTHERS.items():
        worst = max(rules[rule][side]["search"]["worst"]["gain_wei"] for side in SIDES) / WEI_PER_GWEI
        listed.append(
            Claim(
                f"Under {words} {searched(rule, 'profitable'):,} of {searched(rule, 'tried'):,} searched lies gain, "
                f"on both sides, the best {worst:.0f} gwei in a round.",
                all(
                    rules[rule][side]["search"]["profitable"] > 0
                    and rules[rule][side]["search"]["worst"]["gain_wei"] > 0
                    for side in SIDES
                ),
            )
        )
    listed.append(
        Claim(
            "The liar need know nothing: under the paper's formulas, on both sides, a fixed factor gains on average.",
            all(
                max(cell["mean_gwei"] for row in rules[rule][side]["grid"] for cell in row) > 0
                for rule in ("apart", "together")
                for side in SIDES
            ),
        )
    )
    return listed


FIGURE = Figure("misreports", "gain of a misreport under four rules, and the worst found", measure, draw, claims)
