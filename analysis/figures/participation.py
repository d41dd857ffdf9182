"""Who gains by taking part: members' utility by round and in the long run, under three policies (paper, IV-B.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing
from matplotlib.ticker import FuncFormatter

from analysis.figures.draws import MAX_BASE_BID, MAX_OWNER_BID, MEAN_COST, MEAN_VALUE, MEMBERS, draw_row
from analysis.figures.figure import Claim, Data, Figure, Request
from analysis.figures.plot import SERIES, finish, panels
from analysis.mechanism import CONTRIBUTION_ONE, THETA_ONE, WEI_PER_GWEI
from analysis.misreports import Row
from analysis.round_facts import BasePolicy, Member, OwnerPolicy, Round
from analysis.settlement import settle_round

POLICIES: Mapping[str, tuple[OwnerPolicy, BasePolicy]] = {
    "equal": ("equal", "equal"),
    "capability": ("capability", "capability"),
    "contribution": ("equal", "contribution"),
}
SIDES = ("owner", "base station")
GROUPS, QUICK_GROUPS = 50, 12
ROUNDS, QUICK_ROUNDS = 200, 50
SPREAD = 0.5  # of the logarithm of members' sizes
NOISE = 0.25  # of the logarithm of contributions by size
LARGEST = 3.0  # sizes above count as this: caps hold
POINTS = 100  # capability points of a member of size 1
DUST = 4 * 2 * MEMBERS  # wei


@dataclass(frozen=True)
class Group:
    """Members that meet round after round.

    Values, costs, capability and contribution all grow with a member's size (its data, say): the log-normal sizes are
    made up, not measured.
    """

    owner_sizes: tuple[float, ...]
    base_sizes: tuple[float, ...]

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
                of_policy[number, round_number] = _utilities(draw_, *POLICIES[policy])
        request.say(f"{number + 1} of {groups} groups")
    return {
        "settings": {
            "members_a_side": MEMBERS,
            "groups": groups,
            "rounds": rounds,
            "sizes": f"log-normal, sigma {SPREAD}, at most {LARGEST:.0f}",
            "values_and_costs": f"size times uniform, 0 to {2 * MEAN_VALUE} and 0 to {2 * MEAN_COST} gwei",
            "points": "capability: by size; contribution: by size times log-normal noise, drawn, not measured",
            "theta": "uniform",
        },
        "policies": {policy: _summary(of_policy) for policy, of_policy in utilities.items()},
    }


@dataclass(frozen=True)
class _Draw:
    values: tuple[Row, ...]
    costs: tuple[Row, ...]
    owner_points: Row
    base_points: Row
    contributions: Row
    theta: int

    @classmethod
    def of(cls, group: Group, random: Random) -> "_Draw":
        def rows(sizes: Sequence[float], mean: int) -> tuple[Row, ...]:
            return tuple(tuple(round(size * bid) for bid in draw_row(mean, MEMBERS, random)) for size in sizes)

        contributed = [size * random.lognormvariate(0, NOISE) for size in group.base_sizes]
        return cls(
            rows(group.owner_sizes, MEAN_VALUE),
            rows(group.base_sizes, MEAN_COST),
            _points(group.owner_sizes),
            _points(group.base_sizes),
            _of_a_million(contributed),
            random.randrange(THETA_ONE),
        )


def _points(sizes: Sequence[float]) -> Row:
    return tuple(max(1, round(POINTS * size)) for size in sizes)


def _of_a_million(amounts: Sequence[float]) -> Row:
    """In proportion, adding up exactly: the first takes what rounding leaves."""
    points = [int(CONTRIBUTION_ONE * amount / sum(amounts)) for amount in amounts]
    return (points[0] + CONTRIBUTION_ONE - sum(points), *points[1:])


def _utilities(draw_: _Draw, owner_policy: OwnerPolicy, base_policy: BasePolicy) -> list[int]:
    """True value less true cost, less payment, plus rebate: wei by member, everybody truthful."""
    by_points = owner_policy == "capability"
    ones = (1,) * MEMBERS
    result = settle_round(
        Round(
            owners=tuple(map(_owner, draw_.values, draw_.owner_points if by_points else ones)),
            base_stations=tuple(map(_station, draw_.costs, draw_.base_points if by_points else ones)),
            proposers=tuple(range(MEMBERS)),
            theta_numerator=draw_.theta,
            max_owner_bid=MAX_OWNER_BID,
            max_base_bid=MAX_BASE_BID,
            bond=2 * MAX_BASE_BID * WEI_PER_GWEI,
            owner_policy=owner_policy,
            base_policy=base_policy,
            contributions=draw_.contributions if base_policy == "contribution" else (),
        )
    )
    signed = [*draw_.values, *(tuple(-bid for bid in row) for row in draw_.costs)]
    return [
        (0 if result.selected is None else row[result.selected] * WEI_PER_GWEI) - statement.payment + statement.rebate
        for row, statement in zip(signed, result.owners + result.base_stations, strict=True)
    ]


def _owner(bids: Row, points: int) -> Member:
    return Member(bids=bids, points=points)


def _station(bids: Row, points: int) -> Member:
    return Member(bids=bids, points=points, recorded=True)


def _summary(utilities: Any) -> dict[str, Any]:
    """What is drawn of `[group][round][member]`, wei."""
    sides = {"owner": utilities[:, :, :MEMBERS], "base station": utilities[:, :, MEMBERS:]}
    return {
        side: {
            "percentiles_gwei": [round(float(p) / WEI_PER_GWEI, 3) for p in np.percentile(of_side, range(101))],
            "below_zero_in_a_round": float((of_side < 0).mean()),
            "below_zero_after": [float(share) for share in (of_side.cumsum(axis=1) < 0).mean(axis=(0, 2))],
            "worst_wei": int(of_side.min()),
            "worst_side_total_wei": int(of_side.sum(axis=2).min()),
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
        axes[2 + column].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
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
    rounds = data["settings"]["rounds"]
    return [
        Claim(
            f"Nothing protects a member from a single bad round: {100 * min(once):.0f} to {100 * max(once):.0f} % of "
            "members end one below zero, by side and policy.",
            min(once) > 0,
        ),
        Claim(
            "A side as a whole never does, rebates counted (paper, equations 5 and 6), but for the wei of rounding.",
            all(side["worst_side_total_wei"] > -DUST for side in sides),
        ),
        Claim(
            f"Equal shares leave {100 * late['owner']['equal']:.0f} % of owners behind after {rounds} rounds too, as a "
            f"small owner pays what a large one pays; shares by capability {100 * late['owner']['capability']:.0f} %.",
            late["owner"]["capability"] < 0.05 < late["owner"]["equal"],
        ),
        Claim(
            "Base stations recover under each policy: "
            + ", ".join(f"{100 * share:.0f} % under {policy}" for policy, share in late["base station"].items())
            + f" are behind after {rounds} rounds, fewer than after one.",
            all(late["base station"][p] < policies[p]["base station"]["below_zero_in_a_round"] for p in POLICIES),
        ),
        Claim(
            "No truthful base station ends a round below minus the cap of its side (twice that under contribution).",
            all(
                policies[policy]["base station"]["worst_wei"]
                >= -MAX_BASE_BID * WEI_PER_GWEI * (2 if policy == "contribution" else 1)
                for policy in POLICIES
            ),
        ),
    ]


FIGURE = Figure("participation", "who gains by taking part, by round and in the long run", measure, draw, claims)
