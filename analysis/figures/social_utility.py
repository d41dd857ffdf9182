"""The paper's figure 5: social utility of a random proposal, of what all want, and of what the contract selects."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from analysis.figures import interests
from analysis.figures.bands import NAME, Band, band
from analysis.figures.figure import Claim, Data, Figure, Request, Setting
from analysis.figures.market import own_market
from analysis.figures.selection import select
from analysis.figures.trainings import PILOT, Plan, Training, forecast_all, labels_of, train_all
from analysis.plot import SERIES, finish, panels, style
from fl.training.config import StationConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from numpy.typing import NDArray

    from analysis.devnode.market import Market

PLANS = {
    Setting.QUICK: Plan("digits", "small-cnn", 250, 3, StationConfig(2, 1, batch_size=10, learning_rate=0.1)),
    Setting.CPU: Plan(
        "cifar10", "small-cnn", 1_000, 3, StationConfig(2, 1, batch_size=25, learning_rate=0.1, momentum=0.9), 100
    ),
    Setting.FULL: Plan(
        "cifar10", "resnet50", 10_000, 10, StationConfig(2, 1, batch_size=50, learning_rate=0.05, momentum=0.9)
    ),
}
SEEDS = {Setting.QUICK: 3, Setting.CPU: 6, Setting.FULL: 5}
ROUNDS = 10
TOLERANCE = 0.03
"""Of the electors: by how much less than claimed a winner may reach unpunished."""
Measure: TypeAlias = "Callable[[Data, str], float]"
STRATEGIES = ("forecast", "auction", "selfish", "random")
"""The contract's selection where owners value labels times forecast accuracy, or labels alone; the common labels; a
random proposal."""


def measure(request: Request) -> Data:
    """Forecast every proposal's accuracy, play the rounds up to the selection, then train each strategy's model.

    Raises:
        FigureError: the node does not start, the data cannot be had, or a training fails.
    """
    setting = FIGURE.setting(request)
    plan = PLANS[setting]
    labels = labels_of(plan, request)
    drawn = [_drawn(request.seed, seed, number, labels) for seed in range(SEEDS[setting]) for number in range(ROUNDS)]
    claimed = forecast_all(plan, [(each.seed, each.crowd.proposals) for each in drawn], request)
    with own_market() as market:
        request.say("the contract selects")
        rounds = [_round(market, each, claims) for each, claims in zip(drawn, claimed, strict=True)]
    models = [model for each in rounds for model in each["models"].values() if model]
    found = train_all(plan, [_training(model) for model in models], request)
    for model in models:
        model["accuracy"] = found[_training(model)][-1]
    return {
        "settings": {
            **interests.settings(labels),
            "further": "uniform, 0 to 1, by round",
            "crowdfunding_rounds": ROUNDS,
            "pilot": PILOT,
            **plan.as_json(),
        },
        "seeds": [rounds[first : first + ROUNDS] for first in range(0, len(rounds), ROUNDS)],
    }


@dataclass(frozen=True)
class _Drawn:
    """A round before its selection: the seed of its trainings, a crowd of its own, a random proposal, the claimant."""

    seed: int
    further: float
    crowd: interests.Crowd
    proposal: interests.Targets
    claimant: int


def _drawn(base: int, seed: int, number: int, labels: Sequence[str]) -> _Drawn:
    random = Random(f"social utility {base} {seed} {number}")
    further = random.random()
    crowd = interests.draw_crowd(random, labels, further)
    proposal, claimant = random.choice(crowd.proposals), random.randrange(len(crowd.costs))
    return _Drawn(1_000 * base + seed, further, crowd, proposal, claimant)


def _round(market: Market, drawn: _Drawn, claims: Sequence[float]) -> dict[str, Any]:
    """Each strategy's model; none where the contract selects nothing."""
    crowd, claimant = drawn.crowd, drawn.claimant
    selected, forecast = select(market, crowd, claimant), select(market, crowd, claimant, claims)
    chosen = {
        "forecast": None if forecast is None else crowd.proposals[forecast.proposal],
        "auction": None if selected is None else crowd.proposals[selected.proposal],
        "selfish": crowd.common,
        "random": drawn.proposal,
    }
    return {
        "further": drawn.further,
        "margins": [crowd.margin(targets) for targets in crowd.proposals],
        "claimant": claimant,
        "scores": [crowd.score(targets, claimant) for targets in crowd.proposals],
        "auction_score": 0 if selected is None else selected.score,
        "claims": claims,
        "forecast_scores": [
            crowd.score(targets, claimant, claim) for targets, claim in zip(crowd.proposals, claims, strict=True)
        ],
        "forecast_score": 0 if forecast is None else forecast.score,
        "claimed": None if forecast is None else claims[forecast.proposal],
        "models": {
            strategy: targets
            and {
                "seed": drawn.seed,
                "targets": targets,
                "margin": crowd.margin(targets),
                "cost": crowd.total_cost(targets),
            }
            for strategy, targets in chosen.items()
        },
    }


def _training(model: Data) -> Training:
    """Judged by all its labels, so that equal target sets are one training."""
    return Training(model["seed"], model["targets"], model["targets"])


# ── what the data say ──


def utility(played: Data, strategy: str) -> float:
    """(value − cost) · accuracy of a round, gwei; 0 where nothing is trained."""
    model = played["models"][strategy]
    return 0.0 if model is None else float(model["margin"] * model["accuracy"])


def welfare(played: Data, strategy: str) -> float:
    """Value · accuracy − cost of a round, gwei: what its members have of it, for costs do not shrink with accuracy."""
    model = played["models"][strategy]
    return 0.0 if model is None else float((model["margin"] + model["cost"]) * model["accuracy"] - model["cost"])


def accumulated(data: Data, strategy: str, of: Measure = utility) -> NDArray[np.float64]:
    """Social utility, or welfare, summed up over the rounds, gwei, shape [seeds, rounds]."""
    return np.cumsum([[of(played, strategy) for played in rounds] for rounds in data["seeds"]], axis=1)


def lead(data: Data, one: str, other: str, of: Measure = utility) -> Band:
    """By how much one strategy is ahead of another on the same seed, by round, gwei."""
    return band((accumulated(data, one, of) - accumulated(data, other, of)).tolist())


def ahead(data: Data, one: str, other: str, of: Measure = utility) -> tuple[int, int]:
    """At how many points, a round of a seed each, one strategy is not behind another, and of how many."""
    leads = accumulated(data, one, of) >= accumulated(data, other, of)
    return int(leads.sum()), leads.size


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    rounds = [played for each in data["seeds"] for played in each]
    best, reached = ([of(played) for played in rounds] for of in (_first_best, _reached))
    return [
        Claim(
            "in every round the contract selected the largest margin, by labels alone and with forecasts, all costs "
            "estimated from those of all but the claimant, and nothing where none is positive; by labels alone that "
            f"leaves {100 * sum(reached) / sum(best):.1f} % of the largest true margins",
            all(played["auction_score"] == max(0, *played["scores"]) for played in rounds)
            and all(played["forecast_score"] == max(0, *played["forecast_scores"]) for played in rounds)
            and 0.9 * sum(best) < sum(reached) <= sum(best),
        ),
        _forecasts(rounds),
        *(_compared(data, "auction", other, utility) for other in ("random", "selfish")),
        *(_compared(data, "forecast", other, of) for of in MEASURES for other in ("random", "selfish", "auction")),
    ]


def _first_best(played: Data) -> int:
    """The largest true margin, gwei; 0 where none is positive."""
    return int(max(0, *played["margins"]))


def _reached(played: Data) -> int:
    """The true margin of what the contract selected by labels alone, gwei."""
    model = played["models"]["auction"]
    return int(model["margin"]) if model else 0


def _forecasts(rounds: Sequence[Data]) -> Claim:
    """How far the winners' forecasts were off, and what became of them."""
    won = [(each["claimed"], each["models"]["forecast"]["accuracy"]) for each in rounds if each["models"]["forecast"]]
    over = sum(claimed > reached + TOLERANCE for claimed, reached in won)
    less = 100 * float(np.mean([reached - claimed for claimed, reached in won]))
    return Claim(
        f"with forecasts something is selected in {len(won)} rounds of {len(rounds)}, and the model then reaches "
        f"{less:.1f} points more than was claimed, on average; {over} claimed more than it reaches and the tolerance",
        less > 0 and over < len(won) / 2,
    )


def _compared(data: Data, one: str, other: str, of: Measure) -> Claim:
    """Whether one strategy leads another at the end, trails it, or neither beyond the interval."""
    count, points = ahead(data, one, other, of)
    last = lead(data, one, other, of)
    mean, half = last.mean[-1], last.half[-1]
    decided = "leads" if mean > half else "trails" if mean < -half else "neither leads nor trails"
    by = f"{abs(mean):,.0f}" if abs(mean) > half else f"{mean:+,.0f}"
    return Claim(
        f"by {MEASURES[of]}, after {ROUNDS} rounds {NAMES[one]} {decided} {NAMES[other]}: by {by} ± {half:,.0f} gwei, "
        f"not behind at {count} of {points} points",
        abs(mean) <= half or (mean > 0) == (2 * count > points),
    )


# ── the drawing ──


def draw(data: Data) -> Drawing:
    """Accumulated by round: the paper's measure, and what the members have."""
    drawing, axes = panels(2)
    with style():
        for each, of, title in zip(
            axes, MEASURES, ("The paper's social utility", "What the members have"), strict=True
        ):
            _accumulated(each, data, of, title)
    return drawing


def _accumulated(axes: Axes, data: Data, of: Measure, title: str) -> None:
    rounds = np.arange(1, ROUNDS + 1)
    for strategy, series in zip(STRATEGIES, SERIES, strict=False):
        found = band(accumulated(data, strategy, of).tolist())
        axes.plot(rounds, found.mean, label=NAMES[strategy], **series)
        axes.fill_between(rounds, found.low, found.high, color=series["color"], alpha=0.12, linewidth=0)
    axes.fill_between([], [], [], color="0.5", alpha=0.3, label=NAME.format(count=len(data["seeds"])))
    finish(axes, title, "crowdfunding round", f"sum of {MEASURES[of]} (gwei)")
    axes.legend(frameon=False, loc="upper left")
    low, high = axes.get_ylim()
    axes.set_ylim(top=high + 0.35 * (high - low))


MEASURES: Mapping[Measure, str] = {utility: "(value − cost) · accuracy", welfare: "value · accuracy − cost"}
NAMES = {
    "forecast": "the auction with forecasts",
    "auction": "the auction by labels alone",
    "selfish": "the common labels alone",
    "random": "a random proposal",
}

FIGURE = Figure("social-utility", "social utility of four strategies", measure, draw, claims, trains=True)
