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
    from collections.abc import Callable, Sequence

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


def lead(data: Data, other: str) -> Band:
    """By how much the auction is ahead of another strategy on the same seed, by round, gwei."""
    return band((accumulated(data, "auction") - accumulated(data, other)).tolist())


def ahead(data: Data, other: str) -> tuple[int, int]:
    """At how many points, a round of a seed each, the auction is not behind another strategy, and of how many."""
    leads = accumulated(data, "auction") >= accumulated(data, other)
    return int(leads.sum()), leads.size


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    rounds = [played for each in data["seeds"] for played in each]
    best, reached = ([of(played) for played in rounds] for of in (_first_best, _reached))
    found = [
        Claim(
            "in every round the contract selected the largest margin, all costs estimated from those of all but the "
            f"claimant, and nothing where none is positive; of the largest true margins that leaves "
            f"{100 * sum(reached) / sum(best):.1f} %",
            all(played["auction_score"] == max(0, *played["scores"]) for played in rounds)
            and 0.9 * sum(best) < sum(reached) <= sum(best),
        )
    ]
    found.append(_led(data, "random", "a random proposal", 1))
    # Which of the two is ahead depends on how much less accurate a wider model is, which the contract does not know.
    sign = 1 if lead(data, "selfish").mean[-1] > 0 else -1
    found.append(_led(data, "selfish", "the common labels alone", sign))
    return found


def _first_best(played: Data) -> int:
    """The largest true margin, gwei; 0 where none is positive."""
    return int(max(0, *played["margins"]))


def _reached(played: Data) -> int:
    """The true margin of what the contract selected, gwei."""
    model = played["models"]["auction"]
    return int(model["margin"]) if model else 0


def _led(data: Data, other: str, name: str, sign: int) -> Claim:
    """That the auction leads (1) or trails (−1) another strategy at the end, beyond the interval."""
    count, points = ahead(data, other)
    last = lead(data, other)
    mean, half = sign * last.mean[-1], last.half[-1]
    leads = "leads" if sign > 0 else "trails"
    return Claim(
        f"after {ROUNDS} rounds the auction {leads} {name} by {mean:,.0f} ± {half:,.0f} gwei; "
        f"it is not behind at {count} of {points} points",
        bool(mean > half),
    )


# ── the drawing ──

LABELS = {"auction": "selected by the contract", "selfish": "what all want, no more", "random": "a random proposal"}


def draw(data: Data) -> Drawing:
    """Accumulated utility by round, and what the auction gains in each round by how much owners agree."""
    drawing, (left, right) = panels(2)
    with style():
        _accumulated(left, data)
        _by_agreement(right, data)
    return drawing


def _accumulated(axes: Axes, data: Data) -> None:
    rounds = np.arange(1, ROUNDS + 1)
    for strategy, series in zip(STRATEGIES, SERIES, strict=False):
        found = band(accumulated(data, strategy).tolist())
        axes.plot(rounds, found.mean, label=LABELS[strategy], **series)
        axes.fill_between(rounds, found.low, found.high, color=series["color"], alpha=0.15, linewidth=0)
    axes.fill_between([], [], [], color="0.5", alpha=0.3, label=NAME.format(count=len(data["seeds"])))
    finish(axes, "Accumulated social utility", "crowdfunding round", "sum of (value − cost) · accuracy (gwei)")
    axes.legend(frameon=False, loc="upper left")
    axes.set_ylim(top=1.25 * axes.get_ylim()[1])


def _by_agreement(axes: Axes, data: Data) -> None:
    played = [each for rounds in data["seeds"] for each in rounds]
    for other, series in zip(STRATEGIES[1:], SERIES[1:], strict=False):
        axes.plot(
            [100 * each["further"] for each in played],
            [utility(each, "auction") - utility(each, other) for each in played],
            label=f"over {LABELS[other]}",
            **{**series, "linestyle": "none"},
            alpha=0.8,
        )
    axes.axhline(0, color="0.35", linewidth=0.8)
    finish(
        axes,
        "What the auction gains in a round",
        "owners that want a further label (%, on average)",
        "(value − cost) · accuracy, difference (gwei)",
    )


FIGURE = Figure("social-utility", "social utility of three strategies", measure, draw, claims, trains=True)
