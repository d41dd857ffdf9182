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
from analysis.devnode.rounds import LiveRound, Seat, create_round
from analysis.figures.draws import (
    BOND,
    MAX_OWNER_BID,
    MAX_STATION_BID,
    MEAN_COST,
    MEAN_VALUE,
    MEMBERS,
    SETTINGS,
    draw_round,
    redrawn,
)
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.market import own_market
from analysis.figures.search import (
    Conduct,
    Found,
    Rows,
    Wei,
    best_deviation,
    cap_of,
    changed_rows,
    climb,
    members_of,
    obvious,
    ours,
    utility,
)
from analysis.mechanism import WEI_PER_GWEI
from analysis.plot import SERIES, finish, panels
from analysis.round_facts import Member, Round
from fl.market.terms import Deadlines, Policy, Role, RoundTerms

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
    rounds = [draw_round(random) for _ in range(draws)]
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
        "settings": {**SETTINGS, "draws": draws, "climbing_steps": steps},
        "pairs": pairs,
        "pairs_truthful_gwei": {kind: _truthful(rounds, members) for kind, members in PAIRS.items()},
        "names": names,
        "lock_of_a_name_gwei": {role.name.lower(): _terms(0).lock(role) // WEI_PER_GWEI for role in Role},
        "on_chain": _asked_of_the_contract(),
    }


def _by_cap(truth: Round, members: Sequence[int], random: Random, steps: int) -> dict[int, Found[Conduct]]:
    """The best joint misreport under each cap; what a smaller cap allows is tried under a larger one too."""
    found: dict[int, Found[Conduct]] = {}
    for cap in CAPS:
        so_far = [each.best for each in found.values()]
        found[cap] = best_deviation(ours, _capped(truth, cap), members, random, steps, also=so_far)
    return found


def _capped(truth: Round, times: int) -> Round:
    station = times * 2 * MEAN_COST
    return replace(truth, max_owner_bid=times * 2 * MEAN_VALUE, max_station_bid=station, bond=station * WEI_PER_GWEI)


def _entry(found: Sequence[Found[Any]]) -> dict[str, Any]:
    """Gains by round, gwei; none where the best that was found is a loss, as one can always tell the truth."""
    return {
        "gains_gwei": [round(float(max(0, each.gain) / WEI_PER_GWEI), 3) for each in found],
        "tried": sum(each.tried for each in found),
    }


def _truthful(rounds: Sequence[Round], members: Sequence[int]) -> float:
    """What these members get together by the truth, the mean over all rounds."""
    total = sum(utility(truth, truth, ours(truth), member) for truth in rounds for member in members)
    return float(Fraction(total) / len(rounds) / WEI_PER_GWEI)


def _under_names(truth: Round, member: int, names: int, random: Random, steps: int) -> Found[Rows]:
    """What one member gains by so many entries in the list; its true value or cost counts once.

    The draw falls on any of the base stations, so that more names are more often the claimant.
    """
    owner, luck = member < len(truth.owners), random.random()
    alone = redrawn(truth, int(luck * len(truth.stations)))
    true = members_of(alone)[member]
    cap = cap_of(truth, member)

    def gain(rows: Rows) -> Wei:
        others = tuple(Member(bids=row, recorded=0 if owner else 1) for row in rows[1:])
        place = member if owner else member - len(truth.owners)
        owners, stations = (
            (_with_bids(alone.owners, place, rows[0]) + others, alone.stations)
            if owner
            else (alone.owners, _with_bids(alone.stations, place, rows[0]) + others)
        )
        seated = replace(alone, owners=owners, stations=stations)
        played = redrawn(seated, int(luck * len(stations)))
        outcome = ours(played)
        first = len(owners) - len(others) if owner else len(owners) + len(stations) - len(others)
        added = sum(outcome.payments[name] for name in range(first, first + len(others)))
        return utility(alone, played, outcome, member) - added - told

    told = utility(alone, alone, ours(alone), member)
    honest = (true.bids, *((0,) * len(true.bids) for _ in range(names - 1)))
    starts = [honest, *obvious((true.bids,) * names, (cap,) * names)]
    return climb(gain, starts, lambda rows: changed_rows(rows, (cap,) * names, random), steps)


def _with_bids(side: Conduct, place: int, row: tuple[int, ...]) -> Conduct:
    return (*side[:place], replace(side[place], bids=row), *side[place + 1 :])


def _terms(now: int) -> RoundTerms:
    """Of a round that starts then."""
    return RoundTerms(MAX_OWNER_BID, MAX_STATION_BID, BOND, Deadlines.after(now, 100))


def _asked_of_the_contract() -> dict[str, str]:
    """Who tries to join, and what the contract answers."""
    with own_market(limited=False) as market:
        owners, stations = (seats(market, role, (), ((0,),) * 3, (1, 2, 3)) for role in (Role.OWNER, Role.BASE_STATION))
        stations = [replace(station, points=1) for station in stations]
        by_points = replace(_terms(market.chain.now), owner_policy=Policy.CAPABILITY, surplus_bps=(0, 0))
        closed = create_round(market, owners, stations, by_points, proposers=(0,))
        stranger = Seat("second name", actor("second name"), Role.BASE_STATION, (0,))
        market.chain.set_balance(stranger.account, FUNDS)
        own, less = owners[1], replace(owners[1], points=owners[1].points - 1)
        return {
            "a listed name, its own points": _answer(closed.join(own)),
            "a name that is not listed": _answer(_joins_with(closed, stranger, stations[0])),
            "a listed name, other points": _answer(_joins_with(closed, less, own)),
        }


def _joins_with(round_: LiveRound, seat: Seat, listed: Seat) -> Call:
    """Who joins with the proof of somebody that is listed."""
    proof = round_.proof(listed)
    return round_.call("join", round_.terms.hash, seat.role, seat.points, proof, sender=seat, value=round_.lock(seat))


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
        _bars(names, data["names"][side], look, f"{side}: locks {lock:,} gwei a name", (place - 0.5) * 0.06)
    names.axhline(0, color="black", linewidth=1.2, linestyle=(0, (4, 2)), label="a name that is not listed: refused")
    names.set_xticks(NAMES)
    finish(names, "One member, several entries in the list", "names", "gain of the member (gwei a round)")
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
            f"A second name in the list gains a base station {two['base station']:.0f} gwei in the median, an owner "
            f"{two['owner']:.0f}.",
            two["base station"] > 0,
        ),
        Claim(
            f"A lock makes that need capital, {lock:,} gwei for each further base station as long as the round "
            "lasts; it does not stop it.",
            0 < two["base station"] < lock,
        ),
        Claim(
            "So the list decides: the contract refuses names that are not in it, and other points than those listed.",
            data["on_chain"]
            == {
                "a listed name, its own points": "joins",
                "a name that is not listed": "NotAdmitted",
                "a listed name, other points": "NotAdmitted",
            },
        ),
    ]


def _rises(values: Sequence[float]) -> bool:
    return all(earlier < later for earlier, later in pairwise(values))


FIGURE = Figure("collusion", "gains of pairs and of false names, and what stops them", measure, draw, claims)
