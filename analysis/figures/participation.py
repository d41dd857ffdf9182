"""Who gains by taking part: members' utility by round and in the long run, under three policies (paper, IV-B.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing

from analysis.figures.draws import MAX_OWNER_BID, MAX_STATION_BID, MEAN_COST, MEAN_VALUE, MEMBERS, draw_row
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.search import Row
from analysis.mechanism import (
    CONTRIBUTION_ONE,
    WEI_PER_GWEI,
    contribution_bonus,
    most_contribution_points,
    theta_numerator,
)
from analysis.plot import SERIES, finish, panels, plain_numbers
from analysis.round_facts import Member, OwnerPolicy, Round
from analysis.settlement import settle_round

POLICIES = ("equal", "capability", "contribution")
"""Equal shares; owners' by capability; equal shares, and a stake of base stations by contribution."""
SIDES = ("owner", "base station")
GROUPS, QUICK_GROUPS = 50, 12
ROUNDS, QUICK_ROUNDS = 200, 50
SPREAD = 0.5  # of the logarithm of members' sizes
NOISE = 0.25  # of the logarithm of contributions by size
LARGEST = 3.0  # sizes above count as this: caps hold
POINTS = 100  # capability points of a member of size 1
STAKE = 25  # gwei, of a base station under contribution: about a quarter of its reward
THETA_BPS = (2_000, 6_000)  # the clients' default; none under capability
BOND = 2 * MAX_OWNER_BID * WEI_PER_GWEI  # the clients' default


@dataclass(frozen=True)
class Group:
    """Members that meet round after round.

    Values, costs, capability and contribution all grow with a member's size (its data, say): the log-normal sizes are
    made up, not measured.
    """

    owner_sizes: tuple[float, ...]
    station_sizes: tuple[float, ...]

    @classmethod
    def drawn(cls, random: Random) -> "Group":
        def side() -> tuple[float, ...]:
            return tuple(min(random.lognormvariate(0, SPREAD), LARGEST) for _ in range(MEMBERS))

        return cls(side(), side())


def measure(request: Request) -> Data:
    """Let groups play rounds by the reference; the same draws under each policy."""
    groups, rounds = (QUICK_GROUPS, QUICK_ROUNDS) if request.quick else (GROUPS, ROUNDS)
    random = Random(f"participation {request.seed}")
    utilities = {policy: np.zeros((groups, rounds, 2 * MEMBERS), dtype=np.int64) for policy in POLICIES}
    for number in range(groups):
        group = Group.drawn(random)
        for round_number in range(rounds):
            draw_ = _Draw.of(group, random)
            for policy, of_policy in utilities.items():
                of_policy[number, round_number] = _utilities(draw_, policy)
        request.say(f"{number + 1} of {groups} groups")
    return {
        "settings": {
            "members_a_side": MEMBERS,
            "groups": groups,
            "rounds": rounds,
            "sizes": f"log-normal, sigma {SPREAD}, at most {LARGEST:.0f}",
            "values_and_costs": f"size times uniform, 0 to {2 * MEAN_VALUE} and 0 to {2 * MEAN_COST} gwei",
            "points": "capability: by size; contribution: by size times log-normal noise, drawn, not measured",
            "stake_gwei": STAKE,
            "theta_bps": list(THETA_BPS),
            "claimant": "any base station",
            "claims": "true; with a stake, costs less the bonus that a station's size lets it expect, at least 0",
        },
        "policies": {policy: _summary(of_policy) for policy, of_policy in utilities.items()},
    }


@dataclass(frozen=True)
class _Draw:
    values: tuple[Row, ...]
    costs: tuple[Row, ...]
    owner_points: Row
    expected: Row
    contributions: Row
    u: int
    claimant: int

    @classmethod
    def of(cls, group: Group, random: Random) -> "_Draw":
        def rows(sizes: Sequence[float], mean: int) -> tuple[Row, ...]:
            return tuple(tuple(round(size * bid) for bid in draw_row(mean, MEMBERS, random)) for size in sizes)

        contributed = [size * random.lognormvariate(0, NOISE) for size in group.station_sizes]
        return cls(
            rows(group.owner_sizes, MEAN_VALUE),
            rows(group.station_sizes, MEAN_COST),
            tuple(max(1, round(POINTS * size)) for size in group.owner_sizes),
            _of_a_million(group.station_sizes),
            _of_a_million(contributed),
            random.randrange(2**64),
            random.randrange(MEMBERS),
        )


def _of_a_million(amounts: Sequence[float]) -> Row:
    """In proportion, adding up exactly; what is above the most that one may have goes to those below it, in order."""
    most = most_contribution_points(len(amounts))
    points = [min(most, int(CONTRIBUTION_ONE * amount / sum(amounts))) for amount in amounts]
    left = CONTRIBUTION_ONE - sum(points)
    for place, listed in enumerate(points):
        more = min(left, most - listed)
        points[place], left = listed + more, left - more
    return tuple(points)


def _utilities(draw_: _Draw, policy: str) -> list[int]:
    """True value less true cost, less payment, plus the lot: wei by member, everybody truthful."""
    owner_policy: OwnerPolicy = "capability" if policy == "capability" else "equal"
    stake = STAKE * WEI_PER_GWEI if policy == "contribution" else 0
    bonuses = [bonus // WEI_PER_GWEI for bonus in contribution_bonus(stake, draw_.expected)]
    weighted = owner_policy == "capability"
    result = settle_round(
        Round(
            owners=tuple(
                Member(bids=row, points=points if weighted else 1)
                for row, points in zip(draw_.values, draw_.owner_points, strict=True)
            ),
            stations=tuple(
                Member(
                    bids=tuple(min(max(0, cost - bonus), MAX_STATION_BID) for cost in row),
                    revealed=number != draw_.claimant,
                    recorded=1,
                )
                for number, (row, bonus) in enumerate(zip(draw_.costs, bonuses, strict=True))
            ),
            proposers=tuple(range(MEMBERS)),
            claimant=draw_.claimant,
            theta_numerator=theta_numerator(*THETA_BPS, draw_.u, weighted),
            max_owner_bid=MAX_OWNER_BID,
            max_station_bid=MAX_STATION_BID,
            bond=BOND,
            stake=stake,
            owner_policy=owner_policy,
            upheld=stake > 0,
            contributions=draw_.contributions,
        )
    )
    signed = [*draw_.values, *(tuple(-bid for bid in row) for row in draw_.costs)]
    gained = [
        (0 if result.selected is None else row[result.selected] * WEI_PER_GWEI) - dues.payment
        for row, dues in zip(signed, result.owners + result.stations, strict=True)
    ]
    gained[MEMBERS + draw_.claimant] += result.lot
    return gained


def _summary(utilities: Any) -> dict[str, Any]:
    """What is drawn of `[group][round][member]`, wei."""
    sides = {"owner": utilities[:, :, :MEMBERS], "base station": utilities[:, :, MEMBERS:]}
    return {
        side: {
            "percentiles_gwei": [round(float(p) / WEI_PER_GWEI, 3) for p in np.percentile(of_side, range(101))],
            "below_zero_in_a_round": float((of_side < 0).mean()),
            "below_zero_after": [float(share) for share in (of_side.cumsum(axis=1) < 0).mean(axis=(0, 2))],
            "worst_wei": int(of_side.min()),
            "side_below_zero": float((of_side.sum(axis=2) < 0).mean()),
            "mean_gwei": round(float(of_side.mean()) / WEI_PER_GWEI, 2),
        }
        for side, of_side in sides.items()
    }


def draw(data: Data) -> Drawing:
    """Above, the distribution by round; below, the share that is behind after so many rounds."""
    figure, axes = panels(2, height=6.0, rows=2)
    for column, side in enumerate(SIDES):
        for policy, look in zip(POLICIES, SERIES, strict=False):
            of_side = data["policies"][policy][side]
            after = [100 * share for share in of_side["below_zero_after"]]
            label = f"{policy} ({100 * of_side['below_zero_in_a_round']:.0f} % below 0)"
            axes[column].plot(of_side["percentiles_gwei"], range(101), **{**look, "markevery": 10, "label": label})
            rounds = range(1, len(after) + 1)
            axes[2 + column].plot(rounds, after, **{**look, "markevery": 0.08, "label": policy})
        axes[column].axvline(0, color="black", linewidth=0.8)
        axes[2 + column].set_xscale("log")
        axes[2 + column].xaxis.set_major_formatter(plain_numbers())
        axes[2 + column].set_ylim(bottom=0)
        finish(axes[column], f"{side.capitalize()}s: one round", "utility (gwei)", "members with no more (%)")
        finish(
            axes[2 + column], f"{side.capitalize()}s: in the long run", "rounds taken part in", "members below zero (%)"
        )
    return figure


def claims(data: Data) -> list[Claim]:
    """What the caption says."""
    policies = data["policies"]
    sides = [policies[policy][side] for policy in POLICIES for side in SIDES]
    once = [side["below_zero_in_a_round"] for side in sides]
    late = {side: {policy: policies[policy][side]["below_zero_after"][-1] for policy in POLICIES} for side in SIDES}
    means = {side: {policy: policies[policy][side]["mean_gwei"] for policy in POLICIES} for side in SIDES}
    rounds = data["settings"]["rounds"]
    stations = [policies[policy]["base station"] for policy in POLICIES]
    return [
        Claim(
            f"Nothing protects a member from a single bad round: {100 * min(once):.0f} to {100 * max(once):.0f} % of "
            "members end one below zero, by side and policy.",
            min(once) > 0,
        ),
        Claim(
            "Both sides gain on average under each policy (paper, equations 7 and 8, for a member drawn at random): "
            f"{min(means['owner'].values()):.0f} to {max(means['owner'].values()):.0f} gwei a round an owner, "
            f"{min(means['base station'].values()):.0f} to {max(means['base station'].values()):.0f} a base station.",
            all(mean > 0 for of_side in means.values() for mean in of_side.values()),
        ),
        Claim(
            f"Equal shares leave {100 * late['owner']['equal']:.0f} % of owners behind after {rounds} rounds too, as a "
            f"small owner pays what a large one pays; shares by capability {100 * late['owner']['capability']:.0f} %.",
            late["owner"]["capability"] < 0.05 < late["owner"]["equal"],
        ),
        Claim(
            "Base stations recover: "
            + ", ".join(f"{100 * share:.0f} % under {policy}" for policy, share in late["base station"].items())
            + f" are behind after {rounds} rounds, fewer than after one: most where they get no part of the surplus "
            "(capability: θ is 0), fewest where a stake rewards who contributes more.",
            all(late["base station"][p] < policies[p]["base station"]["below_zero_in_a_round"] for p in POLICIES)
            and late["base station"]["contribution"]
            < late["base station"]["equal"]
            < late["base station"]["capability"],
        ),
        Claim(
            "No truthful base station ends a round below minus the cap of its side, less the stake.",
            all(side["worst_wei"] >= -(MAX_STATION_BID + STAKE) * WEI_PER_GWEI for side in stations),
        ),
    ]


FIGURE = Figure("participation", "who gains by taking part, by round and in the long run", measure, draw, claims)
