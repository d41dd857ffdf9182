"""What pairs that bid together and members with several names gain, and what stops the latter."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from random import Random
from statistics import median
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing

from analysis.devnode.actors import FUNDS, actor, seats
from analysis.devnode.chain import Reverted
from analysis.devnode.market import Call
from analysis.devnode.rounds import Seat, create_round
from analysis.figures.draws import (
    BOND,
    MAX_BASE_BID,
    MAX_OWNER_BID,
    MEAN_COST,
    MEAN_VALUE,
    MEMBERS,
    SETTINGS,
    draw_auction,
)
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.market import own_market
from analysis.figures.plot import SERIES, finish, panels
from analysis.mechanism import WEI_PER_GWEI
from analysis.misreports import Auction, Found, Rows, best_lie, climb, obvious, ours, utility
from fl.market.terms import Deadlines, Policy, Role, RoundTerms, lock_of

PAIRS = {"two owners": (0, 1), "two base stations": (MEMBERS, MEMBERS + 1), "an owner and a base station": (0, MEMBERS)}
SIDES = {"owner": 0, "base station": MEMBERS}
CAPS = (1, 2, 3, 6)  # times the largest true value
NAMES = (2, 3, 4)  # that one member bids under
DRAWS, QUICK_DRAWS = 40, 10
STEPS, QUICK_STEPS = 120, 80


def measure(request: Request) -> Data:
    """Search for the best joint misreport of pairs, and of one member under several names; ask the contract."""
    draws, steps = (QUICK_DRAWS, QUICK_STEPS) if request.quick else (DRAWS, STEPS)
    random = Random(f"collusion {request.seed}")
    rounds = [draw_auction(random) for _ in range(draws)]
    pairs: dict[str, Any] = {}
    for kind, members in PAIRS.items():
        found = [_by_cap(truth, members, random, steps) for truth in rounds]
        pairs[kind] = {str(cap): _entry([each[cap] for each in found]) for cap in CAPS}
        request.say(f"{kind}: done")
    names = {
        side: {str(count): _entry([_under_names(t, member, count, random, steps) for t in rounds]) for count in NAMES}
        for side, member in SIDES.items()
    }
    return {
        "settings": {**SETTINGS, "draws": draws, "climbing_steps": steps, "rebates": "not counted"},
        "pairs": pairs,
        "pairs_truthful_gwei": {kind: _truthful(rounds, members) for kind, members in PAIRS.items()},
        "names": names,
        "lock_of_a_name_gwei": {
            role.name.lower(): lock_of(role, 1, MAX_OWNER_BID, MAX_BASE_BID, BOND, Policy.EQUAL) // WEI_PER_GWEI
            for role in Role
        },
        "on_chain": _asked_of_the_contract(),
    }


def _by_cap(truth: Auction, members: Sequence[int], random: Random, steps: int) -> dict[int, Found]:
    """The best joint misreport under each cap; what a smaller cap allows is tried under a larger one too."""
    found: dict[int, Found] = {}
    for cap in CAPS:
        so_far = [each.rows for each in found.values()]
        found[cap] = best_lie(ours, _capped(truth, cap), members, random, steps, so_far)
    return found


def _capped(truth: Auction, times: int) -> Auction:
    return replace(truth, max_owner_bid=times * 2 * MEAN_VALUE, max_base_bid=times * 2 * MEAN_COST)


def _entry(found: Sequence[Found]) -> dict[str, Any]:
    """Gains by round, gwei; none where the best that was found is a loss, as one can always tell the truth."""
    return {
        "gains_gwei": [round(float(max(0, each.gain) / WEI_PER_GWEI), 3) for each in found],
        "tried": sum(each.tried for each in found),
    }


def _truthful(rounds: Sequence[Auction], members: Sequence[int]) -> float:
    """What these members get together by the truth, the mean over all rounds."""
    total = sum(utility(truth, ours(truth), member) for truth in rounds for member in members)
    return float(Fraction(total) / len(rounds) / WEI_PER_GWEI)


def _under_names(truth: Auction, member: int, names: int, random: Random, steps: int) -> Found:
    """What one member gains by joining so many times; its true value or cost counts once."""
    told = utility(truth, ours(truth), member)
    owner = truth.is_owner(member)
    row, cap = truth.bids(member), truth.cap(member)

    def gain(rows: Rows) -> Fraction | int:
        first = truth.with_bids({member: rows[0]})
        if owner:
            auction = replace(first, owner_bids=(*first.owner_bids, *rows[1:]))
            added = range(len(truth.owner_bids), len(auction.owner_bids))
        else:
            auction = replace(first, base_bids=(*first.base_bids, *rows[1:]))
            last = len(truth.owner_bids) + len(truth.base_bids)
            added = range(last, last + names - 1)
        outcome = ours(auction)
        return utility(truth, outcome, member) - sum(outcome.payments[name] for name in added) - told

    honest = (row, *((0,) * len(row) for _ in range(names - 1)))
    return climb(gain, [honest, *obvious((row,) * names, (cap,) * names)], (cap,) * names, random, steps)


def _asked_of_the_contract() -> dict[str, str]:
    """Who tries to join, and what the contract answers."""
    with own_market(limited=False) as market:
        bids = ((0,),) * 2
        owners, stations = (seats(market, role, (), bids, (1, 2)) for role in (Role.OWNER, Role.BASE_STATION))
        terms = RoundTerms(MAX_OWNER_BID, MAX_BASE_BID, BOND, Deadlines.after(market.chain.now, 100))
        by_points = replace(terms, owner_policy=Policy.CAPABILITY, base_policy=Policy.CAPABILITY)
        stranger = Seat("second name", actor("second name"), Role.BASE_STATION, (0,))
        market.chain.set_balance(stranger.account, FUNDS)
        opened = create_round(market, owners, stations, terms, proposers=(0,), theta=None, rooted=False)
        closed = create_round(market, owners, stations, by_points, proposers=(0,), theta=None, rooted=True)
        proof = closed.proof(stations[0])
        more = replace(stations[0], points=stations[0].points + 1)
        return {
            "a second name, no root": _answer(opened.join(stranger)),
            "a second name, root": _answer(closed.call("join", stranger.role, 1, proof, [], sender=stranger)),
            "a listed name, more points": _answer(closed.call("join", more.role, more.points, proof, [], sender=more)),
        }


def _answer(call: Call) -> str:
    try:
        call.returns()
    except Reverted as reverted:
        return reverted.failure.error
    return "joins"


def draw(data: Data) -> Drawing:
    """Left, pairs by cap; right, names. Median, and bars from the tenth to the ninetieth percentile."""
    figure, (pairs, names) = panels(2, height=4.0)
    for place, (kind, look) in enumerate(zip(PAIRS, SERIES, strict=False)):
        _bars(pairs, data["pairs"][kind], look, kind, (place - 1) * 0.08)
    finish(
        pairs,
        "Pairs that bid together",
        "cap on bids (times the largest true value)",
        "gain of the pair (gwei a round)",
    )
    pairs.set_xticks(CAPS)
    for place, (side, look) in enumerate(zip(SIDES, SERIES, strict=False)):
        lock = data["lock_of_a_name_gwei"][side.replace(" ", "_")]
        _bars(names, data["names"][side], look, f"{side}, no root: locks {lock:,} gwei a name", (place - 0.5) * 0.06)
    names.axhline(0, color="black", linewidth=1.2, linestyle=(0, (4, 2)), label="with a membership root: refused")
    names.set_xticks(NAMES)
    finish(names, "One member, several names", "names", "gain of the member (gwei a round)")
    for axes in (pairs, names):
        axes.set_ylim(-10, 1.4 * axes.get_ylim()[1])  # room for the legend
        axes.legend(frameon=False, loc="upper left")
    return figure


def _bars(axes: Any, by_x: Mapping[str, Any], look: Mapping[str, Any], label: str, shift: float) -> None:
    gains = [entry["gains_gwei"] for entry in by_x.values()]
    middle = [median(each) for each in gains]
    low, high = ([float(np.percentile(each, q)) for each in gains] for q in (10, 90))
    below = [m - value for m, value in zip(middle, low, strict=True)]
    above = [value - m for m, value in zip(middle, high, strict=True)]
    places = [int(x) + shift for x in by_x]
    axes.errorbar(places, middle, yerr=[below, above], capsize=2, label=label, **look)


def claims(data: Data) -> list[Claim]:
    """What the caption says: limits of the mechanism, not merits."""
    at_three = {kind: median(data["pairs"][kind]["3"]["gains_gwei"]) for kind in PAIRS}
    two = {side: median(data["names"][side]["2"]["gains_gwei"]) for side in SIDES}
    lock = data["lock_of_a_name_gwei"]["base_station"]
    return [
        Claim(
            "Truth is not proof against pairs: at caps of three times the largest value the median gain found is "
            + ", ".join(f"{gain:.0f} gwei for {kind}" for kind, gain in at_three.items())
            + " (together they get "
            + ", ".join(f"{total:.0f}" for total in data["pairs_truthful_gwei"].values())
            + " by the truth).",
            all(gain > 0 for gain in at_three.values()),
        ),
        Claim(
            "Low caps bound it: an owner and a base station gain more, the further a bid may exceed any true value.",
            _rises([median(data["pairs"]["an owner and a base station"][str(cap)]["gains_gwei"]) for cap in CAPS]),
        ),
        Claim(
            f"In an open round a base station's second name gains {two['base station']:.0f} gwei in the median, an "
            f"owner's {two['owner']:.0f}.",
            two["base station"] > 0,
        ),
        Claim(
            f"A lock makes that need capital, {lock:,} gwei for each further base station as long as the round "
            "lasts; it does not stop it.",
            0 < two["base station"] < lock,
        ),
        Claim(
            "The membership root stops it: the contract refuses the second name, and other points than those listed.",
            data["on_chain"]["a second name, no root"] == "joins"
            and "joins"
            not in (data["on_chain"]["a second name, root"], data["on_chain"]["a listed name, more points"]),
        ),
    ]


def _rises(values: Sequence[float]) -> bool:
    return all(earlier < later for earlier, later in pairwise(values))


FIGURE = Figure("collusion", "gains of pairs and of false names, and what stops them", measure, draw, claims)
