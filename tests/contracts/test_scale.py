"""A round of 2,000 members costs each of them what one of 20 does."""

from typing import Any

import pytest

from analysis.benchmarks.contract.scale import LARGE, SMALL, compare
from analysis.devnode.anvil import anvil
from analysis.devnode.deployment import artefact_of, deploy

LARGEST_RATIO = 1.01


@pytest.mark.heavy
def test_scale__two_thousand_members__no_call_above_its_cost_at_twenty(compiled: Any) -> None:
    """On a node of its own, with 2^24 gas a transaction and no tracing."""
    with anvil() as chain:
        growth = compare(deploy(chain, artefact_of(compiled)))
    grown = [f"{row.case}: {row.small:,} to {row.large:,} gas" for row in growth if row.ratio > LARGEST_RATIO]
    assert not grown, f"from {SMALL} to {LARGE:,} members: " + "; ".join(grown)
    assert {row.case.call for row in growth} >= {"join", "commitBid", "revealBid", "selectModel", "vote", "settleMany"}
