"""Honest and dishonest winners put to the vote, where some electors vote wrongly: who is punished, at what cost."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from scipy import stats

from analysis.devnode.actors import seats
from analysis.devnode.rounds import create_round
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.market import own_market
from analysis.mechanism import BASIS_POINTS
from analysis.plot import SERIES, finish, panels, style
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from analysis.devnode.market import Market
    from analysis.devnode.rounds import LiveRound, Seat

MEMBERS = 10  # a side
ELECTORS = MEMBERS - 1
MEAN_VALUE, MEAN_COST = 100, 50  # gwei, as in section V-A
MAX_OWNER_BID, MAX_STATION_BID = 2 * MEAN_VALUE, 2 * MEAN_COST
BOND = 2 * MAX_OWNER_BID  # gwei: every client's default
THRESHOLDS_BPS = (5_000, 6_666, 8_000)  # at least half of the electors
ERRORS = (0.0, 0.1, 0.2, 0.3, 0.4)
ROUNDS, QUICK_ROUNDS = 50, 20
PHASE_SECONDS = 100_000
MISSED = 0  # measured, 1/10,000: a vote for punishment
WINNERS = ("honest", "dishonest")
SHOWN_ERROR, SHOWN_THRESHOLD = 0.2, 5_000
SURE = 0.01
"""How likely at most one of all shares lies outside its interval although every elector errs as it should."""


def measure(request: Request) -> Data:
    """Play each round up to the vote once for each threshold, and from there under every error rate.

    The electors' draws are the same for all thresholds and both winners: what differs is what is voted on.

    Raises:
        FigureError: the node does not start.
    """
    rounds = QUICK_ROUNDS if request.quick else ROUNDS
    trials: list[dict[str, Any]] = []
    for number in range(rounds):
        # a node of its own for each round: going back slows one down that has seen many blocks
        with own_market() as market:
            for threshold in THRESHOLDS_BPS:
                random = Random(f"punishment {request.seed} {number}")
                trials += trials_of(market, random, number, threshold)
        if (number + 1) % 5 == 0:
            request.say(f"{number + 1} of {rounds} rounds")
    return {
        "settings": {
            "members_a_side": MEMBERS,
            "electors": ELECTORS,
            "rounds": rounds,
            "errors": ERRORS,
            "thresholds_bps": THRESHOLDS_BPS,
            "bond_gwei": BOND,
            "theta": "uniform",
            "claimant": "any base station",
            "values": f"uniform, 0 to {2 * MEAN_VALUE} gwei",
            "costs": f"uniform, 0 to {2 * MEAN_COST} gwei",
        },
        "trials": trials,
    }


def trials_of(market: Market, random: Random, number: int, threshold: int) -> list[dict[str, Any]]:
    """One round at one threshold: what its winner makes of it, honest or not, under every error rate."""
    round_ = _reported(market, random, threshold)
    winner, electors = round_.winner, round_.electors
    luck = [random.random() for _ in electors]
    selected: int = round_.state.selected
    trials = []
    for error in ERRORS:
        for kind in WINNERS:
            with market.chain.snapshot():
                wrong = [drawn < error for drawn in luck]
                market.send_together(
                    [
                        round_.vote(seat, MISSED if errs == (kind == "honest") else round_.opening.claimed_accuracy_bps)
                        for seat, errs in zip(electors, wrong, strict=True)
                    ]
                )
                taken = _settled(round_, winner, selected)
            trials.append(
                {
                    "round": number,
                    "threshold_bps": threshold,
                    "error": error,
                    "winner": kind,
                    **taken,
                }
            )
    return trials


def _reported(market: Market, random: Random, threshold: int) -> LiveRound:
    """A round whose winner has reported; each owner has proposed a model, all bid what is true."""

    def rows(mean: int) -> list[list[int]]:
        return [[random.randint(0, 2 * mean) for _ in range(MEMBERS)] for _ in range(MEMBERS)]

    owners, stations = (
        seats(market, role, (), rows(mean), None)
        for role, mean in ((Role.OWNER, MEAN_VALUE), (Role.BASE_STATION, MEAN_COST))
    )
    surplus_bps = random.randrange(BASIS_POINTS)
    terms = RoundTerms(
        max_owner_bid=MAX_OWNER_BID,
        max_station_bid=MAX_STATION_BID,
        bond=BOND * GWEI,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
        surplus_bps=(surplus_bps, surplus_bps),
        threshold_bps=threshold,
    )
    claimant = random.choice(stations)
    round_ = create_round(market, owners, stations, terms, proposers=range(MEMBERS), claimant=claimant)
    return round_.joined(global_rounds=1).reported()


def _settled(round_: LiveRound, winner: Seat, selected: int) -> dict[str, Any]:
    """What the chain says once everybody has voted and the winner is settled; gwei."""
    votes = round_.state.votesPunish
    event = round_.settle(winner, bids=winner.sealed.words).send().event("MemberSettled")
    return {
        "value": winner.bids[selected],
        "votes_for": votes,
        **{name: event[name] / GWEI for name in ("share", "tax", "slashed")},
    }


# ── what the data say ──


def chosen(data: Data, **wanted: object) -> list[Data]:
    """The trials with these properties, in the order of the rounds."""
    return [trial for trial in data["trials"] if all(trial[name] == value for name, value in wanted.items())]


def punished(trials: Sequence[Data]) -> int:
    """How many winners lost their bond."""
    return sum(trial["slashed"] > 0 for trial in trials)


def expected(error: float, threshold_bps: int, winner: str) -> float:
    """The probability of punishment: more than the threshold of the electors vote for it, each errs on its own.

    P(10,000 · X > threshold · electors) of a binomial X with probability `error` (honest) or 1 − `error` (dishonest).
    """
    return float(stats.binom.sf(_needed(threshold_bps) - 1, ELECTORS, error if winner == "honest" else 1 - error))


def utility(trial: Data) -> float:
    """The winner's, gwei: the model's value to it, less all that the settlement took.

    Counted in full for a dishonest winner too, as if the model that it did not train as claimed were worth as much.
    """
    return float(trial["value"] - trial["share"] - trial["tax"] - trial["slashed"])


def accumulated(data: Data, winner: str) -> list[float]:
    """The winners' utility at the error rate and threshold that are shown, summed up over the rounds, gwei."""
    trials = chosen(data, winner=winner, error=SHOWN_ERROR, threshold_bps=SHOWN_THRESHOLD)
    return [float(total) for total in np.cumsum([utility(trial) for trial in trials])]


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    rounds = data["settings"]["rounds"]
    cells = [(error, threshold, winner) for error in ERRORS for threshold in THRESHOLDS_BPS for winner in WINNERS]
    unlikely = [
        cell
        for cell in cells
        if stats.binomtest(
            punished(chosen(data, error=cell[0], threshold_bps=cell[1], winner=cell[2])), rounds, expected(*cell)
        ).pvalue
        < SURE / len(cells)
    ]
    trials = data["trials"]
    honest, dishonest = accumulated(data, "honest"), accumulated(data, "dishonest")
    sure = chosen(data, error=0.0)
    low, high = min(THRESHOLDS_BPS), max(THRESHOLDS_BPS)
    by_low, by_high = (
        {winner: punished(chosen(data, error=SHOWN_ERROR, threshold_bps=bps, winner=winner)) for winner in WINNERS}
        for bps in (low, high)
    )
    return [
        Claim(
            "a bond is slashed, whole, exactly when the votes for it exceed the threshold",
            all(
                trial["slashed"] == BOND * (trial["votes_for"] * 10_000 > trial["threshold_bps"] * ELECTORS)
                for trial in trials
            ),
        ),
        Claim(
            "without wrong votes every dishonest winner is punished, and no honest one",
            all((trial["slashed"] > 0) == (trial["winner"] == "dishonest") for trial in sure),
        ),
        Claim("every share of punished winners is one that the binomial distribution allows", not unlikely),
        Claim(
            f"with {SHOWN_ERROR:.0%} wrong votes {_needed(low)} of {ELECTORS} votes punish {by_low['dishonest']} of "
            f"{rounds} dishonest winners and {by_low['honest']} of {rounds} honest ones, {_needed(high)} votes punish "
            f"{by_high['dishonest']} and {by_high['honest']}",
            by_low["dishonest"] > 0.85 * rounds
            and by_low["honest"] < 0.15 * rounds
            and by_high["dishonest"] < 0.75 * rounds
            and by_high["honest"] <= by_low["honest"],
        ),
        Claim(
            f"with {SHOWN_ERROR:.0%} wrong votes {rounds} honest winners gain {honest[-1]:,.0f} gwei, "
            f"dishonest ones lose {-dishonest[-1]:,.0f}",
            honest[-1] > 0 > dishonest[-1],
        ),
    ]


# ── the drawing ──


def draw(data: Data) -> Drawing:
    """The share of punished winners by the rate of wrong votes, and the winners' utility at one rate."""
    drawing, (left, right) = panels(2, height=4.6)
    with style():
        _shares(left, data)
        _utility(right, data)
        drawing.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return drawing


def _shares(axes: Axes, data: Data) -> None:
    fine = np.linspace(0, max(ERRORS), 81)
    for threshold, series in zip(THRESHOLDS_BPS, SERIES, strict=False):
        for winner in WINNERS:
            law = [100 * expected(float(error), threshold, winner) for error in fine]
            axes.plot(100 * fine, law, **{**series, "marker": None}, linewidth=1)
            found = [chosen(data, error=error, threshold_bps=threshold, winner=winner) for error in ERRORS]
            axes.plot(
                [100 * error for error in ERRORS],
                [100 * punished(trials) / len(trials) for trials in found],
                label=f"{winner}, {_needed(threshold)} votes punish",
                markerfacecolor="white" if winner == "honest" else series["color"],
                **{**series, "linestyle": "none"},
            )
    axes.plot([], [], color="0.35", linewidth=1, label="binomial distribution")
    title = f"Winners that are punished, {ELECTORS} electors"
    finish(axes, title, "wrong votes (%)", "share of rounds (%)", legend=False)


def _needed(threshold_bps: int) -> int:
    """Votes that punish."""
    return threshold_bps * ELECTORS // 10_000 + 1


def _utility(axes: Axes, data: Data) -> None:
    for winner, series in zip(WINNERS, SERIES, strict=False):
        totals = accumulated(data, winner)
        number = np.arange(1, len(totals) + 1)
        axes.plot(number, totals, label=winner, markevery=max(1, len(totals) // 10), **series)
    axes.axhline(0, color="0.35", linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    finish(
        axes,
        f"What winning is worth: {SHOWN_ERROR:.0%} wrong votes, {_needed(SHOWN_THRESHOLD)} punish",
        "round",
        "accumulated utility of the winners (gwei)",
    )


FIGURE = Figure("punishment", "honest and dishonest winners, where some vote wrongly", measure, draw, claims)
