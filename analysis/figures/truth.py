"""The paper's figure 3, on chain: what the truth and what lies accumulate, with the same draws (section V-A)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import accumulate
from random import Random
from typing import Any, TypeAlias

from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import MaxNLocator

from analysis.figures.draws import MEAN_COST, MEAN_VALUE, MEMBERS, SETTINGS, draw_round, draw_row, redrawn
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.market import own_market
from analysis.figures.on_chain import Played, agrees, draw_theta, play
from analysis.figures.search import Outcome, Row, members_of, utility, with_conduct
from analysis.mechanism import WEI_PER_GWEI
from analysis.plot import SERIES, finish, panels
from analysis.round_facts import Round

ROUNDS, QUICK_ROUNDS = 100, 28  # in fewer not every lie turns a selection, and what turns nothing costs nothing
TOGETHER = 4  # draws that are played side by side, each once for every strategy of every side

Strategy: TypeAlias = Callable[[Row, Random, int], Row]
"""What is claimed instead of a row of true values; with the mean that a random claim is drawn around."""


def _scaled(factor: float, row: Row, random: Random, mean: int) -> Row:
    return tuple(int(bid * factor) for bid in row)


def _at_random(row: Row, random: Random, mean: int) -> Row:
    return draw_row(mean, len(row), random)


LIES: Mapping[str, Strategy] = {
    "claims nothing": partial(_scaled, 0),
    "claims half": partial(_scaled, 0.5),
    "claims twice": partial(_scaled, 2),
    "claims at random": _at_random,
}
TRUTH = "tells the truth"
SIDES = {"owner": (0, MEAN_VALUE), "base station": (MEMBERS, MEAN_COST)}
"""The member that is followed on each side (numbered owners first), and its side's mean."""


def measure(request: Request) -> Data:
    """Play every draw once with everybody truthful, and once for each lie of the followed owner and base station."""
    count = QUICK_ROUNDS if request.quick else ROUNDS
    random = Random(f"truth {request.seed}")
    kept: dict[str, dict[str, dict[str, list[int]]]] = {
        side: {strategy: {"utility_wei": [], "lot_wei": []} for strategy in (TRUTH, *LIES)} for side in SIDES
    }
    claimants: list[int | None] = []
    agreeing = played_rounds = pivotal = 0
    for start in range(0, count, TOGETHER):
        truths = [_truth(random, number) for number in range(start, min(start + TOGETHER, count))]
        claimants += [truth.claimant for truth in truths]
        cases = [case for truth in truths for case in _cases(truth, random)]
        # a node of its own for each batch: going back slows one down that has seen many blocks
        with own_market(limited=False) as market:
            played = play(market, [claimed for *_, claimed in cases])
        for (truth, side, strategy, claimed), result in zip(cases, played, strict=True):
            agreeing += agrees(result, claimed)
            played_rounds += 1
            pivotal += strategy == TRUTH and any(result.taxes)
            for followed in SIDES if strategy == TRUTH else (side,):
                _keep(kept[followed][strategy], truth, result, SIDES[followed][0])
        request.say(f"{start + len(truths)} of {count} draws")
    return {
        "settings": {
            **SETTINGS,
            "claimant": "each base station in turn",
            "rounds": count,
            "followed": "the first owner, the first base station",
        },
        "claimants": claimants,
        "sides": kept,
        "rounds_on_chain": played_rounds,
        "rounds_equal_to_the_reference": agreeing,
        "truthful_rounds_with_a_tax": pivotal,
    }


def _truth(random: Random, number: int) -> Round:
    """A draw; each base station is the claimant in turn."""
    return redrawn(draw_round(random, theta=draw_theta(random)), number % MEMBERS)


def _cases(truth: Round, random: Random) -> Iterator[tuple[Round, str, str, Round]]:
    """Everybody truthful, which serves both sides; then each lie on each side."""
    yield truth, "", TRUTH, truth
    for side, (member, mean) in SIDES.items():
        for strategy, lie in LIES.items():
            true = members_of(truth)[member]
            claimed = replace(true, bids=lie(true.bids, random, mean))
            yield truth, side, strategy, with_conduct(truth, {member: claimed})


def _keep(into: dict[str, list[int]], truth: Round, played: Played, member: int) -> None:
    """Net of every flow: what the settlement took or gave, and the lot."""
    paid = [payment - lot for payment, lot in zip(played.payments, played.lots, strict=True)]
    into["utility_wei"].append(int(utility(truth, truth, Outcome(played.selected, paid), member)))
    into["lot_wei"].append(played.lots[member])


def accumulated(strategy: Mapping[str, Any]) -> list[int]:
    """Utility after each round, wei."""
    return list(accumulate(strategy["utility_wei"]))


def draw(data: Data) -> Drawing:
    """Above, utility accumulated; below, how far each lie has fallen behind."""
    figure, axes = panels(2, height=6.0, rows=2)
    for column, (side, strategies) in enumerate(data["sides"].items()):
        truthful = accumulated(strategies[TRUTH])
        rounds = range(1, len(truthful) + 1)
        for name, look in zip(strategies, SERIES, strict=True):
            total = accumulated(strategies[name])
            marked = {**look, "markevery": max(1, len(rounds) // 10), "label": name}
            axes[column].plot(rounds, [wei / WEI_PER_GWEI for wei in total], **marked)
            if name != TRUTH:
                behind = [(best - wei) / WEI_PER_GWEI for best, wei in zip(truthful, total, strict=True)]
                axes[2 + column].plot(rounds, behind, **marked)
        finish(axes[column], f"One {side}", "round", "accumulated utility (gwei)", legend=False)
        finish(axes[2 + column], f"What lying has cost that {side}", "round", "truth less lie (gwei)", legend=False)
        axes[2 + column].set_ylim(bottom=0)
        for each in (axes[column], axes[2 + column]):
            each.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(SERIES), frameon=False)
    return figure


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    sides = data["sides"]
    lies = [(sides[side][TRUTH], sides[side][lie]) for side in sides for lie in LIES]
    rounds = data["settings"]["rounds"]
    stations = sides["base station"].values()
    told = sides["base station"][TRUTH]
    aside = [number for number, claimant in enumerate(data["claimants"]) if claimant == 0]
    lots = sum(told["lot_wei"][number] for number in aside) / WEI_PER_GWEI
    return [
        Claim(
            f"In each of {rounds} rounds each lie leaves its teller with at most what the truth does, net of every "
            "flow, to the wei.",
            all(
                lied <= told
                for truth, lie in lies
                for told, lied in zip(truth["utility_wei"], lie["utility_wei"], strict=True)
            ),
        ),
        Claim(
            "So the truth's accumulated utility is never below a lie's; after the last round it is above each.",
            all(accumulated(truth)[-1] > accumulated(lie)[-1] for truth, lie in lies),
        ),
        Claim(
            f"The base station is the claimant in {len(aside)} of them: there it receives the lot, {lots:,.0f} gwei in "
            "all, whatever it has claimed.",
            all(each[flow][number] == told[flow][number] for each in stations for flow in told for number in aside)
            and lots > 0
            and not any(told["lot_wei"][number] for number in range(rounds) if number not in aside),
        ),
        Claim(
            "As the paper says, a single round can end below zero for a truthful owner.",
            min(sides["owner"][TRUTH]["utility_wei"]) < 0 < accumulated(sides["owner"][TRUTH])[-1],
        ),
        Claim(
            f"Every amount of all {data['rounds_on_chain']} rounds on chain is the reference's, to the wei.",
            data["rounds_equal_to_the_reference"] == data["rounds_on_chain"] == rounds * (1 + len(lies)),
        ),
    ]


FIGURE = Figure("truth", "what the truth and what lies bring, round by round on chain", measure, draw, claims)
