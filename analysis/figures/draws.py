"""The members of the paper's experiments: true values and costs, drawn around its means (section V-A)."""

from dataclasses import replace
from random import Random

from analysis.figures.search import Row
from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from analysis.round_facts import Member, Round

MEMBERS = 10  # a side, each owner with a proposal
MEAN_VALUE, MEAN_COST = 100, 50  # gwei
LARGEST_FACTOR = 3  # of a misreport: caps leave room for it
MAX_OWNER_BID, MAX_STATION_BID = 2 * MEAN_VALUE * LARGEST_FACTOR, 2 * MEAN_COST * LARGEST_FACTOR
BOND = MAX_STATION_BID * WEI_PER_GWEI  # the least that is allowed


def draw_row(mean: int, models: int, random: Random) -> Row:
    """A member's values or costs: integers, uniform from 0 to twice the mean, gwei."""
    return tuple(random.randint(0, 2 * mean) for _ in range(models))


def draw_round(
    random: Random,
    members: int = MEMBERS,
    models: int = MEMBERS,
    *,
    theta: int | None = None,
    mean_value: int = MEAN_VALUE,
    mean_cost: int = MEAN_COST,
) -> Round:
    """So many members a side, all truthful and dutiful, any base station the claimant; models are proposed in order.

    Args:
        random: the source of all draws.
        members: a side, at least three.
        models: at most as many.
        theta: its numerator; uniform if not given.
        mean_value: of owners, gwei. Caps stay three times the largest that the paper's means allow.
        mean_cost: of base stations, gwei.
    """
    values = [draw_row(mean_value, models, random) for _ in range(members)]
    costs = [draw_row(mean_cost, models, random) for _ in range(members)]
    drawn = random.randrange(THETA_ONE) if theta is None else theta
    claimant = random.randrange(members)
    return Round(
        owners=tuple(Member(bids=row) for row in values),
        stations=tuple(Member(bids=row, revealed=number != claimant, recorded=1) for number, row in enumerate(costs)),
        proposers=tuple(range(models)),
        claimant=claimant,
        theta_numerator=drawn,
        max_owner_bid=MAX_OWNER_BID,
        max_station_bid=MAX_STATION_BID,
        bond=BOND,
    )


def redrawn(round_: Round, claimant: int) -> Round:
    """The same round with another claimant; everybody else reveals."""
    stations = (replace(station, revealed=number != claimant) for number, station in enumerate(round_.stations))
    return replace(round_, stations=tuple(stations), claimant=claimant)


SETTINGS = {
    "members_a_side": MEMBERS,
    "models": MEMBERS,
    "values": f"uniform, 0 to {2 * MEAN_VALUE} gwei",
    "costs": f"uniform, 0 to {2 * MEAN_COST} gwei",
    "max_owner_bid_gwei": MAX_OWNER_BID,
    "max_station_bid_gwei": MAX_STATION_BID,
    "bond_gwei": BOND // WEI_PER_GWEI,
    "theta": "uniform",
    "claimant": "any base station",
    "policy": "equal",
}
"""What every figure that draws here says about it."""
