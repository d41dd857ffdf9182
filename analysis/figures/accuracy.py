"""The paper's figure 4: accuracy on what all want, of the model that the contract selects and of a random proposal."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.figures import interests
from analysis.figures.bands import NAME, Band, band
from analysis.figures.figure import Claim, Data, Figure, FigureError, Request, Setting
from analysis.figures.trainings import PILOT, Plan, Training, forecast_all, labels_of, train_all
from analysis.plot import SERIES, finish, panels, style
from fl.training.config import StationConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from analysis.devnode.market import Market

PLANS = {
    Setting.QUICK: Plan("digits", "small-cnn", 250, 6, StationConfig(2, 1, batch_size=10, learning_rate=0.1)),
    Setting.CPU: Plan(
        "cifar10", "small-cnn", 2_000, 10, StationConfig(2, 1, batch_size=50, learning_rate=0.1, momentum=0.9), 100
    ),
    Setting.FULL: Plan(
        "cifar10", "resnet50", 10_000, 50, StationConfig(2, 1, batch_size=50, learning_rate=0.05, momentum=0.9)
    ),
}
SEEDS = {Setting.QUICK: 8, Setting.CPU: 6, Setting.FULL: 5}
FURTHER = {"few": 0.25, "most": 0.75}
"""How likely an owner wants a label that is not common, by panel."""
STRATEGIES = ("forecast", "auction", "random")
"""The contract's selection where owners value labels times forecast accuracy, or labels alone; a random proposal."""


def measure(request: Request) -> Data:
    """Forecast every proposal's accuracy, let the contract select, then train what it selected and a random proposal.

    Raises:
        FigureError: the node does not start, the data cannot be had, a training fails, or nothing is selected.
    """
    from analysis.figures.market import own_market

    setting = FIGURE.setting(request)
    plan = PLANS[setting]
    labels = labels_of(plan, request)
    drawn = [_drawn(request.seed, seed, labels, panel) for panel in FURTHER for seed in range(SEEDS[setting])]
    claimed = forecast_all(plan, [(each.seed, each.crowd.proposals) for each in drawn], request)
    with own_market() as market:
        request.say("the contract selects")
        markets = [_market(market, each, claims) for each, claims in zip(drawn, claimed, strict=True)]
    wanted = [(each, strategy) for each in markets for strategy in STRATEGIES if each[strategy] is not None]
    found = train_all(plan, [training_of(*each) for each in wanted], request)
    for each, strategy in wanted:
        each["accuracy"][strategy] = found[training_of(each, strategy)]
    count = SEEDS[setting]
    return {
        "settings": {**interests.settings(labels), "further": FURTHER, "pilot": PILOT, **plan.as_json()},
        "markets": {panel: markets[place * count : (place + 1) * count] for place, panel in enumerate(FURTHER)},
    }


@dataclass(frozen=True)
class _Drawn:
    """A market before its selection: the seed of its trainings, a crowd, a random proposal of it, the claimant."""

    seed: int
    crowd: interests.Crowd
    proposal: int
    claimant: int


def _drawn(base: int, seed: int, labels: Sequence[str], panel: str) -> _Drawn:
    random = Random(f"accuracy {base} {seed} {panel}")
    crowd = interests.draw_crowd(random, labels, FURTHER[panel])
    proposal, claimant = random.randrange(len(crowd.proposals)), random.randrange(len(crowd.costs))
    return _Drawn(1_000 * base + seed, crowd, proposal, claimant)


def _market(market: Market, drawn: _Drawn, claims: Sequence[float]) -> dict[str, Any]:
    """What the contract selects of a crowd's proposals, by either rule."""
    from analysis.figures.selection import select  # with the chain, of which the trainings alone need nothing

    crowd, claimant = drawn.crowd, drawn.claimant
    selected, forecast = select(market, crowd, claimant), select(market, crowd, claimant, claims)
    if selected is None:
        raise FigureError(f"no proposal of market {drawn.seed} is worth what it costs: take another --seed")
    return {
        "seed": drawn.seed,
        "common": crowd.common,
        "proposals": crowd.proposals,
        "margins": [crowd.margin(targets) for targets in crowd.proposals],
        "claimant": claimant,
        "scores": [crowd.score(targets, claimant) for targets in crowd.proposals],
        "auction": selected.proposal,
        "auction_score": selected.score,
        "random": drawn.proposal,
        "claims": claims,
        "forecast_scores": [
            crowd.score(targets, claimant, claim) for targets, claim in zip(crowd.proposals, claims, strict=True)
        ],
        "forecast": None if forecast is None else forecast.proposal,
        "forecast_score": 0 if forecast is None else forecast.score,
        "accuracy": {},
    }


def training_of(market: Data, strategy: str) -> Training:
    """The training of the proposal that a strategy takes, judged by what all want."""
    return Training(market["seed"], tuple(market["proposals"][market[strategy]]), tuple(market["common"]))


# ── what the data say ──


def selected_in(markets: Sequence[Data], strategy: str) -> list[Data]:
    """The markets in which a strategy has a model; none where the data were made before there were forecasts."""
    return [market for market in markets if market.get(strategy) is not None]


def curve(markets: Sequence[Data], strategy: str) -> Band:
    """Accuracy by global round."""
    return band([market["accuracy"][strategy] for market in markets])


def gains(markets: Sequence[Data], strategy: str, other: str = "random") -> list[float]:
    """By how much a strategy's model is better than another's, by market, on average over the global rounds."""
    both = [(market["accuracy"][strategy], market["accuracy"][other]) for market in selected_in(markets, strategy)]
    return [float(np.mean(ours) - np.mean(theirs)) for ours, theirs in both]


def width(markets: Sequence[Data], strategy: str) -> float:
    """Target labels of the strategy's models, on average."""
    return float(np.mean([len(market["proposals"][market[strategy]]) for market in selected_in(markets, strategy)]))


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    few, most = data["markets"]["few"], data["markets"]["most"]
    markets = (*few, *most)
    lost = [max(market["margins"]) - market["margins"][market["auction"]] for market in markets]
    return [
        Claim(
            "in every market the contract selected the proposal with the largest margin, all costs estimated from "
            f"those of all but the claimant; that is the largest true margin in {lost.count(0)} of {len(markets)}"
            + f", and at most {max(lost)} gwei less in the others"
            * any(lost),
            all(
                market["auction_score"] == max(market["scores"]) == market["scores"][market["auction"]]
                and market.get("forecast_score", 0) == max(0, *market.get("forecast_scores", (0,)))
                for market in markets
            )
            and max(lost) < max(market["margins"][market["auction"]] for market in markets) / 4,
        ),
        _claim(few, "few want each further label it selects fewer labels, and the common ones are learnt better", 1),
        _claim(most, "most want each further label it selects more labels, and the common ones are learnt worse", -1),
        *(
            _forecast(data["markets"][panel], f"{panel} want each further label")
            for panel in FURTHER
            if "pilot" in data["settings"]
        ),
    ]


def _claim(markets: Sequence[Data], text: str, sign: int) -> Claim:
    """That the auction's models are narrower and better (1), or wider and worse (−1), than the random ones."""
    found = gains(markets, "auction")
    mean = band([[gain] for gain in found])
    better, worse = sum(gain > 0 for gain in found), sum(gain < 0 for gain in found)
    narrower = width(markets, "random") - width(markets, "auction")
    return Claim(
        f"where {text}: by {100 * mean.mean[0]:+.1f} ± {100 * mean.half[0]:.1f} points over all global rounds, "
        f"better in {better} markets of {len(found)}, worse in {worse}",
        sign * narrower > 0 and sign * float(mean.mean[0]) > 0 and sign * (better - worse) > 0,
    )


def _forecast(markets: Sequence[Data], where: str) -> Claim:
    """What becomes of the selection with forecasts: of hardly more labels, as values fall and costs do not."""
    found = gains(markets, "forecast")
    text = f"with forecasts, where {where}, something is selected in {len(found)} markets of {len(markets)}"
    if len(found) < 2:
        return Claim(text, True)
    over = band([[gain] for gain in found])
    better, worse = sum(gain > 0 for gain in found), sum(gain < 0 for gain in found)
    widths = [width(selected_in(markets, "forecast"), strategy) for strategy in ("forecast", "auction")]
    return Claim(
        f"{text}, of {widths[0]:.1f} labels ({widths[1]:.1f} by labels alone); on the common labels it is "
        f"{100 * over.mean[0]:+.1f} ± {100 * over.half[0]:.1f} points from a random proposal, better in {better}, "
        f"worse in {worse}",
        widths[0] < widths[1] + 0.5,
    )


# ── the drawing ──


def draw(data: Data) -> Drawing:
    """Accuracy by global round, where few owners want each further label and where most do."""
    drawing, axes = panels(2)
    titles = {
        "few": "A further label is wanted by a quarter of the owners",
        "most": "A further label is wanted by three quarters",
    }
    with style():
        for each, (panel, markets) in zip(axes, data["markets"].items(), strict=True):
            _curves(each, markets)
            finish(each, titles[panel], "global round", "accuracy on the labels that all want (%)")
        low = min(each.get_ylim()[0] for each in axes)
        high = max(each.get_ylim()[1] for each in axes)
        for each in axes:
            each.set_ylim(max(0, low), min(100, high))
    return drawing


def _curves(axes: Axes, markets: Sequence[Data]) -> None:
    names = {
        "forecast": "selected with forecasts",
        "auction": "selected by labels alone",
        "random": "a random proposal",
    }
    for strategy, series in zip(STRATEGIES, SERIES, strict=False):
        there = selected_in(markets, strategy)
        if len(there) < 2:
            continue
        found = curve(there, strategy)
        rounds = np.arange(1, len(found.mean) + 1)
        some = f", in {len(there)} of {len(markets)} markets" * (len(there) < len(markets))
        label = f"{names[strategy]} ({width(there, strategy):.1f} labels{some})"
        axes.plot(rounds, 100 * found.mean, label=label, markevery=max(1, len(rounds) // 10), **series)
        if len(there) > 2:  # the interval of two covers the panel
            axes.fill_between(rounds, 100 * found.low, 100 * found.high, color=series["color"], alpha=0.18, linewidth=0)
    axes.fill_between([], [], [], color="0.5", alpha=0.3, label=NAME.format(count=len(markets)))


FIGURE = Figure("accuracy", "accuracy on what is wanted by all", measure, draw, claims, trains=True)
