"""The members of the paper's experiments: true values and costs, drawn around its means (section V-A)."""

from random import Random

from analysis.mechanism import THETA_ONE, WEI_PER_GWEI
from analysis.misreports import Auction, Row

MEMBERS = 10  # a side, each owner with a proposal
MEAN_VALUE, MEAN_COST = 100, 50  # gwei
LARGEST_FACTOR = 3  # of a misreport: caps leave room for it
MAX_OWNER_BID, MAX_BASE_BID = 2 * MEAN_VALUE * LARGEST_FACTOR, 2 * MEAN_COST * LARGEST_FACTOR
BOND = MAX_BASE_BID * WEI_PER_GWEI  # the least that is allowed


def draw_row(mean: int, models: int, random: Random) -> Row:
    """A member's values or costs: integers, uniform from 0 to twice the mean, gwei."""
    return tuple(random.randint(0, 2 * mean) for _ in range(models))


def draw_auction(random: Random, members: int = MEMBERS, models: int = MEMBERS, theta: int | None = None) -> Auction:
    """So many members a side, true claims, and theta uniform unless its numerator is given."""
    return Auction(
        owner_bids=tuple(draw_row(MEAN_VALUE, models, random) for _ in range(members)),
        base_bids=tuple(draw_row(MEAN_COST, models, random) for _ in range(members)),
        theta_numerator=random.randrange(THETA_ONE) if theta is None else theta,
        max_owner_bid=MAX_OWNER_BID,
        max_base_bid=MAX_BASE_BID,
    )


SETTINGS = {
    "members_a_side": MEMBERS,
    "models": MEMBERS,
    "values": f"uniform, 0 to {2 * MEAN_VALUE} gwei",
    "costs": f"uniform, 0 to {2 * MEAN_COST} gwei",
    "max_owner_bid_gwei": MAX_OWNER_BID,
    "max_base_bid_gwei": MAX_BASE_BID,
    "bond_gwei": BOND // WEI_PER_GWEI,
    "theta": "uniform",
    "policy": "equal",
}
"""What every figure that draws here says about it."""
