"""Lets the contract select among the proposals of a crowd, by sealed bids of everybody's true values and costs."""

from dataclasses import dataclass

from analysis.devnode.actors import seats
from analysis.devnode.market import Market
from analysis.devnode.rounds import create_round
from analysis.figures.interests import MEAN_COST, MEAN_VALUE, Crowd
from fl.market.terms import GWEI, Deadlines, Role, RoundTerms

PHASE_SECONDS = 10_000


@dataclass(frozen=True)
class Selected:
    """What the contract says.

    Attributes:
        proposal: the index of the selected proposal.
        margin: its value less its cost, gwei.
    """

    proposal: int
    margin: int


def select(market: Market, crowd: Crowd) -> Selected | None:
    """Play a round from the first join to the selection.

    Returns:
        The selected proposal; None where no proposal is worth more than it costs.
    """
    labels = len(crowd.costs[0])
    max_base_bid = 2 * MEAN_COST * labels
    terms = RoundTerms(
        max_owner_bid=2 * MEAN_VALUE * labels,
        max_base_bid=max_base_bid,
        bond=max_base_bid * GWEI,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
    )
    owners, stations = range(len(crowd.values)), range(len(crowd.costs))
    values = [[crowd.value(owner, targets) for targets in crowd.proposals] for owner in owners]
    costs = [[crowd.cost(station, targets) for targets in crowd.proposals] for station in stations]
    round_ = create_round(
        market,
        seats(market, Role.OWNER, (), values, None),
        seats(market, Role.BASE_STATION, (), costs, None),
        terms,
        proposers=owners,
        theta=None,
        rooted=False,
    )
    receipt = round_.revealed().select().send()
    if "NothingSelected" in receipt.names:
        return None
    event = receipt.event("ModelSelected")
    return Selected(event["model"], event["margin"] // GWEI)
