"""Lets the contract select among the proposals of a crowd, by sealed bids of everybody's true values and costs."""

from collections.abc import Sequence
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
        score: E, gwei: see `Crowd.score`.
    """

    proposal: int
    score: int


def select(market: Market, crowd: Crowd, claimant: int, claims: Sequence[float] | None = None) -> Selected | None:
    """Play a round from the first join to the selection.

    Args:
        market: on a node whose clock stands still.
        crowd: who bids.
        claimant: the base station that is drawn: its bid is never opened.
        claims: the accuracy of each proposal by which owners value it; None: they look at labels alone.

    Returns:
        The selected proposal; None where no proposal is worth more than it is estimated to cost.
    """
    labels = len(crowd.costs[0])
    max_owner_bid, max_station_bid = 2 * MEAN_VALUE * labels, 2 * MEAN_COST * labels
    terms = RoundTerms(
        max_owner_bid=max_owner_bid,
        max_station_bid=max_station_bid,
        bond=2 * max_owner_bid * GWEI,
        deadlines=Deadlines.after(market.chain.now, PHASE_SECONDS),
    )
    owners, stations = range(len(crowd.values)), range(len(crowd.costs))
    claimed = list(zip(crowd.proposals, claims or [1] * len(crowd.proposals), strict=True))
    values = [[crowd.value(owner, targets, accuracy) for targets, accuracy in claimed] for owner in owners]
    costs = [[crowd.cost(station, targets) for targets in crowd.proposals] for station in stations]
    bidding = seats(market, Role.BASE_STATION, (), costs, None)
    round_ = create_round(
        market,
        seats(market, Role.OWNER, (), values, None),
        bidding,
        terms,
        proposers=owners,
        claimant=bidding[claimant],
    )
    receipt = round_.revealed().select().send()
    if "NothingSelected" in receipt.names:
        return None
    event = receipt.event("ModelSelected")
    return Selected(event["model"], event["score"] // GWEI)
