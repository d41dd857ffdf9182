"""Where the money goes, on chain: taxes, and the lot that they become; and how far welfare is from first best."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from random import Random
from statistics import fmean
from typing import Any

from matplotlib.figure import Figure as Drawing

from analysis.figures.draws import MEAN_COST, MEAN_VALUE, MEMBERS, SETTINGS, draw_round, draw_row
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.market import own_market
from analysis.figures.on_chain import Played, agrees, draw_theta, play
from analysis.figures.search import members_of, ours, with_conduct
from analysis.mechanism import WEI_PER_GWEI
from analysis.plot import SERIES, finish, panels
from analysis.round_facts import Round
from analysis.settlement import settle_round

ROUNDS, QUICK_ROUNDS = 100, 30
TOGETHER = 10
LIARS = (0, 2, 4, 8, 12, 16, 20)  # members of both sides that claim at random
DUST_A_MEMBER = 2  # wei that a round may keep, less than this a member: a share and a tax are rounded, or a reward


def measure(request: Request) -> Data:
    """Play truthful rounds on chain; let members lie in the reference, which selects alike."""
    count = QUICK_ROUNDS if request.quick else ROUNDS
    random = Random(f"budget {request.seed}")
    truths = [draw_round(random, theta=draw_theta(random)) for _ in range(count)]
    played: list[Played] = []
    with own_market(limited=False) as market:
        for start in range(0, count, TOGETHER):
            played += play(market, truths[start : start + TOGETHER])
            request.say(f"{len(played)} of {count} rounds")
    return {
        "settings": {**SETTINGS, "rounds": count},
        "rounds": [_entry(truth, result) for truth, result in zip(truths, played, strict=True)],
        "equal_to_the_reference": sum(map(agrees, played, truths)),
        "welfare_by_liars": {
            str(liars): [_welfare(truth, _selected(_lying(truth, liars, random))) for truth in truths]
            for liars in LIARS
        },
    }


def _entry(truth: Round, played: Played) -> dict[str, Any]:
    """A round's money in wei, welfare in gwei."""
    settlement = settle_round(truth).settlement
    return {
        "owner_taxes": sum(played.taxes[:MEMBERS]),
        "station_taxes": sum(played.taxes[MEMBERS:]),
        "lot": sum(played.lots),
        "collected_less_paid": sum(played.payments),
        "pool": int(settlement.pool) if settlement else 0,
        "locked": played.in_training,
        "kept": played.kept,
        "welfare": _welfare(truth, played.selected),
        "first_best": max(0, *(_welfare(truth, model) for model in range(MEMBERS))),
    }


def _welfare(truth: Round, selected: int | None) -> int:
    """True value less true cost of a model, gwei."""
    if selected is None:
        return 0
    return sum(o.bids[selected] for o in truth.owners) - sum(s.bids[selected] for s in truth.stations)


def _selected(claimed: Round) -> int | None:
    return ours(claimed).trained


def _lying(truth: Round, liars: int, random: Random) -> Round:
    """So many members, drawn anew, claim what has nothing to do with their values."""
    chosen = random.sample(range(2 * MEMBERS), liars)
    lies = {m: draw_row(MEAN_VALUE if m < MEMBERS else MEAN_COST, MEMBERS, random) for m in chosen}
    return with_conduct(truth, {m: replace(members_of(truth)[m], bids=row) for m, row in lies.items()})


def _shares_of_first_best(data: Data) -> list[float]:
    """Percent of first best by number of liars, over all rounds."""
    best = sum(entry["first_best"] for entry in data["rounds"])
    return [100 * sum(data["welfare_by_liars"][str(liars)]) / best for liars in LIARS]


def _total(data: Data, key: str) -> int:
    return sum(entry[key] for entry in data["rounds"])


def draw(data: Data) -> Drawing:
    """Taxes and the lots; what a round holds; welfare."""
    figure, (taxes, held, welfare) = panels(3, width=11)
    rounds = range(1, len(data["rounds"]) + 1)
    flows = {"owners' taxes": "owner_taxes", "base stations' taxes": "station_taxes", "claimants' lots": "lot"}
    for (label, key), look in zip(flows.items(), SERIES, strict=False):
        total = accumulate(entry[key] / WEI_PER_GWEI for entry in data["rounds"])
        taxes.plot(rounds, list(total), **{**look, "markevery": max(1, len(rounds) // 10), "label": label})
    finish(taxes, "Taxes become the lot", "round", "accumulated (gwei)")
    taxes.set_ylim(top=1.2 * taxes.get_ylim()[1])  # room for the legend

    names = {"locked": "locks", "pool": "pool", "lot": "lot", "kept": "dust"}
    means = {key: fmean(entry[key] for entry in data["rounds"]) for key in names}
    greys = ["0.35", "0.55", "0.75", "0.9"]
    bars = held.bar([*names.values()], [means[key] / WEI_PER_GWEI for key in names], color=greys, edgecolor="black")
    held.bar_label(bars, [_amount(means[key]) for key in names], fontsize=8)
    held.set_yscale("log")
    held.set_axisbelow(True)
    held.margins(y=0.1)
    finish(held, "What a round holds", "", "mean (gwei)", legend=False)

    welfare.plot(
        [100 * liars / (2 * MEMBERS) for liars in LIARS], _shares_of_first_best(data), label="HCFL", **SERIES[0]
    )
    burnt = 100 * (_total(data, "welfare") - _total(data, "lot") / WEI_PER_GWEI) / _total(data, "first_best")
    welfare.axhline(burnt, color="0.3", linestyle=":", label="all truthful, the lot burnt")
    welfare.set_ylim(0, 105)
    finish(welfare, "Welfare", "members that claim at random (%)", "welfare (% of first best)")
    welfare.legend(frameon=False, loc="lower left")
    return figure


def _amount(wei: float) -> str:
    return f"{wei / WEI_PER_GWEI:,.0f} gwei" if wei > WEI_PER_GWEI else f"{wei:.0f} wei"


def _falls(values: Sequence[float]) -> bool:
    return all(later < values[0] for later in values[1:])


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    rounds = data["rounds"]
    most = max(entry["kept"] for entry in rounds)
    shares = _shares_of_first_best(data)
    best = sum(entry["welfare"] == entry["first_best"] for entry in rounds)
    return [
        Claim(
            f"Claimants receive all {_total(data, 'lot') / WEI_PER_GWEI:,.0f} gwei of taxes, to the wei; at most "
            f"{most} wei of a round stay in the contract, by which shares and rewards are rounded.",
            all(e["lot"] == e["owner_taxes"] + e["station_taxes"] for e in rounds)
            and all(0 <= e["kept"] < DUST_A_MEMBER * 2 * MEMBERS for e in rounds)
            and all(_total(data, key) > 0 for key in ("owner_taxes", "station_taxes")),
        ),
        Claim(
            f"No deficit: in each of {len(rounds)} rounds owners' shares pay the base stations; taxes are left over.",
            all(e["collected_less_paid"] >= e["lot"] >= 0 for e in rounds),
        ),
        Claim(
            f"If all tell the truth, the selected model is first best in {best} of {len(rounds)} rounds, though the "
            f"claimant's costs are not counted; over all rounds {shares[0]:.1f} % of first-best welfare are left.",
            97 < shares[0] <= 100
            and best > len(rounds) / 2
            and all(0 <= e["welfare"] <= e["first_best"] for e in rounds)
            and data["welfare_by_liars"]["0"] == [e["welfare"] for e in rounds],
        ),
        Claim(
            f"Each number of random liars costs welfare: {shares[0] - shares[1]:.1f} % with {LIARS[1]} of "
            f"{2 * MEMBERS} members, {shares[0] - shares[-1]:.0f} % with all.",
            _falls(shares),
        ),
        Claim(
            f"While a model is trained, locks hold {_total(data, 'locked') / _total(data, 'pool'):.0f} times the pool.",
            all(e["locked"] > e["pool"] for e in rounds),
        ),
        Claim("Every amount on chain is the reference's, to the wei.", data["equal_to_the_reference"] == len(rounds)),
    ]


FIGURE = Figure("budget", "taxes, the lot and welfare over rounds on chain", measure, draw, claims)
