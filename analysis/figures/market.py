"""HCFL on a node of its own, for the figures that are measured on chain."""

from collections.abc import Iterator
from contextlib import contextmanager

from analysis.devnode.anvil import NodeError, anvil
from analysis.devnode.deployment import deploy
from analysis.devnode.market import Market
from analysis.devnode.sources import compile_contract
from analysis.figures.figure import FigureError


@contextmanager
def own_market(*, limited: bool = True) -> Iterator[Market]:
    """Deploy the contract as its sources stand on a node that ends with the context.

    Args:
        limited: whether a transaction may take 2^24 gas and a block 30M; else there is no limit.

    Raises:
        FigureError: the node does not start.
    """
    try:
        with anvil(limited=limited) as chain:
            yield deploy(chain, compile_contract("contracts/HCFL.sol"))
    except NodeError as error:
        raise FigureError(str(error)) from None
