"""The product's client of the contract that a test plays on."""

from analysis.devnode.market import Market as Devnode
from fl.market.client import Market


def client_of(market: Devnode) -> Market:
    """Reads logs from the chain's first block on: looking for that of the deployment takes seconds."""
    return Market.at(market.address, first_block=0)
