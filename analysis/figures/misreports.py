"""What a misreport gains under three rules: by factor and theta, and the worst lie that a search finds."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure as Drawing

from analysis.figures.draws import LARGEST_FACTOR, MEMBERS, SETTINGS, draw_auction
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from analysis.misreports import RULES, Auction, Rule, best_lie, utility
from analysis.plot import panels, style

TITLES = {
    "apart": "paper: each side taxed alone",
    "together": "paper's shares, one auction",
    "ours": "HCFL",
}
BOUNDARIES = (-100, -30, -10, -3, -1, 0, 1, 3, 10, 30, 100)  # of the colours, gwei
SIDES = {"owner": 0, "base station": MEMBERS}

FACTORS = [round(0.125 * step, 3) for step in range(8 * LARGEST_FACTOR + 1)]
THETA_STEPS = 8
DRAWS, QUICK_DRAWS = 40, 8
SEARCHES, QUICK_SEARCHES = 300, 40  # rounds a rule and side
STEPS = 60  # of hill climbing in each
SIZES = (2, 3, 5)  # members a side and models of the searched rounds: in small ones a member weighs most


def measure(request: Request) -> Data:
    """Scale true bids by a factor, on the same rounds under each rule; then search freely."""
    draws, searches = (QUICK_DRAWS, QUICK_SEARCHES) if request.quick else (DRAWS, SEARCHES)
    thetas = [min(step * THETA_ONE // THETA_STEPS, THETA_ONE - 1) for step in range(THETA_STEPS + 1)]
    random = Random(f"misreports {request.seed}")
    rounds = [draw_auction(random) for _ in range(draws)]
    rules: dict[str, Any] = {}
    for name, rule in RULES.items():
        rules[name] = {
            side: {
                "grid": [[_scaled(rule, rounds, member, theta, factor) for factor in FACTORS] for theta in thetas],
                # The same rounds and starts for every rule.
                "search": _search(rule, side, searches, Random(f"search {request.seed} {side}")),
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
            "climbing_steps": STEPS,
        },
        "factors": FACTORS,
        "thetas": [theta / THETA_ONE for theta in thetas],
        "rules": rules,
    }


def _scaled(rule: Rule, rounds: Sequence[Auction], member: int, theta: int, factor: float) -> dict[str, Any]:
    """What claiming so many times the truth gains in these rounds under one theta."""
    gains: list[Fraction | int] = []
    for drawn in rounds:
        truth = Auction(drawn.owner_bids, drawn.base_bids, theta, drawn.max_owner_bid, drawn.max_base_bid)
        lie = tuple(round(bid * factor) for bid in truth.bids(member))
        told = utility(truth, rule(truth), member)
        gains.append(utility(truth, rule(truth.with_bids({member: lie})), member) - told)
    return {
        "mean_gwei": float(sum(gains, Fraction(0)) / len(gains) / WEI_PER_GWEI),
        "profitable": sum(gain > 0 for gain in gains),
        "worst_wei": int(max(gains)),
    }


def _search(rule: Rule, side: str, searches: int, random: Random) -> dict[str, Any]:
    """The lie that gains most, of all rounds searched; amounts are cut to whole wei."""
    tried = profitable = 0
    best: dict[str, Any] = {}
    for index in range(searches):
        size = SIZES[index % len(SIZES)]
        truth = draw_auction(random, size, size)
        member = 0 if side == "owner" else size
        found = best_lie(rule, truth, (member,), Random(index), STEPS)
        tried, profitable = tried + found.tried, profitable + found.profitable
        if not best or found.gain > best["gain_wei"]:
            best = {
                "gain_wei": int(found.gain),
                "owner_bids": truth.owner_bids,
                "base_bids": truth.base_bids,
                "theta_numerator": str(truth.theta_numerator),
                "lie": found.rows[0],
            }
    return {"tried": tried, "profitable": profitable, "worst": best}


def draw(data: Data) -> Drawing:
    """Heat maps of the mean gain, a row a side, a column a rule, on one scale; a dot where some round has a gain."""
    figure, axes = panels(len(TITLES), height=5.8, rows=len(SIDES))
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
            "lies gains a wei.",
            all(cell["profitable"] == 0 and cell["worst_wei"] <= 0 for cell in cells("ours"))
            and searched("ours", "profitable") == 0
            and all(rules["ours"][side]["search"]["worst"]["gain_wei"] <= 0 for side in SIDES),
        )
    ]
    for rule, words in (("apart", "the paper's formulas"), ("together", "shares of the drawn payment")):
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
            "The liar need know nothing: under both, on both sides, a fixed factor gains on average at some θ.",
            all(
                max(cell["mean_gwei"] for row in rules[rule][side]["grid"] for cell in row) > 0
                for rule in ("apart", "together")
                for side in SIDES
            ),
        )
    )
    return listed


FIGURE = Figure("misreports", "gain of a misreport under three rules, and the worst found", measure, draw, claims)
